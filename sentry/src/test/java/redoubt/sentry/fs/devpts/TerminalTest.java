package redoubt.sentry.fs.devpts;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EIO;
import static redoubt.abi.Errno.ENOTTY;
import static redoubt.abi.Errno.ENXIO;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ERESTARTSYS;
import static redoubt.abi.Termios.*;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import redoubt.abi.Nr;
import redoubt.abi.Signal;
import redoubt.sentry.kernel.Signals;
import redoubt.sentry.testing.FakeGuest;
import redoubt.sentry.testing.KernelMounts;

/** Pseudo-terminals through the system calls, against what Linux's n_tty does. */
class TerminalTest {
  private static final int O_RDWR = 2;
  private static final int O_NONBLOCK = 04000;
  private static final int O_NOCTTY = 0400;

  private FakeGuest g;
  private long master;
  private long slave;
  private long buffer;

  @BeforeEach
  void open() {
    g = KernelMounts.create();
    buffer = g.space(8192);
    master = g.ok(Nr.OPEN, g.text("/dev/ptmx"), O_RDWR | O_NONBLOCK, 0);
    g.ok(Nr.IOCTL, master, TIOCSPTLCK, g.ints(0));
    slave = g.ok(Nr.OPEN, g.text("/dev/pts/0"), O_RDWR | O_NONBLOCK | O_NOCTTY, 0);
  }

  private void type(String s) {
    assertEquals(s.length(), g.ok(Nr.WRITE, master, g.text(s), s.length()));
  }

  private String readSlave() {
    return g.string(buffer, g.ok(Nr.READ, slave, buffer, 4096));
  }

  /** {@return what the master sees}, "" when nothing is there */
  private String screen() {
    long n = g.call(Nr.READ, master, buffer, 8192);
    return n == -EAGAIN ? "" : g.string(buffer, n);
  }

  private void print(String s) {
    assertEquals(s.length(), g.ok(Nr.WRITE, slave, g.text(s), s.length()));
  }

  private interface Change {
    void apply(long termios);
  }

  private void modes(Change c) {
    long t = g.space(SIZEOF_TERMIOS);
    g.ok(Nr.IOCTL, slave, TCGETS, t);
    c.apply(t);
    g.ok(Nr.IOCTL, slave, TCSETS, t);
  }

  private void local(int clear, int set) {
    modes(t -> g.setInt(t + TERMIOS_C_LFLAG, g.getInt(t + TERMIOS_C_LFLAG) & ~clear | set));
  }

  private void raw(int vmin, int vtime) {
    modes(t -> {
      g.setInt(t + TERMIOS_C_IFLAG, 0);
      g.setInt(t + TERMIOS_C_OFLAG, 0);
      g.setInt(t + TERMIOS_C_LFLAG, 0);
      g.memory(t + TERMIOS_C_CC + VMIN, 1).set(redoubt.host.Memory.BYTE, 0, (byte) vmin);
      g.memory(t + TERMIOS_C_CC + VTIME, 1).set(redoubt.host.Memory.BYTE, 0, (byte) vtime);
    });
  }

  private void lead() {
    g.call(Nr.SETSID);
    g.ok(Nr.IOCTL, slave, TIOCSCTTY, 0);
  }

  private long pending() {
    return Signals.pending(g.task());
  }

  private static long bit(int signo) {
    return 1L << (signo - 1);
  }

  @Test
  void shouldStartWithLinuxDefaults() {
    long t = g.space(SIZEOF_TERMIOS);
    g.ok(Nr.IOCTL, slave, TCGETS, t);
    assertEquals(0x500, g.getInt(t + TERMIOS_C_IFLAG));
    assertEquals(5, g.getInt(t + TERMIOS_C_OFLAG));
    assertEquals(0xbf, g.getInt(t + TERMIOS_C_CFLAG));
    assertEquals(0x8a3b, g.getInt(t + TERMIOS_C_LFLAG));
    assertEquals(3, g.getByte(t + TERMIOS_C_CC + VINTR));
    assertEquals(0x7f, g.getByte(t + TERMIOS_C_CC + VERASE));
    assertEquals(1, g.getByte(t + TERMIOS_C_CC + VMIN));
  }

