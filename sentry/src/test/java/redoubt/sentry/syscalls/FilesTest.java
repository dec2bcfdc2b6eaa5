package redoubt.sentry.syscalls;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static redoubt.abi.Errno.*;
import static redoubt.abi.Fcntl.*;

import org.junit.jupiter.api.Test;
import redoubt.abi.Nr;
import redoubt.abi.Resource;
import redoubt.abi.Signal;
import redoubt.abi.Stat;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.Signals;
import redoubt.sentry.testing.FakeGuest;

class FilesTest {
  private final FakeGuest g = FakeGuest.create();

  private long open(String path, int flags) {
    return g.ok(Nr.OPEN, g.text(path), flags, 0666);
  }

  private void become(int uid) {
    Credentials.Builder b = g.task().creds().toBuilder();
    b.ruid = b.euid = b.suid = b.fsuid = uid;
    b.rgid = b.egid = b.sgid = b.fsgid = uid;
    b.effective = b.permitted = 0;
    g.task().setCreds(b.build());
  }

  @Test
  void shouldReadBackWhatWasWritten() {
    long fd = open("/f", O_CREAT | O_RDWR);
    assertEquals(5, g.ok(Nr.WRITE, fd, g.text("hello"), 5));
    assertEquals(0, g.ok(Nr.LSEEK, fd, 0, SEEK_SET));
    long buf = g.space(16);
    assertEquals(5, g.ok(Nr.READ, fd, buf, 16));
    assertEquals("hello", g.string(buf, 5));
    assertEquals(0, g.ok(Nr.READ, fd, buf, 16));
    assertEquals(3, g.ok(Nr.PREAD64, fd, buf, 16, 2));
    assertEquals("llo", g.string(buf, 3));
    assertEquals(5, g.ok(Nr.LSEEK, fd, 0, SEEK_CUR));
  }

  @Test
  void shouldCheckReadsInLinuxOrder() {
    long fd = open("/f", O_CREAT | O_WRONLY);
    long buf = g.space(16);
    g.fails(EBADF, Nr.READ, 99, buf, 1);
    g.fails(EBADF, Nr.READ, fd, buf, 1);
    g.fails(EINVAL, Nr.PREAD64, 99, buf, 1, -1);
    long path = open("/f", O_PATH);
    g.fails(EBADF, Nr.READ, path, buf, 1);
    long dir = open("/", O_RDONLY);
    g.fails(EISDIR, Nr.READ, dir, buf, 1);
    g.fails(EBADF, Nr.WRITE, dir, buf, 1);
    g.fails(EFAULT, Nr.WRITE, fd, FakeGuest.bad(), 1);
    assertEquals(0, g.ok(Nr.WRITE, fd, buf, 0));
  }

  @Test
  void shouldGatherAndScatterVectors() {
    long fd = open("/f", O_CREAT | O_RDWR);
    long iov = g.longs(g.text("ab"), 2, g.text(""), 0, g.text("cde"), 3);
    assertEquals(5, g.ok(Nr.WRITEV, fd, iov, 3));
    long x = g.space(4);
    long y = g.space(8);
    assertEquals(5, g.ok(Nr.PREADV, fd, g.longs(x, 4, y, 8), 2, 0));
    assertEquals("abcd", g.string(x, 4));
    assertEquals("e", g.string(y, 1));
    g.fails(EINVAL, Nr.READV, fd, iov, 1025);
    g.fails(EINVAL, Nr.READV, fd, g.longs(x, -1), 1);
    g.fails(EFAULT, Nr.READV, fd, FakeGuest.bad(), 1);
    g.fails(EOPNOTSUPP, Nr.PREADV2, fd, g.longs(x, 4), 1, 0, 0, 0x4000);
  }

  @Test
  void shouldAppendAtTheEnd() {
    long fd = open("/f", O_CREAT | O_RDWR);
    g.ok(Nr.WRITE, fd, g.text("12345"), 5);
    long ap = open("/f", O_WRONLY | O_APPEND);
    g.ok(Nr.WRITE, ap, g.text("6"), 1);
    assertEquals(6, g.ok(Nr.LSEEK, ap, 0, SEEK_CUR));
    assertEquals(6, g.ok(Nr.LSEEK, fd, 0, SEEK_END));
  }

