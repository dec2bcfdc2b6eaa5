package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOBUFS;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Socket.AF_UNIX;
import static redoubt.abi.Socket.MSG_CMSG_CLOEXEC;
import static redoubt.abi.Socket.MSG_CTRUNC;
import static redoubt.abi.Socket.SCM_CREDENTIALS;
import static redoubt.abi.Socket.SCM_MAX_FD;
import static redoubt.abi.Socket.SCM_RIGHTS;
import static redoubt.abi.Socket.SCM_TIMESTAMP;
import static redoubt.abi.Socket.SCM_TIMESTAMPNS;
import static redoubt.abi.Socket.SIZEOF_CMSGHDR;
import static redoubt.abi.Socket.SIZEOF_UCRED;
import static redoubt.abi.Socket.SOL_SOCKET;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Caps;
import redoubt.abi.Ip;
import redoubt.abi.Ipv6;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.Socket;
import redoubt.sentry.socket.SocketCall;
import redoubt.sentry.vfs.FileDescription;

/**
 * What travels beside the data: <a
 * href="https://man7.org/linux/man-pages/man3/cmsg.3.html">cmsg(3)</a>.
 */
final class ControlMessages {
  /** Most bytes of control messages in a call (net.core.optmem_max). */
  private static final long LIMIT = 20480;

  private static final long SECOND_NS = 1_000_000_000L;

  private ControlMessages() {}

  private static int aligned(int n) {
    return (n + 7) & ~7;
  }

  // ---- sending ----

  /**
   * Reads the {@code length} bytes at {@code uaddr} into {@code c}. Returns 0 or -errno with no
   * rights held.
   */
  static long parse(Task t, Socket s, long uaddr, long length, SocketCall c) {
    if (length > LIMIT || length < 0) {
      return -ENOBUFS;
    }
    int total = (int) length;
    MemorySegment m = c.control(total);
    if (t.copyIn(uaddr, m, 0, total) < 0) {
      return -EFAULT;
    }
    int at = 0;
    while (total - at >= SIZEOF_CMSGHDR) {
      long size = m.get(Memory.LONG, at);
      if (size < SIZEOF_CMSGHDR || size > total - at) {
        c.dropRights();
        return -EINVAL;
      }
      int level = m.get(Memory.INT, at + 8);
      int type = m.get(Memory.INT, at + 12);
      long r =
          level != SOL_SOCKET
              ? parseOther(t, s, level, type, m, at + SIZEOF_CMSGHDR, (int) size, c)
              : parseOne(t, s, type, m, at + SIZEOF_CMSGHDR, (int) size - SIZEOF_CMSGHDR, c);
      if (r < 0) {
        c.dropRights();
        return r;
      }
      at += aligned((int) size);
    }
    return 0;
  }

  private static long parseOther(
      Task t, Socket s, int level, int type, MemorySegment m, int at, int size, SocketCall c) {
    boolean isIp = level == redoubt.abi.Socket.SOL_IP || level == redoubt.abi.Socket.SOL_IPV6;
    return isIp ? s.parseControl(t, level, type, m, at, size - SIZEOF_CMSGHDR, c) : 0;
  }

  private static long parseOne(
      Task t, Socket s, int type, MemorySegment m, int at, int size, SocketCall c) {
    if (s.family() != AF_UNIX) {
      return type == SCM_RIGHTS || type == SCM_CREDENTIALS ? 0 : -EINVAL;
    }
    return switch (type) {
      case SCM_RIGHTS -> parseRights(t, m, at, size, c);
      case SCM_CREDENTIALS -> parseCredentials(t, m, at, size, c);
      default -> -EINVAL;
    };
  }

  private static long parseRights(Task t, MemorySegment m, int at, int size, SocketCall c) {
    int n = size / 4;
    int had = c.rights.length;
    if (n + had > SCM_MAX_FD) {
      return -EINVAL;
    }
    FileDescription[] files = java.util.Arrays.copyOf(c.rights, had + n);
    for (int i = 0; i < n; i++) {
      FileDescription f = t.file(m.get(Memory.INT, at + 4L * i));
      if (f == null) {
        for (int k = 0; k < i; k++) {
          files[had + k].decRef();
        }
        return -EBADF;
      }
      files[had + i] = f;
    }
    c.rights = files;
    return 0;
  }

  private static long parseCredentials(Task t, MemorySegment m, int at, int size, SocketCall c) {
    if (size != SIZEOF_UCRED) {
      return -EINVAL;
    }
    int pid = m.get(Memory.INT, at);
    Credentials own = t.creds();
    int uid = own.userNs.kernelUid(m.get(Memory.INT, at + 4));
    int gid = own.userNs.kernelGid(m.get(Memory.INT, at + 8));
    if (uid == -1 || gid == -1) {
      return -EINVAL;
    }
    boolean fine =
        (pid == t.tgid() || own.hasCapability(t.pidNamespace().owner(), Caps.CAP_SYS_ADMIN))
            && (uid == own.ruid
                || uid == own.euid
                || uid == own.suid
                || own.hasOwnCapability(Caps.CAP_SETUID))
            && (gid == own.rgid
                || gid == own.egid
                || gid == own.sgid
                || own.hasOwnCapability(Caps.CAP_SETGID));
    if (!fine) {
      return -EPERM;
    }
    c.hasCredentials = true;
    synchronized (t.kernel().tasks().mu) {
      c.pid = pid == t.tgid() ? t.threadGroup().pid() : t.pidNamespace().pid(pid);
    }
    if (c.pid == null) {
      c.hasCredentials = false;
      return -redoubt.abi.Errno.ESRCH;
    }
    c.uid = uid;
    c.gid = gid;
    return 0;
  }

