package redoubt.sentry.kernel.tty;

import static redoubt.abi.Termios.*;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Signal;
import redoubt.host.Memory;

/**
 * N_TTY: what a terminal makes of the keys that are typed and of what programs print. Linux's
 * drivers/tty/n_tty.c, whose order of decisions is kept. All methods under {@link
 * PseudoTerminal#mu}.
 *
 * <p>Typed bytes wait in {@link #typed} until there is room in the read buffer; the read buffer
 * holds {@link #SIZE} bytes at absolute positions {@code tail <= canonHead <= head}, of which those
 * in {@code [tail, canonHead)} are complete lines when in canonical mode.
 */
final class LineDiscipline {
  /** N_TTY_BUF_SIZE. */
  static final int SIZE = 4096;

  /** Most bytes that wait for room in the read buffer. */
  static final int TYPED_LIMIT = 65536;

  /** Most bytes of output that the master has not read, when a program writes more. */
  static final int OUTPUT_LIMIT = 8192;

  /** Most bytes of echo beyond that. */
  private static final int ECHO_LIMIT = 4096;

  private final TermiosState modes;

  /** What the master reads. */
  final ByteRing output = new ByteRing(1024);

  /** What the master wrote and was not looked at yet. */
  final ByteRing typed = new ByteRing(256);

  private final ByteRing heldEcho = new ByteRing(16);

  private byte[] buffer = new byte[256]; // grows to SIZE
  private final long[] delimiters = new long[SIZE / 64];
  private long head;
  private long tail;
  private long canonHead;
  private boolean push;
  private boolean lnext;
  private boolean erasing;
  private int column;
  private int canonColumn;

  /** Output is stopped by the STOP character or tcflow(3). */
  boolean stopped;

  /** ... by tcflow, so that only tcflow starts it. */
  boolean flowStopped;

  /** Signals (as bits 1 << signo) to be sent to the foreground group once the lock is released. */
  long signals;

  /** TIOCPKT_* status bits for a master in packet mode. */
  int packetStatus;

  /** When the last byte came in, for VTIME. */
  long lastInputNs;

  LineDiscipline(TermiosState modes) {
    this.modes = modes;
  }

  // ---- input: from the master ----

  /**
   * Looks at typed bytes while there is room. Returns whether input became readable or output came.
   */
  void receiveTyped() {
    boolean any = false;
    while (!typed.isEmpty()) {
      long room = SIZE - 1 - (head - tail);
      if (modes.i(PARMRK)) {
        room /= 3;
      }
      if (room <= 0) {
        if (!(modes.l(ICANON) && canonHead == tail)) {
          break; // wait for a reader
        }
        head = Math.min(head, tail + SIZE - 2); // a line too long: its last byte is overwritten
      }
      any = true;
      receive(typed.take());
    }
    if (any) {
      lastInputNs = System.nanoTime();
    }
  }

  private void receive(int typedByte) {
    int c = typedByte;
    if (modes.i(ISTRIP)) {
      c &= 0x7f;
    }
    if (modes.i(IUCLC) && modes.l(IEXTEN)) {
      c = c >= 'A' && c <= 'Z' ? c + 32 : c;
    }
    if (modes.l(EXTPROC)) {
      put(c);
      return;
    }
    if (lnext) {
      lnext = false;
      plain(c);
      return;
    }
    if (modes.i(IXON)) {
      if (modes.is(c, VSTART)) {
        start();
        return;
      }
      if (modes.is(c, VSTOP)) {
        stop();
        return;
      }
    }
    if (modes.l(ISIG)) {
      int signo = signalOf(c);
      if (signo != 0) {
        signalTyped(signo, c);
        return;
      }
    }
    if (stopped && !flowStopped && modes.i(IXON) && modes.i(IXANY)) {
      start();
    }
    if (c == '\r') {
      if (modes.i(IGNCR)) {
        return;
      }
      if (modes.i(ICRNL)) {
        c = '\n';
      }
    } else if (c == '\n' && modes.i(INLCR)) {
      c = '\r';
    }
    if (!modes.l(ICANON) || !canonical(c)) {
      plain(c);
    }
  }

  private int signalOf(int c) {
    if (modes.is(c, VINTR)) {
      return Signal.SIGINT;
    }
    if (modes.is(c, VQUIT)) {
      return Signal.SIGQUIT;
    }
    return modes.is(c, VSUSP) ? Signal.SIGTSTP : 0;
  }

