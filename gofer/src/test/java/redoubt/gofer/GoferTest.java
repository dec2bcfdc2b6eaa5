package redoubt.gofer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static redoubt.gofer.TestGofer.bytes;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import redoubt.abi.Errno;
import redoubt.abi.Fcntl;
import redoubt.abi.Stat;
import redoubt.host.FileSystemCalls;
import redoubt.host.Memory;
import redoubt.p9.P9;
import redoubt.p9.P9Attr;
import redoubt.p9.P9Dir;
import redoubt.p9.P9StatFs;
import redoubt.p9.P9Tree;
import redoubt.p9.P9Walk;

/** Client and gofer together, on a real directory. */
class GoferTest {
  private TestGofer gofer;
  private Path dir;
  private int rw;
  private final P9Walk walk = new P9Walk();
  private final P9Attr attr = new P9Attr();

  @BeforeEach
  void start() {
    gofer = new TestGofer();
    dir = gofer.directory;
    rw = gofer.rw();
  }

  @AfterEach
  void stop() {
    gofer.close();
    assertEquals(0, gofer.disconnects, () -> gofer.lines.toString());
  }

  private static void assertErrno(int errno, long result) {
    assertEquals(Errno.name(errno), result < 0 ? Errno.name((int) -result) : Long.toString(result));
  }

  private long walk(int fid, String path, int open) {
    byte[] p = bytes(path);
    return gofer.client.walk(fid, p, 0, p.length, open, walk);
  }

  private int find(String path) {
    long n = walk(rw, path, -1);
    assertEquals(0, walk.error, path);
    assertTrue(n > 0, path);
    return walk.fids[walk.count - 1];
  }

  private static String read(int fd) {
    var m = Memory.mapAnonymous(4096);
    long n = FileSystemCalls.pread(fd, m.address(), 4096, 0);
    byte[] b = new byte[(int) Math.max(n, 0)];
    for (int i = 0; i < b.length; i++) {
      b[i] = m.get(Memory.BYTE, i);
    }
    Memory.unmap(m);
    return n < 0 ? Errno.name((int) -n) : new String(b, StandardCharsets.UTF_8);
  }

  private static long write(int fd, String text) {
    var m = Memory.mapAnonymous(4096);
    byte[] b = bytes(text);
    for (int i = 0; i < b.length; i++) {
      m.set(Memory.BYTE, i, b[i]);
    }
    long n = FileSystemCalls.pwrite(fd, m.address(), b.length, 0);
    Memory.unmap(m);
    return n;
  }

  @Test
  void shouldWalkManyNamesWithAttributes() throws Exception {
    Files.createDirectories(dir.resolve("a/b/c/d"));
    Files.writeString(dir.resolve("a/b/c/d/file"), "hello");
    assertEquals(5, walk(rw, "a//b/c/d/file", -1));
    assertEquals(0, walk.error);
    for (int i = 0; i < 4; i++) {
      assertTrue(walk.attrs[i].isDirectory());
    }
    assertTrue(walk.attrs[4].isRegular());
    assertEquals(5, walk.attrs[4].size);
    assertEquals(Files.getAttribute(dir.resolve("a/b/c/d/file"), "unix:ino"), walk.attrs[4].ino);
    assertEquals(0, gofer.client.getattr(walk.fids[2], attr));
    assertEquals(Files.getAttribute(dir.resolve("a/b/c"), "unix:ino"), attr.ino);
  }

  @Test
  void shouldDonateTheLastFileOfAWalk() throws Exception {
    Files.createDirectories(dir.resolve("a"));
    Files.writeString(dir.resolve("a/file"), "hello");
    assertEquals(2, walk(rw, "a/file", Fcntl.O_RDONLY));
    int fd = walk.takeHostFd();
    assertEquals("hello", read(fd));
    assertEquals(-Errno.EBADF, write(fd, "x"));
    FileSystemCalls.close(fd);
  }

