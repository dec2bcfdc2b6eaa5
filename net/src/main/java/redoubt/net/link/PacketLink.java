package redoubt.net.link;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.PacketSocket;
import redoubt.host.ThreadSlice;
import redoubt.net.buffer.Packet;
import redoubt.net.buffer.PacketPool;
import redoubt.net.header.EthernetHeader;
import redoubt.net.header.TcpHeader;
import redoubt.net.stack.NetworkStack;

/**
 * An interface of the host through a packet socket. What the stack sends is gathered and goes out
 * when the entry ends. Batches of frames are received, and handed to the stack in one entry, by
 * whoever has {@linkplain #tryTake taken} the reception: a thread that waits for what is in them,
 * so that nobody has to wake it up, or else the link's own thread.
 *
 * <p>The own thread lets go once it has woken somebody up: that one comes here when it has done its
 * work, and finds what has gathered by then. If nobody comes for {@link #GRACE_NS} it goes on by
 * itself. While somebody waits here it sleeps.
 *
 * <p>Frames that the host's queue has no room for are dropped, as a network card drops them.
 */
public final class PacketLink implements Link, AutoCloseable {
  private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
  private static final int LONGEST = 65_536 + EthernetHeader.LENGTH + PacketSocket.VNET_HEADER;

  private final PacketSocket socket;
  private final int mtu;
  private final long mac;
  private static final int GSO_TCPV4 = 1;
  private static final int GSO_TCPV6 = 4;

  /** How long frames wait for somebody who was woken up. */
  private static final long GRACE_NS = 250_000;

  /** The same while one comes again and again. */
  private static final long BUSY_GRACE_NS = 1_000_000;

  private static final int BUSY_TAKES = 4;

  /**
   * How long frames gather while those who were woken up for earlier ones still work (what the
   * interrupt moderation of a network card is for).
   */
  private static final long GATHER_NS = 100_000;

  private int gathered;
  private @Nullable NetworkStack stack;
  private @Nullable Consumer<Packet> sink;
  private @Nullable Thread receiver;
  private volatile boolean isClosed;
  private volatile int failure;

  /** Whether somebody has the reception: the one who may use the socket's receiving half. */
  private final AtomicBoolean isTaken = new AtomicBoolean();

  private volatile boolean isShared;

  /** How often another than the own thread has taken it. Written by who has it. */
  private volatile int takes;

  /** The own thread sleeps until it is unparked. */
  private volatile boolean isDormant;

  /** Whether the last batch made the stack call a listener. Of who has the reception. */
  private boolean hasCalled;

  /** Whether the last batch was TCP and nothing else. Of who has the reception. */
  private boolean isTcpAlone;

  /** Whether who was woken up has not come back yet, or nobody was. Of the own thread. */
  private boolean areBusy;

  /** Takes ownership of {@code fd}, which {@link PacketSocket#open} made. */
  public PacketLink(Fd fd, int mtu, long mac) {
    this.mtu = mtu;
    this.mac = mac;
    this.socket = new PacketSocket(fd, LONGEST, LONGEST);
  }

  /**
   * Starts to receive: each frame goes to {@code sink}, which is the interface's {@code deliver}.
   */
  public void start(NetworkStack stack, Consumer<Packet> sink) {
    this.stack = stack;
    this.sink = sink;
    receiver = Thread.ofPlatform().daemon().name("net link").start(this::receiveAll);
  }

  /** {@return the own thread's number, or 0 before it is started} */
  public long receiverId() {
    Thread t = receiver;
    return t == null ? 0 : t.threadId();
  }

  private void receiveAll() {
    ThreadSlice.makeShortest();
    int seen = takes;
    while (!isClosed) {
      if (isTaken.compareAndSet(false, true)) {
        boolean goesOn = areBusy ? receiveForTheBusy() : receiveUntilCalled();
        release();
        if (!goesOn) {
          return;
        }
      } else {
        areBusy = false;
        sleepBehindWhoWaits();
      }
      seen = takes;
      LockSupport.parkNanos(this, areBusy ? GATHER_NS : GRACE_NS);
      areBusy = takes == seen;
      for (int t = takes; t != seen && !isClosed; t = takes) {
        // They come by themselves.
        long ns = t - seen < BUSY_TAKES ? GRACE_NS : BUSY_GRACE_NS;
        seen = t;
        LockSupport.parkNanos(this, ns);
      }
    }
  }

  private void sleepBehindWhoWaits() {
    isDormant = true;
    while (isTaken.get() && !isClosed) {
      LockSupport.park(this);
    }
    isDormant = false;
  }

  /**
   * Receives until somebody is woken up, or until acknowledgements are all that comes: more of them
   * are worth one look together. {@return false at the end}
   */
  private boolean receiveUntilCalled() {
    while (!isClosed) {
      int n = poll();
      if (isShared && n > 0 && (hasCalled || isTcpAlone)) {
        areBusy = !hasCalled;
        return true;
      }
      if (n < 0 && n != -Errno.ENETDOWN) {
        return false;
      }
      if (n < PacketSocket.BATCH) {
        socket.await(-1);
      }
    }
    return false;
  }

  /** Takes in what has gathered. Nobody waits for it at once. {@return false at the end} */
  private boolean receiveForTheBusy() {
    for (; ; ) {
      int n = poll();
      if (n <= 0) {
        areBusy = false;
        return n < 0 && n != -Errno.ENETDOWN ? false : receiveUntilCalled();
      }
      if (n < PacketSocket.BATCH) {
        return !isClosed;
      }
    }
  }

