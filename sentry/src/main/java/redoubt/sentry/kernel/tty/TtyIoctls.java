package redoubt.sentry.kernel.tty;

import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EIO;
import static redoubt.abi.Errno.ENOTTY;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Termios.*;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Caps;
import redoubt.abi.Signal;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Pid;
import redoubt.sentry.kernel.Task;

/**
 * <a href="https://man7.org/linux/man-pages/man2/ioctl_tty.2.html">ioctl_tty(2)</a> for both ends
 * of a pair.
 */
final class TtyIoctls {
  private static final int FIONREAD = TIOCINQ;

  private TtyIoctls() {}

  /** Handles what both ends share; {@code master} tells which one was asked. */
  static long ioctl(Task t, Args a, PseudoTerminal tty, boolean master, boolean readable) {
    int command = a.int1();
    long uaddr = a.long2();
    return switch (command) {
      case TCGETS -> copyModes(t, tty, uaddr, false);
      case TCGETS2 -> copyModes(t, tty, uaddr, true);
      case TCGETA -> {
        tty.termio(t.scratch());
        yield t.copyOutScratch(uaddr, 18);
      }
      case TCSETS, TCSETSW, TCSETSF -> setModes(t, tty, uaddr, 0, command == TCSETSF, master);
      case TCSETS2, TCSETSW2, TCSETSF2 -> setModes(t, tty, uaddr, 1, command == TCSETSF2, master);
      case TCSETA, TCSETAW, TCSETAF -> setModes(t, tty, uaddr, 2, command == TCSETAF, master);
      case TIOCGWINSZ -> {
        t.scratch().set(Memory.LONG, 0, tty.windowSize());
        yield t.copyOutScratch(uaddr, SIZEOF_WINSIZE);
      }
      case TIOCSWINSZ -> {
        if (t.copyInScratch(uaddr, SIZEOF_WINSIZE) < 0) {
          yield -EFAULT;
        }
        tty.setWindowSize(t.scratch().get(Memory.LONG, 0));
        yield 0;
      }
      case TIOCGPGRP -> {
        if (!master && !tty.controls(t.threadGroup())) {
          yield -ENOTTY;
        }
        Pid fg = tty.foreground();
        yield t.copyOutInt(uaddr, fg == null ? 0 : fg.in(t.pidNamespace()));
      }
      case TIOCSPGRP -> {
        long group = t.copyInInt(uaddr);
        yield group < 0 ? -EFAULT : tty.setForeground(t, (int) group);
      }
      case TIOCGSID -> {
        if (!master && !tty.controls(t.threadGroup())) {
          yield -ENOTTY;
        }
        Pid session = tty.session();
        yield session == null ? -ENOTTY : t.copyOutInt(uaddr, session.in(t.pidNamespace()));
      }
      case TIOCSCTTY -> tty.adopt(t, a.int2(), readable);
      case TIOCNOTTY -> master ? -ENOTTY : tty.disown(t);
      case TCFLSH -> background(t, tty, master, () -> tty.flush(a.int2(), master));
      case TCXONC -> background(t, tty, master, () -> tty.flow(a.int2()));
      case TCSBRK, TCSBRKP, TIOCSBRK, TIOCCBRK -> background(t, tty, master, () -> 0);
      case FIONREAD -> t.copyOutInt(uaddr, master ? tty.masterBytes() : tty.slaveBytes());
      case TIOCOUTQ -> t.copyOutInt(uaddr, 0);
      case TIOCSTI -> sti(t, tty, uaddr);
      case TIOCGETD -> t.copyOutInt(uaddr, N_TTY);
      case TIOCSETD -> {
        long d = t.copyInInt(uaddr);
        yield d < 0 ? -EFAULT : d == N_TTY ? 0 : -EINVAL;
      }
      case TIOCEXCL -> {
        tty.setExclusive(true);
        yield 0;
      }
      case TIOCNXCL -> {
        tty.setExclusive(false);
        yield 0;
      }
      case TIOCGEXCL -> t.copyOutInt(uaddr, tty.isExclusive() ? 1 : 0);
      case TIOCGSOFTCAR -> t.copyOutInt(uaddr, 0);
      case TIOCSSOFTCAR -> 0;
      case TIOCGDEV -> t.copyOutInt(uaddr, (int) tty.device());
      case TIOCVHANGUP -> {
        if (!t.hasCapability(Caps.CAP_SYS_ADMIN)) {
          yield -EPERM;
        }
        tty.hangUp();
        yield 0;
      }
      case TIOCCONS -> t.hasCapability(Caps.CAP_SYS_ADMIN) ? 0 : -EPERM;
      case TIOCGLCKTRMIOS -> {
        t.scratch().asSlice(0, SIZEOF_TERMIOS).fill((byte) 0);
        yield t.copyOutScratch(uaddr, SIZEOF_TERMIOS);
      }
      default -> -ENOTTY;
    };
  }

  private interface Action {
    long run();
  }

  private static long background(Task t, PseudoTerminal tty, boolean master, Action action) {
    long r = master ? 0 : tty.checkBackground(t, Signal.SIGTTOU);
    return r < 0 ? r : action.run();
  }

  private static long copyModes(Task t, PseudoTerminal tty, long uaddr, boolean two) {
    MemorySegment s = t.scratch();
    tty.modes(s, two);
    return t.copyOutScratch(uaddr, two ? SIZEOF_TERMIOS2 : SIZEOF_TERMIOS);
  }

  private static long setModes(
      Task t, PseudoTerminal tty, long uaddr, int format, boolean flush, boolean master) {
    long r = master ? 0 : tty.checkBackground(t, Signal.SIGTTOU);
    if (r < 0) {
      return r;
    }
    int size = format == 0 ? SIZEOF_TERMIOS : format == 1 ? SIZEOF_TERMIOS2 : 18;
    if (t.copyInScratch(uaddr, size) < 0) {
      return -EFAULT;
    }
    tty.setModes(t.scratch(), format, flush);
    return 0;
  }

  /** As with dev.tty.legacy_tiocsti = 0: only for CAP_SYS_ADMIN. */
  private static long sti(Task t, PseudoTerminal tty, long uaddr) {
    if (!t.hasCapability(Caps.CAP_SYS_ADMIN)) {
      return -EIO;
    }
    if (t.copyInScratch(uaddr, 1) < 0) {
      return -EFAULT;
    }
    tty.type(t.scratch().get(Memory.BYTE, 0) & 0xff);
    return 0;
  }
}
