package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Errno;
import redoubt.abi.Nr;

/** Host pseudo-terminals: <a href="https://man7.org/linux/man-pages/man7/pty.7.html">pty(7)</a>. */
public final class Pty implements AutoCloseable {
  private static final int TCGETS = 0x5401;
  private static final int TCSETS = 0x5402;
  private static final int TIOCGWINSZ = 0x5413;
  private static final int TIOCSWINSZ = 0x5414;
  private static final int TIOCGPTPEER = 0x5441;
  private static final int TIOCSPTLCK = 0x40045431;

  // struct termios of the kernel: four flag words, c_line, 19 control characters.
  private static final long C_IFLAG = 0;
  private static final long C_OFLAG = 4;
  private static final long C_CFLAG = 8;
  private static final long C_LFLAG = 12;
  private static final long C_CC = 17;
  private static final long VTIME = 5;
  private static final long VMIN = 6;

  private final Fd master;
  private final Fd slave;

  private Pty(Fd master, Fd slave) {
    this.master = master;
    this.slave = slave;
  }

  /**
   * Makes a pair whose slave is in raw mode: the guest's own line discipline does the cooking.
   *
   * @throws HostException if the host has no pseudo-terminal left
   */
  public static Pty open() {
    Fd master = HostFiles.open("/dev/ptmx", HostFiles.O_RDWR | HostFiles.O_NOCTTY, 0);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment unlock = arena.allocate(4, 4);
      HostException.check(
          "unlock of the terminal",
          RawSyscall.syscall(Nr.IOCTL, master.number(), TIOCSPTLCK, unlock.address()));
      int flags = HostFiles.O_RDWR | HostFiles.O_NOCTTY | HostFiles.O_CLOEXEC;
      var slave =
          new Fd(
              (int)
                  HostException.check(
                      "the terminal's other end",
                      RawSyscall.syscall(Nr.IOCTL, master.number(), TIOCGPTPEER, flags)));
      makeRaw(slave, arena);
      return new Pty(master, slave);
    } catch (HostException e) {
      master.close();
      throw e;
    }
  }

  public Fd master() {
    return master;
  }

  public Fd slave() {
    return slave;
  }

  public static boolean isTerminal(int fd) {
    try (Arena arena = Arena.ofConfined()) {
      return RawSyscall.syscall(Nr.IOCTL, fd, TCGETS, arena.allocate(64, 8).address()) == 0;
    }
  }

  /** {@return rows in the upper, columns in the lower half; 0 if {@code fd} is no terminal} */
  public static int windowSize(int fd) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment size = arena.allocate(8, 8);
      if (RawSyscall.syscall(Nr.IOCTL, fd, TIOCGWINSZ, size.address()) < 0) {
        return 0;
      }
      return (size.get(Memory.SHORT, 0) & 0xffff) << 16 | size.get(Memory.SHORT, 2) & 0xffff;
    }
  }

  public static void setWindowSize(Fd fd, int rows, int columns) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment size = arena.allocate(8, 8);
      size.set(Memory.SHORT, 0, (short) rows);
      size.set(Memory.SHORT, 2, (short) columns);
      RawSyscall.syscall(Nr.IOCTL, fd.number(), TIOCSWINSZ, size.address());
    }
  }

  private static void makeRaw(Fd fd, Arena arena) {
    MemorySegment termios = arena.allocate(64, 8);
    long r = RawSyscall.syscall(Nr.IOCTL, fd.number(), TCGETS, termios.address());
    if (r == -Errno.ENOTTY) {
      throw new HostException("raw mode", r);
    }
    // cfmakeraw(3)
    termios.set(Memory.INT, C_IFLAG, termios.get(Memory.INT, C_IFLAG) & ~0x5eb);
    termios.set(Memory.INT, C_OFLAG, termios.get(Memory.INT, C_OFLAG) & ~0x1);
    termios.set(Memory.INT, C_LFLAG, termios.get(Memory.INT, C_LFLAG) & ~0x804b);
    termios.set(Memory.INT, C_CFLAG, termios.get(Memory.INT, C_CFLAG) & ~0x130 | 0x30);
    termios.set(Memory.BYTE, C_CC + VTIME, (byte) 0);
    termios.set(Memory.BYTE, C_CC + VMIN, (byte) 1);
    HostException.check(
        "raw mode", RawSyscall.syscall(Nr.IOCTL, fd.number(), TCSETS, termios.address()));
  }

  @Override
  public void close() {
    master.close();
    slave.close();
  }
}
