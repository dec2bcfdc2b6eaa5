package redoubt.sentry.kernel.tty;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EIO;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ERESTARTSYS;
import static redoubt.abi.Termios.*;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.abi.Poll;
import redoubt.abi.Signal;
import redoubt.sentry.kernel.ControllingTerminal;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Pid;
import redoubt.sentry.kernel.ProcessGroups;
import redoubt.sentry.kernel.SignalHandlers;
import redoubt.sentry.kernel.SignalInfo;
import redoubt.sentry.kernel.Signals;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;
import redoubt.sentry.kernel.TimerWheel;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.vfs.SpecialFiles;

/**
 * A pair of terminals, <a href="https://man7.org/linux/man-pages/man7/pty.7.html">pty(7)</a>:
 * programs use the slave, an emulator or the sandbox's own terminal bridge the master. Linux's
 * tty_struct pair, tty_io.c and tty_jobctrl.c.
 *
 * <p>What the master writes goes through the {@link LineDiscipline} to readers of the slave, with
 * echoes going back; what the slave writes goes to readers of the master.
 */
public final class PseudoTerminal implements ControllingTerminal {
  private static final long VTIME_UNIT_NS = 100_000_000;

  private final Kernel kernel;
  private final int index;
  private final Object mu = new Object();
  private final TermiosState modes = new TermiosState(); // guarded by mu
  private final LineDiscipline line = new LineDiscipline(modes); // guarded by mu

  /** Readers and writers of the slave. */
  final WaitQueue slaveQueue = new WaitQueue();

  /** Readers and writers of the master. */
  final WaitQueue masterQueue = new WaitQueue();

  // All guarded by mu.
  private int slaves; // open descriptions
  private boolean everOpened;
  private boolean slaveClosed; // the last slave was closed; a new open clears it
  private boolean masterClosed;
  private boolean hungUp;
  private boolean locked = true;
  private boolean exclusive;
  private boolean packet;
  private long windowSize; // struct winsize
  private @Nullable ThreadGroup sessionLeader;
  private @Nullable Pid foreground;
  private int generation; // counts hang-ups: descriptions opened before one are dead
  private final ReadTimer timer = new ReadTimer();
  private long readDeadlineNs; // of a blocking read with VMIN 0, or 0

  /** Wakes readers when VTIME has passed. */
  private final class ReadTimer extends TimerWheel.Timer {
    @Override
    protected void expired() {
      slaveQueue.notify(Poll.POLLIN);
    }
  }

  public PseudoTerminal(Kernel kernel, int index) {
    this.kernel = kernel;
    this.index = index;
  }

  /** {@return N of /dev/pts/N} */
  public int index() {
    return index;
  }

  @Override
  public long device() {
    return SpecialFiles.device(136, index);
  }

  // ---- opening and closing ----

  /** {@return 0 if the slave may be opened, else -EIO or -EBUSY} */
  long checkSlaveOpen(Task t) {
    synchronized (mu) {
      if (locked || masterClosed) {
        return -EIO;
      }
      return exclusive && !t.hasCapability(Caps.CAP_SYS_ADMIN) ? -redoubt.abi.Errno.EBUSY : 0;
    }
  }

  /** A slave description was made; returns the generation that it belongs to. */
  int slaveOpened() {
    synchronized (mu) {
      slaves++;
      everOpened = true;
      slaveClosed = false;
      hungUp = false;
      return generation;
    }
  }

  void slaveClosed() {
    synchronized (mu) {
      if (--slaves > 0) {
        return;
      }
      slaveClosed = true;
      exclusive = false;
    }
    masterQueue.notify(Poll.POLLIN | Poll.POLLHUP | Poll.POLLOUT);
  }

  /** The master's last description is gone: the terminal hangs up. */
  public void masterClosed() {
    synchronized (mu) {
      masterClosed = true;
    }
    hangUp();
  }

  /** Hangs up, as vhangup(2): descriptions of the slave are dead from now on. */
  void hangUp() {
    ThreadGroup leader;
    synchronized (mu) {
      hungUp = true;
      generation++;
      line.flushInput();
      line.flushOutput();
      line.flowStopped = false;
      line.start();
      leader = sessionLeader;
      sessionLeader = null;
      foreground = null;
    }
    if (leader != null) {
      forgetInSession(leader);
      Signals.send(leader, SignalInfo.kernel(Signal.SIGHUP));
      Signals.send(leader, SignalInfo.kernel(Signal.SIGCONT));
    }
    slaveQueue.notify(Poll.POLLIN | Poll.POLLOUT | Poll.POLLHUP | Poll.POLLERR);
    masterQueue.notify(Poll.POLLIN | Poll.POLLOUT | Poll.POLLHUP);
  }

