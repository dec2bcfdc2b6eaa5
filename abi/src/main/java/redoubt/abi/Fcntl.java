package redoubt.abi;

/**
 * Files as open(2), fcntl(2), lseek(2), fallocate(2), rename(2), splice(2) and their kin name them:
 * {@code linux/fcntl.h}, {@code linux/openat2.h}, {@code linux/fs.h}.
 */
public final class Fcntl {
  // open(2) flags. O_LARGEFILE is the kernel's value: glibc on x86-64 defines 0.
  public static final int O_RDONLY = 0;
  public static final int O_WRONLY = 01;
  public static final int O_RDWR = 02;
  public static final int O_ACCMODE = 03;
  public static final int O_CREAT = 0100;
  public static final int O_EXCL = 0200;
  public static final int O_NOCTTY = 0400;
  public static final int O_TRUNC = 01000;
  public static final int O_APPEND = 02000;
  public static final int O_NDELAY = 04000;
  public static final int O_NONBLOCK = 04000;
  public static final int O_DSYNC = 010000;
  public static final int O_DIRECT = 040000;
  public static final int O_LARGEFILE = 0100000;
  public static final int O_DIRECTORY = 0200000;
  public static final int O_NOFOLLOW = 0400000;
  public static final int O_NOATIME = 01000000;
  public static final int O_CLOEXEC = 02000000;
  public static final int O_SYNC = 04010000;
  public static final int O_PATH = 010000000;
  public static final int O_TMPFILE = 020200000;

  // fcntl(2) commands.
  public static final int F_DUPFD = 0;
  public static final int F_GETFD = 1;
  public static final int F_SETFD = 2;
  public static final int F_GETFL = 3;
  public static final int F_SETFL = 4;
  public static final int F_GETLK = 5;
  public static final int F_SETLK = 6;
  public static final int F_SETLKW = 7;
  public static final int F_SETOWN = 8;
  public static final int F_GETOWN = 9;
  public static final int F_SETSIG = 10;
  public static final int F_GETSIG = 11;
  public static final int F_SETOWN_EX = 15;
  public static final int F_GETOWN_EX = 16;
  public static final int F_GETOWNER_UIDS = 17;
  public static final int F_OFD_GETLK = 36;
  public static final int F_OFD_SETLK = 37;
  public static final int F_OFD_SETLKW = 38;
  public static final int F_SETLEASE = 1024;
  public static final int F_GETLEASE = 1025;
  public static final int F_CANCELLK = 1029;
  public static final int F_DUPFD_CLOEXEC = 1030;
  public static final int F_NOTIFY = 1026;
  public static final int F_SETPIPE_SZ = 1031;
  public static final int F_GETPIPE_SZ = 1032;
  public static final int F_ADD_SEALS = 1033;
  public static final int F_GET_SEALS = 1034;
  public static final int F_GET_RW_HINT = 1035;
  public static final int F_SET_RW_HINT = 1036;
  public static final int F_GET_FILE_RW_HINT = 1037;
  public static final int F_SET_FILE_RW_HINT = 1038;
  public static final int F_DUPFD_QUERY = 1027;
  public static final int F_CREATED_QUERY = 1028;

  // Locks, owners and leases.
  public static final int FD_CLOEXEC = 1;
  public static final int F_RDLCK = 0;
  public static final int F_WRLCK = 1;
  public static final int F_UNLCK = 2;
  public static final int F_EXLCK = 4;
  public static final int F_SHLCK = 8;
  public static final int F_OWNER_TID = 0;
  public static final int F_OWNER_PID = 1;
  public static final int F_OWNER_PGRP = 2;
  public static final int LOCK_SH = 1;
  public static final int LOCK_EX = 2;
  public static final int LOCK_NB = 4;
  public static final int LOCK_UN = 8;
  public static final int LOCK_MAND = 32;
  public static final int LOCK_READ = 64;
  public static final int LOCK_WRITE = 128;
  public static final int LOCK_RW = 192;
  public static final int FLOCK_L_TYPE = 0;
  public static final int FLOCK_L_WHENCE = 2;
  public static final int FLOCK_L_START = 8;
  public static final int FLOCK_L_LEN = 16;
  public static final int FLOCK_L_PID = 24;
  public static final int SIZEOF_FLOCK = 32;
  public static final int F_OWNER_EX_TYPE = 0;
  public static final int F_OWNER_EX_PID = 4;
  public static final int SIZEOF_F_OWNER_EX = 8;

