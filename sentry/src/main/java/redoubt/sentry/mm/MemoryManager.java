package redoubt.sentry.mm;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EBUSY;
import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ENOMEM;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EPERM;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Mman;
import redoubt.abi.Resource;
import redoubt.abi.Signal;
import redoubt.sentry.kernel.FutexTable;
import redoubt.sentry.kernel.ResourceLimits;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.platform.AddressSpace;
import redoubt.sentry.platform.MapBatch;
import redoubt.sentry.platform.Platform;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.VfsPath;

/**
 * One guest address space as the kernel sees it: Linux's mm_struct. Keeps the VMAs, decides, and
 * has the platform carry the changes out. Shared by tasks with CLONE_VM; the last {@link #leave}
 * ends it.
 */
public final class MemoryManager implements Mappable.MappingObserver {
  /** Returned by {@link #handleFault} for SIGBUS; other values are 0 or SEGV_* codes. */
  public static final long FAULT_BUS = -1;

  /** Returned by {@link #handleFault} when a userfaultfd is to fill the page. */
  public static final long FAULT_USER = -2;

  /** vm.max_map_count. */
  public static final int MAX_MAPS = 65530;

  private static final long PAGE = 4096;
  private static final long STACK_STEP = 128 * 1024;
  private static final long STACK_GUARD = 256 * PAGE;

  private final Platform platform;
  private final AddressSpace space;
  private final MemoryFile memoryFile;
  private final FileViews views;
  private final Object mu = new Object();
  private final ArrayList<Vma> vmas = new ArrayList<>(); // by address; guarded by mu
  private final MapBatch batch = new MapBatch(); // guarded by mu
  private final AtomicInteger users = new AtomicInteger(1);
  private long mappedBytes; // guarded by mu
  private long mmapTop; // guarded by mu
  private long repeatAddress; // guarded by mu
  private int repeats; // guarded by mu
  private static final int MS_INVALIDATE = 2;

  /** Linux's exe_file; null until exec is through. */
  private volatile @Nullable Inode program;

  private boolean lockFuture; // guarded by mu

  // Set at exec, read by /proc.
  /** Guards {@link #asynchronous}. */
  public final Object asynchronousMu = new Object();

  /** Something that goes with the address space. */
  public interface Attachment {
    void spaceEnded();
  }

  /** What io_setup(2) made in this address space; owned by the calls. */
  public volatile @Nullable Attachment asynchronous;

  public volatile long brkStart;
  private long brk; // guarded by mu
  public volatile long stackTop;
  public volatile long argStart;
  public volatile long argEnd;
  public volatile long envStart;
  public volatile long envEnd;
  public volatile long codeStart;

  /** What of it is a parent's from before a fork, as control groups count it. */
  public volatile long inheritedBytes;

  public volatile long codeEnd;
  public volatile long dataStart;
  public volatile long dataEnd;

  /** The bytes between argStart and envEnd as exec wrote them. */
  public volatile byte[] arguments = {};

  /** MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED was called. */
  public volatile boolean membarrierRegistered;

  /** PR_SET_THP_DISABLE; the host decides about huge pages. */
  public volatile boolean hugePagesDisabled;

  /**
   * The program came without an interpreter. One that maps executable pages of files all the same
   * is a loader of its own kind (valgrind, an emulator) and reads what it maps.
   */
  public volatile boolean isStatic;

  /** The auxiliary vector as exec wrote it. */
  public volatile byte[] auxv = {};

  public MemoryManager(Platform platform, MemoryFile memoryFile) {
    this(platform, memoryFile, platform.newAddressSpace());
  }

  private MemoryManager(Platform platform, MemoryFile memoryFile, AddressSpace space) {
    this.platform = platform;
    this.memoryFile = memoryFile;
    this.space = space;
    this.mmapTop = platform.maxUserAddress() - PAGE;
    this.views = new FileViews(space);
  }

  /** {@return its views of files} */
  public FileViews views() {
    return views;
  }

  public AddressSpace space() {
    return space;
  }

  // ---- life ----

  /** Another task uses this address space (CLONE_VM). */
  public void share() {
    users.incrementAndGet();
  }

  /** {@return whether more than one task uses it} */
  public boolean isShared() {
    return users.get() > 1;
  }

  /** A task stopped using it; its guest thread is gone. */
  public void leave() {
    List<Vma> gone;
    synchronized (mu) {
      if (users.decrementAndGet() > 0) {
        return;
      }
      gone = new ArrayList<>(vmas);
      vmas.clear();
    }
    Inode file = program;
    if (file != null) {
      file.addExecutions(-1);
    }
    Attachment attached = asynchronous;
    if (attached != null) {
      attached.spaceEnded();
    }
    views.close();
    space.release(() -> {
      views.forget();
      letGo(gone);
    });
  }

  /** Says whose program this is: it may not be written to while it runs. Called once. */
  public void runs(Inode file) {
    file.addExecutions(1);
    program = file;
  }

  private void letGo(List<Vma> gone) {
    for (Vma v : gone) {
      Mappable f = v.file;
      if (f != null) {
        f.removeMapping(this);
        f.unreference();
      }
    }
  }

  /** Wants certainty of the batch if it takes pages of the memory file from [start, end). */
  private void attestFor(long start, long end) {
    for (int i = firstEndingAfter(start); i < vmas.size() && vmas.get(i).start < end; i++) {
      Mappable f = vmas.get(i).file;
      if (f != null && f.isInMemoryFile()) {
        batch.attest();
        return;
      }
    }
  }

  /** fork(2) without CLONE_VM. */
  public MemoryManager fork() {
    synchronized (mu) {
      MemoryManager c = new MemoryManager(platform, memoryFile, space.fork());
      MapBatch drop = new MapBatch();
      c.vmas.ensureCapacity(vmas.size());
      for (Vma v : vmas) {
        if (v.dontFork) {
          drop.unmap(v.start, v.end - v.start);
          continue;
        }
        Mappable f = v.file;
        if (f instanceof UserfaultPages pages) {
          // The child is not looked after: what is missing is zeros there.
          UserfaultPages own = pages.copy();
          own.settle(drop, v.start, v.offset, v.end - v.start, v.prot);
          own.settled(v.offset, v.end - v.start);
          f = own;
        }
        c.vmas.add(v.inherited(f));
        if (f != null) {
          f.reference();
          f.addMapping(c);
        }
      }
      if (drop.size() > 0) {
        c.space.apply(drop);
      }
      Inode file = program;
      if (file != null) {
        c.runs(file);
      }
      c.mappedBytes = mappedBytes;
      c.mmapTop = mmapTop;
      c.brkStart = brkStart;
      c.brk = brk;
      c.stackTop = stackTop;
      c.argStart = argStart;
      c.argEnd = argEnd;
      c.envStart = envStart;
      c.envEnd = envEnd;
      c.codeStart = codeStart;
      c.codeEnd = codeEnd;
      c.dataStart = dataStart;
      c.dataEnd = dataEnd;
      c.arguments = arguments;
      c.auxv = auxv;
      c.isStatic = isStatic;
      return c;
    }
  }

  /** Sets where mmap begins to look, top down, and where the heap starts. */
  public void setLayout(long newMmapTop, long newBrk) {
    synchronized (mu) {
      mmapTop = newMmapTop;
      brkStart = newBrk;
      brk = newBrk;
    }
  }

  // ---- looking ----

