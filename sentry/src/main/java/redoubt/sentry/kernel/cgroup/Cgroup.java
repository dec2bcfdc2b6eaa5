package redoubt.sentry.kernel.cgroup;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EBUSY;
import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.EOPNOTSUPP;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.ErrnoException;

/**
 * One control group: kernel/cgroup/cgroup.c. The root of a container's tree is the container's own
 * group, whose limits the host enforces; it has all files that a group below it has.
 *
 * <p>Differs from Linux: memory that several processes share by a fork, and pages of tmpfs, are
 * charged to the root only. Guarded by {@code TaskSet.mu} but for what says otherwise.
 */
public final class Cgroup {
  /** No limit. */
  public static final long MAX = Long.MAX_VALUE;

  /** Most groups in a container: each is a directory of some thirty files. */
  private static final int GROUPS_LIMIT = 4096;

  /** Hears of changes of a group's files. Told without locks, by any thread. */
  public interface Listener {
    /** What file {@code name} shows has changed by itself. */
    void changed(String name);
  }

  private final @Nullable Cgroup parent;
  private final String name;
  private final int depth;
  private final Map<String, Cgroup> children = new LinkedHashMap<>();
  private final CopyOnWriteArrayList<Listener> listeners = new CopyOnWriteArrayList<>();

  /** Its files in the one instance of cgroup2 that has it as its root; owned by {@code fs}. */
  public volatile @Nullable Object rootOf;

  private volatile boolean removed;
  private int descendants;
  private int subtreeControl;
  private boolean threaded;
  private int threadedChildren;

  /** Live tasks in this very group, and with all groups below. */
  private int tasks;

  private int subtreeTasks;

  /** Tasks with a number, zombies included, here and below: pids.current. */
  private int pids;

  private int pidsPeak;
  private boolean frozenByItself;
  private boolean frozen;

  /** Tasks here and below that stand still for a frozen group. */
  private int parked;

  private boolean reportedPopulated;
  private boolean reportedFrozen;

  public long maxDepth = MAX;
  public long maxDescendants = MAX;
  public long pidsMax = MAX;
  public long pidsEvents;
  public final MemoryLimits memory = new MemoryLimits();
  public final CpuLimits cpu = new CpuLimits();

  /** What was written to files that are kept and have no effect, by name. */
  public final Map<String, String> kept = new LinkedHashMap<>();

  /** CPUs and nodes asked for, "" for the parent's. */
  public volatile String cpus = "";

  private volatile long cpusAsked;

  public volatile String mems = "";

  /** A container's own group. */
  public Cgroup() {
    this(null, "");
  }

  private Cgroup(@Nullable Cgroup parent, String name) {
    this.parent = parent;
    this.name = name;
    this.depth = parent == null ? 0 : parent.depth + 1;
  }

  // ---- the tree ----

  public @Nullable Cgroup parent() {
    return parent;
  }

  public String name() {
    return name;
  }

  public Collection<Cgroup> children() {
    return children.values();
  }

  public @Nullable Cgroup child(String childName) {
    return children.get(childName);
  }

  /** {@return whether it was removed}; without a lock */
  public boolean isRemoved() {
    return removed;
  }

  /** {@return how many groups there are below} */
  public int descendants() {
    return descendants;
  }

  /** {@return whether this is {@code other} or below it} */
  public boolean isWithin(Cgroup other) {
    for (Cgroup c = this; c != null; c = c.parent) {
      if (c == other) {
        return true;
      }
    }
    return false;
  }

  /** {@return the lowest group that has both} */
  public Cgroup commonAncestor(Cgroup other) {
    Cgroup c = this;
    while (c.parent != null && !other.isWithin(c)) {
      c = c.parent;
    }
    return c;
  }

  /** {@return the container's own group} */
  public Cgroup top() {
    Cgroup c = this;
    while (c.parent != null) {
      c = c.parent;
    }
    return c;
  }

  /**
   * {@return its path as somebody whose tree begins at {@code root} sees it}: "/", "/a", "/../b"
   */
  public String pathFrom(Cgroup root) {
    StringBuilder o = new StringBuilder();
    Cgroup from = root;
    while (!isWithin(from) && from.parent != null) {
      o.append("/..");
      from = from.parent;
    }
    int at = o.length();
    for (Cgroup c = this; c != from && c.parent != null; c = c.parent) {
      o.insert(at, "/" + c.name);
    }
    return o.isEmpty() ? "/" : o.toString();
  }