  private void signalTyped(int signo, int c) {
    signal(signo);
    if (modes.i(IXON)) {
      start();
    }
    if (modes.l(ECHO)) {
      echo(c);
    }
  }

  /** Sends {@code signo} to the foreground and flushes, as n_tty's isig. */
  void signal(int signo) {
    signals |= 1L << signo;
    if (!modes.l(NOFLSH)) {
      flushInput();
      heldEcho.clear();
      flushOutput();
    }
  }

  /** Canonical mode's special characters. Returns false if {@code c} is an ordinary one. */
  private boolean canonical(int c) {
    boolean iexten = modes.l(IEXTEN);
    if (modes.is(c, VERASE) || modes.is(c, VKILL) || (iexten && modes.is(c, VWERASE))) {
      erase(c);
      return true;
    }
    if (iexten && modes.is(c, VLNEXT)) {
      lnext = true;
      if (modes.l(ECHO)) {
        finishErasing();
        if (modes.l(ECHOCTL)) {
          echoRaw('^');
          echoRaw('\b');
        }
      }
      return true;
    }
    if (modes.is(c, VREPRINT) && modes.l(ECHO) && iexten) {
      finishErasing();
      echo(c);
      echoRaw('\n');
      for (long p = canonHead; p != head; p++) {
        echo(at(p));
      }
      return true;
    }
    if (c == '\n') {
      if (modes.l(ECHO) || modes.l(ECHONL)) {
        echoRaw('\n');
      }
      endLine(c);
      return true;
    }
    if (modes.is(c, VEOF)) {
      endLine(TermiosState.DISABLED);
      return true;
    }
    if (modes.is(c, VEOL) || (iexten && modes.is(c, VEOL2))) {
      if (modes.l(ECHO)) {
        if (canonHead == head) {
          canonColumn = column;
        }
        echo(c);
      }
      if (modes.i(PARMRK) && c == 0xff) {
        put(c);
      }
      endLine(c);
      return true;
    }
    return false;
  }

  private void plain(int c) {
    if (modes.l(ECHO)) {
      finishErasing();
      if (c == '\n') {
        echoRaw('\n');
      } else {
        if (canonHead == head) {
          canonColumn = column;
        }
        echo(c);
      }
    }
    if (modes.i(PARMRK) && c == 0xff) {
      put(c);
    }
    put(c);
  }

  private void endLine(int c) {
    setDelimiter(head, true);
    putAt(head++, c);
    canonHead = head;
  }

  private void put(int c) {
    setDelimiter(head, false);
    putAt(head++, c);
  }

  private void putAt(long position, int c) {
    if (buffer.length < SIZE && head - tail >= buffer.length) {
      byte[] bigger = new byte[SIZE];
      for (long p = tail; p < head; p++) {
        bigger[(int) p & (SIZE - 1)] = buffer[(int) p & (buffer.length - 1)];
      }
      buffer = bigger;
    }
    buffer[(int) position & (buffer.length - 1)] = (byte) c;
  }

  private int at(long position) {
    return buffer[(int) position & (buffer.length - 1)] & 0xff;
  }

  private boolean isDelimiter(long position) {
    int p = (int) position & (SIZE - 1);
    return (delimiters[p >> 6] >>> p & 1) != 0;
  }

  private void setDelimiter(long position, boolean on) {
    int p = (int) position & (SIZE - 1);
    if (on) {
      delimiters[p >> 6] |= 1L << p;
    } else {
      delimiters[p >> 6] &= ~(1L << p);
    }
  }

  private boolean isContinuation(int c) {
    return modes.i(IUTF8) && (c & 0xc0) == 0x80;
  }

  private static boolean isControl(int c) {
    return c < 32 || c == 127;
  }

  private static boolean isWord(int c) {
    return (c >= '0' && c <= '9')
        || (c >= 'a' && c <= 'z')
        || (c >= 'A' && c <= 'Z')
        || c == '_'
        || c >= 0xc0;
  }

