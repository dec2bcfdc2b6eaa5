package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.E2BIG;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOENT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import redoubt.abi.Fcntl;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Exec;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Vfs;
import redoubt.sentry.vfs.VfsPath;

/** New programs: <a href="https://man7.org/linux/man-pages/man2/execve.2.html">execve(2)</a>. */
final class ExecCalls {
  private static final int MAX_STRING = 128 * 1024;
  private static final int MAX_STRINGS = 1 << 20;
  private static final long MAX_TOTAL = 6L << 20;

  private ExecCalls() {}

  static long execve(Task t, Args a) {
    String path = t.copyInPath(a.long0());
    return exec(t, Fcntl.AT_FDCWD, path, a.long1(), a.long2(), 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/execveat.2.html">execveat(2)</a>. */
  static long execveat(Task t, Args a) {
    int flags = a.int4();
    if ((flags & ~(Fcntl.AT_EMPTY_PATH | Fcntl.AT_SYMLINK_NOFOLLOW)) != 0) {
      return -EINVAL;
    }
    String path = t.copyInPathOrEmpty(a.long1());
    if (path.isEmpty() && (flags & Fcntl.AT_EMPTY_PATH) == 0) {
      return -ENOENT;
    }
    return exec(t, a.int0(), path, a.long2(), a.long3(), flags);
  }

  private static long exec(Task t, int dirfd, String path, long argvAt, long envpAt, int flags) {
    VfsPath file;
    String name = path;
    if (path.isEmpty()) {
      file = t.startAt(dirfd, path);
      Vfs.checkExecutable(t, file);
      name = "/dev/fd/" + dirfd;
    } else {
      file =
          Vfs.executable(t, t.startAt(dirfd, path), path, (flags & Fcntl.AT_SYMLINK_NOFOLLOW) == 0);
      if (dirfd != Fcntl.AT_FDCWD && path.charAt(0) != '/') {
        name = "/dev/fd/" + dirfd + "/" + path;
      }
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment buffer = arena.allocate(MAX_STRING);
      List<byte[]> argv = strings(t, argvAt, buffer);
      List<byte[]> envp = strings(t, envpAt, buffer);
      return Exec.exec(t, file, name, argv, envp);
    }
  }

  /**
   * {@return the strings of the pointer array at {@code uaddr}}; a null array is empty, as in Linux
   */
  private static List<byte[]> strings(Task t, long uaddr, MemorySegment buffer) {
    List<byte[]> out = new ArrayList<>();
    if (uaddr == 0) {
      return out;
    }
    long total = 0;
    MemorySegment pointers = t.scratch();
    for (int i = 0; ; ) {
      // Up to the end of the page, so that a fault past the array's end is none of ours.
      long at = uaddr + 8L * i;
      long n = Math.max(1, Math.min(64, (Memory.PAGE - (at & (Memory.PAGE - 1))) / 8));
      if (t.copyIn(at, pointers, 0, n * 8) < 0) {
        throw ErrnoException.of(EFAULT);
      }
      long[] batch = new long[(int) n];
      MemorySegment.copy(pointers, Memory.LONG, 0, batch, 0, batch.length);
      for (long p : batch) {
        if (p == 0) {
          return out;
        }
        long length = ErrnoException.check(t.context().copyInString(p, buffer, 0, MAX_STRING));
        total += length + 9;
        if (length == MAX_STRING || total > MAX_TOTAL || ++i > MAX_STRINGS) {
          throw ErrnoException.of(E2BIG);
        }
        out.add(buffer.asSlice(0, length).toArray(Memory.BYTE));
      }
    }
  }
}
