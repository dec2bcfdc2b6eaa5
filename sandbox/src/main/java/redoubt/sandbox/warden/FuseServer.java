package redoubt.sandbox.warden;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Fcntl;
import redoubt.abi.Nr;
import redoubt.host.FileSystemCalls;
import redoubt.host.HostIo;
import redoubt.host.HostLog;
import redoubt.host.Memory;
import redoubt.host.RawSyscall;
import redoubt.p9.P9;
import redoubt.p9.P9Attr;
import redoubt.p9.P9Client;
import redoubt.p9.P9Dir;
import redoubt.p9.P9StatFs;
import redoubt.p9.P9Walk;

/**
 * Answers the guest's FUSE requests (linux/fuse.h, protocol 7.31) from the gofer: what needs a name
 * or an inode is a 9P message, data goes through descriptors that the gofer donates. Permissions
 * are the guest kernel's ({@code default_permissions}), as they are the sentry's otherwise.
 */
final class FuseServer {
  private static final int WORKERS = 3;
  private static final long STACK = 256 << 10;
  private static final int IN_HEADER = 40;
  private static final int OUT_HEADER = 16;
  private static final int ENTRY_BYTES = 128;
  private static final int ATTR_BYTES = 88;
  private static final int MAX_WRITE = 128 << 10;

  private static final int LOOKUP = 1;
  private static final int FORGET = 2;
  private static final int GETATTR = 3;
  private static final int SETATTR = 4;
  private static final int READLINK = 5;
  private static final int SYMLINK = 6;
  private static final int MKNOD = 8;
  private static final int MKDIR = 9;
  private static final int UNLINK = 10;
  private static final int RMDIR = 11;
  private static final int RENAME = 12;
  private static final int LINK = 13;
  private static final int OPEN = 14;
  private static final int READ = 15;
  private static final int WRITE = 16;
  private static final int STATFS = 17;
  private static final int RELEASE = 18;
  private static final int FSYNC = 20;
  private static final int SETXATTR = 21;
  private static final int GETXATTR = 22;
  private static final int LISTXATTR = 23;
  private static final int REMOVEXATTR = 24;
  private static final int FLUSH = 25;
  private static final int INIT = 26;
  private static final int READDIR = 28;
  private static final int FSYNCDIR = 30;
  private static final int CREATE = 35;
  private static final int INTERRUPT = 36;
  private static final int DESTROY = 38;
  private static final int BATCH_FORGET = 42;
  private static final int FALLOCATE = 43;
  private static final int RENAME2 = 45;

  private static final int INIT_ASYNC_READ = 1;
  private static final int INIT_BIG_WRITES = 1 << 5;
  private static final int INIT_AUTO_INVAL_DATA = 1 << 12;
  private static final int INIT_PARALLEL_DIROPS = 1 << 18;
  private static final int INIT_MAX_PAGES = 1 << 22;
  private static final int INIT_CACHE_SYMLINKS = 1 << 23;
  private static final int INIT_NO_OPENDIR = 1 << 24;
  private static final int FOPEN_KEEP_CACHE = 2;

  /** An attach point in the guest. */
  private static final class Mount {
    final P9Client gofer;
    final FuseTree tree;
    final boolean readonly;
    final int validSeconds;

    Mount(P9Client gofer, FuseTree tree, boolean readonly, int validSeconds) {
      this.gofer = gofer;
      this.tree = tree;
      this.readonly = readonly;
      this.validSeconds = validSeconds;
    }

    private int users; // guarded by this
    private boolean detached; // guarded by this

    /** False when it is detached: nothing of it may be used any more. */
    synchronized boolean enter() {
      if (!detached) {
        users++;
      }
      return !detached;
    }

    synchronized void leave() {
      if (--users == 0 && detached) {
        tree.close();
      }
    }

    synchronized void detach() {
      detached = true;
      if (users == 0) {
        tree.close();
      }
    }
  }

  private record Request(int mount, MemorySegment bytes) {}

