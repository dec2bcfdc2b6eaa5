package redoubt.abi;

/** Questions about sockets: {@code linux/sock_diag.h}, {@code inet_diag.h}, {@code unix_diag.h}. */
public final class SockDiag {
  public static final int SOCK_DIAG_BY_FAMILY = 20;
  public static final int SIZEOF_SOCK_DIAG_REQ = 2;

  public static final int INET_DIAG_REQ_V2_SDIAG_PROTOCOL = 1;
  public static final int INET_DIAG_REQ_V2_IDIAG_EXT = 2;
  public static final int INET_DIAG_REQ_V2_IDIAG_STATES = 4;
  public static final int INET_DIAG_REQ_V2_ID = 8;
  public static final int SIZEOF_INET_DIAG_REQ_V2 = 56;
  public static final int INET_DIAG_SOCKID_SPORT = 0;
  public static final int INET_DIAG_SOCKID_DPORT = 2;
  public static final int INET_DIAG_SOCKID_SRC = 4;
  public static final int INET_DIAG_SOCKID_DST = 20;
  public static final int INET_DIAG_SOCKID_COOKIE = 40;
  public static final int INET_DIAG_MSG_IDIAG_STATE = 1;
  public static final int INET_DIAG_MSG_ID = 4;
  public static final int INET_DIAG_MSG_IDIAG_RQUEUE = 56;
  public static final int INET_DIAG_MSG_IDIAG_WQUEUE = 60;
  public static final int INET_DIAG_MSG_IDIAG_UID = 64;
  public static final int INET_DIAG_MSG_IDIAG_INODE = 68;
  public static final int SIZEOF_INET_DIAG_MSG = 72;
  public static final int INET_DIAG_MEMINFO = 1;
  public static final int INET_DIAG_INFO = 2;
  public static final int INET_DIAG_CONG = 4;
  public static final int INET_DIAG_SKMEMINFO = 7;
  public static final int INET_DIAG_SHUTDOWN = 8;
  public static final int INET_DIAG_SKV6ONLY = 11;

  public static final int UNIX_DIAG_REQ_UDIAG_STATES = 4;
  public static final int UNIX_DIAG_REQ_UDIAG_INO = 8;
  public static final int UNIX_DIAG_REQ_UDIAG_SHOW = 12;
  public static final int SIZEOF_UNIX_DIAG_REQ = 24;
  public static final int UNIX_DIAG_MSG_UDIAG_TYPE = 1;
  public static final int UNIX_DIAG_MSG_UDIAG_STATE = 2;
  public static final int UNIX_DIAG_MSG_UDIAG_INO = 4;
  public static final int UNIX_DIAG_MSG_UDIAG_COOKIE = 8;
  public static final int SIZEOF_UNIX_DIAG_MSG = 16;
  public static final int UDIAG_SHOW_NAME = 1;
  public static final int UDIAG_SHOW_VFS = 2;
  public static final int UDIAG_SHOW_PEER = 4;
  public static final int UDIAG_SHOW_RQLEN = 16;
  public static final int UDIAG_SHOW_UID = 64;
  public static final int UNIX_DIAG_NAME = 0;
  public static final int UNIX_DIAG_VFS = 1;
  public static final int UNIX_DIAG_PEER = 2;
  public static final int UNIX_DIAG_RQLEN = 4;
  public static final int UNIX_DIAG_SHUTDOWN = 6;
  public static final int UNIX_DIAG_UID = 7;

  private SockDiag() {}
}
