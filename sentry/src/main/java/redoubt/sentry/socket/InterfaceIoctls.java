package redoubt.sentry.socket;

import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Netlink.ARPHRD_LOOPBACK;
import static redoubt.abi.Netlink.IFF_LOOPBACK;
import static redoubt.abi.Netlink.IFF_RUNNING;
import static redoubt.abi.Netlink.IFF_UP;
import static redoubt.abi.Netlink.SIZEOF_IFREQ;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Errno;
import redoubt.abi.Ioctls;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;

/**
 * Interface ioctls of <a
 * href="https://man7.org/linux/man-pages/man7/netdevice.7.html">netdevice(7)</a> for lo.
 */
final class InterfaceIoctls {
  /** The command is not an interface's. */
  static final long NOT_MINE = Long.MIN_VALUE;

  private static final int INDEX = 1;
  private static final int MTU = 65536;

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

  private static long list(Task t, long uarg) {
    if (t.copyInScratch(uarg, 16) < 0) {
      return -EFAULT;
    }
    MemorySegment s = t.scratch();
    int length = s.get(Memory.INT, 0);
    long ubuf = s.get(Memory.LONG, 8);
    int used = SIZEOF_IFREQ;
    if (ubuf != 0) {
      used = length < SIZEOF_IFREQ ? 0 : SIZEOF_IFREQ;
      if (used > 0) {
        s.asSlice(0, SIZEOF_IFREQ).fill((byte) 0);
        Latin1.writeZ(s, 0, "lo");
        address(s, 0x7f000001);
        if (t.copyOut(ubuf, s, 0, SIZEOF_IFREQ) < 0) {
          return -EFAULT;
        }
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
    if (s.get(Memory.INT, 16) != INDEX) {
      return -ENODEV;
    }
    s.asSlice(0, 16).fill((byte) 0);
    Latin1.writeZ(s, 0, "lo");
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
    if (!Latin1.string(s, 0, n).equals("lo")) {
      return -ENODEV;
    }
    s.asSlice(16, SIZEOF_IFREQ - 16).fill((byte) 0);
    switch (command) {
      case Ioctls.SIOCGIFFLAGS ->
          s.set(Memory.SHORT, 16, (short) (IFF_UP | IFF_LOOPBACK | IFF_RUNNING));
      case Ioctls.SIOCGIFADDR, Ioctls.SIOCGIFDSTADDR -> address(s, 0x7f000001);
      case Ioctls.SIOCGIFNETMASK -> address(s, 0xff000000);
      case Ioctls.SIOCGIFBRDADDR -> address(s, 0);
      case Ioctls.SIOCGIFMTU -> s.set(Memory.INT, 16, MTU);
      case Ioctls.SIOCGIFINDEX -> s.set(Memory.INT, 16, INDEX);
      case Ioctls.SIOCGIFHWADDR -> s.set(Memory.SHORT, 16, (short) ARPHRD_LOOPBACK);
      case Ioctls.SIOCGIFTXQLEN -> s.set(Memory.INT, 16, 1000);
      default -> {}
    }
    return t.copyOutScratch(uarg, SIZEOF_IFREQ);
  }
}
