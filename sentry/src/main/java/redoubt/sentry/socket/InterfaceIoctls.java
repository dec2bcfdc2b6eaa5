package redoubt.sentry.socket;

import static redoubt.abi.Errno.EADDRNOTAVAIL;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Netlink.SIZEOF_IFREQ;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Errno;
import redoubt.abi.Ioctls;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;

/**
 * Interface ioctls of <a
 * href="https://man7.org/linux/man-pages/man7/netdevice.7.html">netdevice(7)</a>.
 */
final class InterfaceIoctls {
  /** The command is not an interface's. */
  static final long NOT_MINE = Long.MIN_VALUE;

  private InterfaceIoctls() {}

  static long ioctl(Task t, int command, long uarg) {
    return switch (command) {
      case Ioctls.SIOCGIFCONF -> list(t, uarg);
      case Ioctls.SIOCGIFNAME -> name(t, uarg);
      case Ioctls.SIOCGIFFLAGS,
          Ioctls.SIOCGIFADDR,
          Ioctls.SIOCGIFNETMASK,
          Ioctls.SIOCGIFBRDADDR,
          Ioctls.SIOCGIFDSTADDR,
          Ioctls.SIOCGIFMTU,
          Ioctls.SIOCGIFINDEX,
          Ioctls.SIOCGIFHWADDR,
          Ioctls.SIOCGIFMETRIC,
          Ioctls.SIOCGIFTXQLEN,
          Ioctls.SIOCGIFMAP ->
          get(t, command, uarg);
      case Ioctls.SIOCSIFFLAGS,
          Ioctls.SIOCSIFADDR,
          Ioctls.SIOCSIFNETMASK,
          Ioctls.SIOCSIFMTU,
          Ioctls.SIOCADDRT,
          Ioctls.SIOCDELRT ->
          -EPERM;
      case Ioctls.SIOCETHTOOL -> -Errno.EOPNOTSUPP;
      default -> NOT_MINE;
    };
  }

  /** An entry for each address, as far as there is room. */
  private static long list(Task t, long uarg) {
    if (t.copyInScratch(uarg, 16) < 0) {
      return -EFAULT;
    }
    MemorySegment s = t.scratch();
    int length = s.get(Memory.INT, 0);
    long ubuf = s.get(Memory.LONG, 8);
    int used = 0;
    for (NetDevice d : NetDevice.all(t)) {
      for (NetDevice.Address a : d.addresses()) {
        if (ubuf != 0 && used + SIZEOF_IFREQ > length) {
          return t.copyOutInt(uarg, used);
        }
        if (ubuf != 0) {
          s.asSlice(0, SIZEOF_IFREQ).fill((byte) 0);
          Latin1.writeZ(s, 0, d.name());
          address(s, a.address());
          if (t.copyOut(ubuf + used, s, 0, SIZEOF_IFREQ) < 0) {
            return -EFAULT;
          }
        }
        used += SIZEOF_IFREQ;
      }
    }
    return t.copyOutInt(uarg, used);
  }

  private static void address(MemorySegment s, int address) {
    s.set(Memory.SHORT, 16, (short) redoubt.abi.Socket.AF_INET);
    s.set(Memory.SHORT, 18, (short) 0);
    s.set(Memory.INT, 20, Integer.reverseBytes(address));
  }

  private static long name(Task t, long uarg) {
    if (t.copyInScratch(uarg, SIZEOF_IFREQ) < 0) {
      return -EFAULT;
    }
    MemorySegment s = t.scratch();
    NetDevice d = NetDevice.numbered(t, s.get(Memory.INT, 16));
    if (d == null) {
      return -ENODEV;
    }
    s.asSlice(0, 16).fill((byte) 0);
    Latin1.writeZ(s, 0, d.name());
    return t.copyOutScratch(uarg, SIZEOF_IFREQ);
  }

  private static long get(Task t, int command, long uarg) {
    if (t.copyInScratch(uarg, SIZEOF_IFREQ) < 0) {
      return -EFAULT;
    }
    MemorySegment s = t.scratch();
    int n = 0;
    while (n < 15 && s.get(Memory.BYTE, n) != 0) {
      n++;
    }
    NetDevice d = NetDevice.named(t, Latin1.string(s, 0, n));
    if (d == null) {
      return -ENODEV;
    }
    s.asSlice(16, SIZEOF_IFREQ - 16).fill((byte) 0);
    NetDevice.Address a = d.addresses().isEmpty() ? null : d.addresses().getFirst();
    switch (command) {
      case Ioctls.SIOCGIFFLAGS -> s.set(Memory.SHORT, 16, (short) d.flags());
      case Ioctls.SIOCGIFADDR,
          Ioctls.SIOCGIFDSTADDR,
          Ioctls.SIOCGIFNETMASK,
          Ioctls.SIOCGIFBRDADDR -> {
        if (a == null) {
          return -EADDRNOTAVAIL;
        }
        address(s, part(command, d, a));
      }
      case Ioctls.SIOCGIFMTU -> s.set(Memory.INT, 16, d.mtu());
      case Ioctls.SIOCGIFINDEX -> s.set(Memory.INT, 16, d.index());
      case Ioctls.SIOCGIFHWADDR -> {
        s.set(Memory.SHORT, 16, (short) d.type());
        for (int i = 0; i < 6; i++) {
          s.set(Memory.BYTE, 18 + i, (byte) (d.mac() >> (40 - 8 * i)));
        }
      }
      case Ioctls.SIOCGIFTXQLEN -> s.set(Memory.INT, 16, 1000);
      default -> {}
    }
    return t.copyOutScratch(uarg, SIZEOF_IFREQ);
  }

  private static int part(int command, NetDevice d, NetDevice.Address a) {
    return switch (command) {
      case Ioctls.SIOCGIFNETMASK -> a.mask();
      case Ioctls.SIOCGIFBRDADDR -> d.isLoopback() ? 0 : a.broadcast();
      default -> a.address();
    };
  }
}
