package redoubt.abi;

/** Limits, usage and priorities: getrlimit(2), getrusage(2), getpriority(2). */
public final class Resource {
  public static final int RLIMIT_CPU = 0;
  public static final int RLIMIT_FSIZE = 1;
  public static final int RLIMIT_DATA = 2;
  public static final int RLIMIT_STACK = 3;
  public static final int RLIMIT_CORE = 4;
  public static final int RLIMIT_RSS = 5;
  public static final int RLIMIT_NPROC = 6;
  public static final int RLIMIT_NOFILE = 7;
  public static final int RLIMIT_MEMLOCK = 8;
  public static final int RLIMIT_AS = 9;
  public static final int RLIMIT_LOCKS = 10;
  public static final int RLIMIT_SIGPENDING = 11;
  public static final int RLIMIT_MSGQUEUE = 12;
  public static final int RLIMIT_NICE = 13;
  public static final int RLIMIT_RTPRIO = 14;
  public static final int RLIMIT_RTTIME = 15;
  public static final int RLIM_NLIMITS = 16;
  public static final long RLIM_INFINITY = -1L;
  public static final int _STK_LIM = 8388608;
  public static final int RLIMIT_RLIM_CUR = 0;
  public static final int RLIMIT_RLIM_MAX = 8;
  public static final int SIZEOF_RLIMIT = 16;
  public static final int RUSAGE_SELF = 0;
  public static final int RUSAGE_CHILDREN = -1;
  public static final int RUSAGE_BOTH = -2;
  public static final int RUSAGE_THREAD = 1;
  public static final int RUSAGE_RU_UTIME = 0;
  public static final int RUSAGE_RU_STIME = 16;
  public static final int RUSAGE_RU_MAXRSS = 32;
  public static final int RUSAGE_RU_IXRSS = 40;
  public static final int RUSAGE_RU_IDRSS = 48;
  public static final int RUSAGE_RU_ISRSS = 56;
  public static final int RUSAGE_RU_MINFLT = 64;
  public static final int RUSAGE_RU_MAJFLT = 72;
  public static final int RUSAGE_RU_NSWAP = 80;
  public static final int RUSAGE_RU_INBLOCK = 88;
  public static final int RUSAGE_RU_OUBLOCK = 96;
  public static final int RUSAGE_RU_MSGSND = 104;
  public static final int RUSAGE_RU_MSGRCV = 112;
  public static final int RUSAGE_RU_NSIGNALS = 120;
  public static final int RUSAGE_RU_NVCSW = 128;
  public static final int RUSAGE_RU_NIVCSW = 136;
  public static final int SIZEOF_RUSAGE = 144;
  public static final int PRIO_MIN = -20;
  public static final int PRIO_MAX = 20;
  public static final int PRIO_PROCESS = 0;
  public static final int PRIO_PGRP = 1;
  public static final int PRIO_USER = 2;

  private Resource() {}
}