  /** {@return copies of the VMAs, in order of address}, for /proc/PID/maps */
  public List<Vma> snapshot() {
    synchronized (mu) {
      List<Vma> out = new ArrayList<>(vmas.size());
      for (Vma v : vmas) {
        out.add(v.slice(v.start, v.end));
      }
      return out;
    }
  }

  /** {@return bytes mapped} (VmSize) */
  public long mappedBytes() {
    synchronized (mu) {
      return mappedBytes;
    }
  }

  private int indexOf(long addr) {
    int lo = 0;
    int hi = vmas.size() - 1;
    while (lo <= hi) {
      int mid = (lo + hi) >>> 1;
      Vma v = vmas.get(mid);
      if (addr < v.start) {
        hi = mid - 1;
      } else if (addr >= v.end) {
        lo = mid + 1;
      } else {
        return mid;
      }
    }
    return ~lo; // the first VMA above addr
  }

  private @Nullable Vma at(long addr) {
    int i = indexOf(addr);
    return i >= 0 ? vmas.get(i) : null;
  }

  /** {@return the index of the first VMA that ends after {@code addr}} */
  private int firstEndingAfter(long addr) {
    int i = indexOf(addr);
    return i >= 0 ? i : ~i;
  }

  /**
   * Fills {@code key} for a futex without FUTEX_PRIVATE_FLAG at {@code uaddr}. Returns 0 or
   * -EFAULT.
   */
  public long futexKey(long uaddr, FutexTable.Key key) {
    synchronized (mu) {
      Vma v = at(uaddr);
      if (v == null) {
        return -EFAULT;
      }
      Mappable f = v.file;
      if (v.shared && f != null) {
        FutexTable.setKey(key, f.identity(), v.offset + (uaddr - v.start));
      } else {
        FutexTable.setKey(key, this, uaddr);
      }
      return 0;
    }
  }

  // ---- mmap ----

  private static long pageUp(long n) {
    return (n + PAGE - 1) & -PAGE;
  }

  /**
   * mmap(2), with arguments as the guest gave them.
   *
   * @param file null for MAP_ANONYMOUS
   */
  public long mmap(
      long addr,
      long length,
      int prot,
      int flags,
      @Nullable FileDescription file,
      long offset,
      ResourceLimits limits) {
    if (length == 0) {
      return -EINVAL;
    }
    long size = pageUp(length);
    if (size <= 0 || size > platform.maxUserAddress()) {
      return -ENOMEM;
    }
    int type = flags & Mman.MAP_TYPE;
    boolean shared = type == Mman.MAP_SHARED || type == Mman.MAP_SHARED_VALIDATE;
    if (!shared && type != Mman.MAP_PRIVATE) {
      return -EINVAL;
    }
    if (type == Mman.MAP_SHARED_VALIDATE) {
      if (file == null) {
        return -EINVAL;
      }
      if ((flags & ~Mman.LEGACY_MAP_MASK) != 0) {
        return -EOPNOTSUPP;
      }
    }
    if ((offset & (PAGE - 1)) != 0) {
      return -EINVAL;
    }
    int maxProt = Mman.PROT_READ | Mman.PROT_WRITE | Mman.PROT_EXEC;
    Mappable mappable = null;
    VfsPath path = null;
    if (file != null) {
      if (!file.isReadable()) {
        return -EACCES;
      }
      if (shared && !file.isWritable()) {
        if ((prot & Mman.PROT_WRITE) != 0) {
          return -EACCES;
        }
        maxProt &= ~Mman.PROT_WRITE;
      }
      if ((file.path().mount.flags() & redoubt.sentry.vfs.Mount.MS_NOEXEC) != 0) {
        if ((prot & Mman.PROT_EXEC) != 0) {
          return -EPERM;
        }
        maxProt &= ~Mman.PROT_EXEC;
      }
      long r = file.checkMmap(prot, flags);
      if (r < 0) {
        return r;
      }
      mappable = file.mappable();
      if (mappable == null) {
        return -ENODEV;
      }
      if (mappable == ANONYMOUS_SOURCE) {
        mappable = null;
        if (shared) {
          long base = memoryFile.allocate(size);
          if (base < 0) {
            return -ENOMEM;
          }
          mappable = new SharedAnonymous(memoryFile, platform, base, size);
          offset = 0;
        }
      }
      path = file.path();
      if (isStatic && (prot & Mman.PROT_EXEC) != 0) {
        space.keepText();
      }
    } else if (shared) {
      long base = memoryFile.allocate(size);
      if (base < 0) {
        return -ENOMEM;
      }
      mappable = new SharedAnonymous(memoryFile, platform, base, size);
      offset = 0;
    }
    synchronized (mu) {
      long at = place(addr, size, flags);
      if (at < 0) {
        return at;
      }
      if (isSealed(at, at + size)) {
        return -EPERM;
      }
      if (mappedBytes + size > limits.bound(Resource.RLIMIT_AS) || vmas.size() >= MAX_MAPS) {
        return -ENOMEM;
      }
      boolean grows = (flags & Mman.MAP_GROWSDOWN) != 0 && mappable == null;
      Vma v =
          new Vma(at, at + size, prot & 7, shared, grows, mappable, offset, path, null, maxProt);
      v.locked = lockFuture || (flags & Mman.MAP_LOCKED) != 0;
      return insert(
          v, (flags & Mman.MAP_NORESERVE) != 0, (flags & Mman.MAP_POPULATE) != 0 || v.locked);
    }
  }

  /**
   * Maps all of {@code file} shared, at {@code addr} or where there is room (0): shmat(2). Returns
   * the address.
   */
  public long attach(
      long addr, long size, int prot, boolean replace, Mappable file, ResourceLimits limits) {
    synchronized (mu) {
      int flags = addr == 0 ? 0 : replace ? Mman.MAP_FIXED : Mman.MAP_FIXED_NOREPLACE;
      long at = place(addr, size, flags);
      if (at < 0) {
        return at == -EEXIST ? -EINVAL : at;
      }
      if (mappedBytes + size > limits.bound(Resource.RLIMIT_AS) || vmas.size() >= MAX_MAPS) {
        return -ENOMEM;
      }
      return insert(
          new Vma(at, at + size, prot, true, false, file, 0, null, null, prot | Mman.PROT_READ),
          false,
          false);
    }
  }

  /**
   * Unmaps what {@link #attach} mapped at {@code addr} of a file of class {@code type}: shmdt(2).
   */
  public long detach(long addr, Class<? extends Mappable> type) {
    synchronized (mu) {
      Mappable file = null;
      for (Vma v : vmas) {
        if (v.file != null && type.isInstance(v.file) && v.start - v.offset == addr) {
          file = v.file;
          break;
        }
      }
      if (file == null) {
        return -EINVAL;
      }
      for (int i = 0; i < vmas.size(); ) {
        Vma v = vmas.get(i);
        if (v.file == file && v.start - v.offset == addr) {
          long r = munmapLocked(v.start, v.end - v.start);
          if (r < 0) {
            return r;
          }
        } else {
          i++;
        }
      }
      return 0;
    }
  }

  /** A {@link Mappable} that stands for "like MAP_ANONYMOUS": /dev/zero. */
  public static final Mappable ANONYMOUS_SOURCE =
      new Mappable() {
        @Override
        public long map(
            MapBatch b, long uaddr, long offset, long length, int prot, boolean shared) {
          return -ENODEV;
        }

        @Override
        public long fault(
            MapBatch b, long uaddr, long offset, long length, int prot, boolean shared) {
          return -EFAULT;
        }

        @Override
        public void reference() {}

        @Override
        public void unreference() {}
      };