  @Test
  void shouldHonourTheFileSizeLimit() {
    long fd = open("/f", O_CREAT | O_RDWR);
    g.task().threadGroup().limits.set(Resource.RLIMIT_FSIZE, 4, 4);
    assertEquals(4, g.ok(Nr.WRITE, fd, g.text("123456"), 6));
    g.fails(EFBIG, Nr.WRITE, fd, g.text("7"), 1);
    assertTrue((Signals.pending(g.task()) >> (Signal.SIGXFSZ - 1) & 1) != 0);
    g.fails(EFBIG, Nr.FTRUNCATE, fd, 5);
    g.ok(Nr.FTRUNCATE, fd, 2);
  }

  @Test
  void shouldSignalAWriteToAPipeWithoutReaders() {
    long fds = g.space(8);
    g.ok(Nr.PIPE2, fds, 0);
    g.ok(Nr.CLOSE, g.getInt(fds));
    g.fails(EPIPE, Nr.WRITE, g.getInt(fds + 4), fds, 1);
    assertTrue((Signals.pending(g.task()) >> (Signal.SIGPIPE - 1) & 1) != 0);
    g.fails(ESPIPE, Nr.PWRITE64, g.getInt(fds + 4), fds, 1, 0);
    g.fails(ESPIPE, Nr.LSEEK, g.getInt(fds + 4), 0, 0);
  }

  @Test
  void shouldBlockUntilAPipeHasData() throws InterruptedException {
    long fds = g.space(8);
    g.ok(Nr.PIPE2, fds, 0);
    FakeGuest writer = g.thread();
    Thread w =
        new Thread(() -> {
          try {
            Thread.sleep(50);
          } catch (InterruptedException e) {
            throw new AssertionError(e);
          }
          writer.ok(Nr.WRITE, writer.getInt(fds + 4), writer.text("late"), 4);
        });
    w.start();
    long buf = g.space(8);
    assertEquals(4, g.ok(Nr.READ, g.getInt(fds), buf, 8));
    assertEquals("late", g.string(buf, 4));
    w.join();
  }

  @Test
  void shouldWriteAllToAPipeThatIsReadSlowly() throws InterruptedException {
    long fds = g.space(8);
    g.ok(Nr.PIPE2, fds, 0);
    FakeGuest reader = g.thread();
    long[] total = new long[1];
    Thread r =
        new Thread(() -> {
          long buf = reader.space(10_000);
          while (total[0] < 200_000) {
            total[0] += reader.ok(Nr.READ, reader.getInt(fds), buf, 10_000);
          }
        });
    r.start();
    assertEquals(200_000, g.ok(Nr.WRITE, g.getInt(fds + 4), g.space(200_000), 200_000));
    r.join();
    assertEquals(200_000, total[0]);
  }

  @Test
  void shouldRejectContradictoryOpenFlags() {
    g.fails(EINVAL, Nr.OPEN, g.text("/d"), O_CREAT | O_DIRECTORY, 0700);
    g.fails(EINVAL, Nr.OPEN, g.text("/"), O_TMPFILE | O_RDONLY, 0700);
    g.fails(ENOENT, Nr.OPEN, g.text(""), O_RDONLY, 0);
    g.fails(ENOENT, Nr.OPEN, g.text("/none"), O_RDONLY, 0);
    g.fails(EFAULT, Nr.OPEN, FakeGuest.bad(), O_RDONLY, 0);
    g.fails(EISDIR, Nr.OPEN, g.text("/"), O_RDWR, 0);
    open("/f", O_CREAT | O_RDWR);
    g.fails(EEXIST, Nr.OPEN, g.text("/f"), O_CREAT | O_EXCL, 0600);
    g.fails(ENOTDIR, Nr.OPEN, g.text("/f"), O_DIRECTORY, 0);
    g.fails(ENOTDIR, Nr.OPEN, g.text("/f/x"), 0, 0);
    long how = g.longs(O_RDONLY, 0, 0);
    g.fails(EINVAL, Nr.OPENAT2, AT_FDCWD, g.text("/f"), how, 23);
    g.ok(Nr.OPENAT2, AT_FDCWD, g.text("/f"), how, 24);
    g.fails(EINVAL, Nr.OPENAT2, AT_FDCWD, g.text("/f"), g.longs(0, 0600, 0), 24);
    g.fails(E2BIG, Nr.OPENAT2, AT_FDCWD, g.text("/f"), g.longs(0, 0, 0, 1), 32);
    g.ok(Nr.OPENAT2, AT_FDCWD, g.text("/f"), g.longs(0, 0, 0, 0), 32);
    g.fails(EXDEV, Nr.OPENAT2, AT_FDCWD, g.text("/f"), g.longs(0, 0, RESOLVE_BENEATH), 24);
  }

