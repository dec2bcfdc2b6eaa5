package redoubt.sentry.socket.inet;

import static redoubt.abi.Errno.EADDRINUSE;
import static redoubt.abi.Errno.EADDRNOTAVAIL;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOBUFS;
import static redoubt.abi.Errno.ENODEV;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.host.Memory;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Nic;

/**
 * The multicast groups of one socket: IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP, MCAST_JOIN_GROUP and
 * their opposites, in the order of errors of {@code ip_mc_join_group} and {@code
 * ipv6_sock_mc_join}. Guarded by the stack's lock.
 *
 * <p>What differs from Linux: without a network there is no interface to join on, not even the
 * loopback's by its number; lists of sources are not there.
 */
final class GroupList {
  /** net.ipv4.igmp_max_memberships. */
  private static final int MAX = 20;

  private static final int AF_INET = 2;
  private static final int AF_INET6 = 10;

  private record Joined(Nic nic, int group) {}

  private final List<Joined> all = new ArrayList<>(1);

  /** Which group, and on which interface: its number, or one of its addresses, or neither. */
  private record Asked(long high, long low, int index, int address) {}

  /** struct ip_mreq or ip_mreqn. */
  long changeV4(@Nullable NetworkStack stack, boolean join, MemorySegment s, int length) {
    if (length < 8) {
      return -EINVAL;
    }
    int group = Integer.reverseBytes(s.get(Memory.INT, 0));
    int address = Integer.reverseBytes(s.get(Memory.INT, 4));
    int index = length >= 12 ? s.get(Memory.INT, 8) : 0;
    return change(stack, join, new Asked(0, InetAddresses.mapped(group), index, address));
  }

  /** struct ipv6_mreq. */
  long changeV6(@Nullable NetworkStack stack, boolean join, MemorySegment s, int length) {
    if (length < 20) {
      return -EINVAL;
    }
    long high = Long.reverseBytes(s.get(Memory.LONG, 0));
    long low = Long.reverseBytes(s.get(Memory.LONG, 8));
    return change(stack, join, new Asked(high, low, s.get(Memory.INT, 16), 0));
  }

  /** struct group_req: an interface's number and a sockaddr of the level's family. */
  long change(@Nullable NetworkStack stack, boolean v6, boolean join, MemorySegment s, int length) {
    if (length < 136) {
      return -EINVAL;
    }
    int index = s.get(Memory.INT, 0);
    if (s.get(Memory.SHORT, 8) != (v6 ? AF_INET6 : AF_INET)) {
      return v6 ? -EADDRNOTAVAIL : -EINVAL;
    }
    long high = v6 ? Long.reverseBytes(s.get(Memory.LONG, 16)) : 0;
    long low =
        v6
            ? Long.reverseBytes(s.get(Memory.LONG, 24))
            : InetAddresses.mapped(Integer.reverseBytes(s.get(Memory.INT, 12)));
    return change(stack, join, new Asked(high, low, index, 0));
  }

  private long change(@Nullable NetworkStack stack, boolean join, Asked a) {
    boolean isV4 = InetAddresses.isV4(a.high, a.low);
    boolean isGroup = isV4 ? (int) a.low >>> 28 == 0xe : a.high >>> 56 == 0xff;
    if (!isGroup && join) {
      return -EINVAL;
    }
    if (stack == null) {
      return -ENODEV;
    }
    stack.enter();
    try {
      int group = InetFamily.number(stack, a.high, a.low);
      if (group == 0) {
        return -ENOBUFS;
      }
      stack.addresses().pin(group);
      try {
        Nic nic = nic(stack, a, group);
        return nic == null ? -ENODEV : join ? join(stack, nic, group) : leave(stack, nic, group);
      } finally {
        stack.addresses().unpin(group);
      }
    } finally {
      stack.exit();
    }
  }

  private static @Nullable Nic nic(NetworkStack stack, Asked a, int group) {
    if (a.index == 0 && a.address == 0) {
      return stack.groups().nicFor(group);
    }
    for (Nic nic : stack.nics()) {
      if (a.index != 0 ? nic.index() == a.index : nic.hasAddress(a.address)) {
        return nic;
      }
    }
    return null;
  }

  private long join(NetworkStack stack, Nic nic, int group) {
    Joined j = new Joined(nic, group);
    if (all.contains(j)) {
      return -EADDRINUSE;
    }
    if (all.size() >= MAX) {
      return -ENOBUFS;
    }
    int r = stack.groups().join(nic, group);
    if (r == 0) {
      all.add(j);
    }
    return r;
  }

  private long leave(NetworkStack stack, Nic nic, int group) {
    if (!all.remove(new Joined(nic, group))) {
      return -EADDRNOTAVAIL;
    }
    stack.groups().leave(nic, group);
    return 0;
  }

  /** The socket is closed. */
  void leaveAll(NetworkStack stack) {
    stack.enter();
    try {
      for (Joined j : all) {
        stack.groups().leave(j.nic, j.group);
      }
      all.clear();
    } finally {
      stack.exit();
    }
  }
}
