package redoubt.p9;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EIO;
import static redoubt.abi.Errno.EMFILE;
import static redoubt.abi.Errno.ENAMETOOLONG;
import static redoubt.abi.Errno.ENFILE;
import static redoubt.abi.Errno.ERANGE;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Nr;
import redoubt.host.Fd;
import redoubt.host.FileSystemCalls;
import redoubt.host.Memory;
import redoubt.host.RawSyscall;
import redoubt.host.SeqpacketSocket;

/**
 * The sentry's end of the connection to the gofer. Thread-safe: each task thread makes its calls
 * itself and waits for its own answer, so an undisturbed call has no hand-over between threads.
 *
 * <p>All calls return 0 or more, or {@code -errno}. They wait without interruption: the gofer
 * always answers. What it answers is checked all the same: an answer that makes no sense ends the
 * connection. Once the connection has ended, for whatever reason, every call returns {@code -EIO}
 * and {@link Listener#disconnected} has been called once.
 *
 * <p>Calls go over <em>lanes</em>: the socket that the constructor took, and one more for each
 * processor that calls come from, made at first use. The gofer answers a lane on that processor, so
 * that a call is a switch there and not an interrupt to another core (4–8 µs instead of 20–50, see
 * docs/design/9p.md). Which lane a call takes has no meaning for its result.
 *
 * <p>Descriptors that the gofer donates are the caller's. Fids are numbers that this class hands
 * out; the caller gives them back with {@link #clunk} (batched) or {@link #clunkNow}.
 */
public final class P9Client implements AutoCloseable {
  /** Hears of what ends the connection. Called on whatever thread noticed, without locks held. */
  public interface Listener {
    /** One clear line on why the connection has ended. */
    void log(String line);

    /** The connection has ended: called once, after {@link #log}, never by {@link #close}. */
    void disconnected();
  }

  /** Processors with a lane of their own; calls from others take the first lane. */
  private static final int LANES_MAX = 64;

  private final Listener listener;
  private final int msize;
  private final P9Lane first;
  private final AtomicBoolean ended = new AtomicBoolean();

  /** By processor; {@link #first} where there is none yet, or none can be had. */
  private final AtomicReferenceArray<P9Lane> lanes = new AtomicReferenceArray<>(LANES_MAX);

  /**
   * Where getcpu(2) writes, for all threads: one that reads another's answer takes another lane,
   * which is as good.
   */
  private final MemorySegment processor = Memory.allocateGlobal(8);

  private final ReentrantLock mu = new ReentrantLock();

  @GuardedBy("mu")
  private int[] freeFids = new int[256];

  @GuardedBy("mu")
  private int freeFidCount;

  @GuardedBy("mu")
  private int nextFid;

  @GuardedBy("mu")
  private final int[] pendingClunks = new int[P9.CLUNK_MAX];

  @GuardedBy("mu")
  private int pendingClunkCount;

  /**
   * Takes the socket and agrees on the version.
   *
   * @param msize the largest message, in bytes; the gofer may ask for less
   * @throws P9Exception if the gofer does not speak our protocol
   */
  public P9Client(Fd socket, int msize, Listener listener) {
    if (msize < P9.MSIZE_MIN || msize > P9.MSIZE_MAX) {
      throw new IllegalArgumentException("msize " + msize);
    }
    this.listener = listener;
    SeqpacketSocket.setSendBuffer(socket.number(), msize);
    this.msize = negotiate(socket.number(), msize);
    this.first = new P9Lane(socket, this.msize);
  }

  /** {@return the largest message of this connection} */
  public int msize() {
    return msize;
  }

  /** {@return whether the connection still stands} */
  public boolean isConnected() {
    return !ended.get();
  }

  /** {@return how many fids the caller holds}, those in a batch of clunks included */
  public int fidCount() {
    mu.lock();
    try {
      return nextFid - freeFidCount;
    } finally {
      mu.unlock();
    }
  }

  /**
   * Starts a thread that notices the gofer's death while no call is under way. Without it the next
   * call notices.
   */
  public void startWatcher() {
    Thread watcher =
        new Thread(
            null,
            () -> {
              if (SeqpacketSocket.awaitHangup(first.socketNumber())) {
                disconnect("the gofer has ended");
              }
            },
            "gofer-watch",
            64 * 1024);
    watcher.setDaemon(true);
    watcher.start();
  }

  // Getting fids.

