package redoubt.sentry.fs.overlay;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Fcntl;
import redoubt.sentry.fs.FileContent;
import redoubt.sentry.fs.RegularFile;
import redoubt.sentry.fs.tmpfs.TmpDir;
import redoubt.sentry.fs.tmpfs.TmpFile;
import redoubt.sentry.fs.tmpfs.TmpInode;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.KernelIo;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.mm.Mappable;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.SetAttr;
import redoubt.sentry.vfs.VfsPath;

/**
 * A regular file of an overlay. Opening it for writing copies nothing yet: the first write, change
 * of attributes or writable shared mapping does.
 */
final class OverlayFile extends OverlayInode implements FileContent {
  private static final int LOWER_FLAGS = Fcntl.O_RDONLY;

  // Guarded by this. While there are users, what is shown is held open.
  private int users;
  private boolean lowerOpen;
  private boolean upperOpen;

  OverlayFile(
      OverlayFs fs,
      @Nullable TmpFile upper,
      @Nullable Inode lower,
      @Nullable OverlayDir origin,
      String originName) {
    super(fs, upper, lower, origin, originName);
  }

  private FileContent content() {
    return (FileContent) real();
  }

  private @Nullable TmpFile upperFile() {
    return (TmpFile) upperOrNull();
  }

  @Override
  public FileDescription open(Task t, VfsPath path, int flags) {
    return RegularFile.open(this, path, flags, t.creds());
  }

  @Override
  public long opened(int flags) {
    synchronized (this) {
      if (users == 0) {
        TmpFile u = upperFile();
        long r = u != null ? u.opened(flags) : content().opened(LOWER_FLAGS);
        if (r < 0) {
          return r;
        }
        upperOpen = u != null;
        lowerOpen = u == null;
      }
      users++;
      return 0;
    }
  }

  @Override
  public void closed(int flags) {
    synchronized (this) {
      if (--users > 0) {
        return;
      }
      TmpFile u = upperFile();
      if (upperOpen && u != null) {
        u.closed(flags);
      }
      if (lowerOpen && lower instanceof FileContent l) {
        l.closed(LOWER_FLAGS);
      }
      upperOpen = false;
      lowerOpen = false;
    }
  }

  // ---- copying up ----

  @Override
  TmpInode copyUp() {
    return copyUp(Long.MAX_VALUE);
  }

  /** Copies up with at most the first {@code most} bytes. */
  private TmpFile copyUp(long most) {
    TmpFile u = upperFile();
    if (u != null) {
      return u;
    }
    synchronized (this) {
      u = upperFile();
      if (u != null) {
        return u;
      }
      Inode from = real();
      TmpFile made = overlay.upper.newFile(from.mode(), OverlayFs.KERNEL);
      ErrnoException.check(made.opened(0)); // it lives while it has no name yet
      try {
        copyData(from, made, Math.min(most, from.size()));
        OverlayFs.copyAttributes(from, made);
        publish(made);
        if (users > 0) {
          made.opened(0);
          upperOpen = true;
        }
      } finally {
        made.closed(0);
      }
      return made;
    }
  }

  private void publish(TmpFile made) {
    OverlayDir dir = origin;
    synchronized (overlay.mu) {
      if (!removed && dir != null) {
        TmpDir to = dir.copyUp();
        try (KeptTimes kept = new KeptTimes(to)) {
          to.link(originName, made);
        }
      }
      setUpper(made);
    }
  }

  private void copyData(Inode from, TmpFile to, long size) {
    if (size == 0) {
      return;
    }
    FileContent source = (FileContent) from;
    ErrnoException.check(source.opened(LOWER_FLAGS));
    MemorySegment buffer = overlay.takeCopyBuffer();
    try {
      KernelIo io = new KernelIo(buffer, 0, 0);
      long at = 0;
      while (at < size) {
        long data = source.seekData(at, false);
        if (data == -Errno.ENXIO) {
          break; // nothing but a hole up to the end
        }
        at = data < 0 ? at : data; // who cannot tell holes has none
        long hole = data < 0 ? size : source.seekData(at, true);
        long end = Math.min(size, hole < 0 ? size : hole);
        at = copyRange(source, to, at, end, io, buffer);
      }
      ErrnoException.check(to.truncate(size));
    } finally {
      overlay.giveCopyBuffer(buffer);
      source.closed(LOWER_FLAGS);
    }
  }

  /** Returns where it stopped: at {@code end}, or past the source's end. */
  private static long copyRange(
      FileContent source, TmpFile to, long from, long end, KernelIo io, MemorySegment buffer) {
    long at = from;
    while (at < end) {
      long n = Math.min(end - at, OverlayFs.COPY_BYTES);
      io.reset(buffer, 0, n);
      long r = ErrnoException.check(source.readAt(io, at));
      if (r == 0) {
        return Long.MAX_VALUE; // shorter than it said
      }
      long w = ErrnoException.check(to.storeAt(buffer.address(), at, r));
      if (w < r) {
        throw ErrnoException.of(Errno.ENOSPC);
      }
      at += r;
    }
    return at;
  }

  private long copyUpOrErrno(long most) {
    try {
      copyUp(most);
      return 0;
    } catch (ErrnoException e) {
      return -e.errno();
    }
  }

  // ---- data ----

  @Override
  public long readAt(IoBuffer dst, long offset) {
    return content().readAt(dst, offset);
  }

  @Override
  public long writeAt(IoBuffer src, long offset, RegularFile file) {
    if (upperOrNull() == null) {
      long r = copyUpOrErrno(Long.MAX_VALUE);
      if (r < 0) {
        return r;
      }
    }
    return content().writeAt(src, offset, file);
  }

  @Override
  public long truncate(long length) {
    long r = copyUpOrErrno(length);
    return r < 0 ? r : content().truncate(length);
  }

  @Override
  public void setattr(SetAttr a) {
    copyUp(a.has(SetAttr.SIZE) ? a.size : Long.MAX_VALUE).setattr(a);
  }

  @Override
  public long allocate(int mode, long offset, long length) {
    long r = copyUpOrErrno(Long.MAX_VALUE);
    return r < 0 ? r : content().allocate(mode, offset, length);
  }

  @Override
  public long seekData(long offset, boolean hole) {
    return content().seekData(offset, hole);
  }

  @Override
  public long fsync(boolean dataOnly) {
    return upperOrNull() == null ? 0 : content().fsync(dataOnly);
  }

  @Override
  public void accessed(boolean strict) {
    content().accessed(strict);
  }

  @Override
  public @Nullable Mappable mappable() {
    return real().mappable();
  }

  @Override
  public long prepareMap(boolean sharedWritable) {
    if (sharedWritable) {
      long r = copyUpOrErrno(Long.MAX_VALUE);
      if (r < 0) {
        return r;
      }
    }
    return content().prepareMap(sharedWritable);
  }
}
