package redoubt.sentry.socket.packet;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EBUSY;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EMSGSIZE;
import static redoubt.abi.Errno.ENETDOWN;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ENOMEM;
import static redoubt.abi.Errno.ENOPROTOOPT;
import static redoubt.abi.Errno.ENXIO;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Poll.POLLERR;
import static redoubt.abi.Poll.POLLIN;
import static redoubt.abi.Poll.POLLOUT;
import static redoubt.abi.Poll.POLLRDNORM;
import static redoubt.abi.Poll.POLLWRBAND;
import static redoubt.abi.Poll.POLLWRNORM;
import static redoubt.abi.Socket.*;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Netlink;
import redoubt.abi.Seccomp;
import redoubt.host.Memory;
import redoubt.net.header.EthernetHeader;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Nic;
import redoubt.net.transport.PacketEndpoint;
import redoubt.sentry.kernel.ClassicBpf;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.mm.Mappable;
import redoubt.sentry.platform.Platform;
import redoubt.sentry.socket.Socket;
import redoubt.sentry.socket.SocketAddress;
import redoubt.sentry.socket.SocketCall;

/**
 * A packet socket: <a href="https://man7.org/linux/man-pages/man7/packet.7.html">packet(7)</a>,
 * with Linux's order of errors (net/packet/af_packet.c).
 *
 * <p>What differs from Linux: of the rings there is PACKET_RX_RING in TPACKET_V2; no PACKET_FANOUT,
 * no PACKET_VNET_HDR. Connections between two sockets of the sandbox make no frames, so that none
 * of TCP's are seen on the loopback.
 */
final class PacketSocket extends Socket {
  private static final int LONGEST = 65536;
  private static final int SHORTEST_ADDRESS = 12;
  private static final int VLAN = 4;
  private static final int TPACKET_V2 = 1;
  private static final int MAX_MEMBERSHIPS = 64;
  private static final int SIZEOF_MREQ = 16;
  private static final int RECEIVE_FLAGS = MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_ERRQUEUE;

  private record Membership(int index, int type, long address) {}

  private final PacketFamily packets;
  private final NetworkStack stack;
  private final PacketEndpoint endpoint;
  private final FrameQueue frames;
  private final Platform platform;
  private final List<Membership> memberships = new ArrayList<>(); // guarded by this
  private volatile int boundIndex;
  private volatile int boundProtocol;
  private volatile boolean wantsAuxiliary;
  private volatile boolean ignoresOutgoing;
  private volatile int version;
  private volatile int reserve;
  private volatile boolean isFilterLocked;

  PacketSocket(
      Task t,
      PacketFamily packets,
      NetworkStack stack,
      PacketEndpoint endpoint,
      FrameQueue frames,
      int type,
      int protocol,
      int flags) {
    super(t, AF_PACKET, type, 0, flags); // SO_PROTOCOL gives 0, as Linux
    this.packets = packets;
    this.stack = stack;
    this.endpoint = endpoint;
    this.frames = frames;
    this.platform = t.kernel().platform();
    this.boundProtocol = swapped(protocol);
    endpoint.readiness().listen(queue::notify);
    endpoint.bind(0, boundProtocol);
  }

  private static int swapped(int v) {
    return Short.reverseBytes((short) v) & 0xffff;
  }

  @Override
  public boolean isFedByLink() {
    return packets.isFedByLink();
  }

  private @Nullable Nic nic(int index) {
    for (Nic n : stack.nics()) {
      if (n.index() == index) {
        return n;
      }
    }
    return null;
  }

  // ---- names ----

  @Override
  public long bind(Task t, SocketCall c) {
    SocketAddress a = c.name;
    if (a.length < SIZEOF_SOCKADDR_LL || a.family() != AF_PACKET) {
      return -EINVAL;
    }
    int index = a.bytes.get(Memory.INT, SOCKADDR_LL_SLL_IFINDEX);
    int protocol = a.bytes.get(Memory.SHORT, SOCKADDR_LL_SLL_PROTOCOL);
    Nic n = nic(index);
    if (index != 0 && n == null) {
      return -ENODEV;
    }
    if (protocol != 0) {
      boundProtocol = swapped(protocol);
    }
    boundIndex = index;
    endpoint.bind(index, boundProtocol);
    if (n != null && !n.isUp()) {
      setError(ENETDOWN);
      queue.notify(POLLERR);
    }
    return 0;
  }