  /**
   * Attaches to the attach point {@code name} and gets the attributes of its root.
   *
   * @return the fid of the root, or -errno
   */
  public long attach(byte[] name, P9Attr attr) {
    P9Lane.Call c = begin(P9.TATTACH, 1);
    if (c == null) {
      return -EIO;
    }
    P9Buffer b = c.buffer;
    int fid = c.fids[0];
    b.put32(fid);
    b.put32(P9.NOFID);
    b.put16(0);
    b.putString(name, 0, name.length);
    b.put32(0);
    long r = transact(c, P9.TATTACH);
    if (r == 0) {
      c.buffer.skip(13);
      r = finishAnswer(c, P9.TATTACH);
    }
    end(c, r < 0 ? 0 : 1, 1);
    if (r < 0) {
      return r;
    }
    r = getattr(fid, attr);
    if (r < 0) {
      clunkNow(fid);
      return r;
    }
    return fid;
  }

  /**
   * Walks the names of {@code path}, which are separated by slashes, from directory {@code fid}: a
   * fid and attributes for each. The walk stops at the first name that cannot be walked ({@link
   * P9Walk#error}), and at a symlink, which counts as walked and is not followed ({@link
   * P9Walk#target}). Names beyond {@link P9#WALK_MAX} are left ({@link P9Walk#pathEnd}).
   *
   * @param openFlags flags of open(2) to open the last name with if it is a regular file that the
   *     walk reaches, or -1
   * @return how many names were walked, or -errno; {@code -EINVAL} for "." and ".."
   */
  public long walk(int fid, byte[] path, int offset, int length, int openFlags, P9Walk out) {
    long r = walkOnce(fid, path, offset, length, openFlags, out);
    if (r == -ENFILE || (r >= 0 && out.error == ENFILE)) {
      // What waits in the batch may be all that is too much.
      for (int i = 0; i < out.count; i++) {
        clunk(out.fids[i]);
      }
      out.count = 0;
      if (flushClunks() >= 0) {
        r = walkOnce(fid, path, offset, length, openFlags, out);
      }
    }
    return r;
  }

  private long walkOnce(int fid, byte[] path, int offset, int length, int openFlags, P9Walk out) {
    out.reset();
    int end = offset + length;
    int names = 0;
    int last = offset;
    for (int at = offset; names < P9.WALK_MAX; names++) {
      while (at < end && path[at] == '/') {
        at++;
      }
      if (at == end) {
        last = end;
        break;
      }
      int start = at;
      while (at < end && path[at] != '/') {
        at++;
      }
      if (isDots(path, start, at - start)) {
        return -EINVAL;
      }
      last = at;
    }
    if (names == 0) {
      return -EINVAL;
    }
    while (last < end && path[last] == '/') {
      last++;
    }
    P9Lane.Call c = begin(P9.TWALKATTR, names);
    if (c == null) {
      return -EIO;
    }
    boolean open = openFlags >= 0 && last == end;
    P9Buffer b = c.buffer;
    b.put32(fid);
    b.put32(open ? P9.WALK_OPEN : 0);
    b.put32(open ? openFlags : 0);
    b.put16(names);
    int at = offset;
    for (int i = 0; i < names; i++) {
      while (path[at] == '/') {
        at++;
      }
      int start = at;
      while (at < end && path[at] != '/') {
        at++;
      }
      b.put32(c.fids[i]);
      b.putString(path, start, at - start);
    }
    out.asked = names;
    out.pathEnd = last;
    long r = transact(c, P9.TWALKATTR);
    if (r == 0) {
      r = readWalk(c, names, open, out);
    }
    end(c, r < 0 ? 0 : out.count, names);
    return r < 0 ? r : out.count;
  }

  private long readWalk(P9Lane.Call c, int names, boolean open, P9Walk out) {
    P9Buffer b = c.buffer;
    int count = b.get16();
    int flags = b.get16();
    int error = b.get32();
    int openError = b.get32();
    boolean stopped = (flags & P9.GOT_TARGET) != 0;
    if (count > names
        || isNotErrno(error)
        || isNotErrno(openError)
        || (count < names) != (error != 0 || (stopped && count > 0 && count < names))
        || ((flags & P9.GOT_FD) != 0) != (c.fd >= 0 || c.lostFd)
        || ((c.fd >= 0 || c.lostFd) && (!open || count < names || openError != 0))
        || (openError != 0 && (!open || count < names))
        || (stopped && count == 0)) {
      b.fail();
    }
    for (int i = 0; i < count && !b.failed(); i++) {
      out.attrs[i].read(b);
      out.fids[i] = c.fids[i];
    }
    int targetLength = -1;
    if (stopped && !b.failed()) {
      targetLength = b.get16();
      if (targetLength >= P9.PATH_MAX || !out.attrs[count - 1].isSymlink()) {
        b.fail();
      } else {
        b.getBytes(out.target, 0, targetLength);
      }
    }
    long r = finishAnswer(c, P9.TWALKATTR);
    if (r < 0) {
      return r;
    }
    out.count = count;
    out.error = error;
    out.openError = c.lostFd ? EMFILE : openError;
    out.targetLength = targetLength;
    out.hostFd = c.takeFd();
    return 0;
  }

