package redoubt.sentry.platform.systrap;

import java.util.Arrays;
import redoubt.sentry.platform.systrap.patch.SitePatcher;

/**
 * Where patched text lies in an address space. Immutable: contexts look addresses up while the map
 * changes under the space's lock.
 */
final class PatchMap {
  static final PatchMap EMPTY = new PatchMap(new Range[0]);

  /**
   * One mapping of patched text.
   *
   * @param base address of the text's first byte, from which the trampolines' distance counts
   * @param start what is still mapped of it
   */
  record Range(
      long base, long start, long end, TextPatcher.Text text, int imported, long offset, int prot) {
    long trampolines() {
      return base + SitePatcher.DISTANCE;
    }

    long trampolinesEnd() {
      return trampolines() + text.trampolineBytes();
    }

    boolean overlapsText(long from, long to) {
      return from < end && to > start;
    }

    boolean overlapsTrampolines(long from, long to) {
      return from < trampolinesEnd() && to > trampolines();
    }
  }

  private final Range[] ranges;
  private final long low;
  private final long high;

  private PatchMap(Range[] ranges) {
    this.ranges = ranges;
    long least = Long.MAX_VALUE;
    long most = 0;
    for (Range r : ranges) {
      least = Math.min(least, r.trampolines());
      most = Math.max(most, r.trampolinesEnd());
    }
    low = least;
    high = most;
  }

  Range[] ranges() {
    return ranges;
  }

  PatchMap with(Range added) {
    Range[] more = Arrays.copyOf(ranges, ranges.length + 1);
    more[ranges.length] = added;
    return new PatchMap(more);
  }

  PatchMap without(Range gone) {
    int n = 0;
    Range[] fewer = new Range[ranges.length];
    for (Range r : ranges) {
      if (r != gone) {
        fewer[n++] = r;
      }
    }
    return n == 0 ? EMPTY : new PatchMap(Arrays.copyOf(fewer, n));
  }

  /** {@return whether {@code rip} may lie in a trampoline} */
  boolean mayMove(long rip) {
    return rip >= low && rip < high;
  }

  /**
   * {@return where in its own text a guest at {@code rip} stands}: the same unless in a trampoline
   */
  long original(long rip) {
    if (rip < low || rip >= high) {
      return rip;
    }
    for (Range r : ranges) {
      if (rip >= r.trampolines() && rip < r.trampolinesEnd()) {
        return r.base + r.text.patches().original((int) (rip - r.trampolines()));
      }
    }
    return rip;
  }

  /**
   * {@return the call site} that a thread came from that left a trampoline with {@code rcx} in that
   * register, or stands in a trampoline at that address; -1 when it came from none
   */
  long calledFrom(long rcx) {
    for (Range r : ranges) {
      if (rcx >= r.trampolines() && rcx < r.trampolinesEnd()) {
        return r.base + r.text.patches().siteOf((int) (rcx - r.trampolines()));
      }
      if (rcx >= r.start && rcx < r.end && r.text.patches().isMov((int) (rcx - r.base) - 7)) {
        return rcx - 7;
      }
    }
    return -1;
  }

  /** {@return where a guest goes on that shall stand at {@code rip} of its own text} */
  long moved(long rip) {
    for (Range r : ranges) {
      if (rip >= r.start && rip < r.end) {
        int t = r.text.patches().moved((int) (rip - r.base));
        return t < 0 ? rip : r.trampolines() + t;
      }
    }
    return rip;
  }
}