  private final P9Client first;
  private final GuestLink link;
  private final HostLog log;
  private final Map<Integer, Mount> mounts = new ConcurrentHashMap<>();

  /** As many as the agent may have under way, and as many again for those without an answer. */
  private final ArrayBlockingQueue<Request> queue =
      new ArrayBlockingQueue<>(64 * Protocol.FUSE_OUTSTANDING);

  private volatile boolean spoke;

  /**
   * @param first the sandbox's gofer
   */
  FuseServer(P9Client first, GuestLink link, HostLog log) {
    this.first = first;
    this.link = link;
    this.log = log;
    for (int i = 0; i < WORKERS; i++) {
      var worker = new Thread(null, new Worker(), "fuse-" + i, STACK);
      worker.setDaemon(true);
      worker.start();
    }
  }

  /** {@return whether the guest has asked for a file} */
  boolean hasSpoken() {
    return spoke;
  }

  /**
   * Attaches to the gofer's {@code name} as FUSE mount {@code index}.
   *
   * @param exclusive whether nobody else changes these files, so that the guest may keep what it
   *     saw
   * @return the root's mode, or -errno
   */
  long attach(P9Client gofer, int index, String name, boolean readonly, boolean exclusive) {
    var attr = new P9Attr();
    long fid = gofer.attach(name.getBytes(StandardCharsets.UTF_8), attr);
    if (fid < 0) {
      return fid;
    }
    var tree = new FuseTree(gofer, (int) fid, attr);
    mounts.put(index, new Mount(gofer, tree, readonly, exclusive ? 3600 : 1));
    return attr.mode & 0xffffffffL;
  }

  /** The guest has unmounted it: its files are given up. */
  void detach(int index) {
    Mount mount = mounts.remove(index);
    if (mount != null) {
      mount.detach();
    }
  }

  /** Takes a request, on the link's thread. */
  void request(int mount, MemorySegment payload, int length) {
    if (length < IN_HEADER || payload.get(Memory.INT, 0) != length) {
      throw new GuestLink.ProtocolException("a FUSE request of " + length + " bytes");
    }
    spoke = true;
    MemorySegment copy = MemorySegment.ofArray(new byte[length]);
    MemorySegment.copy(payload, 0, copy, 0, length);
    if (!queue.offer(new Request(mount, copy))) {
      throw new GuestLink.ProtocolException("more FUSE requests than it may have under way");
    }
  }

  /** One thread's work and its buffers. */
  private final class Worker implements Runnable {
    /** A frame: header, fuse_out_header, body. */
    private final MemorySegment out =
        Memory.mapAnonymous(Protocol.HEADER + OUT_HEADER + (long) MAX_WRITE + 4096);

    private final MemorySegment data = Memory.mapAnonymous(MAX_WRITE);
    private final P9Walk walk = new P9Walk();
    private final P9Attr attr = new P9Attr();
    private final P9StatFs statfs = new P9StatFs();
    private final byte[] text = new byte[64 << 10];
    private final P9Dir dir = first.newDir();

    /** Who has the files of the request that is being served. */
    private P9Client gofer = first;

    private MemorySegment in = MemorySegment.ofArray(new byte[IN_HEADER]);
    private int length;

    /** Where the body of the answer starts, and how long it is. */
    private static final int BODY = Protocol.HEADER + OUT_HEADER;

    private int bodyLength;

    @Override
    public void run() {
      while (true) {
        Request request;
        try {
          request = queue.take();
        } catch (InterruptedException e) {
          return;
        }
        Mount found = mounts.get(request.mount);
        Mount mount = found != null && found.enter() ? found : null;
        try {
          serve(request, mount);
        } catch (IndexOutOfBoundsException e) {
          answer(request.mount, -Errno.EINVAL); // a body shorter than its operation says
        } catch (RuntimeException e) {
          log.line("warden: FUSE request " + in.get(Memory.INT, 4) + ": " + e);
          answer(request.mount, -Errno.EIO);
        } finally {
          if (mount != null) {
            mount.leave();
          }
        }
      }
    }