  // On a fid.

  /** Gets the attributes of a file. */
  public long getattr(int fid, P9Attr attr) {
    P9Lane.Call c = begin(P9.TWALKATTR, 0);
    if (c == null) {
      return -EIO;
    }
    P9Buffer b = c.buffer;
    b.put32(fid);
    b.put32(0);
    b.put32(0);
    b.put16(0);
    long r = transact(c, P9.TWALKATTR);
    if (r == 0) {
      b = c.buffer;
      b.skip(12);
      attr.read(b);
      r = finishAnswer(c, P9.TWALKATTR);
    }
    end(c, 0, 0);
    return r;
  }

  /**
   * Changes what {@code valid} (SETATTR_* bits) names, and gets the attributes that result.
   *
   * @return 0 or -errno; with an error some of the changes may have been made
   */
  public long setattr(
      int fid,
      int valid,
      int mode,
      int uid,
      int gid,
      long size,
      long atimeSec,
      int atimeNsec,
      long mtimeSec,
      int mtimeNsec,
      P9Attr attr) {
    P9Lane.Call c = begin(P9.TSETATTRATTR, 0);
    if (c == null) {
      return -EIO;
    }
    P9Buffer b = c.buffer;
    b.put32(fid);
    b.put32(valid);
    b.put32(mode);
    b.put32(uid);
    b.put32(gid);
    b.put64(size);
    b.put64(atimeSec);
    b.put64(atimeNsec);
    b.put64(mtimeSec);
    b.put64(mtimeNsec);
    long r = transact(c, P9.TSETATTRATTR);
    if (r == 0) {
      attr.read(c.buffer);
      r = finishAnswer(c, P9.TSETATTRATTR);
    }
    end(c, 0, 0);
    return r;
  }

  /**
   * Opens a regular file with flags of open(2).
   *
   * @return the donated descriptor, which the caller owns, or -errno
   */
  public long openFd(int fid, int flags) {
    P9Lane.Call c = begin(P9.TOPENFD, 0);
    if (c == null) {
      return -EIO;
    }
    P9Buffer b = c.buffer;
    b.put32(fid);
    b.put32(flags);
    long r = transact(c, P9.TOPENFD);
    if (r == 0) {
      if (c.fd < 0 && !c.lostFd) {
        c.buffer.fail();
      }
      r = finishAnswer(c, P9.TOPENFD);
    }
    if (r == 0) {
      r = c.lostFd ? -EMFILE : c.takeFd();
    }
    end(c, 0, 0);
    return r;
  }

  /** Gets the target of a symlink; returns its length or -errno ({@code -ERANGE}: no room). */
  public long readlink(int fid, byte[] target) {
    P9Lane.Call c = begin(P9.TREADLINK, 0);
    if (c == null) {
      return -EIO;
    }
    c.buffer.put32(fid);
    long r = transact(c, P9.TREADLINK);
    if (r == 0) {
      r = readData(c, P9.TREADLINK, c.buffer.get16(), target);
    }
    end(c, 0, 0);
    return r;
  }

  /**
   * Gets entries of a directory.
   *
   * @param offset 0, or the cookie of an entry after which to continue
   * @param withAttr whether to get attributes for each entry
   * @return how many entries are in {@code out}, or -errno
   */
  public long readdir(int fid, long offset, boolean withAttr, P9Dir out) {
    out.reset();
    P9Lane.Call c = begin(P9.TREADDIRATTR, 0);
    if (c == null) {
      return -EIO;
    }
    P9Buffer b = c.buffer;
    b.put32(fid);
    b.put64(offset);
    b.put32(withAttr ? P9.READDIR_ATTR : 0);
    b.put32(msize);
    long r = transact(c, P9.TREADDIRATTR);
    if (r == 0) {
      b = c.buffer;
      c.buffer = out.buffer;
      out.buffer = b;
      int flags = b.get16();
      int count = b.get16();
      int start = b.position();
      out.skip(count);
      if (b.isConsumed() && c.fd < 0) {
        b.rewind(start);
        out.take(count, (flags & P9.READDIR_END) != 0);
        r = count;
      } else {
        r = malformed(P9.TREADDIRATTR);
      }
    }
    end(c, 0, 0);
    return r;
  }

