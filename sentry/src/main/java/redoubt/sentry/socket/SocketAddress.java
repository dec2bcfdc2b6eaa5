package redoubt.sentry.socket;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.host.Memory;

/** A sockaddr as bytes, with its length: struct sockaddr_storage. Reused. */
public final class SocketAddress {
  /** Most bytes of an address. */
  public static final int LIMIT = 128;

  /** The bytes; a NUL follows the longest. */
  public final MemorySegment bytes = Arena.ofAuto().allocate(LIMIT + 8, 8);

  /** How many of them count; 0 for no address. */
  public int length;

  /** {@return the address family, or 0 if there is none} */
  public int family() {
    return length < 2 ? 0 : bytes.get(Memory.SHORT, 0) & 0xffff;
  }

  public void copyFrom(SocketAddress other) {
    MemorySegment.copy(other.bytes, 0, bytes, 0, other.length);
    length = other.length;
  }
}