    private void serve(Request request, @Nullable Mount mount) {
      in = request.bytes;
      length = (int) in.byteSize();
      bodyLength = 0;
      int opcode = in.get(Memory.INT, 4);
      if (opcode == FORGET || opcode == BATCH_FORGET || opcode == INTERRUPT) {
        if (mount != null) {
          forget(mount.tree, opcode);
        }
        return;
      }
      if (mount != null) {
        gofer = mount.gofer;
      }
      FuseTree.@Nullable Node node = mount == null ? null : mount.tree.node(nodeId());
      long r;
      if (mount == null) {
        r = -Errno.ENODEV;
      } else if (opcode == INIT) {
        r = init();
      } else if (opcode == DESTROY) {
        r = 0;
      } else if (node == null) {
        r = -Errno.ESTALE;
      } else if (mount.readonly && changes(opcode)) {
        r = -Errno.EROFS;
      } else {
        r = dispatch(opcode, mount, node);
      }
      answer(request.mount, r);
    }

    private void answer(int mount, long result) {
      long r = Math.clamp(result, -511, 0);
      int body = r < 0 ? 0 : bodyLength;
      out.set(Memory.INT, Protocol.HEADER, OUT_HEADER + body);
      out.set(Memory.INT, Protocol.HEADER + 4, (int) r);
      out.set(Memory.LONG, Protocol.HEADER + 8, in.get(Memory.LONG, 8));
      link.send(Protocol.FUSE, mount, out, OUT_HEADER + body);
    }

    private static boolean changes(int opcode) {
      return switch (opcode) {
        case SETATTR,
            SYMLINK,
            MKNOD,
            MKDIR,
            UNLINK,
            RMDIR,
            RENAME,
            RENAME2,
            LINK,
            CREATE,
            WRITE,
            SETXATTR,
            REMOVEXATTR,
            FALLOCATE ->
            true;
        default -> false;
      };
    }

    private long dispatch(int opcode, Mount m, FuseTree.Node node) {
      return switch (opcode) {
        case LOOKUP -> lookup(m, node);
        case GETATTR -> getattr(m, node);
        case SETATTR -> setattr(m, node);
        case READLINK -> readlink(node);
        case SYMLINK -> symlink(m, node);
        case MKNOD -> mknod(m, node);
        case MKDIR -> mkdir(m, node);
        case UNLINK -> gofer.unlink(node.fid, name(IN_HEADER), 0);
        case RMDIR -> gofer.unlink(node.fid, name(IN_HEADER), Fcntl.AT_REMOVEDIR);
        case RENAME -> rename(m, node, IN_HEADER + 8, 0);
        case RENAME2 -> rename(m, node, IN_HEADER + 16, in.get(Memory.INT, IN_HEADER + 8));
        case LINK -> link(m, node);
        case OPEN -> open(m, node);
        case CREATE -> create(m, node);
        case READ -> read(m);
        case WRITE -> write(m);
        case STATFS -> statfs(node);
        case RELEASE -> release(m);
        case FLUSH -> 0;
        case FSYNC -> fsync(m);
        case FSYNCDIR -> gofer.fsync(node.fid, false);
        case READDIR -> readdir(node);
        case GETXATTR -> getxattr(node);
        case LISTXATTR -> listxattr(node);
        case SETXATTR -> setxattr(node);
        case REMOVEXATTR -> gofer.removexattr(node.fid, name(IN_HEADER));
        case FALLOCATE -> fallocate(m);
        default -> -Errno.ENOSYS;
      };
    }

    // ---- fields of the request

    private long nodeId() {
      return in.get(Memory.LONG, 16);
    }

    private int uid() {
      return in.get(Memory.INT, 24);
    }

    private int gid() {
      return in.get(Memory.INT, 28);
    }

    /** {@return the bytes up to the NUL from {@code at} on} */
    private byte[] name(int at) {
      int end = at;
      while (in.get(Memory.BYTE, end) != 0) {
        end++;
      }
      byte[] name = new byte[end - at];
      MemorySegment.copy(in, ValueLayout.JAVA_BYTE, at, name, 0, name.length);
      return name;
    }