  /**
   * {@return 0, or -EIO if an entry of {@code dir} had attributes that make no sense}, which ends
   * the connection. To be asked when {@link P9Dir#next} gave false.
   */
  public long check(P9Dir dir) {
    return dir.buffer.failed() ? malformed(P9.TREADDIRATTR) : 0;
  }

  /**
   * Lists directories of one directory, and what is below them, as far as one message has room.
   *
   * @param names 1 to READDIRS_MAX names; what is no directory, or may not be read, is left out
   * @return how many lists are in {@code out}, or -errno
   */
  public long readdirs(int fid, List<byte[]> names, P9Tree out) {
    long r = sendReaddirs(lane(), fid, names, out);
    return r < 0 ? r : awaitReaddirs(out);
  }

  /**
   * As {@link #readdirs}, but only asks, on another processor if it can be: {@link #awaitReaddirs}
   * must follow if it returns 0, and {@code fid} stay until then.
   */
  public long beginReaddirs(int fid, List<byte[]> names, P9Tree out) {
    return sendReaddirs(laneBeside(), fid, names, out);
  }

  private long sendReaddirs(P9Lane lane, int fid, List<byte[]> names, P9Tree out) {
    out.reset();
    P9Lane.Call c = lane.begin(P9.TREADDIRS);
    if (c == null) {
      return -EIO;
    }
    P9Buffer b = c.buffer;
    b.put32(fid);
    b.put32(msize);
    b.put16(names.size());
    for (int i = 0; i < names.size(); i++) {
      byte[] name = names.get(i);
      b.putString(name, 0, name.length);
    }
    long r = send(c);
    if (r < 0) {
      end(c, 0, 0);
    } else {
      out.asked = c;
    }
    return r;
  }

  /** {@return what {@link #readdirs} does, for what {@link #beginReaddirs} asked} */
  public long awaitReaddirs(P9Tree out) {
    P9Lane.Call c = Objects.requireNonNull(out.asked);
    out.asked = null;
    long r = await(c, P9.TREADDIRS);
    if (r == 0) {
      P9Buffer b = c.buffer;
      c.buffer = out.entries.buffer;
      out.entries.buffer = b;
      int lists = b.get16();
      r = b.failed() ? -1 : out.accept(lists);
      if (r < 0 || c.fd >= 0) {
        out.reset();
        r = malformed(P9.TREADDIRS);
      }
    }
    end(c, 0, 0);
    return r;
  }

  /** {@return room for lists, for {@link #readdirs}} The caller closes it. */
  public P9Tree newTree() {
    return new P9Tree(newDir());
  }

  /** {@return an empty batch of entries, for {@link #readdir}} The caller closes it. */
  public P9Dir newDir() {
    return new P9Dir(new P9Buffer(Memory.mapAnonymous(msize)));
  }

  /** Gets what statfs(2) says. */
  public long statfs(int fid, P9StatFs out) {
    P9Lane.Call c = begin(P9.TSTATFS, 0);
    if (c == null) {
      return -EIO;
    }
    c.buffer.put32(fid);
    long r = transact(c, P9.TSTATFS);
    if (r == 0) {
      out.read(c.buffer);
      r = finishAnswer(c, P9.TSTATFS);
    }
    end(c, 0, 0);
    return r;
  }

  /** fsync(2) or fdatasync(2) of a regular file or directory. */
  public long fsync(int fid, boolean dataOnly) {
    P9Lane.Call c = begin(P9.TFSYNC, 0);
    if (c == null) {
      return -EIO;
    }
    c.buffer.put32(fid);
    c.buffer.put32(dataOnly ? 1 : 0);
    return plain(c, P9.TFSYNC);
  }

  /**
   * Gets an extended attribute.
   *
   * @param value where the value goes; an empty array asks for the length only
   * @return the length, or -errno
   */
  public long getxattr(int fid, byte[] name, byte[] value) {
    P9Lane.Call c = begin(P9.TGETXATTR, 0);
    if (c == null) {
      return -EIO;
    }
    P9Buffer b = c.buffer;
    b.put32(fid);
    b.put32(Math.min(value.length, P9.XATTR_MAX));
    b.putString(name, 0, name.length);
    long r = transact(c, P9.TGETXATTR);
    if (r == 0) {
      r = readSized(c, P9.TGETXATTR, value);
    }
    end(c, 0, 0);
    return r;
  }

