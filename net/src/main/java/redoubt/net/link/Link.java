package redoubt.net.link;

import redoubt.net.buffer.Packet;

/**
 * What carries frames out. What comes in, the link's own thread hands to {@link
 * redoubt.net.stack.Nic#deliver}.
 */
public interface Link {
  /** {@return the longest payload of a frame} */
  int mtu();

  /** {@return this end's Ethernet address, or 0 for a link without link headers} */
  long mac();

  /**
   * {@return whether it completes checksums and cuts packets into segments, as their fields say}
   */
  default boolean offloads() {
    return false;
  }

  /** {@return whether it takes frames that {@linkplain Packet#borrow borrow} bytes} */
  default boolean takesBorrowed() {
    return false;
  }

  /** Takes {@code frame} over: sends it now or at the next {@link #flush}, or drops it. */
  void transmit(Packet frame);

  /** Sends what {@link #transmit} has gathered. Never blocks. */
  default void flush() {}
}
