package redoubt.net.stack;

/**
 * One line of the routing table.
 *
 * @param gateway the next hop, or 0 where the destination itself is on the link
 * @param source the address to send from
 */
public record Route(int prefix, int prefixLength, int gateway, int source, Nic nic) {
  public Route {
    if (prefixLength < 0 || prefixLength > 32) {
      throw new IllegalArgumentException("prefix length " + prefixLength);
    }
    if ((prefix & ~mask(prefixLength)) != 0) {
      throw new IllegalArgumentException("address bits beyond the prefix");
    }
  }

  boolean matches(int destination) {
    return (destination & mask(prefixLength)) == prefix;
  }

  public static int mask(int prefixLength) {
    return prefixLength == 0 ? 0 : -1 << (32 - prefixLength);
  }
}