  /**
   * Makes a group below.
   *
   * @throws ErrnoException ENOENT, EINVAL, EEXIST, EAGAIN
   */
  public Cgroup make(String childName) {
    if (removed) {
      throw ErrnoException.of(ENOENT);
    }
    if (childName.indexOf('\n') >= 0) {
      throw ErrnoException.of(EINVAL);
    }
    if (children.containsKey(childName)) {
      throw ErrnoException.of(EEXIST);
    }
    long level = 1;
    for (Cgroup c = this; c != null; c = c.parent, level++) {
      long most = c.parent == null ? Math.min(GROUPS_LIMIT, c.maxDescendants) : c.maxDescendants;
      if (c.descendants >= most || level > c.maxDepth) {
        throw ErrnoException.of(EAGAIN);
      }
    }
    Cgroup made = new Cgroup(this, childName);
    made.frozen = frozen;
    made.reportedFrozen = frozen;
    children.put(childName, made);
    for (Cgroup c = this; c != null; c = c.parent) {
      c.descendants++;
    }
    return made;
  }

  /**
   * Removes this group; its zombies go on in its parent.
   *
   * @throws ErrnoException EBUSY
   */
  public void remove() {
    Cgroup up = parent;
    if (up == null || subtreeTasks > 0 || !children.isEmpty()) {
      throw ErrnoException.of(EBUSY);
    }
    if (removed) {
      throw ErrnoException.of(ENOENT);
    }
    removed = true;
    up.children.remove(name);
    if (threaded) {
      up.threadedChildren--;
    }
    for (Cgroup c = up; c != null; c = c.parent) {
      c.descendants--;
    }
  }

  // ---- controllers ----

  /** {@return the controllers that have files here, as {@link Controller#bit}s} */
  public int controllers() {
    int all = parent == null ? Controller.ALL : parent.subtreeControl;
    return threaded ? all & Controller.THREADED : all;
  }

  /** {@return the controllers that the children have} */
  public int subtreeControl() {
    return subtreeControl;
  }

  /**
   * Turns controllers of the children on and off: cgroup_subtree_control_write.
   *
   * @param text words that begin with + or -
   * @return 0 or -errno
   */
  public long setSubtreeControl(String text) {
    int on = 0;
    int off = 0;
    for (String word : text.strip().split("[ \n]+")) {
      int bit = word.isEmpty() ? 0 : Controller.bitOf(word.substring(1));
      if (word.isEmpty()) {
        continue;
      }
      if (bit == 0) {
        return -EINVAL;
      }
      switch (word.charAt(0)) {
        case '+' -> {
          on |= bit;
          off &= ~bit;
        }
        case '-' -> {
          off |= bit;
          on &= ~bit;
        }
        default -> {
          return -EINVAL;
        }
      }
    }
    return removed ? -ENODEV : change(on & ~subtreeControl, off & subtreeControl);
  }

  private long change(int on, int off) {
    if ((on & ~controllers()) != 0) {
      return -ENOENT;
    }
    for (Cgroup c : children.values()) {
      if ((c.subtreeControl & off) != 0) {
        return -EBUSY;
      }
    }
    if (on != 0) {
      long e = vetEnable(on & ~Controller.THREADED);
      if (e < 0) {
        return e;
      }
    }
    subtreeControl = (subtreeControl | on) & ~off;
    return 0;
  }

  /** cgroup_vet_subtree_control_enable. */
  private long vetEnable(int ofDomains) {
    if (!domain().isValidDomain()) {
      return -EOPNOTSUPP;
    }
    if (ofDomains != 0) {
      if (isThreadRoot() || threaded) {
        return -EOPNOTSUPP;
      }
    } else if (canBeThreadRoot() || threaded) {
      return 0;
    }
    return tasks > 0 ? -EBUSY : 0;
  }

  // ---- threaded groups ----

  public boolean isThreaded() {
    return threaded;
  }

  /** {@return the group that the resources of whole processes belong to} */
  public Cgroup domain() {
    Cgroup c = this;
    while (c.threaded && c.parent != null) {
      c = c.parent;
    }
    return c;
  }

  private boolean isThreadRoot() {
    return !threaded
        && (threadedChildren > 0 || (tasks > 0 && (subtreeControl & Controller.THREADED) != 0));
  }

  private boolean isValidDomain() {
    if (threaded) {
      return false;
    }
    for (Cgroup c = parent; c != null; c = c.parent) {
      if (c.isThreadRoot() || c.threaded) {
        return false;
      }
    }
    return true;
  }

  private boolean canBeThreadRoot() {
    return isValidDomain() && (subtreeControl & ~Controller.THREADED) == 0;
  }

  /** {@return the text of cgroup.type} */
  public String type() {
    if (threaded) {
      return "threaded";
    }
    return !isValidDomain() ? "domain invalid" : isThreadRoot() ? "domain threaded" : "domain";
  }

