package redoubt.sentry.mm;

import org.jspecify.annotations.Nullable;
import redoubt.sentry.platform.AddressSpace;
import redoubt.sentry.platform.Grants;
import redoubt.sentry.platform.GuestContext;
import redoubt.sentry.platform.MapBatch;

/**
 * Pages of files that are mapped into one address space, out of the guest's reach, so that the
 * platform can answer pread(2) and pwrite(2) on them by a copy there. A page of data between two
 * cores costs more than the whole call otherwise (ADR 0007).
 *
 * <p>A view is weak: it keeps no file alive. When pages of its file are let go of it is unmapped
 * first, as a mapping is ({@link Mappable.MappingObserver}).
 *
 * <p>Places are given out in ascending order, because a thread may still copy where it saw a view
 * that is gone; they are used again once all threads are known to be in the sentry, which is when
 * there is just the one that asks.
 *
 * <p>Locks: {@link #mu} comes after a file's monitor and before its extents.
 */
public final class FileViews implements Mappable.MappingObserver {
  /** Bytes of the file that a view begins at a multiple of, and its longest length. */
  private static final long CHUNK = 64L << 20;

  private static final long UNIT = 4L << 20;

  /** Pieces of memory that one view may be made of. */
  private static final int PIECES = 32;

  private final AddressSpace space;
  private final Object mu = new Object();
  private final @Nullable View[] views = new View[GuestContext.VIEWS]; // guarded by mu
  private final MapBatch batch = new MapBatch(); // guarded by mu
  private long used; // bytes of the space's view area; guarded by mu
  private int next; // guarded by mu
  private boolean closed; // guarded by mu

  /** One range of a file. Immutable. */
  public static final class View {
    final Mappable file;

    /** Which of {@link GuestContext#VIEWS} it is. */
    public final int slot;

    /** Where it begins in the file, bytes. */
    public final long offset;

    /** Bytes that are mapped, whole pages. */
    public final long length;

    public final long address;
    public final boolean writable;

    /** {@link Grants#version} of the file's grants when it was new. */
    public final int version;

    View(
        Mappable file,
        int version,
        int slot,
        long offset,
        long length,
        long address,
        boolean writable) {
      this.file = file;
      this.version = version;
      this.slot = slot;
      this.offset = offset;
      this.length = length;
      this.address = address;
      this.writable = writable;
    }

    boolean serves(Mappable wanted, long at, boolean forWriting) {
      return file == wanted && at >= offset && at - offset < length && (writable || !forWriting);
    }
  }

  FileViews(AddressSpace space) {
    this.space = space;
  }

  /**
   * {@return a view of {@code file} that has byte {@code at}}, or null. It may be gone when this
   * returns: a grant for it is given on a {@link Grants#version} that was read before.
   */
  public @Nullable View find(Mappable file, long at, boolean writable) {
    synchronized (mu) {
      for (View v : views) {
        if (v != null && v.serves(file, at, writable)) {
          return v;
        }
      }
      return null;
    }
  }

  /**
   * Makes a view of {@code file} around byte {@code at}.
   *
   * @param grants the file's
   * @param alone no other thread of the address space exists
   * @return null if the platform has no views or room, or the file is in too many pieces
   */
  public @Nullable View make(
      Mappable file, Grants grants, long at, boolean writable, boolean alone) {
    synchronized (mu) {
      long offset = at / CHUNK * CHUNK;
      long room = roundUp(Math.min(CHUNK, file.viewableBytes() - offset));
      if (closed || room <= 0 || room > space.viewBytes()) {
        return null;
      }
      if (used + room > space.viewBytes()) {
        if (!alone) {
          return null;
        }
        dropAll();
        used = 0;
      }
      int slot = next;
      View old = views[slot];
      if (old != null) {
        drop(old);
      }
      long address = space.viewBase() + used;
      file.addMapping(this);
      batch.clear();
      batch.forViews();
      long length = file.view(batch, address, offset, room, writable);
      if (at - offset >= length || batch.size() > PIECES) {
        file.removeMapping(this);
        return null;
      }
      if (space.apply(batch) < 0) {
        unmap(address, length);
        file.removeMapping(this);
        return null;
      }
      used += room;
      next = (slot + 1) % views.length;
      View made = new View(file, grants.version(), slot, offset, length, address, writable);
      views[slot] = made;
      return made;
    }
  }

  private static long roundUp(long bytes) {
    return (bytes + UNIT - 1) / UNIT * UNIT;
  }

  @Override
  public void invalidate(Mappable file, long start, long end) {
    synchronized (mu) {
      for (View v : views) {
        if (v != null && v.file == file && start < v.offset + v.length && end > v.offset) {
          drop(v);
        }
      }
    }
  }

  // Preconditions: holds mu.
  private void dropAll() {
    for (View v : views) {
      if (v != null) {
        drop(v);
      }
    }
  }

  // Preconditions: holds mu.
  private void drop(View v) {
    views[v.slot] = null;
    Grants grants = v.file.grants();
    if (grants != null) {
      grants.withdraw();
    }
    unmap(v.address, v.length);
    v.file.removeMapping(this);
  }

  // Preconditions: holds mu.
  private void unmap(long address, long length) {
    batch.clear();
    batch.forViews();
    batch.unmap(address, length);
    batch.attest();
    if (space.apply(batch) < 0 && !space.isDead()) {
      space.destroy(); // it would see what others write there next
    }
  }

  /** The address space ends: no more views. */
  void close() {
    synchronized (mu) {
      closed = true;
    }
  }

  /** Its process is gone, and its mappings with it. */
  void forget() {
    synchronized (mu) {
      for (int i = 0; i < views.length; i++) {
        View v = views[i];
        if (v != null) {
          views[i] = null;
          v.file.removeMapping(this);
        }
      }
    }
  }
}