  /**
   * Maps at a fixed place without any checks but the platform's, for the loader. Returns 0 or
   * -errno.
   */
  public long mapFixed(
      long at,
      long size,
      int prot,
      boolean growsDown,
      @Nullable Mappable file,
      long offset,
      @Nullable VfsPath path,
      @Nullable String name) {
    synchronized (mu) {
      if (at < platform.minUserAddress()
          || at + size > platform.maxUserAddress()
          || at + size < at) {
        return -ENOMEM;
      }
      Vma v = new Vma(at, at + size, prot, false, growsDown, file, offset, path, name, 7);
      long r = insert(v, growsDown, false);
      return r < 0 ? r : 0;
    }
  }

  private long place(long addr, long size, int flags) {
    boolean fixed = (flags & (Mman.MAP_FIXED | Mman.MAP_FIXED_NOREPLACE)) != 0;
    long max = platform.maxUserAddress();
    if (fixed) {
      if ((addr & (PAGE - 1)) != 0) {
        return -EINVAL;
      }
      if (Long.compareUnsigned(addr, max - size) > 0) {
        return -ENOMEM;
      }
      if (addr < platform.minUserAddress()) {
        return -EPERM;
      }
      if ((flags & Mman.MAP_FIXED_NOREPLACE) != 0 && overlaps(addr, addr + size)) {
        return -EEXIST;
      }
      return addr;
    }
    if (addr != 0) {
      long hint = addr & -PAGE;
      if (hint >= platform.minUserAddress()
          && Long.compareUnsigned(hint, max - size) <= 0
          && !overlaps(hint, hint + size)) {
        return hint;
      }
    }
    if ((flags & 0x40) != 0) { // MAP_32BIT
      return findGap(size, 0x80000000L, 0x40000000L);
    }
    long at = findGap(size, mmapTop, platform.minUserAddress());
    return at < 0 ? findGap(size, max, platform.minUserAddress()) : at;
  }

  private boolean overlaps(long start, long end) {
    int i = firstEndingAfter(start);
    return i < vmas.size() && vmas.get(i).start < end;
  }

  /** {@return the highest free range of {@code size} bytes below {@code top}}, or -ENOMEM */
  private long findGap(long size, long top, long bottom) {
    long ceiling = top;
    for (int i = firstEndingAfter(top - 1); i >= 0; i--) {
      if (i < vmas.size()) {
        Vma v = vmas.get(i);
        if (v.start >= ceiling) {
          continue;
        }
        if (v.end <= ceiling && ceiling - v.end >= size) {
          return ceiling - size;
        }
        ceiling = Math.min(ceiling, v.growsDown ? Math.max(v.start - STACK_GUARD, 0) : v.start);
      }
    }
    return ceiling - size >= bottom ? ceiling - size : -ENOMEM;
  }

  /** Replaces whatever is in the VMA's range by it. Returns its start or -errno. */
  private long insert(Vma v, boolean noReserve, boolean populate) {
    batch.clear();
    long size = v.end - v.start;
    Mappable f = v.file;
    if (f == null) {
      batch.mapAnonymous(v.start, size, v.prot, noReserve);
    } else {
      if (!f.mapsWhole(v.offset, size)) {
        batch.unmap(v.start, size);
      }
      long r = f.map(batch, v.start, v.offset, size, v.prot, v.shared);
      if (r < 0) {
        return r;
      }
    }
    if (v.locked) {
      batch.mlock(v.start, size);
    } else if (populate) {
      batch.advise(v.start, size, populateAdvice(v));
    }
    if (f != null) {
      f.reference();
      f.addMapping(this);
    }
    attestFor(v.start, v.end);
    long r = space.apply(batch);
    if (r < 0 && !populate) {
      if (f != null) {
        f.removeMapping(this);
        f.unreference();
      }
      return r;
    }
    cut(v.start, v.end);
    put(v);
    return v.start;
  }

  /** {@return the VMA at {@code i} for a change}: no longer one with that of a fork */
  private Vma own(int i) {
    Vma v = vmas.get(i);
    if (v.common) {
      v = v.slice(v.start, v.end);
      vmas.set(i, v);
    }
    return v;
  }

  /** Removes [start, end) from the VMA list, splitting at the borders. */
  private void cut(long start, long end) {
    int i = firstEndingAfter(start);
    while (i < vmas.size()) {
      Vma v = vmas.get(i);
      if (v.start >= end) {
        break;
      }
      Mappable f = v.file;
      mappedBytes -= Math.min(v.end, end) - Math.max(v.start, start);
      if (v.start < start && v.end > end) {
        Vma right = v.slice(end, v.end);
        own(i).end = start;
        vmas.add(i + 1, right);
        if (f != null) {
          f.reference();
          f.addMapping(this);
        }
        break;
      }
      if (v.start < start) {
        own(i).end = start;
        i++;
      } else if (v.end > end) {
        v = own(i);
        v.offset += end - v.start;
        v.start = end;
        break;
      } else {
        vmas.remove(i);
        if (f != null) {
          f.removeMapping(this);
          f.unreference();
        }
      }
    }
  }

  private void put(Vma v) {
    int i = firstEndingAfter(v.start);
    mappedBytes += v.end - v.start;
    vmas.add(i, v);
    merge(i);
    if (i > 0) {
      merge(i - 1);
    }
  }

  private void merge(int i) {
    if (i + 1 >= vmas.size()) {
      return;
    }
    Vma a = vmas.get(i);
    Vma b = vmas.get(i + 1);
    if (a.mergesWith(b)) {
      own(i).end = b.end;
      vmas.remove(i + 1);
      Mappable f = b.file;
      if (f != null) {
        f.removeMapping(this);
        f.unreference();
      }
    }
  }

  private boolean hasSeals; // guarded by mu: whether any VMA was ever sealed

  private boolean isSealed(long start, long end) {
    if (!hasSeals) {
      return false;
    }
    for (int i = firstEndingAfter(start); i < vmas.size() && vmas.get(i).start < end; i++) {
      if (vmas.get(i).sealed) {
        return true;
      }
    }
    return false;
  }

  /** mseal(2). */
  public long seal(long addr, long length) {
    if ((addr & (PAGE - 1)) != 0) {
      return -EINVAL;
    }
    long end = addr + pageUp(length);
    if (length != 0 && pageUp(length) == 0 || end < addr) {
      return -EINVAL;
    }
    if (end == addr) {
      return 0;
    }
    synchronized (mu) {
      if (coverage(addr, end) != end) {
        return -ENOMEM;
      }
      hasSeals = true;
      splitAt(addr);
      splitAt(end);
      int first = firstEndingAfter(addr);
      for (int i = first; i < vmas.size() && vmas.get(i).start < end; i++) {
        own(i).sealed = true;
      }
      mergeRange(first, end);
      return 0;
    }
  }

  /** remap_file_pages(2), as mm/mmap.c emulates it: a mapping of its own for the pages. */
  public long remapFilePages(long addr, long length, long page) {
    long start = addr & -PAGE;
    long size = length & -PAGE;
    if (start + size <= start || page + (size >> 12) < page) {
      return -EINVAL;
    }
    synchronized (mu) {
      Vma v = at(start);
      if (v == null || !v.shared || v.file == null || start + size > v.end) {
        return -EINVAL;
      }
      if (v.sealed) {
        return -EPERM;
      }
      Vma n =
          new Vma(
              start,
              start + size,
              v.prot,
              true,
              false,
              v.file,
              page << 12,
              v.path,
              null,
              v.maxProt);
      n.locked = v.locked;
      long r = insert(n, false, false);
      return r < 0 ? r : 0;
    }
  }

