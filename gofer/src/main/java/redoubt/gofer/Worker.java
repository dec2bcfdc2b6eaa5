package redoubt.gofer;

import static redoubt.abi.Errno.E2BIG;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EISDIR;
import static redoubt.abi.Errno.ELOOP;
import static redoubt.abi.Errno.EMFILE;
import static redoubt.abi.Errno.ENAMETOOLONG;
import static redoubt.abi.Errno.ENFILE;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ENOSYS;
import static redoubt.abi.Errno.ENOTDIR;
import static redoubt.abi.Errno.ENXIO;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EROFS;
import static redoubt.abi.Errno.EXDEV;

import java.lang.foreign.Arena;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Fcntl;
import redoubt.abi.Stat;
import redoubt.host.FileSystemCalls;
import redoubt.host.HostException;
import redoubt.host.Memory;
import redoubt.host.ProcessCalls;
import redoubt.host.Region;
import redoubt.host.SeqpacketSocket;
import redoubt.p9.P9;
import redoubt.p9.P9Attr;
import redoubt.p9.P9Buffer;

/**
 * One thread of the gofer: receives a message, does what it asks for with a few system calls, and
 * answers. One method per message type; each returns 0 or {@code -errno}, with the answer's body
 * written to {@link #out} from the body's start on.
 *
 * <p>Hostile input: every field comes from the sentry, which a guest may have taken over. Numbers
 * are looked up or bounded, names checked by {@link Scratch#copyName}, and flags are masked by
 * allow-lists, before the host sees them. A message whose frame is broken, or that brings a
 * descriptor, ends the gofer; one whose body is broken gets EINVAL.
 */
final class Worker implements Runnable {
  /** What a client may ask for when it opens a file, beside the access mode. */
  private static final int OPEN_FLAGS =
      Fcntl.O_ACCMODE
          | Fcntl.O_TRUNC
          | Fcntl.O_APPEND
          | Fcntl.O_DIRECT
          | Fcntl.O_SYNC
          | Fcntl.O_LARGEFILE
          | Fcntl.O_NOATIME
          | Fcntl.O_NONBLOCK;

  private static final int CREATE_FLAGS =
      OPEN_FLAGS | Fcntl.O_CREAT | Fcntl.O_EXCL | Fcntl.O_TMPFILE;

  private static final int O_TMPFILE_ONLY = 0x400000;

  private static final long RESOLVE =
      Fcntl.RESOLVE_BENEATH | Fcntl.RESOLVE_NO_MAGICLINKS | Fcntl.RESOLVE_NO_SYMLINKS;

  private static final int RENAME_FLAGS = 7;
  private static final int PERMISSIONS = 07777;
  private static final int SET_ID_BITS = 06000;
  private static final int UTIME_NOW = 0x3fffffff;
  private static final int UTIME_OMIT = 0x3ffffffe;
  private static final int CREATE_TRIES = 8;
  private static final byte[] LINUX = ascii(P9.VERSION_LINUX);
  private static final byte[] REDOUBT = ascii(P9.VERSION_REDOUBT);

  private final GoferServer server;
  private final int socket;

  /** The processor to run on, or -1 for any. */
  private final int cpu;

  private final FidTable fids;
  private final SeqpacketSocket.Channel channel = new SeqpacketSocket.Channel();
  private final Scratch s = new Scratch();
  private final P9Attr attr = new P9Attr();
  private final P9Buffer in;
  private final P9Buffer out;

  private final Lister lister;

  private final int[] nameFid = new int[P9.READDIRS_MAX];
  private final int[] nameOffset = new int[P9.READDIRS_MAX];
  private final int[] nameLength = new int[P9.READDIRS_MAX];

  /** A descriptor to send with the answer, or -1; then closed here. */
  private int donated = -1;

  Worker(GoferServer server) {
    this(server, server.socket, -1);
  }

  Worker(GoferServer server, int socket, int cpu) {
    this.server = server;
    this.socket = socket;
    this.cpu = cpu;
    this.fids = server.fids;
    this.in = new P9Buffer(Memory.mapAnonymous(P9.MSIZE_MAX));
    this.out = new P9Buffer(Memory.mapAnonymous(P9.MSIZE_MAX));
    this.lister = new Lister(s, out, this::openBeneath);
  }

  @Override
  public void run() {
    if (cpu >= 0) {
      // If the host does not allow it, the lane is only slower.
      ProcessCalls.pinThread(cpu);
    }
    try {
      serve();
    } catch (Throwable t) {
      // Who waits for an answer would wait for ever: better an end that everybody sees.
      server.end("internal error: " + t);
    }
    Memory.unmap(in.memory());
    Memory.unmap(out.memory());
    s.free();
  }

  /** Answers messages until the client is gone or the connection ends. */
  private void serve() {
    while (true) {
      long n = channel.receive(socket, in.haddr(0), P9.MSIZE_MAX, true);
      if (n == 0 || n == -Errno.ECONNRESET) {
        server.clientGone(socket);
        return;
      }
      if (n < 0) {
        server.end("receiving from the sentry", n);
        return;
      }
      int stray = channel.takeFd();
      if (stray >= 0) {
        FileSystemCalls.close(stray);
        server.end("the sentry sent a descriptor, which it must not; ending");
        return;
      }
      if (!in.accept(n) || (server.msize != 0 && n > server.msize)) {
        server.end("malformed message from the sentry of " + n + " bytes; ending");
        return;
      }
      answer();
      int length = out.finish();
      long r;
      if (donated >= 0) {
        r = channel.sendWithFd(socket, out.haddr(0), length, donated);
        FileSystemCalls.close(donated);
        donated = -1;
        if (r == -Errno.ETOOMANYREFS) {
          server.end(
              "too many descriptors are on their way to the sentry, which takes none; ending");
          return;
        }
      } else {
        r = SeqpacketSocket.send(socket, out.haddr(0), length);
      }
      if (r < 0) {
        if (r == -Errno.EPIPE) {
          server.clientGone(socket);
        } else {
          server.end("answering to the sentry", r);
        }
        return;
      }
    }
  }

