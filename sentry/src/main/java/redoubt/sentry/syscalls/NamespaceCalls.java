package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ESRCH;
import static redoubt.abi.Errno.EUSERS;

import redoubt.abi.Caps;
import redoubt.abi.Sched;
import redoubt.sentry.fs.nsfs.NsFile;
import redoubt.sentry.ipc.PidFd;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.FsContext;
import redoubt.sentry.kernel.IpcNamespace;
import redoubt.sentry.kernel.Namespace;
import redoubt.sentry.kernel.Namespaces;
import redoubt.sentry.kernel.NewNamespaces;
import redoubt.sentry.kernel.PidNamespace;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.TimeNamespace;
import redoubt.sentry.kernel.UserNamespace;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.MountNamespace;

/** Leaving and entering namespaces: kernel/nsproxy.c, and unshare(2) of kernel/fork.c. */
final class NamespaceCalls {
  private static final int SPACES =
      Sched.CLONE_NEWNS
          | Sched.CLONE_NEWCGROUP
          | Sched.CLONE_NEWUTS
          | Sched.CLONE_NEWIPC
          | Sched.CLONE_NEWUSER
          | Sched.CLONE_NEWPID
          | Sched.CLONE_NEWNET
          | Sched.CLONE_NEWTIME;
  private static final int UNSHARE_FLAGS =
      SPACES
          | Sched.CLONE_THREAD
          | Sched.CLONE_FS
          | Sched.CLONE_SIGHAND
          | Sched.CLONE_VM
          | Sched.CLONE_FILES
          | Sched.CLONE_SYSVSEM;

  private NamespaceCalls() {}

  /** <a href="https://man7.org/linux/man-pages/man2/unshare.2.html">unshare(2)</a>. */
  static long unshare(Task t, Args a) {
    long flags = a.a0;
    if ((flags & Sched.CLONE_NEWUSER) != 0) {
      flags |= Sched.CLONE_THREAD | Sched.CLONE_FS;
    }
    if ((flags & Sched.CLONE_NEWNS) != 0) {
      flags |= Sched.CLONE_FS;
    }
    if ((flags & ~(UNSHARE_FLAGS & 0xffffffffL)) != 0) {
      return -EINVAL;
    }
    int alone = Sched.CLONE_THREAD | Sched.CLONE_SIGHAND | Sched.CLONE_VM;
    if ((flags & alone) != 0 && t.threadGroup().taskCount() > 1) {
      return -EINVAL;
    }
    if ((flags & Sched.CLONE_VM) != 0 && t.mm().isShared()) {
      return -EINVAL;
    }
    NewNamespaces made = NewNamespaces.prepare(t, flags, t.namespaces());
    try {
      if ((flags & Sched.CLONE_FS) != 0) {
        t.unshareFs();
      }
      if ((flags & Sched.CLONE_FILES) != 0) {
        t.unshareFiles();
      }
      if ((flags & Sched.CLONE_NEWIPC) != 0) {
        leaveIpc(t);
      }
      made.relocate(t.fs());
      if (made.namespaces() != t.namespaces()) {
        t.setNamespaces(made.namespaces());
      }
      if (made.creds() != t.creds()) {
        t.setCreds(made.creds());
      }
      return 0;
    } finally {
      made.release();
    }
  }

