package redoubt.net.stack;

import java.security.SecureRandom;

/**
 * A key that no peer knows, and SipHash-2-4 with it: for sequence numbers, ports, cookies and hash
 * tables whose collisions nobody can aim at.
 */
public final class Secret {
  private final long k0;
  private final long k1;
  private long draws;

  public Secret(long k0, long k1) {
    this.k0 = k0;
    this.k1 = k1;
  }

  static Secret random(SecureRandom random) {
    return new Secret(random.nextLong(), random.nextLong());
  }

  /** {@return the next of a sequence of numbers that nobody can guess} */
  public long next() {
    return hash(++draws, 0x6e657874, 0);
  }

  /** {@return a keyed hash of three words} */
  public long hash(long a, long b, long c) {
    long v0 = k0 ^ 0x736f6d6570736575L;
    long v1 = k1 ^ 0x646f72616e646f6dL;
    long v2 = k0 ^ 0x6c7967656e657261L;
    long v3 = k1 ^ 0x7465646279746573L;
    // Four message words (the last is the length, as the definition has it), then the end.
    for (int word = 0; word < 4; word++) {
      long m = word == 0 ? a : word == 1 ? b : word == 2 ? c : 24L << 56;
      v3 ^= m;
      for (int i = 0; i < 2; i++) {
        v0 += v1;
        v2 += v3;
        v1 = Long.rotateLeft(v1, 13) ^ v0;
        v3 = Long.rotateLeft(v3, 16) ^ v2;
        v0 = Long.rotateLeft(v0, 32);
        v2 += v1;
        v0 += v3;
        v1 = Long.rotateLeft(v1, 17) ^ v2;
        v3 = Long.rotateLeft(v3, 21) ^ v0;
        v2 = Long.rotateLeft(v2, 32);
      }
      v0 ^= m;
    }
    v2 ^= 0xff;
    for (int i = 0; i < 4; i++) {
      v0 += v1;
      v2 += v3;
      v1 = Long.rotateLeft(v1, 13) ^ v0;
      v3 = Long.rotateLeft(v3, 16) ^ v2;
      v0 = Long.rotateLeft(v0, 32);
      v2 += v1;
      v0 += v3;
      v1 = Long.rotateLeft(v1, 17) ^ v2;
      v3 = Long.rotateLeft(v3, 21) ^ v0;
      v2 = Long.rotateLeft(v2, 32);
    }
    return v0 ^ v1 ^ v2 ^ v3;
  }
}