  /**
   * Plays a short dialogue with itself that changes nothing, so that the classes that serving needs
   * are loaded and linked while the process may still open files.
   */
  void rehearse() {
    in.begin(P9.TVERSION, P9.NOTAG);
    in.put32(P9.MSIZE_DEFAULT);
    in.putString(REDOUBT, 0, REDOUBT.length);
    play();
    Attach first = server.firstAttach();
    if (first != null) {
      in.begin(P9.TATTACH, 0);
      in.put32(0);
      in.put32(P9.NOFID);
      in.put16(0);
      in.putString(first.name, 0, first.name.length);
      in.put32(0);
      play();
      in.begin(P9.TWALKATTR, 0);
      in.put32(0);
      in.put32(0);
      in.put32(0);
      in.put16(0);
      play();
      in.begin(P9.TWALKATTR, 0);
      in.put32(0);
      in.put32(0);
      in.put32(0);
      in.put16(1);
      in.put32(1);
      in.putString(LINUX, 0, LINUX.length);
      play();
      in.begin(P9.TREADDIRATTR, 0);
      in.put32(0);
      in.put64(0);
      in.put32(0);
      in.put32(P9.MSIZE_MIN);
      play();
    }
    in.begin(0, 0);
    play();
    fids.clear();
    server.msize = 0;
    Errno.name(Errno.EIO);
  }

  private void play() {
    in.accept(in.finish());
    answer();
    out.finish();
  }

  static boolean isDirectory(int fd) {
    try (Arena arena = Arena.ofConfined()) {
      Region statx = Region.of(arena.allocate(FileSystemCalls.STATX_BYTES, 8));
      P9Attr attr = new P9Attr();
      HostException.check(
          "statx of attach point fd " + fd,
          FileSystemCalls.statx(
              fd,
              arena.allocate(8, 8).address(),
              Fcntl.AT_EMPTY_PATH,
              FileSystemCalls.STATX_WANTED,
              statx));
      attr.readStatx(statx, 0);
      return attr.isDirectory();
    }
  }

  /** Makes the answer to the message in {@link #in}. */
  private void answer() {
    int type = in.type();
    int tag = in.tag();
    out.begin(type + 1, tag);
    long r = server.msize == 0 && type != P9.TVERSION ? -EINVAL : dispatch(type);
    if (r >= 0 && out.failed()) {
      r = -Errno.EMSGSIZE;
    }
    if (r < 0) {
      if (donated >= 0) {
        FileSystemCalls.close(donated);
        donated = -1;
      }
      out.begin(P9.RLERROR, tag);
      out.put32((int) -(r == -EMFILE ? -ENFILE : r));
    }
  }

  private long dispatch(int type) {
    return switch (type) {
      case P9.TSTATFS -> statfs();
      case P9.TREADLINK -> readlink();
      case P9.TFSYNC -> fsync();
      case P9.TLINK -> link();
      case P9.TUNLINKAT -> unlinkat();
      case P9.TVERSION -> version();
      case P9.TATTACH -> attach();
      case P9.TFLUSH -> flush();
      case P9.TCLUNK -> clunk();
      case P9.TWALKATTR -> walkattr();
      case P9.TOPENFD -> openfd();
      case P9.TCREATEFD -> createfd();
      case P9.TMKDIRATTR -> mkdirattr();
      case P9.TSYMLINKATTR -> symlinkattr();
      case P9.TMKNODATTR -> mknodattr();
      case P9.TRENAMEAT2 -> renameat2();
      case P9.TREADDIRATTR -> readdirattr();
      case P9.TREADDIRS -> readdirs();
      case P9.TSETATTRATTR -> setattrattr();
      case P9.TGETXATTR -> getxattr();
      case P9.TSETXATTR -> setxattr();
      case P9.TLISTXATTR -> listxattr();
      case P9.TREMOVEXATTR -> removexattr();
      case P9.TCLUNKS -> clunks();
      case P9.TLANE -> lane();
      default -> -EOPNOTSUPP;
    };
  }

  // The connection.

  private long version() {
    int msize = in.get32();
    byte[] version = string(64);
    if (!in.isConsumed() || msize < P9.MSIZE_MIN) {
      return -EINVAL;
    }
    byte[] answer =
        Arrays.equals(version, REDOUBT) || Arrays.equals(version, LINUX)
            ? version
            : ascii("unknown");
    fids.clear();
    int agreed = Math.min(msize, P9.MSIZE_MAX);
    server.msize = agreed;
    SeqpacketSocket.setSendBuffer(server.socket, agreed);
    out.put32(agreed);
    out.putString(answer, 0, answer.length);
    return 0;
  }