  /** munmap(2). */
  public long munmap(long addr, long length) {
    if ((addr & (PAGE - 1)) != 0 || length == 0) {
      return -EINVAL;
    }
    long size = pageUp(length);
    if (size <= 0 || Long.compareUnsigned(addr, platform.maxUserAddress() - size) > 0) {
      return -EINVAL;
    }
    synchronized (mu) {
      int i = firstEndingAfter(addr);
      if (i >= vmas.size() || vmas.get(i).start >= addr + size) {
        return 0;
      }
      if (isSealed(addr, addr + size)) {
        return -EPERM;
      }
      batch.clear();
      batch.unmap(addr, size);
      attestFor(addr, addr + size);
      long r = space.apply(batch);
      if (r < 0) {
        return r;
      }
      cut(addr, addr + size);
      return 0;
    }
  }

  /** mprotect(2). */
  public long mprotect(long addr, long length, int prot) {
    if ((addr & (PAGE - 1)) != 0) {
      return -EINVAL;
    }
    if ((prot & ~(7 | 0x01000000 | 0x02000000)) != 0) {
      return -EINVAL;
    }
    if (length == 0) {
      return 0;
    }
    long end = addr + pageUp(length);
    if (end <= addr) {
      return -ENOMEM;
    }
    synchronized (mu) {
      long covered = coverage(addr, end);
      if (covered != end) {
        return -ENOMEM;
      }
      if (isSealed(addr, end)) {
        return -EPERM;
      }
      for (int i = firstEndingAfter(addr); i < vmas.size() && vmas.get(i).start < end; i++) {
        if ((prot & ~vmas.get(i).maxProt & 7) != 0) {
          return -EACCES;
        }
      }
      batch.clear();
      for (int i = firstEndingAfter(addr); i < vmas.size() && vmas.get(i).start < end; i++) {
        Vma v = vmas.get(i);
        long from = Math.max(v.start, addr);
        long to = Math.min(v.end, end);
        Mappable f = v.file;
        if (f != null && !f.mapsWhole(v.offset + (from - v.start), to - from)) {
          f.protect(batch, from, v.offset + (from - v.start), to - from, prot & 7);
        } else {
          batch.protect(from, to - from, prot & 7);
        }
      }
      long r = space.apply(batch);
      if (r == -ENOMEM) {
        r = protectAroundHoles(addr, end, prot & 7);
      }
      if (r < 0) {
        return r;
      }
      splitAt(addr);
      splitAt(end);
      int first = firstEndingAfter(addr);
      for (int i = first; i < vmas.size() && vmas.get(i).start < end; i++) {
        own(i).prot = prot & 7;
      }
      mergeRange(first, end);
      return 0;
    }
  }

  /**
   * mprotect where the host has nothing mapped, although there is a VMA: past the end of a file in
   * the memory file, and where such a file grew and was not touched since.
   */
  private long protectAroundHoles(long addr, long end, int prot) {
    for (int i = firstEndingAfter(addr); i < vmas.size() && vmas.get(i).start < end; i++) {
      Vma v = vmas.get(i);
      long from = Math.max(v.start, addr);
      long to = Math.min(v.end, end);
      Mappable f = v.file;
      boolean holes = f != null && f.isInMemoryFile();
      batch.clear();
      if (holes && v.shared) {
        batch.unmap(from, to - from); // faults bring it back, with the new rights
        batch.attest();
      } else if (!holes) {
        batch.protect(from, to - from, prot);
      }
      long r = space.apply(batch);
      for (long page = from; holes && !v.shared && page < to; page += PAGE) {
        batch.clear();
        batch.protect(page, PAGE, prot);
        r = space.apply(batch);
        if (r == -ENOMEM) {
          r = 0;
        }
        if (r < 0) {
          return r;
        }
      }
      if (r < 0) {
        return r;
      }
    }
    return 0;
  }

  private void mergeRange(int first, long end) {
    int i = Math.max(0, first - 1);
    while (i + 1 < vmas.size() && vmas.get(i).start <= end) {
      int before = vmas.size();
      merge(i);
      if (vmas.size() == before) {
        i++;
      }
    }
  }

  /** {@return where the unbroken run of VMAs from {@code addr} ends, {@code end} at most} */
  private long coverage(long addr, long end) {
    long at = addr;
    for (int i = firstEndingAfter(addr); i < vmas.size() && at < end; i++) {
      Vma v = vmas.get(i);
      if (v.start > at) {
        break;
      }
      at = v.end;
    }
    return Math.min(at, end);
  }

  private void splitAt(long addr) {
    int i = indexOf(addr);
    if (i < 0 || vmas.get(i).start == addr) {
      return;
    }
    Vma v = vmas.get(i);
    Vma right = v.slice(addr, v.end);
    own(i).end = addr;
    vmas.add(i + 1, right);
    Mappable f = v.file;
    if (f != null) {
      f.reference();
      f.addMapping(this);
    }
  }

  /** mremap(2). */
  public long mremap(
      long addr, long oldLength, long newLength, int flags, long newAddr, ResourceLimits limits) {
    boolean mayMove = (flags & Mman.MREMAP_MAYMOVE) != 0;
    boolean fixed = (flags & Mman.MREMAP_FIXED) != 0;
    boolean dontUnmap = (flags & Mman.MREMAP_DONTUNMAP) != 0;
    if ((flags & ~7) != 0
        || (fixed && !mayMove)
        || (dontUnmap && (!mayMove || oldLength != newLength))
        || (addr & (PAGE - 1)) != 0) {
      return -EINVAL;
    }
    long oldSize = pageUp(oldLength);
    long newSize = pageUp(newLength);
    if (newSize <= 0) {
      return -EINVAL;
    }
    if (dontUnmap) {
      return -EINVAL; // the platform cannot keep the source
    }
    synchronized (mu) {
      if (isSealed(addr, addr + Math.max(PAGE, pageUp(oldLength)))) {
        return -EPERM;
      }
      Vma v = at(addr);
      if (v == null) {
        return -EFAULT;
      }
      if (oldSize == 0 && !v.shared) {
        return -EINVAL;
      }
      if (addr + oldSize > v.end) {
        return -EFAULT;
      }
      if (fixed) {
        if ((newAddr & (PAGE - 1)) != 0
            || newAddr + newSize > platform.maxUserAddress()
            || newAddr < platform.minUserAddress()
            || (newAddr < addr + oldSize && addr < newAddr + newSize)) {
          return -EINVAL;
        }
        return move(v, addr, oldSize, newAddr, newSize);
      }
      if (newSize <= oldSize) {
        if (newSize < oldSize) {
          long r = munmapLocked(addr + newSize, oldSize - newSize);
          if (r < 0) {
            return r;
          }
        }
        return addr;
      }
      if (mappedBytes + newSize - oldSize > limits.bound(Resource.RLIMIT_AS)) {
        return -ENOMEM;
      }
      long grown = addr + newSize;
      if (addr + oldSize == v.end
          && grown <= platform.maxUserAddress()
          && !overlaps(v.end, grown)) {
        return growInPlace(v, grown) < 0 ? -ENOMEM : addr;
      }
      if (!mayMove) {
        return -ENOMEM;
      }
      long to = findGap(newSize, mmapTop, platform.minUserAddress());
      return to < 0 ? to : move(v, addr, oldSize, to, newSize);
    }
  }