  /** What semop(2) promised to undo belongs to the namespace that is left. */
  private static void leaveIpc(Task t) {
    Runnable undo = t.threadGroup().semaphoreUndo;
    if (undo != null) {
      t.threadGroup().semaphoreUndo = null;
      undo.run();
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man2/setns.2.html">setns(2)</a>. */
  static long setns(Task t, Args a) {
    int flags = a.int1();
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if (f instanceof NsFile n) {
        if (flags != 0 && flags != n.namespace().flag()) {
          return -EINVAL;
        }
        Entry e = new Entry(t);
        long r = e.enter(n.namespace());
        if (r == 0) {
          e.commit();
        }
        return r;
      }
      if (f instanceof PidFd p) {
        return flags == 0 || (flags & ~SPACES) != 0 ? -EINVAL : enterAll(t, p, flags);
      }
      return -EINVAL;
    } finally {
      f.decRef();
    }
  }

  /** The namespaces of a process, all or none; the user namespace first, for its capabilities. */
  private static long enterAll(Task t, PidFd p, int flags) {
    Task target = p.thread() != null ? p.thread() : p.group().leader();
    if (target.isDead() || p.isDone()) {
      return -ESRCH;
    }
    if (!OtherTasks.mayAccess(t, target)) {
      return -EPERM;
    }
    Namespaces theirs = target.namespaces();
    Namespace[] order = {
      target.userNamespace(),
      theirs.mounts,
      theirs.uts,
      theirs.ipc,
      target.pidNamespace(),
      theirs.cgroup,
      theirs.net,
      theirs.time
    };
    Entry e = new Entry(t);
    for (Namespace n : order) {
      if ((flags & n.flag()) == 0) {
        continue;
      }
      long r = e.enter(n);
      if (r < 0) {
        return r;
      }
    }
    e.commit();
    return 0;
  }

  /** One setns(2), checked step by step and done at the end. */
  private static final class Entry {
    private final Task t;
    private Namespaces namespaces;
    private Credentials creds;
    private boolean mountsChange;

    Entry(Task t) {
      this.t = t;
      this.namespaces = t.namespaces();
      this.creds = t.creds();
    }

    private boolean mayEnter(Namespace n) {
      return creds.hasCapability(n.owner(), Caps.CAP_SYS_ADMIN)
          && creds.hasOwnCapability(Caps.CAP_SYS_ADMIN);
    }

    /** The install operation of each kind. Returns 0 or -errno. */
    long enter(Namespace n) {
      switch (n) {
        case UserNamespace u -> {
          return enterUser(u);
        }
        case MountNamespace m -> {
          if (!creds.hasCapability(m.owner(), Caps.CAP_SYS_ADMIN)
              || !creds.hasOwnCapability(Caps.CAP_SYS_CHROOT)
              || !creds.hasOwnCapability(Caps.CAP_SYS_ADMIN)) {
            return -EPERM;
          }
          if (m.isAnonymous() || t.fs().isShared()) {
            return -EINVAL;
          }
          mountsChange = true;
          namespaces = namespaces.with(m);
          return 0;
        }
        case PidNamespace p -> {
          if (!mayEnter(p)) {
            return -EPERM;
          }
          if (!p.isWithin(t.pidNamespace())) {
            return -EINVAL;
          }
        }
        case TimeNamespace time -> {
          if (t.threadGroup().taskCount() > 1) {
            return -EUSERS;
          }
          if (!mayEnter(time)) {
            return -EPERM;
          }
          namespaces = namespaces.inTime(time);
          return 0;
        }
        default -> {
          if (!mayEnter(n)) {
            return -EPERM;
          }
        }
      }
      namespaces = namespaces.with(n);
      return 0;
    }

    private long enterUser(UserNamespace u) {
      if (u == creds.userNs || t.threadGroup().taskCount() > 1 || t.fs().isShared()) {
        return -EINVAL;
      }
      if (!creds.hasCapability(u, Caps.CAP_SYS_ADMIN)) {
        return -EPERM;
      }
      Credentials.Builder b = creds.toBuilder();
      b.enter(u);
      creds = b.build();
      return 0;
    }

    void commit() {
      IpcNamespace ipc = t.namespaces().ipc;
      if (namespaces.ipc != ipc) {
        leaveIpc(t);
      }
      if (namespaces != t.namespaces()) {
        t.setNamespaces(namespaces);
      }
      if (creds != t.creds()) {
        t.setCreds(creds);
      }
      if (mountsChange) {
        FsContext fs = t.fs();
        fs.setRoot(namespaces.mounts.rootPath());
        fs.setCwd(namespaces.mounts.rootPath());
      }
    }
  }
}