  @Test
  void shouldGiveWholeLinesOnly() {
    type("ab");
    g.fails(EAGAIN, Nr.READ, slave, buffer, 100);
    type("c\rnext\n");
    assertEquals("abc\n", readSlave());
    assertEquals("next\n", readSlave());
    g.fails(EAGAIN, Nr.READ, slave, buffer, 100);
    assertEquals("abc\r\nnext\r\n", screen());
  }

  @Test
  void shouldGiveALineInPieces() {
    type("abcdef\n");
    assertEquals(3, g.ok(Nr.READ, slave, buffer, 3));
    assertEquals("def\n", readSlave());
  }

  @Test
  void shouldEraseCharactersWordsAndLines() {
    type("one two");
    screen();
    type("\u007f");
    assertEquals("\b \b", screen());
    type("\u0017");
    assertEquals("\b \b\b \b", screen());
    type("X\n");
    assertEquals("one X\n", readSlave());
    screen();
    type("abc\u0015");
    assertEquals("abc\b \b\b \b\b \b", screen());
    type("z\n");
    assertEquals("z\n", readSlave());
  }

  @Test
  void shouldEchoControlCharactersWithACaret() {
    type("\u0001\u007f");
    assertEquals("^A\b \b\b \b", screen());
  }

  @Test
  void shouldEraseTabsToWhereTheyBegan() {
    type("ab\t\u007f");
    assertEquals("ab\t\b\b\b\b\b\b", screen());
  }

  @Test
  void shouldTakeTheNextCharacterLiterally() {
    type("\u0016\u0003x\n");
    assertEquals("\u0003x\n", readSlave());
  }

  @Test
  void shouldEndAtEofCharacter() {
    type("\u0004");
    assertEquals(0, g.ok(Nr.READ, slave, buffer, 10));
    type("ab\u0004");
    assertEquals("ab", readSlave());
    g.fails(EAGAIN, Nr.READ, slave, buffer, 10);
    type("abcd\u0004");
    assertEquals(4, g.ok(Nr.READ, slave, buffer, 4));
    g.fails(EAGAIN, Nr.READ, slave, buffer, 10);
  }

  @Test
  void shouldEraseWholeUtf8Characters() {
    modes(t -> g.setInt(t, g.getInt(t) | IUTF8));
    type("a\u00c3\u00a9\u007f\n");
    assertEquals("a\n", readSlave());
  }

  @Test
  void shouldTurnNewlinesIntoCarriageReturns() {
    print("a\nb\n");
    assertEquals("a\r\nb\r\n", screen());
    modes(t -> g.setInt(t + TERMIOS_C_OFLAG, 0));
    print("a\n");
    assertEquals("a\n", screen());
  }

  @Test
  void shouldExpandTabs() {
    modes(t -> g.setInt(t + TERMIOS_C_OFLAG, OPOST | ONLCR | XTABS));
    print("ab\tc");
    assertEquals("ab      c", screen());
  }

  @Test
  void shouldHonourVminAndVtime() {
    raw(3, 0);
    type("ab");
    g.fails(EAGAIN, Nr.READ, slave, buffer, 10);
    type("c");
    assertEquals("abc", readSlave());
    raw(0, 0);
    assertEquals(0, g.ok(Nr.READ, slave, buffer, 10));
    raw(0, 1);
    g.ok(Nr.FCNTL, slave, 4, O_RDWR);
    long before = System.nanoTime();
    assertEquals(0, g.ok(Nr.READ, slave, buffer, 10));
    long tookMs = (System.nanoTime() - before) / 1_000_000;
    assertTrue(tookMs >= 90 && tookMs < 2000, "waited " + tookMs + " ms");
    raw(5, 1);
    type("xy");
    assertEquals("xy", readSlave());
  }

