package redoubt.sentry.kernel;

import redoubt.abi.Resource;

/**
 * The limits of a thread group: <a
 * href="https://man7.org/linux/man-pages/man2/getrlimit.2.html">getrlimit(2)</a>.
 */
public final class ResourceLimits {
  public static final long INFINITY = -1L;

  private final long[] soft = new long[Resource.RLIM_NLIMITS]; // guarded by this
  private final long[] hard = new long[Resource.RLIM_NLIMITS]; // guarded by this

  /** Linux's defaults for init. */
  public ResourceLimits() {
    java.util.Arrays.fill(soft, INFINITY);
    java.util.Arrays.fill(hard, INFINITY);
    set(Resource.RLIMIT_STACK, 8 << 20, INFINITY);
    set(Resource.RLIMIT_CORE, 0, INFINITY);
    set(Resource.RLIMIT_NOFILE, 1024, 1048576);
    set(Resource.RLIMIT_MEMLOCK, 8 << 20, 8 << 20);
    set(Resource.RLIMIT_MSGQUEUE, 819200, 819200);
    set(Resource.RLIMIT_NICE, 0, 0);
    set(Resource.RLIMIT_RTPRIO, 0, 0);
    set(Resource.RLIMIT_NPROC, 63000, 63000);
    set(Resource.RLIMIT_SIGPENDING, 63000, 63000);
  }

  public synchronized ResourceLimits copy() {
    ResourceLimits l = new ResourceLimits();
    System.arraycopy(soft, 0, l.soft, 0, soft.length);
    System.arraycopy(hard, 0, l.hard, 0, hard.length);
    return l;
  }

  public synchronized void set(int which, long newSoft, long newHard) {
    soft[which] = newSoft;
    hard[which] = newHard;
  }

  public synchronized long soft(int which) {
    return soft[which];
  }

  public synchronized long hard(int which) {
    return hard[which];
  }

  /** {@return the soft limit as a number to compare with}: infinity is {@link Long#MAX_VALUE} */
  public long bound(int which) {
    long v = soft(which);
    return v < 0 ? Long.MAX_VALUE : v;
  }
}
