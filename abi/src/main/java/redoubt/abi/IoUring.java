package redoubt.abi;

/** io_uring(7). */
public final class IoUring {
  // io_uring_setup
  public static final int IORING_SETUP_CQSIZE = 1 << 3;
  public static final int IORING_SETUP_CLAMP = 1 << 4;
  public static final int IORING_SETUP_R_DISABLED = 1 << 6;
  public static final int IORING_SETUP_SUBMIT_ALL = 1 << 7;
  public static final int IORING_SETUP_COOP_TASKRUN = 1 << 8;
  public static final int IORING_SETUP_TASKRUN_FLAG = 1 << 9;
  public static final int IORING_SETUP_SINGLE_ISSUER = 1 << 12;
  public static final int IORING_SETUP_DEFER_TASKRUN = 1 << 13;
  public static final int IORING_FEAT_SINGLE_MMAP = 1;
  public static final int IORING_FEAT_NODROP = 1 << 1;
  public static final int IORING_FEAT_SUBMIT_STABLE = 1 << 2;
  public static final int IORING_FEAT_RW_CUR_POS = 1 << 3;
  public static final int IORING_FEAT_FAST_POLL = 1 << 5;
  public static final int IORING_FEAT_POLL_32BITS = 1 << 6;
  public static final int IORING_FEAT_EXT_ARG = 1 << 8;
  public static final int IORING_FEAT_CQE_SKIP = 1 << 11;
  public static final int IO_URING_PARAMS_SQ_ENTRIES = 0;
  public static final int IO_URING_PARAMS_CQ_ENTRIES = 4;
  public static final int IO_URING_PARAMS_FLAGS = 8;
  public static final int IO_URING_PARAMS_FEATURES = 20;
  public static final int IO_URING_PARAMS_RESV = 28;
  public static final int IO_URING_PARAMS_SQ_OFF = 40;
  public static final int IO_URING_PARAMS_CQ_OFF = 80;
  public static final int SIZEOF_IO_URING_PARAMS = 120;
  public static final long IORING_OFF_SQ_RING = 0;
  public static final long IORING_OFF_CQ_RING = 0x8000000;
  public static final long IORING_OFF_SQES = 0x10000000;

  // the submission entry
  public static final int SQE_OPCODE = 0;
  public static final int SQE_FLAGS = 1;
  public static final int SQE_IOPRIO = 2;
  public static final int SQE_FD = 4;
  public static final int SQE_OFF = 8;
  public static final int SQE_ADDR = 16;
  public static final int SQE_LEN = 24;
  public static final int SQE_OP_FLAGS = 28;
  public static final int SQE_USER_DATA = 32;
  public static final int SQE_BUF_INDEX = 40;
  public static final int SQE_PERSONALITY = 42;
  public static final int SQE_SPLICE_FD_IN = 44;
  public static final int SIZEOF_SQE = 64;
  public static final int SIZEOF_CQE = 16;
  public static final int IOSQE_FIXED_FILE = 1;
  public static final int IOSQE_IO_DRAIN = 1 << 1;
  public static final int IOSQE_IO_LINK = 1 << 2;
  public static final int IOSQE_IO_HARDLINK = 1 << 3;
  public static final int IOSQE_ASYNC = 1 << 4;
  public static final int IOSQE_BUFFER_SELECT = 1 << 5;
  public static final int IOSQE_CQE_SKIP_SUCCESS = 1 << 6;