  @Test
  void shouldSayWhereAWalkEnds() throws Exception {
    Files.createDirectories(dir.resolve("a"));
    Files.writeString(dir.resolve("a/file"), "hello");
    assertEquals(1, walk(rw, "a/none/x", -1));
    assertErrno(Errno.ENOENT, -walk.error);
    assertEquals(2, walk(rw, "a/file/x", -1));
    assertErrno(Errno.ENOTDIR, -walk.error);
    assertEquals(0, walk(rw, "none", -1));
    assertErrno(Errno.ENOENT, -walk.error);
    assertEquals(1, walk(rw, "a/" + "x".repeat(256), -1));
    assertErrno(Errno.ENAMETOOLONG, -walk.error);
  }

  @Test
  void shouldStopAtSymlinkAndTellItsTarget() throws Exception {
    Files.createDirectories(dir.resolve("a"));
    Files.createSymbolicLink(dir.resolve("a/link"), Path.of("/etc"));
    assertEquals(2, walk(rw, "a/link/passwd", Fcntl.O_RDONLY));
    assertEquals(0, walk.error);
    assertTrue(walk.attrs[1].isSymlink());
    assertEquals("/etc", new String(walk.target, 0, walk.targetLength, StandardCharsets.UTF_8));
    assertEquals(-1, walk.hostFd);
    byte[] target = new byte[100];
    assertEquals(4, gofer.client.readlink(walk.fids[1], target));
    assertErrno(Errno.ELOOP, gofer.client.openFd(walk.fids[1], 0));
  }

  @Test
  void shouldWalkLongPathsInParts() throws Exception {
    String path = "d/".repeat(40);
    Files.createDirectories(dir.resolve(path));
    assertEquals(P9.WALK_MAX, walk(rw, path, -1));
    assertEquals(2 * P9.WALK_MAX, walk.pathEnd);
    byte[] p = bytes(path);
    assertEquals(
        8, gofer.client.walk(walk.fids[31], p, walk.pathEnd, p.length - walk.pathEnd, -1, walk));
  }

  @Test
  void shouldCreateWithOwnerAndMode() throws Exception {
    assertEquals(
        1, gofer.client.create(rw, bytes("new"), Fcntl.O_RDWR | Fcntl.O_EXCL, 04755, 12, 34, walk));
    assertEquals(04755, walk.attrs[0].mode & 07777);
    assertEquals(12, walk.attrs[0].uid);
    assertEquals(34, walk.attrs[0].gid);
    int fd = walk.takeHostFd();
    assertEquals(3, write(fd, "abc"));
    FileSystemCalls.close(fd);
    assertEquals("abc", Files.readString(dir.resolve("new")));
    assertErrno(
        Errno.EEXIST, gofer.client.create(rw, bytes("new"), Fcntl.O_EXCL, 0644, 0, 0, walk));
    assertEquals(
        0, gofer.client.create(rw, bytes("new"), Fcntl.O_RDWR | Fcntl.O_TRUNC, 0644, 0, 0, walk));
    assertEquals(0, walk.attrs[0].size);
    assertEquals(12, walk.attrs[0].uid);
    assertEquals(0, gofer.client.getattr(walk.fids[0], attr));
  }

  @Test
  void shouldNotCreateThroughSymlink() throws Exception {
    Files.createSymbolicLink(dir.resolve("link"), dir.resolve("victim"));
    assertErrno(
        Errno.ELOOP, gofer.client.create(rw, bytes("link"), Fcntl.O_RDWR, 0644, 0, 0, walk));
    assertTrue(Files.notExists(dir.resolve("victim")));
  }

  @Test
  void shouldMakeUnnamedFileAndLinkIt() throws Exception {
    long r = gofer.client.create(rw, new byte[0], Fcntl.O_RDWR | Fcntl.O_TMPFILE, 0600, 1, 1, walk);
    assertEquals(1, r, () -> Errno.name((int) -r));
    assertEquals(2, write(walk.hostFd, "hi"));
    assertEquals(0, gofer.client.link(rw, walk.fids[0], bytes("named")));
    assertEquals("hi", Files.readString(dir.resolve("named")));
  }

