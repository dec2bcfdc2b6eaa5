package redoubt.sentry.platform;

/**
 * What an address space occupies of the host's memory right now.
 *
 * @param residentBytes all of it
 * @param sharedBytes what of it are pages of files and shared memory
 */
public record MemoryUsage(long residentBytes, long sharedBytes) {
  /** {@return what nobody else has}, but for pages that a fork left in common */
  public long anonymousBytes() {
    return Math.max(0, residentBytes - sharedBytes);
  }
}
