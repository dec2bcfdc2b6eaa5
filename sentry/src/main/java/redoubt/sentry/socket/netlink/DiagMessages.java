package redoubt.sentry.socket.netlink;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Socket.AF_INET;
import static redoubt.abi.Socket.AF_INET6;
import static redoubt.abi.Socket.AF_UNIX;

import java.lang.foreign.MemorySegment;
import redoubt.abi.SockDiag;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.socket.SocketDiag;
import redoubt.sentry.socket.Sockets;

/**
 * What the kernel says of its sockets: <a
 * href="https://man7.org/linux/man-pages/man7/sock_diag.7.html">sock_diag(7)</a>, for AF_UNIX, TCP
 * and UDP. The answer to one request.
 *
 * <p>Differs from Linux: filters in bytecode are left to who asked (ss applies them itself, too),
 * and half-open connections and those in TIME_WAIT are not shown, as in /proc/net/tcp here.
 */
final class DiagMessages extends Datagrams {
  private final Sockets sockets;
  private final boolean isDump;

  DiagMessages(Sockets sockets, int seq, int port, boolean isDump) {
    super(seq, port);
    this.sockets = sockets;
    this.isDump = isDump;
  }

  private int begin(int headerBytes) {
    int flags = isDump ? redoubt.abi.Netlink.NLM_F_MULTI : 0;
    return m.begin(SockDiag.SOCK_DIAG_BY_FAMILY, flags, seq, port, headerBytes);
  }

  /**
   * Answers the request at {@code at}. {@return 0 or -errno} A question for one socket that is not
   * there is ENOENT.
   */
  long answer(int type, MemorySegment s, int at, int length) {
    if (type != SockDiag.SOCK_DIAG_BY_FAMILY || length < SockDiag.SIZEOF_SOCK_DIAG_REQ) {
      return -EINVAL;
    }
    int family = s.get(Memory.BYTE, at) & 0xff;
    return switch (family) {
      case AF_INET, AF_INET6 ->
          length < SockDiag.SIZEOF_INET_DIAG_REQ_V2 ? -EINVAL : inet(family, s, at);
      case AF_UNIX -> length < SockDiag.SIZEOF_UNIX_DIAG_REQ ? -EINVAL : unix(s, at);
      default -> -ENOENT;
    };
  }

  // ---- inet ----

  private long inet(int family, MemorySegment s, int at) {
    int protocol = s.get(Memory.BYTE, at + SockDiag.INET_DIAG_REQ_V2_SDIAG_PROTOCOL) & 0xff;
    int extensions = s.get(Memory.BYTE, at + SockDiag.INET_DIAG_REQ_V2_IDIAG_EXT) & 0xff;
    int states = s.get(Memory.INT, at + SockDiag.INET_DIAG_REQ_V2_IDIAG_STATES);
    int id = at + SockDiag.INET_DIAG_REQ_V2_ID;
    for (SocketDiag.Inet i : sockets.inet().diagnose(family, protocol)) {
      boolean wanted = isDump ? (states >>> i.socket().state() & 1) != 0 : isNamed(i, s, id);
      if (wanted && hasPorts(i, s, id)) {
        inet(i, extensions);
        if (!isDump) {
          return 0;
        }
      }
    }
    return isDump ? 0 : -ENOENT;
  }

  private static int port(MemorySegment s, int at) {
    return Short.reverseBytes(s.get(Memory.SHORT, at)) & 0xffff;
  }

  private static boolean hasPorts(SocketDiag.Inet i, MemorySegment s, int id) {
    int local = port(s, id + SockDiag.INET_DIAG_SOCKID_SPORT);
    int remote = port(s, id + SockDiag.INET_DIAG_SOCKID_DPORT);
    return (local == 0 || local == i.localPort()) && (remote == 0 || remote == i.remotePort());
  }