  /** Sets an extended attribute; {@code flags} are XATTR_CREATE and XATTR_REPLACE. */
  public long setxattr(int fid, byte[] name, byte[] value, int length, int flags) {
    if (length > P9.XATTR_MAX || length > msize - 512) {
      return -redoubt.abi.Errno.E2BIG;
    }
    P9Lane.Call c = begin(P9.TSETXATTR, 0);
    if (c == null) {
      return -EIO;
    }
    P9Buffer b = c.buffer;
    b.put32(fid);
    b.put32(flags);
    b.putString(name, 0, name.length);
    b.put32(length);
    b.putBytes(value, 0, length);
    return plain(c, P9.TSETXATTR);
  }

  /** Lists extended attributes, NUL after each name; an empty array asks for the length only. */
  public long listxattr(int fid, byte[] list) {
    P9Lane.Call c = begin(P9.TLISTXATTR, 0);
    if (c == null) {
      return -EIO;
    }
    c.buffer.put32(fid);
    c.buffer.put32(Math.min(list.length, P9.XATTR_MAX));
    long r = transact(c, P9.TLISTXATTR);
    if (r == 0) {
      r = readSized(c, P9.TLISTXATTR, list);
    }
    end(c, 0, 0);
    return r;
  }

  /** Removes an extended attribute. */
  public long removexattr(int fid, byte[] name) {
    P9Lane.Call c = begin(P9.TREMOVEXATTR, 0);
    if (c == null) {
      return -EIO;
    }
    c.buffer.put32(fid);
    c.buffer.putString(name, 0, name.length);
    return plain(c, P9.TREMOVEXATTR);
  }

  // On names in a directory.

  /**
   * Creates or opens a regular file. {@code flags} are those of open(2); without O_EXCL a file that
   * is there already is opened. With O_TMPFILE the name is empty and the file has none.
   *
   * @param out gets one fid, its attributes and the descriptor; without it, and with {@link
   *     P9Walk#openError} EMFILE, if this process has no room for descriptors
   * @return 1 if the file is new, 0 if not, or -errno
   */
  public long create(int dirFid, byte[] name, int flags, int mode, int uid, int gid, P9Walk out) {
    out.reset();
    P9Lane.Call c = begin(P9.TCREATEFD, 1);
    if (c == null) {
      return -EIO;
    }
    P9Buffer b = c.buffer;
    b.put32(dirFid);
    b.put32(c.fids[0]);
    b.putString(name, 0, name.length);
    b.put32(flags);
    b.put32(mode);
    b.put32(uid);
    b.put32(gid);
    long r = transact(c, P9.TCREATEFD);
    if (r == 0) {
      b = c.buffer;
      boolean created = (b.get32() & P9.GOT_CREATED) != 0;
      out.attrs[0].read(b);
      if (c.fd < 0 && !c.lostFd) {
        b.fail();
      }
      r = finishAnswer(c, P9.TCREATEFD);
      if (r == 0) {
        out.count = 1;
        out.asked = 1;
        out.fids[0] = c.fids[0];
        out.openError = c.lostFd ? EMFILE : 0;
        out.hostFd = c.takeFd();
        r = created ? 1 : 0;
      }
    }
    end(c, r < 0 ? 0 : 1, 1);
    return r;
  }

  /** Makes a directory; returns its fid or -errno. */
  public long mkdir(int dirFid, byte[] name, int mode, int uid, int gid, P9Attr attr) {
    P9Lane.Call c = begin(P9.TMKDIRATTR, 1);
    if (c == null) {
      return -EIO;
    }
    P9Buffer b = c.buffer;
    b.put32(dirFid);
    b.put32(c.fids[0]);
    b.putString(name, 0, name.length);
    b.put32(mode);
    b.put32(uid);
    b.put32(gid);
    return made(c, P9.TMKDIRATTR, attr);
  }

