package redoubt.sentry.fs.dev;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Caps;
import redoubt.abi.Nr;
import redoubt.host.RawSyscall;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.VfsPath;

/**
 * <a href="https://man7.org/linux/man-pages/man4/random.4.html">random(4)</a>: the host's
 * getrandom(2). Never blocks, as since Linux 5.18 once the pool is ready.
 */
final class RandomFile extends CharacterFile {
  private static final int RNDGETENTCNT = 0x80045200;
  private static final int RNDADDTOENTCNT = 0x40045201;
  private static final int RNDADDENTROPY = 0x40085203;
  private static final int RNDZAPENTCNT = 0x5204;
  private static final int RNDCLEARPOOL = 0x5206;
  private static final int RNDRESEEDCRNG = 0x5207;

  RandomFile(Task t, VfsPath path, int flags) {
    super(t, path, flags);
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    long done = 0;
    while (dst.remaining() > 0) {
      MemorySegment w = dst.window();
      long want = Math.min(Math.min(dst.remaining(), dst.windowLimit()), 65536);
      if (want <= 0) {
        break;
      }
      long got = RawSyscall.syscall(Nr.GETRANDOM, w.address(), want, 0);
      if (got <= 0) {
        return done > 0 ? done : got;
      }
      long r = dst.commit(got);
      if (r < 0) {
        return done > 0 ? done : r;
      }
      done += r;
      if (r < got || t.isInterrupted()) {
        break;
      }
    }
    return done;
  }

  /** What is written is not mixed in: the host's pool needs no help from a guest. */
  @Override
  public long write(Task t, IoBuffer src, long offset) {
    return src.remaining();
  }

  @Override
  public long ioctl(Task t, Args a) {
    return switch (a.int1()) {
      case RNDGETENTCNT -> t.copyOutInt(a.long2(), 256);
      case RNDADDTOENTCNT, RNDADDENTROPY, RNDZAPENTCNT, RNDCLEARPOOL, RNDRESEEDCRNG ->
          t.hasCapability(Caps.CAP_SYS_ADMIN) ? 0 : -EPERM;
      default -> -EINVAL;
    };
  }
}
