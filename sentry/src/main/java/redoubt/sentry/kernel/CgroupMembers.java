package redoubt.sentry.kernel;

import java.util.ArrayList;
import java.util.List;
import redoubt.abi.Signal;
import redoubt.sentry.kernel.cgroup.Cgroup;

/** Who is in which control group, and what groups do to their members: coming, going, freezing. */
public final class CgroupMembers {
  private CgroupMembers() {}

  /** A new task of {@code c}; under {@code TaskSet.mu}. */
  static void join(Task t, Cgroup c) {
    t.cgroup = c;
    c.addTasks(1);
    c.addPids(1);
    t.halt(Task.HALT_FROZEN, c.isFrozen());
    t.halt(Task.HALT_THROTTLED, isThrottled(c));
  }

  /** A task ends; under {@code TaskSet.mu}. A leader's number stays taken until it is reaped. */
  static void exits(Task t) {
    Cgroup c = t.cgroup;
    ThreadGroup g = t.threadGroup();
    unpark(t);
    c.addTasks(-1);
    if (g.leader == t) {
      numberFreed(g);
      g.zombieIn = c;
    } else {
      c.addPids(-1);
    }
  }

  /** The number of a leader that had ended is free, or another thread's; under {@code mu}. */
  static void numberFreed(ThreadGroup g) {
    Cgroup c = g.zombieIn;
    if (c != null) {
      c.addPids(-1);
      g.zombieIn = null;
    }
  }

  /** After a task came or went, without locks: somebody may wait for a group to be empty. */
  static void tellChanged(Task t) {
    Cgroup c = t.cgroup;
    if (c.parent() == null) {
      return; // a container's own group is as old as its tasks
    }
    List<Cgroup> changed;
    synchronized (t.kernel().tasks().mu) {
      changed = c.takeChanged();
    }
    tell(changed);
  }

  private static void tell(List<Cgroup> changed) {
    for (Cgroup c : changed) {
      c.tell("cgroup.events");
    }
  }

  private static boolean isThrottled(Cgroup group) {
    for (Cgroup c = group; c != null; c = c.parent()) {
      if (c.cpu.throttled) {
        return true;
      }
    }
    return false;
  }

  /** {@return the tasks of {@code top} and of the groups below it}; under {@code mu} */
  static List<Task> tasksWithin(Kernel k, Cgroup top) {
    List<Task> out = new ArrayList<>();
    for (Container c : k.containers().values()) {
      if (top.isWithin(c.cgroup)) {
        for (Task t : c.pids.tasks()) {
          if (!t.dead && t.cgroup.isWithin(top)) {
            out.add(t);
          }
        }
      }
    }
    return out;
  }

  /** {@return the tasks of {@code group} itself, in the order of their numbers} */
  public static List<Task> tasksOf(Kernel k, Cgroup group) {
    synchronized (k.tasks().mu) {
      List<Task> all = tasksWithin(k, group);
      all.removeIf(t -> t.cgroup != group);
      return all;
    }
  }

  /** Moves {@code tasks} to another group; the caller has checked that it may. */
  public static void move(Kernel k, List<Task> tasks, Cgroup to) {
    for (Task t : tasks) {
      if (t.isLeader()) {
        CgroupAccountant.charge(t.threadGroup());
      }
    }
    List<Cgroup> changed = new ArrayList<>();
    synchronized (k.tasks().mu) {
      for (Task t : tasks) {
        if (!t.dead && t.cgroup != to) {
          moveOne(t, to, changed);
        }
      }
      changed.addAll(to.takeChanged());
    }
    tell(changed);
  }

  private static void moveOne(Task t, Cgroup to, List<Cgroup> changed) {
    Cgroup from = t.cgroup;
    unpark(t);
    from.addTasks(-1);
    from.addPids(-1);
    join(t, to);
    changed.addAll(from.takeChanged());
    // It stands still, or goes on, as its new group does.
    t.interrupt();
    t.waiter().wake();
  }

  /** cgroup.freeze: all below stand still, or go on. */
  public static void freeze(Kernel k, Cgroup group, boolean on) {
    List<Cgroup> changed;
    synchronized (k.tasks().mu) {
      group.setFrozenByItself(on);
      for (Task t : tasksWithin(k, group)) {
        boolean still = t.cgroup.isFrozen();
        if (t.halt(Task.HALT_FROZEN, still)) {
          if (still) {
            t.interrupt();
          } else {
            unpark(t);
          }
          t.waiter().wake();
        }
      }
      changed = group.takeChangedBelow();
    }
    tell(changed);
  }

  /** cgroup.kill: nobody is left. */
  public static void kill(Kernel k, Cgroup group) {
    List<Task> all;
    synchronized (k.tasks().mu) {
      all = tasksWithin(k, group);
    }
    for (Task t : all) {
      GroupExit.kill(t.threadGroup(), Signal.SIGKILL);
    }
  }

  /** {@code t} stands still for its group's sake, by its own thread. */
  static void park(Task t) {
    List<Cgroup> changed;
    synchronized (t.kernel().tasks().mu) {
      if (t.parked || !t.isHalted(Task.HALT_FROZEN)) {
        return;
      }
      t.parked = true;
      t.cgroup.addParked(1);
      changed = t.cgroup.takeChanged();
    }
    tell(changed);
  }

  /** {@code t} goes on; under {@code mu}. */
  static void unpark(Task t) {
    if (t.parked) {
      t.parked = false;
      t.cgroup.addParked(-1);
    }
  }

  /** As the other, by its own thread. */
  static void goesOn(Task t) {
    if (t.parked) {
      List<Cgroup> changed;
      synchronized (t.kernel().tasks().mu) {
        unpark(t);
        changed = t.cgroup.takeChanged();
      }
      tell(changed);
    }
  }
}