  private long growInPlace(Vma v, long newEnd) {
    batch.clear();
    long more = newEnd - v.end;
    Mappable f = v.file;
    if (f instanceof UserfaultPages) {
      return -ENOMEM;
    }
    if (f == null) {
      batch.mapAnonymous(v.end, more, v.prot, false);
    } else {
      long r = f.map(batch, v.end, v.offset + (v.end - v.start), more, v.prot, v.shared);
      if (r < 0) {
        return r;
      }
    }
    long r = space.apply(batch);
    if (r < 0) {
      return r;
    }
    mappedBytes += more;
    int i = indexOf(v.start);
    own(i).end = newEnd;
    merge(i);
    return 0;
  }

  private long move(Vma v, long addr, long oldSize, long to, long newSize) {
    long keep = Math.min(oldSize, newSize);
    long r = munmapLocked(to, newSize);
    if (r < 0) {
      return r;
    }
    batch.clear();
    Mappable f = v.file;
    long offset = v.offset + (addr - v.start);
    if (f instanceof UserfaultPages pages) {
      if (newSize > oldSize) {
        return -ENOMEM;
      }
      pages.move(batch, addr, offset, keep, to);
      batch.unmap(addr, oldSize);
    } else if (f != null && (v.shared || oldSize == 0)) {
      batch.unmap(to, newSize);
      r = f.map(batch, to, offset, newSize, v.prot, v.shared);
      if (r < 0) {
        return r;
      }
      if (oldSize > 0) {
        batch.unmap(addr, oldSize);
      }
    } else {
      batch.remap(addr, keep, to, keep);
      if (oldSize > keep) {
        batch.unmap(addr + keep, oldSize - keep);
      }
      if (newSize > keep) {
        if (f == null) {
          batch.mapAnonymous(to + keep, newSize - keep, v.prot, false);
        } else {
          f.map(batch, to + keep, offset + keep, newSize - keep, v.prot, false);
        }
      }
    }
    attestFor(addr, addr + oldSize);
    r = space.apply(batch);
    if (r < 0) {
      return r;
    }
    Vma moved =
        new Vma(to, to + newSize, v.prot, v.shared, false, f, offset, v.path, v.name, v.maxProt);
    moved.locked = v.locked;
    moved.userfault = v.userfault;
    if (f != null) {
      f.reference();
      f.addMapping(this);
    }
    if (oldSize > 0) {
      cut(addr, addr + oldSize);
    }
    put(moved);
    return to;
  }

  private long munmapLocked(long addr, long size) {
    if (!overlaps(addr, addr + size)) {
      return 0;
    }
    batch.clear();
    batch.unmap(addr, size);
    attestFor(addr, addr + size);
    long r = space.apply(batch);
    if (r == 0) {
      cut(addr, addr + size);
    }
    return r;
  }

  /** brk(2): returns the new end of the heap, or the old one when it cannot be moved. */
  public long brk(long addr, ResourceLimits limits) {
    synchronized (mu) {
      if (addr < brkStart || brkStart == 0) {
        return brk;
      }
      if (addr - brkStart > limits.bound(Resource.RLIMIT_DATA)) {
        return brk;
      }
      long oldEnd = pageUp(brk);
      long newEnd = pageUp(addr);
      if (newEnd < oldEnd) {
        if (munmapLocked(newEnd, oldEnd - newEnd) < 0) {
          return brk;
        }
      } else if (newEnd > oldEnd) {
        if (overlaps(oldEnd, newEnd + STACK_GUARD)
            || mappedBytes + newEnd - oldEnd > limits.bound(Resource.RLIMIT_AS)) {
          return brk;
        }
        Vma v = new Vma(oldEnd, newEnd, 3, false, false, null, 0, null, "[heap]", 7);
        v.locked = lockFuture;
        if (insert(v, false, v.locked) < 0) {
          return brk;
        }
      }
      brk = addr;
      return addr;
    }
  }

  // ---- advice, sync, locks ----

  /** madvise(2). */
  public long madvise(long addr, long length, int advice) {
    if ((addr & (PAGE - 1)) != 0) {
      return -EINVAL;
    }
    switch (advice) {
      case Mman.MADV_NORMAL,
          Mman.MADV_RANDOM,
          Mman.MADV_SEQUENTIAL,
          Mman.MADV_WILLNEED,
          Mman.MADV_DONTNEED,
          Mman.MADV_FREE,
          Mman.MADV_REMOVE,
          Mman.MADV_DONTFORK,
          Mman.MADV_DOFORK,
          Mman.MADV_HUGEPAGE,
          Mman.MADV_NOHUGEPAGE,
          Mman.MADV_DONTDUMP,
          Mman.MADV_DODUMP,
          Mman.MADV_COLD,
          Mman.MADV_PAGEOUT,
          Mman.MADV_MERGEABLE,
          Mman.MADV_UNMERGEABLE,
          Mman.MADV_POPULATE_READ,
          Mman.MADV_POPULATE_WRITE,
          Mman.MADV_WIPEONFORK,
          Mman.MADV_KEEPONFORK -> {}
      default -> {
        return -EINVAL;
      }
    }
    if (length == 0) {
      return 0;
    }
    long end = addr + pageUp(length);
    if (end <= addr) {
      return -EINVAL;
    }
    synchronized (mu) {
      batch.clear();
      boolean marks = advice == Mman.MADV_DONTFORK || advice == Mman.MADV_DOFORK;
      if (marks) {
        splitAt(addr);
        splitAt(end);
      }
      for (int i = firstEndingAfter(addr); i < vmas.size() && vmas.get(i).start < end; i++) {
        Vma v = marks ? own(i) : vmas.get(i);
        long from = Math.max(v.start, addr);
        long to = Math.min(v.end, end);
        batch.clear();
        long r = adviseOne(v, from, to, advice);
        if (r == 0 && batch.size() > 0) {
          r = space.apply(batch);
          if (r == -ENOMEM && v.file != null) {
            r = 0; // the file ends within, or was not touched since it grew
          }
        }
        if (r < 0) {
          return r;
        }
      }
      return coverage(addr, end) == end ? 0 : -ENOMEM;
    }
  }

  private long adviseOne(Vma v, long from, long to, int advice) {
    Mappable f = v.file;
    switch (advice) {
      case Mman.MADV_DONTFORK, Mman.MADV_DOFORK -> v.dontFork = advice == Mman.MADV_DONTFORK;
      case Mman.MADV_DONTNEED -> {
        if (f instanceof UserfaultPages pages) {
          forgetPages(v, pages, from, to);
          return 0;
        }
        if (v.sealed && f == null && !v.isWritable()) {
          return -EPERM; // would change what is sealed
        }
        if (v.locked) {
          return -EINVAL;
        }
        batch.advise(from, to - from, advice);
      }
      case Mman.MADV_FREE -> {
        if (f instanceof UserfaultPages pages) {
          forgetPages(v, pages, from, to);
          return 0;
        }
        if (f != null || v.shared) {
          return -EINVAL;
        }
        batch.advise(from, to - from, advice);
      }
      case Mman.MADV_WIPEONFORK -> {
        if (f != null || v.shared) {
          return -EINVAL;
        }
        batch.advise(from, to - from, advice); // the host forks, so the host wipes
      }
      case Mman.MADV_KEEPONFORK -> {
        if (f == null) {
          batch.advise(from, to - from, advice);
        }
      }
      case Mman.MADV_REMOVE -> {
        return f != null && v.shared && v.isWritable()
            ? f.punch(v.offset + (from - v.start), to - from)
            : -EINVAL;
      }
      case Mman.MADV_POPULATE_READ,
          Mman.MADV_POPULATE_WRITE,
          Mman.MADV_HUGEPAGE,
          Mman.MADV_NOHUGEPAGE,
          Mman.MADV_COLD,
          Mman.MADV_PAGEOUT -> {
        if (f == null) {
          batch.advise(from, to - from, advice);
        }
      }
      default -> {} // a hint that changes nothing here
    }
    return 0;
  }

