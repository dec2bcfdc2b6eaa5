package redoubt.sentry.ipc;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINTR;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ENOSPC;
import static redoubt.abi.Errno.ENOTTY;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Fanotify.*;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Ioctls;
import redoubt.abi.Poll;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.kernel.Waiter;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.FileSystem;
import redoubt.sentry.vfs.FsEvent;
import redoubt.sentry.vfs.FsGroup;
import redoubt.sentry.vfs.FsNotify;
import redoubt.sentry.vfs.HandleTable;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.VfsPath;

/**
 * A group of fanotify(7): marks on files, mounts and filesystems, a queue of what happens to them,
 * and answers to the questions that it asks before files are opened or read. fs/notify/fanotify/.
 *
 * <p>Lock order: this monitor is taken under a directory's and before the wait queues'; an inode's
 * own monitor is never taken under it.
 */
public final class Fanotify extends FileDescription implements FsGroup {
  public static final int MAX_GROUPS = 128;
  public static final int MAX_QUEUED = 16384;
  public static final int MAX_MARKS = 8192;

  /** Where FAN_UNLIMITED_QUEUE and FAN_UNLIMITED_MARKS end here. */
  private static final int MOST = 1 << 18;

  private static final int EVENT_FLAGS = FAN_ONDIR | FAN_EVENT_ON_CHILD;
  private static final int PERM_EVENTS = FAN_OPEN_PERM | FAN_ACCESS_PERM | FAN_OPEN_EXEC_PERM;
  private static final int ALL_EVENTS =
      0xfff | FAN_OPEN_EXEC | FAN_FS_ERROR | PERM_EVENTS | FAN_RENAME;
  private static final int FID_BITS =
      FAN_REPORT_FID | FAN_REPORT_DIR_FID | FAN_REPORT_NAME | FAN_REPORT_TARGET_FID;
  private static final int CLASS_BITS = FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT;

  private final Usage usage;
  private final HandleTable handles;
  private final int initFlags;
  private final int eventFlags;

  /** Made without CAP_SYS_ADMIN: tells no foreign pids (FANOTIFY_UNPRIV). */
  private final boolean unprivileged;

  private final WaitQueue queue = new WaitQueue();
  private final WaitQueue answers = new WaitQueue();
  private final ArrayDeque<FanotifyEvent> events = new ArrayDeque<>(); // guarded by this
  private final Map<FanotifyEvent.Key, FanotifyEvent> byKey = new HashMap<>(); // guarded by this
  private final List<FanotifyEvent> asked =
      new ArrayList<>(); // guarded by this: read, not answered
  private final Map<Object, Mark> marks = new HashMap<>(); // guarded by this; by what they are on
  private boolean overflown; // guarded by this
  private boolean closed; // guarded by this

  /** What all groups of a kernel use together. */
  public static final class Usage {
    final AtomicInteger groups = new AtomicInteger();
    final AtomicInteger marks = new AtomicInteger();

    /** {@return whether there was room for one more group}, which is counted then */
    public boolean takeGroup() {
      if (groups.incrementAndGet() <= MAX_GROUPS) {
        return true;
      }
      groups.decrementAndGet();
      return false;
    }
  }

  /** A mark on an inode, a mount or a filesystem. */
  private final class Mark extends redoubt.sentry.vfs.Watch {
    final Object on;
    final @Nullable Dentry dentry;
    int mask; // guarded by the group
    int ignored; // guarded by the group
    boolean survivesModify; // guarded by the group
    boolean hasIgnoreFlags; // guarded by the group: set by FAN_MARK_IGNORE
    boolean evictable; // guarded by the group

    Mark(Object on, @Nullable Dentry dentry) {
      this.on = on;
      this.dentry = dentry;
    }

    /** What is ignored of an event: fsnotify_effective_ignore_mask. */
    int ignores(boolean onDir, boolean asParent) {
      int flags = hasIgnoreFlags ? ignored : FAN_ONDIR | (mask & FAN_EVENT_ON_CHILD);
      if ((onDir && (flags & FAN_ONDIR) == 0) || (asParent && (flags & FAN_EVENT_ON_CHILD) == 0)) {
        return 0;
      }
      return ignored & ALL_EVENTS;
    }