  private static boolean isNamed(SocketDiag.Inet i, MemorySegment s, int id) {
    int size = i.socket().family() == AF_INET ? 4 : 16;
    MemorySegment own = MemorySegment.ofArray(new byte[32]);
    address(own, 0, i.socket().family(), i.localHigh(), i.localLow());
    address(own, 16, i.socket().family(), i.remoteHigh(), i.remoteLow());
    int source = id + SockDiag.INET_DIAG_SOCKID_SRC;
    int destination = id + SockDiag.INET_DIAG_SOCKID_DST;
    return MemorySegment.mismatch(s, source, source + size, own, 0, size) < 0
        && MemorySegment.mismatch(s, destination, destination + size, own, 16, 16 + size) < 0
        && port(s, id) == i.localPort();
  }

  private static void address(MemorySegment s, int at, int family, long high, long low) {
    if (family == AF_INET) {
      s.set(Memory.INT, at, Integer.reverseBytes((int) low));
    } else {
      s.set(Memory.LONG, at, Long.reverseBytes(high));
      s.set(Memory.LONG, at + 8, Long.reverseBytes(low));
    }
  }

  private void inet(SocketDiag.Inet i, int extensions) {
    SocketDiag d = i.socket();
    int h = begin(SockDiag.SIZEOF_INET_DIAG_MSG);
    MemorySegment b = m.bytes;
    b.set(Memory.BYTE, h, (byte) d.family());
    b.set(Memory.BYTE, h + SockDiag.INET_DIAG_MSG_IDIAG_STATE, (byte) d.state());
    int id = h + SockDiag.INET_DIAG_MSG_ID;
    b.set(Memory.SHORT, id, Short.reverseBytes((short) i.localPort()));
    b.set(
        Memory.SHORT,
        id + SockDiag.INET_DIAG_SOCKID_DPORT,
        Short.reverseBytes((short) i.remotePort()));
    address(b, id + SockDiag.INET_DIAG_SOCKID_SRC, d.family(), i.localHigh(), i.localLow());
    address(b, id + SockDiag.INET_DIAG_SOCKID_DST, d.family(), i.remoteHigh(), i.remoteLow());
    b.set(Memory.LONG, id + SockDiag.INET_DIAG_SOCKID_COOKIE, d.ino());
    b.set(Memory.INT, h + SockDiag.INET_DIAG_MSG_IDIAG_RQUEUE, d.readable());
    b.set(Memory.INT, h + SockDiag.INET_DIAG_MSG_IDIAG_WQUEUE, d.unsent());
    b.set(Memory.INT, h + SockDiag.INET_DIAG_MSG_IDIAG_UID, d.uid());
    b.set(Memory.INT, h + SockDiag.INET_DIAG_MSG_IDIAG_INODE, (int) d.ino());
    m.attributeByte(SockDiag.INET_DIAG_SHUTDOWN, d.shutdown());
    if (d.family() == AF_INET6) {
      m.attributeByte(SockDiag.INET_DIAG_SKV6ONLY, i.isV6Only() ? 1 : 0);
    }
    extensions(i, extensions);
    end();
  }

  private void extensions(SocketDiag.Inet i, int wanted) {
    SocketDiag d = i.socket();
    boolean listens = d.state() == redoubt.abi.Tcp.TCP_LISTEN;
    int readable = listens ? 0 : d.readable();
    int unsent = listens ? 0 : d.unsent();
    if (has(wanted, SockDiag.INET_DIAG_MEMINFO)) {
      int at = m.attribute(SockDiag.INET_DIAG_MEMINFO, 16);
      m.bytes.set(Memory.INT, at, readable);
      m.bytes.set(Memory.INT, at + 4, unsent);
    }
    if (has(wanted, SockDiag.INET_DIAG_SKMEMINFO)) {
      int at = m.attribute(SockDiag.INET_DIAG_SKMEMINFO, 36);
      m.bytes.set(Memory.INT, at, readable);
      m.bytes.set(Memory.INT, at + 4, d.receiveBuffer());
      m.bytes.set(Memory.INT, at + 8, unsent);
      m.bytes.set(Memory.INT, at + 12, d.sendBuffer());
    }
    MemorySegment info = i.tcpInfo();
    if (has(wanted, SockDiag.INET_DIAG_INFO) && info.byteSize() > 0) {
      int at = m.attribute(SockDiag.INET_DIAG_INFO, (int) info.byteSize());
      MemorySegment.copy(info, 0, m.bytes, at, info.byteSize());
    }
    if (has(wanted, SockDiag.INET_DIAG_CONG) && !i.congestion().isEmpty()) {
      m.attributeString(SockDiag.INET_DIAG_CONG, i.congestion());
    }
  }

