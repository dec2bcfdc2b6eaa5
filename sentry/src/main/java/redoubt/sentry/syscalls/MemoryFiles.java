package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EINVAL;

import redoubt.abi.Fcntl;
import redoubt.abi.Mman;
import redoubt.sentry.fs.tmpfs.TmpFile;
import redoubt.sentry.fs.tmpfs.TmpFs;
import redoubt.sentry.fs.tmpfs.TmpFsOptions;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.VfsPath;

/** Files in memory without a name in the tree: mm/memfd.c. */
final class MemoryFiles {
  /** MFD_NAME_MAX_LEN: NAME_MAX without "memfd:". */
  private static final int NAME_MAX = 249;

  private static final int FLAGS =
      Mman.MFD_CLOEXEC | Mman.MFD_ALLOW_SEALING | Mman.MFD_NOEXEC_SEAL | Mman.MFD_EXEC;

  private MemoryFiles() {}

  /** Where they live, once per kernel: a tmpfs that is mounted nowhere. */
  private static final class Holder {
    final TmpFs fs;
    final Mount mount;

    /** Of memfd_secret's: nothing there is executed. */
    final Mount secrets;

    Holder(Kernel k) {
      fs = new TmpFs(k.memoryFile(), k.platform(), new TmpFsOptions());
      mount = new Mount(fs, new Dentry(fs.root()), "none", 0);
      secrets = new Mount(fs, new Dentry(fs.root()), "none", Mount.MS_NOEXEC);
    }
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/memfd_create.2.html">memfd_create(2)</a>:
   * without huge pages.
   */
  static long memfdCreate(Task t, Args a) {
    int flags = a.int1();
    int both = Mman.MFD_EXEC | Mman.MFD_NOEXEC_SEAL;
    if ((flags & ~FLAGS) != 0 || (flags & both) == both) {
      return -EINVAL;
    }
    String name = t.copyInString(a.a0, NAME_MAX + 1, EINVAL);
    Kernel k = t.kernel();
    Holder holder = k.subsystemOrNew(Holder.class, () -> new Holder(k));
    boolean executable = (flags & Mman.MFD_NOEXEC_SEAL) == 0;
    TmpFile file = holder.fs.newFile(executable ? 0777 : 0666, t.creds());
    if ((flags & (Mman.MFD_ALLOW_SEALING | Mman.MFD_NOEXEC_SEAL)) != 0) {
      file.allowSealing();
    }
    VfsPath path = new VfsPath(holder.mount, Dentry.anonymous(file, "memfd:" + name));
    FileDescription f = file.open(t, path, Fcntl.O_RDWR | Fcntl.O_LARGEFILE);
    return t.installFd(f, (flags & Mman.MFD_CLOEXEC) != 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/memfd_secret.2.html">memfd_secret(2)</a>. */
  static long memfdSecret(Task t, Args a) {
    if ((a.int0() & ~Fcntl.O_CLOEXEC) != 0) {
      return -EINVAL;
    }
    Kernel k = t.kernel();
    Holder holder = k.subsystemOrNew(Holder.class, () -> new Holder(k));
    TmpFile file = holder.fs.newFile(0600, t.creds());
    VfsPath path = new VfsPath(holder.secrets, Dentry.anonymous(file, "secretmem"));
    return t.installFd(new SecretFile(t, path, file), (a.int0() & Fcntl.O_CLOEXEC) != 0);
  }
}