  @Test
  void shouldKeepDescriptorsApart() {
    long fd = open("/f", O_CREAT | O_RDWR | O_CLOEXEC);
    assertEquals(FD_CLOEXEC, g.ok(Nr.FCNTL, fd, F_GETFD));
    long copy = g.ok(Nr.DUP, fd);
    assertEquals(0, g.ok(Nr.FCNTL, copy, F_GETFD));
    assertEquals(20, g.ok(Nr.FCNTL, fd, F_DUPFD_CLOEXEC, 20));
    assertEquals(FD_CLOEXEC, g.ok(Nr.FCNTL, 20, F_GETFD));
    assertEquals(7, g.ok(Nr.DUP2, fd, 7));
    assertEquals(7, g.ok(Nr.DUP2, 7, 7));
    g.fails(EBADF, Nr.DUP2, 99, 99);
    g.fails(EINVAL, Nr.DUP3, fd, fd, 0);
    g.fails(EINVAL, Nr.DUP3, fd, 8, O_APPEND);
    g.fails(EBADF, Nr.DUP2, fd, 1 << 20);
    g.fails(EINVAL, Nr.FCNTL, fd, F_DUPFD, 1 << 20);
    assertEquals(O_RDWR | O_LARGEFILE, g.ok(Nr.FCNTL, fd, F_GETFL));
    g.ok(Nr.FCNTL, fd, F_SETFL, O_APPEND | O_WRONLY);
    assertEquals(O_RDWR | O_LARGEFILE | O_APPEND, g.ok(Nr.FCNTL, copy, F_GETFL));
    g.ok(Nr.CLOSE_RANGE, 0, ~0L, CLOSE_RANGE_CLOEXEC);
    assertEquals(FD_CLOEXEC, g.ok(Nr.FCNTL, copy, F_GETFD));
    g.ok(Nr.CLOSE_RANGE, 0, ~0L, 0);
    g.fails(EBADF, Nr.CLOSE, fd);
    g.fails(EINVAL, Nr.CLOSE_RANGE, 3, 2, 0);
    g.task().threadGroup().limits.set(Resource.RLIMIT_NOFILE, 2, 2);
    open("/f", O_RDONLY);
    open("/f", O_RDONLY);
    g.fails(EMFILE, Nr.OPEN, g.text("/f"), O_RDONLY, 0);
  }