  /** msync(2). */
  public long msync(long addr, long length, int flags) {
    if ((addr & (PAGE - 1)) != 0 || (flags & ~7) != 0 || (flags & 5) == 5) {
      return -EINVAL;
    }
    long end = addr + pageUp(length);
    if (end < addr) {
      return -ENOMEM;
    }
    synchronized (mu) {
      batch.clear();
      for (int i = firstEndingAfter(addr); i < vmas.size() && vmas.get(i).start < end; i++) {
        Vma v = vmas.get(i);
        Mappable f = v.file;
        if (v.locked && (flags & MS_INVALIDATE) != 0) {
          return -EBUSY;
        }
        if (f != null && v.shared && !f.isInMemoryFile()) {
          long from = Math.max(v.start, addr);
          long to = Math.min(v.end, end);
          batch.msync(from, to - from, flags & ~MS_INVALIDATE);
        }
      }
      if (batch.size() > 0) {
        long r = space.apply(batch);
        if (r < 0) {
          return r;
        }
      }
      return coverage(addr, end) == end ? 0 : -ENOMEM;
    }
  }

  /** mlock(2) and munlock(2). The caller has checked RLIMIT_MEMLOCK. */
  public long mlock(long addr, long length, boolean lock) {
    long start = addr & -PAGE;
    long end = pageUp(addr + length);
    if (end < start) {
      return -EINVAL;
    }
    synchronized (mu) {
      if (coverage(start, end) != end) {
        return -ENOMEM;
      }
      batch.clear();
      if (lock) {
        batch.mlock(start, end - start);
      } else {
        batch.munlock(start, end - start);
      }
      long r = space.apply(batch);
      if (space.isDead()) {
        return r;
      }
      if (lock && r < 0) {
        populate(start, end);
      }
      splitAt(start);
      splitAt(end);
      int first = firstEndingAfter(start);
      boolean reachable = true;
      for (int i = first; i < vmas.size() && vmas.get(i).start < end; i++) {
        own(i).locked = lock;
        reachable &= vmas.get(i).prot != 0;
      }
      mergeRange(first, end);
      return lock && !reachable ? -ENOMEM : 0;
    }
  }

  /**
   * What mlock does where the host does not lock more memory for this process: the pages are there,
   * but the host may still reclaim them.
   */
  private void populate(long start, long end) {
    for (int i = firstEndingAfter(start); i < vmas.size() && vmas.get(i).start < end; i++) {
      Vma v = vmas.get(i);
      long from = Math.max(v.start, start);
      batch.clear();
      batch.advise(from, Math.min(v.end, end) - from, populateAdvice(v));
      space.apply(batch);
    }
  }

  private static int populateAdvice(Vma v) {
    return v.isWritable() ? Mman.MADV_POPULATE_WRITE : Mman.MADV_POPULATE_READ;
  }

  /** mlockall(2) with MCL_CURRENT and MCL_FUTURE as booleans; both false is munlockall(2). */
  public long mlockAll(boolean current, boolean future) {
    synchronized (mu) {
      lockFuture = future;
      for (int i = 0; i < vmas.size(); i++) {
        Vma v = vmas.get(i);
        batch.clear();
        if (current) {
          batch.mlock(v.start, v.end - v.start);
        } else if (!future) {
          batch.munlock(v.start, v.end - v.start);
        } else {
          continue;
        }
        if (space.apply(batch) < 0 && current) {
          populate(v.start, v.end);
        }
        own(i).locked = current;
      }
      return 0;
    }
  }

  /** {@return bytes locked} (VmLck) */
  public long lockedBytes() {
    return lockedBytes(0, Long.MAX_VALUE);
  }

  /** {@return bytes locked in [start, end)} */
  public long lockedBytes(long start, long end) {
    synchronized (mu) {
      long n = 0;
      for (Vma v : vmas) {
        n += v.locked ? Math.max(0, Math.min(v.end, end) - Math.max(v.start, start)) : 0;
      }
      return n;
    }
  }

  /** mbind(2) with checked arguments; -1 for no policy. Returns 0 or -EFAULT. */
  public long setPolicy(long addr, long length, int mode) {
    long end = addr + length;
    synchronized (mu) {
      if (coverage(addr, end) != end) {
        return -EFAULT;
      }
      splitAt(addr);
      splitAt(end);
      int first = firstEndingAfter(addr);
      for (int i = first; i < vmas.size() && vmas.get(i).start < end; i++) {
        own(i).policy = mode;
      }
      mergeRange(first, end);
      return 0;
    }
  }

  /** {@return the mode that mbind(2) gave the mapping at {@code addr}}; -1 for none */
  public int policyAt(long addr) {
    synchronized (mu) {
      int i = indexOf(addr);
      return i < 0 ? -1 : vmas.get(i).policy;
    }
  }

  /**
   * set_mempolicy_home_node(2): {@return 0, -ENOENT if no mapping there has a policy, -EOPNOTSUPP
   * for a policy without a home}
   */
  public long checkHomeNode(long addr, long length, int bind, int preferredMany) {
    long end = addr + length;
    long r = -ENOENT;
    synchronized (mu) {
      for (int i = firstEndingAfter(addr); i < vmas.size() && vmas.get(i).start < end; i++) {
        int mode = vmas.get(i).policy;
        if (mode >= 0 && mode != bind && mode != preferredMany) {
          return -EOPNOTSUPP;
        }
        r = mode >= 0 ? 0 : r;
      }
    }
    return r;
  }

  /** {@return 0 if all of [addr, addr+length) is mapped, else -ENOMEM}, for mincore(2) */
  public long checkMapped(long addr, long length) {
    synchronized (mu) {
      return coverage(addr, addr + length) == addr + length ? 0 : -ENOMEM;
    }
  }

  // ---- faults ----