  @Override
  public long localName(SocketCall c) {
    Nic n = nic(boundIndex);
    MemorySegment s = c.name.bytes;
    s.asSlice(0, SIZEOF_SOCKADDR_LL).fill((byte) 0);
    s.set(Memory.SHORT, 0, (short) AF_PACKET);
    s.set(Memory.SHORT, SOCKADDR_LL_SLL_PROTOCOL, (short) swapped(boundProtocol));
    s.set(Memory.INT, SOCKADDR_LL_SLL_IFINDEX, boundIndex);
    c.name.length = SHORTEST_ADDRESS;
    if (n != null) {
      int hardware = n == stack.loopback() ? Netlink.ARPHRD_LOOPBACK : Netlink.ARPHRD_ETHER;
      s.set(Memory.SHORT, SOCKADDR_LL_SLL_HATYPE, (short) hardware);
      s.set(Memory.BYTE, SOCKADDR_LL_SLL_HALEN, (byte) 6);
      putMac(s, SOCKADDR_LL_SLL_ADDR, n.link().mac());
      c.name.length += 6;
    }
    return 0;
  }

  private static void putMac(MemorySegment s, long at, long mac) {
    for (int i = 0; i < 6; i++) {
      s.set(Memory.BYTE, at + i, (byte) (mac >> (40 - 8 * i)));
    }
  }

  /** Writes where a frame came from: struct sockaddr_ll. */
  static void writeAddress(FrameQueue.Seen f, MemorySegment s, long at) {
    s.set(Memory.SHORT, at, (short) AF_PACKET);
    s.set(Memory.SHORT, at + SOCKADDR_LL_SLL_PROTOCOL, (short) swapped(f.protocol));
    s.set(Memory.INT, at + SOCKADDR_LL_SLL_IFINDEX, f.interfaceIndex);
    s.set(Memory.SHORT, at + SOCKADDR_LL_SLL_HATYPE, (short) f.hardwareType);
    s.set(Memory.BYTE, at + SOCKADDR_LL_SLL_PKTTYPE, (byte) f.kind);
    s.set(Memory.BYTE, at + SOCKADDR_LL_SLL_HALEN, (byte) 6);
    putMac(s, at + SOCKADDR_LL_SLL_ADDR, f.source);
    s.set(Memory.SHORT, at + SOCKADDR_LL_SLL_ADDR + 6, (short) 0);
  }

  @Override
  public long peerName(SocketCall c) {
    return -EOPNOTSUPP;
  }

  @Override
  public long shutdown(int how) {
    return -EOPNOTSUPP;
  }

  @Override
  protected boolean hasDevice(String name) {
    return stack.hasNic(name);
  }

  @Override
  protected void release() {
    packets.forget(this);
    endpoint.close();
    frames.close();
    PacketRing r = frames.setRing(null);
    if (r != null) {
      r.unreference();
    }
  }

  // ---- data ----

  @Override
  public long send(Task t, IoBuffer src, SocketCall c) {
    SocketAddress a = c.name;
    int index = boundIndex;
    int protocol = boundProtocol;
    boolean isRaw = type() == SOCK_RAW;
    if (a.length > 0) {
      int halen = a.length < SHORTEST_ADDRESS ? 0 : a.bytes.get(Memory.BYTE, SOCKADDR_LL_SLL_HALEN);
      if (a.length < SIZEOF_SOCKADDR_LL || a.length < (halen & 0xff) + SHORTEST_ADDRESS) {
        return -EINVAL;
      }
      index = a.bytes.get(Memory.INT, SOCKADDR_LL_SLL_IFINDEX);
      protocol = swapped(a.bytes.get(Memory.SHORT, SOCKADDR_LL_SLL_PROTOCOL));
    }
    Nic n = nic(index);
    if (n == null) {
      return -ENXIO;
    }
    if (!n.isUp()) {
      return -ENETDOWN;
    }
    long length = src.remaining();
    int mtu = n == stack.loopback() ? LONGEST : n.mtu();
    if (length > mtu + (isRaw ? EthernetHeader.LENGTH : 0) + VLAN) {
      return -EMSGSIZE;
    }
    MemorySegment buffer = c.data(LONGEST + EthernetHeader.LENGTH + VLAN);
    if (length > 0 && src.get(buffer, 0, length) < length) {
      return -EFAULT;
    }
    if (isRaw) {
      return length < EthernetHeader.LENGTH ? -EINVAL : endpoint.send(n, buffer, (int) length);
    }
    long mac = a.length > 0 ? mac(a.bytes) : 0;
    return endpoint.sendTo(n, buffer, (int) length, mac, protocol);
  }

