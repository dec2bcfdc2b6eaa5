package redoubt.sentry.platform;

import java.util.Arrays;

/**
 * Changes of an address space's map, in order. A reusable buffer: {@link #clear}, add, {@link
 * AddressSpace#apply}. Addresses and lengths are page-aligned bytes; {@code prot} is PROT_* of
 * mmap(2). All mappings are at fixed addresses and replace what was there.
 */
public final class MapBatch {
  public static final int MAP_ANON = 1;
  public static final int MAP_FILE = 2;
  public static final int UNMAP = 3;
  public static final int PROTECT = 4;
  public static final int REMAP = 5;
  public static final int ADVISE = 6;
  public static final int MSYNC = 7;
  public static final int MLOCK = 8;
  public static final int MUNLOCK = 9;

  /** Longs per operation: op, address, length, then up to four arguments. */
  public static final int STRIDE = 7;

  private long[] ops = new long[STRIDE * 8];
  private int count;
  private boolean attested;
  private boolean views;

  public void clear() {
    count = 0;
    attested = false;
    views = false;
  }

  /**
   * Its addresses are those of views ({@link AddressSpace#viewBase}), not the guest's. What it maps
   * is not inherited by fork.
   */
  public void forViews() {
    views = true;
  }

  public boolean isForViews() {
    return views;
  }

  /**
   * Wants {@link AddressSpace#apply} to return only when it is certain that the operations were
   * carried out, whatever the guest does: what is unmapped will be given to somebody else.
   */
  public void attest() {
    attested = true;
  }

  public boolean isAttested() {
    return attested;
  }

  public int size() {
    return count;
  }

  /**
   * {@return long {@code field} (0 = op, 1 = address, 2 = length, 3… = arguments) of operation
   * {@code i}}
   */
  public long get(int i, int field) {
    return ops[i * STRIDE + field];
  }

  /** Private anonymous memory, zeroed. {@code noReserve} as MAP_NORESERVE. */
  public MapBatch mapAnonymous(long uaddr, long length, int prot, boolean noReserve) {
    return add(MAP_ANON, uaddr, length, prot, noReserve ? 1 : 0, 0, 0);
  }

  /**
   * Pages of a file that {@link Platform#importFd} took, from byte {@code offset}.
   *
   * @param shared MAP_SHARED when true, else MAP_PRIVATE
   */
  public MapBatch mapFile(
      long uaddr, long length, int prot, boolean shared, int imported, long offset) {
    return add(MAP_FILE, uaddr, length, prot, shared ? 1 : 0, imported, offset);
  }

  public MapBatch unmap(long uaddr, long length) {
    return add(UNMAP, uaddr, length, 0, 0, 0, 0);
  }

  public MapBatch protect(long uaddr, long length, int prot) {
    return add(PROTECT, uaddr, length, prot, 0, 0, 0);
  }

  /**
   * Moves or resizes: mremap(2) with MREMAP_MAYMOVE|MREMAP_FIXED when the addresses differ, in
   * place when they are equal.
   */
  public MapBatch remap(long oldUaddr, long oldLength, long newUaddr, long newLength) {
    return add(REMAP, oldUaddr, oldLength, newUaddr, newLength, 0, 0);
  }

  /** madvise(2) with an advice that the host carries out natively. */
  public MapBatch advise(long uaddr, long length, int advice) {
    return add(ADVISE, uaddr, length, advice, 0, 0, 0);
  }

  /** msync(2) with {@code flags}. */
  public MapBatch msync(long uaddr, long length, int flags) {
    return add(MSYNC, uaddr, length, flags, 0, 0, 0);
  }

  public MapBatch mlock(long uaddr, long length) {
    return add(MLOCK, uaddr, length, 0, 0, 0, 0);
  }

  public MapBatch munlock(long uaddr, long length) {
    return add(MUNLOCK, uaddr, length, 0, 0, 0, 0);
  }

  private MapBatch add(int op, long uaddr, long length, long a, long b, long c, long d) {
    int at = count * STRIDE;
    if (at == ops.length) {
      ops = Arrays.copyOf(ops, ops.length * 2);
    }
    ops[at] = op;
    ops[at + 1] = uaddr;
    ops[at + 2] = length;
    ops[at + 3] = a;
    ops[at + 4] = b;
    ops[at + 5] = c;
    ops[at + 6] = d;
    count++;
    return this;
  }
}
