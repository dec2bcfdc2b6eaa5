package redoubt.gofer;

import redoubt.abi.Fcntl;
import redoubt.abi.Stat;
import redoubt.host.FileSystemCalls;
import redoubt.host.Region;
import redoubt.p9.P9;
import redoubt.p9.P9Attr;
import redoubt.p9.P9Buffer;

/**
 * Writes directory entries into a worker's answer: those of one directory from a cookie on, or
 * whole lists of several directories. Not thread-safe.
 */
final class Lister {
  /** How a name is opened below a directory: the number of a descriptor, or -errno. */
  interface Opener {
    long open(int dirFd, long nameHaddr, int flags, int mode);
  }

  private static final int DT_DIR = 4;

  /** Bytes of an entry before its name: ino, offset, type, the name's length. */
  private static final int ENTRY_HEAD = 19;

  /** The most that one entry takes. */
  private static final int ENTRY_MAX = ENTRY_HEAD + P9.NAME_MAX + P9Attr.BYTES;

  /** How deep below the names asked for lists go: one descriptor each. */
  private static final int DEPTH_MAX = 16;

  private final Scratch s;
  private final P9Buffer out;
  private final Opener opener;
  private final P9Attr attr = new P9Attr();

  private int room;
  private int head;
  private int lists;
  private boolean full;

  Lister(Scratch s, P9Buffer out, Opener opener) {
    this.s = s;
    this.out = out;
    this.opener = opener;
  }

  /**
   * Writes entries until the answer is full, or one reading of the host's gave none.
   *
   * @return 1 at the end of the directory, 0 if there is more, or -errno
   */
  @SuppressWarnings("GuardedBy")
  long putEntries(Fid fid, int dirFd, boolean withAttr, int most) {
    int start = out.reserve(4);
    int entryMax = withAttr ? ENTRY_MAX : ENTRY_MAX - P9Attr.BYTES;
    int count = 0;
    long end = 0;
    Region d = s.dents;
    while (end == 0 && out.position() + entryMax <= most) {
      // An entry with attributes is up to six times its dirent: read what will mostly fit.
      long want = Math.min(Scratch.DENTS_BYTES, withAttr ? (most - out.position()) / 6 : most);
      long n = FileSystemCalls.getdents64(dirFd, d, Math.max(want, 512));
      if (n < 0) {
        if (count == 0) {
          return n;
        }
        break;
      }
      if (n == 0) {
        end = 1;
        break;
      }
      for (long at = 0; at + 19 < n; ) {
        if (count == 0xffff || out.position() + entryMax > most) {
          // No room: the host's position is past this entry, so go back to it.
          FileSystemCalls.seek(dirFd, fid.dirOffset);
          out.patch16(start, 0);
          out.patch16(start + 2, count);
          return 0;
        }
        long ino = d.getLong(at);
        if (fid.isRoot && isDotDot(at)) {
          // What is above the attach point is nobody's business: as in any root, ".." is ".".
          ino = s.statx(fid.fd, s.empty, Fcntl.AT_EMPTY_PATH, attr) == 0 ? attr.ino : 1;
        }
        putEntry(dirFd, at, ino, withAttr);
        fid.dirOffset = d.getLong(at + 8);
        count++;
        at += length(at);
      }
    }
    out.patch16(start, end == 1 ? P9.READDIR_END : 0);
    out.patch16(start + 2, count);
    return end;
  }

  // Whole lists.

  /** Begins an answer of lists, of {@code most} bytes at most. */
  void beginLists(int most) {
    room = most;
    head = out.reserve(2);
    lists = 0;
    full = false;
  }

  void endLists() {
    out.patch16(head, lists);
  }

  /** {@return whether a list had no room, so that none may follow} */
  boolean isFull() {
    return full;
  }