    // ---- parts of the answer

    private void put32(int at, int value) {
      out.set(Memory.INT, BODY + at, value);
    }

    private void put64(int at, long value) {
      out.set(Memory.LONG, BODY + at, value);
    }

    private void putAttr(int at, P9Attr a) {
      put64(at, a.ino);
      put64(at + 8, a.size);
      put64(at + 16, a.blocks);
      put64(at + 24, a.atimeSec);
      put64(at + 32, a.mtimeSec);
      put64(at + 40, a.ctimeSec);
      put32(at + 48, a.atimeNsec);
      put32(at + 52, a.mtimeNsec);
      put32(at + 56, a.ctimeNsec);
      put32(at + 60, a.mode);
      put32(at + 64, a.nlink);
      put32(at + 68, a.uid);
      put32(at + 72, a.gid);
      put32(at + 76, encoded(a.rdev));
      put32(at + 80, a.blksize);
      put32(at + 84, 0);
    }

    /** {@return major << 32 | minor as new_encode_dev of linux/kdev_t.h has it} */
    private static int encoded(long rdev) {
      int major = (int) (rdev >>> 32);
      int minor = (int) rdev;
      return minor & 0xff | major << 8 | (minor & ~0xff) << 12;
    }

    private long entry(Mount m, long fid, P9Attr a) {
      FuseTree.Node node = m.tree.lookedUp((int) fid, a);
      put64(0, node.id);
      put64(8, 0);
      put64(16, m.validSeconds);
      put64(24, m.validSeconds);
      put32(32, 0);
      put32(36, 0);
      putAttr(40, a);
      bodyLength = ENTRY_BYTES;
      return 0;
    }

    private long attrOut(Mount m, P9Attr a) {
      put64(0, m.validSeconds);
      put64(8, 0);
      putAttr(16, a);
      bodyLength = 16 + ATTR_BYTES;
      return 0;
    }

    // ---- operations

    private void forget(FuseTree tree, int opcode) {
      if (opcode == FORGET) {
        tree.forget(nodeId(), in.get(Memory.LONG, IN_HEADER));
      } else if (opcode == BATCH_FORGET) {
        int count = Math.clamp(in.get(Memory.INT, IN_HEADER), 0, (length - IN_HEADER - 8) / 16);
        for (int i = 0; i < count; i++) {
          int at = IN_HEADER + 8 + 16 * i;
          tree.forget(in.get(Memory.LONG, at), in.get(Memory.LONG, at + 8));
        }
      }
    }

    private long init() {
      int major = in.get(Memory.INT, IN_HEADER);
      int offered = in.get(Memory.INT, IN_HEADER + 12);
      if (major != 7) {
        return -Errno.EPROTO;
      }
      int wanted =
          INIT_ASYNC_READ
              | INIT_BIG_WRITES
              | INIT_AUTO_INVAL_DATA
              | INIT_PARALLEL_DIROPS
              | INIT_MAX_PAGES
              | INIT_CACHE_SYMLINKS
              | INIT_NO_OPENDIR;
      for (int i = 0; i < 64; i += 8) {
        put64(i, 0);
      }
      put32(0, 7);
      put32(4, 31);
      put32(8, MAX_WRITE);
      put32(12, offered & wanted);
      out.set(Memory.SHORT, BODY + 16, (short) 16); // max_background
      out.set(Memory.SHORT, BODY + 18, (short) 12);
      put32(20, MAX_WRITE);
      put32(24, 1); // time_gran
      out.set(Memory.SHORT, BODY + 28, (short) (MAX_WRITE / 4096));
      bodyLength = 64;
      return 0;
    }

    private long lookup(Mount m, FuseTree.Node node) {
      byte[] name = name(IN_HEADER);
      if (name.length > P9.NAME_MAX) {
        return -Errno.ENAMETOOLONG;
      }
      long r = gofer.walk(node.fid, name, 0, name.length, -1, walk);
      if (r < 0) {
        return r;
      }
      if (walk.count != 1) {
        return walk.error != 0 ? -walk.error : -Errno.ENOENT;
      }
      return entry(m, walk.fids[0], walk.attrs[0]);
    }