  @Test
  void shouldMakeDirectoriesLinksAndSpecialFiles() throws Exception {
    long d = gofer.client.mkdir(rw, bytes("d"), 01777, 5, 6, attr);
    assertTrue(d >= 0);
    assertEquals(Stat.S_IFDIR | 01777, attr.mode);
    assertEquals(5, attr.uid);
    long l = gofer.client.symlink((int) d, bytes("l"), bytes("../x"), 7, 8, attr);
    assertTrue(l >= 0);
    assertEquals(8, attr.gid);
    assertTrue(attr.isSymlink());
    long p = gofer.client.mknod((int) d, bytes("p"), Stat.S_IFIFO | 0640, 0, 0, 0, 0, attr);
    assertTrue(p >= 0);
    assertEquals(Stat.S_IFIFO | 0640, attr.mode);
    assertErrno(Errno.ENXIO, gofer.client.openFd((int) p, 0));
    assertErrno(Errno.EEXIST, gofer.client.mkdir(rw, bytes("d"), 0755, 0, 0, attr));
    assertErrno(Errno.ENOTEMPTY, gofer.client.unlink(rw, bytes("d"), 0x200));
    assertEquals(0, gofer.client.unlink((int) d, bytes("l"), 0));
    assertEquals(0, gofer.client.unlink((int) d, bytes("p"), 0));
    assertEquals(0, gofer.client.unlink(rw, bytes("d"), 0x200));
    assertTrue(Files.notExists(dir.resolve("d")));
  }

  @Test
  void shouldRenameAndLink() throws Exception {
    Files.writeString(dir.resolve("one"), "1");
    Files.writeString(dir.resolve("two"), "2");
    assertErrno(Errno.EEXIST, gofer.client.rename(rw, bytes("one"), rw, bytes("two"), 1));
    assertEquals(0, gofer.client.rename(rw, bytes("one"), rw, bytes("two"), 2));
    assertEquals("2", Files.readString(dir.resolve("one")));
    int one = find("one");
    assertEquals(0, gofer.client.link(rw, one, bytes("three")));
    assertEquals(0, gofer.client.getattr(one, attr));
    assertEquals(2, attr.nlink);
    assertEquals(0, gofer.client.unlink(rw, bytes("one"), 0));
    assertEquals(0, gofer.client.getattr(one, attr));
    assertEquals(1, attr.nlink);
    long fd = gofer.client.openFd(one, Fcntl.O_RDWR);
    assertEquals("2", read((int) fd));
    FileSystemCalls.close((int) fd);
  }

  @Test
  void shouldSetEachAttribute() throws Exception {
    Files.writeString(dir.resolve("f"), "0123456789");
    int f = find("f");
    int all =
        P9.SETATTR_MODE
            | P9.SETATTR_UID
            | P9.SETATTR_GID
            | P9.SETATTR_SIZE
            | P9.SETATTR_ATIME
            | P9.SETATTR_ATIME_SET
            | P9.SETATTR_MTIME
            | P9.SETATTR_MTIME_SET;
    assertEquals(0, gofer.client.setattr(f, all, 06711, 3, 4, 5, 1000, 11, -2000, 22, attr));
    assertEquals(Stat.S_IFREG | 06711, attr.mode);
    assertEquals(3, attr.uid);
    assertEquals(4, attr.gid);
    assertEquals(5, attr.size);
    assertEquals(1000, attr.atimeSec);
    assertEquals(11, attr.atimeNsec);
    assertEquals(-2000, attr.mtimeSec);
    assertEquals(22, attr.mtimeNsec);
    assertEquals(0, gofer.client.setattr(f, P9.SETATTR_MTIME, 0, 0, 0, 0, 0, 0, 0, 0, attr));
    assertTrue(attr.mtimeSec > 1_600_000_000L);
    assertEquals(1000, attr.atimeSec);
  }

