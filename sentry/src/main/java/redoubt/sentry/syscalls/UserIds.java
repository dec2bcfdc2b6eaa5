package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import redoubt.abi.Caps;
import redoubt.abi.Limits;
import redoubt.abi.Prctl;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.UserNamespace;

/**
 * User and group ids: <a
 * href="https://man7.org/linux/man-pages/man7/credentials.7.html">credentials(7)</a>.
 */
final class UserIds {
  /** The capabilities that go with fsuid 0: CAP_FS_SET of include/linux/capability.h. */
  private static final long FS_CAPS =
      1L << Caps.CAP_CHOWN
          | 1L << Caps.CAP_MKNOD
          | 1L << Caps.CAP_DAC_OVERRIDE
          | 1L << Caps.CAP_DAC_READ_SEARCH
          | 1L << Caps.CAP_FOWNER
          | 1L << Caps.CAP_FSETID
          | 1L << Caps.CAP_LINUX_IMMUTABLE
          | 1L << Caps.CAP_MAC_OVERRIDE;

  private UserIds() {}

  static long getuid(Task t, Args a) {
    return t.userNamespace().uidShown(t.creds().ruid) & 0xffffffffL;
  }

  static long geteuid(Task t, Args a) {
    return t.userNamespace().uidShown(t.creds().euid) & 0xffffffffL;
  }

  static long getgid(Task t, Args a) {
    return t.userNamespace().gidShown(t.creds().rgid) & 0xffffffffL;
  }

