package redoubt.sentry.fs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static redoubt.abi.Errno.*;
import static redoubt.abi.Fcntl.*;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import redoubt.abi.Nr;
import redoubt.abi.Stat;
import redoubt.sentry.fs.gofer.GoferDir;
import redoubt.sentry.fs.gofer.GoferFile;
import redoubt.sentry.fs.gofer.GoferFs;
import redoubt.sentry.platform.MapBatch;
import redoubt.sentry.testing.FakeGuest;
import redoubt.sentry.testing.FakePlatform;
import redoubt.sentry.testing.TestGofer;
import redoubt.sentry.vfs.Inode;

class GoferFsTest {
  private TestGofer gofer;
  private Path dir;

  @BeforeEach
  void setUp() throws IOException {
    gofer = TestGofer.create();
    dir = gofer.directory;
    Files.createDirectories(dir.resolve("a/b/c"));
    Files.writeString(dir.resolve("a/b/c/file"), "hello");
    Files.createLink(dir.resolve("a/other"), dir.resolve("a/b/c/file"));
    Files.createSymbolicLink(dir.resolve("a/link"), Path.of("b/c"));
  }

  @AfterEach
  void tearDown() {
    gofer.close();
  }

  private GoferFs fs(boolean shared) {
    return new GoferFs(gofer.client, new FakePlatform(), "rw", shared);
  }

  private FakeGuest guest(boolean shared) {
    return FakeGuest.create((m, p) -> new GoferFs(gofer.client, p, "rw", shared));
  }

  private static GoferDir dir(GoferFs fs, String... names) {
    GoferDir d = (GoferDir) fs.root();
    for (String n : names) {
      d = (GoferDir) d.lookup(n);
    }
    return d;
  }

  @Test
  void shouldMakeOneInodeOfTwoNames() {
    GoferFs fs = fs(false);
    assertSame(dir(fs, "a", "b", "c").lookup("file"), dir(fs, "a").lookup("other"));
  }

  @Test
  void shouldBelieveWhatItKnowsWhenExclusive() throws Exception {
    FakeGuest g = guest(false);
    long st = g.space(256);
    g.ok(Nr.STAT, g.text("/a/b/c/file"), st);
    g.fails(ENOENT, Nr.STAT, g.text("/a/nothing"), st);
    Files.writeString(dir.resolve("a/b/c/file"), "hello, world");
    Files.writeString(dir.resolve("a/nothing"), "");
    g.ok(Nr.STAT, g.text("/a/b/c/file"), st);
    assertEquals(5, g.getLong(st + Stat.STAT_ST_SIZE));
    g.fails(ENOENT, Nr.STAT, g.text("/a/nothing"), st);
  }

  @Test
  void shouldSeeTheHostsChangesWhenShared() throws Exception {
    FakeGuest g = guest(true);
    long st = g.space(256);
    g.ok(Nr.STAT, g.text("/a/b/c/file"), st);
    g.fails(ENOENT, Nr.STAT, g.text("/a/new"), st);
    Files.writeString(dir.resolve("a/b/c/file"), "hello, world");
    Files.writeString(dir.resolve("a/new"), "1");
    Thread.sleep(5);
    g.ok(Nr.STAT, g.text("/a/b/c/file"), st);
    assertEquals(12, g.getLong(st + Stat.STAT_ST_SIZE));
    g.ok(Nr.STAT, g.text("/a/new"), st);
    Files.delete(dir.resolve("a/new"));
    Files.delete(dir.resolve("a/b/c/file"));
    Files.createDirectory(dir.resolve("a/b/c/file"));
    Thread.sleep(5);
    g.fails(ENOENT, Nr.STAT, g.text("/a/new"), st);
    g.ok(Nr.STAT, g.text("/a/b/c/file"), st);
    assertEquals(Stat.S_IFDIR, g.getInt(st + Stat.STAT_ST_MODE) & Stat.S_IFMT);
  }

  @Test
  void shouldAnswerFromAListWithoutAsking() throws Exception {
    GoferFs fs = fs(false);
    GoferDir a = dir(fs, "a");
    assertEquals(3, a.list().size());
    Files.writeString(dir.resolve("a/later"), "");
    assertNull(a.lookup("later"), "the list is complete");
    Files.delete(dir.resolve("a/other"));
    GoferFile f = (GoferFile) a.lookup("other");
    assertEquals(5, f.size());
    assertEquals(-ESTALE, f.opened(O_RDONLY), "it is not there when it is really needed");
  }