    /** What is wanted of an event: fsnotify_mask_applicable. */
    int wants(boolean onDir, boolean asParent) {
      if ((onDir && (mask & FAN_ONDIR) == 0) || (asParent && (mask & FAN_EVENT_ON_CHILD) == 0)) {
        return 0;
      }
      return mask;
    }

    /** A line of /proc/PID/fdinfo: fs/notify/fdinfo.c. */
    void describe(StringBuilder text) {
      if (on instanceof Inode i) {
        text.append("fanotify ino:").append(Long.toHexString(i.ino()));
        text.append(" sdev:").append(Long.toHexString(i.fs.device()));
      } else if (on instanceof Mount m) {
        text.append("fanotify mnt_id:").append(Integer.toHexString(m.id));
      } else if (on instanceof FileSystem fs) {
        text.append("fanotify sdev:").append(Long.toHexString(fs.device()));
      }
      int flags =
          (survivesModify ? FAN_MARK_IGNORED_SURV_MODIFY : 0)
              | (evictable ? FAN_MARK_EVICTABLE : 0)
              | (hasIgnoreFlags ? FAN_MARK_IGNORE : 0);
      text.append(" mflags:").append(Integer.toHexString(flags));
      text.append(" mask:").append(Integer.toHexString(mask));
      text.append(" ignored_mask:").append(Integer.toHexString(ignored)).append('\n');
    }

    @Override
    protected void event(int what, int cookie, @Nullable String name, boolean unlinked) {
      Dentry d = dentry;
      if (what == FAN_DELETE_SELF && d != null && on instanceof Inode inode) {
        int bits = inode.isDirectory() ? what | FAN_ONDIR : what;
        Fanotify.this.event(new FsEvent(bits, null, d, inode, null, null, null, null));
      }
    }

    @Override
    protected void inodeGone() {
      forget(this);
    }
  }

  /**
   * @param usage whose {@link Usage#takeGroup} has counted this one
   * @param initFlags FAN_* of fanotify_init(2), checked
   * @param eventFlags for the files that events open
   */
  public Fanotify(Task t, Usage usage, int initFlags, int eventFlags, boolean unprivileged) {
    super(
        AnonymousFiles.of(t.kernel()).newOther(t.creds(), "[fanotify]"),
        O_RDWR | ((initFlags & FAN_NONBLOCK) != 0 ? O_NONBLOCK : 0),
        t.creds());
    this.usage = usage;
    this.handles = HandleTable.of(t.kernel());
    this.initFlags = initFlags;
    this.eventFlags = eventFlags;
    this.unprivileged = unprivileged;
    FsNotify.join(this);
  }

  public boolean isUnprivileged() {
    return unprivileged;
  }

  /** {@return whether it reports handles and not descriptors} */
  public boolean hasHandles() {
    return (initFlags & FID_BITS) != 0;
  }

  public boolean has(int initFlag) {
    return (initFlags & initFlag) != 0;
  }

  @Override
  public boolean decides() {
    return (initFlags & CLASS_BITS) != 0;
  }

  // ---- marks ----