  @Test
  void shouldSignalTheForeground() {
    lead();
    type("abc\u0003");
    assertEquals(bit(Signal.SIGINT), pending() & bit(Signal.SIGINT));
    assertTrue(screen().endsWith("^C"));
    type("\n");
    assertEquals("\n", readSlave()); // abc was flushed
  }

  @Test
  void shouldKeepInputWithNoflsh() {
    lead();
    local(0, NOFLSH);
    type("abc\u001c\n");
    assertEquals(bit(Signal.SIGQUIT), pending() & bit(Signal.SIGQUIT));
    assertEquals("abc\n", readSlave());
  }

  @Test
  void shouldStopAndStartOutput() {
    type("\u0013");
    g.fails(EAGAIN, Nr.WRITE, slave, g.text("x"), 1);
    type("a");
    assertEquals("", screen());
    type("\u0011");
    assertEquals("a", screen());
    print("x");
    assertEquals("x", screen());
  }

  @Test
  void shouldLimitLinesTo4095Characters() {
    local(ECHO, 0);
    type("a".repeat(4000));
    type("b".repeat(4000) + "\n");
    String line = readSlave();
    assertEquals(4095, line.length());
    assertTrue(line.endsWith("b\n"));
  }

  @Test
  void shouldHoldBackTheMasterWhenNobodyReads() {
    raw(1, 0);
    long text = g.text("x".repeat(8000));
    long total = 0;
    for (; ; ) {
      long r = g.call(Nr.WRITE, master, text, 8000);
      if (r < 0) {
        assertEquals(-EAGAIN, r);
        break;
      }
      total += r;
    }
    assertTrue(total >= 65536 && total < 80000, "accepted " + total);
    long got = 0;
    for (long r; (r = g.call(Nr.READ, slave, buffer, 4096)) > 0; ) {
      got += r;
    }
    assertEquals(total, got);
  }

  @Test
  void shouldMarkPendingInputWhenBecomingCanonical() {
    raw(1, 0);
    type("abc");
    local(0, ICANON);
    assertEquals("abc", readSlave());
  }

  @Test
  void shouldCountBytes() {
    type("abc\nde");
    g.ok(Nr.IOCTL, slave, TIOCINQ, buffer);
    assertEquals(4, g.getInt(buffer));
    g.ok(Nr.IOCTL, slave, TCFLSH, TCIFLUSH);
    g.ok(Nr.IOCTL, slave, TIOCINQ, buffer);
    assertEquals(0, g.getInt(buffer));
  }

  @Test
  void shouldTellOfWindowChanges() {
    lead();
    long size = g.space(8);
    g.setShort(size, 50);
    g.setShort(size + 2, 132);
    g.ok(Nr.IOCTL, master, TIOCSWINSZ, size);
    long got = g.space(8);
    g.ok(Nr.IOCTL, slave, TIOCGWINSZ, got);
    assertEquals(50, g.getShort(got));
    assertEquals(132, g.getShort(got + 2));
  }

  @Test
  void shouldBecomeAndLeaveTheControllingTerminal() {
    g.fails(ENXIO, Nr.OPEN, g.text("/dev/tty"), O_RDWR, 0);
    g.fails(ENOTTY, Nr.IOCTL, slave, TIOCGPGRP, buffer);
    lead();
    long tty = g.ok(Nr.OPEN, g.text("/dev/tty"), O_RDWR, 0);
    g.ok(Nr.IOCTL, tty, TIOCGPGRP, buffer);
    assertEquals(g.task().tgid(), g.getInt(buffer));
    g.ok(Nr.IOCTL, tty, TIOCGSID, buffer);
    assertEquals(g.task().tgid(), g.getInt(buffer));
    g.fails(EPERM, Nr.IOCTL, tty, TIOCSPGRP, g.ints(1));
    g.ok(Nr.IOCTL, tty, TIOCNOTTY, 0);
    g.fails(ENXIO, Nr.OPEN, g.text("/dev/tty"), O_RDWR, 0);
    assertEquals(bit(Signal.SIGHUP), pending() & bit(Signal.SIGHUP));
  }