  @Test
  void shouldListAheadForWhoWalksATree() throws Exception {
    for (int i = 0; i < 9; i++) {
      Files.createDirectories(dir.resolve("t/d" + i + "/below/deep"));
      Files.writeString(dir.resolve("t/d" + i + "/file"), "1");
    }
    FakeGuest g = guest(false);
    GoferDir t = dir((GoferFs) g.task().fs().root().dentry.fs, "t");
    DirListing all = t.list();
    List<GoferDir> dirs = new ArrayList<>();
    for (int i = 0; i < all.size(); i++) {
      dirs.add((GoferDir) t.lookup(all.name(i)));
    }
    for (int i = 0; i < 2; i++) {
      assertEquals(2, dirs.get(i).list().size());
    }
    // The third came with the second, the fourth to sixth come with each other.
    Files.writeString(dir.resolve("t/" + all.name(2) + "/below/late"), "");
    Files.writeString(dir.resolve("t/" + all.name(8) + "/late"), "");
    assertEquals(2, dirs.get(2).list().size());
    assertEquals(1, ((GoferDir) dirs.get(2).lookup("below")).list().size());
    assertEquals(2, dirs.get(3).list().size());
    assertEquals(3, dirs.get(8).list().size(), "nobody asked for this one yet");
    // What the guest itself makes is there.
    g.ok(Nr.MKDIR, g.text("/t/" + all.name(4) + "/new"), 0755);
    assertEquals(3, dirs.get(4).list().size());
  }

  @Test
  void shouldListTheSameTreeAhead() throws Exception {
    for (int i = 0; i < 60; i++) {
      Path d = Files.createDirectories(dir.resolve("t/d" + i % 7 + "/e" + i % 11 + "/f" + i));
      for (int j = 0; j < i * 5; j++) {
        Files.writeString(d.resolve("file" + j), "");
      }
    }
    Set<String> seen = new TreeSet<>();
    walk(dir(fs(false), "t"), "t", seen);
    try (Stream<Path> host = Files.walk(dir.resolve("t"))) {
      assertEquals(
          host.map(p -> dir.relativize(p).toString())
              .collect(Collectors.toCollection(TreeSet::new)),
          seen);
    }
  }

  private static void walk(GoferDir d, String path, Set<String> seen) {
    assertTrue(seen.add(path));
    DirListing l = d.list();
    for (int i = 0; i < l.size(); i++) {
      Inode child = d.lookup(l.name(i));
      if (child instanceof GoferDir below) {
        walk(below, path + "/" + l.name(i), seen);
      } else {
        assertTrue(seen.add(path + "/" + l.name(i)));
      }
    }
  }

  @Test
  void shouldReadAndWriteFilesWithoutAName() {
    for (boolean shared : new boolean[] {false, true}) {
      FakeGuest g = guest(shared);
      long fd = g.ok(Nr.OPEN, g.text("/f"), O_CREAT | O_RDWR, 0644);
      g.ok(Nr.WRITE, fd, g.text("hello"), 5);
      g.ok(Nr.UNLINK, g.text("/f"));
      long buf = g.space(256);
      assertEquals(5, g.ok(Nr.PREAD64, fd, buf, 10, 0));
      g.ok(Nr.FSTAT, fd, buf);
      assertEquals(0, g.getLong(buf + Stat.STAT_ST_NLINK));
      g.ok(Nr.FCHMOD, fd, 0600);
      g.ok(Nr.FSTAT, fd, buf);
      assertEquals(0600, g.getInt(buf + Stat.STAT_ST_MODE) & 07777);
      g.ok(Nr.CLOSE, fd);
      g.fails(ENOENT, Nr.STAT, g.text("/f"), buf);
    }
  }

  @Test
  void shouldFollowLinksInPaths() {
    FakeGuest g = guest(false);
    long fd = g.ok(Nr.OPEN, g.text("/a/link/file"), O_RDONLY, 0);
    long buf = g.space(64);
    assertEquals(5, g.ok(Nr.READ, fd, buf, 64));
    assertEquals("hello", g.string(buf, 5));
    assertEquals(3, g.ok(Nr.READLINK, g.text("/a/link"), buf, 64));
  }