  @Test
  void shouldListLargeDirectoriesInBatches() throws Exception {
    Path d = Files.createDirectory(dir.resolve("many"));
    for (int i = 0; i < 3000; i++) {
      Files.createFile(d.resolve("name-of-some-length-" + i));
    }
    int fid = find("many");
    for (boolean withAttr : new boolean[] {false, true}) {
      try (P9Dir out = gofer.client.newDir()) {
        var seen = new TreeMap<String, Integer>();
        long offset = 0;
        int batches = 0;
        do {
          assertTrue(gofer.client.readdir(fid, offset, withAttr, out) >= 0);
          while (out.next()) {
            byte[] name = new byte[out.nameLength];
            out.copyName(name, 0);
            String text = new String(name, StandardCharsets.UTF_8);
            seen.merge(text, 1, Integer::sum);
            offset = out.offset;
            assertEquals(withAttr && !text.startsWith("."), out.hasAttr);
            if (out.hasAttr) {
              assertTrue(out.attr.isRegular());
              assertEquals(out.ino, out.attr.ino);
            }
          }
          batches++;
        } while (!out.isEnd());
        assertEquals(3002, seen.size());
        assertTrue(seen.values().stream().allMatch(n -> n == 1));
        assertTrue(batches > 1);
      }
    }
  }

  /** {@return "PARENT NAME: ENTRIES" for each list} */
  private static List<String> lists(P9Tree tree) {
    List<String> lists = new ArrayList<>();
    while (tree.next()) {
      var names = new TreeSet<String>();
      String head =
          (tree.parent == P9.READDIRS_TOP ? "top" : String.valueOf(tree.parent))
              + " "
              + text(tree.entries, tree.nameOffset, tree.nameLength);
      while (tree.entries.next()) {
        assertTrue(tree.entries.hasAttr);
        assertEquals(tree.entries.ino, tree.entries.attr.ino);
        names.add(text(tree.entries, tree.entries.nameOffset, tree.entries.nameLength));
      }
      lists.add(head + ": " + String.join(" ", names));
    }
    return lists;
  }

  private static String text(P9Dir entries, int offset, int length) {
    byte[] name = new byte[length];
    entries.memory().getBytes(offset, name, length);
    return new String(name, StandardCharsets.UTF_8);
  }

  private static List<byte[]> names(String... names) {
    return Stream.of(names).map(TestGofer::bytes).toList();
  }

  @Test
  void shouldListDirectoriesAndThoseBelow() throws Exception {
    Files.createDirectories(dir.resolve("a/b/c"));
    Files.writeString(dir.resolve("a/b/c/file"), "1");
    Files.writeString(dir.resolve("a/file"), "1");
    Files.createDirectory(dir.resolve("empty"));
    Files.createSymbolicLink(dir.resolve("link"), Path.of("a"));
    Files.writeString(dir.resolve("file"), "1");
    try (P9Tree tree = gofer.client.newTree()) {
      List<byte[]> names = names("none", "a", "file", "link", "empty");
      assertEquals(4, gofer.client.readdirs(rw, names, tree));
      assertEquals(List.of("top a: b file", "0 b: c", "1 c: file", "top empty: "), lists(tree));
      assertEquals(0, gofer.client.check(tree.entries));
      // Whoever does not read a list to its end gets the next one all the same.
      gofer.client.readdirs(rw, names, tree);
      assertTrue(tree.next());
      assertTrue(tree.next());
      assertEquals("b", text(tree.entries, tree.nameOffset, tree.nameLength));
      assertErrno(Errno.ENOTDIR, gofer.client.readdirs(find("file"), names("x"), tree));
      assertErrno(Errno.EINVAL, gofer.client.readdirs(rw, names(".."), tree));
      assertErrno(Errno.EINVAL, gofer.client.readdirs(rw, names("a/b"), tree));
      String[] many = new String[P9.READDIRS_MAX + 1];
      Arrays.fill(many, "a");
      assertErrno(Errno.EINVAL, gofer.client.readdirs(rw, names(many), tree));
    }
  }

  @Test
  void shouldListOnlyWhatHasRoomAsAWhole() throws Exception {
    for (String d : new String[] {"small", "large/sub", "small2"}) {
      Files.createDirectories(dir.resolve(d));
    }
    for (int i = 0; i < 2000; i++) {
      Files.createFile(dir.resolve("large/file" + i));
    }
    for (int i = 0; i < 40; i++) {
      Files.createDirectories(dir.resolve("deep" + "/d".repeat(i)));
    }
    try (P9Tree tree = gofer.client.newTree()) {
      assertEquals(1, gofer.client.readdirs(rw, names("small", "large", "small2"), tree));
      assertEquals(List.of("top small: "), lists(tree));
      long n = gofer.client.readdirs(rw, names("deep", "small2"), tree);
      assertTrue(n > 10 && n < 40, () -> "as deep as " + n);
      assertEquals("top small2: ", lists(tree).getLast());
    }
  }

