package redoubt.abi;

/**
 * Clocks, timers and the structs of time: {@code linux/time.h}, {@code linux/timerfd.h}, {@code
 * linux/timex.h}.
 */
public final class Time {
  // Clocks.
  public static final int CLOCK_REALTIME = 0;
  public static final int CLOCK_MONOTONIC = 1;
  public static final int CLOCK_PROCESS_CPUTIME_ID = 2;
  public static final int CLOCK_THREAD_CPUTIME_ID = 3;
  public static final int CLOCK_MONOTONIC_RAW = 4;
  public static final int CLOCK_REALTIME_COARSE = 5;
  public static final int CLOCK_MONOTONIC_COARSE = 6;
  public static final int CLOCK_BOOTTIME = 7;
  public static final int CLOCK_REALTIME_ALARM = 8;
  public static final int CLOCK_BOOTTIME_ALARM = 9;
  public static final int CLOCK_SGI_CYCLE = 10;
  public static final int CLOCK_TAI = 11;
  public static final int MAX_CLOCKS = 16;

  // setitimer(2) and timer_settime(2).
  public static final int ITIMER_REAL = 0;
  public static final int ITIMER_VIRTUAL = 1;
  public static final int ITIMER_PROF = 2;
  public static final int TIMER_ABSTIME = 1;

  // struct timespec, itimerspec, timeval, itimerval.
  public static final int TIMESPEC_TV_SEC = 0;
  public static final int TIMESPEC_TV_NSEC = 8;
  public static final int SIZEOF_TIMESPEC = 16;
  public static final int ITIMERSPEC_IT_INTERVAL = 0;
  public static final int ITIMERSPEC_IT_VALUE = 16;
  public static final int SIZEOF_ITIMERSPEC = 32;
  public static final int TIMEVAL_TV_SEC = 0;
  public static final int TIMEVAL_TV_USEC = 8;
  public static final int SIZEOF_TIMEVAL = 16;
  public static final int ITIMERVAL_IT_INTERVAL = 0;
  public static final int ITIMERVAL_IT_VALUE = 16;
  public static final int SIZEOF_ITIMERVAL = 32;
  public static final int TIMEZONE_TZ_MINUTESWEST = 0;
  public static final int TIMEZONE_TZ_DSTTIME = 4;
  public static final int SIZEOF_TIMEZONE = 8;

  // timerfd_create(2), timerfd_settime(2).
  public static final int TFD_TIMER_ABSTIME = 1;
  public static final int TFD_TIMER_CANCEL_ON_SET = 2;
  public static final int TFD_CLOEXEC = 0x80000;
  public static final int TFD_NONBLOCK = 0x800;
  public static final int TFD_IOC_SET_TICKS = 0x40085400;

  // utimensat(2).
  public static final int UTIME_NOW = 0x3fffffff;
  public static final int UTIME_OMIT = 0x3ffffffe;

  // adjtimex(2).
  public static final int ADJ_OFFSET = 1;
  public static final int ADJ_FREQUENCY = 2;
  public static final int ADJ_MAXERROR = 4;
  public static final int ADJ_ESTERROR = 8;
  public static final int ADJ_STATUS = 0x10;
  public static final int ADJ_TIMECONST = 0x20;
  public static final int ADJ_TAI = 0x80;
  public static final int ADJ_SETOFFSET = 0x100;
  public static final int ADJ_MICRO = 0x1000;
  public static final int ADJ_NANO = 0x2000;

  /** A bit of ADJ_OFFSET_SINGLESHOT and ADJ_OFFSET_SS_READ, not for callers. */
  public static final int ADJ_ADJTIME = 0x8000;

  public static final int ADJ_TICK = 0x4000;
  public static final int ADJ_OFFSET_SINGLESHOT = 0x8001;
  public static final int ADJ_OFFSET_SS_READ = 0xa001;
  public static final int STA_PLL = 1;
  public static final int STA_PPSFREQ = 2;
  public static final int STA_PPSTIME = 4;
  public static final int STA_FLL = 8;
  public static final int STA_INS = 0x10;
  public static final int STA_DEL = 0x20;
  public static final int STA_UNSYNC = 0x40;
  public static final int STA_FREQHOLD = 0x80;
  public static final int STA_PPSSIGNAL = 0x100;
  public static final int STA_PPSJITTER = 0x200;
  public static final int STA_PPSWANDER = 0x400;
  public static final int STA_PPSERROR = 0x800;
  public static final int STA_CLOCKERR = 0x1000;
  public static final int STA_NANO = 0x2000;
  public static final int STA_MODE = 0x4000;
  public static final int STA_CLK = 0x8000;
  public static final int TIME_OK = 0;
  public static final int TIME_INS = 1;
  public static final int TIME_DEL = 2;
  public static final int TIME_OOP = 3;
  public static final int TIME_WAIT = 4;
  public static final int TIME_ERROR = 5;
  public static final int SIZEOF_TIMEX = 208;
  public static final int TIMEX_MODES = 0;
  public static final int TIMEX_OFFSET = 8;
  public static final int TIMEX_FREQ = 16;
  public static final int TIMEX_MAXERROR = 24;
  public static final int TIMEX_ESTERROR = 32;
  public static final int TIMEX_STATUS = 40;
  public static final int TIMEX_CONSTANT = 48;
  public static final int TIMEX_PRECISION = 56;
  public static final int TIMEX_TOLERANCE = 64;
  public static final int TIMEX_TIME = 72;
  public static final int TIMEX_TICK = 88;
  public static final int TIMEX_TAI = 160;
  public static final int TMS_TMS_UTIME = 0;
  public static final int TMS_TMS_STIME = 8;
  public static final int TMS_TMS_CUTIME = 16;
  public static final int TMS_TMS_CSTIME = 24;
  public static final int SIZEOF_TMS = 32;

  // Ticks a second of times(2), /proc and clock_t.
  public static final int USER_HZ = 100;
  public static final int UTIMBUF_ACTIME = 0;
  public static final int UTIMBUF_MODTIME = 8;
  public static final int SIZEOF_UTIMBUF = 16;

  private Time() {}
}