  private static long mac(MemorySegment s) {
    long mac = 0;
    for (int i = 0; i < 6; i++) {
      mac = mac << 8 | (s.get(Memory.BYTE, SOCKADDR_LL_SLL_ADDR + i) & 0xff);
    }
    return mac;
  }

  @Override
  public long receive(Task t, IoBuffer dst, SocketCall c) {
    if ((c.flags & ~RECEIVE_FLAGS & ~MSG_CMSG_CLOEXEC) != 0) {
      return -EINVAL;
    }
    if ((c.flags & MSG_ERRQUEUE) != 0) {
      return -EAGAIN;
    }
    long e = takeError();
    if (e != 0) {
      return e;
    }
    FrameQueue.Seen f = frames.next((c.flags & MSG_PEEK) != 0);
    if (f == null) {
      return -EAGAIN;
    }
    int length = f.bytes.length;
    int n = (int) Math.min(length, dst.remaining());
    if (n > 0 && put(f.bytes, n, dst, c) < n) {
      return -EFAULT;
    }
    writeAddress(f, c.name.bytes, 0);
    c.name.length = SIZEOF_SOCKADDR_LL;
    c.timestampNs = wantsTimestamp() || wantsTimestampNs() ? f.timeNs : 0;
    if (wantsAuxiliary) {
      putAuxiliary(f, length, c);
    }
    if (n == length) {
      return n;
    }
    c.outFlags |= MSG_TRUNC;
    return (c.flags & MSG_TRUNC) != 0 ? length : n;
  }

  private static long put(byte[] bytes, int n, IoBuffer dst, SocketCall c) {
    MemorySegment buffer = c.data(LONGEST + EthernetHeader.LENGTH + VLAN);
    MemorySegment.copy(bytes, 0, buffer, ValueLayout.JAVA_BYTE, 0, n);
    return dst.put(buffer, 0, n);
  }

  /** struct tpacket_auxdata. */
  private static void putAuxiliary(FrameQueue.Seen f, int length, SocketCall c) {
    long at = c.attach(SOL_PACKET, PACKET_AUXDATA, 20);
    MemorySegment s = c.attached();
    s.set(Memory.INT, at, 1 | (f.isChecksumOpen ? 8 : 0));
    s.set(Memory.INT, at + 4, f.wholeLength);
    s.set(Memory.INT, at + 8, length);
    s.set(Memory.SHORT, at + 12, (short) 0);
    s.set(Memory.SHORT, at + 14, (short) f.networkAt);
    s.set(Memory.INT, at + 16, 0);
  }

  @Override
  protected long unread() {
    return frames.nextLength();
  }

  @Override
  public int poll() {
    endpoint.readiness().observe();
    return (frames.isReadable() ? POLLIN | POLLRDNORM : 0)
        | (hasError() ? POLLERR : 0)
        | POLLOUT
        | POLLWRNORM
        | POLLWRBAND;
  }

  @Override
  public @Nullable Mappable mappable() {
    return frames.ring();
  }

  @Override
  public long checkMmap(int prot, int flags) {
    return frames.ring() == null ? -EINVAL : super.checkMmap(prot, flags);
  }

  // ---- options ----

  @Override
  protected void socketOptionSet(int name) {
    if (name == SO_RCVBUF || name == SO_RCVBUFFORCE) {
      frames.setLimit(receiveBuffer());
    }
  }

