package redoubt.sentry.socket;

import static redoubt.abi.Netlink.IFF_BROADCAST;
import static redoubt.abi.Netlink.IFF_LOOPBACK;
import static redoubt.abi.Netlink.IFF_LOWER_UP;
import static redoubt.abi.Netlink.IFF_MULTICAST;
import static redoubt.abi.Netlink.IFF_RUNNING;
import static redoubt.abi.Netlink.IFF_UP;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Netlink;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Nic;
import redoubt.net.stack.Route;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.inet.InetFamily;

/**
 * A network interface as the guest sees it: by netlink, by ioctl, in /proc and /sys.
 *
 * @param type ARPHRD_*
 * @param addresses its IPv4 addresses
 * @param addresses6 its IPv6 addresses
 */
public record NetDevice(
    String name,
    int index,
    int flags,
    int type,
    long mac,
    int mtu,
    List<Address> addresses,
    List<Address6> addresses6,
    Nic.Traffic traffic) {
  /** An IPv4 address with the length of its subnet's prefix. */
  public record Address(int address, int prefixLength) {
    public int mask() {
      return Route.mask(prefixLength);
    }

    public int broadcast() {
      return address | ~mask();
    }
  }

  /** An IPv6 address with the length of its subnet's prefix. */
  public record Address6(long high, long low, int prefixLength) {
    public boolean isLinkLocal() {
      return high >>> 54 == 0x3fa;
    }
  }

  private static final NetDevice LOOPBACK =
      new NetDevice(
          "lo",
          1,
          IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_LOWER_UP,
          Netlink.ARPHRD_LOOPBACK,
          0,
          65536,
          List.of(new Address(0x7f000001, 8)),
          List.of(new Address6(0, 1, 128)),
          new Nic.Traffic(0, 0, 0, 0));

  /** {@return the stack of {@code t}'s network, or null when there is only the loopback} */
  public static @Nullable NetworkStack stack(Task t) {
    return Sockets.of(t).inet().stack();
  }

  /** {@return all interfaces of {@code t}'s network, the loopback first} */
  public static List<NetDevice> all(Task t) {
    return all(stack(t));
  }

  /** {@return all interfaces of the sandbox's own network, the loopback first} */
  public static List<NetDevice> all(Kernel k) {
    InetFamily inet = k.subsystemOrNull(InetFamily.class);
    return all(inet == null ? null : inet.stack());
  }

  private static List<NetDevice> all(@Nullable NetworkStack stack) {
    if (stack == null) {
      return List.of(LOOPBACK);
    }
    var out = new ArrayList<NetDevice>();
    out.add(loopback(stack));
    for (Nic nic : stack.nics()) {
      if (nic != stack.loopback()) {
        out.add(of(stack, nic));
      }
    }
    return out;
  }

  private static NetDevice loopback(NetworkStack stack) {
    NetDevice d = of(stack, stack.loopback());
    return new NetDevice(
        d.name,
        d.index,
        LOOPBACK.flags,
        LOOPBACK.type,
        0,
        LOOPBACK.mtu,
        d.addresses,
        d.addresses6,
        d.traffic);
  }

  private static NetDevice of(NetworkStack stack, Nic nic) {
    var addresses = new ArrayList<Address>();
    int[] all = nic.addresses();
    for (int i = 0; i < all.length; i++) {
      addresses.add(new Address(all[i], nic.prefixLength(i)));
    }
    var addresses6 = new ArrayList<Address6>();
    int[] six = nic.addresses6();
    for (int i = 0; i < six.length; i++) {
      long high = stack.addresses().high(six[i]);
      addresses6.add(new Address6(high, stack.addresses().low(six[i]), nic.prefixLength6(i)));
    }
    int up = nic.isUp() ? IFF_UP | IFF_RUNNING | IFF_LOWER_UP : 0;
    return new NetDevice(
        nic.name(),
        nic.index(),
        up | IFF_BROADCAST | IFF_MULTICAST,
        Netlink.ARPHRD_ETHER,
        nic.link().mac(),
        nic.mtu(),
        addresses,
        addresses6,
        nic.traffic());
  }

  public static @Nullable NetDevice named(Task t, String name) {
    for (NetDevice d : all(t)) {
      if (d.name.equals(name)) {
        return d;
      }
    }
    return null;
  }

  public static @Nullable NetDevice numbered(Task t, int index) {
    for (NetDevice d : all(t)) {
      if (d.index == index) {
        return d;
      }
    }
    return null;
  }

  public boolean isLoopback() {
    return (flags & IFF_LOOPBACK) != 0;
  }

  /** {@return the Ethernet address as people write it} */
  public String macText() {
    var out = new StringBuilder(17);
    for (int shift = 40; shift >= 0; shift -= 8) {
      int octet = (int) (mac >> shift) & 0xff;
      out.append(Character.forDigit(octet >> 4, 16)).append(Character.forDigit(octet & 15, 16));
      out.append(shift > 0 ? ":" : "");
    }
    return out.toString();
  }
}
