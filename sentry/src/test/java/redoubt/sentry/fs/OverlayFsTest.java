package redoubt.sentry.fs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static redoubt.abi.Errno.*;
import static redoubt.abi.Fcntl.*;

import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import redoubt.abi.Nr;
import redoubt.abi.Stat;
import redoubt.sentry.fs.overlay.OverlayFs;
import redoubt.sentry.fs.tmpfs.TmpDir;
import redoubt.sentry.fs.tmpfs.TmpFile;
import redoubt.sentry.fs.tmpfs.TmpFs;
import redoubt.sentry.fs.tmpfs.TmpFsOptions;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.mm.MemoryFile;
import redoubt.sentry.platform.Platform;
import redoubt.sentry.testing.FakeGuest;
import redoubt.sentry.vfs.SetAttr;

/** Over lower directories that are tmpfs themselves, which show whether they were changed. */
class OverlayFsTest {
  private static final Credentials ROOT = Credentials.root();
  private TmpFs lower;
  private TmpFs bottom;
  private TmpFs upper;
  private FakeGuest g;
  private long st;

  @BeforeEach
  void setUp() {
    g = FakeGuest.create(this::makeRoot);
    st = g.space(256);
  }

  private OverlayFs makeRoot(MemoryFile memory, Platform platform) {
    lower = new TmpFs(memory, platform, new TmpFsOptions());
    bottom = new TmpFs(memory, platform, new TmpFsOptions());
    upper = new TmpFs(memory, platform, new TmpFsOptions());
    TmpDir etc = lower.root().mkdir("etc", 0750, ROOT);
    put(etc, "passwd", "root:x:0:0");
    etc.mkdir("apt", 0755, ROOT).mkdir("conf", 0755, ROOT).create("deep", 0644, ROOT);
    etc.symlink("link", "passwd", ROOT);
    TmpDir below = bottom.root().mkdir("etc", 0700, ROOT);
    put(below, "passwd", "hidden by the layer above");
    put(below, "group", "bottom");
    etc.mknod("gone", Stat.S_IFCHR, 0, ROOT);
    put(below, "gone", "whited out");
    TmpDir opaque = lower.root().mkdir("opaque", 0755, ROOT);
    opaque.setxattr("trusted.overlay.opaque", new byte[] {'y'}, 0);
    put(opaque, "seen", "1");
    put(bottom.root().mkdir("opaque", 0755, ROOT), "unseen", "2");
    return new OverlayFs(upper, lower.root(), bottom.root());
  }

  private static void put(TmpDir d, String name, String text) {
    TmpFile f = d.create(name, 0640, ROOT);
    try (var arena = java.lang.foreign.Arena.ofConfined()) {
      var s = arena.allocate(text.length() + 1);
      Latin1.writeZ(s, 0, text);
      f.storeAt(s.address(), 0, text.length());
    }
    SetAttr a = new SetAttr();
    a.valid = SetAttr.MTIME | SetAttr.UID;
    a.mtimeNs = 1_000_000_007L;
    a.uid = 42;
    f.setattr(a);
    f.setxattr("user.tag", new byte[] {7}, 0);
  }

  private TreeSet<String> list(String dir) {
    long fd = g.ok(Nr.OPEN, g.text(dir), O_RDONLY | O_DIRECTORY, 0);
    long buf = g.space(4096);
    TreeSet<String> names = new TreeSet<>();
    long n;
    while ((n = g.ok(Nr.GETDENTS64, fd, buf, 4096)) > 0) {
      for (long at = 0; at < n; at += g.getShort(buf + at + 16)) {
        assertTrue(names.add(g.string(buf + at + 19)));
      }
    }
    g.ok(Nr.CLOSE, fd);
    names.remove(".");
    names.remove("..");
    return names;
  }

  private String read(String path) {
    long fd = g.ok(Nr.OPEN, g.text(path), O_RDONLY, 0);
    long buf = g.space(256);
    long n = g.ok(Nr.READ, fd, buf, 256);
    g.ok(Nr.CLOSE, fd);
    return g.string(buf, n);
  }

  private void append(String path, String text) {
    long fd = g.ok(Nr.OPEN, g.text(path), O_WRONLY | O_APPEND, 0);
    g.ok(Nr.WRITE, fd, g.text(text), text.length());
    g.ok(Nr.CLOSE, fd);
  }

  private long stat(String path, int field) {
    g.ok(Nr.STAT, g.text(path), st);
    return g.getLong(st + field);
  }

  private TmpDir upperEtc() {
    return (TmpDir) upper.root().lookup("etc");
  }