  private long attach() {
    int number = in.get32();
    in.get32();
    string(256);
    byte[] name = string(256);
    in.get32();
    if (!in.isConsumed()) {
      return -EINVAL;
    }
    Attach a = server.attach(name);
    if (a == null) {
      return -ENOENT;
    }
    long fd = redoubt.host.RawSyscall.syscall(redoubt.abi.Nr.FCNTL, a.fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
      return fd;
    }
    Fid fid = adopt((int) fd, a, true, number);
    if (fid == null) {
      return failure;
    }
    fids.release(fid);
    putQid();
    return 0;
  }

  /** Every request is answered before the next is looked at, so there is nothing to flush. */
  private long flush() {
    in.get16();
    return in.isConsumed() ? 0 : -EINVAL;
  }

  private long clunk() {
    int number = in.get32();
    return in.isConsumed() ? fids.remove(number) : -EINVAL;
  }

  private long clunks() {
    int count = in.get16();
    if (count > P9.CLUNK_MAX) {
      return -EINVAL;
    }
    long r = 0;
    for (int i = 0; i < count; i++) {
      int number = in.get32();
      if (in.failed()) {
        return -EINVAL;
      }
      if (fids.remove(number) < 0) {
        r = -EBADF;
      }
    }
    return in.isConsumed() ? r : -EINVAL;
  }

  private long lane() {
    int cpu = in.get32();
    if (!in.isConsumed() || cpu < 0 || cpu >= ProcessCalls.CPUS_MAX) {
      return -EINVAL;
    }
    long fd = server.addLane(cpu);
    if (fd >= 0) {
      donated = (int) fd;
    }
    return Math.min(fd, 0);
  }

  // Finding.

  private long walkattr() {
    int number = in.get32();
    int flags = in.get32();
    int openFlags = in.get32();
    int names = in.get16();
    if (names > P9.WALK_MAX) {
      return -EINVAL;
    }
    for (int i = 0; i < names; i++) {
      nameFid[i] = in.get32();
      nameLength[i] = in.get16();
      nameOffset[i] = in.skip(nameLength[i]);
    }
    if (!in.isConsumed() || (flags & ~P9.WALK_OPEN) != 0) {
      return -EINVAL;
    }
    Fid start = fids.acquire(number);
    if (start == null) {
      return -EBADF;
    }
    int head = out.reserve(12);
    if (names == 0) {
      long r = getattr(start.fd);
      fids.release(start);
      if (r < 0) {
        return r;
      }
      attr.write(out);
      out.patch32(head, 0);
      out.patch32(head + 4, 0);
      out.patch32(head + 8, 0);
      return 0;
    }
    Fid at = start;
    int walked = 0;
    int got = 0;
    long error = 0;
    long openError = 0;
    while (walked < names) {
      if (at.type != Stat.S_IFDIR) {
        error = -ENOTDIR;
        break;
      }
      error = s.copyName(in, nameOffset[walked], nameLength[walked], 0);
      if (error < 0) {
        break;
      }
      Fid next = find(at, s.name(0), nameFid[walked]);
      if (next == null) {
        error = failure;
        break;
      }
      fids.release(at);
      at = next;
      attr.write(out);
      walked++;
      if (at.type == Stat.S_IFLNK) {
        got |= P9.GOT_TARGET;
        break;
      }
    }
    if (walked == names && (flags & P9.WALK_OPEN) != 0 && at.type == Stat.S_IFREG) {
      openError = open(at, openFlags);
      if (openError >= 0) {
        donated = (int) openError;
        openError = 0;
        got |= P9.GOT_FD;
      }
    }
    long r = 0;
    if ((got & P9.GOT_TARGET) != 0) {
      r = putTarget(at);
    }
    fids.release(at);
    if (r < 0) {
      // The link went away under the walk: the fids must not stay behind unknown.
      for (int i = 0; i < walked; i++) {
        fids.remove(nameFid[i]);
      }
      return r;
    }
    out.patch16(head, walked);
    out.patch16(head + 2, got);
    out.patch32(head + 4, (int) -(error == -EMFILE ? -ENFILE : error));
    out.patch32(head + 8, (int) -(openError == -EMFILE ? -ENFILE : openError));
    return 0;
  }

  private long readlink() {
    int number = in.get32();
    if (!in.isConsumed()) {
      return -EINVAL;
    }
    Fid fid = fids.acquire(number);
    if (fid == null) {
      return -EBADF;
    }
    long r = fid.type == Stat.S_IFLNK ? putTarget(fid) : -EINVAL;
    fids.release(fid);
    return r;
  }

  private long readdirattr() {
    int number = in.get32();
    long offset = in.get64();
    int flags = in.get32();
    int room = in.get32();
    if (!in.isConsumed() || (flags & ~P9.READDIR_ATTR) != 0 || room < P9.MSIZE_MIN) {
      return -EINVAL;
    }
    Fid fid = fids.acquire(number);
    if (fid == null) {
      return -EBADF;
    }
    long r;
    if (fid.type != Stat.S_IFDIR) {
      r = -ENOTDIR;
    } else {
      synchronized (fid.dirMu) {
        r = readDirectory(fid, offset, (flags & P9.READDIR_ATTR) != 0, room);
      }
    }
    fids.release(fid);
    return r;
  }