  // ---- receiving ----

  /**
   * Hands out what {@code c} has received to the {@code length} bytes at {@code uaddr}; rights
   * become descriptors or are dropped. MSG_CTRUNC in {@code c.outFlags} says that there was no
   * room.
   *
   * @return bytes used, or -EFAULT
   */
  static long deliver(Task t, Socket s, long uaddr, long length, SocketCall c) {
    int limit = uaddr == 0 ? 0 : (int) Math.clamp(length, 0, LIMIT);
    int used = 0;
    MemorySegment m = c.control(aligned(SIZEOF_CMSGHDR + 4 * SCM_MAX_FD) + 256 + c.attachedBytes);
    if (c.timestampNs != 0 && (s.wantsTimestamp() || s.wantsTimestampNs())) {
      boolean ns = s.wantsTimestampNs();
      long data = used + SIZEOF_CMSGHDR;
      m.set(Memory.LONG, data, c.timestampNs / SECOND_NS);
      m.set(
          Memory.LONG, data + 8, ns ? c.timestampNs % SECOND_NS : c.timestampNs % SECOND_NS / 1000);
      used = put(m, used, limit, SOL_SOCKET, ns ? SCM_TIMESTAMPNS : SCM_TIMESTAMP, 16, c);
    }
    if (c.hasPacketInfo) {
      used = putPacketInfo(m, used, limit, s, c);
    }
    used = putAttached(m, used, limit, c);
    if (c.hasCredentials && s.passesCredentials()) {
      long data = used + SIZEOF_CMSGHDR;
      m.set(Memory.INT, data, c.pid == null ? 0 : c.pid.in(t.pidNamespace()));
      m.set(Memory.INT, data + 4, t.userNamespace().uidShown(c.uid));
      m.set(Memory.INT, data + 8, t.userNamespace().gidShown(c.gid));
      used = put(m, used, limit, SOL_SOCKET, SCM_CREDENTIALS, SIZEOF_UCRED, c);
    }
    if (c.rights.length > 0) {
      used = putRights(t, m, used, limit, c);
    }
    if (used > 0 && t.copyOut(uaddr, m, 0, used) < 0) {
      return -EFAULT;
    }
    return used;
  }

  /**
   * Completes a message of {@code size} bytes whose data are in place; cut off where the room ends.
   */
  private static int put(
      MemorySegment m, int at, int limit, int level, int type, int size, SocketCall c) {
    int room = limit - at;
    if (room < SIZEOF_CMSGHDR) {
      c.outFlags |= MSG_CTRUNC;
      return at;
    }
    int length = SIZEOF_CMSGHDR + size;
    if (room < length) {
      c.outFlags |= MSG_CTRUNC;
      length = room;
    }
    m.set(Memory.LONG, at, length);
    m.set(Memory.INT, at + 8, level);
    m.set(Memory.INT, at + 12, type);
    return Math.min(limit, at + aligned(length));
  }

  /** What the socket has put together itself. */
  private static int putAttached(MemorySegment m, int at, int limit, SocketCall c) {
    MemorySegment from = c.attached();
    int used = at;
    for (int i = 0; i < c.attachedBytes; ) {
      int size = from.get(Memory.INT, i + 8L);
      MemorySegment.copy(from, i + 16L, m, used + SIZEOF_CMSGHDR, size);
      used = put(m, used, limit, from.get(Memory.INT, i), from.get(Memory.INT, i + 4L), size, c);
      i += 16 + aligned(size);
    }
    return used;
  }

  private static int putPacketInfo(MemorySegment m, int at, int limit, Socket s, SocketCall c) {
    long data = at + SIZEOF_CMSGHDR;
    if (s.family() == redoubt.abi.Socket.AF_INET) {
      int address = Integer.reverseBytes((int) c.packetInfoLow);
      m.set(Memory.INT, data, c.packetInfoIndex);
      m.set(Memory.INT, data + 4, address);
      m.set(Memory.INT, data + 8, address);
      return put(m, at, limit, redoubt.abi.Socket.SOL_IP, Ip.IP_PKTINFO, Ip.SIZEOF_IN_PKTINFO, c);
    }
    m.set(Memory.LONG, data, Long.reverseBytes(c.packetInfoHigh));
    m.set(Memory.LONG, data + 8, Long.reverseBytes(c.packetInfoLow));
    m.set(Memory.INT, data + 16, c.packetInfoIndex);
    return put(
        m, at, limit, redoubt.abi.Socket.SOL_IPV6, Ipv6.IPV6_PKTINFO, Ipv6.SIZEOF_IN6_PKTINFO, c);
  }

  private static int putRights(Task t, MemorySegment m, int at, int limit, SocketCall c) {
    FileDescription[] files = c.rights;
    int room = limit - at < SIZEOF_CMSGHDR ? 0 : (limit - at - SIZEOF_CMSGHDR) / 4;
    int n = Math.min(room, files.length);
    boolean cloexec = (c.flags & MSG_CMSG_CLOEXEC) != 0;
    int done = 0;
    while (done < n) {
      files[done].incRef();
      long fd = t.installFd(files[done], cloexec);
      if (fd < 0) {
        break;
      }
      m.set(Memory.INT, at + SIZEOF_CMSGHDR + 4L * done, (int) fd);
      done++;
    }
    if (done < files.length) {
      c.outFlags |= MSG_CTRUNC;
    }
    c.dropRights();
    return done == 0 ? at : put(m, at, limit, SOL_SOCKET, SCM_RIGHTS, 4 * done, c);
  }
}