  @Test
  void shouldStopBackgroundReaders() {
    lead();
    FakeGuest child = g.fork();
    child.task().threadGroup().tty = g.task().threadGroup().tty;
    child.ok(Nr.SETPGID, 0, 0);
    child.fails(ERESTARTSYS, Nr.READ, slave, child.space(10), 10);
    assertEquals(bit(Signal.SIGTTIN), Signals.pending(child.task()) & bit(Signal.SIGTTIN));
    print("writing is allowed");
    local(0, TOSTOP);
    child.fails(ERESTARTSYS, Nr.WRITE, slave, child.text("x"), 1);
    long t = child.space(SIZEOF_TERMIOS);
    child.ok(Nr.IOCTL, slave, TCGETS, t);
    child.fails(ERESTARTSYS, Nr.IOCTL, slave, TCSETS, t);
    g.ok(Nr.IOCTL, slave, TIOCSPGRP, g.ints(child.task().tgid()));
    type("x\n");
    assertEquals(2, child.ok(Nr.READ, slave, child.space(10), 10));
  }

  @Test
  void shouldHangUpWhenTheMasterCloses() {
    lead();
    g.ok(Nr.CLOSE, master);
    assertEquals(0, g.ok(Nr.READ, slave, buffer, 10));
    g.fails(EIO, Nr.WRITE, slave, g.text("x"), 1);
    g.fails(EIO, Nr.IOCTL, slave, TCGETS, buffer);
    assertEquals(bit(Signal.SIGHUP), pending() & bit(Signal.SIGHUP));
    g.fails(redoubt.abi.Errno.ENOENT, Nr.OPEN, g.text("/dev/pts/0"), O_RDWR, 0);
  }

  @Test
  void shouldTellTheMasterThatTheSlaveIsClosed() {
    print("last words");
    g.ok(Nr.CLOSE, slave);
    assertEquals("last words", screen());
    g.fails(EIO, Nr.READ, master, buffer, 10);
    slave = g.ok(Nr.OPEN, g.text("/dev/pts/0"), O_RDWR, 0);
    g.fails(EAGAIN, Nr.READ, master, buffer, 10);
  }

  @Test
  void shouldBeLockedAtFirst() {
    long other = g.ok(Nr.OPEN, g.text("/dev/pts/ptmx"), O_RDWR, 0);
    g.ok(Nr.IOCTL, other, TIOCGPTN, buffer);
    assertEquals(1, g.getInt(buffer));
    g.fails(EIO, Nr.OPEN, g.text("/dev/pts/1"), O_RDWR, 0);
    g.ok(Nr.IOCTL, other, TIOCSPTLCK, g.ints(0));
    long peer = g.ok(Nr.IOCTL, other, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    assertEquals("/dev/pts/1", KernelMounts.link(g, "/proc/self/fd/" + peer));
  }

  @Test
  void shouldReportInPacketMode() {
    g.ok(Nr.IOCTL, master, TIOCPKT, g.ints(1));
    print("x");
    assertEquals("\0x", screen());
    g.ok(Nr.IOCTL, slave, TCFLSH, TCIFLUSH);
    assertEquals("\u0001", screen());
    modes(t -> g.setInt(t, g.getInt(t) & ~IXON));
    assertEquals("\u0010", screen());
  }

  @Test
  void shouldListOpenTerminals() {
    long dir = g.ok(Nr.OPEN, g.text("/dev/pts"), 0200000, 0);
    long n = g.ok(Nr.GETDENTS64, dir, buffer, 4096);
    StringBuilder names = new StringBuilder();
    for (long at = buffer; at < buffer + n; at += g.getShort(at + 16) & 0xffff) {
      names.append(g.string(at + 19)).append(' ');
    }
    assertEquals(". .. ptmx 0 ", names.toString());
  }
}
