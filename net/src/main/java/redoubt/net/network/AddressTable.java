package redoubt.net.network;

import java.util.Arrays;
import redoubt.net.stack.Secret;

/**
 * IPv6 addresses by number, so that transports, tables and packets need 32 bits for an address of
 * either kind. The numbers lie in 240.0.0.0/4, which no IPv4 packet may come from or go to (RFC
 * 1112, section 4); 255.255.255.255 is none of them.
 *
 * <p>Who keeps a number {@linkplain #pin pins} it. What nobody pins is recycled when the table is
 * full, the longest unused first as far as a clock's hand can tell: peers cannot make it grow.
 * Guarded by the stack's lock.
 */
public final class AddressTable {
  private static final int BASE = 0xf000_0000;
  private static final int MAX = 1 << 16;

  private final Secret secret;
  // Entry 0 is never used.
  private long[] high = new long[64];
  private long[] low = new long[64];
  private int[] pins = new int[64];
  private boolean[] isUsed = new boolean[64];
  private int[] next = new int[64];
  private int[] buckets = new int[64];
  private int size = 1;
  private int hand = 1;

  public AddressTable(Secret secret) {
    this.secret = secret;
  }

  /** {@return whether {@code address} is the number of an IPv6 address} */
  public static boolean isV6(int address) {
    return address >>> 28 == 0xf && address != -1;
  }

  /** {@return the number of an address, or 0 when all are pinned} */
  public int number(long addressHigh, long addressLow) {
    int i = find(addressHigh, addressLow);
    if (i == 0) {
      i = create(addressHigh, addressLow);
    }
    if (i != 0) {
      isUsed[i] = true;
    }
    return i == 0 ? 0 : BASE | i;
  }

  /** {@return the number of an address that has one already, or 0} */
  public int lookup(long addressHigh, long addressLow) {
    int i = find(addressHigh, addressLow);
    return i == 0 ? 0 : BASE | i;
  }

  public long high(int number) {
    return high[number & ~BASE];
  }

  public long low(int number) {
    return low[number & ~BASE];
  }

  /** From now on the number stays that address's; harmless for an IPv4 address. */
  public void pin(int number) {
    if (isV6(number)) {
      pins[number & ~BASE]++;
    }
  }

  public void unpin(int number) {
    if (isV6(number)) {
      pins[number & ~BASE]--;
    }
  }

  private int find(long addressHigh, long addressLow) {
    int i = buckets[slot(addressHigh, addressLow)];
    while (i != 0 && (low[i] != addressLow || high[i] != addressHigh)) {
      i = next[i];
    }
    return i;
  }

  private int create(long addressHigh, long addressLow) {
    int i = size < MAX ? grown() : recycled();
    if (i != 0) {
      high[i] = addressHigh;
      low[i] = addressLow;
      int slot = slot(addressHigh, addressLow);
      next[i] = buckets[slot];
      buckets[slot] = i;
    }
    return i;
  }

  private int grown() {
    if (size == high.length) {
      int n = size * 2;
      high = Arrays.copyOf(high, n);
      low = Arrays.copyOf(low, n);
      pins = Arrays.copyOf(pins, n);
      isUsed = Arrays.copyOf(isUsed, n);
      next = new int[n];
      buckets = new int[n];
      for (int i = 1; i < size; i++) {
        int slot = slot(high[i], low[i]);
        next[i] = buckets[slot];
        buckets[slot] = i;
      }
    }
    return size++;
  }

  /** Two rounds at most: the first takes the marks of use away. */
  private int recycled() {
    for (int tries = 0; tries < 2 * MAX; tries++) {
      int i = hand;
      hand = hand + 1 == MAX ? 1 : hand + 1;
      if (pins[i] == 0 && !isUsed[i]) {
        unlink(i);
        return i;
      }
      isUsed[i] = false;
    }
    return 0;
  }

  private void unlink(int i) {
    int slot = slot(high[i], low[i]);
    int before = 0;
    for (int k = buckets[slot]; k != i; k = next[k]) {
      before = k;
    }
    if (before == 0) {
      buckets[slot] = next[i];
    } else {
      next[before] = next[i];
    }
  }

  private int slot(long addressHigh, long addressLow) {
    return (int) secret.hash(addressHigh, addressLow, 0x6970) & (buckets.length - 1);
  }
}