  /**
   * FAN_MARK_ADD with checked arguments.
   *
   * @param on an Inode, a Mount or a FileSystem
   * @param d the inode's dentry
   * @return 0 or -errno
   */
  public long mark(Object on, Dentry d, int mask, int flags) {
    boolean ignore = (flags & (FAN_MARK_IGNORE | FAN_MARK_IGNORED_MASK)) != 0;
    boolean survives = (flags & FAN_MARK_IGNORED_SURV_MODIFY) != 0;
    if (ignore && !survives && on instanceof Inode i && i.hasWriters()) {
      return 0; // the next write would clear it
    }
    Mark added = null;
    synchronized (this) {
      Mark m = marks.get(on);
      if (m == null) {
        if (usage.marks.incrementAndGet() > (has(FAN_UNLIMITED_MARKS) ? MOST : MAX_MARKS)) {
          usage.marks.decrementAndGet();
          return -ENOSPC;
        }
        m = new Mark(on, on instanceof Inode ? d : null);
        m.evictable = (flags & FAN_MARK_EVICTABLE) != 0;
        marks.put(on, m);
        added = m;
      } else if (!mayUpdate(m, flags)) {
        return -EEXIST;
      }
      m.evictable &= (flags & FAN_MARK_EVICTABLE) != 0;
      if (ignore) {
        m.ignored |= mask;
        m.survivesModify |= survives;
        m.hasIgnoreFlags |= (flags & FAN_MARK_IGNORE) != 0;
      } else {
        m.mask |= mask;
      }
    }
    if (added != null && on instanceof Inode) {
      FsNotify.add(d, added);
    }
    return 0;
  }

  /** fanotify_may_update_existing_mark. */
  private static boolean mayUpdate(Mark m, int flags) {
    if ((flags & FAN_MARK_EVICTABLE) != 0 && !m.evictable) {
      return false;
    }
    if ((flags & FAN_MARK_IGNORED_MASK) != 0 && m.hasIgnoreFlags) {
      return false;
    }
    return (flags & FAN_MARK_IGNORE) == 0
        || (flags & FAN_MARK_IGNORED_SURV_MODIFY) != 0
        || !m.survivesModify;
  }

  /** FAN_MARK_REMOVE. Returns 0 or -ENOENT. */
  public long unmark(Object on, int mask, int flags, int kept) {
    Mark gone;
    synchronized (this) {
      Mark m = marks.get(on);
      if (m == null) {
        return -ENOENT;
      }
      if ((flags & (FAN_MARK_IGNORE | FAN_MARK_IGNORED_MASK)) != 0) {
        m.ignored &= ~mask;
      } else {
        m.mask &= ~mask;
      }
      if (((m.mask | m.ignored) & ~kept) != 0) {
        return 0;
      }
      gone = m;
    }
    drop(gone);
    return 0;
  }

  /** FAN_MARK_FLUSH: removes all marks on things of class {@code kind}. */
  public void flush(Class<?> kind) {
    for (Mark m : marks()) {
      if (kind.isInstance(m.on)) {
        drop(m);
      }
    }
  }

  private synchronized Mark[] marks() {
    return marks.values().toArray(new Mark[0]);
  }

  private void drop(Mark m) {
    if (!(m.on instanceof Inode inode) || FsNotify.remove(inode, m)) {
      forget(m);
    }
  }

  private void forget(Mark m) {
    synchronized (this) {
      if (!marks.remove(m.on, m)) {
        return;
      }
    }
    usage.marks.decrementAndGet();
  }

  @Override
  public void unmounted(FileSystem fs) {
    dropMark(fs);
  }

  @Override
  public void mountGone(Mount m) {
    dropMark(m);
  }

  private void dropMark(Object on) {
    Mark m;
    synchronized (this) {
      m = marks.get(on);
    }
    if (m != null) {
      forget(m);
    }
  }

  // ---- events ----

  @Override
  public void event(FsEvent e) {
    int mask;
    synchronized (this) {
      mask = wanted(e);
    }
    if (mask != 0) {
      queueEvent(make(e, mask));
    }
  }

  @Override
  public long ask(Task t, FsEvent e) {
    int mask;
    synchronized (this) {
      mask = closed ? 0 : wanted(e);
    }
    if (mask == 0) {
      return 0;
    }
    FanotifyEvent question = make(e, mask);
    queueEvent(question);
    Waiter.Entry entry = t.waitEntry();
    answers.add(entry, Poll.POLLIN);
    try {
      while (question.response == 0) {
        if (t.waiter().block(Waiter.FOREVER) < 0 && !awaitThroughSignals(t, question)) {
          abandon(question);
          return -EINTR;
        }
      }
    } finally {
      answers.remove(entry);
    }
    return (question.response & FAN_DENY) != 0 ? -EPERM : 0;
  }

