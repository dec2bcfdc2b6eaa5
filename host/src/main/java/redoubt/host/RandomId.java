package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Nr;

/** Random identifiers from the host's getrandom(2), without the start-up cost of java.security. */
public final class RandomId {
  private static final int[] DASHES_BEFORE = {4, 6, 8, 10};

  private RandomId() {}

  /** {@return a random (version 4) UUID in lower case} */
  public static String uuid() {
    byte[] b = new byte[16];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment s = arena.allocate(16);
      HostException.check("getrandom", RawSyscall.syscall(Nr.GETRANDOM, s.address(), 16, 0));
      MemorySegment.copy(s, Memory.BYTE, 0, b, 0, 16);
    }
    b[6] = (byte) ((b[6] & 0x0f) | 0x40);
    b[8] = (byte) ((b[8] & 0x3f) | 0x80);
    StringBuilder out = new StringBuilder(36);
    int dash = 0;
    for (int i = 0; i < 16; i++) {
      if (dash < DASHES_BEFORE.length && DASHES_BEFORE[dash] == i) {
        out.append('-');
        dash++;
      }
      out.append(Character.forDigit(b[i] >> 4 & 15, 16)).append(Character.forDigit(b[i] & 15, 16));
    }
    return out.toString();
  }
}