  // Seals of a memfd.
  public static final int F_SEAL_SEAL = 1;
  public static final int F_SEAL_SHRINK = 2;
  public static final int F_SEAL_GROW = 4;
  public static final int F_SEAL_WRITE = 8;
  public static final int F_SEAL_FUTURE_WRITE = 0x10;

  // Write life-time hints.
  public static final int RWH_WRITE_LIFE_NOT_SET = 0;
  public static final int RWH_WRITE_LIFE_NONE = 1;
  public static final int RWH_WRITE_LIFE_SHORT = 2;
  public static final int RWH_WRITE_LIFE_MEDIUM = 3;
  public static final int RWH_WRITE_LIFE_LONG = 4;
  public static final int RWH_WRITE_LIFE_EXTREME = 5;
  public static final int RWF_WRITE_LIFE_NOT_SET = 0;

  // dnotify.
  public static final int DN_ACCESS = 1;
  public static final int DN_MODIFY = 2;
  public static final int DN_CREATE = 4;
  public static final int DN_DELETE = 8;
  public static final int DN_RENAME = 0x10;
  public static final int DN_ATTRIB = 0x20;
  public static final int DN_MULTISHOT = 0x80000000;

  // The *at calls.
  public static final int AT_FDCWD = -100;
  public static final int AT_STATX_SYNC_AS_STAT = 0;
  public static final int AT_SYMLINK_NOFOLLOW = 0x100;
  public static final int AT_EACCESS = 0x200;
  public static final int AT_REMOVEDIR = 0x200;
  public static final int AT_SYMLINK_FOLLOW = 0x400;
  public static final int AT_NO_AUTOMOUNT = 0x800;
  public static final int AT_EMPTY_PATH = 0x1000;
  public static final int AT_STATX_FORCE_SYNC = 0x2000;
  public static final int AT_STATX_DONT_SYNC = 0x4000;
  public static final int AT_STATX_SYNC_TYPE = 0x6000;
  public static final int AT_RECURSIVE = 0x8000;
  public static final int AT_HANDLE_FID = 0x200;

  // openat2(2).
  public static final int RESOLVE_NO_XDEV = 1;
  public static final int RESOLVE_NO_MAGICLINKS = 2;
  public static final int RESOLVE_NO_SYMLINKS = 4;
  public static final int RESOLVE_BENEATH = 8;
  public static final int RESOLVE_IN_ROOT = 0x10;
  public static final int RESOLVE_CACHED = 0x20;
  public static final int OPEN_HOW_FLAGS = 0;
  public static final int OPEN_HOW_MODE = 8;
  public static final int OPEN_HOW_RESOLVE = 16;
  public static final int SIZEOF_OPEN_HOW = 24;

  // fallocate(2), posix_fadvise(2), close_range(2).
  public static final int FALLOC_FL_KEEP_SIZE = 1;
  public static final int FALLOC_FL_PUNCH_HOLE = 2;
  public static final int FALLOC_FL_NO_HIDE_STALE = 4;
  public static final int FALLOC_FL_COLLAPSE_RANGE = 8;
  public static final int FALLOC_FL_ZERO_RANGE = 0x10;
  public static final int FALLOC_FL_INSERT_RANGE = 0x20;
  public static final int FALLOC_FL_UNSHARE_RANGE = 0x40;
  public static final int POSIX_FADV_NORMAL = 0;
  public static final int POSIX_FADV_RANDOM = 1;
  public static final int POSIX_FADV_SEQUENTIAL = 2;
  public static final int POSIX_FADV_WILLNEED = 3;
  public static final int POSIX_FADV_DONTNEED = 4;
  public static final int POSIX_FADV_NOREUSE = 5;
  public static final int CLOSE_RANGE_UNSHARE = 2;
  public static final int CLOSE_RANGE_CLOEXEC = 4;

