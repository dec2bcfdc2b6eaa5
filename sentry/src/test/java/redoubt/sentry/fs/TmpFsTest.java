package redoubt.sentry.fs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static redoubt.abi.Errno.*;
import static redoubt.abi.Fcntl.*;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import redoubt.abi.Nr;
import redoubt.abi.Stat;
import redoubt.host.Memory;
import redoubt.sentry.fs.tmpfs.TmpDir;
import redoubt.sentry.fs.tmpfs.TmpFile;
import redoubt.sentry.fs.tmpfs.TmpFs;
import redoubt.sentry.fs.tmpfs.TmpFsOptions;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.mm.Mappable;
import redoubt.sentry.mm.MemoryFile;
import redoubt.sentry.platform.MapBatch;
import redoubt.sentry.testing.FakeGuest;
import redoubt.sentry.testing.FakePlatform;
import redoubt.sentry.vfs.StatData;
import redoubt.sentry.vfs.StatfsData;

class TmpFsTest {
  private static final Credentials ROOT = Credentials.root();
  private static final int PROT_RW = 3;

  private final MemoryFile memory = MemoryFile.create("test");
  private final FakePlatform platform = new FakePlatform();

  private TmpFs fs(String options) {
    return new TmpFs(memory, platform, TmpFsOptions.parse(options, 1 << 30));
  }