  private static boolean has(int extensions, int which) {
    return (extensions >>> (which - 1) & 1) != 0;
  }

  // ---- unix ----

  private long unix(MemorySegment s, int at) {
    int states = s.get(Memory.INT, at + SockDiag.UNIX_DIAG_REQ_UDIAG_STATES);
    int ino = s.get(Memory.INT, at + SockDiag.UNIX_DIAG_REQ_UDIAG_INO);
    int show = s.get(Memory.INT, at + SockDiag.UNIX_DIAG_REQ_UDIAG_SHOW);
    if (!isDump && ino == 0) {
      return -EINVAL;
    }
    for (SocketDiag.Unix u : sockets.unix().diagnose()) {
      boolean wanted =
          isDump ? (states >>> u.socket().state() & 1) != 0 : (int) u.socket().ino() == ino;
      if (wanted) {
        unix(u, show);
        if (!isDump) {
          return 0;
        }
      }
    }
    return isDump ? 0 : -ENOENT;
  }

  private void unix(SocketDiag.Unix u, int show) {
    SocketDiag d = u.socket();
    int h = begin(SockDiag.SIZEOF_UNIX_DIAG_MSG);
    m.bytes.set(Memory.BYTE, h, (byte) AF_UNIX);
    m.bytes.set(Memory.BYTE, h + SockDiag.UNIX_DIAG_MSG_UDIAG_TYPE, (byte) d.type());
    m.bytes.set(Memory.BYTE, h + SockDiag.UNIX_DIAG_MSG_UDIAG_STATE, (byte) d.state());
    m.bytes.set(Memory.INT, h + SockDiag.UNIX_DIAG_MSG_UDIAG_INO, (int) d.ino());
    m.bytes.set(Memory.LONG, h + SockDiag.UNIX_DIAG_MSG_UDIAG_COOKIE, d.ino());
    String name = u.name();
    if ((show & SockDiag.UDIAG_SHOW_NAME) != 0 && name != null) {
      // A path ends with a NUL, an abstract name begins with one.
      boolean isPath = name.charAt(0) != 0;
      int at = m.attribute(SockDiag.UNIX_DIAG_NAME, name.length() + (isPath ? 1 : 0));
      MemorySegment.copy(Latin1.bytes(name), 0, m.bytes, Memory.BYTE, at, name.length());
    }
    if ((show & SockDiag.UDIAG_SHOW_VFS) != 0 && u.fileIno() != 0) {
      int at = m.attribute(SockDiag.UNIX_DIAG_VFS, 8);
      m.bytes.set(Memory.INT, at, (int) u.fileIno());
      m.bytes.set(Memory.INT, at + 4, (int) u.fileDevice());
    }
    if ((show & SockDiag.UDIAG_SHOW_PEER) != 0 && u.peerIno() != 0) {
      m.attributeInt(SockDiag.UNIX_DIAG_PEER, (int) u.peerIno());
    }
    if ((show & SockDiag.UDIAG_SHOW_RQLEN) != 0) {
      int at = m.attribute(SockDiag.UNIX_DIAG_RQLEN, 8);
      m.bytes.set(Memory.INT, at, d.readable());
      m.bytes.set(Memory.INT, at + 4, d.unsent());
    }
    if ((show & SockDiag.UDIAG_SHOW_UID) != 0) {
      m.attributeInt(SockDiag.UNIX_DIAG_UID, d.uid());
    }
    m.attributeByte(SockDiag.UNIX_DIAG_SHUTDOWN, d.shutdown());
    end();
  }
}
