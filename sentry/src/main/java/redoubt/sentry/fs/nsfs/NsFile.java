package redoubt.sentry.fs.nsfs;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOTTY;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ESRCH;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Sched;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Namespace;
import redoubt.sentry.kernel.Pid;
import redoubt.sentry.kernel.PidNamespace;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.UserNamespace;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.MountNamespace;
import redoubt.sentry.vfs.VfsPath;

/**
 * An open namespace: for setns(2), and to ask about it by <a
 * href="https://man7.org/linux/man-pages/man2/ioctl_ns.2.html">ioctl_ns(2)</a>.
 */
public final class NsFile extends FileDescription {
  private static final int NS_GET_USERNS = 0xb701;
  private static final int NS_GET_PARENT = 0xb702;
  private static final int NS_GET_NSTYPE = 0xb703;
  private static final int NS_GET_OWNER_UID = 0xb704;
  private static final int NS_GET_MNTNS_ID = 0x8008b705;
  private static final int NS_GET_PID_FROM_PIDNS = 0x8004b706;
  private static final int NS_GET_TGID_FROM_PIDNS = 0x8004b707;
  private static final int NS_GET_PID_IN_PIDNS = 0x8004b708;
  private static final int NS_GET_TGID_IN_PIDNS = 0x8004b709;

  private final Namespace namespace;

  NsFile(Task t, VfsPath path, int flags, Namespace namespace) {
    super(path, flags, t.creds());
    this.namespace = namespace;
    namespace.hold();
  }

  public Namespace namespace() {
    return namespace;
  }

  @Override
  protected void release() {
    namespace.drop();
  }

  @Override
  public long truncate(long length) {
    return -EINVAL;
  }

  @Override
  public String linkText() {
    return namespace.kind() + ":[" + namespace.number() + "]";
  }

  @Override
  public long ioctl(Task t, Args a) {
    return switch (a.int1()) {
      case NS_GET_USERNS ->
          give(t, namespace instanceof UserNamespace u ? u.parent() : namespace.owner());
      case NS_GET_PARENT ->
          switch (namespace) {
            case UserNamespace u -> give(t, u.parent());
            case PidNamespace p -> give(t, p.parent());
            default -> -EINVAL;
          };
      case NS_GET_NSTYPE -> namespace.flag();
      case NS_GET_OWNER_UID ->
          namespace instanceof UserNamespace u
              ? t.copyOutInt(a.long2(), t.userNamespace().uidShown(u.ownerUid()))
              : -EINVAL;
      case NS_GET_MNTNS_ID ->
          namespace instanceof MountNamespace m ? t.copyOutLong(a.long2(), m.number()) : -EINVAL;
      case NS_GET_PID_FROM_PIDNS, NS_GET_TGID_FROM_PIDNS ->
          namespace instanceof PidNamespace p
              ? translate(
                  t, p, t.pidNamespace(), (int) a.long2(), a.int1() == NS_GET_TGID_FROM_PIDNS)
              : -EINVAL;
      case NS_GET_PID_IN_PIDNS, NS_GET_TGID_IN_PIDNS ->
          namespace instanceof PidNamespace p
              ? translate(t, t.pidNamespace(), p, (int) a.long2(), a.int1() == NS_GET_TGID_IN_PIDNS)
              : -EINVAL;
      default -> -ENOTTY;
    };
  }

  private static long translate(
      Task t, PidNamespace from, PidNamespace to, int number, boolean process) {
    synchronized (t.kernel().tasks().mu) {
      Task found = from.task(number);
      if (found == null) {
        return -ESRCH;
      }
      Pid pid = process ? found.threadGroup().pid() : found.pid();
      int n = pid.in(to);
      return n == 0 ? -ESRCH : n;
    }
  }

  /** Opens a relative of this namespace, unless it is out of the caller's sight. */
  private static long give(Task t, @Nullable Namespace wanted) {
    if (wanted == null) {
      return -EPERM;
    }
    boolean seen =
        switch (wanted) {
          case UserNamespace u -> u.isWithin(t.userNamespace());
          case PidNamespace p -> p.isWithin(t.pidNamespace());
          default -> wanted.flag() != Sched.CLONE_NEWUSER;
        };
    return seen ? t.installFd(NsFs.of(t.kernel()).open(t, wanted), true) : -EPERM;
  }
}