  /**
   * A guest access that the host could not satisfy. {@code errorCode}: bit 1 write, bit 4
   * instruction fetch.
   *
   * @return 0 when the access may be tried again, {@link #FAULT_BUS}, or SEGV_MAPERR / SEGV_ACCERR
   */
  public long handleFault(Task t, long address, int errorCode) {
    synchronized (mu) {
      int i = indexOf(address);
      if (i < 0) {
        i = ~i;
        if (i < vmas.size() && vmas.get(i).growsDown && growStack(t, i, address)) {
          return 0;
        }
        return Signal.SEGV_MAPERR;
      }
      Vma v = vmas.get(i);
      int need =
          (errorCode & 2) != 0
              ? Mman.PROT_WRITE
              : (errorCode & 16) != 0 ? Mman.PROT_EXEC : Mman.PROT_READ;
      if ((v.prot & need) == 0
          && !(need == Mman.PROT_READ && (v.prot & (Mman.PROT_WRITE | Mman.PROT_EXEC)) != 0)) {
        return Signal.SEGV_ACCERR;
      }
      if (address == repeatAddress && ++repeats > 16) {
        repeats = 0;
        return Signal.SEGV_ACCERR; // the host keeps refusing what the VMA allows
      }
      if (address != repeatAddress) {
        repeatAddress = address;
        repeats = 0;
      }
      Mappable f = v.file;
      if (f == null) {
        return 0;
      }
      long page = address & -PAGE;
      if (f instanceof UserfaultPages pages) {
        return userfault(v, pages, page);
      }
      batch.clear();
      long r = f.fault(batch, page, v.offset + (page - v.start), v.end - page, v.prot, v.shared);
      if (r == 0 && batch.size() > 0) {
        r = space.apply(batch);
      }
      return r < 0 ? FAULT_BUS : 0;
    }
  }

  // ---- userfaultfd ----

  private volatile boolean hasUserfaults;

  /** {@return whether any page of it may be somebody's to fill} */
  public boolean hasUserfaults() {
    return hasUserfaults;
  }

  /** {@return whether no task uses it any more} */
  public boolean isGone() {
    return users.get() == 0;
  }

  /** UFFDIO_REGISTER with a checked range. Returns 0 or -errno. */
  public long registerUserfault(Userfault who, long start, long length) {
    long end = start + length;
    synchronized (mu) {
      int first = firstEndingAfter(start);
      if (first >= vmas.size() || vmas.get(first).start >= end) {
        return -EINVAL;
      }
      for (int i = first; i < vmas.size() && vmas.get(i).start < end; i++) {
        Vma v = vmas.get(i);
        boolean anonymous = v.file == null || v.file instanceof UserfaultPages;
        if (!anonymous || v.shared || v.growsDown) {
          return -EINVAL;
        }
        if (v.userfault != null && v.userfault != who) {
          return -EBUSY;
        }
      }
      splitAt(start);
      splitAt(end);
      hasUserfaults = true;
      for (int i = firstEndingAfter(start); i < vmas.size() && vmas.get(i).start < end; i++) {
        long r = watchPages(i, who);
        if (r < 0) {
          return r;
        }
      }
      return 0;
    }
  }

  private long watchPages(int i, Userfault who) {
    Vma v = vmas.get(i);
    if (v.file instanceof UserfaultPages) {
      own(i).userfault = who; // what it has by now it has
      return 0;
    }
    long size = v.end - v.start;
    long base = memoryFile.allocate(size);
    if (base < 0) {
      return -ENOMEM;
    }
    batch.clear();
    batch.protect(v.start, size, Mman.PROT_NONE);
    long r = space.apply(batch);
    if (r < 0) {
      memoryFile.freeUntouched(base, size);
      return r;
    }
    UserfaultPages pages = new UserfaultPages(memoryFile, platform, base, size);
    pages.reference();
    Vma watched = v.slice(v.start, v.end, pages, 0);
    watched.userfault = who;
    vmas.set(i, watched);
    return 0;
  }

  /** UFFDIO_UNREGISTER: what is missing becomes zeros. Returns 0 or -errno. */
  public long unregisterUserfault(Userfault who, long start, long length) {
    long end = start + length;
    synchronized (mu) {
      int first = firstEndingAfter(start);
      if (first >= vmas.size() || vmas.get(first).start >= end) {
        return -EINVAL;
      }
      for (int i = first; i < vmas.size() && vmas.get(i).start < end; i++) {
        Vma v = vmas.get(i);
        boolean anonymous = v.file == null || v.file instanceof UserfaultPages;
        if (!anonymous || v.shared || (v.userfault != null && v.userfault != who)) {
          return -EINVAL;
        }
      }
      splitAt(start);
      splitAt(end);
      return settle(who, start, end);
    }
  }

  /** The descriptor was closed. */
  public void dropUserfault(Userfault who) {
    synchronized (mu) {
      settle(who, 0, Long.MAX_VALUE);
    }
  }

  private long settle(Userfault who, long start, long end) {
    for (int i = firstEndingAfter(start); i < vmas.size() && vmas.get(i).start < end; i++) {
      Vma v = vmas.get(i);
      if (v.userfault != who || !(v.file instanceof UserfaultPages pages)) {
        continue;
      }
      batch.clear();
      pages.settle(batch, v.start, v.offset, v.end - v.start, v.prot);
      long r = batch.size() == 0 ? 0 : space.apply(batch);
      if (r < 0) {
        return r;
      }
      pages.settled(v.offset, v.end - v.start);
      own(i).userfault = null;
      who.wake(v.start, v.end);
    }
    return 0;
  }

  /**
   * UFFDIO_COPY and UFFDIO_ZEROPAGE: gives missing pages their content.
   *
   * @param haddr host address of the content, or 0 for zeros
   * @return bytes filled, -ENOENT where nobody registered, -EEXIST for pages that are there
   */
  public long fillUserfault(Userfault who, long start, long length, long haddr) {
    synchronized (mu) {
      Vma v = at(start);
      if (v == null
          || v.userfault != who
          || !(v.file instanceof UserfaultPages pages)
          || start + length > v.end) {
        return -ENOENT;
      }
      long offset = v.offset + (start - v.start);
      long done = 0;
      while (done < length) {
        long r = pages.isOld(offset + done) ? lookAt(v, pages, start + done) : 0;
        if (r < 0 || !pages.isMissing(offset + done)) {
          break;
        }
        done += PAGE;
      }
      if (done == 0) {
        return -EEXIST;
      }
      batch.clear();
      long r = 0;
      if (haddr == 0) {
        batch.mapAnonymous(start, done, v.prot, true);
      } else {
        r = pages.fill(batch, start, offset, done, v.prot, haddr);
      }
      r = r < 0 ? r : space.apply(batch);
      if (r < 0) {
        return r;
      }
      pages.filled(offset, done);
      return done;
    }
  }

  /** A fault in a range that is or was registered. Under mu; as {@link #handleFault}. */
  private long userfault(Vma v, UserfaultPages pages, long page) {
    long offset = v.offset + (page - v.start);
    if (pages.isOld(offset)) {
      long r = lookAt(v, pages, page);
      if (r < 0) {
        return FAULT_BUS;
      }
    }
    Userfault who = v.userfault;
    if (!pages.isMissing(offset)) {
      return 0;
    }
    repeats = 0;
    if (who != null) {
      return who.raisesSigbus() ? FAULT_BUS : FAULT_USER;
    }
    batch.clear();
    batch.mapAnonymous(page, PAGE, v.prot, true);
    if (space.apply(batch) < 0) {
      return FAULT_BUS;
    }
    pages.filled(offset, PAGE);
    return 0;
  }