  /** From now on others take the reception, too. */
  public void share() {
    isShared = true;
  }

  /** {@return whether the caller has the reception now} Then {@link #release} follows. */
  public boolean tryTake() {
    if (isClosed || isTaken.get() || !isTaken.compareAndSet(false, true)) {
      return false;
    }
    takes = takes + 1;
    return true;
  }

  /** Gives the reception back. */
  public void release() {
    isTaken.set(false);
    if (isDormant) {
      LockSupport.unpark(receiver);
    }
  }

  /**
   * Takes in a batch of frames that wait, if any. Who has the reception may call it, holding no
   * lock.
   *
   * @return how many, or -errno; ENETDOWN comes once when the interface goes down
   */
  public int poll() {
    hasCalled = false;
    NetworkStack s = stack;
    Consumer<Packet> to = sink;
    int n = s == null ? 0 : socket.receive();
    if (n > 0 && s != null && to != null) {
      deliver(s, to, n);
    } else if (n < 0) {
      failure = -n;
    }
    return n;
  }

  /**
   * {@return whether the last {@link #poll} was for others than its caller} It was if somebody else
   * is ready now, or if the stack itself was meant (an echo request).
   */
  public boolean wasForOthers() {
    return hasCalled || !isTcpAlone;
  }

  /** Waits for frames, {@link #ring}, or the time. Who has the reception may call it. */
  public void await(long timeoutNs) {
    socket.await(timeoutNs);
  }

  /** Ends the present or the next {@link #await}. */
  public void ring() {
    socket.wake();
  }

  private void deliver(NetworkStack stack, Consumer<Packet> sink, int n) {
    stack.enter();
    try {
      long segments = stack.counters().tcpSegmentsIn;
      for (int i = 0; i < n; i++) {
        Packet p = copyIn(stack.packets(), i);
        if (p != null) {
          sink.accept(p);
        }
      }
      isTcpAlone = stack.counters().tcpSegmentsIn == segments + n;
      hasCalled = stack.hasListenersToCall();
    } finally {
      stack.exit();
    }
  }

  private @Nullable Packet copyIn(PacketPool pool, int i) {
    int length = socket.receivedLength(i) - PacketSocket.VNET_HEADER;
    Packet p = length < EthernetHeader.LENGTH ? null : pool.allocate(length);
    if (p == null) {
      return null;
    }
    MemorySegment slots = socket.received();
    long at = (long) i * socket.receiveStride();
    int flags = slots.get(BYTE, at);
    p.isChecksumGood = (flags & (PacketSocket.NEEDS_CSUM | PacketSocket.DATA_VALID)) != 0;
    MemorySegment.copy(slots, BYTE, at + PacketSocket.VNET_HEADER, p.data, p.start, length);
    p.end = p.start + length;
    return p;
  }

  /** {@return the last error of receiving, or 0} */
  public int failure() {
    return failure;
  }

  @Override
  public int mtu() {
    return mtu;
  }

  @Override
  public long mac() {
    return mac;
  }

  @Override
  public void transmit(Packet p) {
    if (gathered == PacketSocket.BATCH) {
      flush();
    }
    int length = p.length();
    if (length <= mtu + EthernetHeader.LENGTH || p.segmentBytes != 0) {
      long at = (long) gathered * socket.sendStride();
      MemorySegment slots = socket.toSend();
      writeHeader(slots, at, p);
      p.copyTo(slots, at + PacketSocket.VNET_HEADER);
      socket.setSendLength(gathered, PacketSocket.VNET_HEADER + length);
      gathered++;
    }
    p.free();
  }

  /** The virtio_net_hdr, little-endian: flags, kind, header's length, segment's, sum's place. */
  private static void writeHeader(MemorySegment slots, long at, Packet p) {
    int sumAt = p.checksumStart == 0 ? 0 : p.checksumStart - p.start;
    int headers = p.segmentBytes == 0 ? 0 : sumAt + TcpHeader.headerLength(p.data, p.checksumStart);
    boolean isV6 = EthernetHeader.type(p.data, p.start) == EthernetHeader.TYPE_IPV6;
    int kind = p.segmentBytes == 0 ? 0 : isV6 ? GSO_TCPV6 : GSO_TCPV4;
    int flags = sumAt == 0 ? 0 : PacketSocket.NEEDS_CSUM;
    slots.set(SHORT, at, (short) (flags | kind << 8));
    slots.set(SHORT, at + 2, (short) headers);
    slots.set(SHORT, at + 4, (short) p.segmentBytes);
    slots.set(SHORT, at + 6, (short) sumAt);
    slots.set(SHORT, at + 8, (short) p.checksumOffset);
  }

  @Override
  public boolean offloads() {
    return true;
  }

  @Override
  public boolean takesBorrowed() {
    return true;
  }

  @Override
  public void flush() {
    int from = 0;
    while (from < gathered) {
      int n = socket.send(from, gathered);
      if (n <= 0) {
        break;
      }
      from += n;
    }
    gathered = 0;
  }

  /** Stops receiving. The stack must not send through this link any more. */
  @Override
  public void close() throws InterruptedException {
    isClosed = true;
    socket.wake();
    if (receiver != null) {
      LockSupport.unpark(receiver);
      receiver.join();
    }
    socket.close();
  }
}