  /**
   * Writes the list of a directory whose name is in {@code in}, and of those below.
   *
   * @return 0 even if there is nothing to list, or -errno if it is no name
   */
  long putList(int dirFd, P9Buffer in, int offset, int length) {
    long r = s.copyName(in, offset, length, 0);
    if (r == 0) {
      putList(dirFd, in.region(), offset, length, P9.READDIRS_TOP, 0);
    }
    return r;
  }

  /** As the other {@code putList}; the name stands in the scratch's first slot, too. */
  private void putList(int dirFd, Region names, int offset, int length, int parent, int depth) {
    long fd = opener.open(dirFd, s.name(0), Fcntl.O_RDONLY | Fcntl.O_DIRECTORY, 0);
    if (fd < 0) {
      return;
    }
    int start = out.position();
    if (start + 6 + length > room || lists == P9.READDIRS_TOP) {
      full = true;
    } else {
      out.put16(parent);
      out.put16(length);
      out.putBytes(names, offset, length);
      int counts = out.reserve(2);
      int count = putAll((int) fd);
      if (count < 0) {
        out.rewind(start);
      } else {
        out.patch16(counts, count);
        putBelow((int) fd, counts + 2, count, lists++, depth + 1);
      }
    }
    FileSystemCalls.close((int) fd);
  }

  /** Writes all entries but "." and ".."; returns how many, or -1 if that cannot be done. */
  private int putAll(int dirFd) {
    Region d = s.dents;
    int count = 0;
    while (true) {
      long n = FileSystemCalls.getdents64(dirFd, d, Scratch.DENTS_BYTES);
      if (n <= 0) {
        return n == 0 ? count : -1;
      }
      for (long at = 0; at + 19 < n; at += length(at)) {
        if (isDot(at) || isDotDot(at)) {
          continue;
        }
        if (out.position() + ENTRY_MAX > room || count == 0xffff) {
          full = true;
          return -1;
        }
        putEntry(dirFd, at, d.getLong(at), true);
        count++;
      }
    }
  }

  /** Lists the directories among the entries that were just written at {@code from}. */
  private void putBelow(int dirFd, int from, int count, int parent, int depth) {
    if (depth >= DEPTH_MAX) {
      return;
    }
    Region m = out.region();
    int at = from;
    for (int i = 0; i < count && !full; i++) {
      boolean hasAttr = (m.getByte(at + 16) & 0x80) != 0;
      int length = m.getShort(at + 17) & 0xffff;
      int name = at + ENTRY_HEAD;
      at = name + length + (hasAttr ? P9Attr.BYTES : 0);
      if (hasAttr && (m.getInt(name + length) & Stat.S_IFMT) == Stat.S_IFDIR) {
        s.copyName(out, name, length, 0);
        putList(dirFd, m, name, length, parent, depth);
      }
    }
  }

  // One entry. struct linux_dirent64: ino 0, off 8, reclen 16, type 18, name 19.

  private int length(long at) {
    return s.dents.getShort(at + 16) & 0xffff;
  }

  private boolean isDot(long at) {
    return s.dents.getShort(at + 19) == '.';
  }

  private boolean isDotDot(long at) {
    return (s.dents.getInt(at + 19) & 0xffffff) == ('.' | '.' << 8);
  }

  private void putEntry(int dirFd, long at, long ino, boolean withAttr) {
    Region d = s.dents;
    int end = length(at);
    int name = ENTRY_HEAD;
    while (name < end && d.getByte(at + name) != 0) {
      name++;
    }
    name -= ENTRY_HEAD;
    boolean dots = isDot(at) || isDotDot(at);
    boolean hasAttr =
        withAttr
            && !dots
            && s.statx(dirFd, d.address() + at + 19, Fcntl.AT_SYMLINK_NOFOLLOW, attr) == 0;
    int type = d.getByte(at + 18) & 15;
    out.put64(ino);
    out.put64(d.getLong(at + 8));
    out.put8(dots ? DT_DIR : hasAttr ? type | 0x80 : type);
    out.put16(name);
    out.putBytes(d, at + 19, name);
    if (hasAttr) {
      attr.write(out);
    }
  }
}
