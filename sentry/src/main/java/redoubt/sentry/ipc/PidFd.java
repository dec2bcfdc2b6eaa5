package redoubt.sentry.ipc;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Poll;
import redoubt.sentry.kernel.Pid;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.vfs.FileDescription;

/**
 * A descriptor that stands for a process, whatever becomes of its number: <a
 * href="https://man7.org/linux/man-pages/man2/pidfd_open.2.html">pidfd_open(2)</a>. It is readable
 * once the process has ended.
 */
public final class PidFd extends FileDescription {
  private final ThreadGroup group;

  /** The thread it stands for (PIDFD_THREAD), or null for the whole process. */
  private final @Nullable Task thread;

  /**
   * @param thread whether it stands for {@code target} alone and not for its process
   * @param flags O_NONBLOCK or 0
   */
  public PidFd(Task t, Task target, boolean thread, int flags) {
    super(AnonymousFiles.of(t.kernel()).newOther(t.creds(), "[pidfd]"), O_RDWR | flags, t.creds());
    this.group = target.threadGroup();
    this.thread = thread ? target : null;
  }

  public ThreadGroup group() {
    return group;
  }

  /** {@return the thread that signals go to}, or null for the process */
  public @Nullable Task thread() {
    return thread;
  }

  /** {@return whether it has ended} */
  public boolean isDone() {
    Task one = thread;
    return one != null ? one.isDead() : group.isZombie();
  }

  @Override
  public int poll() {
    return isDone() ? Poll.POLLIN | Poll.POLLRDNORM : 0;
  }

  @Override
  public WaitQueue waitQueue() {
    return group.exitQueue;
  }

  @Override
  public boolean writesWhole() {
    return false;
  }

  @Override
  public String fdinfo() {
    Task one = thread;
    Pid p = one == null ? group.pid() : one.pid();
    StringBuilder numbers = new StringBuilder();
    p.append(numbers, p.namespace());
    int pid = isDone() ? -1 : p.number();
    return "Pid:\t" + pid + "\nNSpid:" + (isDone() ? "\t-1" : numbers) + "\n";
  }
}