  @Test
  void shouldHoldFewFidsAndDescriptors() throws Exception {
    for (int i = 0; i < 1000; i++) {
      Files.writeString(dir.resolve("f" + i), "x");
    }
    FakeGuest g = guest(false);
    long st = g.space(256);
    long path = g.space(64);
    long dirFd = g.ok(Nr.OPEN, g.text("/"), O_RDONLY, 0);
    long buf = g.space(32768);
    while (g.ok(Nr.GETDENTS64, dirFd, buf, 32768) > 0) {
      // all names
    }
    int before = gofer.client.fidCount();
    long open = openDescriptors();
    for (int i = 0; i < 1000; i++) {
      redoubt.sentry.kernel.Latin1.writeZ(g.memory(path, 64), 0, "/f" + i);
      g.ok(Nr.STAT, path, st);
    }
    assertEquals(before, gofer.client.fidCount(), "attributes came with the list");
    for (int i = 0; i < 1000; i++) {
      redoubt.sentry.kernel.Latin1.writeZ(g.memory(path, 64), 0, "/f" + i);
      g.ok(Nr.CLOSE, g.ok(Nr.OPEN, path, O_RDONLY, 0));
    }
    assertTrue(openDescriptors() - open <= 140, "idle descriptors are closed");
  }

  private static long openDescriptors() throws IOException {
    try (var s = Files.list(Path.of("/proc/self/fd"))) {
      return s.count();
    }
  }

  @Test
  void shouldImportAFileOnce() {
    GoferFs fs = fs(false);
    GoferFile f = (GoferFile) dir(fs, "a").lookup("other");
    assertEquals(0, f.opened(O_RDONLY));
    MapBatch batch = new MapBatch();
    assertEquals(0, f.map(batch, 0x100000, 0, 4096, 1, false));
    assertEquals(0, f.map(batch, 0x200000, 0, 4096, 5, false));
    assertEquals(batch.get(0, 5), batch.get(1, 5));
    assertEquals(0, f.opened(O_RDWR));
    assertEquals(0, f.map(batch, 0x300000, 0, 4096, 3, true));
    assertTrue(
        batch.get(2, 5) != batch.get(0, 5), "shared and writable: of the writable descriptor");
    assertEquals(-EFAULT, f.fault(batch, 0x101000, 4096, 4096, 1, false));
    f.closed(O_RDWR);
    f.closed(O_RDONLY);
  }

  @Test
  void shouldTellNewFilesFromOldOnes() throws Exception {
    GoferFs fs = fs(true);
    var old = dir(fs, "a").lookup("other");
    Files.delete(dir.resolve("a/other"));
    Files.writeString(dir.resolve("a/other"), "new");
    assertNotSame(old, dir(fs, "a").lookup("other"));
  }

  @Test
  void shouldCreateWithTheMakersIds() throws Exception {
    FakeGuest g = guest(false);
    var c = g.task().creds().toBuilder();
    c.fsuid = 1234;
    c.fsgid = 567;
    g.task().setCreds(c.build());
    g.ok(Nr.MKDIR, g.text("/mine"), 0755);
    g.ok(Nr.CLOSE, g.ok(Nr.OPEN, g.text("/mine/f"), O_CREAT | O_WRONLY, 0640));
    assertEquals(1234, Files.getAttribute(dir.resolve("mine"), "unix:uid"));
    assertEquals(567, Files.getAttribute(dir.resolve("mine/f"), "unix:gid"));
    assertEquals(0640, (int) Files.getAttribute(dir.resolve("mine/f"), "unix:mode") & 07777);
  }

  @Test
  void shouldRefuseChangesOfReadOnlyAttachPoints() {
    FakeGuest g = FakeGuest.create((m, p) -> new GoferFs(gofer.client, p, "ro", false));
    g.fails(EROFS, Nr.MKDIR, g.text("/x"), 0755);
    g.fails(EROFS, Nr.UNLINK, g.text("/a/other"));
    g.fails(EROFS, Nr.OPEN, g.text("/a/other"), O_RDWR, 0);
    g.fails(EROFS, Nr.CHMOD, g.text("/a/other"), 0600);
    g.ok(Nr.OPEN, g.text("/a/other"), O_RDONLY, 0);
  }

  @Test
  void shouldFailWithEioWhenTheGoferIsGone() {
    FakeGuest g = guest(false);
    long st = g.space(256);
    g.ok(Nr.STAT, g.text("/a"), st);
    gofer.client.close();
    g.fails(EIO, Nr.STAT, g.text("/a/b/c/file"), st);
    g.ok(Nr.STAT, g.text("/a"), st);
  }
}