  @Test
  void shouldMergeDirectories() {
    assertEquals("[apt, group, link, passwd]", list("/etc").toString());
    assertEquals("root:x:0:0", read("/etc/passwd"));
    assertEquals("bottom", read("/etc/group"));
    assertEquals("[seen]", list("/opaque").toString());
    g.fails(ENOENT, Nr.STAT, g.text("/etc/gone"), st);
    g.fails(ENOENT, Nr.STAT, g.text("/opaque/unseen"), st);
    assertEquals(0750, stat("/etc", Stat.STAT_ST_MODE) & 07777);
    assertTrue(upper.root().isEmpty());
  }

  @Test
  void shouldCopyUpAtTheFirstWrite() {
    long ino = stat("/etc/passwd", Stat.STAT_ST_INO);
    long dirMtime = stat("/etc", Stat.STAT_ST_MTIME_NSEC);
    long ro = g.ok(Nr.OPEN, g.text("/etc/passwd"), O_RDONLY, 0);
    long rw = g.ok(Nr.OPEN, g.text("/etc/passwd"), O_RDWR, 0);
    assertTrue(upper.root().isEmpty(), "opening copies nothing");
    g.ok(Nr.FSTAT, rw, st);
    g.ok(Nr.PWRITE64, rw, g.text("ROOT"), 4, 0);
    long buf = g.space(64);
    assertEquals(10, g.ok(Nr.PREAD64, ro, buf, 64, 0));
    assertEquals("ROOT:x:0:0", g.string(buf, 10), "an open description sees the new data");
    assertEquals("ROOT:x:0:0", read("/etc/passwd"));
    assertEquals(ino, stat("/etc/passwd", Stat.STAT_ST_INO));
    assertEquals(42, (int) stat("/etc/passwd", Stat.STAT_ST_UID));
    assertEquals(0640, stat("/etc/passwd", Stat.STAT_ST_MODE) & 07777);
    assertEquals(1, g.ok(Nr.GETXATTR, g.text("/etc/passwd"), g.text("user.tag"), buf, 64));
    assertEquals(dirMtime, stat("/etc", Stat.STAT_ST_MTIME_NSEC), "a copy-up is no change");
    assertEquals("[apt, group, link, passwd]", list("/etc").toString());
    g.ok(Nr.CLOSE, ro);
    g.ok(Nr.CLOSE, rw);
  }

  @Test
  void shouldKeepTimesOverAChangeOfMode() {
    g.ok(Nr.CHMOD, g.text("/etc/passwd"), 0600);
    assertEquals(1, stat("/etc/passwd", Stat.STAT_ST_MTIME));
    assertEquals(7, stat("/etc/passwd", Stat.STAT_ST_MTIME_NSEC));
    assertEquals("root:x:0:0", read("/etc/passwd"));
  }

  @Test
  void shouldCopyNothingThatIsTruncated() {
    long fd = g.ok(Nr.OPEN, g.text("/etc/passwd"), O_WRONLY | O_TRUNC, 0);
    assertEquals(0, stat("/etc/passwd", Stat.STAT_ST_SIZE));
    g.ok(Nr.WRITE, fd, g.text("new"), 3);
    g.ok(Nr.CLOSE, fd);
    assertEquals("new", read("/etc/passwd"));
    g.ok(Nr.TRUNCATE, g.text("/etc/group"), 3);
    assertEquals("bot", read("/etc/group"));
  }

  @Test
  void shouldHideWhatIsRemoved() {
    g.ok(Nr.UNLINK, g.text("/etc/passwd"));
    g.fails(ENOENT, Nr.STAT, g.text("/etc/passwd"), st);
    assertEquals("[apt, group, link]", list("/etc").toString());
    g.fails(ENOTEMPTY, Nr.RMDIR, g.text("/etc/apt"));
    g.ok(Nr.CLOSE, g.ok(Nr.OPEN, g.text("/etc/passwd"), O_CREAT | O_EXCL | O_WRONLY, 0644));
    assertEquals("", read("/etc/passwd"));
    g.ok(Nr.UNLINK, g.text("/etc/passwd"));
    g.fails(ENOENT, Nr.STAT, g.text("/etc/passwd"), st);
    g.ok(Nr.UNLINK, g.text("/etc/apt/conf/deep"));
    g.ok(Nr.RMDIR, g.text("/etc/apt/conf"));
    g.ok(Nr.RMDIR, g.text("/etc/apt"));
    g.ok(Nr.MKDIR, g.text("/etc/apt"), 0755);
    assertEquals("[]", list("/etc/apt").toString(), "a new directory shows nothing old");
  }

  @Test
  void shouldRenameLowerDirectories() {
    g.ok(Nr.RENAME, g.text("/etc/apt"), g.text("/apt2"));
    g.fails(ENOENT, Nr.STAT, g.text("/etc/apt"), st);
    assertEquals("[conf]", list("/apt2").toString());
    append("/apt2/conf/deep", "x");
    assertEquals("x", read("/apt2/conf/deep"));
    g.ok(Nr.MKDIR, g.text("/etc/apt"), 0755);
    assertEquals("[]", list("/etc/apt").toString());
    g.ok(Nr.RENAME, g.text("/apt2"), g.text("/etc/apt"));
    assertEquals("x", read("/etc/apt/conf/deep"));
    g.ok(Nr.RENAME, g.text("/etc"), g.text("/etc2"));
    assertEquals("[apt, group, link, passwd]", list("/etc2").toString());
    assertEquals("bottom", read("/etc2/group"));
    assertEquals("x", read("/etc2/apt/conf/deep"));
  }