  @Override
  protected long setOwnSocketOption(Task t, int name, MemorySegment s, int length) {
    return switch (name) {
      case SO_ATTACH_FILTER -> attachFilter(t, s, length);
      case SO_DETACH_FILTER -> detachFilter();
      case SO_LOCK_FILTER -> {
        boolean on = s.get(Memory.INT, 0) != 0;
        if (isFilterLocked && !on) {
          yield -redoubt.abi.Errno.EPERM;
        }
        isFilterLocked = on;
        yield 0;
      }
      default -> -ENOPROTOOPT;
    };
  }

  private long detachFilter() {
    if (isFilterLocked) {
      return -redoubt.abi.Errno.EPERM;
    }
    if (!frames.hasFilter()) {
      return -ENOENT;
    }
    frames.setFilter(null);
    return 0;
  }

  private long attachFilter(Task t, MemorySegment s, int length) {
    if (length != Seccomp.SIZEOF_SOCK_FPROG) {
      return -EINVAL;
    }
    int count = s.get(Memory.SHORT, Seccomp.SOCK_FPROG_LEN) & 0xffff;
    long uprogram = s.get(Memory.LONG, Seccomp.SOCK_FPROG_FILTER);
    if (isFilterLocked) {
      return -redoubt.abi.Errno.EPERM;
    }
    if (uprogram == 0 || count == 0 || count > ClassicBpf.MAX_INSTRUCTIONS) {
      return -EINVAL;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment code = arena.allocate((long) count * Seccomp.SIZEOF_SOCK_FILTER, 8);
      if (t.copyIn(uprogram, code, 0, code.byteSize()) < 0) {
        return -EFAULT;
      }
      ClassicBpf program = ClassicBpf.parseForPackets(code, count);
      if (program == null) {
        return -EINVAL;
      }
      frames.setFilter(program);
    }
    return 0;
  }

  @Override
  protected long setProtocolOption(Task t, int level, int name, MemorySegment s, int length) {
    if (level != SOL_PACKET) {
      return -ENOPROTOOPT;
    }
    switch (name) {
      case PACKET_ADD_MEMBERSHIP, PACKET_DROP_MEMBERSHIP -> {
        return changeMembership(name == PACKET_ADD_MEMBERSHIP, s, length);
      }
      case PACKET_RX_RING -> {
        return length < 16 ? -EINVAL : setRing(s);
      }
      default -> {}
    }
    if (length < 4) {
      return -EINVAL;
    }
    int value = s.get(Memory.INT, 0);
    boolean hasRing = frames.ring() != null;
    switch (name) {
      case PACKET_AUXDATA -> wantsAuxiliary = value != 0;
      case PACKET_IGNORE_OUTGOING -> {
        if (value < 0 || value > 1) {
          return -EINVAL;
        }
        ignoresOutgoing = value == 1;
        endpoint.setIgnoresOutgoing(ignoresOutgoing);
      }
      case PACKET_VERSION -> {
        if (value < 0 || value > TPACKET_V2) {
          return -EINVAL;
        }
        if (hasRing) {
          return -EBUSY;
        }
        version = value;
      }
      case PACKET_RESERVE -> {
        if (value < 0 || value > LONGEST) {
          return -EINVAL;
        }
        if (hasRing) {
          return -EBUSY;
        }
        reserve = value;
      }
      case PACKET_ORIGDEV, PACKET_COPY_THRESH, PACKET_TIMESTAMP, PACKET_QDISC_BYPASS -> {}
      default -> {
        return -ENOPROTOOPT;
      }
    }
    return 0;
  }

  private long changeMembership(boolean adds, MemorySegment s, int length) {
    if (length < SIZEOF_MREQ) {
      return -EINVAL;
    }
    int alen = s.get(Memory.SHORT, 6) & 0xffff;
    var m =
        new Membership(
            s.get(Memory.INT, 0),
            s.get(Memory.SHORT, 4),
            s.get(ValueLayout.JAVA_LONG_UNALIGNED, 8));
    if (length < alen + 8) {
      return -EINVAL;
    }
    synchronized (this) {
      if (!adds) {
        memberships.remove(m);
        return 0; // packet_mc_drop does not care
      }
      if (nic(m.index) == null) {
        return -ENODEV;
      }
      if (alen > 6) {
        return -EINVAL;
      }
      if (memberships.size() >= MAX_MEMBERSHIPS) {
        return -redoubt.abi.Errno.ENOBUFS;
      }
      memberships.add(m);
      return 0;
    }
  }

