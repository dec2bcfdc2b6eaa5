package redoubt.abi;

/** Tasks and their scheduling: clone(2), clone3(2), unshare(2), sched_setattr(2), pidfds. */
public final class Sched {
  // clone(2); CSIGNAL is the mask of the exit signal.
  public static final int CLONE_NEWTIME = 0x80;
  public static final int CLONE_VM = 0x100;
  public static final int CLONE_FS = 0x200;
  public static final int CLONE_FILES = 0x400;
  public static final int CLONE_SIGHAND = 0x800;
  public static final int CLONE_PIDFD = 0x1000;
  public static final int CLONE_PTRACE = 0x2000;
  public static final int CLONE_VFORK = 0x4000;
  public static final int CLONE_PARENT = 0x8000;
  public static final int CLONE_THREAD = 0x10000;
  public static final int CLONE_NEWNS = 0x20000;
  public static final int CLONE_SYSVSEM = 0x40000;
  public static final int CLONE_SETTLS = 0x80000;
  public static final int CLONE_PARENT_SETTID = 0x100000;
  public static final int CLONE_CHILD_CLEARTID = 0x200000;
  public static final int CLONE_DETACHED = 0x400000;
  public static final int CLONE_UNTRACED = 0x800000;
  public static final int CLONE_CHILD_SETTID = 0x1000000;
  public static final int CLONE_NEWCGROUP = 0x2000000;
  public static final int CLONE_NEWUTS = 0x4000000;
  public static final int CLONE_NEWIPC = 0x8000000;
  public static final int CLONE_NEWUSER = 0x10000000;
  public static final int CLONE_NEWPID = 0x20000000;
  public static final int CLONE_NEWNET = 0x40000000;
  public static final int CLONE_IO = 0x80000000;
  public static final long CLONE_CLEAR_SIGHAND = 0x100000000L;
  public static final long CLONE_INTO_CGROUP = 0x200000000L;
  public static final int CSIGNAL = 0xff;

  // clone3(2).
  public static final int CLONE_ARGS_SIZE_VER0 = 64;
  public static final int CLONE_ARGS_SIZE_VER1 = 80;
  public static final int CLONE_ARGS_SIZE_VER2 = 88;
  public static final int CLONE_ARGS_FLAGS = 0;
  public static final int CLONE_ARGS_PIDFD = 8;
  public static final int CLONE_ARGS_CHILD_TID = 16;
  public static final int CLONE_ARGS_PARENT_TID = 24;
  public static final int CLONE_ARGS_EXIT_SIGNAL = 32;
  public static final int CLONE_ARGS_STACK = 40;
  public static final int CLONE_ARGS_STACK_SIZE = 48;
  public static final int CLONE_ARGS_TLS = 56;
  public static final int CLONE_ARGS_SET_TID = 64;
  public static final int CLONE_ARGS_SET_TID_SIZE = 72;
  public static final int CLONE_ARGS_CGROUP = 80;
  public static final int SIZEOF_CLONE_ARGS = 88;

  // Policies.
  public static final int SCHED_NORMAL = 0;
  public static final int SCHED_FIFO = 1;
  public static final int SCHED_RR = 2;
  public static final int SCHED_BATCH = 3;
  public static final int SCHED_IDLE = 5;
  public static final int SCHED_DEADLINE = 6;
  public static final int SCHED_EXT = 7;
  public static final int SCHED_RESET_ON_FORK = 0x40000000;
  public static final int SCHED_FLAG_RESET_ON_FORK = 1;
  public static final int SCHED_FLAG_RECLAIM = 2;
  public static final int SCHED_FLAG_DL_OVERRUN = 4;
  public static final int SCHED_FLAG_KEEP_POLICY = 8;
  public static final int SCHED_FLAG_KEEP_PARAMS = 0x10;
  public static final int SCHED_FLAG_KEEP_ALL = 0x18;
  public static final int SCHED_FLAG_UTIL_CLAMP_MIN = 0x20;
  public static final int SCHED_FLAG_UTIL_CLAMP_MAX = 0x40;
  public static final int SCHED_FLAG_UTIL_CLAMP = 0x60;
  public static final int SCHED_FLAG_ALL = 0x7f;
  public static final int SCHED_ATTR_SIZE = 0;
  public static final int SCHED_ATTR_SCHED_POLICY = 4;
  public static final int SCHED_ATTR_SCHED_FLAGS = 8;
  public static final int SCHED_ATTR_SCHED_NICE = 16;
  public static final int SCHED_ATTR_SCHED_PRIORITY = 20;
  public static final int SCHED_ATTR_SCHED_RUNTIME = 24;
  public static final int SCHED_ATTR_SCHED_DEADLINE = 32;
  public static final int SCHED_ATTR_SCHED_PERIOD = 40;
  public static final int SCHED_ATTR_SCHED_UTIL_MIN = 48;
  public static final int SCHED_ATTR_SCHED_UTIL_MAX = 52;
  public static final int SIZEOF_SCHED_ATTR = 56;
  public static final int SCHED_ATTR_SIZE_VER0 = 0x30;
  public static final int SCHED_ATTR_SIZE_VER1 = 0x38;

  // pidfd_open(2) and pidfd_send_signal(2).
  public static final int PIDFD_NONBLOCK = 04000;
  public static final int PIDFD_THREAD = 0200;
  public static final int PIDFD_SIGNAL_THREAD = 1;
  public static final int PIDFD_SIGNAL_THREAD_GROUP = 2;
  public static final int PIDFD_SIGNAL_PROCESS_GROUP = 4;

  // ioprio_set(2).
  public static final int IOPRIO_CLASS_SHIFT = 13;
  public static final int IOPRIO_CLASS_NONE = 0;
  public static final int IOPRIO_CLASS_RT = 1;
  public static final int IOPRIO_CLASS_BE = 2;
  public static final int IOPRIO_CLASS_IDLE = 3;
  public static final int IOPRIO_WHO_PROCESS = 1;
  public static final int IOPRIO_WHO_PGRP = 2;
  public static final int IOPRIO_WHO_USER = 3;

  // kcmp(2).
  public static final int KCMP_FILE = 0;
  public static final int KCMP_VM = 1;
  public static final int KCMP_FILES = 2;
  public static final int KCMP_FS = 3;
  public static final int KCMP_SIGHAND = 4;
  public static final int KCMP_IO = 5;
  public static final int KCMP_SYSVSEM = 6;
  public static final int KCMP_EPOLL_TFD = 7;

  private Sched() {}
}