  private long readdirs() {
    int number = in.get32();
    int room = in.get32();
    int names = in.get16();
    if (names > P9.READDIRS_MAX || room < P9.MSIZE_MIN) {
      return -EINVAL;
    }
    for (int i = 0; i < names; i++) {
      nameLength[i] = in.get16();
      nameOffset[i] = in.skip(nameLength[i]);
    }
    if (!in.isConsumed()) {
      return -EINVAL;
    }
    Fid fid = fids.acquire(number);
    if (fid == null) {
      return -EBADF;
    }
    long r = fid.type == Stat.S_IFDIR ? 0 : -ENOTDIR;
    lister.beginLists(Math.min(room, server.msize));
    for (int i = 0; r == 0 && i < names && !lister.isFull(); i++) {
      r = lister.putList(fid.fd, in, nameOffset[i], nameLength[i]);
    }
    lister.endLists();
    fids.release(fid);
    return r;
  }

  /** Preconditions: {@code fid.dirMu} is held. */
  @SuppressWarnings("GuardedBy")
  private long readDirectory(Fid fid, long offset, boolean withAttr, int room) {
    int dirFd = fid.dirFd;
    if (dirFd < 0) {
      long fd = reopen(fid.fd, Fcntl.O_RDONLY | Fcntl.O_DIRECTORY);
      if (fd < 0) {
        return fd;
      }
      dirFd = (int) fd;
      fid.dirOffset = 0;
      if (fids.mayKeepDir()) {
        fid.dirFd = dirFd;
      }
    }
    long r = 0;
    if (fid.dirOffset != offset) {
      r = FileSystemCalls.seek(dirFd, offset);
    }
    if (r >= 0) {
      r = lister.putEntries(fid, dirFd, withAttr, Math.min(room, server.msize));
    }
    if (fid.dirFd < 0) {
      FileSystemCalls.close(dirFd);
      fid.dirOffset = 0;
    } else if (r != 0) {
      // The end (1), or an error: nobody will read on from here.
      FileSystemCalls.close(dirFd);
      fid.dirFd = -1;
      fid.dirOffset = 0;
      fids.dirClosed();
    }
    return Math.min(r, 0);
  }

  private long statfs() {
    int number = in.get32();
    if (!in.isConsumed()) {
      return -EINVAL;
    }
    Fid fid = fids.acquire(number);
    if (fid == null) {
      return -EBADF;
    }
    Region f = s.statfs;
    long r = FileSystemCalls.fstatfs(fid.fd, f);
    fids.release(fid);
    if (r < 0) {
      return r;
    }
    out.put32((int) f.getLong(0));
    out.put32((int) f.getLong(8));
    out.put64(f.getLong(16));
    out.put64(f.getLong(24));
    out.put64(f.getLong(32));
    out.put64(f.getLong(40));
    out.put64(f.getLong(48));
    out.put64(f.getLong(56));
    out.put32((int) f.getLong(64));
    return 0;
  }

  // Opening.

  private long openfd() {
    int number = in.get32();
    int flags = in.get32();
    if (!in.isConsumed()) {
      return -EINVAL;
    }
    Fid fid = fids.acquire(number);
    if (fid == null) {
      return -EBADF;
    }
    long r = open(fid, flags);
    fids.release(fid);
    if (r < 0) {
      return r;
    }
    donated = (int) r;
    return 0;
  }

  private long createfd() {
    int dirNumber = in.get32();
    int number = in.get32();
    int nameLength = in.get16();
    int nameOffset = in.skip(nameLength);
    int flags = in.get32();
    int mode = in.get32();
    int uid = in.get32();
    int gid = in.get32();
    if (!in.isConsumed()
        || (flags & ~CREATE_FLAGS) != 0
        || (mode & ~PERMISSIONS) != 0
        || (flags & Fcntl.O_ACCMODE) == Fcntl.O_ACCMODE) {
      return -EINVAL;
    }
    boolean unnamed = (flags & O_TMPFILE_ONLY) != 0;
    long r = unnamed ? 0 : s.copyName(in, nameOffset, nameLength, 0);
    if (r < 0) {
      return r;
    }
    Fid dir = fids.acquire(dirNumber);
    if (dir == null) {
      return -EBADF;
    }
    r = checkChange(dir);
    if (r == 0) {
      int wanted = flags & ~(Fcntl.O_CREAT | Fcntl.O_EXCL);
      r =
          unnamed
              ? createUnnamed(dir, wanted, mode, uid, gid, number)
              : create(dir, wanted, (flags & Fcntl.O_EXCL) != 0, mode, uid, gid, number);
    }
    fids.release(dir);
    return r;
  }

  /** Creates or opens the name in slot 0, and writes the answer. */
  private long create(
      Fid dir, int flags, boolean exclusive, int mode, int uid, int gid, int number) {
    for (int i = 0; i < CREATE_TRIES; i++) {
      long fd =
          openBeneath(
              dir.fd,
              s.name(0),
              flags & ~Fcntl.O_TRUNC | Fcntl.O_CREAT | Fcntl.O_EXCL | Fcntl.O_NOCTTY,
              mode);
      if (fd >= 0) {
        long r = finishCreate(dir, (int) fd, mode, uid, gid, number);
        if (r < 0) {
          FileSystemCalls.unlinkat(dir.fd, s.name(0), 0);
        }
        return r;
      }
      if (fd != -EEXIST || exclusive) {
        return fd;
      }
      Fid fid = find(dir, s.name(0), number);
      if (fid == null) {
        if (failure == -ENOENT) {
          continue;
        }
        return failure;
      }
      int head = out.position();
      out.put32(0);
      attr.write(out);
      long r = fid.type == Stat.S_IFLNK ? -ELOOP : open(fid, flags);
      if (r >= 0 && (flags & Fcntl.O_TRUNC) != 0) {
        out.rewind(head + 4);
        getattr(fid.fd);
        attr.write(out);
      }
      fids.release(fid);
      if (r < 0) {
        fids.remove(number);
        return r;
      }
      donated = (int) r;
      return 0;
    }
    return -ENOENT;
  }