  // operations
  public static final int IORING_OP_NOP = 0;
  public static final int IORING_OP_READV = 1;
  public static final int IORING_OP_WRITEV = 2;
  public static final int IORING_OP_FSYNC = 3;
  public static final int IORING_OP_READ_FIXED = 4;
  public static final int IORING_OP_WRITE_FIXED = 5;
  public static final int IORING_OP_POLL_ADD = 6;
  public static final int IORING_OP_POLL_REMOVE = 7;
  public static final int IORING_OP_SYNC_FILE_RANGE = 8;
  public static final int IORING_OP_SENDMSG = 9;
  public static final int IORING_OP_RECVMSG = 10;
  public static final int IORING_OP_TIMEOUT = 11;
  public static final int IORING_OP_TIMEOUT_REMOVE = 12;
  public static final int IORING_OP_ACCEPT = 13;
  public static final int IORING_OP_ASYNC_CANCEL = 14;
  public static final int IORING_OP_LINK_TIMEOUT = 15;
  public static final int IORING_OP_CONNECT = 16;
  public static final int IORING_OP_FALLOCATE = 17;
  public static final int IORING_OP_OPENAT = 18;
  public static final int IORING_OP_CLOSE = 19;
  public static final int IORING_OP_FILES_UPDATE = 20;
  public static final int IORING_OP_STATX = 21;
  public static final int IORING_OP_READ = 22;
  public static final int IORING_OP_WRITE = 23;
  public static final int IORING_OP_FADVISE = 24;
  public static final int IORING_OP_MADVISE = 25;
  public static final int IORING_OP_SEND = 26;
  public static final int IORING_OP_RECV = 27;
  public static final int IORING_OP_OPENAT2 = 28;
  public static final int IORING_OP_EPOLL_CTL = 29;
  public static final int IORING_OP_SPLICE = 30;
  public static final int IORING_OP_PROVIDE_BUFFERS = 31;
  public static final int IORING_OP_REMOVE_BUFFERS = 32;
  public static final int IORING_OP_TEE = 33;
  public static final int IORING_OP_SHUTDOWN = 34;
  public static final int IORING_OP_RENAMEAT = 35;
  public static final int IORING_OP_UNLINKAT = 36;
  public static final int IORING_OP_MKDIRAT = 37;
  public static final int IORING_OP_SYMLINKAT = 38;
  public static final int IORING_OP_LINKAT = 39;
  public static final int IORING_FSYNC_DATASYNC = 1;
  public static final int IORING_TIMEOUT_ABS = 1;
  public static final int IORING_TIMEOUT_UPDATE = 1 << 1;
  public static final int IORING_TIMEOUT_BOOTTIME = 1 << 2;
  public static final int IORING_TIMEOUT_REALTIME = 1 << 3;
  public static final int IORING_TIMEOUT_ETIME_SUCCESS = 1 << 5;
  public static final int IORING_ASYNC_CANCEL_ALL = 1;
  public static final int IORING_ASYNC_CANCEL_FD = 1 << 1;
  public static final int IORING_ASYNC_CANCEL_ANY = 1 << 2;
  public static final int IORING_CQE_F_BUFFER = 1;
  public static final int IORING_CQE_F_SOCK_NONEMPTY = 1 << 2;
  public static final int IORING_SQ_CQ_OVERFLOW = 1 << 1;

  // io_uring_enter
  public static final int IORING_ENTER_GETEVENTS = 1;
  public static final int IORING_ENTER_SQ_WAKEUP = 1 << 1;
  public static final int IORING_ENTER_SQ_WAIT = 1 << 2;
  public static final int IORING_ENTER_EXT_ARG = 1 << 3;

  // io_uring_register
  public static final int IORING_REGISTER_BUFFERS = 0;
  public static final int IORING_UNREGISTER_BUFFERS = 1;
  public static final int IORING_REGISTER_FILES = 2;
  public static final int IORING_UNREGISTER_FILES = 3;
  public static final int IORING_REGISTER_EVENTFD = 4;
  public static final int IORING_UNREGISTER_EVENTFD = 5;
  public static final int IORING_REGISTER_FILES_UPDATE = 6;
  public static final int IORING_REGISTER_EVENTFD_ASYNC = 7;
  public static final int IORING_REGISTER_PROBE = 8;
  public static final int IORING_REGISTER_RESTRICTIONS = 11;
  public static final int IORING_REGISTER_ENABLE_RINGS = 12;
  public static final int IORING_RESTRICTION_REGISTER_OP = 0;
  public static final int IORING_RESTRICTION_SQE_OP = 1;
  public static final int IORING_RESTRICTION_SQE_FLAGS_ALLOWED = 2;
  public static final int IORING_RESTRICTION_SQE_FLAGS_REQUIRED = 3;
  public static final int IO_URING_OP_SUPPORTED = 1;

  private IoUring() {}
}
