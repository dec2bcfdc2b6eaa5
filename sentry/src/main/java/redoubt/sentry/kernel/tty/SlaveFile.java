package redoubt.sentry.kernel.tty;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EIO;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Signal;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.VfsPath;

/** An open terminal: the slave end of a pair. */
public final class SlaveFile extends FileDescription {
  private static final int O_NOCTTY = 0400;

  private final PseudoTerminal tty;
  private final int generation;

  private SlaveFile(PseudoTerminal tty, VfsPath path, int flags, Credentials creds) {
    super(path, flags, creds);
    this.tty = tty;
    this.generation = tty.slaveOpened();
  }

  /**
   * Opens the slave of {@code tty}; a session leader without a terminal gets it as its own.
   *
   * @throws ErrnoException EIO while locked or when the master is gone, EBUSY in exclusive mode
   */
  public static SlaveFile open(PseudoTerminal tty, Task t, VfsPath path, int flags) {
    ErrnoException.check(tty.checkSlaveOpen(t));
    SlaveFile f = new SlaveFile(tty, path, flags, t.creds());
    if ((flags & O_NOCTTY) == 0 && f.isReadable()) {
      tty.adopt(t, -1, true);
    }
    return f;
  }

  /**
   * {@return the slave of {@code tty} for a process that is being made}; {@link
   * PseudoTerminal#adopt} comes later
   */
  public static SlaveFile forProcess(PseudoTerminal tty, VfsPath path, Credentials owner) {
    return new SlaveFile(tty, path, O_RDWR, owner);
  }

  public PseudoTerminal terminal() {
    return tty;
  }

  @Override
  protected void release() {
    tty.slaveClosed();
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    long r = tty.checkBackground(t, Signal.SIGTTIN);
    if (r < 0) {
      return r;
    }
    MemorySegment s = t.scratch();
    int limit = (int) Math.min(dst.remaining(), Task.PATH_MAX);
    long n = tty.readSlave(s, limit, generation, !isNonblocking());
    return n <= 0 ? n : dst.put(s, 0, n);
  }

  @Override
  public long write(Task t, IoBuffer src, long offset) {
    if (tty.stopsBackgroundOutput()) {
      long r = tty.checkBackground(t, Signal.SIGTTOU);
      if (r < 0) {
        return r;
      }
    }
    MemorySegment s = t.scratch();
    long done = 0;
    while (src.remaining() > 0) {
      long room = tty.slaveRoom(generation);
      if (room <= 0) {
        return done > 0 ? done : room < 0 ? -EIO : -EAGAIN;
      }
      long n = src.get(s, 0, Math.min(Math.min(room, Task.PATH_MAX), src.remaining()));
      if (n <= 0) {
        return done > 0 ? done : n;
      }
      long r = tty.writeSlave(s, (int) n, generation);
      if (r < 0) {
        return done > 0 ? done : r;
      }
      done += n;
    }
    return done;
  }

  @Override
  public int poll() {
    return tty.pollSlave(generation);
  }

  @Override
  public WaitQueue waitQueue() {
    return tty.slaveQueue;
  }

  @Override
  public long ioctl(Task t, Args a) {
    if (tty.isCutOff(generation)) {
      return -EIO;
    }
    return TtyIoctls.ioctl(t, a, tty, false, isReadable());
  }

  @Override
  public long fsync(boolean dataOnly) {
    return -EINVAL;
  }
}