  private long createUnnamed(Fid dir, int flags, int mode, int uid, int gid, int number) {
    long fd = openBeneath(dir.fd, s.dot, flags & ~Fcntl.O_TRUNC | Fcntl.O_TMPFILE, mode);
    return fd < 0 ? fd : finishCreate(dir, (int) fd, mode, uid, gid, number);
  }

  /** Gives the new file its owner and a fid, and donates the descriptor. */
  private long finishCreate(Fid dir, int fd, int mode, int uid, int gid, int number) {
    donated = fd;
    long path = reopen(fd, Fcntl.O_PATH);
    if (path < 0) {
      return path;
    }
    Fid fid = adopt((int) path, dir.attach, false, number);
    if (fid == null) {
      return failure;
    }
    long r = giveTo(fid.fd, mode, uid, gid);
    fids.release(fid);
    if (r < 0) {
      fids.remove(number);
      return r;
    }
    out.put32(P9.GOT_CREATED);
    attr.write(out);
    return 0;
  }

  private long fsync() {
    int number = in.get32();
    int dataOnly = in.get32();
    if (!in.isConsumed()) {
      return -EINVAL;
    }
    Fid fid = fids.acquire(number);
    if (fid == null) {
      return -EBADF;
    }
    long r = -EINVAL;
    if (fid.type == Stat.S_IFREG || fid.type == Stat.S_IFDIR) {
      r = reopen(fid.fd, Fcntl.O_RDONLY);
      if (r >= 0) {
        int fd = (int) r;
        r = FileSystemCalls.fsync(fd, dataOnly != 0);
        FileSystemCalls.close(fd);
      }
    }
    fids.release(fid);
    return r;
  }

  // Changing names.

  private long mkdirattr() {
    int dirNumber = in.get32();
    int number = in.get32();
    int length = in.get16();
    int offset = in.skip(length);
    int mode = in.get32();
    int uid = in.get32();
    int gid = in.get32();
    if (!in.isConsumed() || (mode & ~PERMISSIONS) != 0) {
      return -EINVAL;
    }
    Fid dir = fids.acquire(dirNumber);
    if (dir == null) {
      return -EBADF;
    }
    long r = s.copyName(in, offset, length, 0);
    if (r == 0) {
      r = checkChange(dir);
    }
    if (r == 0) {
      r = FileSystemCalls.mkdirat(dir.fd, s.name(0), mode);
    }
    if (r == 0) {
      r = finishMake(dir, Stat.S_IFDIR, mode, uid, gid, number);
    }
    fids.release(dir);
    return r;
  }

  private long symlinkattr() {
    int dirNumber = in.get32();
    int number = in.get32();
    int length = in.get16();
    int offset = in.skip(length);
    int targetLength = in.get16();
    int targetOffset = in.skip(targetLength);
    int uid = in.get32();
    int gid = in.get32();
    if (!in.isConsumed()) {
      return -EINVAL;
    }
    if (targetLength >= P9.PATH_MAX) {
      return -ENAMETOOLONG;
    }
    Fid dir = fids.acquire(dirNumber);
    if (dir == null) {
      return -EBADF;
    }
    long r = s.copyName(in, offset, length, 0);
    if (r == 0) {
      r = checkChange(dir);
    }
    if (r == 0) {
      // A target may hold anything: nobody but the guest's kernel follows it.
      s.path.put(0, in.region(), targetOffset, targetLength);
      s.path.putByte(targetLength, (byte) 0);
      r = FileSystemCalls.symlinkat(s.path.address(), dir.fd, s.name(0));
    }
    if (r == 0) {
      r = finishMake(dir, Stat.S_IFLNK, 0777, uid, gid, number);
    }
    fids.release(dir);
    return r;
  }

  private long mknodattr() {
    int dirNumber = in.get32();
    int number = in.get32();
    int length = in.get16();
    int offset = in.skip(length);
    int mode = in.get32();
    int major = in.get32();
    int minor = in.get32();
    int uid = in.get32();
    int gid = in.get32();
    int type = mode & Stat.S_IFMT;
    if (!in.isConsumed()
        || (mode & ~(PERMISSIONS | Stat.S_IFMT)) != 0
        || (major & ~0xfff) != 0
        || (minor & ~0xfffff) != 0) {
      return -EINVAL;
    }
    boolean device = type == Stat.S_IFCHR || type == Stat.S_IFBLK;
    if (!device && type != Stat.S_IFIFO && type != Stat.S_IFSOCK && type != Stat.S_IFREG) {
      return -EINVAL;
    }
    Fid dir = fids.acquire(dirNumber);
    if (dir == null) {
      return -EBADF;
    }
    long r = s.copyName(in, offset, length, 0);
    if (r == 0) {
      r = checkChange(dir);
    }
    if (r == 0) {
      int dev = device ? (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12) : 0;
      r = FileSystemCalls.mknodat(dir.fd, s.name(0), mode, dev);
    }
    if (r == 0) {
      r = finishMake(dir, type, mode & PERMISSIONS, uid, gid, number);
    }
    fids.release(dir);
    return r;
  }

