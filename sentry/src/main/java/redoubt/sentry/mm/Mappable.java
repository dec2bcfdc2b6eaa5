package redoubt.sentry.mm;

import org.jspecify.annotations.Nullable;
import redoubt.sentry.platform.Grants;
import redoubt.sentry.platform.MapBatch;

/**
 * A file whose pages can be mapped into guests: a donated host file, or extents of the memory file.
 * Kept by VMAs, so it outlives the description that mmap was called with.
 */
public interface Mappable {
  /**
   * Adds to {@code batch} the host mappings that make bytes [{@code offset}, {@code offset+length})
   * of the file appear at {@code uaddr}; all are multiples of a page. What cannot be mapped yet
   * (past the end of the file, not allocated) may be left out: a fault there comes back through
   * {@link #fault}.
   *
   * @return 0 or -errno
   */
  long map(MapBatch batch, long uaddr, long offset, long length, int prot, boolean shared);

  /**
   * A guest touched a page of a mapping that {@link #map} left out. Adds mappings for at least the
   * page at {@code offset}.
   *
   * @return 0, or -EFAULT when the page lies past the end of the file (SIGBUS)
   */
  long fault(MapBatch batch, long uaddr, long offset, long length, int prot, boolean shared);

  /**
   * {@return whether {@link #map} of this range maps every page of it}, in which case the host's
   * own page faults tell of the end of the file, and protect and advise work on the range as a
   * whole
   */
  default boolean mapsWhole(long offset, long length) {
    return true;
  }

  /** Adds operations that change the rights of those pages of the range that are mapped. */
  default void protect(MapBatch batch, long uaddr, long offset, long length, int prot) {
    batch.protect(uaddr, length, prot);
  }

  /**
   * Frees the pages of a range, which read as zeros afterwards: MADV_REMOVE. Returns 0 or -errno.
   */
  default long punch(long offset, long length) {
    return -redoubt.abi.Errno.EOPNOTSUPP;
  }

  /**
   * {@return whether its pages are ranges of the memory file}, which others get when this file lets
   * go of them: no guest may have them mapped any longer then
   */
  default boolean isInMemoryFile() {
    return false;
  }

  /** {@return what depends on its state}, or null if there are no views of such files */
  default @Nullable Grants grants() {
    return null;
  }

  /** {@return up to where {@link #view} may go now, bytes} */
  default long viewableBytes() {
    return 0;
  }

  /**
   * As {@link #map}, shared, of what is there already, up to the first hole. Changes nothing.
   *
   * @return bytes that the batch maps, whole pages
   */
  default long view(MapBatch batch, long address, long offset, long length, boolean writable) {
    return 0;
  }

  /** {@return whether only those who map it may see it}: memfd_secret(2) */
  default boolean isSecret() {
    return false;
  }

  /** A VMA of this file was added (by mmap, fork or a split); pairs with {@link #unreference}. */
  void reference();

  void unreference();

  /**
   * {@return an identity for patched text and shared futexes, equal for equal files}, or the object
   * itself
   */
  default Object identity() {
    return this;
  }

  /**
   * Registers an address-space listener that must drop its pages of [offset, end) when the file
   * shrinks or a hole is punched; only for mappables whose pages the host does not drop by itself.
   */
  default void addMapping(MappingObserver observer) {}

  default void removeMapping(MappingObserver observer) {}

  /** Who maps a file and must hear of truncation. */
  interface MappingObserver {
    /**
     * Pages of bytes [start, end) of the file are gone: unmap them, so that touching them faults.
     */
    void invalidate(Mappable file, long start, long end);
  }
}
