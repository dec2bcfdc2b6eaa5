package redoubt.sentry.fs.kernfs;

import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.VfsPath;

/** A symbolic link, computed for whoever reads it. */
public class LinkFile extends KernInode {
  private final String target;

  public LinkFile(KernFs fs, String target) {
    this(fs, fs.nextInode(), target);
  }

  protected LinkFile(KernFs fs, long ino, String target) {
    super(fs, ino, S_IFLNK | 0777);
    this.target = target;
  }

  @Override
  public String readlink() {
    return target;
  }

  @Override
  public long size() {
    return target.length();
  }

  @Override
  public @Nullable VfsPath followMagic(Task t) {
    return null;
  }

  @Override
  public FileDescription open(Task t, VfsPath path, int flags) {
    throw new IllegalStateException("a link is never opened");
  }
}
