package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EMFILE;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.platform.GuestContext;
import redoubt.sentry.vfs.FileDescription;

/**
 * The descriptors of tasks that share them (CLONE_FILES): Linux's files_struct. Lookups take no
 * lock; changes hold the monitor. Each entry holds one reference of its description.
 */
public final class FdTable {
  private static final VarHandle SLOT =
      MethodHandles.arrayElementVarHandle(FileDescription[].class);

  /** Room of a new table, a multiple of 64 as each. */
  private static final int LEAST = 64;

  private volatile @Nullable FileDescription[] files;
  private long[] cloexec; // guarded by this, one bit per descriptor
  private int firstFree; // guarded by this: no free slot below
  private volatile int users = 1; // changed under this

  /** Tasks with standing answers for descriptors of this table. */
  private final ArrayList<Task> answered = new ArrayList<>(0); // guarded by this

  public FdTable() {
    files = new FileDescription[LEAST];
    cloexec = new long[LEAST / Long.SIZE];
  }

  private FdTable(@Nullable FileDescription[] files, long[] cloexec, int firstFree) {
    this.files = files;
    this.cloexec = cloexec;
    this.firstFree = firstFree;
  }

  /**
   * {@return a table of its own with the same descriptions}, as fork(2) makes it: no longer than
   * the highest of them needs, as fs/file.c sane_fdtable_size, or each child of a process that once
   * had many would pay for them.
   */
  public synchronized FdTable copy() {
    @Nullable FileDescription[] all = files;
    int size = all.length;
    while (size > LEAST && all[size - 1] == null) {
      size--;
    }
    size = (size + Long.SIZE - 1) & -Long.SIZE;
    @Nullable FileDescription[] f = Arrays.copyOf(all, size);
    for (FileDescription d : f) {
      if (d != null) {
        d.incRef();
      }
    }
    return new FdTable(f, Arrays.copyOf(cloexec, size / Long.SIZE), Math.min(firstFree, size));
  }

  /** {@return how many descriptors there is room for now} */
  int capacity() {
    return files.length;
  }

  synchronized FdTable share() {
    users++;
    return this;
  }

  /** {@return whether other tasks may close what the caller looks up} */
  boolean isShared() {
    return users > 1;
  }

  /** A task left; the last one closes every descriptor. */
  void leave(Task t) {
    synchronized (this) {
      answered.remove(t);
      if (--users > 0) {
        return;
      }
    }
    for (int fd = 0; fd < files.length; fd++) {
      close(t, fd);
    }
  }

  /**
   * {@return the description of {@code fd} with a reference for the caller, or null} The caller
   * calls {@link FileDescription#decRef}.
   */
  public @Nullable FileDescription get(int fd) {
    for (; ; ) {
      FileDescription f = peek(fd);
      if (f == null) {
        return null;
      }
      if (f.tryIncRef()) {
        if (peek(fd) == f) {
          return f;
        }
        f.decRef();
      }
    }
  }

  /**
   * {@return the description of {@code fd} without a reference, or null} It may be closed
   * meanwhile.
   */
  public @Nullable FileDescription peek(int fd) {
    @Nullable FileDescription[] f = files;
    return fd >= 0 && fd < f.length ? (FileDescription) SLOT.getAcquire(f, fd) : null;
  }

  /**
   * Puts {@code file} at the lowest free descriptor that is {@code from} or more, taking over the
   * caller's reference.
   *
   * @param limit RLIMIT_NOFILE
   * @return the descriptor, or -EMFILE (the reference stays the caller's)
   */
  public synchronized long install(
      FileDescription file, int from, boolean closeOnExec, long limit) {
    int fd = Math.max(from, firstFree);
    @Nullable FileDescription[] f = files;
    while (fd < f.length && f[fd] != null) {
      fd++;
    }
    if (fd >= limit) {
      return -EMFILE;
    }
    if (from <= firstFree) {
      firstFree = fd + 1;
    }
    put(fd, file, closeOnExec);
    return fd;
  }