  void setLocked(boolean on) {
    synchronized (mu) {
      locked = on;
    }
  }

  /** unlockpt(3). */
  public void unlock() {
    setLocked(false);
  }

  boolean isLocked() {
    synchronized (mu) {
      return locked;
    }
  }

  void setExclusive(boolean on) {
    synchronized (mu) {
      exclusive = on;
    }
  }

  boolean isExclusive() {
    synchronized (mu) {
      return exclusive;
    }
  }

  // ---- the slave's data ----

  /** {@return whether a description of generation {@code opened} was cut off} Under mu. */
  private boolean isDead(int opened) {
    return hungUp || opened != generation;
  }

  /** {@return whether a hang-up cut off descriptions of generation {@code opened}} */
  boolean isCutOff(int opened) {
    synchronized (mu) {
      return isDead(opened);
    }
  }

  /** Reads for the slave into {@code dst}: bytes, 0 at the end, -EAGAIN. */
  long readSlave(MemorySegment dst, int limit, int opened, boolean mayWait) {
    long n;
    synchronized (mu) {
      if (isDead(opened)) {
        return 0;
      }
      if (limit == 0) {
        return 0;
      }
      boolean canonical = modes.l(ICANON) && !modes.l(EXTPROC);
      if (!canonical && !ready(limit, mayWait)) {
        return readDeadlineNs == EXPIRED ? expiredRead() : -EAGAIN;
      }
      if (canonical && !line.isReadable(1)) {
        return masterClosed ? 0 : -EAGAIN;
      }
      n = line.read(dst, limit);
      readDeadlineNs = 0;
      line.receiveTyped();
    }
    afterChange(true);
    return n;
  }

  private static final long EXPIRED = -1;

  /** VMIN 0, VTIME passed: the read ends with nothing. Under mu. */
  private long expiredRead() {
    readDeadlineNs = 0;
    return 0;
  }

  /**
   * Whether a read without lines has enough: <a
   * href="https://man7.org/linux/man-pages/man3/termios.3.html">VMIN and VTIME</a>. Under mu.
   */
  private boolean ready(int limit, boolean mayWait) {
    int vmin = modes.cc(VMIN);
    long vtimeNs = modes.cc(VTIME) * VTIME_UNIT_NS;
    int have = line.buffered();
    if (vmin == 0) {
      if (have > 0) {
        return true;
      }
      long now = System.nanoTime();
      if (vtimeNs == 0) {
        readDeadlineNs = EXPIRED; // nothing there is an answer
      } else if (!mayWait) {
        return false;
      } else if (readDeadlineNs == 0) {
        readDeadlineNs = now + vtimeNs;
        kernel.timers().arm(timer, readDeadlineNs);
      } else if (now - readDeadlineNs >= 0) {
        readDeadlineNs = EXPIRED;
      }
      return false;
    }
    if (have >= Math.min(vmin, limit)) {
      return true;
    }
    if (have > 0 && vtimeNs > 0) {
      long deadline = line.lastInputNs + vtimeNs;
      if (System.nanoTime() - deadline >= 0) {
        return true;
      }
      kernel.timers().arm(timer, deadline);
    }
    return false;
  }

  /** {@return how many bytes the slave may write now}, -EIO when hung up */
  long slaveRoom(int opened) {
    synchronized (mu) {
      return isDead(opened) || masterClosed ? -EIO : line.outputRoom();
    }
  }

  /** Prints {@code n} bytes, at most what {@link #slaveRoom} said. */
  long writeSlave(MemorySegment src, int n, int opened) {
    synchronized (mu) {
      if (isDead(opened) || masterClosed) {
        return -EIO;
      }
      line.print(src, 0, n);
    }
    masterQueue.notify(Poll.POLLIN);
    return n;
  }