  @Test
  void shouldContinueADirectoryFromAnyCookie() throws Exception {
    for (int i = 0; i < 20; i++) {
      Files.createFile(dir.resolve("f" + i));
    }
    try (P9Dir out = gofer.client.newDir()) {
      assertEquals(22, gofer.client.readdir(rw, 0, false, out));
      assertTrue(out.isEnd());
      long cookie = 0;
      for (int i = 0; i < 10; i++) {
        assertTrue(out.next());
        cookie = out.offset;
      }
      assertEquals(12, gofer.client.readdir(rw, cookie, false, out));
    }
  }

  @Test
  void shouldRefuseEveryChangeOfReadOnlyAttach() throws Exception {
    Files.writeString(dir.resolve("f"), "x");
    int ro = gofer.ro();
    assertEquals(1, walk(ro, "f", Fcntl.O_RDWR));
    assertErrno(Errno.EROFS, -walk.openError);
    assertEquals(-1, walk.hostFd);
    int f = walk.fids[0];
    var c = gofer.client;
    assertErrno(Errno.EROFS, c.openFd(f, Fcntl.O_WRONLY));
    assertErrno(Errno.EROFS, c.openFd(f, Fcntl.O_TRUNC));
    assertErrno(Errno.EROFS, c.create(ro, bytes("n"), 0, 0644, 0, 0, walk));
    assertErrno(Errno.EROFS, c.mkdir(ro, bytes("n"), 0755, 0, 0, attr));
    assertErrno(Errno.EROFS, c.symlink(ro, bytes("n"), bytes("t"), 0, 0, attr));
    assertErrno(Errno.EROFS, c.mknod(ro, bytes("n"), Stat.S_IFIFO, 0, 0, 0, 0, attr));
    assertErrno(Errno.EROFS, c.link(ro, f, bytes("n")));
    assertErrno(Errno.EROFS, c.rename(ro, bytes("f"), ro, bytes("n"), 0));
    assertErrno(Errno.EXDEV, c.rename(ro, bytes("f"), rw, bytes("n"), 0));
    assertErrno(Errno.EXDEV, c.link(rw, f, bytes("n")));
    assertErrno(Errno.EROFS, c.unlink(ro, bytes("f"), 0));
    assertErrno(Errno.EROFS, c.setattr(f, P9.SETATTR_MODE, 0, 0, 0, 0, 0, 0, 0, 0, attr));
    assertErrno(Errno.EROFS, c.setxattr(f, bytes("user.a"), bytes("b"), 1, 0));
    assertErrno(Errno.EROFS, c.removexattr(f, bytes("user.a")));
    long fd = c.openFd(f, Fcntl.O_RDONLY);
    assertEquals("x", read((int) fd));
    FileSystemCalls.close((int) fd);
    assertArrayEquals(new String[] {"f"}, dir.toFile().list());
  }

  @Test
  void shouldRefuseNamesThatAreNotNames() {
    for (String bad : new String[] {".", "..", "a/b", "/", "a\0b"}) {
      assertErrno(Errno.EINVAL, gofer.client.mkdir(rw, bytes(bad), 0755, 0, 0, attr));
      assertErrno(Errno.EINVAL, gofer.client.unlink(rw, bytes(bad), 0x200));
    }
    assertErrno(Errno.ENOENT, gofer.client.mkdir(rw, new byte[0], 0755, 0, 0, attr));
    assertErrno(
        Errno.ENAMETOOLONG, gofer.client.mkdir(rw, bytes("x".repeat(256)), 0755, 0, 0, attr));
    assertTrue(gofer.client.mkdir(rw, bytes("x".repeat(255)), 0755, 0, 0, attr) >= 0);
    assertTrue(gofer.client.mkdir(rw, bytes("..."), 0755, 0, 0, attr) >= 0);
    assertTrue(gofer.client.mkdir(rw, bytes("12345678"), 0755, 0, 0, attr) >= 0);
    assertErrno(Errno.EINVAL, gofer.client.mkdir(rw, bytes("12345678/"), 0755, 0, 0, attr));
    assertErrno(Errno.EINVAL, walk(rw, "a/../b", -1));
  }

