package redoubt.net.transport;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import redoubt.abi.Errno;
import redoubt.abi.Poll;
import redoubt.net.buffer.Packet;
import redoubt.net.header.EthernetHeader;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Nic;
import redoubt.net.stack.Readiness;

/** One packet socket's way to the interfaces: what it sees, and what it sends. */
public final class PacketEndpoint {
  /** Who keeps what is seen. */
  @FunctionalInterface
  public interface Receiver {
    /**
     * Takes a copy of what it wants of a frame. Called with the stack's lock held: must not block,
     * nor call the stack.
     *
     * @return whether there is something to read now
     */
    boolean frame(PacketTable.Frame frame);
  }

  private final NetworkStack stack;
  private final Receiver receiver;
  private final Readiness readiness;
  private int interfaceIndex;
  private int protocol;
  private boolean ignoresOutgoing;

  PacketEndpoint(NetworkStack stack, Receiver receiver) {
    this.stack = stack;
    this.receiver = receiver;
    this.readiness = new Readiness(stack);
  }

  public Readiness readiness() {
    return readiness;
  }

  /** Sees frames of interface {@code index} (0: of all) and type {@code protocol} (0: none). */
  public void bind(int index, int protocol) {
    stack.enter();
    this.interfaceIndex = index;
    this.protocol = protocol;
    stack.exit();
  }

  /** PACKET_IGNORE_OUTGOING. */
  public void setIgnoresOutgoing(boolean does) {
    stack.enter();
    ignoresOutgoing = does;
    stack.exit();
  }

  /** Precondition: the stack's lock is held. */
  boolean wants(PacketTable.Frame f) {
    boolean isOut = f.kind == PacketTable.OUTGOING;
    return (interfaceIndex == 0 || interfaceIndex == f.interfaceIndex)
        && (protocol == PacketTable.ETH_P_ALL || (protocol == f.protocol && !isOut))
        && protocol != 0
        && !(isOut && ignoresOutgoing);
  }

  /** Precondition: the stack's lock is held. */
  void take(PacketTable.Frame f) {
    if (receiver.frame(f)) {
      readiness.ring(Poll.POLLIN | Poll.POLLRDNORM);
    }
  }

  /** Sends a frame that begins with its Ethernet header. {@return the length or -errno} */
  public int send(Nic nic, MemorySegment from, int length) {
    stack.enter();
    try {
      Packet p = stack.packets().allocate(length);
      if (p == null) {
        return -Errno.ENOBUFS;
      }
      p.prepend(EthernetHeader.LENGTH);
      MemorySegment.copy(from, ValueLayout.JAVA_BYTE, 0, p.data, p.start, length);
      p.end = p.start + length;
      nic.inject(p, this);
      return length;
    } finally {
      stack.exit();
    }
  }

  /** Sends a payload to {@code mac}. {@return the length or -errno} */
  public int sendTo(Nic nic, MemorySegment from, int length, long mac, int type) {
    stack.enter();
    try {
      Packet p = stack.packets().allocate(length);
      if (p == null) {
        return -Errno.ENOBUFS;
      }
      MemorySegment.copy(from, ValueLayout.JAVA_BYTE, 0, p.data, p.start, length);
      p.end = p.start + length;
      p.prepend(EthernetHeader.LENGTH);
      EthernetHeader.write(p.data, p.start, mac, nic.link().mac(), type);
      nic.inject(p, this);
      return length;
    } finally {
      stack.exit();
    }
  }

  public void close() {
    stack.enter();
    try {
      protocol = 0;
      readiness.listen(null);
      stack.frames().remove(this);
    } finally {
      stack.exit();
    }
  }
}
