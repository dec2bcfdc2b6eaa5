package redoubt.abi;

/** fanotify(7); the events up to FAN_MOVE_SELF have inotify's numbers. */
public final class Fanotify {
  // fanotify_init
  public static final int FAN_CLOEXEC = 1;
  public static final int FAN_NONBLOCK = 2;
  public static final int FAN_CLASS_NOTIF = 0;
  public static final int FAN_CLASS_CONTENT = 4;
  public static final int FAN_CLASS_PRE_CONTENT = 8;
  public static final int FAN_UNLIMITED_QUEUE = 0x10;
  public static final int FAN_UNLIMITED_MARKS = 0x20;
  public static final int FAN_ENABLE_AUDIT = 0x40;
  public static final int FAN_REPORT_PIDFD = 0x80;
  public static final int FAN_REPORT_TID = 0x100;
  public static final int FAN_REPORT_FID = 0x200;
  public static final int FAN_REPORT_DIR_FID = 0x400;
  public static final int FAN_REPORT_NAME = 0x800;
  public static final int FAN_REPORT_TARGET_FID = 0x1000;

  // fanotify_mark
  public static final int FAN_MARK_ADD = 1;
  public static final int FAN_MARK_REMOVE = 2;
  public static final int FAN_MARK_DONT_FOLLOW = 4;
  public static final int FAN_MARK_ONLYDIR = 8;
  public static final int FAN_MARK_INODE = 0;
  public static final int FAN_MARK_MOUNT = 0x10;
  public static final int FAN_MARK_IGNORED_MASK = 0x20;
  public static final int FAN_MARK_IGNORED_SURV_MODIFY = 0x40;
  public static final int FAN_MARK_FLUSH = 0x80;
  public static final int FAN_MARK_FILESYSTEM = 0x100;
  public static final int FAN_MARK_EVICTABLE = 0x200;
  public static final int FAN_MARK_IGNORE = 0x400;

  // events
  public static final int FAN_ACCESS = 1;
  public static final int FAN_MODIFY = 2;
  public static final int FAN_ATTRIB = 4;
  public static final int FAN_CLOSE_WRITE = 8;
  public static final int FAN_CLOSE_NOWRITE = 0x10;
  public static final int FAN_OPEN = 0x20;
  public static final int FAN_MOVED_FROM = 0x40;
  public static final int FAN_MOVED_TO = 0x80;
  public static final int FAN_CREATE = 0x100;
  public static final int FAN_DELETE = 0x200;
  public static final int FAN_DELETE_SELF = 0x400;
  public static final int FAN_MOVE_SELF = 0x800;
  public static final int FAN_OPEN_EXEC = 0x1000;
  public static final int FAN_Q_OVERFLOW = 0x4000;
  public static final int FAN_FS_ERROR = 0x8000;
  public static final int FAN_OPEN_PERM = 0x10000;
  public static final int FAN_ACCESS_PERM = 0x20000;
  public static final int FAN_OPEN_EXEC_PERM = 0x40000;
  public static final int FAN_EVENT_ON_CHILD = 0x8000000;
  public static final int FAN_RENAME = 0x10000000;
  public static final int FAN_ONDIR = 0x40000000;

  // what is read and written
  public static final int FANOTIFY_METADATA_VERSION = 3;
  public static final int METADATA_EVENT_LEN = 0;
  public static final int METADATA_VERS = 4;
  public static final int METADATA_METADATA_LEN = 6;
  public static final int METADATA_MASK = 8;
  public static final int METADATA_FD = 16;
  public static final int METADATA_PID = 20;
  public static final int SIZEOF_METADATA = 24;
  public static final int FAN_EVENT_INFO_TYPE_FID = 1;
  public static final int FAN_EVENT_INFO_TYPE_DFID_NAME = 2;
  public static final int FAN_EVENT_INFO_TYPE_DFID = 3;
  public static final int FAN_EVENT_INFO_TYPE_PIDFD = 4;
  public static final int FAN_EVENT_INFO_TYPE_OLD_DFID_NAME = 10;
  public static final int FAN_EVENT_INFO_TYPE_NEW_DFID_NAME = 12;
  public static final int SIZEOF_RESPONSE = 8;
  public static final int FAN_ALLOW = 1;
  public static final int FAN_DENY = 2;
  public static final int FAN_AUDIT = 0x10;
  public static final int FAN_NOFD = -1;
  public static final int FAN_NOPIDFD = -1;
  public static final int FAN_EPIDFD = -2;

  private Fanotify() {}
}
