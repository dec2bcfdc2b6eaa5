package redoubt.sentry.mm;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Mman;
import redoubt.sentry.vfs.VfsPath;

/**
 * One range of an address space with the same rights and source. Guarded by {@code
 * MemoryManager.mu}; a fork's address spaces have it in common until one of them changes it.
 */
public final class Vma {
  long start;
  long end;
  int prot;

  /** MAP_SHARED. */
  final boolean shared;

  /** MAP_GROWSDOWN and the stack. */
  final boolean growsDown;

  final @Nullable Mappable file;

  /** Offset in the file of {@code start}. */
  long offset;

  /** The file's place for /proc/PID/maps, or null. */
  final @Nullable VfsPath path;

  /** "[heap]", "[stack]", … or null. */
  final @Nullable String name;

  /**
   * PROT_* that mprotect may give: a shared mapping of a read-only description cannot become
   * writable.
   */
  final int maxProt;

  /** MADV_DONTFORK. */
  boolean dontFork;

  boolean locked;

  /** Who fills its missing pages, if somebody does; its file is a {@link UserfaultPages} then. */
  @Nullable Userfault userfault;

  /** mbind(2)'s mode, -1 for none: there is one node, so nothing but questions depends on it. */
  int policy = -1;

  /** mseal(2): it stays as it is. */
  boolean sealed;

  /** Several address spaces have it, so nothing of it changes any more; never taken back. */
  boolean common;

  Vma(
      long start,
      long end,
      int prot,
      boolean shared,
      boolean growsDown,
      @Nullable Mappable file,
      long offset,
      @Nullable VfsPath path,
      @Nullable String name,
      int maxProt) {
    this.start = start;
    this.end = end;
    this.prot = prot;
    this.shared = shared;
    this.growsDown = growsDown;
    this.file = file;
    this.offset = offset;
    this.path = path;
    this.name = name;
    this.maxProt = maxProt;
  }

  /** {@return a copy for the range [from, to) of this one}; the caller references the file */
  Vma slice(long from, long to) {
    return slice(from, to, file, offset + (from - start));
  }

  /** As the other, of another file. */
  Vma slice(long from, long to, @Nullable Mappable of, long at) {
    Vma v = new Vma(from, to, prot, shared, growsDown, of, at, path, name, maxProt);
    v.dontFork = dontFork;
    v.locked = locked;
    v.sealed = sealed;
    v.userfault = userfault;
    v.policy = policy;
    return v;
  }

  /**
   * {@return what a fork's child has of it, with {@code of} for a file}: itself where nothing
   * differs. Locks and who looks after pages are not inherited.
   */
  Vma inherited(@Nullable Mappable of) {
    if (of == file && userfault == null && !locked) {
      common = true;
      return this;
    }
    Vma copy = slice(start, end, of, offset);
    copy.userfault = null;
    copy.locked = false;
    return copy;
  }

  boolean mergesWith(Vma next) {
    return end == next.start
        && prot == next.prot
        && shared == next.shared
        && growsDown == next.growsDown
        && file == next.file
        && name == next.name
        && maxProt == next.maxProt
        && dontFork == next.dontFork
        && locked == next.locked
        && sealed == next.sealed
        && userfault == next.userfault
        && policy == next.policy
        && (file == null || offset + (end - start) == next.offset);
  }

  public long start() {
    return start;
  }

  public long end() {
    return end;
  }

  /** {@return PROT_* bits} */
  public int prot() {
    return prot;
  }

  public boolean isShared() {
    return shared;
  }

  public boolean isLocked() {
    return locked;
  }

  public boolean isWritable() {
    return (prot & Mman.PROT_WRITE) != 0;
  }

  public long offset() {
    return offset;
  }

  public @Nullable VfsPath path() {
    return path;
  }

  public @Nullable String name() {
    return name;
  }

  public @Nullable Mappable file() {
    return file;
  }

  public boolean growsDown() {
    return growsDown;
  }
}
