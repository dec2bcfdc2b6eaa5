package redoubt.sentry.mm;

import static redoubt.abi.Errno.EFAULT;

import java.util.BitSet;
import redoubt.sentry.platform.MapBatch;
import redoubt.sentry.platform.Platform;

/**
 * The pages of private anonymous memory that was registered with a userfaultfd. A missing page has
 * no host mapping. A page that was there before is kept without rights until it is first touched,
 * and looked at then ({@code old}). A filled page is the host's private copy of a page of the
 * memory file, so that it appears with all its content at once.
 *
 * <p>Belongs to one address space, and is guarded by its {@code mu}.
 */
final class UserfaultPages implements Mappable {
  private static final long PAGE = MemoryFile.PAGE;

  /** The range of the memory file, shared with the copies that fork made. */
  private static final class Backing {
    final MemoryFile memory;
    final Platform platform;
    final long base;
    final long length;
    int references; // guarded by this

    Backing(MemoryFile memory, Platform platform, long base, long length) {
      this.memory = memory;
      this.platform = platform;
      this.base = base;
      this.length = length;
    }

    synchronized void reference() {
      references++;
    }

    void unreference() {
      synchronized (this) {
        if (--references > 0) {
          return;
        }
      }
      memory.free(base, length);
    }
  }

  private final Backing backing;
  private final BitSet there;
  private final BitSet old;

  private UserfaultPages(Backing backing, BitSet there, BitSet old) {
    this.backing = backing;
    this.there = there;
    this.old = old;
  }

  /** Takes over a range of the memory file; all pages are old. */
  UserfaultPages(MemoryFile memory, Platform platform, long base, long length) {
    this(new Backing(memory, platform, base, length), new BitSet(), new BitSet());
    old.set(0, (int) (length / PAGE));
  }

  /** {@return the same pages in a copy of the address space} */
  UserfaultPages copy() {
    return new UserfaultPages(backing, (BitSet) there.clone(), (BitSet) old.clone());
  }

  private static int index(long offset) {
    return (int) (offset / PAGE);
  }

  boolean isOld(long offset) {
    return old.get(index(offset));
  }

  boolean isMissing(long offset) {
    return !there.get(index(offset)) && !isOld(offset);
  }

  /** An old page was looked at: it had content, or not. */
  void known(long offset, boolean had) {
    old.clear(index(offset));
    there.set(index(offset), had);
  }

  void filled(long offset, long length) {
    there.set(index(offset), index(offset + length));
  }

  /** Pages lost their content. */
  void dropped(long offset, long length) {
    there.clear(index(offset), index(offset + length));
    old.clear(index(offset), index(offset + length));
  }

  /** Makes one page of content appear. Returns 0 or -errno. */
  long fill(MapBatch batch, long uaddr, long offset, long length, int prot, long haddr) {
    long r = backing.memory.write(haddr, backing.base + offset, length);
    if (r == 0) {
      batch.mapFile(
          uaddr,
          length,
          prot,
          false,
          backing.memory.imported(backing.platform),
          backing.base + offset);
    }
    return r;
  }

  /** Adds what makes a range ordinary memory again: old pages get their rights, others zeros. */
  void settle(MapBatch batch, long uaddr, long offset, long length, int prot) {
    int first = index(offset);
    int end = index(offset + length);
    for (int i = first; i < end; ) {
      boolean isOld = old.get(i);
      int next = i + 1;
      if (there.get(i)) {
        i = there.nextClearBit(i);
        continue;
      }
      while (next < end && old.get(next) == isOld && !there.get(next)) {
        next++;
      }
      long at = uaddr + (i - first) * PAGE;
      if (isOld) {
        batch.protect(at, (next - i) * PAGE, prot);
      } else {
        batch.mapAnonymous(at, (next - i) * PAGE, prot, true);
      }
      i = next;
    }
  }

  /** What {@link #settle} added was done. */
  void settled(long offset, long length) {
    old.clear(index(offset), index(offset + length));
    there.set(index(offset), index(offset + length));
  }

  /** Adds moves of what is mapped, one for each run of pages. */
  void move(MapBatch batch, long from, long offset, long length, long to) {
    int first = index(offset);
    int end = index(offset + length);
    for (int i = first; i < end; ) {
      if (!there.get(i) && !old.get(i)) {
        i++;
        continue;
      }
      int next = i;
      while (next < end && (there.get(next) || old.get(next))) {
        next++;
      }
      long at = (i - first) * PAGE;
      long run = (next - i) * PAGE;
      batch.remap(from + at, run, to + at, run);
      i = next;
    }
  }

  @Override
  public long map(MapBatch batch, long uaddr, long offset, long length, int prot, boolean shared) {
    return 0;
  }

  @Override
  public long fault(
      MapBatch batch, long uaddr, long offset, long length, int prot, boolean shared) {
    return isMissing(offset) ? -EFAULT : 0;
  }

  @Override
  public boolean mapsWhole(long offset, long length) {
    return false;
  }

  @Override
  public void protect(MapBatch batch, long uaddr, long offset, long length, int prot) {
    int first = index(offset);
    int end = index(offset + length);
    for (int i = there.nextSetBit(first); i >= 0 && i < end; ) {
      int next = Math.min(end, there.nextClearBit(i));
      batch.protect(uaddr + (i - first) * PAGE, (next - i) * PAGE, prot);
      i = there.nextSetBit(next);
    }
  }

  @Override
  public boolean isInMemoryFile() {
    return true;
  }

  @Override
  public void reference() {
    backing.reference();
  }

  @Override
  public void unreference() {
    backing.unreference();
  }
}