  @Test
  void shouldStatByEachWay() {
    long fd = open("/f", O_CREAT | O_RDWR);
    g.ok(Nr.WRITE, fd, g.text("abc"), 3);
    g.ok(Nr.SYMLINK, g.text("/f"), g.text("/l"));
    long st = g.space(Stat.SIZEOF_STAT);
    g.ok(Nr.STAT, g.text("/l"), st);
    assertEquals(3, g.getLong(st + Stat.STAT_ST_SIZE));
    assertEquals(Stat.S_IFREG | 0644, g.getInt(st + Stat.STAT_ST_MODE));
    long ino = g.getLong(st + Stat.STAT_ST_INO);
    g.ok(Nr.LSTAT, g.text("/l"), st);
    assertEquals(Stat.S_IFLNK | 0777, g.getInt(st + Stat.STAT_ST_MODE));
    g.ok(Nr.NEWFSTATAT, fd, g.text(""), st, AT_EMPTY_PATH);
    assertEquals(ino, g.getLong(st + Stat.STAT_ST_INO));
    g.fails(ENOENT, Nr.NEWFSTATAT, fd, g.text(""), st, 0);
    g.fails(EINVAL, Nr.NEWFSTATAT, fd, g.text(""), st, 0x10000);
    g.fails(EFAULT, Nr.FSTAT, fd, FakeGuest.bad());
    long sx = g.space(Stat.SIZEOF_STATX);
    g.ok(Nr.STATX, AT_FDCWD, g.text("/l"), AT_SYMLINK_NOFOLLOW, Stat.STATX_BASIC_STATS, sx);
    assertEquals(2, g.getLong(sx + Stat.STATX_STX_SIZE));
    g.fails(EINVAL, Nr.STATX, AT_FDCWD, g.text("/l"), AT_STATX_SYNC_TYPE, 0, sx);
    long buf = g.space(16);
    assertEquals(2, g.ok(Nr.READLINK, g.text("/l"), buf, 16));
    assertEquals(1, g.ok(Nr.READLINK, g.text("/l"), buf, 1));
    g.fails(EINVAL, Nr.READLINK, g.text("/f"), buf, 16);
    g.fails(EINVAL, Nr.READLINK, g.text("/l"), buf, 0);
  }

  @Test
  void shouldAskAccessWithRealIds() {
    open("/f", O_CREAT | O_RDWR);
    g.ok(Nr.CHMOD, g.text("/f"), 0600);
    g.ok(Nr.ACCESS, g.text("/f"), R_OK | W_OK);
    g.fails(EACCES, Nr.ACCESS, g.text("/f"), X_OK);
    g.fails(EINVAL, Nr.ACCESS, g.text("/f"), 8);
    Credentials.Builder b = g.task().creds().toBuilder();
    b.ruid = 1000;
    b.rgid = 1000;
    g.task().setCreds(b.build());
    g.fails(EACCES, Nr.ACCESS, g.text("/f"), R_OK);
    g.ok(Nr.FACCESSAT2, AT_FDCWD, g.text("/f"), R_OK, AT_EACCESS);
    assertEquals(0, g.task().creds().fsuid);
  }

  @Test
  void shouldListDirectoriesInRecords() {
    open("/a", O_CREAT | O_RDWR);
    g.ok(Nr.MKDIR, g.text("/bb"), 0755);
    long dir = open("/", O_RDONLY | O_DIRECTORY);
    long buf = g.space(1024);
    StringBuilder names = new StringBuilder();
    for (long n; (n = g.ok(Nr.GETDENTS64, dir, buf, 48)) > 0; ) {
      for (long at = 0; at < n; at += g.getShort(buf + at + 16)) {
        names.append(g.getByte(buf + at + 18)).append(g.string(buf + at + 19)).append(' ');
      }
    }
    assertEquals("4. 4.. ", names.substring(0, 7));
    assertTrue(
        names.toString().contains("8a ") && names.toString().contains("4bb "), names::toString);
    g.ok(Nr.LSEEK, dir, 0, SEEK_SET);
    g.fails(EINVAL, Nr.GETDENTS64, dir, buf, 8);
    g.fails(EFAULT, Nr.GETDENTS64, dir, FakeGuest.bad(), 1024);
    g.fails(ENOTDIR, Nr.GETDENTS64, open("/a", O_RDONLY), buf, 1024);
    g.ok(Nr.LSEEK, dir, 0, SEEK_SET);
    long n = g.ok(Nr.GETDENTS, dir, buf, 1024);
    int first = g.getShort(buf + 16);
    assertTrue(n > first);
    assertEquals(4, g.getByte(buf + first - 1));
  }

