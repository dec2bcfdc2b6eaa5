package redoubt.net.transport;

import org.jspecify.annotations.Nullable;
import redoubt.net.buffer.Packet;
import redoubt.net.stack.NetworkStack;

/** Raw and ping sockets: each gets its own copy of what is for it. Guarded by the stack's lock. */
public final class RawTable {
  static final int ICMP = 1;
  static final int ICMPV6 = 58;
  private static final int MAX = 4096;

  private final NetworkStack stack;
  private @Nullable RawEndpoint first;
  private int size;

  public RawTable(NetworkStack stack) {
    this.stack = stack;
  }

  /** {@return a raw socket's endpoint for {@code protocol}, or null when there are too many} */
  public @Nullable RawEndpoint open(int protocol, boolean isV6) {
    return add(new RawEndpoint(stack, protocol, false, isV6));
  }

  /** {@return a ping socket's endpoint, or null when there are too many} */
  public @Nullable RawEndpoint openPing(boolean isV6) {
    return add(new RawEndpoint(stack, isV6 ? ICMPV6 : ICMP, true, isV6));
  }

  /** {@return the stack that this is part of} */
  public NetworkStack stack() {
    return stack;
  }

  private @Nullable RawEndpoint add(RawEndpoint e) {
    stack.enter();
    try {
      if (size >= MAX) {
        return null;
      }
      size++;
      e.next = first;
      first = e;
      return e;
    } finally {
      stack.exit();
    }
  }

  /** Gives a ping endpoint its identifier; 0 asks for any. {@return whether it was free} */
  public boolean identify(RawEndpoint e, int wanted) {
    stack.enter();
    try {
      int id =
          wanted != 0
              ? wanted
              : Ports.pick(stack.secret(), candidate -> !isTaken(candidate, e.isV6()));
      if (id == 0 || isTaken(id, e.isV6())) {
        return false;
      }
      e.setIdentifier(id);
      return true;
    } finally {
      stack.exit();
    }
  }

  private boolean isTaken(int id, boolean isV6) {
    for (RawEndpoint e = first; e != null; e = e.next) {
      if (e.isPing() && e.isV6() == isV6 && e.identifier() == id) {
        return true;
      }
    }
    return false;
  }

  /** An ICMP error about a packet from {@code local}: each socket that it may be of hears it. */
  public void error(int protocol, int local, IpError error) {
    if (error.mtu != 0 && first != null) {
      stack.ipv4().pathMtu().lower(error.destination, error.mtu);
    }
    for (RawEndpoint e = first; e != null; e = e.next) {
      if (e.hasSent(protocol, local, error)) {
        e.error(error);
      }
    }
  }

  void remove(RawEndpoint e) {
    RawEndpoint before = null;
    for (RawEndpoint i = first; i != null; before = i, i = i.next) {
      if (i == e) {
        if (before == null) {
          first = e.next;
        } else {
          before.next = e.next;
        }
        e.next = null;
        size--;
        return;
      }
    }
  }

  /**
   * Gives copies of {@code p}, which begins with its IP header and stays the caller's.
   *
   * @param at where the payload begins
   * @return whether somebody got one
   */
  public boolean deliver(Packet p, int protocol, int at) {
    boolean isWanted = false;
    for (RawEndpoint e = first; e != null; e = e.next) {
      if (!e.wants(p, protocol, at)) {
        continue;
      }
      isWanted = true;
      Packet copy = p.copy();
      if (copy != null) {
        copy.start += e.isPing() || e.isV6() ? at - p.start : 0;
        e.deliver(copy);
      }
    }
    return isWanted;
  }
}
