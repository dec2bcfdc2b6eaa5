package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EAGAIN;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Numbers for tasks, process groups and sessions: <a
 * href="https://man7.org/linux/man-pages/man7/pid_namespaces.7.html">pid_namespaces(7)</a>. Guarded
 * by {@code TaskSet.mu}.
 */
public final class PidNamespace {
  /** One more than the highest pid. */
  public static final int PID_MAX = 4194304;

  private final TreeMap<Integer, Task> tasks = new TreeMap<>();
  private final java.util.HashMap<Integer, Integer> groupUse = new java.util.HashMap<>();
  private int lastPid;
  private int limit = 32768;

  /**
   * {@return a free number}, counting upwards as Linux does; ErrnoException EAGAIN when none is
   * left
   */
  int allocate() {
    for (int tries = 0; tries < limit; tries++) {
      lastPid = lastPid + 1 >= limit ? (lastPid < 300 ? 1 : 300) : lastPid + 1;
      if (!tasks.containsKey(lastPid) && !groupUse.containsKey(lastPid)) {
        return lastPid;
      }
    }
    throw ErrnoException.of(EAGAIN);
  }

  void put(int tid, Task t) {
    tasks.put(tid, t);
  }

  void remove(int tid) {
    tasks.remove(tid);
  }

  /** Keeps {@code id} from being reused while a process group or session has it. */
  void useGroup(int id) {
    groupUse.merge(id, 1, Integer::sum);
  }

  void unuseGroup(int id) {
    groupUse.computeIfPresent(id, (k, n) -> n == 1 ? null : n - 1);
  }

  /** {@return the task with thread id {@code tid}, or null} */
  public @Nullable Task task(int tid) {
    return tasks.get(tid);
  }

  /** {@return the thread group whose leader has number {@code tgid}, or null} */
  public @Nullable ThreadGroup threadGroup(int tgid) {
    Task t = tasks.get(tgid);
    return t != null && t.threadGroup().tgid() == tgid ? t.threadGroup() : null;
  }

  /** {@return the thread group with the lowest number that is {@code from} or more, or null} */
  public @Nullable ThreadGroup nextThreadGroup(int from) {
    for (Task t : tasks.tailMap(from).values()) {
      if (t.tid() == t.threadGroup().tgid()) {
        return t.threadGroup();
      }
    }
    return null;
  }

  /** {@return all thread groups, in order of number} */
  public List<ThreadGroup> threadGroups() {
    List<ThreadGroup> out = new ArrayList<>();
    for (Task t : tasks.values()) {
      if (t.tid() == t.threadGroup().tgid()) {
        out.add(t.threadGroup());
      }
    }
    return out;
  }

  /** {@return all tasks, in order of number} */
  public List<Task> tasks() {
    return new ArrayList<>(tasks.values());
  }

  /** {@return pid_max}: numbers are below it */
  public int limit() {
    return limit;
  }

  /** Sets pid_max; under {@code TaskSet.mu}. */
  public void setLimit(int pidMax) {
    limit = pidMax;
  }

  public int lastPid() {
    return lastPid;
  }

  public int size() {
    return tasks.size();
  }
}
