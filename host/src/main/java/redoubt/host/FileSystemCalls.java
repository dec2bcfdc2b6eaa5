package redoubt.host;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Nr;

/**
 * System calls on files, relative to directory descriptors. Every result is the kernel's: 0 or
 * more, or {@code -errno}. Names are host addresses of NUL-terminated strings in memory that the
 * caller owns, so that a hot path needs no copy and no object.
 *
 * <p>Newer calls that an older host lacks answer {@code -ENOSYS}; the caller chooses the fallback.
 */
public final class FileSystemCalls {
  /** Linux 6.13; {@link Nr} ends before them. */
  public static final int NR_SETXATTRAT = 463;

  public static final int NR_GETXATTRAT = 464;
  public static final int NR_LISTXATTRAT = 465;
  public static final int NR_REMOVEXATTRAT = 466;

  /** Bytes of {@code struct open_how}: flags, mode, resolve, eight bytes each. */
  public static final long OPEN_HOW_BYTES = 24;

  /** Bytes of {@code struct statx}. */
  public static final long STATX_BYTES = 256;

  /** STATX_BASIC_STATS | STATX_BTIME. */
  public static final int STATX_WANTED = 0xfff;

  /** Bytes of {@code struct statfs}. */
  public static final long STATFS_BYTES = 120;

  /** Bytes of {@code struct xattr_args}: value, size, flags. */
  public static final long XATTR_ARGS_BYTES = 16;

  private FileSystemCalls() {}

  /** openat(2). */
  public static long openat(int dirFd, long nameHaddr, int flags, int mode) {
    return RawSyscall.syscall(Nr.OPENAT, dirFd, nameHaddr, flags, mode);
  }

  /**
   * openat2(2) with flags, mode and resolve written into {@code how}, which has {@link
   * #OPEN_HOW_BYTES} bytes.
   */
  public static long openat2(
      int dirFd, long nameHaddr, int flags, int mode, long resolve, Region how) {
    how.putLong(0, flags & 0xffffffffL);
    how.putLong(8, mode & 07777L);
    how.putLong(16, resolve);
    return RawSyscall.syscall(Nr.OPENAT2, dirFd, nameHaddr, how.address(), OPEN_HOW_BYTES);
  }

  /** statx(2) of a name below a directory, or of the descriptor with AT_EMPTY_PATH. */
  public static long statx(int fd, long nameHaddr, int flags, int mask, Region statx) {
    return RawSyscall.syscall(Nr.STATX, fd, nameHaddr, flags, mask, statx.address());
  }

  /** fstat(2) into 144 bytes. */
  public static long fstat(int fd, MemorySegment stat) {
    return RawSyscall.syscall(Nr.FSTAT, fd, stat.address());
  }

  /** fstatfs(2). */
  public static long fstatfs(int fd, Region statfs) {
    return RawSyscall.syscall(Nr.FSTATFS, fd, statfs.address());
  }

  /** getdents64(2). */
  public static long getdents64(int fd, Region buffer, long bytes) {
    return RawSyscall.syscall(Nr.GETDENTS64, fd, buffer.address(), bytes);
  }

  /** lseek(2) to an absolute position. */
  public static long seek(int fd, long offset) {
    return RawSyscall.syscall(Nr.LSEEK, fd, offset, 0);
  }

  /** readlinkat(2). */
  public static long readlinkat(int fd, long nameHaddr, long bufferHaddr, long bytes) {
    return RawSyscall.syscall(Nr.READLINKAT, fd, nameHaddr, bufferHaddr, bytes);
  }

  /** mkdirat(2). */
  public static long mkdirat(int dirFd, long nameHaddr, int mode) {
    return RawSyscall.syscall(Nr.MKDIRAT, dirFd, nameHaddr, mode);
  }

  /** mknodat(2); {@code dev} in the kernel's 32-bit encoding. */
  public static long mknodat(int dirFd, long nameHaddr, int mode, int dev) {
    return RawSyscall.syscall(Nr.MKNODAT, dirFd, nameHaddr, mode, dev & 0xffffffffL);
  }

  /** symlinkat(2). */
  public static long symlinkat(long targetHaddr, int dirFd, long nameHaddr) {
    return RawSyscall.syscall(Nr.SYMLINKAT, targetHaddr, dirFd, nameHaddr);
  }

  /** linkat(2). */
  public static long linkat(int oldDir, long oldName, int newDir, long newName, int flags) {
    return RawSyscall.syscall(Nr.LINKAT, oldDir, oldName, newDir, newName, flags);
  }

  /** unlinkat(2). */
  public static long unlinkat(int dirFd, long nameHaddr, int flags) {
    return RawSyscall.syscall(Nr.UNLINKAT, dirFd, nameHaddr, flags);
  }

  /** renameat2(2). */
  public static long renameat2(int oldDir, long oldName, int newDir, long newName, int flags) {
    return RawSyscall.syscall(Nr.RENAMEAT2, oldDir, oldName, newDir, newName, flags);
  }

