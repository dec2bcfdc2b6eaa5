package redoubt.sentry.fs.dev;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOSPC;
import static redoubt.abi.Errno.ENXIO;
import static redoubt.abi.Errno.EPERM;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.abi.Fcntl;
import redoubt.abi.Ioctls;
import redoubt.abi.Loop;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.SpecialFiles;
import redoubt.sentry.vfs.StatData;
import redoubt.sentry.vfs.VfsPath;

/** An open loop device: block/fops.c, block/ioctl.c, and lo_ioctl of drivers/block/loop.c. */
final class LoopFile extends FileDescription {
  private static final int ENCRYPT_NONE = 0;

  private final LoopDevice device;

  LoopFile(Task t, VfsPath path, int flags, LoopDevice device) {
    super(path, flags, t.creds());
    this.device = device;
    device.opened();
  }

  @Override
  protected void release() {
    device.closed();
  }

  // ---- data ----

  @Override
  public boolean isSeekable() {
    return true;
  }

  @Override
  public long seek(Task t, long offset, int whence) {
    long at =
        switch (whence) {
          case Fcntl.SEEK_SET -> offset;
          case Fcntl.SEEK_CUR -> position + offset;
          case Fcntl.SEEK_END -> device.size() + offset;
          default -> -1;
        };
    if (at < 0 || at > device.size()) {
      return -EINVAL;
    }
    position = at;
    return at;
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    FileDescription f = device.file();
    long left = device.size() - offset;
    if (offset < 0) {
      return -EINVAL;
    }
    if (f == null || left <= 0) {
      return 0;
    }
    return f.read(t, new LimitedIo(dst, left), offset + device.settings().offset());
  }

  @Override
  public long write(Task t, IoBuffer src, long offset) {
    FileDescription f = device.file();
    long left = device.size() - offset;
    if (offset < 0) {
      return -EINVAL;
    }
    if (src.remaining() == 0) {
      return 0;
    }
    if (f == null || left <= 0) {
      return -ENOSPC;
    }
    if (device.isReadOnly()) {
      return -EPERM;
    }
    return f.write(t, new LimitedIo(src, left), offset + device.settings().offset());
  }

  @Override
  public long fsync(boolean dataOnly) {
    FileDescription f = device.file();
    return f == null ? 0 : f.fsync(dataOnly);
  }

  /** blkdev_fallocate: zeroes or discards, and never makes the device longer. */
  @Override
  public long allocate(int mode, long offset, long length) {
    FileDescription f = device.file();
    if (offset < 0 || length <= 0 || ((offset | length) & (device.blockSize() - 1)) != 0) {
      return -EINVAL;
    }
    if (f == null || offset > device.size() - length) {
      return -EINVAL;
    }
    return f.allocate(
        mode | Fcntl.FALLOC_FL_KEEP_SIZE, offset + device.settings().offset(), length);
  }

  // ---- ioctl ----

  @Override
  public long ioctl(Task t, Args a) {
    long arg = a.long2();
    return switch (a.int1()) {
      case Ioctls.BLKGETSIZE64 -> putLong(t, arg, device.size());
      case Ioctls.BLKGETSIZE -> putLong(t, arg, device.size() >> 9);
      case Ioctls.BLKSSZGET, Ioctls.BLKPBSZGET, Ioctls.BLKIOMIN ->
          t.copyOutInt(arg, device.blockSize());
      case Ioctls.BLKBSZGET -> t.copyOutInt(arg, 4096);
      case Ioctls.BLKIOOPT, Ioctls.BLKALIGNOFF, Ioctls.BLKDISCARDZEROES -> t.copyOutInt(arg, 0);
      case Ioctls.BLKROGET -> t.copyOutInt(arg, device.isReadOnly() ? 1 : 0);
      case Ioctls.BLKRAGET, Ioctls.BLKFRAGET -> putLong(t, arg, 256);
      case Ioctls.BLKFLSBUF, Ioctls.BLKRASET, Ioctls.BLKFRASET, Ioctls.BLKBSZSET ->
          t.hasCapability(Caps.CAP_SYS_ADMIN) ? 0 : -redoubt.abi.Errno.EACCES;
      case Ioctls.BLKRRPART -> -EINVAL; // no partitions
      case Ioctls.BLKDISCARD, Ioctls.BLKZEROOUT -> discard(t, arg);
      case Loop.LOOP_SET_FD -> setFile(t, (int) arg);
      case Loop.LOOP_CONFIGURE -> configure(t, arg);
      case Loop.LOOP_CHANGE_FD -> changeFile(t, (int) arg);
      case Loop.LOOP_CLR_FD -> device.unbind();
      case Loop.LOOP_SET_STATUS -> mayChange(t) ? setOldStatus(t, arg) : -EPERM;
      case Loop.LOOP_SET_STATUS64 -> mayChange(t) ? setStatus(t, arg) : -EPERM;
      case Loop.LOOP_GET_STATUS -> getOldStatus(t, arg);
      case Loop.LOOP_GET_STATUS64 -> getStatus(t, arg);
      case Loop.LOOP_SET_CAPACITY -> mayChange(t) ? device.remeasure() : -EPERM;
      case Loop.LOOP_SET_DIRECT_IO -> mayChange(t) ? device.setDirect(arg != 0) : -EPERM;
      case Loop.LOOP_SET_BLOCK_SIZE -> mayChange(t) ? device.setBlockSize(arg) : -EPERM;
      default -> -EINVAL;
    };
  }

