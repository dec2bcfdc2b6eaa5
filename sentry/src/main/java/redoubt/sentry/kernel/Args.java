package redoubt.sentry.kernel;

import redoubt.sentry.platform.CallRegisters;

/**
 * Number and arguments of the system call that a task is in. One per task, reused; the values were
 * read from shared memory exactly once.
 */
public final class Args extends CallRegisters {
  public int int0() {
    return (int) a0;
  }

  public int int1() {
    return (int) a1;
  }

  public int int2() {
    return (int) a2;
  }

  public int int3() {
    return (int) a3;
  }

  public int int4() {
    return (int) a4;
  }

  public int int5() {
    return (int) a5;
  }

  public long long0() {
    return a0;
  }

  public long long1() {
    return a1;
  }

  public long long2() {
    return a2;
  }

  public long long3() {
    return a3;
  }

  public long long4() {
    return a4;
  }

  public long long5() {
    return a5;
  }
}