  int pollSlave(int opened) {
    synchronized (mu) {
      if (isDead(opened)) {
        return Poll.POLLIN
            | Poll.POLLOUT
            | Poll.POLLERR
            | Poll.POLLHUP
            | Poll.POLLRDNORM
            | Poll.POLLWRNORM;
      }
      int vmin = modes.cc(VTIME) == 0 && modes.cc(VMIN) != 0 ? modes.cc(VMIN) : 1;
      int r = line.isReadable(vmin) ? Poll.POLLIN | Poll.POLLRDNORM : 0;
      if (masterClosed) {
        r |= Poll.POLLHUP | Poll.POLLIN | Poll.POLLRDNORM;
      }
      return line.outputRoom() > 0 ? r | Poll.POLLOUT | Poll.POLLWRNORM : r;
    }
  }

  int slaveBytes() {
    synchronized (mu) {
      return line.available();
    }
  }

  // ---- the master's data ----

  /** {@return how many bytes the master may write now} */
  public int masterRoom() {
    synchronized (mu) {
      return LineDiscipline.TYPED_LIMIT - line.typed.size();
    }
  }

  /** Types {@code n} bytes, at most what {@link #masterRoom} said. */
  public void writeMaster(MemorySegment src, long offset, int n) {
    synchronized (mu) {
      line.typed.addAll(src, offset, n);
      line.receiveTyped();
    }
    afterChange(false);
  }

  /** TIOCSTI: types one byte. */
  void type(int b) {
    synchronized (mu) {
      if (line.typed.size() < LineDiscipline.TYPED_LIMIT) {
        line.typed.add(b);
      }
      line.receiveTyped();
    }
    afterChange(false);
  }

  /**
   * Reads what was printed: bytes, -EAGAIN when there is nothing, -EIO when no slave is open any
   * more.
   */
  public long readMaster(MemorySegment dst, int limit) {
    long n;
    synchronized (mu) {
      if (packet && limit > 0) {
        if (line.packetStatus != 0) {
          dst.set(redoubt.host.Memory.BYTE, 0, (byte) line.packetStatus);
          line.packetStatus = 0;
          return 1;
        }
        if (!line.output.isEmpty()) {
          dst.set(redoubt.host.Memory.BYTE, 0, (byte) TIOCPKT_DATA);
          n = 1 + line.output.takeAll(dst, 1, limit - 1);
        } else {
          n = 0;
        }
      } else {
        n = line.output.takeAll(dst, 0, limit);
      }
      if (n == 0 && limit > 0) {
        return slaveClosed && everOpened ? -EIO : -EAGAIN;
      }
    }
    slaveQueue.notify(Poll.POLLOUT);
    return n;
  }

  int pollMaster() {
    synchronized (mu) {
      int r = 0;
      if (!line.output.isEmpty()) {
        r |= Poll.POLLIN | Poll.POLLRDNORM;
      }
      if (packet && line.packetStatus != 0) {
        r |= Poll.POLLPRI | Poll.POLLIN | Poll.POLLRDNORM;
      }
      if (slaveClosed && everOpened) {
        r |= Poll.POLLHUP;
      }
      return line.typed.size() < LineDiscipline.TYPED_LIMIT
          ? r | Poll.POLLOUT | Poll.POLLWRNORM
          : r;
    }
  }

  /** {@return who is told when the master becomes readable or writable} */
  public WaitQueue masterQueue() {
    return masterQueue;
  }

  int masterBytes() {
    synchronized (mu) {
      return line.output.size();
    }
  }

  void setPacket(boolean on) {
    synchronized (mu) {
      if (on && !packet) {
        line.packetStatus = 0;
      }
      packet = on;
    }
  }

  boolean isPacket() {
    synchronized (mu) {
      return packet;
    }
  }

  // ---- control ----

  /** Sends what the discipline decided, and wakes both ends. Called without mu. */
  private void afterChange(boolean roomForMaster) {
    long signals;
    Pid group;
    synchronized (mu) {
      signals = line.signals;
      line.signals = 0;
      group = foreground;
    }
    if (group != null) {
      for (int s = 1; signals != 0 && s < 64; s++) {
        if ((signals >>> s & 1) != 0) {
          Signals.sendToGroup(kernel, group, SignalInfo.kernel(s));
        }
      }
    }
    slaveQueue.notify(Poll.POLLIN | Poll.POLLOUT);
    masterQueue.notify(
        roomForMaster ? Poll.POLLIN | Poll.POLLOUT | Poll.POLLPRI : Poll.POLLIN | Poll.POLLPRI);
  }