  private boolean mayChange(Task t) {
    return isWritable() || t.hasCapability(Caps.CAP_SYS_ADMIN);
  }

  private static long putLong(Task t, long uaddr, long value) {
    MemorySegment s = t.scratch();
    s.set(Memory.LONG, 0, value);
    return t.copyOutScratch(uaddr, 8);
  }

  private long discard(Task t, long arg) {
    if (!isWritable()) {
      return -EBADF;
    }
    MemorySegment s = t.scratch();
    if (t.copyIn(arg, s, 0, 16) < 0) {
      return -EFAULT;
    }
    return allocate(Fcntl.FALLOC_FL_PUNCH_HOLE, s.get(Memory.LONG, 0), s.get(Memory.LONG, 8));
  }

  /** {@return a reference to a file that can be behind a device}, or null after an error */
  private static FileDescription backing(Task t, int fd) {
    FileDescription f = t.file(fd);
    if (f == null || (f.flags() & O_PATH) != 0) {
      if (f != null) {
        f.decRef();
      }
      throw ErrnoException.of(EBADF);
    }
    if (!f.inode().isRegular()) {
      f.decRef();
      throw ErrnoException.of(EINVAL);
    }
    return f;
  }

  private long setFile(Task t, int fd) {
    FileDescription f = backing(t, fd);
    return kept(f, device.bind(f, LoopDevice.Settings.NONE, 0, !isWritable()));
  }

  private static long kept(FileDescription f, long result) {
    if (result < 0) {
      f.decRef();
    }
    return result;
  }

