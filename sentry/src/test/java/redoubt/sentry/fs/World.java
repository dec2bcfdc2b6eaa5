package redoubt.sentry.fs;

import java.lang.foreign.MemorySegment;
import java.util.TreeMap;
import redoubt.abi.DirentType;
import redoubt.abi.Errno;
import redoubt.abi.Fcntl;
import redoubt.abi.Nr;
import redoubt.abi.Stat;
import redoubt.host.Memory;
import redoubt.host.RawSyscall;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.testing.FakeGuest;

/**
 * Somewhere to make system calls on files: Linux itself, or a filesystem of ours in a fake guest.
 */
abstract class World {
  static final int BUFFER = 64 * 1024;

  /** A descriptor of the directory in which everything happens. */
  long root;

  private long text1;
  private long text2;
  long buffer;

  abstract long call(int nr, long... args);

  abstract MemorySegment memory(long uaddr, long bytes);

  abstract long allocate(long bytes);

  final void init(String directory) {
    text1 = allocate(4096);
    text2 = allocate(4096);
    buffer = allocate(BUFFER);
    root = call(Nr.OPEN, text(directory), Fcntl.O_RDONLY | Fcntl.O_DIRECTORY, 0);
    if (root < 0) {
      throw new IllegalStateException("open " + directory + ": " + Errno.name((int) -root));
    }
  }

  final long text(String s) {
    Latin1.writeZ(memory(text1, 4096), 0, s);
    return text1;
  }

  final long otherText(String s) {
    Latin1.writeZ(memory(text2, 4096), 0, s);
    return text2;
  }

  /** What a call gave, for comparing: a descriptor is as good as another. */
  static String result(long r) {
    return r < 0 ? Errno.name((int) -r) : Long.toString(r);
  }

  /** Names of a directory; those of the tree below with attributes and contents. */
  final TreeMap<String, String> tree(boolean blocks) {
    TreeMap<String, String> out = new TreeMap<>();
    addTree("", root, out, blocks);
    return out;
  }

  private void addTree(String prefix, long dir, TreeMap<String, String> out, boolean blocks) {
    call(Nr.LSEEK, dir, 0, Fcntl.SEEK_SET);
    TreeMap<String, Integer> names = new TreeMap<>();
    for (; ; ) {
      long n = call(Nr.GETDENTS64, dir, buffer, 1024);
      if (n <= 0) {
        if (n < 0) {
          out.put(prefix + "!", result(n));
        }
        break;
      }
      MemorySegment m = memory(buffer, n);
      for (long at = 0; at < n; ) {
        int length = m.get(Memory.SHORT, at + DirentType.DIRENT64_D_RECLEN) & 0xffff;
        int type = m.get(Memory.BYTE, at + DirentType.DIRENT64_D_TYPE);
        long end = at + DirentType.DIRENT64_D_NAME;
        while (m.get(Memory.BYTE, end) != 0) {
          end++;
        }
        String name =
            Latin1.string(
                m, at + DirentType.DIRENT64_D_NAME, (int) (end - at - DirentType.DIRENT64_D_NAME));
        if (names.put(name, type) != null) {
          out.put(prefix + name + "!", "listed twice");
        }
        at += length;
      }
    }
    if (names.remove(".") == null || names.remove("..") == null) {
      out.put(prefix + "!dots", "missing");
    }
    names.forEach((name, type) -> addFile(prefix + name, dir, name, type, out, blocks));
  }

  private void addFile(
      String path, long dir, String name, int type, TreeMap<String, String> out, boolean blocks) {
    long r = call(Nr.NEWFSTATAT, dir, text(name), buffer, Fcntl.AT_SYMLINK_NOFOLLOW);
    if (r < 0) {
      out.put(path, "stat: " + result(r));
      return;
    }
    MemorySegment st = memory(buffer, Stat.SIZEOF_STAT);
    int mode = st.get(Memory.INT, Stat.STAT_ST_MODE);
    boolean isDir = (mode & Stat.S_IFMT) == Stat.S_IFDIR;
    StringBuilder line = new StringBuilder();
    line.append("type ").append(type).append(" mode ").append(Integer.toOctalString(mode));
    line.append(" owner ").append(st.get(Memory.INT, Stat.STAT_ST_UID));
    line.append(':').append(st.get(Memory.INT, Stat.STAT_ST_GID));
    line.append(" rdev ").append(st.get(Memory.LONG, Stat.STAT_ST_RDEV));
    if (!isDir) {
      line.append(" links ").append(st.get(Memory.LONG, Stat.STAT_ST_NLINK));
      line.append(" size ").append(st.get(Memory.LONG, Stat.STAT_ST_SIZE));
    }
    if (blocks && (mode & Stat.S_IFMT) == Stat.S_IFREG) {
      line.append(" blocks ").append(st.get(Memory.LONG, Stat.STAT_ST_BLOCKS));
    }
    if ((mode & Stat.S_IFMT) == Stat.S_IFLNK) {
      long n = call(Nr.READLINKAT, dir, text(name), buffer, 4096);
      line.append(" -> ").append(n < 0 ? result(n) : Latin1.string(memory(buffer, n), 0, (int) n));
    } else if ((mode & Stat.S_IFMT) == Stat.S_IFREG) {
      line.append(" data ").append(content(dir, name));
    }
    out.put(path, line.toString());
    if (isDir) {
      long fd = call(Nr.OPENAT, dir, text(name), Fcntl.O_RDONLY | Fcntl.O_NOFOLLOW, 0);
      if (fd < 0) {
        out.put(path + "/!", result(fd));
      } else {
        addTree(path + "/", fd, out, blocks);
        call(Nr.CLOSE, fd);
      }
    }
  }

  private String content(long dir, String name) {
    long fd = call(Nr.OPENAT, dir, text(name), Fcntl.O_RDONLY, 0);
    if (fd < 0) {
      return result(fd);
    }
    long hash = 0;
    long total = 0;
    long n;
    while ((n = call(Nr.READ, fd, buffer, 5000)) > 0) {
      MemorySegment m = memory(buffer, n);
      for (long i = 0; i < n; i++) {
        hash = hash * 31 + m.get(Memory.BYTE, i);
      }
      total += n;
    }
    call(Nr.CLOSE, fd);
    return n < 0 ? result(n) : total + "/" + Long.toHexString(hash);
  }

  /** The host's kernel. */
  static final class Host extends World {
    private final MemorySegment heap = Memory.allocateGlobal(256 * 1024);
    private long used;

    Host(String directory) {
      init(directory);
    }

    @Override
    long call(int nr, long... args) {
      return RawSyscall.syscall(
          nr,
          args.length > 0 ? args[0] : 0,
          args.length > 1 ? args[1] : 0,
          args.length > 2 ? args[2] : 0,
          args.length > 3 ? args[3] : 0,
          args.length > 4 ? args[4] : 0,
          args.length > 5 ? args[5] : 0);
    }

    @Override
    MemorySegment memory(long uaddr, long bytes) {
      return heap.asSlice(uaddr - heap.address(), bytes);
    }

    @Override
    long allocate(long bytes) {
      long at = heap.address() + used;
      used += bytes;
      return at;
    }
  }

  /** Ours. */
  static final class Guest extends World {
    final FakeGuest guest;

    Guest(FakeGuest guest) {
      this.guest = guest;
      init("/");
    }

    @Override
    long call(int nr, long... args) {
      return guest.call(nr, args);
    }

    @Override
    MemorySegment memory(long uaddr, long bytes) {
      return guest.memory(uaddr, bytes);
    }

    @Override
    long allocate(long bytes) {
      return guest.space(bytes);
    }
  }
}