  /** Puts {@code file} at {@code fd}, closing what was there: dup2(2). Takes over the reference. */
  public long replace(Task t, FileDescription file, int fd, boolean closeOnExec, long limit) {
    if (fd < 0 || fd >= limit) {
      return -EBADF;
    }
    FileDescription old;
    synchronized (this) {
      old = fd < files.length ? files[fd] : null;
      put(fd, file, closeOnExec);
    }
    if (old != null) {
      takeAnswersBack(fd, old);
      old.closedIn(t, this);
      old.decRef();
    }
    return fd;
  }

  /**
   * The context of {@code t} will be told to answer calls on {@code f} by itself; {@link
   * #answersGiven} follows.
   */
  void answersFollow(Task t, FileDescription f) {
    synchronized (this) {
      if (!answered.contains(t)) {
        answered.add(t);
      }
    }
    f.hasStandingAnswers = true;
  }

  /** The answers on {@code fd} are taken back unless that is still {@code f}. */
  void answersGiven(Task t, int fd, FileDescription f) {
    if (peek(fd) != f) {
      t.context().setStanding(fd, 0);
    }
  }

  private void takeAnswersBack(int fd, FileDescription old) {
    VarHandle.fullFence(); // the slot is changed: either we see the answers, or answer() sees that
    if (!old.hasStandingAnswers || fd >= GuestContext.STANDING_FDS) {
      return;
    }
    synchronized (this) {
      for (Task t : answered) {
        t.context().setStanding(fd, 0);
      }
    }
  }

  private void put(int fd, FileDescription file, boolean closeOnExec) {
    if (fd >= files.length) {
      int size = Math.max(fd + 1, files.length * 2);
      files = Arrays.copyOf(files, size);
    }
    if (fd >> 6 >= cloexec.length) {
      cloexec = Arrays.copyOf(cloexec, (files.length + 63) >> 6);
    }
    SLOT.setRelease(files, fd, file);
    setBit(fd, closeOnExec);
  }

  private void setBit(int fd, boolean on) {
    if (fd >> 6 >= cloexec.length) {
      return;
    }
    if (on) {
      cloexec[fd >> 6] |= 1L << fd;
    } else {
      cloexec[fd >> 6] &= ~(1L << fd);
    }
  }

  /** close(2). */
  public long close(Task t, int fd) {
    FileDescription f = take(fd);
    if (f == null) {
      return -EBADF;
    }
    takeAnswersBack(fd, f);
    long r = f.closedIn(t, this);
    f.decRef();
    return r;
  }

  private synchronized @Nullable FileDescription take(int fd) {
    if (fd < 0 || fd >= files.length) {
      return null;
    }
    FileDescription f = files[fd];
    if (f != null) {
      SLOT.setRelease(files, fd, (FileDescription) null);
      setBit(fd, false);
      firstFree = Math.min(firstFree, fd);
    }
    return f;
  }

  /** {@return FD_CLOEXEC (1) or 0, or -EBADF} */
  public synchronized long descriptorFlags(int fd) {
    if (peek(fd) == null) {
      return -EBADF;
    }
    return cloexec[fd >> 6] >>> fd & 1;
  }

  public synchronized long setDescriptorFlags(int fd, boolean closeOnExec) {
    if (peek(fd) == null) {
      return -EBADF;
    }
    setBit(fd, closeOnExec);
    return 0;
  }

  /** Closes what execve(2) closes. */
  public void closeOnExec(Task t) {
    for (int fd = 0; fd < files.length; fd++) {
      if (descriptorFlags(fd) == 1) {
        close(t, fd);
      }
    }
  }

  /** close_range(2) on this table; {@code cloexecOnly}: CLOSE_RANGE_CLOEXEC. */
  public long closeRange(Task t, long first, long last, boolean cloexecOnly) {
    if (first > last) {
      return -EINVAL;
    }
    int end = (int) Math.min(last, files.length - 1L);
    for (long fd = first; fd <= end; fd++) {
      if (cloexecOnly) {
        setDescriptorFlags((int) fd, true);
      } else {
        close(t, (int) fd);
      }
    }
    return 0;
  }

  /** {@return one more than the highest descriptor in use} */
  public int limit() {
    @Nullable FileDescription[] f = files;
    int n = f.length;
    while (n > 0 && SLOT.getAcquire(f, n - 1) == null) {
      n--;
    }
    return n;
  }
}
