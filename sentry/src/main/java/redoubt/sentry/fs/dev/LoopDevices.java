package redoubt.sentry.fs.dev;

import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.ENOSPC;
import static redoubt.abi.Errno.ENOSYS;
import static redoubt.abi.Errno.ENXIO;

import redoubt.abi.Loop;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.SpecialFiles;
import redoubt.sentry.vfs.VfsPath;

/**
 * A kernel's loop devices: <a href="https://man7.org/linux/man-pages/man4/loop.4.html">loop(4)</a>,
 * drivers/block/loop.c. What differs from Linux: their number is fixed, only regular files can be
 * behind them, and no partitions are looked for; nor is there a file system that could be mounted
 * from one.
 */
public final class LoopDevices {
  /** How many there are. */
  public static final int COUNT = 16;

  private final LoopDevice[] devices = new LoopDevice[COUNT];

  private LoopDevices() {
    for (int i = 0; i < COUNT; i++) {
      devices[i] = new LoopDevice(i);
    }
  }

  /** Makes the devices of {@code k}. */
  static void register(Kernel k) {
    LoopDevices loops = new LoopDevices();
    k.register(LoopDevices.class, loops);
    SpecialFiles s = k.specialFiles();
    s.registerBlock(Loop.LOOP_MAJOR, loops::open);
    s.registerCharacter(10, Loop.LOOP_CTRL_MINOR, loops::openControl);
  }

  /** {@return device {@code number}} */
  public LoopDevice device(int number) {
    return devices[number];
  }

  private FileDescription open(Task t, VfsPath path, int flags) {
    int minor = (int) (path.inode().rdev() & 0xff);
    if (minor >= COUNT) {
      throw ErrnoException.of(ENXIO);
    }
    return new LoopFile(t, path, flags, devices[minor]);
  }

  private FileDescription openControl(Task t, VfsPath path, int flags) {
    return new CharacterFile(t, path, flags) {
      @Override
      public long ioctl(Task caller, Args a) {
        return control(a.int1(), a.int2());
      }
    };
  }

  private long control(int command, int number) {
    return switch (command) {
      case Loop.LOOP_CTL_GET_FREE -> free();
      case Loop.LOOP_CTL_ADD -> number < 0 || number >= COUNT ? -ENOSPC : -EEXIST;
      case Loop.LOOP_CTL_REMOVE -> number < 0 ? -EINVAL : -ENODEV; // they stay
      default -> -ENOSYS;
    };
  }

  private long free() {
    for (LoopDevice d : devices) {
      if (!d.isBound()) {
        return d.number();
      }
    }
    return -ENOSPC;
  }
}