  /** Finds what was just made under the name in slot 0, gives it its owner, and answers. */
  private long finishMake(Fid dir, int type, int mode, int uid, int gid, int number) {
    Fid fid = find(dir, s.name(0), number);
    long r = fid == null ? failure : 0;
    if (fid != null) {
      if (fid.type != type) {
        // Somebody outside replaced it meanwhile: that file's owner is not ours to change.
        r = -EEXIST;
      } else {
        r = giveTo(fid.fd, type == Stat.S_IFLNK ? 0 : mode, uid, gid);
      }
      fids.release(fid);
      if (r < 0) {
        fids.remove(number);
      }
    }
    if (r < 0) {
      FileSystemCalls.unlinkat(dir.fd, s.name(0), type == Stat.S_IFDIR ? Fcntl.AT_REMOVEDIR : 0);
      return r;
    }
    attr.write(out);
    return 0;
  }

  private long link() {
    int dirNumber = in.get32();
    int number = in.get32();
    int length = in.get16();
    int offset = in.skip(length);
    if (!in.isConsumed()) {
      return -EINVAL;
    }
    Fid dir = fids.acquire(dirNumber);
    if (dir == null) {
      return -EBADF;
    }
    Fid fid = fids.acquire(number);
    long r = fid == null ? -EBADF : s.copyName(in, offset, length, 0);
    if (fid != null) {
      if (r == 0) {
        r = fid.attach != dir.attach ? -EXDEV : checkChange(dir);
      }
      if (r == 0) {
        r =
            FileSystemCalls.linkat(
                server.procFd, s.fdName(fid.fd), dir.fd, s.name(0), Fcntl.AT_SYMLINK_FOLLOW);
      }
      fids.release(fid);
    }
    fids.release(dir);
    return r;
  }

  private long renameat2() {
    int oldNumber = in.get32();
    int oldLength = in.get16();
    int oldOffset = in.skip(oldLength);
    int newNumber = in.get32();
    int newLength = in.get16();
    int newOffset = in.skip(newLength);
    int flags = in.get32();
    if (!in.isConsumed() || (flags & ~RENAME_FLAGS) != 0) {
      return -EINVAL;
    }
    Fid oldDir = fids.acquire(oldNumber);
    if (oldDir == null) {
      return -EBADF;
    }
    Fid newDir = fids.acquire(newNumber);
    long r = newDir == null ? -EBADF : s.copyName(in, oldOffset, oldLength, 0);
    if (newDir != null) {
      if (r == 0) {
        r = s.copyName(in, newOffset, newLength, 1);
      }
      if (r == 0) {
        r = oldDir.attach != newDir.attach ? -EXDEV : checkChange(oldDir);
      }
      if (r == 0) {
        r = checkChange(newDir);
      }
      if (r == 0) {
        r = FileSystemCalls.renameat2(oldDir.fd, s.name(0), newDir.fd, s.name(1), flags);
      }
      fids.release(newDir);
    }
    fids.release(oldDir);
    return r;
  }

  private long unlinkat() {
    int dirNumber = in.get32();
    int length = in.get16();
    int offset = in.skip(length);
    int flags = in.get32();
    if (!in.isConsumed() || (flags & ~Fcntl.AT_REMOVEDIR) != 0) {
      return -EINVAL;
    }
    Fid dir = fids.acquire(dirNumber);
    if (dir == null) {
      return -EBADF;
    }
    long r = s.copyName(in, offset, length, 0);
    if (r == 0) {
      r = checkChange(dir);
    }
    if (r == 0) {
      r = FileSystemCalls.unlinkat(dir.fd, s.name(0), flags);
    }
    fids.release(dir);
    return r;
  }

  // Changing attributes.

  private long setattrattr() {
    int number = in.get32();
    int valid = in.get32();
    int mode = in.get32();
    int uid = in.get32();
    int gid = in.get32();
    long size = in.get64();
    long atimeSec = in.get64();
    long atimeNsec = in.get64();
    long mtimeSec = in.get64();
    long mtimeNsec = in.get64();
    if (!in.isConsumed() || (valid & ~P9.SETATTR_ALL) != 0) {
      return -EINVAL;
    }
    Fid fid = fids.acquire(number);
    if (fid == null) {
      return -EBADF;
    }
    long r = fid.attach.readOnly ? -EROFS : 0;
    if (r == 0 && (valid & P9.SETATTR_SIZE) != 0) {
      r = truncate(fid, size);
    }
    if (r == 0 && (valid & (P9.SETATTR_UID | P9.SETATTR_GID)) != 0) {
      r =
          FileSystemCalls.fchownat(
              fid.fd,
              s.empty,
              (valid & P9.SETATTR_UID) != 0 ? uid : -1,
              (valid & P9.SETATTR_GID) != 0 ? gid : -1,
              Fcntl.AT_EMPTY_PATH);
    }
    if (r == 0 && (valid & P9.SETATTR_MODE) != 0) {
      r = chmod(fid.fd, mode & PERMISSIONS);
    }
    if (r == 0 && (valid & (P9.SETATTR_ATIME | P9.SETATTR_MTIME)) != 0) {
      putTime(0, valid, P9.SETATTR_ATIME, P9.SETATTR_ATIME_SET, atimeSec, atimeNsec);
      putTime(16, valid, P9.SETATTR_MTIME, P9.SETATTR_MTIME_SET, mtimeSec, mtimeNsec);
      r = FileSystemCalls.utimensat(server.procFd, s.fdName(fid.fd), s.times, 0);
    }
    if (r == 0) {
      r = getattr(fid.fd);
    }
    fids.release(fid);
    if (r == 0) {
      attr.write(out);
    }
    return r;
  }

