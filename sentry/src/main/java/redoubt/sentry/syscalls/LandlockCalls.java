package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.E2BIG;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EBADFD;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOMEM;
import static redoubt.abi.Errno.ENOMSG;
import static redoubt.abi.Errno.EPERM;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Caps;
import redoubt.host.Memory;
import redoubt.sentry.ipc.AnonymousFiles;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.Landlock;

/** The calls of <a href="https://man7.org/linux/man-pages/man7/landlock.7.html">landlock(7)</a>. */
final class LandlockCalls {
  private static final int CREATE_RULESET_VERSION = 1;
  private static final int RULE_PATH_BENEATH = 1;

  private LandlockCalls() {}

  /** An open ruleset. */
  private static final class RulesetFile extends FileDescription {
    private final Landlock.Ruleset ruleset;

    RulesetFile(Task t, Landlock.Ruleset ruleset) {
      super(
          AnonymousFiles.of(t.kernel()).newOther(t.creds(), "[landlock-ruleset]"),
          O_RDWR,
          t.creds());
      this.ruleset = ruleset;
    }
  }

  /** landlock_create_ruleset(2). */
  static long createRuleset(Task t, Args a) {
    int flags = a.int2();
    if (flags != 0) {
      return flags == CREATE_RULESET_VERSION && a.a0 == 0 && a.a1 == 0 ? Landlock.ABI : -EINVAL;
    }
    if (a.a1 < 8) {
      return a.a1 < 0 ? -E2BIG : -EINVAL;
    }
    if (a.a1 > Memory.PAGE) {
      return -E2BIG;
    }
    long r = t.copyInScratch(a.a0, a.a1);
    if (r < 0) {
      return r;
    }
    MemorySegment s = t.scratch();
    for (long i = 8; i < a.a1; i++) {
      if (s.get(Memory.BYTE, i) != 0) {
        return -E2BIG; // rules for ports and signals are of later ABIs
      }
    }
    long handled = s.get(Memory.LONG, 0);
    if ((handled & ~Landlock.ALL) != 0) {
      return -EINVAL;
    }
    return handled == 0
        ? -ENOMSG
        : t.installFd(new RulesetFile(t, new Landlock.Ruleset(handled)), true);
  }

  /** landlock_add_rule(2). */
  static long addRule(Task t, Args a) {
    if (a.int3() != 0) {
      return -EINVAL;
    }
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if (!(f instanceof RulesetFile set)) {
        return -EBADFD;
      }
      if (a.int1() != RULE_PATH_BENEATH) {
        return -EINVAL;
      }
      MemorySegment s = t.scratch();
      if (t.copyInScratch(a.a2, 12) < 0) {
        return -EFAULT;
      }
      long access = s.get(Memory.LONG, 0);
      int parent = s.get(Memory.INT, 8);
      if (access == 0) {
        return -ENOMSG;
      }
      if ((access & ~set.ruleset.handled()) != 0) {
        return -EINVAL;
      }
      return addPath(t, set.ruleset, access, parent);
    } finally {
      f.decRef();
    }
  }

  private static long addPath(Task t, Landlock.Ruleset set, long access, int fd) {
    FileDescription p = t.file(fd);
    if (p == null) {
      return -EBADF;
    }
    try {
      Inode inode = p.inode();
      if (p instanceof RulesetFile || p.path().mount.namespace() == null) {
        return -EBADFD;
      }
      if (!inode.isDirectory() && (access & ~Landlock.FILE_RIGHTS) != 0) {
        return -EINVAL;
      }
      return set.add(inode, access) ? 0 : -ENOMEM;
    } finally {
      p.decRef();
    }
  }

  /** landlock_restrict_self(2). */
  static long restrictSelf(Task t, Args a) {
    Credentials c = t.creds();
    if (!c.noNewPrivs && !c.hasOwnCapability(Caps.CAP_SYS_ADMIN)) {
      return -EPERM;
    }
    if (a.int1() != 0) {
      return -EINVAL;
    }
    FileDescription f = t.file(a.int0());
    if (f == null) {
      return -EBADF;
    }
    try {
      if (!(f instanceof RulesetFile set)) {
        return -EBADFD;
      }
      Landlock.Domain old = c.landlock;
      if (old != null && old.layers() >= Landlock.MAX_LAYERS) {
        return -E2BIG;
      }
      Credentials.Builder b = c.toBuilder();
      b.landlock = new Landlock.Domain(set.ruleset, old);
      t.setCreds(b.build());
      return 0;
    } finally {
      f.decRef();
    }
  }
}
