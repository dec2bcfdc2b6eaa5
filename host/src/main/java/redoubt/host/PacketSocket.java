package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Errno;
import redoubt.abi.Nr;

/**
 * Frames of one network interface, in batches (<a
 * href="https://man7.org/linux/man-pages/man7/packet.7.html">packet(7)</a>). Each frame has a
 * {@code virtio_net_hdr} before it, so that the host may hand over what its own stack has not cut
 * into segments or given a checksum yet.
 *
 * <p>One thread receives; one thread at a time fills and sends.
 */
public final class PacketSocket implements AutoCloseable {
  /** Frames in a batch. */
  public static final int BATCH = 32;

  /** Bytes of {@code virtio_net_hdr} before each frame. */
  public static final int VNET_HEADER = 10;

  /** In the header's first byte: the transport checksum is not filled in, and need not be. */
  public static final int NEEDS_CSUM = 1;

  /** In the header's first byte: somebody has checked the checksum. */
  public static final int DATA_VALID = 2;

  private static final int AF_PACKET = 17;
  private static final int SOCK_RAW = 3;
  private static final int SOCK_FLAGS = 0x80000 | 0x800; // SOCK_CLOEXEC | SOCK_NONBLOCK
  private static final int ETH_P_ALL_BIG_ENDIAN = 0x0300;
  private static final int SOL_SOCKET = 1;
  private static final int SO_SNDBUF = 7;
  private static final int SO_RCVBUF = 8;
  private static final int SO_SNDBUFFORCE = 32;
  private static final int SO_RCVBUFFORCE = 33;
  private static final int BUFFER_BYTES = 8 << 20;
  private static final int SOL_PACKET = 263;
  private static final int PACKET_ADD_MEMBERSHIP = 1;
  private static final int PACKET_VNET_HDR = 15;
  private static final int PACKET_QDISC_BYPASS = 20;
  private static final int PACKET_IGNORE_OUTGOING = 23;
  private static final int PACKET_MR_PROMISC = 1;
  private static final int MSG_DONTWAIT = 0x40;
  private static final int MMSGHDR = 64;
  private static final int MSG_LEN = 56;
  private static final int IOVEC = 16;
  private static final int POLLIN = 1;
  private static final long TIMESPEC = 16;

  private final Fd fd;
  private final Fd wake = HostIo.newEvent();
  private final Arena arena = Arena.ofShared();

  /** Two pollfds and a timespec. */
  private final MemorySegment polled = arena.allocate(32, 8);

  private final Vectors in;
  private final Vectors out;

  /**
   * Takes ownership of {@code fd}, a socket of {@link #open}.
   *
   * @param receiveBytes room for one frame that comes in, its header included
   * @param sendBytes the same for one that goes out
   */
  public PacketSocket(Fd fd, int receiveBytes, int sendBytes) {
    this.fd = fd;
    this.in = new Vectors(receiveBytes);
    this.out = new Vectors(sendBytes);
  }

  /** The mmsghdrs of a batch, each with one iovec for one slot. */
  private final class Vectors {
    final MemorySegment headers = arena.allocate((long) BATCH * MMSGHDR, 8);
    final MemorySegment iovecs = arena.allocate((long) BATCH * IOVEC, 8);
    final MemorySegment slots;
    final int slotBytes;

    Vectors(int slotBytes) {
      this.slotBytes = slotBytes;
      // Slots for the longest frames are rarely touched: pages that are not cost nothing.
      this.slots = Memory.mapAnonymous((long) BATCH * slotBytes);
      for (int i = 0; i < BATCH; i++) {
        iovecs.set(Memory.LONG, (long) i * IOVEC, slots.address() + (long) i * slotBytes);
        iovecs.set(Memory.LONG, (long) i * IOVEC + 8, slotBytes);
        headers.set(Memory.LONG, (long) i * MMSGHDR + 16, iovecs.address() + (long) i * IOVEC);
        headers.set(Memory.LONG, (long) i * MMSGHDR + 24, 1);
      }
    }
  }

