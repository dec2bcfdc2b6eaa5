package redoubt.sentry.fs.kernfs;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EIO;

import java.lang.foreign.MemorySegment;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.Changes;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.VfsPath;

/**
 * A file whose text is made anew by each read from its beginning and kept for the reads that
 * follow, as Linux's seq_file; and perhaps a knob that a write turns.
 */
public abstract class TextFile extends KernInode {
  /** Most bytes that one write may bring. */
  private static final int WRITE_LIMIT = 65536;

  /** Makes the text. */
  public interface Generator {
    void generate(Task t, StringBuilder out);
  }

  /** Takes what was written; returns 0 or -errno. */
  public interface Setter {
    long set(Task t, String text);
  }

  protected TextFile(KernFs fs, long ino, int permissions) {
    super(fs, ino, S_IFREG | permissions);
  }

  /** Appends the text. May throw {@link ErrnoException}. */
  protected abstract void generate(Task t, StringBuilder out);

  /** Takes written bytes. Returns 0 or -errno; may throw {@link ErrnoException}. */
  protected long store(Task t, String text) {
    return -EIO;
  }

  /** {@return what poll(2) tells of who opens the file}, or null where it tells nothing */
  protected @Nullable Changes changes(Task t) {
    return null;
  }

  /**
   * {@return whether each reading settles the changes before it, from none on}
   * (kernfs_generic_poll); else each poll(2) does, from the opening on (mounts_poll, proc_sys_poll)
   */
  protected boolean readingSettles() {
    return false;
  }

  /** {@return what poll(2) says while nothing has changed}, as POLL* bits */
  protected int readiness() {
    return FileDescription.POLLIN
        | FileDescription.POLLOUT
        | FileDescription.POLLRDNORM
        | FileDescription.POLLWRNORM;
  }

  /** Checks at open time what the mode does not say. */
  protected void checkOpen(Task t, int flags) {}

  /** {@return whether its mode lets its owner write} */
  public final boolean isSettable() {
    return (mode() & 0200) != 0;
  }

  /** Writes {@code text} to it, for the kernel itself; {@return 0 or -errno} */
  public final long set(Task t, String text) {
    try {
      return store(t, text);
    } catch (ErrnoException e) {
      return -e.errno();
    }
  }

  /** {@return a text that {@code g} makes} */
  public static TextFile of(KernFs fs, int permissions, Generator g) {
    return of(fs, permissions, g, null);
  }

  /** {@return a text that {@code g} makes and {@code s} sets} */
  public static TextFile of(KernFs fs, int permissions, Generator g, @Nullable Setter s) {
    return new TextFile(fs, fs.nextInode(), permissions) {
      @Override
      protected void generate(Task t, StringBuilder out) {
        g.generate(t, out);
      }

      @Override
      protected long store(Task t, String text) {
        return s == null ? -EIO : s.set(t, text);
      }
    };
  }

  /** {@return a text that {@code g} makes and {@code s} sets, and that is polled for changes} */
  public static TextFile polled(
      KernFs fs, int permissions, Generator g, Setter s, Function<Task, Changes> changes) {
    return new TextFile(fs, fs.nextInode(), permissions) {
      @Override
      protected void generate(Task t, StringBuilder out) {
        g.generate(t, out);
      }

      @Override
      protected long store(Task t, String text) {
        return s.set(t, text);
      }

      @Override
      protected Changes changes(Task t) {
        return changes.apply(t);
      }
    };
  }

  /** {@return a text that never changes} */
  public static TextFile fixed(KernFs fs, int permissions, String text) {
    return new TextFile(fs, fs.nextInode(), permissions) {
      @Override
      protected void generate(Task t, StringBuilder out) {
        out.append(text);
      }
    };
  }

  /** {@return a knob that keeps what was written, without effect} */
  public static TextFile knob(KernFs fs, int permissions, String initial) {
    return new TextFile(fs, fs.nextInode(), permissions) {
      private volatile String value = initial;

      @Override
      protected void generate(Task t, StringBuilder out) {
        out.append(value);
      }

      @Override
      protected long store(Task t, String text) {
        if (text.length() > 4096) {
          return -EINVAL;
        }
        value = text.endsWith("\n") ? text : text + "\n";
        return 0;
      }
    };
  }

  @Override
  public FileDescription open(Task t, VfsPath path, int flags) {
    checkOpen(t, flags);
    return new Text(this, path, flags, t);
  }

  /** An open text. */
  private static final class Text extends FileDescription {
    private final TextFile file;
    private volatile @Nullable MemorySegment text;
    private final @Nullable Changes changes;
    private volatile int seen;

    Text(TextFile file, VfsPath path, int flags, Task t) {
      super(path, flags, t.creds());
      this.file = file;
      this.changes = file.changes(t);
      this.seen = changes == null || file.readingSettles() ? -1 : changes.count();
    }

    @Override
    public boolean isSeekable() {
      return true;
    }

    @Override
    public long read(Task t, IoBuffer dst, long offset) {
      MemorySegment s = text;
      if (s == null || offset == 0) {
        StringBuilder out = new StringBuilder(256);
        if (changes != null && file.readingSettles()) {
          seen = changes.count();
        }
        try {
          file.generate(t, out);
        } catch (ErrnoException e) {
          return -e.errno();
        }
        s = MemorySegment.ofArray(Latin1.bytes(out.toString()));
        text = s;
      }
      if (offset < 0) {
        return -EINVAL;
      }
      long n = Math.min(dst.remaining(), s.byteSize() - offset);
      return n <= 0 ? 0 : dst.put(s, offset, n);
    }

    @Override
    public long write(Task t, IoBuffer src, long offset) {
      int n = (int) Math.min(src.remaining(), WRITE_LIMIT);
      byte[] b = new byte[n];
      long got = src.get(MemorySegment.ofArray(b), 0, n);
      if (got < 0) {
        return got;
      }
      try {
        long r =
            file.store(
                t, new String(b, 0, (int) got, java.nio.charset.StandardCharsets.ISO_8859_1));
        return r < 0 ? r : got;
      } catch (ErrnoException e) {
        return -e.errno();
      }
    }

    @Override
    public int poll() {
      if (changes == null) {
        return super.poll();
      }
      int now = changes.count();
      int news = now != seen ? POLLERR | POLLPRI : 0;
      if (!file.readingSettles()) {
        seen = now;
      }
      return file.readiness() | news;
    }

    @Override
    public @Nullable WaitQueue waitQueue() {
      return changes == null ? null : changes.queue;
    }

    @Override
    public long truncate(long length) {
      return 0; // fs/proc: proc_setattr takes any size and keeps none
    }

    @Override
    public long seek(Task t, long offset, int whence) {
      long target = whence == 0 ? offset : whence == 1 ? position + offset : -1;
      if (target < 0) {
        return -EINVAL; // seq_lseek knows no SEEK_END
      }
      position = target;
      return target;
    }
  }
}
