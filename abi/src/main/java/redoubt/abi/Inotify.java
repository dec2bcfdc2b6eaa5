package redoubt.abi;

/** inotify(7). */
public final class Inotify {
  public static final int IN_ACCESS = 1;
  public static final int IN_MODIFY = 2;
  public static final int IN_ATTRIB = 4;
  public static final int IN_CLOSE_WRITE = 8;
  public static final int IN_CLOSE_NOWRITE = 0x10;
  public static final int IN_CLOSE = 0x18;
  public static final int IN_OPEN = 0x20;
  public static final int IN_MOVED_FROM = 0x40;
  public static final int IN_MOVED_TO = 0x80;
  public static final int IN_MOVE = 0xc0;
  public static final int IN_CREATE = 0x100;
  public static final int IN_DELETE = 0x200;
  public static final int IN_DELETE_SELF = 0x400;
  public static final int IN_MOVE_SELF = 0x800;
  public static final int IN_NONBLOCK = 0x800;
  public static final int IN_ALL_EVENTS = 0xfff;
  public static final int IN_UNMOUNT = 0x2000;
  public static final int IN_Q_OVERFLOW = 0x4000;
  public static final int IN_IGNORED = 0x8000;
  public static final int IN_CLOEXEC = 0x80000;
  public static final int IN_ONLYDIR = 0x1000000;
  public static final int IN_DONT_FOLLOW = 0x2000000;
  public static final int IN_EXCL_UNLINK = 0x4000000;
  public static final int IN_MASK_CREATE = 0x10000000;
  public static final int IN_MASK_ADD = 0x20000000;
  public static final int IN_ISDIR = 0x40000000;
  public static final int IN_ONESHOT = 0x80000000;
  public static final int INOTIFY_EVENT_WD = 0;
  public static final int INOTIFY_EVENT_MASK = 4;
  public static final int INOTIFY_EVENT_COOKIE = 8;
  public static final int INOTIFY_EVENT_LEN = 12;
  public static final int SIZEOF_INOTIFY_EVENT = 16;

  private Inotify() {}
}
