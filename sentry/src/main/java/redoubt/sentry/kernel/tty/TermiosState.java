package redoubt.sentry.kernel.tty;

import static redoubt.abi.Termios.*;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Termios;
import redoubt.host.Memory;

/**
 * A terminal's modes: <a
 * href="https://man7.org/linux/man-pages/man3/termios.3.html">termios(3)</a>. Guarded by {@link
 * PseudoTerminal#mu}.
 */
final class TermiosState {
  /** The character that switches a function off. */
  static final int DISABLED = 0;

  int iflag = ICRNL | IXON;
  int oflag = OPOST | ONLCR;
  int cflag = B38400 | CS8 | CREAD;
  int lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
  int line;
  final byte[] cc = {
    3, 0x1c, 0x7f, 0x15, 4, 0, 1, 0, 0x11, 0x13, 0x1a, 0, 0x12, 0x0f, 0x17, 0x16, 0, 0, 0
  };
  int ispeed = 38400;
  int ospeed = 38400;

  boolean i(int bit) {
    return (iflag & bit) != 0;
  }

  boolean o(int bit) {
    return (oflag & bit) != 0;
  }

  boolean l(int bit) {
    return (lflag & bit) != 0;
  }

  /** {@return control character {@code index}, unsigned} */
  int cc(int index) {
    return cc[index] & 0xff;
  }

  /**
   * {@return whether {@code c} is control character {@code index}, and that is not switched off}
   */
  boolean is(int c, int index) {
    return c != DISABLED && c == cc(index);
  }

  void copyFrom(TermiosState o) {
    iflag = o.iflag;
    oflag = o.oflag;
    cflag = o.cflag;
    lflag = o.lflag;
    line = o.line;
    System.arraycopy(o.cc, 0, cc, 0, cc.length);
    ispeed = o.ispeed;
    ospeed = o.ospeed;
  }

  /** Writes struct termios, or termios2 with the speeds as numbers. */
  void write(MemorySegment s, boolean two) {
    s.set(Memory.INT, TERMIOS_C_IFLAG, iflag);
    s.set(Memory.INT, TERMIOS_C_OFLAG, oflag);
    s.set(Memory.INT, TERMIOS_C_CFLAG, cflag);
    s.set(Memory.INT, TERMIOS_C_LFLAG, lflag);
    s.set(Memory.BYTE, TERMIOS_C_LINE, (byte) line);
    MemorySegment.copy(cc, 0, s, Memory.BYTE, TERMIOS_C_CC, NCCS);
    if (two) {
      s.set(Memory.INT, TERMIOS2_C_ISPEED, ispeed);
      s.set(Memory.INT, TERMIOS2_C_OSPEED, ospeed);
    }
  }

  /** Reads what {@link #write} writes. */
  void read(MemorySegment s, boolean two) {
    iflag = s.get(Memory.INT, TERMIOS_C_IFLAG);
    oflag = s.get(Memory.INT, TERMIOS_C_OFLAG);
    cflag = s.get(Memory.INT, TERMIOS_C_CFLAG);
    lflag = s.get(Memory.INT, TERMIOS_C_LFLAG);
    line = s.get(Memory.BYTE, TERMIOS_C_LINE) & 0xff;
    MemorySegment.copy(s, Memory.BYTE, TERMIOS_C_CC, cc, 0, NCCS);
    if (two && (cflag & CBAUD) == BOTHER) {
      ispeed = s.get(Memory.INT, TERMIOS2_C_ISPEED);
      ospeed = s.get(Memory.INT, TERMIOS2_C_OSPEED);
    } else {
      ospeed = speed(cflag & CBAUD);
      int in = (cflag & CIBAUD) >>> 16;
      ispeed = in == 0 ? ospeed : speed(in);
    }
    cflag = (cflag & ~(CSIZE | PARENB)) | CS8 | CREAD; // as a pseudo-terminal's driver insists
  }

  /** Writes the old struct termio: 16-bit flags and eight characters. */
  void writeTermio(MemorySegment s) {
    s.set(Memory.SHORT, 0, (short) iflag);
    s.set(Memory.SHORT, 2, (short) oflag);
    s.set(Memory.SHORT, 4, (short) cflag);
    s.set(Memory.SHORT, 6, (short) lflag);
    s.set(Memory.BYTE, 8, (byte) line);
    MemorySegment.copy(cc, 0, s, Memory.BYTE, 9, 8);
    s.set(Memory.BYTE, 17, (byte) 0);
  }

  void readTermio(MemorySegment s) {
    iflag = (iflag & 0xffff0000) | (s.get(Memory.SHORT, 0) & 0xffff);
    oflag = (oflag & 0xffff0000) | (s.get(Memory.SHORT, 2) & 0xffff);
    cflag = (cflag & 0xffff0000) | (s.get(Memory.SHORT, 4) & 0xffff);
    lflag = (lflag & 0xffff0000) | (s.get(Memory.SHORT, 6) & 0xffff);
    line = s.get(Memory.BYTE, 8) & 0xff;
    MemorySegment.copy(s, Memory.BYTE, 9, cc, 0, 8);
    ospeed = speed(cflag & CBAUD);
    ispeed = ospeed;
  }

  private static int speed(int code) {
    int[] low = {
      0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400
    };
    int[] high = {
      0, 57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000,
      2500000, 3000000, 3500000, 4000000
    };
    return (code & Termios.CBAUDEX) != 0 ? high[code & 15] : low[code & 15];
  }
}