  static long getegid(Task t, Args a) {
    return t.userNamespace().gidShown(t.creds().egid) & 0xffffffffL;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/getresuid.2.html">getresuid(2)</a>. */
  static long getresuid(Task t, Args a) {
    Credentials c = t.creds();
    UserNamespace ns = c.userNs;
    return copyThree(t, a, ns.uidShown(c.ruid), ns.uidShown(c.euid), ns.uidShown(c.suid));
  }

  /** <a href="https://man7.org/linux/man-pages/man2/getresuid.2.html">getresgid(2)</a>. */
  static long getresgid(Task t, Args a) {
    Credentials c = t.creds();
    UserNamespace ns = c.userNs;
    return copyThree(t, a, ns.gidShown(c.rgid), ns.gidShown(c.egid), ns.gidShown(c.sgid));
  }

  private static long copyThree(Task t, Args a, int real, int effective, int saved) {
    long r = t.copyOutInt(a.a0, real);
    r = r < 0 ? r : t.copyOutInt(a.a1, effective);
    return r < 0 ? r : t.copyOutInt(a.a2, saved);
  }

  /** Installs {@code b}, as commit_creds does: a change of rights makes the process undumpable. */
  static void commit(Task t, Credentials.Builder b) {
    Credentials old = t.creds();
    Credentials c = b.build();
    if (old.euid != c.euid
        || old.egid != c.egid
        || old.fsuid != c.fsuid
        || old.fsgid != c.fsgid
        || (c.permitted & ~old.permitted) != 0) {
      t.threadGroup().dumpable = false;
      t.parentDeathSignal = 0;
    }
    t.setCreds(c);
  }

  /** What becoming, or ceasing to be, user 0 does to capabilities: security/commoncap.c. */
  private static void fixCapabilities(Credentials old, Credentials.Builder b) {
    if ((old.securebits & Prctl.SECURE_NO_SETUID_FIXUP) != 0) {
      return;
    }
    int root = old.userNs.kernelUid(0); // -1 is nobody's id
    boolean wasRoot = old.ruid == root || old.euid == root || old.suid == root;
    boolean isRoot = b.ruid == root || b.euid == root || b.suid == root;
    if (wasRoot && !isRoot) {
      if ((old.securebits & Prctl.SECURE_KEEP_CAPS) == 0) {
        b.permitted = 0;
        b.effective = 0;
      }
      b.ambient = 0;
    }
    if (old.euid == root && b.euid != root) {
      b.effective = 0;
    } else if (old.euid != root && b.euid == root) {
      b.effective = b.permitted;
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man2/setuid.2.html">setuid(2)</a>. */
  static long setuid(Task t, Args a) {
    int uid = t.userNamespace().kernelUid(a.int0());
    if (uid == -1) {
      return -EINVAL;
    }
    Credentials c = t.creds();
    Credentials.Builder b = c.toBuilder();
    if (c.hasOwnCapability(Caps.CAP_SETUID)) {
      b.ruid = uid;
      b.suid = uid;
    } else if (uid != c.ruid && uid != c.suid) {
      return -EPERM;
    }
    b.euid = uid;
    b.fsuid = uid;
    fixCapabilities(c, b);
    commit(t, b);
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/setreuid.2.html">setreuid(2)</a>. */
  static long setreuid(Task t, Args a) {
    int r = t.userNamespace().kernelUid(a.int0());
    int e = t.userNamespace().kernelUid(a.int1());
    if ((r == -1 && a.int0() != -1) || (e == -1 && a.int1() != -1)) {
      return -EINVAL; // not in the user namespace
    }
    Credentials c = t.creds();
    boolean capable = c.hasOwnCapability(Caps.CAP_SETUID);
    Credentials.Builder b = c.toBuilder();
    if (r != -1) {
      if (r != c.ruid && r != c.euid && !capable) {
        return -EPERM;
      }
      b.ruid = r;
    }
    if (e != -1) {
      if (e != c.ruid && e != c.euid && e != c.suid && !capable) {
        return -EPERM;
      }
      b.euid = e;
    }
    if (r != -1 || (e != -1 && e != c.ruid)) {
      b.suid = b.euid;
    }
    b.fsuid = b.euid;
    fixCapabilities(c, b);
    commit(t, b);
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/setresuid.2.html">setresuid(2)</a>. */
  static long setresuid(Task t, Args a) {
    int r = t.userNamespace().kernelUid(a.int0());
    int e = t.userNamespace().kernelUid(a.int1());
    int s = t.userNamespace().kernelUid(a.int2());
    if ((r == -1 && a.int0() != -1) || (e == -1 && a.int1() != -1) || (s == -1 && a.int2() != -1)) {
      return -EINVAL; // not in the user namespace
    }
    Credentials c = t.creds();
    if (!c.hasOwnCapability(Caps.CAP_SETUID)
        && (isForeign(r, c.ruid, c.euid, c.suid)
            || isForeign(e, c.ruid, c.euid, c.suid)
            || isForeign(s, c.ruid, c.euid, c.suid))) {
      return -EPERM;
    }
    Credentials.Builder b = c.toBuilder();
    b.ruid = r != -1 ? r : b.ruid;
    b.euid = e != -1 ? e : b.euid;
    b.suid = s != -1 ? s : b.suid;
    b.fsuid = b.euid;
    fixCapabilities(c, b);
    commit(t, b);
    return 0;
  }

  private static boolean isForeign(int id, int real, int effective, int saved) {
    return id != -1 && id != real && id != effective && id != saved;
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/setfsuid.2.html">setfsuid(2)</a>: the old one,
   * always.
   */
  static long setfsuid(Task t, Args a) {
    int uid = t.userNamespace().kernelUid(a.int0());
    Credentials c = t.creds();
    long old = c.userNs.uidShown(c.fsuid) & 0xffffffffL;
    if (uid == -1
        || (uid != c.fsuid
            && isForeign(uid, c.ruid, c.euid, c.suid)
            && !c.hasOwnCapability(Caps.CAP_SETUID))) {
      return old;
    }
    if (uid != c.fsuid) {
      Credentials.Builder b = c.toBuilder();
      b.fsuid = uid;
      if ((c.securebits & Prctl.SECURE_NO_SETUID_FIXUP) == 0) {
        int root = c.userNs.kernelUid(0);
        if (c.fsuid == root) {
          b.effective &= ~FS_CAPS;
        } else if (uid == root) {
          b.effective |= b.permitted & FS_CAPS;
        }
      }
      commit(t, b);
    }
    return old;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/setgid.2.html">setgid(2)</a>. */
  static long setgid(Task t, Args a) {
    int gid = t.userNamespace().kernelGid(a.int0());
    if (gid == -1) {
      return -EINVAL;
    }
    Credentials c = t.creds();
    Credentials.Builder b = c.toBuilder();
    if (c.hasOwnCapability(Caps.CAP_SETGID)) {
      b.rgid = gid;
      b.sgid = gid;
    } else if (gid != c.rgid && gid != c.sgid) {
      return -EPERM;
    }
    b.egid = gid;
    b.fsgid = gid;
    commit(t, b);
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/setreuid.2.html">setregid(2)</a>. */
  static long setregid(Task t, Args a) {
    int r = t.userNamespace().kernelGid(a.int0());
    int e = t.userNamespace().kernelGid(a.int1());
    if ((r == -1 && a.int0() != -1) || (e == -1 && a.int1() != -1)) {
      return -EINVAL; // not in the user namespace
    }
    Credentials c = t.creds();
    boolean capable = c.hasOwnCapability(Caps.CAP_SETGID);
    Credentials.Builder b = c.toBuilder();
    if (r != -1) {
      if (r != c.rgid && r != c.egid && !capable) {
        return -EPERM;
      }
      b.rgid = r;
    }
    if (e != -1) {
      if (e != c.rgid && e != c.egid && e != c.sgid && !capable) {
        return -EPERM;
      }
      b.egid = e;
    }
    if (r != -1 || (e != -1 && e != c.rgid)) {
      b.sgid = b.egid;
    }
    b.fsgid = b.egid;
    commit(t, b);
    return 0;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/setresuid.2.html">setresgid(2)</a>. */
  static long setresgid(Task t, Args a) {
    int r = t.userNamespace().kernelGid(a.int0());
    int e = t.userNamespace().kernelGid(a.int1());
    int s = t.userNamespace().kernelGid(a.int2());
    if ((r == -1 && a.int0() != -1) || (e == -1 && a.int1() != -1) || (s == -1 && a.int2() != -1)) {
      return -EINVAL; // not in the user namespace
    }
    Credentials c = t.creds();
    if (!c.hasOwnCapability(Caps.CAP_SETGID)
        && (isForeign(r, c.rgid, c.egid, c.sgid)
            || isForeign(e, c.rgid, c.egid, c.sgid)
            || isForeign(s, c.rgid, c.egid, c.sgid))) {
      return -EPERM;
    }
    Credentials.Builder b = c.toBuilder();
    b.rgid = r != -1 ? r : b.rgid;
    b.egid = e != -1 ? e : b.egid;
    b.sgid = s != -1 ? s : b.sgid;
    b.fsgid = b.egid;
    commit(t, b);
    return 0;
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/setfsgid.2.html">setfsgid(2)</a>: the old one,
   * always.
   */
  static long setfsgid(Task t, Args a) {
    int gid = t.userNamespace().kernelGid(a.int0());
    Credentials c = t.creds();
    long old = c.userNs.gidShown(c.fsgid) & 0xffffffffL;
    if (gid != -1
        && gid != c.fsgid
        && (!isForeign(gid, c.rgid, c.egid, c.sgid) || c.hasOwnCapability(Caps.CAP_SETGID))) {
      Credentials.Builder b = c.toBuilder();
      b.fsgid = gid;
      commit(t, b);
    }
    return old;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/getgroups.2.html">getgroups(2)</a>. */
  static long getgroups(Task t, Args a) {
    int size = a.int0();
    int[] groups = t.creds().groups;
    if (size < 0) {
      return -EINVAL;
    }
    if (size == 0) {
      return groups.length;
    }
    if (size < groups.length) {
      return -EINVAL;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment s = arena.allocate(4L * Math.max(1, groups.length));
      for (int i = 0; i < groups.length; i++) {
        s.set(Memory.INT, 4L * i, t.userNamespace().gidShown(groups[i]));
      }
      long r = t.copyOutNow(a.a1, s, 0, 4L * groups.length);
      return r < 0 ? r : groups.length;
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man2/getgroups.2.html">setgroups(2)</a>. */
  static long setgroups(Task t, Args a) {
    if (!t.creds().hasOwnCapability(Caps.CAP_SETGID) || !t.userNamespace().maySetGroups()) {
      return -EPERM;
    }
    int size = a.int0();
    if (size < 0 || size > Limits.NGROUPS_MAX) {
      return -EINVAL;
    }
    int[] groups = new int[size];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment s = arena.allocate(4L * Math.max(1, size));
      long r = t.copyIn(a.a1, s, 0, 4L * size);
      if (r < 0) {
        return r;
      }
      MemorySegment.copy(s, Memory.INT, 0, groups, 0, size);
    }
    for (int i = 0; i < size; i++) {
      groups[i] = t.userNamespace().kernelGid(groups[i]);
      if (groups[i] == -1) {
        return -EINVAL;
      }
    }
    Arrays.sort(groups);
    Credentials.Builder b = t.creds().toBuilder();
    b.groups = groups;
    commit(t, b);
    return 0;
  }
}