  private void putTime(int at, int valid, int bit, int setBit, long sec, long nsec) {
    boolean change = (valid & bit) != 0;
    boolean given = (valid & setBit) != 0;
    s.times.putLong(at, given ? sec : 0);
    s.times.putLong(
        at + 8, !change ? UTIME_OMIT : given ? Math.clamp(nsec, 0, 999_999_999) : UTIME_NOW);
  }

  private long truncate(Fid fid, long size) {
    if (fid.type != Stat.S_IFREG) {
      return fid.type == Stat.S_IFDIR ? -EISDIR : -EINVAL;
    }
    long fd = reopen(fid.fd, Fcntl.O_WRONLY);
    if (fd < 0) {
      return fd;
    }
    long r = FileSystemCalls.ftruncate((int) fd, size);
    FileSystemCalls.close((int) fd);
    return r;
  }

  /** chmod(2) of what an O_PATH descriptor stands for: fchmod(2) refuses those. */
  private long chmod(int fd, int mode) {
    return FileSystemCalls.fchmodat(server.procFd, s.fdName(fd), mode);
  }

  // Extended attributes.

  private long getxattr() {
    int number = in.get32();
    int size = in.get32();
    int length = in.get16();
    int offset = in.skip(length);
    if (!in.isConsumed() || size < 0 || size > P9.XATTR_MAX) {
      return -EINVAL;
    }
    Fid fid = fids.acquire(number);
    if (fid == null) {
      return -EBADF;
    }
    long r = s.copyXattrName(in, offset, length);
    int head = out.reserve(4);
    int room = roomFor(size);
    if (r == 0) {
      long name = s.name(2);
      long value = room == 0 ? 0 : out.haddr(head + 4);
      r =
          FileSystemCalls.getxattrat(
              server.procFd, s.fdName(fid.fd), name, value, room, s.xattrArgs);
      if (r == -ENOSYS) {
        int fd = openForXattr(fid);
        r = fd < 0 ? fd : FileSystemCalls.fgetxattr(fd, name, value, room);
        closeXattr(fd);
      }
    }
    fids.release(fid);
    return putSized(head, r, room);
  }

  private long listxattr() {
    int number = in.get32();
    int size = in.get32();
    if (!in.isConsumed() || size < 0 || size > P9.XATTR_MAX) {
      return -EINVAL;
    }
    Fid fid = fids.acquire(number);
    if (fid == null) {
      return -EBADF;
    }
    int head = out.reserve(4);
    int room = roomFor(size);
    long list = room == 0 ? 0 : out.haddr(head + 4);
    long r = FileSystemCalls.listxattrat(server.procFd, s.fdName(fid.fd), list, room);
    if (r == -ENOSYS) {
      int fd = openForXattr(fid);
      r = fd < 0 ? fd : FileSystemCalls.flistxattr(fd, list, room);
      closeXattr(fd);
    }
    fids.release(fid);
    return putSized(head, r, room);
  }

  private long setxattr() {
    int number = in.get32();
    int flags = in.get32();
    int length = in.get16();
    int offset = in.skip(length);
    int size = in.get32();
    int value = in.skip(size);
    if (!in.isConsumed() || (flags & ~3) != 0) {
      return -EINVAL;
    }
    if (size > P9.XATTR_MAX) {
      return -E2BIG;
    }
    Fid fid = fids.acquire(number);
    if (fid == null) {
      return -EBADF;
    }
    long r = fid.attach.readOnly ? -EROFS : s.copyXattrName(in, offset, length);
    if (r == 0) {
      long name = s.name(2);
      r =
          FileSystemCalls.setxattrat(
              server.procFd, s.fdName(fid.fd), name, in.haddr(value), size, flags, s.xattrArgs);
      if (r == -ENOSYS) {
        int fd = openForXattr(fid);
        r = fd < 0 ? fd : FileSystemCalls.fsetxattr(fd, name, in.haddr(value), size, flags);
        closeXattr(fd);
      }
    }
    fids.release(fid);
    return r;
  }

  private long removexattr() {
    int number = in.get32();
    int length = in.get16();
    int offset = in.skip(length);
    if (!in.isConsumed()) {
      return -EINVAL;
    }
    Fid fid = fids.acquire(number);
    if (fid == null) {
      return -EBADF;
    }
    long r = fid.attach.readOnly ? -EROFS : s.copyXattrName(in, offset, length);
    if (r == 0) {
      long name = s.name(2);
      r = FileSystemCalls.removexattrat(server.procFd, s.fdName(fid.fd), name);
      if (r == -ENOSYS) {
        int fd = openForXattr(fid);
        r = fd < 0 ? fd : FileSystemCalls.fremovexattr(fd, name);
        closeXattr(fd);
      }
    }
    fids.release(fid);
    return r;
  }

  /** Hosts before Linux 6.13 take attributes through an open file only. */
  private int openForXattr(Fid fid) {
    return fid.type == Stat.S_IFREG || fid.type == Stat.S_IFDIR
        ? (int) reopen(fid.fd, Fcntl.O_RDONLY | Fcntl.O_NONBLOCK)
        : -EOPNOTSUPP;
  }