  // lseek(2), renameat2(2), preadv2(2), sync_file_range(2).
  public static final int SEEK_SET = 0;
  public static final int SEEK_CUR = 1;
  public static final int SEEK_END = 2;
  public static final int SEEK_DATA = 3;
  public static final int SEEK_HOLE = 4;
  public static final int RENAME_NOREPLACE = 1;
  public static final int RENAME_EXCHANGE = 2;
  public static final int RENAME_WHITEOUT = 4;
  public static final int RWF_HIPRI = 1;
  public static final int RWF_DSYNC = 2;
  public static final int RWF_SYNC = 4;
  public static final int RWF_NOWAIT = 8;
  public static final int RWF_APPEND = 0x10;
  public static final int RWF_SUPPORTED = 0x1f;
  public static final int RWF_NOAPPEND = 0x20;
  public static final int RWF_ATOMIC = 0x40;
  public static final int SYNC_FILE_RANGE_WAIT_BEFORE = 1;
  public static final int SYNC_FILE_RANGE_WRITE = 2;
  public static final int SYNC_FILE_RANGE_WAIT_AFTER = 4;
  public static final int SYNC_FILE_RANGE_WRITE_AND_WAIT = 7;

  // Inode flags of FS_IOC_GETFLAGS.
  public static final int FS_SECRM_FL = 1;
  public static final int FS_UNRM_FL = 2;
  public static final int FS_COMPR_FL = 4;
  public static final int FS_SYNC_FL = 8;
  public static final int FS_IMMUTABLE_FL = 0x10;
  public static final int FS_APPEND_FL = 0x20;
  public static final int FS_NODUMP_FL = 0x40;
  public static final int FS_NOATIME_FL = 0x80;
  public static final int FS_DIRTY_FL = 0x100;
  public static final int FS_COMPRBLK_FL = 0x200;
  public static final int FS_NOCOMP_FL = 0x400;
  public static final int FS_ENCRYPT_FL = 0x800;
  public static final int FS_BTREE_FL = 0x1000;
  public static final int FS_INDEX_FL = 0x1000;
  public static final int FS_IMAGIC_FL = 0x2000;
  public static final int FS_JOURNAL_DATA_FL = 0x4000;
  public static final int FS_NOTAIL_FL = 0x8000;
  public static final int FS_DIRSYNC_FL = 0x10000;
  public static final int FS_TOPDIR_FL = 0x20000;
  public static final int FS_HUGE_FILE_FL = 0x40000;
  public static final int FS_EXTENT_FL = 0x80000;
  public static final int FS_VERITY_FL = 0x100000;
  public static final int FS_EA_INODE_FL = 0x200000;
  public static final int FS_EOFBLOCKS_FL = 0x400000;
  public static final int FS_NOCOW_FL = 0x800000;
  public static final int FS_DAX_FL = 0x2000000;
  public static final int FS_INLINE_DATA_FL = 0x10000000;
  public static final int FS_PROJINHERIT_FL = 0x20000000;
  public static final int FS_CASEFOLD_FL = 0x40000000;
  public static final int FS_RESERVED_FL = 0x80000000;

  // splice(2), tee(2), vmsplice(2).
  public static final int SPLICE_F_MOVE = 1;
  public static final int SPLICE_F_NONBLOCK = 2;
  public static final int SPLICE_F_MORE = 4;
  public static final int SPLICE_F_GIFT = 8;

  // access(2).
  public static final int F_OK = 0;
  public static final int X_OK = 1;
  public static final int W_OK = 2;
  public static final int R_OK = 4;

  // name_to_handle_at(2): struct file_handle.
  public static final int FILE_HANDLE_HANDLE_BYTES = 0;
  public static final int FILE_HANDLE_HANDLE_TYPE = 4;
  public static final int SIZEOF_FILE_HANDLE = 8;
  public static final int MAX_HANDLE_SZ = 128;

  private Fcntl() {}
}
