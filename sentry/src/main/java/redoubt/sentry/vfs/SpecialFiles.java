package redoubt.sentry.vfs;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.ENXIO;

import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;

/** What opening a device node or FIFO means, whatever filesystem holds the node. One per kernel. */
public final class SpecialFiles {
  /** Opens one kind of special file. */
  public interface Opener {
    FileDescription open(Task t, VfsPath path, int flags);
  }

  private final ConcurrentHashMap<Long, Opener> characters = new ConcurrentHashMap<>();
  private final ConcurrentHashMap<Integer, Opener> majors = new ConcurrentHashMap<>();
  private final ConcurrentHashMap<Integer, Opener> blocks = new ConcurrentHashMap<>();
  private @Nullable Opener fifo;

  /** {@return the dev_t of {@code major:minor}, as Linux's new_encode_dev for small numbers} */
  public static long device(int major, int minor) {
    return ((long) major & 0xfff) << 8
        | (minor & 0xff)
        | ((long) (minor & ~0xff)) << 12
        | ((long) (major & ~0xfff)) << 32;
  }

  public void registerCharacter(int major, int minor, Opener opener) {
    characters.put(device(major, minor), opener);
  }

  /** As {@link #registerCharacter} for every minor that has no opener of its own. */
  public void registerMajor(int major, Opener opener) {
    majors.put(major, opener);
  }

  /** Block devices of {@code major}. */
  public void registerBlock(int major, Opener opener) {
    blocks.put(major, opener);
  }

  public void registerFifo(Opener opener) {
    fifo = opener;
  }

  FileDescription open(Task t, VfsPath path, int flags) {
    Inode inode = path.inode();
    if (inode.opensItself()) {
      return inode.open(t, path, flags);
    }
    Opener opener;
    switch (inode.type()) {
      case Inode.S_IFIFO -> opener = fifo;
      case Inode.S_IFBLK -> {
        checkDevices(path);
        opener = blocks.get((int) (inode.rdev() >> 8 & 0xfff));
      }
      case Inode.S_IFCHR -> {
        checkDevices(path);
        opener = characters.get(inode.rdev());
        if (opener == null) {
          opener = majors.get((int) (inode.rdev() >> 8 & 0xfff));
        }
      }
      default -> opener = null;
    }
    if (opener == null) {
      throw ErrnoException.of(ENXIO);
    }
    return opener.open(t, path, flags);
  }

  private static void checkDevices(VfsPath path) {
    if ((path.mount.flags() & Mount.MS_NODEV) != 0) {
      throw ErrnoException.of(EACCES);
    }
  }
}