  /** A signal that does not kill leaves the question open. {@return false for one that kills} */
  private static boolean awaitThroughSignals(Task t, FanotifyEvent question) {
    while (question.response == 0) {
      if (t.isKilled()) {
        return false;
      }
      t.waiter().block(System.nanoTime() + 20_000_000, false);
    }
    return true;
  }

  private void abandon(FanotifyEvent question) {
    boolean queued;
    synchronized (this) {
      queued = events.remove(question);
      asked.remove(question);
    }
    if (queued) {
      question.unpin();
    }
  }

  /** {@return what of {@code e} is reported}: fanotify_group_event_mask */
  private int wanted(FsEvent e) {
    boolean fid = hasHandles();
    VfsPath path = e.path();
    boolean onDir = (e.mask() & FAN_ONDIR) != 0;
    if (!fid) {
      if (path == null || !(e.inode().isRegular() || e.inode().isDirectory())) {
        return 0;
      }
    } else if (!has(FAN_REPORT_FID) && e.dir() == null && !onDir) {
      return 0;
    }
    boolean entry = (e.mask() & FanotifyEvent.ENTRY_EVENTS) != 0;
    Dentry dir = e.dir();
    Dentry newDir = e.newDir();
    Inode dirInode = dir == null ? null : dir.inodeOrNull();
    Mark self = entry ? null : marks.get(e.inode());
    Mark parent = dirInode == null ? null : marks.get(dirInode);
    Mark target = newDir == null ? null : marks.get(newDir.inode());
    Mark mount = path == null ? null : marks.get(path.mount);
    Mark fs = marks.get(e.inode().fs);
    int wants =
        wants(self, onDir, false) | wants(parent, onDir, !entry) | wants(target, onDir, false);
    wants |= wants(mount, onDir, false) | wants(fs, onDir, false);
    int ignores = ignores(self, onDir, false) | ignores(parent, onDir, !entry);
    ignores |= ignores(mount, onDir, false) | ignores(fs, onDir, false);
    if ((e.mask() & FAN_MODIFY) != 0) {
      modified(self);
      modified(parent);
      modified(mount);
      modified(fs);
    }
    int hit = e.mask() & wants & ~ignores;
    if ((hit & ~EVENT_FLAGS) == 0) {
      return 0;
    }
    return fid ? hit & ~FAN_EVENT_ON_CHILD : hit & ~EVENT_FLAGS;
  }

  private static int wants(@Nullable Mark m, boolean onDir, boolean asParent) {
    return m == null ? 0 : m.wants(onDir, asParent);
  }

  private static int ignores(@Nullable Mark m, boolean onDir, boolean asParent) {
    return m == null ? 0 : m.ignores(onDir, asParent);
  }

  /** What is ignored until the next write is ignored no more. */
  private static void modified(@Nullable Mark m) {
    if (m != null && !m.survivesModify) {
      m.ignored = 0;
    }
  }

  private FanotifyEvent make(FsEvent e, int mask) {
    Task who = Task.current();
    Object whoId = who == null ? "" : has(FAN_REPORT_TID) ? who : who.threadGroup();
    if (!hasHandles()) {
      VfsPath p = e.path();
      FanotifyEvent made = new FanotifyEvent(mask, who, p);
      if (p != null) {
        made.key =
            new FanotifyEvent.Key(whoId, p.mount, p.dentry, null, null, (mask & FAN_ONDIR) != 0);
      }
      return made;
    }
    FanotifyEvent made = new FanotifyEvent(mask, who, null);
    identify(made, e, mask);
    Object object = made.object;
    if ((mask & FAN_RENAME) == 0) {
      made.key =
          new FanotifyEvent.Key(whoId, null, object, made.dir, made.name, (mask & FAN_ONDIR) != 0);
    }
    return made;
  }

