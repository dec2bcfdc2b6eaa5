package redoubt.sentry.kernel;

import org.jspecify.annotations.Nullable;

/**
 * A number for a task, process group or session in each of the namespaces that see it: Linux's
 * struct pid. The fields that change are guarded by {@code TaskSet.mu}.
 */
public final class Pid {
  private final PidNamespace namespace;
  private final int[] numbers; // by level

  /** Who has it as thread id. */
  @Nullable Task task;

  /** Members of process groups and sessions with this id. */
  int groupUse;

  Pid(PidNamespace namespace, int[] numbers) {
    this.namespace = namespace;
    this.numbers = numbers;
  }

  /** {@return the namespace that it was made in} */
  public PidNamespace namespace() {
    return namespace;
  }

  /** {@return the number in its own namespace} */
  public int number() {
    return numbers[numbers.length - 1];
  }

  /** {@return the number that {@code viewer} knows it by, or 0}: pid_nr_ns */
  public int in(PidNamespace viewer) {
    if (viewer == namespace) {
      return number();
    }
    int level = viewer.level();
    return level < numbers.length && namespace.ancestor(level) == viewer ? numbers[level] : 0;
  }

  /** Appends the numbers from {@code viewer}'s level inwards, each after a tab: NSpid. */
  public void append(StringBuilder out, PidNamespace viewer) {
    if (in(viewer) == 0) {
      out.append("\t0");
      return;
    }
    for (int i = viewer.level(); i < numbers.length; i++) {
      out.append('\t').append(numbers[i]);
    }
  }

  /** The task has it no more. */
  void unuse() {
    task = null;
    releaseIfFree();
  }

  /** {@return the task that has it as thread id, or null} */
  public @Nullable Task task() {
    return task;
  }

  void useGroup() {
    groupUse++;
  }

  void unuseGroup() {
    groupUse--;
    releaseIfFree();
  }

  private void releaseIfFree() {
    if (task == null && groupUse == 0) {
      for (PidNamespace n = namespace; n != null; n = n.parent()) {
        n.forget(numbers[n.level()], this);
      }
    }
  }
}