  private long configure(Task t, long uaddr) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment s = arena.allocate(Loop.LOOP_CONFIG_SIZE, 8);
      if (t.copyIn(uaddr, s, 0, Loop.LOOP_CONFIG_SIZE) < 0) {
        return -EFAULT;
      }
      MemorySegment info = s.asSlice(Loop.LOOP_CONFIG_INFO);
      if (info.get(Memory.INT, Loop.LOOP_INFO64_LO_ENCRYPT_TYPE) != ENCRYPT_NONE) {
        return -EINVAL;
      }
      FileDescription f = backing(t, s.get(Memory.INT, Loop.LOOP_CONFIG_FD));
      int block = s.get(Memory.INT, Loop.LOOP_CONFIG_BLOCK_SIZE);
      return kept(f, device.bind(f, settings(info), block, !isWritable()));
    }
  }

  private long changeFile(Task t, int fd) {
    if (device.file() == null) {
      return -ENXIO;
    }
    FileDescription f = backing(t, fd);
    FileDescription old = device.exchange(f);
    (old == null ? f : old).decRef();
    return old == null ? -EINVAL : 0;
  }

  private static LoopDevice.Settings settings(MemorySegment info) {
    return new LoopDevice.Settings(
        info.get(Memory.LONG, Loop.LOOP_INFO64_LO_OFFSET),
        info.get(Memory.LONG, Loop.LOOP_INFO64_LO_SIZELIMIT),
        info.get(Memory.INT, Loop.LOOP_INFO64_LO_FLAGS),
        name(info, Loop.LOOP_INFO64_LO_FILE_NAME));
  }

  private static String name(MemorySegment s, long at) {
    int n = 0;
    while (n < Loop.LO_NAME_SIZE - 1 && s.get(Memory.BYTE, at + n) != 0) {
      n++;
    }
    return Latin1.string(s, at, n);
  }

  private long setStatus(Task t, long uaddr) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment s = arena.allocate(Loop.LOOP_INFO64_SIZE, 8);
      if (t.copyIn(uaddr, s, 0, Loop.LOOP_INFO64_SIZE) < 0) {
        return -EFAULT;
      }
      if (device.file() == null) {
        return -ENXIO;
      }
      return s.get(Memory.INT, Loop.LOOP_INFO64_LO_ENCRYPT_TYPE) != ENCRYPT_NONE
          ? -EINVAL
          : device.set(settings(s));
    }
  }

  private long setOldStatus(Task t, long uaddr) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment s = arena.allocate(Loop.LOOP_INFO_SIZE, 8);
      if (t.copyIn(uaddr, s, 0, Loop.LOOP_INFO_SIZE) < 0) {
        return -EFAULT;
      }
      if (device.file() == null) {
        return -ENXIO;
      }
      if (s.get(Memory.INT, Loop.LOOP_INFO_LO_ENCRYPT_TYPE) != ENCRYPT_NONE) {
        return -EINVAL;
      }
      return device.set(
          new LoopDevice.Settings(
              s.get(Memory.INT, Loop.LOOP_INFO_LO_OFFSET),
              0,
              s.get(Memory.INT, Loop.LOOP_INFO_LO_FLAGS),
              name(s, Loop.LOOP_INFO_LO_NAME)));
    }
  }

  /** What stat(2) says of the file behind, or null if there is none. */
  private @Nullable StatData status() {
    FileDescription f = device.file();
    if (f == null) {
      return null;
    }
    StatData d = new StatData();
    f.inode().stat(d);
    return d;
  }

  private long getStatus(Task t, long uaddr) {
    StatData d = status();
    if (d == null) {
      return -ENXIO;
    }
    LoopDevice.Settings s = device.settings();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment o = arena.allocate(Loop.LOOP_INFO64_SIZE, 8);
      o.set(Memory.LONG, Loop.LOOP_INFO64_LO_DEVICE, d.dev);
      o.set(Memory.LONG, Loop.LOOP_INFO64_LO_INODE, d.ino);
      o.set(Memory.LONG, Loop.LOOP_INFO64_LO_OFFSET, s.offset());
      o.set(Memory.LONG, Loop.LOOP_INFO64_LO_SIZELIMIT, s.sizeLimit());
      o.set(Memory.INT, Loop.LOOP_INFO64_LO_NUMBER, device.number());
      o.set(Memory.INT, Loop.LOOP_INFO64_LO_FLAGS, s.flags());
      Latin1.writeZ(o, Loop.LOOP_INFO64_LO_FILE_NAME, s.name());
      return t.copyOutNow(uaddr, o, 0, Loop.LOOP_INFO64_SIZE);
    }
  }

  private long getOldStatus(Task t, long uaddr) {
    StatData d = status();
    if (d == null) {
      return -ENXIO;
    }
    LoopDevice.Settings s = device.settings();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment o = arena.allocate(Loop.LOOP_INFO_SIZE, 8);
      o.set(Memory.INT, Loop.LOOP_INFO_LO_NUMBER, device.number());
      o.set(Memory.LONG, Loop.LOOP_INFO_LO_DEVICE, d.dev);
      o.set(Memory.LONG, Loop.LOOP_INFO_LO_INODE, d.ino);
      o.set(
          Memory.LONG,
          Loop.LOOP_INFO_LO_RDEVICE,
          SpecialFiles.device(Loop.LOOP_MAJOR, device.number()));
      o.set(Memory.INT, Loop.LOOP_INFO_LO_OFFSET, (int) s.offset());
      o.set(Memory.INT, Loop.LOOP_INFO_LO_FLAGS, s.flags());
      Latin1.writeZ(o, Loop.LOOP_INFO_LO_NAME, s.name());
      return t.copyOutNow(uaddr, o, 0, Loop.LOOP_INFO_SIZE);
    }
  }
}