  /**
   * Finds out whether a page that was mapped before the registration ever had content: it is moved
   * out of the guest's reach, so that nobody touches it meanwhile. A page of zeros counts as
   * missing. Returns 0 or -errno.
   */
  private long lookAt(Vma v, UserfaultPages pages, long page) {
    long aside = findGap(PAGE, mmapTop, platform.minUserAddress());
    if (aside < 0) {
      return aside;
    }
    batch.clear();
    batch.protect(page, PAGE, Mman.PROT_READ);
    batch.remap(page, PAGE, aside, PAGE);
    long r = space.apply(batch);
    if (r < 0) {
      return r;
    }
    boolean had;
    try (java.lang.foreign.Arena arena = java.lang.foreign.Arena.ofConfined()) {
      MemorySegment s = arena.allocate(PAGE, 8);
      had = space.copyIn(aside, s, 0, PAGE) == PAGE && s.mismatch(ZERO_PAGE) >= 0;
    }
    batch.clear();
    if (had) {
      batch.remap(aside, PAGE, page, PAGE);
      batch.protect(page, PAGE, v.prot);
    } else {
      batch.unmap(aside, PAGE);
    }
    r = space.apply(batch);
    if (r == 0) {
      pages.known(v.offset + (page - v.start), had);
    }
    return r;
  }

  private static final MemorySegment ZERO_PAGE = redoubt.host.Memory.allocateGlobal(PAGE);

  /** MADV_DONTNEED: the pages are missing again, or zeros where nobody fills them. */
  private void forgetPages(Vma v, UserfaultPages pages, long from, long to) {
    long offset = v.offset + (from - v.start);
    if (v.userfault != null) {
      batch.unmap(from, to - from);
      pages.dropped(offset, to - from);
    } else {
      batch.mapAnonymous(from, to - from, v.prot, true);
      pages.settled(offset, to - from);
    }
    batch.attest();
  }

  /** {@return who fills the page at {@code address}}, or null if it is there or nobody does */
  public @Nullable Userfault userfaultAt(long address) {
    synchronized (mu) {
      Vma v = at(address);
      if (v == null || v.userfault == null || !(v.file instanceof UserfaultPages pages)) {
        return null;
      }
      long page = address & -PAGE;
      return pages.isMissing(v.offset + (page - v.start)) ? v.userfault : null;
    }
  }

  /**
   * A copy from or to [{@code uaddr}, {@code uaddr + length}) fell short: waits for the first page
   * of it that is missing. {@return whether it is worth another try}
   */
  public boolean awaitFill(Task t, long uaddr, long length, boolean write) {
    if (!hasUserfaults) {
      return false;
    }
    for (long page = uaddr & -PAGE; page < uaddr + length; page += PAGE) {
      long at = Math.max(page, uaddr);
      Userfault who = null;
      synchronized (mu) {
        Vma v = at(page);
        if (v == null || (v.prot & (write ? Mman.PROT_WRITE : Mman.PROT_READ)) == 0) {
          return false;
        }
        if (v.file instanceof UserfaultPages pages) {
          boolean wasOld = pages.isOld(v.offset + (page - v.start));
          long r = userfault(v, pages, page);
          if (r == 0 && wasOld) {
            return true;
          }
          who = r == FAULT_USER ? v.userfault : null;
          if (r == FAULT_BUS) {
            return false;
          }
        }
      }
      if (who != null) {
        return who.await(t, at, write, true) == 0;
      }
    }
    return false;
  }

  /**
   * Reads memory whatever its protection, as a debugger may (FOLL_FORCE). Returns bytes copied.
   *
   * @param c copies from this space: a context that stands still, or the space itself
   */
  public long forceCopyIn(Copier c, long uaddr, MemorySegment dst, long dstOffset, long length) {
    if (hasSecret(uaddr, length)) {
      return 0;
    }
    long n = c.copy(uaddr, dst, dstOffset, length);
    return n == length ? n : force(c, uaddr, dst, dstOffset, length, false);
  }

  /** One direction of copying between a guest's memory and the sentry's. */
  public interface Copier {
    /** {@return bytes copied}, short on a fault */
    long copy(long uaddr, MemorySegment ours, long offset, long length);
  }

  /** Writes to memory whatever its protection: shared mappings must allow it. */
  public long forceCopyOut(Copier c, long uaddr, MemorySegment src, long srcOffset, long length) {
    if (hasSecret(uaddr, length)) {
      return 0;
    }
    long n = c.copy(uaddr, src, srcOffset, length);
    return n == length ? n : force(c, uaddr, src, srcOffset, length, true);
  }

  /** {@return whether somebody else may not look at a range}: a part of it is memfd_secret(2)'s */
  public boolean hasSecret(long uaddr, long length) {
    synchronized (mu) {
      for (int i = firstEndingAfter(uaddr);
          i < vmas.size() && vmas.get(i).start < uaddr + length;
          i++) {
        Mappable f = vmas.get(i).file;
        if (f != null && f.isSecret()) {
          return true;
        }
      }
      return false;
    }
  }

  private long force(Copier c, long uaddr, MemorySegment s, long at, long length, boolean write) {
    long done = 0;
    while (done < length) {
      long from = uaddr + done;
      long n = Math.min(length - done, PAGE - (from & (PAGE - 1)));
      synchronized (mu) {
        if (forcePage(c, from, s, at + done, n, write) != n) {
          return done;
        }
      }
      done += n;
    }
    return done;
  }

  private long forcePage(Copier c, long from, MemorySegment s, long at, long n, boolean write) {
    long page = from & -PAGE;
    Vma v = at(page);
    if (v == null || (write && v.shared && (v.prot & Mman.PROT_WRITE) == 0)) {
      return 0;
    }
    Mappable f = v.file;
    if (f != null && !f.mapsWhole(v.offset + (page - v.start), PAGE)) {
      batch.clear();
      long r = f.fault(batch, page, v.offset + (page - v.start), PAGE, v.prot, v.shared);
      if (r < 0 || (batch.size() > 0 && space.apply(batch) < 0)) {
        return 0;
      }
    }
    int need = write ? Mman.PROT_READ | Mman.PROT_WRITE : Mman.PROT_READ;
    boolean change = (v.prot & need) != need;
    if (change) {
      batch.clear();
      batch.protect(page, PAGE, v.prot | need);
      if (space.apply(batch) < 0) {
        return 0;
      }
    }
    long copied = c.copy(from, s, at, n);
    if (change) {
      batch.clear();
      batch.protect(page, PAGE, v.prot);
      space.apply(batch);
    }
    return copied;
  }

  private boolean growStack(Task t, int index, long address) {
    Vma v = vmas.get(index);
    long limit = t.threadGroup().limits.bound(Resource.RLIMIT_STACK);
    long page = address & -PAGE;
    if (v.end - page > limit) {
      return false;
    }
    long floor = index > 0 ? vmas.get(index - 1).end + STACK_GUARD : platform.minUserAddress();
    if (page < floor) {
      return false;
    }
    long newStart = Math.max(floor, Math.min(page, v.start - STACK_STEP));
    if (v.end - newStart > limit) {
      newStart = page;
    }
    batch.clear();
    batch.mapAnonymous(newStart, v.start - newStart, v.prot, true);
    if (space.apply(batch) < 0) {
      return false;
    }
    mappedBytes += v.start - newStart;
    own(index).start = newStart;
    return true;
  }

  @Override
  public void invalidate(Mappable file, long start, long end) {
    synchronized (mu) {
      batch.clear();
      for (Vma v : vmas) {
        if (v.file == file) {
          long from = Math.max(v.offset, start);
          long to = Math.min(v.offset + (v.end - v.start), end);
          if (from < to) {
            batch.unmap(v.start + (from - v.offset), to - from);
          }
        }
      }
      if (batch.size() > 0) {
        batch.attest();
        if (space.apply(batch) < 0 && !space.isDead()) {
          space.destroy(); // it would see what others write there next
        }
      }
    }
  }
}