  /** packet_set_ring, of struct tpacket_req. */
  private synchronized long setRing(MemorySegment s) {
    int blockBytes = s.get(Memory.INT, 0);
    int blocks = s.get(Memory.INT, 4);
    int slotBytes = s.get(Memory.INT, 8);
    int slots = s.get(Memory.INT, 12);
    PacketRing old = frames.ring();
    if (old != null && old.isMapped()) {
      return -EBUSY;
    }
    if (blocks == 0) {
      if (slots != 0) {
        return -EINVAL;
      }
      PacketRing was = frames.setRing(null);
      if (was != null) {
        was.unreference();
      }
      return 0;
    }
    if (old != null) {
      return -EBUSY;
    }
    boolean isGood =
        version == TPACKET_V2
            && blockBytes > 0
            && (blockBytes & (Memory.PAGE - 1)) == 0
            && Integer.compareUnsigned(slotBytes, PacketRing.HEADER + reserve) >= 0
            && (slotBytes & 15) == 0
            && slotBytes > 0
            && slotBytes <= blockBytes
            && Integer.compareUnsigned(blocks, Integer.divideUnsigned(-1, blockBytes)) <= 0
            && blockBytes / slotBytes * (long) blocks == Integer.toUnsignedLong(slots);
    if (!isGood) {
      return -EINVAL;
    }
    if (!PacketRing.charge((long) blockBytes * blocks)) {
      return -ENOMEM;
    }
    frames.setRing(new PacketRing(platform, blockBytes, blocks, slotBytes, reserve));
    return 0;
  }

  @Override
  public boolean readsOption(int level, int name) {
    return level == SOL_PACKET && name == PACKET_HDRLEN;
  }

  @Override
  protected long protocolOption(Task t, int level, int name, MemorySegment s, int limit) {
    if (level != SOL_PACKET) {
      return -ENOPROTOOPT;
    }
    int value;
    switch (name) {
      case PACKET_STATISTICS -> {
        long both = frames.takeStatistics();
        s.set(Memory.INT, 0, (int) (both >>> 32));
        s.set(Memory.INT, 4, (int) both);
        return Math.min(limit, 8);
      }
      case PACKET_HDRLEN -> {
        if (limit < 4) {
          return -EINVAL;
        }
        value = PacketRing.headerBytes(s.get(Memory.INT, 0));
        if (value < 0) {
          return value;
        }
      }
      case PACKET_AUXDATA -> value = wantsAuxiliary ? 1 : 0;
      case PACKET_VERSION -> value = version;
      case PACKET_RESERVE -> value = reserve;
      case PACKET_IGNORE_OUTGOING -> value = ignoresOutgoing ? 1 : 0;
      case PACKET_ORIGDEV, PACKET_TIMESTAMP, PACKET_QDISC_BYPASS -> value = 0;
      default -> {
        return -ENOPROTOOPT;
      }
    }
    s.set(Memory.INT, 0, value);
    return Math.min(limit, 4);
  }

  /** Appends its line of /proc/net/packet. */
  void describe(StringBuilder b) {
    b.append("0000000000000000 3      ").append(type()).append("    ");
    String p = Integer.toHexString(boundProtocol);
    b.append("0".repeat(4 - p.length())).append(p).append("  ");
    pad(b, Integer.toString(boundIndex), 5);
    b.append(' ').append(boundProtocol != 0 ? 1 : 0).append(' ');
    pad(b, "0", 6);
    b.append(' ');
    pad(b, Integer.toUnsignedString(inode().uid()), 6);
    b.append(' ');
    pad(b, Long.toString(inode().ino()), 6);
    b.append('\n');
  }

  private static void pad(StringBuilder b, String s, int width) {
    b.append(s).append(" ".repeat(Math.max(0, width - s.length())));
  }
}