  @Test
  void shouldMoveThroughDirectories() {
    g.ok(Nr.MKDIR, g.text("/d"), 0755);
    g.ok(Nr.MKDIR, g.text("/d/e"), 0755);
    g.ok(Nr.CHDIR, g.text("/d/e"));
    long buf = g.space(64);
    assertEquals(5, g.ok(Nr.GETCWD, buf, 64));
    assertEquals("/d/e", g.string(buf));
    g.fails(ERANGE, Nr.GETCWD, buf, 4);
    g.ok(Nr.CHDIR, g.text(".."));
    g.ok(Nr.RMDIR, g.text("e"));
    g.ok(Nr.GETCWD, buf, 64);
    assertEquals("/d", g.string(buf));
    g.ok(Nr.RMDIR, g.text("/d"));
    g.fails(ENOENT, Nr.GETCWD, buf, 64);
    g.ok(Nr.CHDIR, g.text("/"));
    g.ok(Nr.MKDIR, g.text("/jail"), 0755);
    g.ok(Nr.CHROOT, g.text("/jail"));
    g.ok(Nr.CHDIR, g.text("/"));
    g.ok(Nr.CHDIR, g.text(".."));
    g.fails(ENOENT, Nr.CHDIR, g.text("/jail"));
    become(1000);
    g.fails(EPERM, Nr.CHROOT, g.text("/"));
  }

  @Test
  void shouldRenameLinkAndRemove() {
    open("/a", O_CREAT | O_RDWR);
    open("/b", O_CREAT | O_RDWR);
    g.ok(Nr.LINK, g.text("/a"), g.text("/c"));
    long st = g.space(Stat.SIZEOF_STAT);
    g.ok(Nr.STAT, g.text("/c"), st);
    assertEquals(2, g.getLong(st + Stat.STAT_ST_NLINK));
    g.fails(EEXIST, Nr.LINK, g.text("/a"), g.text("/b"));
    g.fails(EEXIST, Nr.RENAMEAT2, AT_FDCWD, g.text("/a"), AT_FDCWD, g.text("/b"), RENAME_NOREPLACE);
    g.ok(Nr.RENAMEAT2, AT_FDCWD, g.text("/a"), AT_FDCWD, g.text("/b"), RENAME_EXCHANGE);
    g.fails(
        EINVAL,
        Nr.RENAMEAT2,
        AT_FDCWD,
        g.text("/a"),
        AT_FDCWD,
        g.text("/b"),
        RENAME_EXCHANGE | RENAME_NOREPLACE);
    g.ok(Nr.RENAME, g.text("/b"), g.text("/d"));
    g.fails(ENOENT, Nr.UNLINK, g.text("/b"));
    g.ok(Nr.UNLINKAT, AT_FDCWD, g.text("/d"), 0);
    g.ok(Nr.MKDIR, g.text("/dir"), 0700);
    g.fails(EISDIR, Nr.UNLINK, g.text("/dir"));
    g.fails(EPERM, Nr.LINK, g.text("/dir"), g.text("/dir2"));
    g.fails(EINVAL, Nr.RENAME, g.text("/dir"), g.text("/dir/sub"));
    g.ok(Nr.UNLINKAT, AT_FDCWD, g.text("/dir"), AT_REMOVEDIR);
    g.fails(EINVAL, Nr.UNLINKAT, AT_FDCWD, g.text("/dir"), 1);
  }