  @Test
  void shouldExchangeAndReplaceLowerFiles() {
    g.ok(
        Nr.RENAMEAT2,
        AT_FDCWD,
        g.text("/etc/passwd"),
        AT_FDCWD,
        g.text("/etc/group"),
        RENAME_EXCHANGE);
    assertEquals("bottom", read("/etc/passwd"));
    assertEquals("root:x:0:0", read("/etc/group"));
    g.ok(Nr.RENAME, g.text("/etc/passwd"), g.text("/etc/group"));
    assertEquals("bottom", read("/etc/group"));
    assertEquals("[apt, group, link]", list("/etc").toString());
    g.ok(Nr.UNLINK, g.text("/etc/group"));
    assertEquals("[apt, link]", list("/etc").toString());
  }

  @Test
  void shouldLinkLowerFiles() {
    g.ok(Nr.LINK, g.text("/etc/passwd"), g.text("/etc/p2"));
    append("/etc/p2", "!");
    assertEquals("root:x:0:0!", read("/etc/passwd"));
    assertEquals(stat("/etc/p2", Stat.STAT_ST_INO), stat("/etc/passwd", Stat.STAT_ST_INO));
    assertEquals(2, stat("/etc/p2", Stat.STAT_ST_NLINK));
    g.ok(Nr.UNLINK, g.text("/etc/passwd"));
    assertEquals("root:x:0:0!", read("/etc/p2"));
  }

  @Test
  void shouldWriteToAFileWithoutAName() {
    long fd = g.ok(Nr.OPEN, g.text("/etc/passwd"), O_RDWR, 0);
    g.ok(Nr.UNLINK, g.text("/etc/passwd"));
    g.ok(Nr.PWRITE64, fd, g.text("!"), 1, 0);
    long buf = g.space(64);
    assertEquals(10, g.ok(Nr.PREAD64, fd, buf, 64, 0));
    assertEquals("!oot:x:0:0", g.string(buf, 10));
    g.ok(Nr.CLOSE, fd);
    assertEquals("[apt, group, link]", list("/etc").toString());
  }

  @Test
  void shouldShowNothingOfItsOwnMachinery() {
    append("/etc/passwd", "x");
    g.ok(Nr.UNLINK, g.text("/etc/group"));
    long buf = g.space(256);
    g.fails(ENODATA, Nr.GETXATTR, g.text("/opaque"), g.text("trusted.overlay.opaque"), buf, 10);
    assertEquals(0, g.ok(Nr.LISTXATTR, g.text("/opaque"), buf, 256));
    assertFalse(list("/etc").contains("group"));
    assertEquals(OverlayFs.MAGIC, statfsType());
    assertEquals("root:x:0:0", lowerPasswd());
    assertEquals(2, upperEtc().list().size(), "passwd and one whiteout");
  }

  private long statfsType() {
    long buf = g.space(256);
    g.ok(Nr.STATFS, g.text("/"), buf);
    return g.getLong(buf);
  }

  private String lowerPasswd() {
    TmpFile f = (TmpFile) ((TmpDir) lower.root().lookup("etc")).lookup("passwd");
    try (var arena = java.lang.foreign.Arena.ofConfined()) {
      var s = arena.allocate(64);
      long n = f.readAt(new redoubt.sentry.kernel.KernelIo(s, 0, 64), 0);
      return Latin1.string(s, 0, (int) n);
    }
  }

  @Test
  void shouldLeaveAFullUpperAsItWas() {
    TmpFsOptions small = new TmpFsOptions();
    small.sizeBytes = 4096;
    FakeGuest full =
        FakeGuest.create((m, p) -> {
          TmpFs low = new TmpFs(m, p, new TmpFsOptions());
          TmpFile f = low.root().create("big", 0644, ROOT);
          f.truncate(100_000);
          f.allocate(0, 0, 100_000);
          put(low.root(), "small", "s");
          try (var arena = java.lang.foreign.Arena.ofConfined()) {
            f.storeAt(arena.allocate(100_000).address(), 0, 100_000);
          }
          return new OverlayFs(new TmpFs(m, p, small), low.root());
        });
    long fd = full.ok(Nr.OPEN, full.text("/big"), O_RDWR, 0);
    full.fails(ENOSPC, Nr.PWRITE64, fd, full.text("x"), 1, 0);
    full.ok(Nr.FTRUNCATE, fd, 10);
    full.ok(Nr.PWRITE64, fd, full.text("x"), 1, 0);
  }
}
