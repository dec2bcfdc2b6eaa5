package redoubt.sentry.fs.overlay;

import static redoubt.abi.Errno.ENOTDIR;

import java.lang.foreign.MemorySegment;
import java.lang.ref.WeakReference;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Xattr;
import redoubt.host.Memory;
import redoubt.sentry.fs.tmpfs.TmpDir;
import redoubt.sentry.fs.tmpfs.TmpFs;
import redoubt.sentry.fs.tmpfs.TmpInode;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.vfs.FileSystem;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.SetAttr;
import redoubt.sentry.vfs.StatData;
import redoubt.sentry.vfs.StatfsData;

/**
 * A writable directory of a tmpfs over lower directories that nobody changes: a container's root,
 * or one that a guest mounted ({@link OverlayMount}), whose upper directory others see, too.
 */
public final class OverlayFs extends FileSystem {
  /** OVERLAYFS_SUPER_MAGIC. */
  public static final long MAGIC = 0x794c7630;

  /** Bytes that are copied up at a time. */
  static final int COPY_BYTES = 256 * 1024;

  /**
   * Added to inode numbers of files that have no lower one, which keep out of the lower ones' way.
   */
  static final long UPPER_INO = 1L << 47;

  static final Credentials KERNEL = Credentials.root();

  final TmpFs upper;

  /**
   * Whether a guest mounted it: what it says lies in the upper directory as Linux would have it,
   * for the next mount and for who reads it there.
   */
  final boolean lasting;

  private final boolean writable;

  /** Keeps the layers' filesystems while this one is mounted. */
  private final List<Mount> layers;

  private final String options;

  /** Which of our inodes shows an upper one; guarded by itself. Only when lasting. */
  private final Map<TmpInode, WeakReference<OverlayInode>> above = new WeakHashMap<>();

  /** A guest's overlay has its upper directory in this one: names change behind its back. */
  private volatile boolean changesBelow;

  final Object mu = new Object();
  private final boolean batches;
  private final OverlayDir root;
  private volatile long changes; // written under mu
  private final ArrayDeque<MemorySegment> copyBuffers = new ArrayDeque<>(1); // guarded by itself

  /**
   * @param upper takes the changes; nothing else may use it
   * @param lowers directories from top to bottom
   */
  public OverlayFs(TmpFs upper, Inode... lowers) {
    super("overlay");
    this.upper = upper;
    this.lasting = false;
    this.writable = true;
    this.layers = List.of();
    this.options = "";
    boolean batched = false;
    for (Inode lower : lowers) {
      if (!lower.isDirectory()) {
        throw ErrnoException.of(ENOTDIR);
      }
      batched |= lower.fs.batchesWalks();
    }
    this.batches = batched;
    TmpDir top = upper.root();
    if (lowers.length > 0) {
      copyAttributes(lowers[0], top);
    }
    root = new OverlayDir(this, top, List.of(lowers), null, "", !top.isEmpty());
    setAbove(top, root);
  }

  /**
   * A guest's overlay.
   *
   * @param layers ours to keep, and to let go of in the end
   * @param options what /proc/mounts shows
   * @param writable whether {@code top} is an upper directory; if not, it stays empty
   */
  OverlayFs(TmpDir top, List<Inode> lowers, List<Mount> layers, String options, boolean writable) {
    super("overlay");
    this.upper = (TmpFs) top.fs;
    this.writable = writable;
    super.setReadOnly(!writable);
    this.lasting = true;
    this.layers = layers;
    this.options = options;
    this.batches = false;
    root = new OverlayDir(this, top, List.copyOf(lowers), null, "", true);
    setAbove(top, root);
  }

  @Override
  public void setReadOnly(boolean readOnly) {
    super.setReadOnly(readOnly || !writable);
  }

  /** {@return our inode for the upper {@code inode}, if it has one} */
  @Nullable OverlayInode above(TmpInode inode) {
    if (!lasting) {
      return (OverlayInode) inode.overlay;
    }
    synchronized (above) {
      WeakReference<OverlayInode> ref = above.get(inode);
      return ref == null ? null : ref.get();
    }
  }

  void setAbove(TmpInode inode, OverlayInode ours) {
    if (!lasting) {
      inode.overlay = ours;
      return;
    }
    synchronized (above) {
      above.put(inode, new WeakReference<>(ours));
    }
  }

  void changesBelow() {
    changesBelow = true;
  }

  @Override
  public boolean needsRevalidate() {
    return changesBelow;
  }

  @Override
  public String showOptions() {
    return options;
  }

  @Override
  public void release() {
    layers.forEach(Mount::discard);
  }

  @Override
  public OverlayDir root() {
    return root;
  }

  @Override
  public long magic() {
    return MAGIC;
  }

  @Override
  public boolean batchesWalks() {
    return batches;
  }

  @Override
  public void statfs(StatfsData s) {
    upper.statfs(s);
    s.type = MAGIC;
    s.fsid = device();
  }

  /** {@return a number that is different after names have changed} */
  long changes() {
    return changes;
  }

  /** Names change. Under mu. */
  void noteChange() {
    changes++;
  }

  static boolean isWhiteout(Inode inode) {
    return inode.type() == Inode.S_IFCHR && inode.rdev() == 0;
  }

  /** Gives {@code to} the owner, mode, times and extended attributes of {@code from}. */
  static void copyAttributes(Inode from, TmpInode to) {
    for (String name : from.listxattr()) {
      if (name.startsWith(OverlayInode.PRIVATE_XATTR)) {
        continue;
      }
      try {
        to.setxattr(name, from.getxattr(name), 0);
      } catch (ErrnoException e) {
        if (e.errno() != redoubt.abi.Errno.EOPNOTSUPP && e.errno() != redoubt.abi.Errno.ENODATA) {
          throw e;
        }
      }
    }
    dropInherited(from, to);
    StatData s = new StatData();
    from.stat(s);
    SetAttr a = new SetAttr();
    a.valid = SetAttr.UID | SetAttr.GID | SetAttr.ATIME | SetAttr.MTIME;
    if (!from.isSymlink()) {
      a.valid |= SetAttr.MODE;
    }
    a.mode = s.mode & 07777;
    a.uid = s.uid;
    a.gid = s.gid;
    a.atimeNs = s.atimeNs;
    a.mtimeNs = s.mtimeNs;
    to.setattr(a);
  }

  /** A copy has no ACLs of the directory that it is put into. */
  private static void dropInherited(Inode from, TmpInode to) {
    if (to.acl(false) != null && from.acl(false) == null) {
      to.removexattr(Xattr.XATTR_NAME_POSIX_ACL_ACCESS);
    }
    if (to.acl(true) != null && from.acl(true) == null) {
      to.removexattr(Xattr.XATTR_NAME_POSIX_ACL_DEFAULT);
    }
  }

  MemorySegment takeCopyBuffer() {
    synchronized (copyBuffers) {
      MemorySegment b = copyBuffers.poll();
      if (b != null) {
        return b;
      }
    }
    return Memory.mapAnonymous(COPY_BYTES);
  }

  void giveCopyBuffer(MemorySegment b) {
    synchronized (copyBuffers) {
      if (copyBuffers.isEmpty()) {
        copyBuffers.push(b);
        return;
      }
    }
    Memory.unmap(b);
  }
}
