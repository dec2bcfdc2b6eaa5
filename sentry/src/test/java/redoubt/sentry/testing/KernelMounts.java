package redoubt.sentry.testing;

import redoubt.abi.Nr;
import redoubt.sentry.fs.cgroup.CgroupFs;
import redoubt.sentry.fs.dev.Devices;
import redoubt.sentry.fs.devpts.DevPtsFs;
import redoubt.sentry.fs.proc.ProcFs;
import redoubt.sentry.fs.sys.SysFs;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileSystem;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.MountNamespace;
import redoubt.sentry.vfs.PathWalk;

/** Gives a {@link FakeGuest} what a container has mounted: /proc, /sys, /dev and /dev/pts. */
public final class KernelMounts {
  private KernelMounts() {}

  public static FakeGuest create() {
    FakeGuest g = FakeGuest.create();
    Kernel k = g.kernel();
    Devices.register(k);
    DevPtsFs.register(k);
    g.ok(Nr.MKDIR, g.text("/dev"), 0755);
    var dev = new PathWalk(g.task(), g.task().fs().root()).to("/dev", 0).inode();
    Devices.populate(dev);
    Devices.populateMachine(dev);
    mount(g, new ProcFs(k, g.task().pidNamespace()), "/proc");
    mount(g, new SysFs(k), "/sys");
    mount(g, CgroupFs.of(k, g.task().cgroup()), "/sys/fs/cgroup");
    mount(g, new DevPtsFs(k, "mode=620,ptmxmode=666,gid=5"), "/dev/pts");
    return g;
  }

  private static void mount(FakeGuest g, FileSystem fs, String at) {
    g.call(Nr.MKDIR, g.text(at), 0755);
    var place = new PathWalk(g.task(), g.task().fs().root()).to(at, 0);
    MountNamespace.attach(
        new Mount(fs, new Dentry(fs.root()), fs.type(), Mount.MS_RELATIME), place);
  }

  /** {@return the whole text of a file} */
  public static String read(FakeGuest g, String path) {
    long fd = g.ok(Nr.OPEN, g.text(path), 0, 0);
    long buffer = g.space(4096);
    StringBuilder out = new StringBuilder();
    for (; ; ) {
      long n = g.ok(Nr.READ, fd, buffer, 4096);
      if (n == 0) {
        break;
      }
      out.append(g.string(buffer, n));
    }
    g.ok(Nr.CLOSE, fd);
    return out.toString();
  }

  /** Writes {@code text} to a file in one call; returns the call's result. */
  public static long write(FakeGuest g, String path, String text) {
    long fd = g.ok(Nr.OPEN, g.text(path), 1, 0);
    long r = g.call(Nr.WRITE, fd, g.text(text), text.length());
    g.ok(Nr.CLOSE, fd);
    return r;
  }

  /** {@return a link's text} */
  public static String link(FakeGuest g, String path) {
    long buffer = g.space(4096);
    return g.string(buffer, g.ok(Nr.READLINK, g.text(path), buffer, 4096));
  }
}