  /** Makes a symlink; returns its fid or -errno. */
  public long symlink(int dirFid, byte[] name, byte[] target, int uid, int gid, P9Attr attr) {
    if (target.length >= P9.PATH_MAX) {
      return -ENAMETOOLONG;
    }
    P9Lane.Call c = begin(P9.TSYMLINKATTR, 1);
    if (c == null) {
      return -EIO;
    }
    P9Buffer b = c.buffer;
    b.put32(dirFid);
    b.put32(c.fids[0]);
    b.putString(name, 0, name.length);
    b.putString(target, 0, target.length);
    b.put32(uid);
    b.put32(gid);
    return made(c, P9.TSYMLINKATTR, attr);
  }

  /** Makes a FIFO, socket, device or empty regular file; returns its fid or -errno. */
  public long mknod(
      int dirFid, byte[] name, int mode, int major, int minor, int uid, int gid, P9Attr attr) {
    P9Lane.Call c = begin(P9.TMKNODATTR, 1);
    if (c == null) {
      return -EIO;
    }
    P9Buffer b = c.buffer;
    b.put32(dirFid);
    b.put32(c.fids[0]);
    b.putString(name, 0, name.length);
    b.put32(mode);
    b.put32(major);
    b.put32(minor);
    b.put32(uid);
    b.put32(gid);
    return made(c, P9.TMKNODATTR, attr);
  }

  /** Gives the file {@code fid} another name. */
  public long link(int dirFid, int fid, byte[] name) {
    P9Lane.Call c = begin(P9.TLINK, 0);
    if (c == null) {
      return -EIO;
    }
    P9Buffer b = c.buffer;
    b.put32(dirFid);
    b.put32(fid);
    b.putString(name, 0, name.length);
    return plain(c, P9.TLINK);
  }

  /** Renames, with the flags of renameat2(2). */
  public long rename(int oldDirFid, byte[] oldName, int newDirFid, byte[] newName, int flags) {
    P9Lane.Call c = begin(P9.TRENAMEAT2, 0);
    if (c == null) {
      return -EIO;
    }
    P9Buffer b = c.buffer;
    b.put32(oldDirFid);
    b.putString(oldName, 0, oldName.length);
    b.put32(newDirFid);
    b.putString(newName, 0, newName.length);
    b.put32(flags);
    return plain(c, P9.TRENAMEAT2);
  }

  /** Removes a name; {@code flags} may be AT_REMOVEDIR. */
  public long unlink(int dirFid, byte[] name, int flags) {
    P9Lane.Call c = begin(P9.TUNLINKAT, 0);
    if (c == null) {
      return -EIO;
    }
    P9Buffer b = c.buffer;
    b.put32(dirFid);
    b.putString(name, 0, name.length);
    b.put32(flags);
    return plain(c, P9.TUNLINKAT);
  }

  // Giving fids back.

  /**
   * Gives a fid back soon: many go in one message. A file that has no name any more keeps its space
   * until then; use {@link #clunkNow} for it.
   */
  public void clunk(int fid) {
    boolean full;
    mu.lock();
    try {
      // Several threads may find the batch full at once: the excess goes by itself.
      full = pendingClunkCount == P9.CLUNK_MAX;
      if (!full) {
        pendingClunks[pendingClunkCount++] = fid;
      }
    } finally {
      mu.unlock();
    }
    if (full) {
      flushClunks();
      clunkNow(fid);
    }
  }

  /** Gives a fid back at once. */
  public long clunkNow(int fid) {
    P9Lane.Call c = begin(P9.TCLUNK, 0);
    if (c == null) {
      return -EIO;
    }
    c.fids[0] = fid;
    c.buffer.put32(fid);
    long r = transact(c, P9.TCLUNK);
    if (r == 0) {
      r = finishAnswer(c, P9.TCLUNK);
    }
    end(c, 0, r < 0 ? 0 : 1);
    return r;
  }

  /** Sends the batch of clunks; returns how many fids it had, or -errno. */
  public long flushClunks() {
    P9Lane.Call c = begin(P9.TCLUNKS, 0);
    if (c == null) {
      return -EIO;
    }
    int[] batch = c.fids;
    int count;
    mu.lock();
    try {
      count = pendingClunkCount;
      System.arraycopy(pendingClunks, 0, batch, 0, count);
      pendingClunkCount = 0;
    } finally {
      mu.unlock();
    }
    if (count == 0) {
      end(c, 0, 0);
      return 0;
    }
    P9Buffer b = c.buffer;
    b.put16(count);
    for (int i = 0; i < count; i++) {
      b.put32(batch[i]);
    }
    long r = transact(c, P9.TCLUNKS);
    if (r == 0) {
      r = finishAnswer(c, P9.TCLUNKS);
    }
    // Whether the gofer knew them all or not, it knows none of them now.
    end(c, 0, r == 0 || r == -EBADF ? count : 0);
    return r < 0 ? r : count;
  }

