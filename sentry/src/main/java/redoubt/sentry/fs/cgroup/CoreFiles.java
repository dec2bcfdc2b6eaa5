package redoubt.sentry.fs.cgroup;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.ERANGE;
import static redoubt.abi.Errno.ESRCH;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.CgroupMembers;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.cgroup.Cgroup;
import redoubt.sentry.kernel.cgroup.Controller;
import redoubt.sentry.vfs.Inode;

/** The files that begin with "cgroup.": cgroup_base_files of kernel/cgroup/cgroup.c. */
public final class CoreFiles {
  private static final String PRESSURE =
      "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
          + "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";

  private CoreFiles() {}

  static void addTo(List<FileType> files) {
    files.add(FileType.set("cgroup.type", null, CoreFiles::type, CoreFiles::setType));
    files.add(new FileType("cgroup.procs", 0644, null, true, CoreFiles::procs, CoreFiles::setProc));
    files.add(
        new FileType("cgroup.threads", 0644, null, true, CoreFiles::threads, CoreFiles::setThread));
    files.add(
        FileType.shown(
            "cgroup.controllers",
            null,
            (t, d, o) -> o.append(names(d, d.group.controllers())).append('\n')));
    files.add(
        new FileType(
            "cgroup.subtree_control",
            0644,
            null,
            true,
            (t, d, o) -> o.append(names(d, d.group.subtreeControl())).append('\n'),
            CoreFiles::setSubtreeControl));
    files.add(FileType.shown("cgroup.events", null, CoreFiles::events));
    files.add(
        FileType.set(
            "cgroup.max.descendants",
            null,
            (t, d, o) -> o.append(Numbers.text(d.group.maxDescendants)).append('\n'),
            (t, d, s) -> count(s, v -> d.group.maxDescendants = v)));
    files.add(
        FileType.set(
            "cgroup.max.depth",
            null,
            (t, d, o) -> o.append(Numbers.text(d.group.maxDepth)).append('\n'),
            (t, d, s) -> count(s, v -> d.group.maxDepth = v)));
    files.add(FileType.shown("cgroup.stat", null, CoreFiles::stat));
    files.add(FileType.set("cgroup.freeze", null, CoreFiles::freeze, CoreFiles::setFreeze));
    files.add(new FileType("cgroup.kill", 0200, null, false, null, CoreFiles::kill));
    for (String what : List.of("cpu", "io", "memory")) {
      files.add(FileType.shown(what + ".pressure", null, (t, d, o) -> o.append(PRESSURE)));
    }
  }

  private static Object mu(CgroupDir d) {
    return d.cgroupFs.kernel().tasks().mu;
  }

  private static String names(CgroupDir d, int bits) {
    synchronized (mu(d)) {
      return Controller.names(bits);
    }
  }

  private static void type(Task t, CgroupDir d, StringBuilder o) {
    synchronized (mu(d)) {
      o.append(d.group.type()).append('\n');
    }
  }

  private static long setType(Task t, CgroupDir d, String text) {
    if (!text.strip().equals("threaded")) {
      return -EINVAL;
    }
    synchronized (mu(d)) {
      return d.group.enableThreaded();
    }
  }

  private static long setSubtreeControl(Task t, CgroupDir d, String text) {
    synchronized (mu(d)) {
      return d.group.setSubtreeControl(text);
    }
  }

  private static void events(Task t, CgroupDir d, StringBuilder o) {
    synchronized (mu(d)) {
      o.append("populated ").append(d.group.isPopulated() ? 1 : 0);
      o.append("\nfrozen ").append(d.group.standsStill() ? 1 : 0).append('\n');
    }
  }

  private static void stat(Task t, CgroupDir d, StringBuilder o) {
    synchronized (mu(d)) {
      o.append("nr_descendants ").append(d.group.descendants());
      o.append("\nnr_dying_descendants 0\n");
    }
  }

  private interface Setter {
    void set(long value);
  }

  private static long count(String text, Setter s) {
    long v = text.strip().equals("max") ? Cgroup.MAX : Numbers.integer(text);
    if (v == Numbers.BAD) {
      return -EINVAL;
    }
    if (v < 0 || (v != Cgroup.MAX && v > Integer.MAX_VALUE)) {
      return -ERANGE;
    }
    s.set(v);
    return 0;
  }

  private static void freeze(Task t, CgroupDir d, StringBuilder o) {
    o.append(d.group.isFrozenByItself() ? 1 : 0).append('\n');
  }

  private static long setFreeze(Task t, CgroupDir d, String text) {
    long v = Numbers.integer(text);
    if (v == Numbers.BAD) {
      return -EINVAL;
    }
    if (v != 0 && v != 1) {
      return -ERANGE;
    }
    CgroupMembers.freeze(d.cgroupFs.kernel(), d.group, v == 1);
    return 0;
  }

