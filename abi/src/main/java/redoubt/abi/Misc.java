package redoubt.abi;

/**
 * Small families: getrandom(2), syslog(2), reboot(2), landlock(7), userfaultfd(2), fanotify(7),
 * keyctl(2), aio, io_uring.
 */
public final class Misc {
  public static final int GRND_NONBLOCK = 1;
  public static final int GRND_RANDOM = 2;
  public static final int GRND_INSECURE = 4;

  // syslog(2) actions.
  public static final int SYSLOG_ACTION_CLOSE = 0;
  public static final int SYSLOG_ACTION_OPEN = 1;
  public static final int SYSLOG_ACTION_READ = 2;
  public static final int SYSLOG_ACTION_READ_ALL = 3;
  public static final int SYSLOG_ACTION_READ_CLEAR = 4;
  public static final int SYSLOG_ACTION_CLEAR = 5;
  public static final int SYSLOG_ACTION_CONSOLE_OFF = 6;
  public static final int SYSLOG_ACTION_CONSOLE_ON = 7;
  public static final int SYSLOG_ACTION_CONSOLE_LEVEL = 8;
  public static final int SYSLOG_ACTION_SIZE_UNREAD = 9;
  public static final int SYSLOG_ACTION_SIZE_BUFFER = 10;

  // reboot(2).
  public static final int LINUX_REBOOT_CMD_CAD_OFF = 0;
  public static final int LINUX_REBOOT_CMD_RESTART = 0x1234567;
  public static final int LINUX_REBOOT_MAGIC2A = 0x5121996;
  public static final int LINUX_REBOOT_MAGIC2B = 0x16041998;
  public static final int LINUX_REBOOT_MAGIC2C = 0x20112000;
  public static final int LINUX_REBOOT_MAGIC2 = 0x28121969;
  public static final int LINUX_REBOOT_CMD_POWER_OFF = 0x4321fedc;
  public static final int LINUX_REBOOT_CMD_KEXEC = 0x45584543;
  public static final int LINUX_REBOOT_CMD_CAD_ON = 0x89abcdef;
  public static final int LINUX_REBOOT_CMD_RESTART2 = 0xa1b2c3d4;
  public static final int LINUX_REBOOT_CMD_HALT = 0xcdef0123;
  public static final int LINUX_REBOOT_CMD_SW_SUSPEND = 0xd000fce2;
  public static final int LINUX_REBOOT_MAGIC1 = 0xfee1dead;

  // Landlock.
  public static final int LANDLOCK_CREATE_RULESET_VERSION = 1;
  public static final int LANDLOCK_RULE_PATH_BENEATH = 1;
  public static final int LANDLOCK_ACCESS_FS_EXECUTE = 1;
  public static final int LANDLOCK_ACCESS_FS_WRITE_FILE = 2;
  public static final int LANDLOCK_ACCESS_FS_READ_FILE = 4;
  public static final int LANDLOCK_ACCESS_FS_READ_DIR = 8;
  public static final int LANDLOCK_ACCESS_FS_REMOVE_DIR = 0x10;
  public static final int LANDLOCK_ACCESS_FS_REMOVE_FILE = 0x20;
  public static final int LANDLOCK_ACCESS_FS_MAKE_CHAR = 0x40;
  public static final int LANDLOCK_ACCESS_FS_MAKE_DIR = 0x80;
  public static final int LANDLOCK_ACCESS_FS_MAKE_REG = 0x100;
  public static final int LANDLOCK_ACCESS_FS_MAKE_SOCK = 0x200;
  public static final int LANDLOCK_ACCESS_FS_MAKE_FIFO = 0x400;
  public static final int LANDLOCK_ACCESS_FS_MAKE_BLOCK = 0x800;
  public static final int LANDLOCK_ACCESS_FS_MAKE_SYM = 0x1000;
  public static final int LANDLOCK_ACCESS_FS_REFER = 0x2000;
  public static final int LANDLOCK_RULESET_ATTR_HANDLED_ACCESS_FS = 0;
  public static final int SIZEOF_LANDLOCK_RULESET_ATTR = 8;
  public static final int LANDLOCK_PATH_BENEATH_ATTR_ALLOWED_ACCESS = 0;
  public static final int LANDLOCK_PATH_BENEATH_ATTR_PARENT_FD = 8;
  public static final int SIZEOF_LANDLOCK_PATH_BENEATH_ATTR = 12;
  public static final int LANDLOCK_ACCESS_FS_TRUNCATE = 0x4000;
  public static final int LANDLOCK_ACCESS_FS_IOCTL_DEV = 0x8000;
  public static final int LANDLOCK_ACCESS_NET_BIND_TCP = 1;
  public static final int LANDLOCK_ACCESS_NET_CONNECT_TCP = 2;
  public static final int LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET = 1;
  public static final int LANDLOCK_SCOPE_SIGNAL = 2;

  // Linux AIO.
  public static final int IOCB_CMD_PREAD = 0;
  public static final int IOCB_CMD_PWRITE = 1;
  public static final int IOCB_CMD_FSYNC = 2;
  public static final int IOCB_CMD_FDSYNC = 3;
  public static final int IOCB_CMD_POLL = 5;
  public static final int IOCB_CMD_NOOP = 6;
  public static final int IOCB_CMD_PREADV = 7;
  public static final int IOCB_CMD_PWRITEV = 8;
  public static final int IOCB_FLAG_RESFD = 1;
  public static final int IOCB_FLAG_IOPRIO = 2;
  public static final int IOCB_AIO_DATA = 0;
  public static final int IOCB_AIO_KEY = 8;
  public static final int IOCB_AIO_RW_FLAGS = 12;
  public static final int IOCB_AIO_LIO_OPCODE = 16;
  public static final int IOCB_AIO_REQPRIO = 18;
  public static final int IOCB_AIO_FILDES = 20;
  public static final int IOCB_AIO_BUF = 24;
  public static final int IOCB_AIO_NBYTES = 32;
  public static final int IOCB_AIO_OFFSET = 40;
  public static final int IOCB_AIO_FLAGS = 56;
  public static final int IOCB_AIO_RESFD = 60;
  public static final int SIZEOF_IOCB = 64;
  public static final int IO_EVENT_DATA = 0;
  public static final int IO_EVENT_OBJ = 8;
  public static final int IO_EVENT_RES = 16;
  public static final int IO_EVENT_RES2 = 24;
  public static final int SIZEOF_IO_EVENT = 32;

  // Keys.
  public static final int KEYCTL_GET_KEYRING_ID = 0;
  public static final int KEYCTL_JOIN_SESSION_KEYRING = 1;
  public static final int KEY_SPEC_THREAD_KEYRING = -1;
  public static final int KEY_SPEC_PROCESS_KEYRING = -2;
  public static final int KEY_SPEC_SESSION_KEYRING = -3;
  public static final int KEY_SPEC_USER_KEYRING = -4;
  public static final int KEY_SPEC_USER_SESSION_KEYRING = -5;

  private Misc() {}
}
