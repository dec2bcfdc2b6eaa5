package redoubt.sentry.mm;

import redoubt.sentry.kernel.Task;

/** Who fills the missing pages of ranges that were registered with it: a userfaultfd(2). */
public interface Userfault {
  /**
   * Tells that {@code address} was touched, and waits until its range was looked after. Not under
   * {@code MemoryManager.mu}.
   *
   * @param write whether it was written
   * @param kernel whether a system call touched it: then only a kill ends the wait
   * @return 0 to try again, -EINTR, or -EFAULT if it does not answer such faults
   */
  long await(Task t, long address, boolean write, boolean kernel);

  /** {@return whether a task that touches a missing page gets SIGBUS} (UFFD_FEATURE_SIGBUS) */
  boolean raisesSigbus();

  /** Wakes who waits for a page of [start, end). */
  void wake(long start, long end);
}