    private long getattr(Mount m, FuseTree.Node node) {
      long r = gofer.getattr(node.fid, attr);
      return r < 0 ? r : attrOut(m, attr);
    }

    private long setattr(Mount m, FuseTree.Node node) {
      int at = IN_HEADER;
      int asked = in.get(Memory.INT, at);
      int valid = asked & (P9.SETATTR_MODE | P9.SETATTR_UID | P9.SETATTR_GID | P9.SETATTR_SIZE);
      if ((asked & 1 << 4) != 0) {
        valid |= P9.SETATTR_ATIME | ((asked & 1 << 7) == 0 ? P9.SETATTR_ATIME_SET : 0);
      }
      if ((asked & 1 << 5) != 0) {
        valid |= P9.SETATTR_MTIME | ((asked & 1 << 8) == 0 ? P9.SETATTR_MTIME_SET : 0);
      }
      long r =
          gofer.setattr(
              node.fid,
              valid,
              in.get(Memory.INT, at + 68) & 07777,
              in.get(Memory.INT, at + 76),
              in.get(Memory.INT, at + 80),
              in.get(Memory.LONG, at + 16),
              in.get(Memory.LONG, at + 32),
              in.get(Memory.INT, at + 56),
              in.get(Memory.LONG, at + 40),
              in.get(Memory.INT, at + 60),
              attr);
      return r < 0 ? r : attrOut(m, attr);
    }

    private long readlink(FuseTree.Node node) {
      long n = gofer.readlink(node.fid, text);
      return n < 0 ? n : body(n);
    }

    private long body(long n) {
      MemorySegment.copy(text, 0, out, ValueLayout.JAVA_BYTE, BODY, (int) n);
      bodyLength = (int) n;
      return 0;
    }

    private long symlink(Mount m, FuseTree.Node node) {
      byte[] name = name(IN_HEADER);
      byte[] target = name(IN_HEADER + name.length + 1);
      long fid = gofer.symlink(node.fid, name, target, uid(), gid(), attr);
      return fid < 0 ? fid : entry(m, fid, attr);
    }

    private long mknod(Mount m, FuseTree.Node node) {
      int dev = in.get(Memory.INT, IN_HEADER + 4);
      // new_encode_dev of linux/kdev_t.h
      int major = (dev & 0xfff00) >>> 8;
      int minor = (dev & 0xff) | (dev >>> 12 & 0xfff00);
      long fid =
          gofer.mknod(
              node.fid,
              name(IN_HEADER + 16),
              in.get(Memory.INT, IN_HEADER),
              major,
              minor,
              uid(),
              gid(),
              attr);
      return fid < 0 ? fid : entry(m, fid, attr);
    }

    private long mkdir(Mount m, FuseTree.Node node) {
      int mode = in.get(Memory.INT, IN_HEADER) & 07777;
      long fid = gofer.mkdir(node.fid, name(IN_HEADER + 8), mode, uid(), gid(), attr);
      return fid < 0 ? fid : entry(m, fid, attr);
    }

    private long rename(Mount m, FuseTree.Node node, int at, int flags) {
      FuseTree.Node to = m.tree.node(in.get(Memory.LONG, IN_HEADER));
      if (to == null) {
        return -Errno.ESTALE;
      }
      byte[] from = name(at);
      return gofer.rename(node.fid, from, to.fid, name(at + from.length + 1), flags);
    }

    private long link(Mount m, FuseTree.Node node) {
      FuseTree.Node file = m.tree.node(in.get(Memory.LONG, IN_HEADER));
      if (file == null) {
        return -Errno.ESTALE;
      }
      byte[] name = name(IN_HEADER + 8);
      long r = gofer.link(node.fid, file.fid, name);
      if (r < 0) {
        return r;
      }
      r = gofer.walk(node.fid, name, 0, name.length, -1, walk);
      if (r < 0 || walk.count != 1) {
        return r < 0 ? r : -Errno.ENOENT;
      }
      return entry(m, walk.fids[0], walk.attrs[0]);
    }

