package redoubt.abi;

/** eventfd2(2), signalfd4(2) and pipe2(2): flags and the record of a signalfd. */
public final class Eventfd {
  public static final int SFD_CLOEXEC = 0x80000;
  public static final int SFD_NONBLOCK = 0x800;
  public static final int SIGNALFD_SIGINFO_SSI_SIGNO = 0;
  public static final int SIGNALFD_SIGINFO_SSI_ERRNO = 4;
  public static final int SIGNALFD_SIGINFO_SSI_CODE = 8;
  public static final int SIGNALFD_SIGINFO_SSI_PID = 12;
  public static final int SIGNALFD_SIGINFO_SSI_UID = 16;
  public static final int SIGNALFD_SIGINFO_SSI_FD = 20;
  public static final int SIGNALFD_SIGINFO_SSI_TID = 24;
  public static final int SIGNALFD_SIGINFO_SSI_BAND = 28;
  public static final int SIGNALFD_SIGINFO_SSI_OVERRUN = 32;
  public static final int SIGNALFD_SIGINFO_SSI_TRAPNO = 36;
  public static final int SIGNALFD_SIGINFO_SSI_STATUS = 40;
  public static final int SIGNALFD_SIGINFO_SSI_INT = 44;
  public static final int SIGNALFD_SIGINFO_SSI_PTR = 48;
  public static final int SIGNALFD_SIGINFO_SSI_UTIME = 56;
  public static final int SIGNALFD_SIGINFO_SSI_STIME = 64;
  public static final int SIGNALFD_SIGINFO_SSI_ADDR = 72;
  public static final int SIGNALFD_SIGINFO_SSI_ADDR_LSB = 80;
  public static final int SIGNALFD_SIGINFO_SSI_SYSCALL = 84;
  public static final int SIGNALFD_SIGINFO_SSI_CALL_ADDR = 88;
  public static final int SIGNALFD_SIGINFO_SSI_ARCH = 96;
  public static final int SIZEOF_SIGNALFD_SIGINFO = 128;
  public static final int EFD_SEMAPHORE = 1;
  public static final int EFD_CLOEXEC = 0x80000;
  public static final int EFD_NONBLOCK = 0x800;

  // ioctl of an eventfd's reader: pipe sizes.
  public static final int PIPE_DEF_BUFFERS = 16;
  public static final int PIPE_MAX_SIZE = 0x100000;

  private Eventfd() {}
}