  /** TIOCSIG: as if the key for {@code signo} had been typed. */
  void signalForeground(int signo) {
    synchronized (mu) {
      line.signal(signo);
    }
    afterChange(false);
  }

  /** Copies the modes to {@code s}: struct termios, or termios2. */
  void modes(MemorySegment s, boolean two) {
    synchronized (mu) {
      modes.write(s, two);
    }
  }

  void termio(MemorySegment s) {
    synchronized (mu) {
      modes.writeTermio(s);
    }
  }

  /** Sets the modes. {@code format}: 0 termios, 1 termios2, 2 termio. {@code flush}: TCSETSF. */
  void setModes(MemorySegment s, int format, boolean flush) {
    synchronized (mu) {
      if (flush) {
        line.flushInput();
      }
      TermiosState old = new TermiosState();
      old.copyFrom(modes);
      if (format == 2) {
        modes.readTermio(s);
      } else {
        modes.read(s, format == 1);
      }
      line.modesChanged(old);
      line.receiveTyped();
    }
    afterChange(true);
  }

  /** {@return struct winsize as one little-endian long} */
  public long windowSizeBits() {
    return windowSize();
  }

  /** The terminal behind a bridge is gone: as when a modem loses its line. */
  public void hangUpFromHost() {
    hangUp();
  }

  long windowSize() {
    synchronized (mu) {
      return windowSize;
    }
  }

  /** Sets struct winsize as one little-endian long; the foreground hears of a change. */
  public void setWindowSize(long size) {
    synchronized (mu) {
      if (windowSize == size) {
        return;
      }
      windowSize = size;
      line.signals |= 1L << Signal.SIGWINCH;
    }
    afterChange(false);
  }

  @Override
  public void resize(int rows, int columns) {
    setWindowSize(rows, columns);
  }

  /** As {@link #setWindowSize(long)}. */
  public void setWindowSize(int rows, int columns) {
    setWindowSize((rows & 0xffffL) | (columns & 0xffffL) << 16);
  }

  /** tcflush(3). {@code fromMaster}: the queues are seen from the other end. */
  long flush(int which, boolean fromMaster) {
    boolean input = which == TCIFLUSH || which == TCIOFLUSH;
    boolean output = which == TCOFLUSH || which == TCIOFLUSH;
    if (!input && !output) {
      return -redoubt.abi.Errno.EINVAL;
    }
    synchronized (mu) {
      if (fromMaster ? output : input) {
        line.flushInput();
      }
      if (fromMaster ? input : output) {
        line.flushOutput();
      }
    }
    afterChange(true);
    return 0;
  }

  /** tcflow(3). */
  long flow(int action) {
    synchronized (mu) {
      switch (action) {
        case TCOOFF -> {
          line.stop();
          line.flowStopped = true;
        }
        case TCOON -> {
          line.flowStopped = false;
          line.start();
        }
        case TCIOFF -> sendFlowCharacter(VSTOP);
        case TCION -> sendFlowCharacter(VSTART);
        default -> {
          return -redoubt.abi.Errno.EINVAL;
        }
      }
    }
    afterChange(true);
    return 0;
  }

  private void sendFlowCharacter(int which) {
    if (modes.cc(which) != TermiosState.DISABLED) {
      line.output.add(modes.cc(which));
    }
  }

  boolean stopsBackgroundOutput() {
    synchronized (mu) {
      return modes.l(TOSTOP);
    }
  }

  // ---- job control ----

  @Override
  public @Nullable Pid foreground() {
    synchronized (mu) {
      return foreground;
    }
  }

  /** {@return the session}, or null without one */
  @Nullable Pid session() {
    synchronized (mu) {
      ThreadGroup l = sessionLeader;
      return l == null ? null : l.session();
    }
  }

  /** {@return whether this is the controlling terminal of {@code g}} */
  boolean controls(ThreadGroup g) {
    return g.tty == this;
  }

  /**
   * What a background process gets for touching the terminal: tty_check_change.
   *
   * @param signo SIGTTIN or SIGTTOU
   * @return 0 to go on, -EIO, or -ERESTARTSYS after the signal was sent
   */
  long checkBackground(Task t, int signo) {
    ThreadGroup g = t.threadGroup();
    if (!controls(g)) {
      return 0;
    }
    Pid fg = foreground();
    if (fg == null || fg == g.pgrp()) {
      return 0;
    }
    boolean ignored;
    SignalHandlers h = g.handlers();
    synchronized (h.mu) {
      ignored =
          h.action(signo).handler == SignalHandlers.SIG_IGN
              || (t.signalMask() >>> (signo - 1) & 1) != 0;
    }
    if (ignored) {
      return signo == Signal.SIGTTIN ? -EIO : 0;
    }
    if (ProcessGroups.isOrphaned(g)) {
      return -EIO;
    }
    Signals.sendToGroup(kernel, g.pgrp(), SignalInfo.kernel(signo));
    return -ERESTARTSYS;
  }