  /** Says which files an event is about: fanotify_alloc_event. */
  private void identify(FanotifyEvent made, FsEvent e, int mask) {
    boolean entry = (mask & FanotifyEvent.ENTRY_EVENTS) != 0;
    boolean onDir = (mask & FAN_ONDIR) != 0;
    Dentry dir = e.dir();
    Dentry object = entry && !has(FAN_REPORT_TARGET_FID) && dir != null ? dir : e.object();
    Dentry dirOf = entry ? dir : onDir ? e.object() : dir;
    if (!has(FAN_REPORT_DIR_FID) || dirOf == null) {
      made.object = id(object);
      return;
    }
    boolean childToo = entry ? has(FAN_REPORT_TARGET_FID) : has(FAN_REPORT_FID) && !onDir;
    if (!has(FAN_REPORT_NAME) && !childToo) {
      made.object = id(dirOf);
      return;
    }
    made.dir = id(dirOf);
    if (childToo && object != dirOf) {
      made.object = id(object);
    }
    if (has(FAN_REPORT_NAME)) {
      made.name = entry || !onDir ? (e.name() == null ? e.object().name() : e.name()) : ".";
    }
    Dentry newDir = e.newDir();
    if ((mask & FAN_RENAME) != 0 && newDir != null) {
      made.newDir = id(newDir);
      made.newName = e.newName();
    }
  }

  private FanotifyEvent.FileId id(Dentry d) {
    return new FanotifyEvent.FileId(d.fs.device(), handles.number(d));
  }

  private void queueEvent(FanotifyEvent e) {
    boolean dropped = false;
    synchronized (this) {
      FanotifyEvent.Key key = e.key;
      FanotifyEvent same = key == null || e.asks() ? null : byKey.get(key);
      if (closed) {
        dropped = true;
        e.response = FAN_ALLOW;
      } else if (same != null) {
        same.mask |= e.mask;
        dropped = true;
      } else if (events.size() < (has(FAN_UNLIMITED_QUEUE) ? MOST : MAX_QUEUED)) {
        events.add(e);
        if (key != null && !e.asks()) {
          byKey.put(key, e);
        }
      } else {
        dropped = true;
        e.response = FAN_ALLOW;
        if (!overflown) {
          overflown = true;
          events.add(new FanotifyEvent(FAN_Q_OVERFLOW, null, null));
        }
      }
    }
    if (dropped) {
      e.unpin();
    }
    queue.notify(Poll.POLLIN | Poll.POLLRDNORM);
  }

