package redoubt.sentry.kernel;

import org.jspecify.annotations.Nullable;

/** One filter that a task put on itself, and those before it: Linux's struct seccomp_filter. */
public final class SeccompFilter {
  /** MAX_INSNS_PER_PATH: 256 KiB of instructions in all filters of a task. */
  private static final int MAX_PATH = 32768;

  private static final int OVERHEAD = 4;

  /** Three ints each, and what is around them. */
  private static final int INSTRUCTION_BYTES = 12;

  private static final int OBJECT_BYTES = 200;
  private static final HeapBudget BUDGET = new HeapBudget(16);

  final ClassicBpf program;
  final @Nullable SeccompFilter previous;
  final boolean logs;
  final @Nullable SeccompNotifier notifier;
  private final int pathLength;
  private final int count;

  public SeccompFilter(
      ClassicBpf program,
      @Nullable SeccompFilter previous,
      boolean logs,
      @Nullable SeccompNotifier notifier) {
    this.program = program;
    this.previous = previous;
    this.logs = logs;
    this.notifier = notifier;
    this.pathLength = program.length() + (previous == null ? 0 : previous.pathLength + OVERHEAD);
    this.count = previous == null ? 1 : previous.count + 1;
  }

  /** {@return whether all filters together, or of all tasks, are too long} (ENOMEM) */
  public boolean isTooLong() {
    return pathLength > MAX_PATH
        || !BUDGET.charge(program, (long) program.length() * INSTRUCTION_BYTES + OBJECT_BYTES);
  }

  /** {@return how many filters there are} */
  public int count() {
    return count;
  }

  /** {@return whether this is {@code other} or came after it} */
  public boolean descendsFrom(@Nullable SeccompFilter other) {
    if (other == null) {
      return true;
    }
    for (SeccompFilter f = this; f != null; f = f.previous) {
      if (f == other) {
        return true;
      }
    }
    return false;
  }

  /** {@return whether one of the filters has a listener} */
  public boolean hasNotifier() {
    for (SeccompFilter f = this; f != null; f = f.previous) {
      if (f.notifier != null) {
        return true;
      }
    }
    return false;
  }

  void hold() {
    for (SeccompFilter f = this; f != null; f = f.previous) {
      if (f.notifier != null) {
        f.notifier.hold();
      }
    }
  }

  void drop() {
    for (SeccompFilter f = this; f != null; f = f.previous) {
      if (f.notifier != null) {
        f.notifier.drop();
      }
    }
  }
}