  private void erase(int key) {
    if (head == canonHead) {
      return;
    }
    boolean one = modes.is(key, VERASE);
    boolean word = !one && modes.is(key, VWERASE);
    if (!one && !word) {
      if (!modes.l(ECHO)) {
        head = canonHead;
        return;
      }
      if (!modes.l(ECHOK) || !modes.l(ECHOKE) || !modes.l(ECHOE)) {
        head = canonHead;
        finishErasing();
        echo(modes.cc(VKILL));
        if (modes.l(ECHOK)) {
          echoRaw('\n');
        }
        return;
      }
    }
    boolean seenWord = false;
    while (head != canonHead) {
      long h = head;
      int c;
      do {
        h--;
        c = at(h);
      } while (isContinuation(c) && h != canonHead);
      if (isContinuation(c)) {
        break; // never half a character
      }
      if (word) {
        if (isWord(c)) {
          seenWord = true;
        } else if (seenWord) {
          break;
        }
      }
      long end = head;
      head = h;
      if (modes.l(ECHO)) {
        echoErased(c, h, end, one);
      }
      if (one) {
        break;
      }
    }
    if (head == canonHead && modes.l(ECHO)) {
      finishErasing();
    }
  }

  private void echoErased(int c, long from, long end, boolean one) {
    if (modes.l(ECHOPRT)) {
      if (!erasing) {
        echoRaw('\\');
        erasing = true;
      }
      echo(c);
      for (long p = from + 1; p < end; p++) {
        echoRaw(at(p));
      }
    } else if (one && !modes.l(ECHOE)) {
      echo(modes.cc(VERASE));
    } else if (c == '\t') {
      eraseTab();
    } else {
      if (isControl(c) && modes.l(ECHOCTL)) {
        backspace();
      }
      if (!isControl(c) || modes.l(ECHOCTL)) {
        backspace();
      }
    }
  }

  private void backspace() {
    echoRaw('\b');
    echoRaw(' ');
    echoRaw('\b');
  }

  /** Moves the cursor back over an erased tab, which is as wide as what stands before it says. */
  private void eraseTab() {
    int chars = 0;
    boolean afterTab = false;
    for (long p = head; p != canonHead; ) {
      int c = at(--p);
      if (c == '\t') {
        afterTab = true;
        break;
      }
      if (isControl(c)) {
        chars += modes.l(ECHOCTL) ? 2 : 0;
      } else if (!isContinuation(c)) {
        chars++;
      }
    }
    if (!afterTab) {
      chars += canonColumn;
    }
    for (int n = 8 - (chars & 7); n > 0; n--) {
      echoByte('\b');
      if (column > 0) {
        column--;
      }
    }
  }

  private void finishErasing() {
    if (erasing) {
      echoRaw('/');
      erasing = false;
    }
  }

  // ---- output: to the master ----

  private void echo(int c) {
    if (modes.l(ECHOCTL) && isControl(c) && c != '\t') {
      echoRaw('^');
      echoRaw(c ^ 0x40);
    } else {
      echoRaw(c);
    }
  }

  private void echoRaw(int c) {
    if (modes.o(OPOST)) {
      process(c, true);
    } else {
      echoByte(c);
    }
  }

  private void echoByte(int c) {
    if (stopped) {
      if (heldEcho.size() < ECHO_LIMIT) {
        heldEcho.add(c);
      }
    } else if (output.size() < OUTPUT_LIMIT + ECHO_LIMIT) {
      output.add(c);
    }
  }

  private void emit(int c, boolean isEcho) {
    if (isEcho) {
      echoByte(c);
    } else {
      output.add(c);
    }
  }

  /** {@return how many bytes a program may print now} */
  int outputRoom() {
    if (stopped) {
      return 0;
    }
    int room = OUTPUT_LIMIT - output.size();
    if (!modes.o(OPOST)) {
      return Math.max(room, 0);
    }
    return Math.max(room / ((modes.oflag & TABDLY) == XTABS ? 8 : 2), 0);
  }

  /** Prints {@code n} bytes, at most {@link #outputRoom}. */
  void print(MemorySegment src, long offset, int n) {
    if (!modes.o(OPOST)) {
      output.addAll(src, offset, n);
      return;
    }
    for (int i = 0; i < n; i++) {
      process(src.get(Memory.BYTE, offset + i) & 0xff, false);
    }
  }

  /** One byte through OPOST, as do_output_char. */
  private void process(int printed, boolean isEcho) {
    int c = printed;
    switch (c) {
      case '\n' -> {
        if (modes.o(ONLRET)) {
          column = 0;
        }
        if (modes.o(ONLCR)) {
          column = 0;
          canonColumn = 0;
          emit('\r', isEcho);
        } else {
          canonColumn = column;
        }
      }
      case '\r' -> {
        if (modes.o(ONOCR) && column == 0) {
          return;
        }
        if (modes.o(OCRNL)) {
          c = '\n';
          if (modes.o(ONLRET)) {
            column = 0;
            canonColumn = 0;
          }
        } else {
          column = 0;
          canonColumn = 0;
        }
      }
      case '\t' -> {
        int spaces = 8 - (column & 7);
        column += spaces;
        if ((modes.oflag & TABDLY) == XTABS) {
          for (int i = 0; i < spaces; i++) {
            emit(' ', isEcho);
          }
          return;
        }
      }
      case '\b' -> column = Math.max(column - 1, 0);
      default -> {
        if (!isControl(c)) {
          if (modes.o(OLCUC) && c >= 'a' && c <= 'z') {
            c -= 32;
          }
          if (!isContinuation(c)) {
            column++;
          }
        }
      }
    }
    emit(c, isEcho);
  }