  @Test
  void shouldGuardModesAndOwners() {
    open("/f", O_CREAT | O_RDWR);
    g.ok(Nr.CHMOD, g.text("/f"), 06755);
    g.ok(Nr.CHOWN, g.text("/f"), 1000, 2000);
    long st = g.space(Stat.SIZEOF_STAT);
    g.ok(Nr.STAT, g.text("/f"), st);
    assertEquals(0755, g.getInt(st + Stat.STAT_ST_MODE) & 07777, "chown takes the set-id bits");
    become(1000);
    g.fails(EPERM, Nr.CHOWN, g.text("/f"), 1001, -1);
    g.fails(EPERM, Nr.CHOWN, g.text("/f"), -1, 3000);
    g.ok(Nr.CHOWN, g.text("/f"), 1000, 1000);
    g.ok(Nr.CHMOD, g.text("/f"), 02755);
    g.ok(Nr.STAT, g.text("/f"), st);
    assertEquals(02755, g.getInt(st + Stat.STAT_ST_MODE) & 07777);
    long fd = open("/f", O_RDWR);
    g.ok(Nr.WRITE, fd, g.text("x"), 1);
    g.ok(Nr.STAT, g.text("/f"), st);
    assertEquals(0755, g.getInt(st + Stat.STAT_ST_MODE) & 07777, "a write takes them, too");
    become(1002);
    g.fails(EPERM, Nr.CHMOD, g.text("/f"), 0777);
    g.fails(EOPNOTSUPP, Nr.FCHMODAT2, AT_FDCWD, link("/tmplink"), 0777, AT_SYMLINK_NOFOLLOW);
  }

  private long link(String path) {
    g.call(Nr.SYMLINK, g.text("/f"), g.text(path));
    return g.text(path);
  }

  @Test
  void shouldSetTimes() {
    open("/f", O_CREAT | O_RDWR);
    g.ok(Nr.UTIMENSAT, AT_FDCWD, g.text("/f"), g.longs(1, 2, 3, 4), 0);
    long st = g.space(Stat.SIZEOF_STAT);
    g.ok(Nr.STAT, g.text("/f"), st);
    assertEquals(1, g.getLong(st + Stat.STAT_ST_ATIME));
    assertEquals(2, g.getLong(st + Stat.STAT_ST_ATIME_NSEC));
    assertEquals(3, g.getLong(st + Stat.STAT_ST_MTIME));
    assertEquals(4, g.getLong(st + Stat.STAT_ST_MTIME_NSEC));
    g.ok(Nr.UTIMENSAT, AT_FDCWD, g.text("/f"), g.longs(0, redoubt.abi.Time.UTIME_OMIT, -5, 6), 0);
    g.ok(Nr.STAT, g.text("/f"), st);
    assertEquals(1, g.getLong(st + Stat.STAT_ST_ATIME));
    assertEquals(-5, g.getLong(st + Stat.STAT_ST_MTIME));
    g.fails(EINVAL, Nr.UTIMENSAT, AT_FDCWD, g.text("/f"), g.longs(0, 1_000_000_000, 0, 0), 0);
    g.fails(EINVAL, Nr.UTIMES, g.text("/f"), g.longs(0, 1_000_000, 0, 0));
    long omit = redoubt.abi.Time.UTIME_OMIT;
    g.ok(Nr.UTIMENSAT, AT_FDCWD, FakeGuest.bad(), g.longs(0, omit, 0, omit), 0);
    become(1000);
    g.fails(EPERM, Nr.UTIMENSAT, AT_FDCWD, g.text("/f"), g.longs(1, 2, 3, 4), 0);
    g.fails(EACCES, Nr.UTIMENSAT, AT_FDCWD, g.text("/f"), 0, 0);
  }