  private static long kill(Task t, CgroupDir d, String text) {
    long v = Numbers.integer(text);
    if (v == Numbers.BAD) {
      return -EINVAL;
    }
    if (v != 1) {
      return -ERANGE;
    }
    synchronized (mu(d)) {
      if (d.group.isThreaded()) {
        return -EOPNOTSUPP;
      }
    }
    CgroupMembers.kill(d.cgroupFs.kernel(), d.group);
    return 0;
  }

  // ---- members ----

  private static void procs(Task t, CgroupDir d, StringBuilder o) {
    synchronized (mu(d)) {
      if (d.group.isThreaded()) {
        throw ErrnoException.of(EOPNOTSUPP);
      }
    }
    Kernel k = d.cgroupFs.kernel();
    Set<Integer> seen = new LinkedHashSet<>();
    boolean root = d.group.type().equals("domain threaded");
    for (Task m : root ? withThreaded(k, d.group) : CgroupMembers.tasksOf(k, d.group)) {
      seen.add(m.threadGroup().tgidIn(t.pidNamespace()));
    }
    for (int pid : seen) {
      o.append(pid).append('\n');
    }
  }

  /** {@return the tasks of {@code group} and of the threaded groups whose domain it is} */
  private static List<Task> withThreaded(Kernel k, Cgroup group) {
    List<Task> out = new java.util.ArrayList<>(CgroupMembers.tasksOf(k, group));
    List<Cgroup> children;
    synchronized (k.tasks().mu) {
      children = List.copyOf(group.children());
    }
    for (Cgroup c : children) {
      if (c.isThreaded()) {
        out.addAll(withThreaded(k, c));
      }
    }
    return out;
  }

  private static void threads(Task t, CgroupDir d, StringBuilder o) {
    for (Task m : CgroupMembers.tasksOf(d.cgroupFs.kernel(), d.group)) {
      o.append(m.tidIn(t.pidNamespace())).append('\n');
    }
  }

  private static long setProc(Task t, CgroupDir d, String text) {
    return attach(t, d, text, true);
  }

  private static long setThread(Task t, CgroupDir d, String text) {
    return attach(t, d, text, false);
  }

  private static long attach(Task t, CgroupDir d, String text, boolean whole) {
    long pid = Numbers.integer(text);
    if (pid < 0 || pid > Integer.MAX_VALUE) {
      return -EINVAL;
    }
    Task who = pid == 0 ? t : find(t, (int) pid);
    if (who == null || who.isDead()) {
      return -ESRCH;
    }
    long e = mayAttach(t, who.cgroup(), d, whole);
    if (e < 0) {
      return e;
    }
    List<Task> tasks = whole ? who.threadGroup().tasks() : List.of(who);
    CgroupMembers.move(d.cgroupFs.kernel(), tasks, d.group);
    return 0;
  }

  private static @Nullable Task find(Task t, int pid) {
    synchronized (t.kernel().tasks().mu) {
      return t.pidNamespace().task(pid);
    }
  }

  /**
   * {@return whether {@code t} may move a task from {@code from} to the group of {@code d}}:
   * cgroup_attach_permissions; 0 or -errno
   */
  static long mayAttach(Task t, Cgroup from, CgroupDir d, boolean whole) {
    Cgroup common = from.commonAncestor(d.group);
    CgroupDir at = d.cgroupFs.view(common);
    if (!at.file("cgroup.procs").permits(t.creds(), Inode.MAY_WRITE)) {
      return -EACCES;
    }
    synchronized (mu(d)) {
      long e = d.group.vetDestination();
      if (e < 0) {
        return e;
      }
      return !whole && from.domain() != d.group.domain() ? -EOPNOTSUPP : 0;
    }
  }

  /**
   * {@return the group whose directory {@code inode} is, for clone3(2)'s CLONE_INTO_CGROUP}, or
   * null if it is no group's
   *
   * @throws ErrnoException what {@link #mayAttach} says against it
   */
  public static @Nullable Cgroup destination(Task t, Inode inode, boolean process) {
    if (!(inode instanceof CgroupDir d)) {
      return null;
    }
    if (d.group.isRemoved()) {
      throw ErrnoException.of(ENOENT);
    }
    if (!d.file("cgroup.procs").permits(t.creds(), Inode.MAY_WRITE)) {
      throw ErrnoException.of(EACCES);
    }
    long e = mayAttach(t, t.cgroup(), d, process);
    if (e < 0) {
      throw ErrnoException.of((int) -e);
    }
    return d.group;
  }
}