  // ---- flow and flushing ----

  void stop() {
    if (!stopped) {
      stopped = true;
      packetStatus = (packetStatus & ~TIOCPKT_START) | TIOCPKT_STOP;
    }
  }

  void start() {
    if (stopped && !flowStopped) {
      stopped = false;
      packetStatus = (packetStatus & ~TIOCPKT_STOP) | TIOCPKT_START;
      while (!heldEcho.isEmpty()) {
        output.add(heldEcho.take());
      }
    }
  }

  /** Forgets what nobody has read. */
  void flushInput() {
    head = 0;
    tail = 0;
    canonHead = 0;
    push = false;
    lnext = false;
    erasing = false;
    typed.clear();
    java.util.Arrays.fill(delimiters, 0);
    packetStatus |= TIOCPKT_FLUSHREAD;
  }

  /** Forgets what the master has not read. */
  void flushOutput() {
    output.clear();
    packetStatus |= TIOCPKT_FLUSHWRITE;
  }

  // ---- reading by programs ----

  /**
   * {@return whether a read would give something}: a line in canonical mode, else {@code amount}
   * bytes
   */
  boolean isReadable(int amount) {
    if (modes.l(ICANON) && !modes.l(EXTPROC)) {
      return canonHead != tail;
    }
    return head - tail >= Math.max(amount, 1);
  }

  /** {@return FIONREAD's answer} */
  int available() {
    if (!modes.l(ICANON) || modes.l(EXTPROC)) {
      return (int) (head - tail);
    }
    int n = 0;
    for (long p = tail; p != canonHead; p++) {
      if (!(isDelimiter(p) && at(p) == TermiosState.DISABLED)) {
        n++;
      }
    }
    return n;
  }

  /** {@return bytes waiting in the read buffer, lines or not} */
  int buffered() {
    return (int) (head - tail);
  }

  /**
   * Takes up to {@code limit} bytes; in canonical mode at most one line, without an EOF character.
   */
  int read(MemorySegment dst, int limit) {
    int n = 0;
    if (!modes.l(ICANON) || modes.l(EXTPROC)) {
      while (n < limit && tail != head) {
        dst.set(Memory.BYTE, n++, (byte) at(tail++));
      }
      return n;
    }
    while (tail != canonHead) {
      boolean ends = isDelimiter(tail);
      int c = at(tail);
      if (ends && c == TermiosState.DISABLED && !push) {
        tail++; // EOF is eaten, even when the buffer is full already
        break;
      }
      if (n == limit) {
        break;
      }
      dst.set(Memory.BYTE, n++, (byte) c);
      tail++;
      if (ends) {
        push = false;
        break;
      }
    }
    return n;
  }

  /** The modes changed from {@code old}: n_tty_set_termios. */
  void modesChanged(TermiosState old) {
    if (((old.lflag ^ modes.lflag) & (ICANON | EXTPROC)) != 0) {
      java.util.Arrays.fill(delimiters, 0);
      if (!modes.l(ICANON) || head == tail) {
        canonHead = tail;
        push = false;
      } else {
        setDelimiter(head - 1, true);
        canonHead = head;
        push = true;
      }
      erasing = false;
      lnext = false;
    }
    if (!modes.i(IXON) && old.i(IXON) && !flowStopped) {
      start();
    }
    boolean oldFlow = flow(old);
    boolean newFlow = flow(modes);
    if (oldFlow != newFlow) {
      packetStatus &= ~(TIOCPKT_DOSTOP | TIOCPKT_NOSTOP);
      packetStatus |= newFlow ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP;
    }
    if (((old.lflag | modes.lflag) & EXTPROC) != 0) {
      packetStatus |= TIOCPKT_IOCTL;
    }
  }

  private static boolean flow(TermiosState m) {
    return m.i(IXON) && m.cc(VSTOP) == 0x13 && m.cc(VSTART) == 0x11;
  }
}
