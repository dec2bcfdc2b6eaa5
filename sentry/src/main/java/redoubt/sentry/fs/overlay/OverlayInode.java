package redoubt.sentry.fs.overlay;

import static redoubt.abi.Errno.ENODATA;
import static redoubt.abi.Errno.EPERM;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.fs.tmpfs.TmpInode;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.PosixAcl;
import redoubt.sentry.vfs.SetAttr;
import redoubt.sentry.vfs.StatData;

/** A file of an overlay: the lower one until it is copied up, then the upper one. */
public abstract class OverlayInode extends Inode {
  static final String PRIVATE_XATTR = "trusted.overlay.";

  final OverlayFs overlay;

  /** The lower file that it was found as, or the topmost of its lower directories. */
  final @Nullable Inode lower;

  /** Where the lower file was found: where it is copied up to. */
  final @Nullable OverlayDir origin;

  final String originName;

  /** Set once, under OverlayFs.mu. */
  private volatile @Nullable TmpInode upper;

  /**
   * Whether the lower file's name was removed or taken before it was copied up. Guarded by
   * OverlayFs.mu.
   */
  boolean removed;

  OverlayInode(
      OverlayFs fs,
      @Nullable TmpInode upper,
      @Nullable Inode lower,
      @Nullable OverlayDir origin,
      String originName) {
    super(fs);
    this.overlay = fs;
    this.upper = upper;
    this.lower = lower;
    this.origin = origin;
    this.originName = originName;
  }

  final @Nullable TmpInode upperOrNull() {
    return upper;
  }

  final void setUpper(TmpInode u) {
    overlay.setAbove(u, this);
    upper = u;
  }

  /** {@return the file that it shows now} */
  final Inode real() {
    Inode u = upper;
    if (u != null) {
      return u;
    }
    Inode l = lower;
    if (l == null) {
      throw new AssertionError("an overlay inode over nothing");
    }
    return l;
  }

  /** {@return the upper file}, made of the lower one if there is none yet */
  abstract TmpInode copyUp();

  /** {@return whether the lower file is what {@code dir} has below as {@code name}} */
  final boolean isFrom(OverlayDir dir, String name) {
    return lower != null && origin == dir && originName.equals(name);
  }

  // ---- attributes ----

  @Override
  public final int mode() {
    return real().mode();
  }

  @Override
  public final int uid() {
    return real().uid();
  }

  @Override
  public final int gid() {
    return real().gid();
  }

  @Override
  public final long size() {
    return real().size();
  }

  @Override
  public final long rdev() {
    return real().rdev();
  }

  @Override
  public boolean mayWriteInPlace() {
    return real().mayWriteInPlace();
  }

  @Override
  public final long ino() {
    Inode l = lower;
    return l != null ? l.ino() : OverlayFs.UPPER_INO + real().ino();
  }

  @Override
  public void stat(StatData s) {
    real().stat(s);
    s.dev = fs.device();
    s.ino = ino();
  }

  @Override
  public void setattr(SetAttr a) {
    copyUp().setattr(a);
  }

  // ---- extended attributes ----

  /**
   * {@return whether {@code name} is how an overlay remembers things} In a container's root only
   * merged files hide it: who unpacks the layers of others there says so.
   */
  private boolean isPrivate(String name) {
    return (lower != null || overlay.lasting) && name.startsWith(PRIVATE_XATTR);
  }

  @Override
  public final boolean hasAcls() {
    return real().hasAcls();
  }

  @Override
  public final @Nullable PosixAcl acl(boolean inherited) {
    return real().acl(inherited);
  }

  @Override
  public final byte[] getxattr(String name) {
    if (isPrivate(name)) {
      throw ErrnoException.of(ENODATA);
    }
    return real().getxattr(name);
  }

  @Override
  public final void setxattr(String name, byte[] value, int flags) {
    if (isPrivate(name)) {
      throw ErrnoException.of(EPERM);
    }
    copyUp().setxattr(name, value, flags);
  }

  @Override
  public final void removexattr(String name) {
    if (isPrivate(name)) {
      throw ErrnoException.of(ENODATA);
    }
    if (upper == null) {
      real().getxattr(name); // ENODATA before anything is copied
    }
    copyUp().removexattr(name);
  }

  @Override
  public final List<String> listxattr() {
    List<String> all = real().listxattr();
    for (int i = 0; i < all.size(); i++) {
      if (isPrivate(all.get(i))) {
        List<String> shown = new ArrayList<>(all);
        shown.removeIf(this::isPrivate);
        return shown;
      }
    }
    return all;
  }
}