  private static void closeXattr(int fd) {
    if (fd >= 0) {
      FileSystemCalls.close(fd);
    }
  }

  private int roomFor(int size) {
    return Math.min(size, server.msize - P9.HEADER - 4);
  }

  private long putSized(int head, long r, int room) {
    if (r < 0) {
      return r;
    }
    out.patch32(head, (int) r);
    if (room > 0) {
      out.reserve((int) r);
    }
    return 0;
  }

  // What the above share.

  private static final int F_DUPFD_CLOEXEC = 1030;

  /** Why {@link #find} or {@link #adopt} gave null. */
  private long failure;

  /** Gets the attributes of a descriptor into {@link #attr}. */
  private long getattr(int fd) {
    return s.statx(fd, s.empty, Fcntl.AT_EMPTY_PATH, attr);
  }

  /**
   * Finds one name in a directory and gives it a fid number; {@link #attr} has its attributes.
   *
   * @return the fid, held for the caller, or null with {@link #failure} set
   */
  private @Nullable Fid find(Fid dir, long nameHaddr, int number) {
    if (dir.type != Stat.S_IFDIR) {
      failure = -ENOTDIR;
      return null;
    }
    if (fids.isFull()) {
      failure = -ENFILE;
      return null;
    }
    long fd = openBeneath(dir.fd, nameHaddr, Fcntl.O_PATH, 0);
    if (fd < 0) {
      failure = fd;
      return null;
    }
    return adopt((int) fd, dir.attach, false, number);
  }

  /** Makes a fid of an O_PATH descriptor, which is closed if that fails. */
  private @Nullable Fid adopt(int fd, Attach attach, boolean isRoot, int number) {
    long r = getattr(fd);
    if (r < 0) {
      FileSystemCalls.close(fd);
      failure = r;
      return null;
    }
    Fid fid = new Fid(fd, attach, attr.type(), isRoot);
    r = fids.install(number, fid);
    if (r < 0) {
      fids.release(fid);
      failure = r;
      return null;
    }
    return fid;
  }

  /** Opens one name in a directory: never through a symlink, never outside. */
  private long openBeneath(int dirFd, long nameHaddr, int flags, int mode) {
    int f = flags | Fcntl.O_NOFOLLOW | Fcntl.O_CLOEXEC;
    if (server.hasOpenat2) {
      return FileSystemCalls.openat2(dirFd, nameHaddr, f, mode, RESOLVE, s.how);
    }
    return FileSystemCalls.openat(dirFd, nameHaddr, f, mode);
  }

  /** Opens again what a descriptor stands for. */
  private long reopen(int fd, int flags) {
    return FileSystemCalls.openat(server.procFd, s.fdName(fd), flags | Fcntl.O_CLOEXEC, 0);
  }

  /** Opens a regular file for a client; returns the descriptor or -errno. */
  private long open(Fid fid, int flags) {
    if ((flags & ~OPEN_FLAGS) != 0 || (flags & Fcntl.O_ACCMODE) == Fcntl.O_ACCMODE) {
      return -EINVAL;
    }
    if (fid.type != Stat.S_IFREG) {
      return fid.type == Stat.S_IFDIR ? -EISDIR : fid.type == Stat.S_IFLNK ? -ELOOP : -ENXIO;
    }
    boolean changes = (flags & Fcntl.O_ACCMODE) != Fcntl.O_RDONLY || (flags & Fcntl.O_TRUNC) != 0;
    if (changes && fid.attach.readOnly) {
      return -EROFS;
    }
    return reopen(fid.fd, flags | Fcntl.O_NOCTTY);
  }

  private static long checkChange(Fid dir) {
    if (dir.type != Stat.S_IFDIR) {
      return -ENOTDIR;
    }
    return dir.attach.readOnly ? -EROFS : 0;
  }

  /**
   * Gives a new file, whose attributes are in {@link #attr}, its owner and brings them up to date.
   * chown(2) takes the set-id bits away, so they are set again.
   */
  private long giveTo(int fd, int mode, int uid, int gid) {
    if (uid == attr.uid && gid == attr.gid) {
      return 0;
    }
    long r = FileSystemCalls.fchownat(fd, s.empty, uid, gid, Fcntl.AT_EMPTY_PATH);
    if (r == 0 && (mode & SET_ID_BITS) != 0) {
      r = chmod(fd, mode);
    }
    return r == 0 ? getattr(fd) : r;
  }

  private long putTarget(Fid link) {
    long n = FileSystemCalls.readlinkat(link.fd, s.empty, s.path.address(), P9.PATH_MAX);
    if (n < 0) {
      return n;
    }
    if (n >= P9.PATH_MAX) {
      return -ENAMETOOLONG;
    }
    out.put16((int) n);
    out.putBytes(s.path, 0, (int) n);
    return 0;
  }

  /** Writes the qid of {@link #attr}: type[1] version[4] path[8]. */
  private void putQid() {
    out.put8(attr.isDirectory() ? 0x80 : attr.isSymlink() ? 2 : 0);
    out.put32(0);
    out.put64(attr.ino);
  }

  private byte[] string(int max) {
    int length = in.get16();
    if (length > max) {
      in.fail();
      return new byte[0];
    }
    byte[] bytes = new byte[length];
    in.getBytes(bytes, 0, length);
    return bytes;
  }

  private static byte[] ascii(String text) {
    byte[] bytes = new byte[text.length()];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) text.charAt(i);
    }
    return bytes;
  }
}