  // ---- reading and answering ----

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    long done = 0;
    for (; ; ) {
      FanotifyEvent e;
      synchronized (this) {
        e = events.peek();
        if (e == null) {
          return done > 0 ? done : -EAGAIN;
        }
        if (e.length(this) > dst.remaining()) {
          return done > 0 ? done : -EINVAL;
        }
        events.remove();
        if (e.key != null) {
          byKey.remove(e.key, e);
        }
        overflown &= e.mask != FAN_Q_OVERFLOW;
      }
      long r = give(t, dst, e);
      if (r < 0) {
        if (e.asks()) {
          answer(e, FAN_DENY);
        }
        return done > 0 && r != -EFAULT ? done : r;
      }
      done += r;
    }
  }

  /** Gives one event to the reader. Returns its length or -errno. */
  private long give(Task t, IoBuffer dst, FanotifyEvent e) {
    VfsPath path = e.path;
    int fd = FAN_NOFD;
    if (path != null) {
      long r = openFor(t, path);
      if (r < 0) {
        e.unpin();
        return r;
      }
      fd = (int) r;
    }
    if (e.asks()) {
      synchronized (this) {
        if (closed) {
          e.response = FAN_ALLOW;
        } else {
          e.fd = fd;
          asked.add(e);
        }
      }
    }
    int pidfd = has(FAN_REPORT_PIDFD) ? pidFd(t, e) : FAN_NOPIDFD;
    MemorySegment s = t.scratch();
    int length = e.write(this, s, t.pidNamespace(), fd, pidfd);
    long n = dst.put(s, 0, length);
    e.unpin();
    if (n == length) {
      return length;
    }
    if (fd >= 0) {
      t.fds().close(t, fd);
    }
    synchronized (this) {
      asked.remove(e);
    }
    return -EFAULT;
  }

  private long openFor(Task t, VfsPath path) {
    try {
      FileDescription f =
          path.inode().open(t, path, eventFlags & ~redoubt.abi.Fcntl.O_CLOEXEC).openedSilently();
      return t.installFd(f, (eventFlags & redoubt.abi.Fcntl.O_CLOEXEC) != 0);
    } catch (ErrnoException e) {
      return -e.errno();
    }
  }

  private int pidFd(Task t, FanotifyEvent e) {
    Task who = e.who;
    if (who == null || unprivileged || who.threadGroup().isZombie()) {
      return who == null ? FAN_EPIDFD : FAN_NOPIDFD;
    }
    if (who.threadGroup().tgidIn(t.pidNamespace()) == 0) {
      return FAN_NOPIDFD;
    }
    long fd = t.installFd(new PidFd(t, who.threadGroup().leader(), false, 0), true);
    return fd < 0 ? FAN_EPIDFD : (int) fd;
  }

  @Override
  public boolean writesWhole() {
    return false;
  }

  @Override
  public long write(Task t, IoBuffer src, long offset) {
    if (src.remaining() < SIZEOF_RESPONSE) {
      return -EINVAL;
    }
    MemorySegment s = t.scratch();
    if (src.get(s, 0, SIZEOF_RESPONSE) != SIZEOF_RESPONSE) {
      return -EFAULT;
    }
    int fd = s.get(Memory.INT, 0);
    int response = s.get(Memory.INT, 4);
    int verdict = response & ~FAN_AUDIT;
    if ((verdict != FAN_ALLOW && verdict != FAN_DENY)
        || ((response & FAN_AUDIT) != 0 && !has(FAN_ENABLE_AUDIT))
        || fd < 0) {
      return -EINVAL;
    }
    FanotifyEvent question = null;
    synchronized (this) {
      for (FanotifyEvent e : asked) {
        if (e.fd == fd) {
          question = e;
          break;
        }
      }
      if (question == null) {
        return -ENOENT;
      }
      asked.remove(question);
    }
    answer(question, verdict);
    return SIZEOF_RESPONSE;
  }

  private void answer(FanotifyEvent question, int verdict) {
    question.response = verdict;
    answers.notify(Poll.POLLIN);
  }

  @Override
  public synchronized int poll() {
    return events.isEmpty() ? 0 : Poll.POLLIN | Poll.POLLRDNORM;
  }

  @Override
  public WaitQueue waitQueue() {
    return queue;
  }

  /** noop_llseek. */
  @Override
  public long seek(Task t, long offset, int whence) {
    return 0;
  }

  @Override
  public long ioctl(Task t, Args a) {
    if (a.int1() != Ioctls.FIONREAD) {
      return -ENOTTY;
    }
    int bytes;
    synchronized (this) {
      bytes = events.size() * SIZEOF_METADATA;
    }
    return t.copyOutInt(a.a2, bytes);
  }

  @Override
  public String fdinfo() {
    StringBuilder text = new StringBuilder("fanotify flags:");
    text.append(Integer.toHexString(initFlags & ~FAN_CLOEXEC));
    text.append(" event-flags:").append(Integer.toHexString(eventFlags)).append('\n');
    synchronized (this) {
      for (Mark m : marks.values()) {
        m.describe(text);
      }
    }
    return text.toString();
  }

  @Override
  public String linkText() {
    return "anon_inode:[fanotify]";
  }

  @Override
  protected void release() {
    FsNotify.leave(this);
    List<FanotifyEvent> dropped;
    synchronized (this) {
      closed = true;
      dropped = new ArrayList<>(events);
      events.clear();
      byKey.clear();
      for (FanotifyEvent e : asked) {
        e.response = FAN_ALLOW;
      }
      asked.clear();
    }
    for (FanotifyEvent e : dropped) {
      e.response = FAN_ALLOW;
      e.unpin();
    }
    answers.notify(Poll.POLLIN);
    for (Mark m : marks()) {
      drop(m);
    }
    usage.groups.decrementAndGet();
  }
}