  /**
   * Makes this the controlling terminal of the caller's session, which it leads: at open or by
   * TIOCSCTTY.
   *
   * @param steal the argument of TIOCSCTTY, 1 to take it from another session; -1 at open, without
   *     errors
   */
  public long adopt(Task t, int steal, boolean readable) {
    ThreadGroup g = t.threadGroup();
    ThreadGroup robbed = null;
    synchronized (kernel.tasks().mu) {
      synchronized (mu) {
        if (g.tty == this && sessionLeader == g) {
          return 0;
        }
        if (!g.leadsSession() || g.tty != null) {
          return -EPERM;
        }
        ThreadGroup l = sessionLeader;
        if (l != null && !l.isZombie() && l != g) {
          if (steal != 1 || !t.hasCapability(Caps.CAP_SYS_ADMIN)) {
            return -EPERM;
          }
          robbed = l;
        }
        if (!readable && !t.hasCapability(Caps.CAP_SYS_ADMIN)) {
          return -EPERM;
        }
        sessionLeader = g;
        foreground = g.pgrp();
        g.tty = this;
      }
    }
    if (robbed != null) {
      forgetInSession(robbed);
    }
    return 0;
  }

  /** All processes of {@code leader}'s session lose their terminal, if it is this one. */
  private void forgetInSession(ThreadGroup leader) {
    synchronized (kernel.tasks().mu) {
      Pid session = leader.session();
      for (ThreadGroup m : session.namespace().threadGroups()) {
        if (m.session() == session && m.tty == this) {
          m.tty = null;
        }
      }
      if (leader.tty == this) {
        leader.tty = null;
      }
    }
  }

  /** TIOCNOTTY. */
  long disown(Task t) {
    ThreadGroup g = t.threadGroup();
    if (!controls(g)) {
      return -redoubt.abi.Errno.ENOTTY;
    }
    if (g.leadsSession()) {
      leave(g, true);
    } else {
      g.tty = null;
    }
    return 0;
  }

  @Override
  public void sessionLeaderExited() {
    ThreadGroup l;
    synchronized (mu) {
      l = sessionLeader;
    }
    if (l != null) {
      leave(l, false);
    }
  }

  /**
   * The leader gives the terminal up: the foreground gets SIGHUP (and SIGCONT unless the leader
   * dies).
   */
  private void leave(ThreadGroup leader, boolean goesOn) {
    Pid fg;
    synchronized (mu) {
      fg = foreground;
      sessionLeader = null;
      foreground = null;
    }
    if (fg != null) {
      Signals.sendToGroup(kernel, fg, SignalInfo.kernel(Signal.SIGHUP));
      Signals.sendToGroup(kernel, fg, SignalInfo.kernel(Signal.SIGCONT));
    }
    if (goesOn) {
      slaveQueue.notify(Poll.POLLIN);
    }
    forgetInSession(leader);
  }

  /** TIOCSPGRP: {@code group} of the caller's session becomes the foreground. */
  long setForeground(Task t, int group) {
    ThreadGroup g = t.threadGroup();
    long r = checkBackground(t, Signal.SIGTTOU);
    if (r < 0) {
      return r;
    }
    if (!controls(g) || session() != g.session()) {
      return -redoubt.abi.Errno.ENOTTY;
    }
    if (group < 0) {
      return -redoubt.abi.Errno.EINVAL;
    }
    Pid pgrp;
    synchronized (kernel.tasks().mu) {
      pgrp = t.pidNamespace().pid(group);
    }
    List<ThreadGroup> members = pgrp == null ? List.of() : Signals.groupMembers(kernel, pgrp);
    if (members.isEmpty()) {
      return -redoubt.abi.Errno.ESRCH;
    }
    if (members.getFirst().session() != g.session()) {
      return -EPERM;
    }
    synchronized (mu) {
      foreground = pgrp;
    }
    return 0;
  }
}