  /**
   * Opens a socket for all frames of interface {@code index} in this thread's network namespace.
   * Needs CAP_NET_RAW.
   *
   * @param isPromiscuous whether to see frames to other addresses than the interface's own
   * @throws HostException if the host refuses
   */
  public static Fd open(int index, boolean isPromiscuous) {
    Fd fd =
        new Fd(
            (int)
                HostException.check(
                    "socket AF_PACKET",
                    RawSyscall.syscall(
                        Nr.SOCKET, AF_PACKET, SOCK_RAW | SOCK_FLAGS, ETH_P_ALL_BIG_ENDIAN)));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment address = arena.allocate(20, 8); // struct sockaddr_ll
      address.set(Memory.SHORT, 0, (short) AF_PACKET);
      address.set(Memory.SHORT, 2, (short) ETH_P_ALL_BIG_ENDIAN);
      address.set(Memory.INT, 4, index);
      HostException.check(
          "bind to interface " + index,
          RawSyscall.syscall(Nr.BIND, fd.number(), address.address(), 20));
      setOption(fd, PACKET_VNET_HDR, 1, arena);
      setBuffers(fd, arena);
      setOption(fd, PACKET_IGNORE_OUTGOING, 1, arena);
      if (isPromiscuous) {
        MemorySegment membership = arena.allocate(16, 8); // struct packet_mreq
        membership.set(Memory.INT, 0, index);
        membership.set(Memory.SHORT, 4, (short) PACKET_MR_PROMISC);
        setOption(fd, PACKET_ADD_MEMBERSHIP, membership);
      }
      return fd;
    } catch (HostException e) {
      fd.close();
      throw e;
    }
  }

  /** A frame of 64 KiB counts more than the default sizes allow for. */
  private static void setBuffers(Fd fd, Arena arena) {
    MemorySegment v = arena.allocate(4, 4);
    v.set(Memory.INT, 0, BUFFER_BYTES);
    for (int[] options : new int[][] {{SO_RCVBUFFORCE, SO_RCVBUF}, {SO_SNDBUFFORCE, SO_SNDBUF}}) {
      long r =
          RawSyscall.syscall(Nr.SETSOCKOPT, fd.number(), SOL_SOCKET, options[0], v.address(), 4);
      if (r < 0) {
        // Without CAP_NET_ADMIN: as much as the host gives to anybody.
        RawSyscall.syscall(Nr.SETSOCKOPT, fd.number(), SOL_SOCKET, options[1], v.address(), 4);
      }
    }
  }

  private static void setOption(Fd fd, int option, int value, Arena arena) {
    MemorySegment v = arena.allocate(4, 4);
    v.set(Memory.INT, 0, value);
    setOption(fd, option, v);
  }

  private static void setOption(Fd fd, int option, MemorySegment value) {
    HostException.check(
        "setsockopt SOL_PACKET " + option,
        RawSyscall.syscall(
            Nr.SETSOCKOPT, fd.number(), SOL_PACKET, option, value.address(), value.byteSize()));
  }

  /**
   * Waits until there are frames, or {@link #wake}, or for {@code timeoutNs} where that is not
   * negative. The receiver's.
   */
  public void await(long timeoutNs) {
    polled.set(Memory.INT, 0, fd.number());
    polled.set(Memory.INT, 4, POLLIN);
    polled.set(Memory.INT, 8, wake.number());
    polled.set(Memory.INT, 12, POLLIN);
    long timeout = 0;
    if (timeoutNs >= 0) {
      timeout = polled.address() + TIMESPEC;
      polled.set(Memory.LONG, TIMESPEC, timeoutNs / 1_000_000_000L);
      polled.set(Memory.LONG, TIMESPEC + 8, timeoutNs % 1_000_000_000L);
    }
    long n = RawSyscall.syscall(Nr.PPOLL, polled.address(), 2, timeout, 0, 8);
    if (n > 0 && polled.get(Memory.SHORT, 14) != 0) {
      HostIo.drain(wake);
    }
  }

  /** Ends {@link #await}, the present or the next one. */
  public void wake() {
    HostIo.signal(wake);
  }

  /** {@return how many frames were received, 0 when none wait, or -errno} */
  public int receive() {
    long n =
        RawSyscall.syscall(Nr.RECVMMSG, fd.number(), in.headers.address(), BATCH, MSG_DONTWAIT, 0);
    return n == -Errno.EAGAIN || n == -Errno.EINTR ? 0 : (int) n;
  }

  /** {@return the bytes of received frame {@code i}, its header included} */
  public int receivedLength(int i) {
    return Math.clamp(in.headers.get(Memory.INT, (long) i * MMSGHDR + MSG_LEN), 0, in.slotBytes);
  }

  /** {@return where received frames are: number i begins at i times {@link #receiveStride}} */
  public MemorySegment received() {
    return in.slots;
  }

  public int receiveStride() {
    return in.slotBytes;
  }

  /** {@return where frames to send go: number i at i times {@link #sendStride}} */
  public MemorySegment toSend() {
    return out.slots;
  }

  public int sendStride() {
    return out.slotBytes;
  }

  /** Says how long frame {@code i} is, its header included. */
  public void setSendLength(int i, int bytes) {
    out.iovecs.set(Memory.LONG, (long) i * IOVEC + 8, bytes);
  }

  /** Sends frames {@code from} to {@code to}. {@return how many went out, or -errno} */
  public int send(int from, int to) {
    return (int)
        RawSyscall.syscall(
            Nr.SENDMMSG,
            fd.number(),
            out.headers.address() + (long) from * MMSGHDR,
            to - from,
            MSG_DONTWAIT);
  }

  /** No thread may be in any other method any more. */
  @Override
  public void close() {
    fd.close();
    wake.close();
    Memory.unmap(in.slots);
    Memory.unmap(out.slots);
    arena.close();
  }
}
