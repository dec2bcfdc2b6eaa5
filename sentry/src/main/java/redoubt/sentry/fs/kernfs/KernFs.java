package redoubt.sentry.fs.kernfs;

import java.util.concurrent.atomic.AtomicLong;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.vfs.FileSystem;

/** A filesystem made of {@link KernInode}s. */
public abstract class KernFs extends FileSystem {
  private final Kernel kernel;
  private final long magic;
  private final AtomicLong nextInode = new AtomicLong(1);

  protected KernFs(Kernel kernel, String type, long magic) {
    super(type);
    this.kernel = kernel;
    this.magic = magic;
  }

  public final Kernel kernel() {
    return kernel;
  }

  @Override
  public final long magic() {
    return magic;
  }

  /** {@return the next inode number of this instance} */
  public final long nextInode() {
    return nextInode.getAndIncrement();
  }
}
