package redoubt.abi;

/** epoll(7). */
public final class Epoll {
  public static final int EPOLL_CLOEXEC = 02000000;
  public static final int EPOLL_CTL_ADD = 1;
  public static final int EPOLL_CTL_DEL = 2;
  public static final int EPOLL_CTL_MOD = 3;
  public static final int EPOLLIN = 1;
  public static final int EPOLLPRI = 2;
  public static final int EPOLLOUT = 4;
  public static final int EPOLLERR = 8;
  public static final int EPOLLHUP = 0x10;
  public static final int EPOLLNVAL = 0x20;
  public static final int EPOLLRDNORM = 0x40;
  public static final int EPOLLRDBAND = 0x80;
  public static final int EPOLLWRNORM = 0x100;
  public static final int EPOLLWRBAND = 0x200;
  public static final int EPOLLMSG = 0x400;
  public static final int EPOLLRDHUP = 0x2000;
  public static final int EPOLL_URING_WAKE = 0x8000000;
  public static final int EPOLLEXCLUSIVE = 0x10000000;
  public static final int EPOLLWAKEUP = 0x20000000;
  public static final int EPOLLONESHOT = 0x40000000;
  public static final int EPOLLET = 0x80000000;

  // struct epoll_event is packed: 12 bytes.
  public static final int EPOLL_EVENT_EVENTS = 0;
  public static final int EPOLL_EVENT_DATA = 4;
  public static final int SIZEOF_EPOLL_EVENT = 12;

  private Epoll() {}
}
