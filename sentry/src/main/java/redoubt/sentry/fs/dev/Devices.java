package redoubt.sentry.fs.dev;

import static redoubt.abi.Errno.EEXIST;

import redoubt.abi.Loop;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.SetAttr;
import redoubt.sentry.vfs.SpecialFiles;

/** The character devices that every container has (Documentation/admin-guide/devices.txt). */
public final class Devices {
  private Devices() {}

  /** Registers the memory devices; terminals register themselves (fs.devpts). Call at boot. */
  public static void register(Kernel k) {
    SpecialFiles s = k.specialFiles();
    s.registerCharacter(1, 3, NullFile::new);
    s.registerCharacter(1, 5, (t, path, flags) -> new ZeroFile(t, path, flags, false));
    s.registerCharacter(1, 7, (t, path, flags) -> new ZeroFile(t, path, flags, true));
    s.registerCharacter(1, 8, RandomFile::new);
    s.registerCharacter(1, 9, RandomFile::new);
    s.registerCharacter(1, 11, KmsgFile::new);
    LoopDevices.register(k);
  }

  /**
   * Fills an empty writable directory with the devices, links and mount points of a container's
   * /dev, as OCI runtimes and devtmpfs do. What is there already stays.
   */
  public static void populate(Inode dev) {
    node(dev, "null", 1, 3, 0666);
    node(dev, "zero", 1, 5, 0666);
    node(dev, "full", 1, 7, 0666);
    node(dev, "random", 1, 8, 0666);
    node(dev, "urandom", 1, 9, 0666);
    node(dev, "tty", 5, 0, 0666);
    link(dev, "fd", "/proc/self/fd");
    link(dev, "stdin", "/proc/self/fd/0");
    link(dev, "stdout", "/proc/self/fd/1");
    link(dev, "stderr", "/proc/self/fd/2");
    link(dev, "core", "/proc/kcore");
    link(dev, "ptmx", "pts/ptmx");
    directory(dev, "pts", 0755);
    directory(dev, "shm", 01777);
    directory(dev, "mqueue", 01777);
  }

  /** Adds what a machine's own /dev has besides {@link #populate}: kmsg and the console. */
  public static void populateMachine(Inode dev) {
    node(dev, "kmsg", 1, 11, 0644);
    node(dev, "console", 5, 1, 0600);
    node(dev, "loop-control", 10, Loop.LOOP_CTRL_MINOR, 0660);
    for (int i = 0; i < LoopDevices.COUNT; i++) {
      node(dev, "loop" + i, Inode.S_IFBLK, Loop.LOOP_MAJOR, i, 0660);
    }
  }

  /** Makes a character device {@code name} with exactly the permissions {@code mode}. */
  public static void node(Inode dev, String name, int major, int minor, int mode) {
    node(dev, name, Inode.S_IFCHR, major, minor, mode);
  }

  private static void node(Inode dev, String name, int type, int major, int minor, int mode) {
    unlessThere(() -> {
      Inode i = dev.mknod(name, type | mode, SpecialFiles.device(major, minor), Credentials.root());
      chmod(i, mode);
    });
  }

  private static void link(Inode dev, String name, String target) {
    unlessThere(() -> dev.symlink(name, target, Credentials.root()));
  }

  private static void directory(Inode dev, String name, int mode) {
    unlessThere(() -> chmod(dev.mkdir(name, mode, Credentials.root()), mode));
  }

  private static void chmod(Inode i, int mode) {
    if ((i.mode() & 07777) != mode) {
      SetAttr a = new SetAttr();
      a.valid = SetAttr.MODE;
      a.mode = mode;
      i.setattr(a);
    }
  }

  private static void unlessThere(Runnable make) {
    try {
      make.run();
    } catch (ErrnoException e) {
      if (e.errno() != EEXIST) {
        throw e;
      }
    }
  }
}