  private static long write(TmpFile f, long offset, long length) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment s = arena.allocate(length);
      s.fill((byte) 'x');
      return f.storeAt(s.address(), offset, length);
    }
  }

  private static void assertErrno(int errno, Runnable r) {
    assertEquals(errno, assertThrows(ErrnoException.class, r::run).errno());
  }

  @Test
  void shouldStopAtTheSizeLimit() {
    TmpFs fs = fs("size=16k");
    TmpFile f = fs.root().create("f", 0644, ROOT);
    assertEquals(16384, write(f, 0, 20000));
    assertEquals(-ENOSPC, write(f, 16384, 1));
    assertEquals(5, write(f, 100, 5));
    StatfsData s = new StatfsData();
    fs.statfs(s);
    assertEquals(4, s.blocks);
    assertEquals(0, s.bfree);
    assertEquals(0, f.truncate(0));
    fs.statfs(s);
    assertEquals(4, s.bfree);
    assertEquals(-ENOSPC, f.allocate(0, 0, 20000));
    fs.statfs(s);
    assertEquals(4, s.bfree, "a failed fallocate leaves nothing behind");
  }

  @Test
  void shouldStopAtTheInodeLimit() {
    TmpFs fs = fs("nr_inodes=3");
    fs.root().create("a", 0644, ROOT);
    TmpFile b = fs.root().create("b", 0644, ROOT);
    assertErrno(ENOSPC, () -> fs.root().mkdir("c", 0755, ROOT));
    fs.root().unlink("b", b);
    fs.root().mkdir("c", 0755, ROOT);
  }

  @Test
  void shouldReadMountOptions() {
    TmpFs fs = fs("size=1m,mode=700,uid=5,gid=6");
    assertEquals(Stat.S_IFDIR | 0700, fs.root().mode());
    assertEquals(5, fs.root().uid());
    assertEquals(6, fs.root().gid());
    assertEquals(",size=1024k,mode=700,uid=5,gid=6", fs.showOptions());
    assertErrno(EINVAL, () -> fs("colour=blue"));
    assertErrno(EINVAL, () -> fs("size=12q"));
    assertErrno(EINVAL, () -> fs("mode=9"));
    StatfsData s = new StatfsData();
    fs("size=25%").statfs(s);
    assertEquals((1 << 30) / 4 / 4096, s.blocks);
  }

  @Test
  void shouldGiveMemoryBackWithTheLastUser() {
    TmpFs fs = fs("");
    TmpFile f = fs.root().create("f", 0644, ROOT);
    write(f, 0, 300_000);
    assertEquals(0, f.opened(O_RDONLY));
    f.reference();
    fs.root().unlink("f", f);
    f.closed(O_RDONLY);
    assertTrue(memory.allocatedBytes() >= 300_000, "it is mapped still");
    f.unreference();
    assertEquals(0, memory.allocatedBytes());
    assertEquals(-ENOENT, f.opened(O_RDONLY));
  }

  @Test
  void shouldReuseMemoryOnlyAsZeros() {
    TmpFs fs = fs("");
    for (int i = 0; i < 3000; i++) {
      TmpFile f = fs.root().create("f", 0644, ROOT);
      assertEquals(1, write(f, 100, 1));
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment s = arena.allocate(200);
        var io = new redoubt.sentry.kernel.KernelIo(s, 0, 200);
        assertEquals(101, f.readAt(io, 0));
        for (int j = 0; j < 100; j++) {
          assertEquals(0, s.get(Memory.BYTE, j));
        }
      }
      write(f, 0, 5000);
      fs.root().unlink("f", f);
    }
    assertEquals(0, memory.allocatedBytes());
  }

  @Test
  void shouldMapWhatLiesBelowTheEnd() {
    TmpFile f = fs("").root().create("f", 0644, ROOT);
    write(f, 0, 5000);
    f.truncate(20_000); // a hole from 8192 on
    MapBatch batch = new MapBatch();
    assertEquals(0, f.map(batch, 0x100000, 0, 65536, PROT_RW, true));
    long mapped = 0;
    for (int i = 0; i < batch.size(); i++) {
      assertEquals(MapBatch.MAP_FILE, batch.get(i, 0));
      assertEquals(0x100000 + mapped, batch.get(i, 1));
      mapped += batch.get(i, 2);
    }
    assertEquals(20480, mapped);
    batch.clear();
    assertEquals(-EFAULT, f.fault(batch, 0x105000, 20480, 4096, PROT_RW, true));
    f.truncate(20481);
    assertEquals(0, f.fault(batch, 0x105000, 20480, 8192, PROT_RW, true));
    assertEquals(1, batch.size());
    assertEquals(4096, batch.get(0, 2));
  }

  @Test
  void shouldTellWhoMapsOfPagesThatAreGone() {
    TmpFile f = fs("").root().create("f", 0644, ROOT);
    write(f, 0, 40_000);
    List<String> heard = new ArrayList<>();
    Mappable.MappingObserver o =
        (file, start, end) -> {
          assertEquals(40960, memory.allocatedBytes(), "freed before everybody let go");
          heard.add(start + "-" + end);
        };
    f.addMapping(o);
    f.addMapping(o);
    f.truncate(4097);
    assertEquals(List.of("8192-" + Long.MAX_VALUE), heard);
    assertEquals(8192, memory.allocatedBytes());
    f.removeMapping(o);
    f.removeMapping(o);
    f.truncate(0);
    assertEquals(1, heard.size());
  }

  @Test
  void shouldReportSigbusWhenTheFilesystemIsFull() {
    TmpFs fs = fs("size=8k");
    TmpFile f = fs.root().create("f", 0644, ROOT);
    f.truncate(65536);
    MapBatch batch = new MapBatch();
    assertEquals(0, f.map(batch, 0x100000, 0, 65536, PROT_RW, true));
    assertEquals(8192, batch.get(0, 2));
    batch.clear();
    assertEquals(-EFAULT, f.fault(batch, 0x102000, 8192, 4096, PROT_RW, true));
  }

  @Test
  void shouldHonourSeals() {
    TmpFile f = fs("").newFile(0600, ROOT);
    assertEquals(F_SEAL_SEAL, f.seals());
    assertEquals(-EPERM, f.addSeals(F_SEAL_SHRINK), "only memory files that ask for it");
    f.allowSealing();
    f.opened(O_RDWR);
    write(f, 0, 100);
    assertEquals(0, f.addSeals(F_SEAL_SHRINK | F_SEAL_GROW));
    assertEquals(-EPERM, f.truncate(50));
    assertEquals(-EPERM, f.truncate(150));
    assertEquals(0, f.truncate(100));
    assertEquals(0, f.prepareMap(true));
    f.reference();
    assertEquals(-EBUSY, f.addSeals(F_SEAL_WRITE));
    f.unreference();
    assertEquals(0, f.addSeals(F_SEAL_WRITE | F_SEAL_SEAL));
    assertEquals(-EPERM, f.prepareMap(true));
    assertEquals(-EPERM, f.punch(0, 10));
    assertEquals(-EPERM, f.addSeals(F_SEAL_WRITE));
  }

  @Test
  void shouldInheritTheGroupOfSetgidDirectories() {
    TmpDir d = fs("").root().mkdir("d", 02755, ROOT);
    var a = new redoubt.sentry.vfs.SetAttr();
    a.valid = redoubt.sentry.vfs.SetAttr.GID;
    a.gid = 77;
    d.setattr(a);
    assertEquals(77, d.create("f", 0644, ROOT).gid());
    TmpDir sub = d.mkdir("s", 0755, ROOT);
    assertEquals(77, sub.gid());
    assertEquals(Stat.S_IFDIR | 02755, sub.mode());
    var c = ROOT.toBuilder();
    c.effective = 0;
    c.fsgid = 5;
    assertEquals(0755, d.create("g", 02755, c.build()).mode() & 07777, "not in the group");
  }

  @Test
  void shouldCountLinksOfDirectories() {
    TmpDir root = fs("").root();
    TmpDir a = root.mkdir("a", 0755, ROOT);
    TmpDir b = root.mkdir("b", 0755, ROOT);
    TmpDir c = a.mkdir("c", 0755, ROOT);
    assertEquals(4, root.nlink());
    assertEquals(3, a.nlink());
    a.rename("c", b, "c", 0);
    assertEquals(2, a.nlink());
    assertEquals(3, b.nlink());
    assertEquals(b, c.parent());
    assertErrno(ENOTEMPTY, () -> root.rmdir("b", b));
    b.rmdir("c", c);
    assertErrno(ENOENT, () -> c.create("x", 0644, ROOT));
    assertEquals(0, c.nlink());
  }

  @Test
  void shouldListEachNameOnceWhileOthersComeAndGo() {
    FakeGuest g = FakeGuest.create();
    for (int i = 0; i < 200; i++) {
      g.ok(Nr.CLOSE, g.ok(Nr.OPEN, g.text("/stay" + i), O_CREAT | O_WRONLY, 0644));
      g.ok(Nr.CLOSE, g.ok(Nr.OPEN, g.text("/go" + i), O_CREAT | O_WRONLY, 0644));
    }
    long dir = g.ok(Nr.OPEN, g.text("/"), O_RDONLY, 0);
    long buf = g.space(512);
    TreeSet<String> seen = new TreeSet<>();
    int removed = 0;
    long n;
    while ((n = g.ok(Nr.GETDENTS64, dir, buf, 512)) > 0) {
      for (long at = 0; at < n; at += g.getShort(buf + at + 16)) {
        String name = g.string(buf + at + 19);
        assertTrue(seen.add(name), name + " came twice");
      }
      for (int i = 0; i < 20 && removed < 200; i++) {
        g.ok(Nr.UNLINK, g.text("/go" + removed++));
      }
      g.ok(Nr.CLOSE, g.ok(Nr.OPEN, g.text("/new" + removed), O_CREAT | O_WRONLY, 0644));
      if (removed == 200) {
        g.ok(Nr.UNLINK, g.text("/new" + removed));
      }
    }
    for (int i = 0; i < 200; i++) {
      assertTrue(seen.contains("stay" + i), "stay" + i + " is missing");
    }
    assertTrue(seen.contains(".") && seen.contains(".."));
  }

  @Test
  void shouldNameUnnamedFiles() {
    FakeGuest g = FakeGuest.create();
    long fd = g.ok(Nr.OPEN, g.text("/"), O_TMPFILE | O_RDWR, 0600);
    g.ok(Nr.WRITE, fd, g.text("hi"), 2);
    long st = g.space(256);
    g.ok(Nr.FSTAT, fd, st);
    assertEquals(0, g.getLong(st + Stat.STAT_ST_NLINK));
    g.ok(Nr.LINKAT, fd, g.text(""), AT_FDCWD, g.text("/named"), AT_EMPTY_PATH);
    g.ok(Nr.CLOSE, fd);
    g.ok(Nr.STAT, g.text("/named"), st);
    assertEquals(1, g.getLong(st + Stat.STAT_ST_NLINK));
    assertEquals(2, g.getLong(st + Stat.STAT_ST_SIZE));
  }

  @Test
  void shouldKeepAttributesOfAnyNamespaceItStores() {
    TmpFile f = fs("").root().create("f", 0644, ROOT);
    f.setxattr("user.a", new byte[] {1, 2}, 0);
    assertErrno(EEXIST, () -> f.setxattr("user.a", new byte[1], 1));
    assertErrno(ENODATA, () -> f.setxattr("user.b", new byte[1], 2));
    assertErrno(EOPNOTSUPP, () -> f.setxattr("system.other", new byte[1], 0));
    assertErrno(E2BIG, () -> f.setxattr("user.c", new byte[65537], 0));
    f.setxattr("security.x", new byte[0], 0);
    assertEquals(List.of("security.x", "user.a"), f.listxattr());
    f.removexattr("user.a");
    assertErrno(ENODATA, () -> f.getxattr("user.a"));
  }

  @Test
  void shouldMoveTimesAsLinux() throws Exception {
    TmpDir root = fs("").root();
    TmpFile f = root.create("f", 0644, ROOT);
    StatData before = new StatData();
    StatData after = new StatData();
    f.stat(before);
    Thread.sleep(2);
    var a = new redoubt.sentry.vfs.SetAttr();
    a.valid = redoubt.sentry.vfs.SetAttr.MODE;
    a.mode = 0600;
    f.setattr(a);
    f.stat(after);
    assertEquals(before.mtimeNs, after.mtimeNs);
    assertTrue(after.ctimeNs > before.ctimeNs);
    write(f, 0, 10);
    f.accessed(false);
    f.stat(before);
    assertTrue(before.atimeNs >= after.ctimeNs, "read after a change moves atime");
    Thread.sleep(2);
    f.accessed(false);
    f.stat(after);
    assertEquals(before.atimeNs, after.atimeNs, "relatime");
    assertFalse(before.btimeNs == 0);
  }
}