    private long open(Mount m, FuseTree.Node node) {
      int flags = in.get(Memory.INT, IN_HEADER);
      int access = flags & Fcntl.O_ACCMODE;
      if (m.readonly && access != Fcntl.O_RDONLY) {
        return -Errno.EROFS;
      }
      // The guest's cache reads around what is written.
      long fd = gofer.openFd(node.fid, access == Fcntl.O_WRONLY ? Fcntl.O_RDWR : access);
      if (fd == -Errno.EACCES && access == Fcntl.O_WRONLY) {
        fd = gofer.openFd(node.fid, access);
      }
      return fd < 0 ? fd : opened(m, (int) fd, 0);
    }

    private long opened(Mount m, int hostFd, int at) {
      long handle = m.tree.opened(hostFd);
      if (handle < 0) {
        FileSystemCalls.close(hostFd);
        return -Errno.ENFILE;
      }
      put64(at, handle);
      put32(at + 8, m.validSeconds > 1 ? FOPEN_KEEP_CACHE : 0);
      put32(at + 12, 0);
      bodyLength = at + 16;
      return 0;
    }

    private long create(Mount m, FuseTree.Node node) {
      int flags = in.get(Memory.INT, IN_HEADER);
      int mode = in.get(Memory.INT, IN_HEADER + 4) & 07777;
      int access = flags & Fcntl.O_ACCMODE;
      int hostFlags =
          (access == Fcntl.O_WRONLY ? Fcntl.O_RDWR : access)
              | Fcntl.O_CREAT
              | flags & (Fcntl.O_EXCL | Fcntl.O_TRUNC);
      long r = gofer.create(node.fid, name(IN_HEADER + 16), hostFlags, mode, uid(), gid(), walk);
      if (r < 0) {
        return r;
      }
      int fd = walk.takeHostFd();
      if (fd < 0) {
        gofer.clunk(walk.fids[0]);
        return -Errno.EMFILE;
      }
      entry(m, walk.fids[0], walk.attrs[0]);
      return opened(m, fd, ENTRY_BYTES);
    }

    private long read(Mount m) {
      int fd = m.tree.file(in.get(Memory.LONG, IN_HEADER));
      int size = in.get(Memory.INT, IN_HEADER + 16);
      if (fd < 0) {
        return -Errno.EBADF;
      }
      int n = Math.clamp(size, 0, MAX_WRITE);
      int got = 0;
      while (got < n) {
        long r =
            HostIo.pread(
                fd,
                out.asSlice(BODY + got, n - got),
                n - got,
                in.get(Memory.LONG, IN_HEADER + 8) + got);
        if (r < 0) {
          return r;
        }
        if (r == 0) {
          break;
        }
        got += (int) r;
      }
      bodyLength = got;
      return 0;
    }

    private long write(Mount m) {
      int fd = m.tree.file(in.get(Memory.LONG, IN_HEADER));
      long offset = in.get(Memory.LONG, IN_HEADER + 8);
      int size = in.get(Memory.INT, IN_HEADER + 16);
      if (fd < 0) {
        return -Errno.EBADF;
      }
      if (size < 0 || size > MAX_WRITE || size > length - IN_HEADER - 40) {
        return -Errno.EINVAL;
      }
      MemorySegment.copy(in, IN_HEADER + 40, data, 0, size);
      int done = 0;
      while (done < size) {
        long r = HostIo.pwrite(fd, data.asSlice(done, size - done), size - done, offset + done);
        if (r <= 0) {
          if (done > 0) {
            break;
          }
          return r < 0 ? r : -Errno.EIO;
        }
        done += (int) r;
      }
      put32(0, done);
      put32(4, 0);
      bodyLength = 8;
      return 0;
    }

    private long release(Mount m) {
      int fd = m.tree.released(in.get(Memory.LONG, IN_HEADER));
      if (fd >= 0) {
        FileSystemCalls.close(fd);
      }
      return 0;
    }