  /** Makes it a threaded group: cgroup_enable_threaded. Returns 0 or -errno. */
  public long enableThreaded() {
    if (threaded) {
      return 0;
    }
    Cgroup up = parent;
    if (up == null || subtreeTasks > 0 || (subtreeControl & ~Controller.THREADED) != 0) {
      return -EOPNOTSUPP;
    }
    Cgroup domain = up.domain();
    if (!domain.isValidDomain() || !domain.canBeThreadRoot()) {
      return -EOPNOTSUPP;
    }
    threaded = true;
    up.threadedChildren++;
    return 0;
  }

  // ---- CPUs ----

  /** Sets cpuset.cpus; 0 for the parent's. */
  public void setCpus(String text, long mask) {
    cpus = text;
    cpusAsked = mask;
  }

  /** {@return the CPUs that its tasks may run on, as bits}: cpuset.cpus.effective */
  public long cpuMask() {
    long mask = -1;
    for (Cgroup c = this; c != null; c = c.parent) {
      long both = mask & c.cpusAsked;
      mask = both == 0 ? mask : both;
    }
    return mask;
  }

  // ---- members ----

  /** {@return whether tasks may come}: cgroup_migrate_vet_dst; 0 or -errno */
  public long vetDestination() {
    if (removed) {
      return -ENODEV;
    }
    if (!domain().isValidDomain()) {
      return -EOPNOTSUPP;
    }
    return canBeThreadRoot() || threaded || subtreeControl == 0 ? 0 : -EBUSY;
  }

  /** {@return whether one more task may be made}; counts where it was refused */
  public boolean mayFork() {
    for (Cgroup c = this; c != null; c = c.parent) {
      if (c.pids >= c.pidsMax) {
        return false;
      }
    }
    return true;
  }

  /** Counts a refusal of {@link #mayFork}. To be told: {@link #tell} of the result. */
  public Cgroup refused() {
    Cgroup c = this;
    while (c.pids < c.pidsMax && c.parent != null) {
      c = c.parent;
    }
    c.pidsEvents++;
    return c;
  }

  /** A live task came ({@code n} 1) or went (-1). */
  public void addTasks(int n) {
    tasks += n;
    for (Cgroup c = this; c != null; c = c.parent) {
      c.subtreeTasks += n;
    }
  }

  /** A number was given to a task of this group, or is free again. */
  public void addPids(int n) {
    for (Cgroup c = this; c != null; c = c.parent) {
      c.pids += n;
      c.pidsPeak = Math.max(c.pidsPeak, c.pids);
    }
  }

  public void addParked(int n) {
    for (Cgroup c = this; c != null; c = c.parent) {
      c.parked += n;
    }
  }

  public int pids() {
    return pids;
  }

  public int pidsPeak() {
    return pidsPeak;
  }

  public boolean isPopulated() {
    return subtreeTasks > 0;
  }

  // ---- freezing ----

  /** {@return whether cgroup.freeze says so here} */
  public boolean isFrozenByItself() {
    return frozenByItself;
  }

  /** {@return whether this group or one above is to stand still} */
  public boolean isFrozen() {
    return frozen;
  }

  public void setFrozenByItself(boolean on) {
    frozenByItself = on;
    spreadFrozen();
  }

  private void spreadFrozen() {
    frozen = frozenByItself || (parent != null && parent.frozen);
    for (Cgroup c : children.values()) {
      c.spreadFrozen();
    }
  }

  /** {@return whether everybody stands still}: "frozen" of cgroup.events */
  public boolean standsStill() {
    return frozen && parked >= subtreeTasks;
  }

  // ---- being told ----

  public void listen(Listener l) {
    listeners.addIfAbsent(l);
  }

  public void forget(Listener l) {
    listeners.remove(l);
  }

  /** Tells who listens that file {@code file} has changed. Without locks. */
  public void tell(String file) {
    for (Listener l : listeners) {
      l.changed(file);
    }
  }

  /**
   * {@return this group and those above whose cgroup.events have changed since that was last
   * asked}, for {@link #tell}
   */
  public List<Cgroup> takeChanged() {
    List<Cgroup> out = new ArrayList<>(0);
    for (Cgroup c = this; c != null; c = c.parent) {
      c.takeChanged(out);
    }
    return out;
  }

  /** As {@link #takeChanged()}, with all groups below. */
  public List<Cgroup> takeChangedBelow() {
    List<Cgroup> out = takeChanged();
    addChangedBelow(out);
    return out;
  }

  private void addChangedBelow(List<Cgroup> out) {
    for (Cgroup c : children.values()) {
      c.takeChanged(out);
      c.addChangedBelow(out);
    }
  }

  private void takeChanged(List<Cgroup> out) {
    if (reportedPopulated != isPopulated() || reportedFrozen != standsStill()) {
      reportedPopulated = isPopulated();
      reportedFrozen = standsStill();
      out.add(this);
    }
  }
}