  @Test
  void shouldKeepExtendedAttributes() throws Exception {
    Files.createFile(dir.resolve("f"));
    int f = find("f");
    var c = gofer.client;
    byte[] name = bytes("user.colour");
    byte[] value = new byte[300];
    value[299] = 7;
    assertEquals(0, c.setxattr(f, name, value, 300, 0));
    assertErrno(Errno.EEXIST, c.setxattr(f, name, value, 300, 1));
    assertEquals(300, c.getxattr(f, name, new byte[0]));
    byte[] got = new byte[400];
    assertEquals(300, c.getxattr(f, name, got));
    assertEquals(7, got[299]);
    assertErrno(Errno.ERANGE, c.getxattr(f, name, new byte[10]));
    byte[] list = new byte[100];
    assertEquals(12, c.listxattr(f, list));
    assertEquals("user.colour\0", new String(list, 0, 12, StandardCharsets.UTF_8));
    assertEquals(12, c.listxattr(f, new byte[0]));
    assertEquals(0, c.removexattr(f, name));
    assertErrno(Errno.ENODATA, c.getxattr(f, name, got));
  }

  @Test
  void shouldTellStatfsAndSync() throws Exception {
    var fs = new P9StatFs();
    assertEquals(0, gofer.client.statfs(rw, fs));
    assertTrue(fs.blocks > 0 && fs.bsize > 0);
    assertEquals(255, fs.namelen);
    Files.createFile(dir.resolve("f"));
    assertEquals(0, gofer.client.fsync(find("f"), false));
    assertEquals(0, gofer.client.fsync(rw, true));
  }

  @Test
  void shouldAttachFileAndRefuseUnknownName() throws Exception {
    assertErrno(Errno.ENOENT, gofer.client.attach(bytes("nope"), attr));
    assertEquals(0, gofer.client.getattr(rw, attr));
    assertEquals(Files.getAttribute(dir, "unix:ino", LinkOption.NOFOLLOW_LINKS), attr.ino);
  }

  @Test
  void shouldServeAFileAsAttachPoint() {
    int file = gofer.attach("file");
    assertEquals(0, gofer.client.getattr(file, attr));
    assertTrue(attr.isRegular());
    int fd = (int) gofer.client.openFd(file, Fcntl.O_RDWR);
    assertEquals("attached", read(fd));
    FileSystemCalls.close(fd);
    assertEquals(0, walk(file, "x", -1));
    assertErrno(Errno.ENOTDIR, -walk.error);
    assertErrno(Errno.ENOTDIR, gofer.client.mkdir(file, bytes("x"), 0755, 0, 0, attr));
  }

  @Test
  void shouldGiveFidsBackInBatches() throws Exception {
    Files.createFile(dir.resolve("f"));
    int before = gofer.server.fids.count();
    for (int i = 0; i < 1000; i++) {
      gofer.client.clunk(find("f"));
    }
    gofer.client.flushClunks();
    assertEquals(before, gofer.server.fids.count());
    assertEquals(before, gofer.client.fidCount());
    int f = find("f");
    assertEquals(0, gofer.client.clunkNow(f));
    assertErrno(Errno.EBADF, gofer.client.getattr(f, attr));
  }

  @Test
  void shouldServeLanesUpToALimit() {
    try (RawSentry raw = new RawSentry(gofer.clientSocket.number())) {
      assertEquals(Errno.EINVAL, raw.call(P9.TLANE, b -> b.put32(-1)));
      assertEquals(Errno.EINVAL, raw.call(P9.TLANE, b -> b.put32(1 << 20)));
      int made = 0;
      int e;
      while ((e = raw.call(P9.TLANE, b -> b.put32(1000))) == 0 && made < 100) {
        made++;
      }
      assertEquals(Errno.ENOSPC, e);
      assertTrue(made > 0 && made <= 64);
    }
    gofer.disconnects = 0;
  }
}