    private long fsync(Mount m) {
      int fd = m.tree.file(in.get(Memory.LONG, IN_HEADER));
      boolean dataOnly = (in.get(Memory.INT, IN_HEADER + 8) & 1) != 0;
      return fd < 0 ? -Errno.EBADF : HostIo.sync(fd, dataOnly);
    }

    private long fallocate(Mount m) {
      int fd = m.tree.file(in.get(Memory.LONG, IN_HEADER));
      if (fd < 0) {
        return -Errno.EBADF;
      }
      return RawSyscall.syscall(
          Nr.FALLOCATE,
          fd,
          in.get(Memory.INT, IN_HEADER + 24),
          in.get(Memory.LONG, IN_HEADER + 8),
          in.get(Memory.LONG, IN_HEADER + 16));
    }

    private long statfs(FuseTree.Node node) {
      long r = gofer.statfs(node.fid, statfs);
      if (r < 0) {
        return r;
      }
      for (int i = 0; i < 80; i += 8) {
        put64(i, 0);
      }
      put64(0, statfs.blocks);
      put64(8, statfs.bfree);
      put64(16, statfs.bavail);
      put64(24, statfs.files);
      put64(32, statfs.ffree);
      put32(40, statfs.bsize);
      put32(44, statfs.namelen);
      put32(48, statfs.bsize);
      bodyLength = 80;
      return 0;
    }

    private long readdir(FuseTree.Node node) {
      long offset = in.get(Memory.LONG, IN_HEADER + 8);
      int room = Math.clamp(in.get(Memory.INT, IN_HEADER + 16), 0, MAX_WRITE);
      long r = gofer.readdir(node.fid, offset, false, dir);
      if (r < 0) {
        return r;
      }
      int at = 0;
      while (dir.next()) {
        int padded = 24 + (dir.nameLength + 7 & ~7);
        if (at + padded > room) {
          break;
        }
        put64(at, dir.ino);
        put64(at + 8, dir.offset);
        put32(at + 16, dir.nameLength);
        put32(at + 20, dir.type);
        put64(at + padded - 8, 0);
        MemorySegment.copy(
            dir.memory().segment(), dir.nameOffset, out, BODY + at + 24L, dir.nameLength);
        at += padded;
      }
      bodyLength = at;
      return gofer.check(dir);
    }

    private long getxattr(FuseTree.Node node) {
      int size = in.get(Memory.INT, IN_HEADER);
      byte[] value = size == 0 ? new byte[0] : new byte[Math.clamp(size, 0, text.length)];
      long n = gofer.getxattr(node.fid, name(IN_HEADER + 8), value);
      return xattrOut(n, size, value);
    }

    private long listxattr(FuseTree.Node node) {
      int size = in.get(Memory.INT, IN_HEADER);
      byte[] list = size == 0 ? new byte[0] : new byte[Math.clamp(size, 0, text.length)];
      return xattrOut(gofer.listxattr(node.fid, list), size, list);
    }

    private long xattrOut(long n, int size, byte[] value) {
      if (n < 0) {
        return n;
      }
      if (size == 0) {
        put32(0, (int) n);
        put32(4, 0);
        bodyLength = 8;
        return 0;
      }
      MemorySegment.copy(value, 0, out, ValueLayout.JAVA_BYTE, BODY, (int) n);
      bodyLength = (int) n;
      return 0;
    }

    private long setxattr(FuseTree.Node node) {
      int size = in.get(Memory.INT, IN_HEADER);
      int flags = in.get(Memory.INT, IN_HEADER + 4);
      byte[] name = name(IN_HEADER + 8);
      int at = IN_HEADER + 8 + name.length + 1;
      if (size < 0 || size > length - at || size > text.length) {
        return -Errno.EINVAL;
      }
      byte[] value = new byte[size];
      MemorySegment.copy(in, ValueLayout.JAVA_BYTE, at, value, 0, size);
      return gofer.setxattr(node.fid, name, value, size, flags);
    }
  }
}