  /** Ends the connection, waits for calls under way to fail, and gives all memory back. */
  @Override
  public void close() {
    ended.set(true);
    breakUp();
    for (int i = 0; i < LANES_MAX; i++) {
      P9Lane lane = lanes.getAndSet(i, null);
      if (lane != null && lane != first) {
        lane.close();
      }
    }
    first.close();
  }

  // The machinery.

  private long plain(P9Lane.Call c, int type) {
    long r = transact(c, type);
    if (r == 0) {
      r = finishAnswer(c, type);
    }
    end(c, 0, 0);
    return r;
  }

  private long made(P9Lane.Call c, int type, P9Attr attr) {
    int fid = c.fids[0];
    long r = transact(c, type);
    if (r == 0) {
      attr.read(c.buffer);
      r = finishAnswer(c, type);
    }
    end(c, r < 0 ? 0 : 1, 1);
    return r < 0 ? r : fid;
  }

  private long readSized(P9Lane.Call c, int type, byte[] to) {
    int length = c.buffer.get32();
    if (to.length > 0) {
      return readData(c, type, length, to);
    }
    if (length < 0 || length > P9.XATTR_MAX) {
      c.buffer.fail();
    }
    long r = finishAnswer(c, type);
    return r < 0 ? r : length;
  }

  private long readData(P9Lane.Call c, int type, int length, byte[] to) {
    P9Buffer b = c.buffer;
    int at = b.skip(length);
    long r = finishAnswer(c, type);
    if (r < 0) {
      return r;
    }
    if (length > to.length) {
      return -ERANGE;
    }
    b.region().getBytes(at, to, length);
    return length;
  }

  /** Takes a call and fids for it, and begins its message; null if the connection has ended. */
  private P9Lane.@Nullable Call begin(int type, int fidCount) {
    P9Lane.Call c = lane().begin(type);
    if (c != null && fidCount > 0) {
      mu.lock();
      try {
        for (int i = 0; i < fidCount; i++) {
          c.fids[i] = freeFidCount > 0 ? freeFids[--freeFidCount] : nextFid++;
        }
      } finally {
        mu.unlock();
      }
    }
    return c;
  }

  /** {@return the lane of the processor that the caller runs on} */
  private P9Lane lane() {
    RawSyscall.syscall(Nr.GETCPU, processor.address(), 0, 0);
    int cpu = processor.get(Memory.INT, 0);
    if (cpu < 0 || cpu >= LANES_MAX) {
      return first;
    }
    P9Lane lane = lanes.get(cpu);
    return lane != null ? lane : openLane(cpu);
  }

  /** {@return a lane that another processor serves}, or the first */
  private P9Lane laneBeside() {
    P9Lane mine = lane();
    for (int i = 0; i < LANES_MAX; i++) {
      P9Lane lane = lanes.get(i);
      if (lane != null && lane != mine) {
        return lane;
      }
    }
    return first;
  }

  /** Has the gofer make a lane for a processor; meanwhile, and if it cannot, the first serves. */
  private P9Lane openLane(int cpu) {
    if (ended.get() || !lanes.compareAndSet(cpu, null, first)) {
      return first;
    }
    P9Lane.Call c = first.begin(P9.TLANE);
    if (c == null) {
      return first;
    }
    c.buffer.put32(cpu);
    long r = transact(c, P9.TLANE);
    if (r == 0) {
      if (!c.lostFd && (c.fd < 0 || !SeqpacketSocket.isSeqpacket(c.fd))) {
        c.buffer.fail();
      }
      r = finishAnswer(c, P9.TLANE);
      if (r == 0 && c.lostFd) {
        r = -EMFILE;
      }
    }
    P9Lane lane = first;
    if (r == 0) {
      Fd socket = new Fd(c.takeFd());
      SeqpacketSocket.setSendBuffer(socket.number(), msize);
      lane = new P9Lane(socket, msize);
      if (!lanes.compareAndSet(cpu, first, lane)) {
        lane.close();
        lane = first;
      } else if (ended.get()) {
        lane.breakUp();
      }
    }
    first.end(c);
    return lane;
  }

  /**
   * Sends the message and waits for the answer.
   *
   * @return 0 with the cursor on the answer's body, or -errno as the gofer said it or as the
   *     connection failed
   */
  private long transact(P9Lane.Call c, int type) {
    long r = send(c);
    return r < 0 ? r : await(c, type);
  }