  @Test
  void shouldKeepExtendedAttributesByNamespace() {
    open("/f", O_CREAT | O_RDWR);
    g.ok(Nr.SETXATTR, g.text("/f"), g.text("user.k"), g.text("value"), 5, 0);
    g.ok(Nr.SETXATTR, g.text("/f"), g.text("trusted.t"), g.text("t"), 1, 0);
    g.fails(EEXIST, Nr.SETXATTR, g.text("/f"), g.text("user.k"), g.text("v"), 1, 1);
    g.fails(ENODATA, Nr.SETXATTR, g.text("/f"), g.text("user.z"), g.text("v"), 1, 2);
    g.fails(EINVAL, Nr.SETXATTR, g.text("/f"), g.text("user.z"), g.text("v"), 1, 4);
    g.fails(EOPNOTSUPP, Nr.SETXATTR, g.text("/f"), g.text("what.z"), g.text("v"), 1, 0);
    g.fails(ERANGE, Nr.SETXATTR, g.text("/f"), g.text(""), g.text("v"), 1, 0);
    g.fails(E2BIG, Nr.SETXATTR, g.text("/f"), g.text("user.z"), g.text("v"), 65537, 0);
    long buf = g.space(64);
    assertEquals(5, g.ok(Nr.GETXATTR, g.text("/f"), g.text("user.k"), buf, 64));
    assertEquals("value", g.string(buf, 5));
    assertEquals(5, g.ok(Nr.GETXATTR, g.text("/f"), g.text("user.k"), 0, 0));
    g.fails(ERANGE, Nr.GETXATTR, g.text("/f"), g.text("user.k"), buf, 4);
    g.fails(ENODATA, Nr.GETXATTR, g.text("/f"), g.text("user.none"), buf, 4);
    assertEquals(17, g.ok(Nr.LISTXATTR, g.text("/f"), buf, 64));
    g.ok(Nr.REMOVEXATTR, g.text("/f"), g.text("user.k"));
    g.fails(ENODATA, Nr.REMOVEXATTR, g.text("/f"), g.text("user.k"));
    become(1000);
    g.fails(ENODATA, Nr.GETXATTR, g.text("/f"), g.text("trusted.t"), buf, 64);
    assertEquals(0, g.ok(Nr.LISTXATTR, g.text("/f"), buf, 64));
  }

  @Test
  void shouldNameAnAbsentCallOnceInTheLog() {
    int before = g.kernel().log().since(0).size();
    g.fails(ENOSYS, Nr.QUOTACTL, 0);
    g.fails(ENOSYS, Nr.QUOTACTL, 0);
    g.fails(ENOSYS, 9999);
    var lines = g.kernel().log().since(0);
    assertEquals(before + 2, lines.size());
    assertTrue(lines.get(before).text().contains("no system call quotactl (179)"));
  }

  @Test
  void shouldStayBelowADirectoryWhenAsked() {
    g.ok(Nr.MKDIR, g.text("/d"), 0755);
    open("/secret", O_CREAT | O_RDWR);
    long dir = open("/d", O_PATH);
    long inRoot = g.longs(0, 0, RESOLVE_IN_ROOT);
    g.fails(ENOENT, Nr.OPENAT2, dir, g.text("/secret"), inRoot, 24);
    g.fails(ENOENT, Nr.OPENAT2, dir, g.text("../../secret"), inRoot, 24);
    g.ok(Nr.OPENAT2, dir, g.text("/"), inRoot, 24);
    g.fails(EXDEV, Nr.OPENAT2, dir, g.text("../secret"), g.longs(0, 0, RESOLVE_BENEATH), 24);
  }

  @Test
  void shouldFreeATmpfsWithItsLastMount() {
    var types = new redoubt.sentry.fs.FileSystems();
    g.kernel().register(redoubt.sentry.fs.FileSystems.class, types);
    types.register(
        "tmpfs",
        (c, source, options) ->
            new redoubt.sentry.fs.tmpfs.TmpFs(
                g.kernel().memoryFile(),
                g.kernel().platform(),
                new redoubt.sentry.fs.tmpfs.TmpFsOptions()));
    long before = g.kernel().memoryFile().allocatedBytes();
    g.ok(Nr.MKDIR, g.text("/m"), 0755);
    g.ok(Nr.MOUNT, g.text("x"), g.text("/m"), g.text("tmpfs"), 0, 0);
    g.ok(Nr.MKDIR, g.text("/m/d"), 0755);
    long fd = open("/m/d/f", O_CREAT | O_RDWR);
    g.ok(Nr.WRITE, fd, g.space(100_000), 100_000);
    g.fails(EBUSY, Nr.UMOUNT2, g.text("/m"), 0);
    g.ok(Nr.UMOUNT2, g.text("/m"), redoubt.abi.Mount.MNT_DETACH);
    assertEquals(100, g.ok(Nr.PREAD64, fd, g.space(100), 100, 0));
    assertTrue(g.kernel().memoryFile().allocatedBytes() >= before + 100_000);
    g.ok(Nr.CLOSE, fd);
    assertEquals(before, g.kernel().memoryFile().allocatedBytes());
  }
}
