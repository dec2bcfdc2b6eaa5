package redoubt.sentry.fs.cgroup;

import java.util.concurrent.ConcurrentHashMap;
import redoubt.sentry.fs.kernfs.KernFs;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.cgroup.Cgroup;
import redoubt.sentry.vfs.Inode;

/**
 * cgroup2 with one group as its root: what a cgroup namespace sees. There is one for each such
 * group, however often it is mounted.
 */
public final class CgroupFs extends KernFs {
  private static final long CGROUP2_SUPER_MAGIC = 0x63677270;

  private final ConcurrentHashMap<Cgroup, CgroupDir> directories = new ConcurrentHashMap<>();
  private final CgroupDir root;

  private CgroupFs(Kernel kernel, Cgroup top) {
    super(kernel, "cgroup2", CGROUP2_SUPER_MAGIC);
    root = new CgroupDir(this, top, 0755);
    directories.put(top, root);
  }

  /** {@return the instance whose root is {@code top}} */
  public static CgroupFs of(Kernel kernel, Cgroup top) {
    synchronized (top) {
      if (top.rootOf instanceof CgroupFs fs) {
        return fs;
      }
      CgroupFs fs = new CgroupFs(kernel, top);
      top.rootOf = fs;
      return fs;
    }
  }

  @Override
  public Inode root() {
    return root;
  }

  /** Groups come and go through other instances, and files with controllers. */
  @Override
  public boolean needsRevalidate() {
    return true;
  }

  /** {@return the directory of {@code group}, which is below the root} */
  CgroupDir directory(Cgroup group) {
    return directories.computeIfAbsent(group, g -> new CgroupDir(this, g, 0755));
  }

  /** {@return the directory of {@code group} here, or as its whole container sees it} */
  CgroupDir view(Cgroup group) {
    return group.isWithin(root.group)
        ? directory(group)
        : of(kernel(), group.top()).directory(group);
  }

  /** Sets a file of the root, as the configuration of a container says; unknown ones are not. */
  public void configure(Task t, String file, String value) {
    for (FileType type : FileType.ALL) {
      FileType.Writer w = type.writer();
      if (w != null && !type.delegated() && type.name().equals(file)) {
        long e = w.write(t, root, value);
        if (e < 0) {
          kernel()
              .log()
              .log(4, "redoubt: " + file + " = " + value + " of the configuration: refused");
        }
      }
    }
  }

  void made(CgroupDir d) {
    directories.put(d.group, d);
  }

  void removed(CgroupDir d) {
    directories.remove(d.group, d);
  }
}