  private long send(P9Lane.Call c) {
    P9Buffer b = c.buffer;
    int length = b.finish();
    if (b.failed() || length > msize) {
      return -EINVAL;
    }
    String trouble = c.lane.send(c, length);
    if (trouble != null) {
      disconnect(trouble);
      return -EIO;
    }
    return 0;
  }

  private long await(P9Lane.Call c, int type) {
    String trouble = c.lane.await(c);
    if (trouble != null) {
      disconnect(trouble);
      return -EIO;
    }
    P9Buffer b = c.buffer;
    int answer = b.type();
    if (answer == type + 1) {
      return 0;
    }
    if (answer == P9.RLERROR && c.fd < 0 && !c.lostFd) {
      int error = b.get32();
      if (b.isConsumed() && error > 0 && error < 4096) {
        return -error;
      }
    }
    return malformed(type);
  }

  /** Gives a call back, with the fids from {@code keep} to {@code fidCount}. */
  private void end(P9Lane.Call c, int keep, int fidCount) {
    if (keep < fidCount) {
      mu.lock();
      try {
        for (int i = keep; i < fidCount; i++) {
          freeFid(c.fids[i]);
        }
      } finally {
        mu.unlock();
      }
    }
    c.lane.end(c);
  }

  @GuardedBy("mu")
  private void freeFid(int fid) {
    if (freeFidCount == freeFids.length) {
      freeFids = Arrays.copyOf(freeFids, 2 * freeFidCount);
    }
    freeFids[freeFidCount++] = fid;
  }

  /** Checks that the whole answer was read and made sense; ends the connection if not. */
  private long finishAnswer(P9Lane.Call c, int type) {
    return c.buffer.isConsumed() && ((c.fd < 0 && !c.lostFd) || mayDonate(type))
        ? 0
        : malformed(type);
  }

  private static boolean mayDonate(int type) {
    return type == P9.TWALKATTR || type == P9.TOPENFD || type == P9.TCREATEFD || type == P9.TLANE;
  }

  private static boolean isNotErrno(int e) {
    return e < 0 || e > 4095;
  }

  private static boolean isDots(byte[] path, int start, int length) {
    return (length == 1 && path[start] == '.')
        || (length == 2 && path[start] == '.' && path[start + 1] == '.');
  }

  private static void closeFd(int fd) {
    if (fd >= 0) {
      FileSystemCalls.close(fd);
    }
  }

  private long malformed(int type) {
    disconnect("malformed answer from the gofer to message type " + type);
    return -EIO;
  }

  private void disconnect(String why) {
    boolean news = ended.compareAndSet(false, true);
    breakUp();
    if (news) {
      listener.log("gofer: " + why);
      listener.disconnected();
    }
  }

  private void breakUp() {
    first.breakUp();
    for (int i = 0; i < LANES_MAX; i++) {
      P9Lane lane = lanes.get(i);
      if (lane != null) {
        lane.breakUp();
      }
    }
  }

  private static int negotiate(int socket, int wanted) {
    P9Buffer b = new P9Buffer(Memory.mapAnonymous(wanted));
    try {
      byte[] version = P9.VERSION_REDOUBT.getBytes(StandardCharsets.ISO_8859_1);
      b.begin(P9.TVERSION, P9.NOTAG);
      b.put32(wanted);
      b.putString(version, 0, version.length);
      int length = b.finish();
      long r = SeqpacketSocket.send(socket, b.haddr(0), length);
      if (r < 0) {
        throw new P9Exception("the gofer does not take messages", r);
      }
      var channel = new SeqpacketSocket.Channel();
      r = channel.receive(socket, b.haddr(0), wanted, true);
      closeFd(channel.takeFd());
      if (r <= 0) {
        throw new P9Exception("the gofer did not answer to the version", r == 0 ? -EIO : r);
      }
      boolean sound = b.accept(r) && b.type() == P9.TVERSION + 1;
      int agreed = b.get32();
      byte[] answer = new byte[Math.min(b.get16(), 64)];
      b.getBytes(answer, 0, answer.length);
      if (!sound
          || !b.isConsumed()
          || agreed > wanted
          || agreed < P9.MSIZE_MIN
          || !Arrays.equals(version, answer)) {
        throw new P9Exception(
            "the gofer does not speak " + P9.VERSION_REDOUBT, -redoubt.abi.Errno.EPROTO);
      }
      return agreed;
    } finally {
      Memory.unmap(b.memory());
    }
  }
}