  /** fchownat(2); -1 leaves an id alone. */
  public static long fchownat(int fd, long nameHaddr, int uid, int gid, int flags) {
    return RawSyscall.syscall(
        Nr.FCHOWNAT, fd, nameHaddr, uid & 0xffffffffL, gid & 0xffffffffL, flags);
  }

  /** fchmodat2(2), Linux 6.6. */
  public static long fchmodat2(int fd, long nameHaddr, int mode, int flags) {
    return RawSyscall.syscall(Nr.FCHMODAT2, fd, nameHaddr, mode, flags);
  }

  /** fchmodat(2), which follows a symlink. */
  public static long fchmodat(int dirFd, long nameHaddr, int mode) {
    return RawSyscall.syscall(Nr.FCHMODAT, dirFd, nameHaddr, mode);
  }

  /** utimensat(2) with two timespecs at {@code times}. */
  public static long utimensat(int fd, long nameHaddr, Region times, int flags) {
    return RawSyscall.syscall(Nr.UTIMENSAT, fd, nameHaddr, times.address(), flags);
  }

  /** ftruncate(2). */
  public static long ftruncate(int fd, long size) {
    return RawSyscall.syscall(Nr.FTRUNCATE, fd, size);
  }

  /** fsync(2), or fdatasync(2). */
  public static long fsync(int fd, boolean dataOnly) {
    return RawSyscall.syscall(dataOnly ? Nr.FDATASYNC : Nr.FSYNC, fd);
  }

  /** pread64(2). */
  public static long pread(int fd, long bufferHaddr, long bytes, long offset) {
    return RawSyscall.syscall(Nr.PREAD64, fd, bufferHaddr, bytes, offset);
  }

  /** pwrite64(2). */
  public static long pwrite(int fd, long bufferHaddr, long bytes, long offset) {
    return RawSyscall.syscall(Nr.PWRITE64, fd, bufferHaddr, bytes, offset);
  }

  /** close(2). */
  public static long close(int fd) {
    return RawSyscall.syscall(Nr.CLOSE, fd);
  }

  /**
   * getxattrat(2), following {@code path}; {@code args} has {@link #XATTR_ARGS_BYTES}. With
   * AT_EMPTY_PATH the kernel would refuse an O_PATH descriptor, as fgetxattr(2) does.
   */
  public static long getxattrat(
      int dirFd, long pathHaddr, long nameHaddr, long valueHaddr, int size, Region args) {
    fillXattrArgs(args, valueHaddr, size, 0);
    return RawSyscall.syscall(
        NR_GETXATTRAT, dirFd, pathHaddr, 0, nameHaddr, args.address(), XATTR_ARGS_BYTES);
  }

  /** setxattrat(2), following {@code path}. */
  public static long setxattrat(
      int dirFd,
      long pathHaddr,
      long nameHaddr,
      long valueHaddr,
      int size,
      int flags,
      Region args) {
    fillXattrArgs(args, valueHaddr, size, flags);
    return RawSyscall.syscall(
        NR_SETXATTRAT, dirFd, pathHaddr, 0, nameHaddr, args.address(), XATTR_ARGS_BYTES);
  }

  /** listxattrat(2), following {@code path}. */
  public static long listxattrat(int dirFd, long pathHaddr, long listHaddr, long bytes) {
    return RawSyscall.syscall(NR_LISTXATTRAT, dirFd, pathHaddr, 0, listHaddr, bytes);
  }

  /** removexattrat(2), following {@code path}. */
  public static long removexattrat(int dirFd, long pathHaddr, long nameHaddr) {
    return RawSyscall.syscall(NR_REMOVEXATTRAT, dirFd, pathHaddr, 0, nameHaddr);
  }

  /** fgetxattr(2), for hosts without getxattrat. */
  public static long fgetxattr(int fd, long nameHaddr, long valueHaddr, long bytes) {
    return RawSyscall.syscall(Nr.FGETXATTR, fd, nameHaddr, valueHaddr, bytes);
  }

  /** fsetxattr(2). */
  public static long fsetxattr(int fd, long nameHaddr, long valueHaddr, long bytes, int flags) {
    return RawSyscall.syscall(Nr.FSETXATTR, fd, nameHaddr, valueHaddr, bytes, flags);
  }

  /** flistxattr(2). */
  public static long flistxattr(int fd, long listHaddr, long bytes) {
    return RawSyscall.syscall(Nr.FLISTXATTR, fd, listHaddr, bytes);
  }

  /** fremovexattr(2). */
  public static long fremovexattr(int fd, long nameHaddr) {
    return RawSyscall.syscall(Nr.FREMOVEXATTR, fd, nameHaddr);
  }

  private static void fillXattrArgs(Region args, long valueHaddr, int size, int flags) {
    args.putLong(0, valueHaddr);
    args.putInt(8, size);
    args.putInt(12, flags);
  }
}
