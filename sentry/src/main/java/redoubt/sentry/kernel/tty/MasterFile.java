package redoubt.sentry.kernel.tty;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Termios.*;

import java.lang.foreign.MemorySegment;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.VfsPath;

/** What opening /dev/ptmx gives: the master end of a new pair. */
public final class MasterFile extends FileDescription {
  private final PseudoTerminal tty;
  private final Peer peer;

  /** What the filesystem of the slaves does for a master. */
  public interface Peer {
    /** The pair is over: its name goes. */
    void closed(PseudoTerminal tty);

    /** {@return where the slave's file is}, for TIOCGPTPEER */
    VfsPath slavePath(PseudoTerminal tty);
  }

  public MasterFile(PseudoTerminal tty, Peer peer, VfsPath path, int flags, Task t) {
    super(path, flags, t.creds());
    this.tty = tty;
    this.peer = peer;
  }

  public PseudoTerminal terminal() {
    return tty;
  }

  @Override
  protected void release() {
    peer.closed(tty);
    tty.masterClosed();
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    MemorySegment s = t.scratch();
    long n = tty.readMaster(s, (int) Math.min(dst.remaining(), Task.PATH_MAX));
    return n <= 0 ? n : dst.put(s, 0, n);
  }

  @Override
  public long write(Task t, IoBuffer src, long offset) {
    MemorySegment s = t.scratch();
    long done = 0;
    while (src.remaining() > 0) {
      long room = tty.masterRoom();
      if (room <= 0) {
        return done > 0 ? done : -EAGAIN;
      }
      long n = src.get(s, 0, Math.min(Math.min(room, Task.PATH_MAX), src.remaining()));
      if (n <= 0) {
        return done > 0 ? done : n;
      }
      tty.writeMaster(s, 0, (int) n);
      done += n;
    }
    return done;
  }

  @Override
  public int poll() {
    return tty.pollMaster();
  }

  @Override
  public WaitQueue waitQueue() {
    return tty.masterQueue();
  }

  @Override
  public long ioctl(Task t, Args a) {
    long uaddr = a.long2();
    return switch (a.int1()) {
      case TIOCGPTN -> t.copyOutInt(uaddr, tty.index());
      case TIOCSPTLCK -> {
        long v = t.copyInInt(uaddr);
        if (v < 0) {
          yield -EFAULT;
        }
        tty.setLocked(v != 0);
        yield 0;
      }
      case TIOCGPTLCK -> t.copyOutInt(uaddr, tty.isLocked() ? 1 : 0);
      case TIOCPKT -> {
        long v = t.copyInInt(uaddr);
        if (v < 0) {
          yield -EFAULT;
        }
        tty.setPacket(v != 0);
        yield 0;
      }
      case TIOCGPKT -> t.copyOutInt(uaddr, tty.isPacket() ? 1 : 0);
      case TIOCSIG -> {
        int signo = a.int2();
        if (signo < 1 || signo > 64) {
          yield -EINVAL;
        }
        tty.signalForeground(signo);
        yield 0;
      }
      case TIOCGPTPEER -> peer(t, a.int2());
      default -> TtyIoctls.ioctl(t, a, tty, true, isReadable());
    };
  }

  private long peer(Task t, int flags) {
    try {
      SlaveFile f = SlaveFile.open(tty, t, peer.slavePath(tty), flags);
      return t.installFd(f, (flags & 02000000) != 0);
    } catch (ErrnoException e) {
      return -e.errno();
    }
  }

  @Override
  public long fsync(boolean dataOnly) {
    return -EINVAL;
  }

  /** {@return the name that Linux shows for it in /proc/PID/fd} */
  @Override
  public String linkText() {
    return "/dev/ptmx";
  }
}
