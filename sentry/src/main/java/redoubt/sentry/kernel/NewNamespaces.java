package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EPERM;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import redoubt.abi.Caps;
import redoubt.abi.Sched;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.VfsPath;

/**
 * The namespaces that one clone(2) or unshare(2) makes, until the task that is to live in them has
 * them: kernel/nsproxy.c.
 */
public final class NewNamespaces {
  private final Map<Mount, Mount> mounts = new HashMap<>();
  private final List<Namespace> made = new ArrayList<>();
  private Namespaces namespaces;
  private Credentials creds;

  private NewNamespaces(Namespaces namespaces, Credentials creds) {
    this.namespaces = namespaces;
    this.creds = creds;
  }

  /**
   * Makes what CLONE_NEW* of {@code flags} say, beginning with the user namespace, whose
   * capabilities then count for the others.
   *
   * @param from what is copied or kept
   * @throws ErrnoException EPERM, ENOSPC
   */
  public static NewNamespaces prepare(Task t, long flags, Namespaces from) {
    NewNamespaces n = new NewNamespaces(from, t.creds());
    try {
      n.make(t, flags);
    } catch (ErrnoException e) {
      n.release();
      throw e;
    }
    return n;
  }

  private void make(Task t, long flags) {
    if ((flags & Sched.CLONE_NEWUSER) != 0) {
      makeUser(t);
    }
    UserNamespace user = creds.userNs;
    long others =
        Sched.CLONE_NEWNS
            | Sched.CLONE_NEWUTS
            | Sched.CLONE_NEWIPC
            | Sched.CLONE_NEWPID
            | Sched.CLONE_NEWNET
            | Sched.CLONE_NEWCGROUP
            | Sched.CLONE_NEWTIME;
    if ((flags & others & 0xffffffffL) == 0) {
      return;
    }
    if (!creds.hasOwnCapability(Caps.CAP_SYS_ADMIN)) {
      throw ErrnoException.of(EPERM);
    }
    if ((flags & Sched.CLONE_NEWNS) != 0) {
      take(from().mounts.copy(user, mounts));
    }
    if ((flags & Sched.CLONE_NEWUTS) != 0) {
      take(new UtsNamespace(from().uts, user));
    }
    if ((flags & Sched.CLONE_NEWIPC) != 0) {
      take(new IpcNamespace(user));
    }
    if ((flags & Sched.CLONE_NEWPID) != 0) {
      take(new PidNamespace(from().pidForChildren, user));
    }
    if ((flags & Sched.CLONE_NEWCGROUP) != 0) {
      take(new CgroupNamespace(t.cgroup(), user));
    }
    if ((flags & Sched.CLONE_NEWNET) != 0) {
      take(new NetNamespace(user));
    }
    if ((flags & Sched.CLONE_NEWTIME) != 0) {
      take(new TimeNamespace(from().timeForChildren, user));
    }
  }

  private void makeUser(Task t) {
    VfsPath root = t.fs().root();
    if (!root.same(t.namespaces().mounts.rootPath())) {
      throw ErrnoException.of(EPERM); // a chroot would end with it
    }
    UserNamespace old = creds.userNs;
    if (old.uid(creds.euid) == -1 || old.gid(creds.egid) == -1) {
      throw ErrnoException.of(EPERM);
    }
    UserNamespace n = new UserNamespace(creds);
    made.add(n);
    Credentials.Builder b = creds.toBuilder();
    b.enter(n);
    creds = b.build();
  }

  private Namespaces from() {
    return namespaces;
  }

  private void take(Namespace n) {
    made.add(n);
    namespaces = namespaces.with(n);
  }

  public Namespaces namespaces() {
    return namespaces;
  }

  public Credentials creds() {
    return creds;
  }

  /** Moves root and working directory to the new mount namespace's copies. */
  public void relocate(FsContext fs) {
    if (!mounts.isEmpty()) {
      fs.relocate(mounts);
    }
  }

  /** The task has what it needs (or the call failed): the maker's own use of each ends. */
  public void release() {
    for (int i = made.size() - 1; i >= 0; i--) {
      made.get(i).drop();
    }
    made.clear();
  }
}
