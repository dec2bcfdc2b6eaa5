package redoubt.sentry.fs.devpts;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EIO;
import static redoubt.abi.Errno.ENODEV;
import static redoubt.abi.Errno.ENOSPC;
import static redoubt.abi.Errno.ENXIO;

import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.fs.kernfs.KernDir;
import redoubt.sentry.fs.kernfs.KernFs;
import redoubt.sentry.fs.kernfs.KernInode;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.tty.MasterFile;
import redoubt.sentry.kernel.tty.PseudoTerminal;
import redoubt.sentry.kernel.tty.SlaveFile;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.SpecialFiles;
import redoubt.sentry.vfs.VfsPath;

/** An instance of devpts. */
public final class DevPtsFs extends KernFs {
  private static final long DEVPTS_SUPER_MAGIC = 0x1cd1;
  private static final int PTMX_MAJOR = 5;
  private static final int PTMX_MINOR = 2;

  /** Most terminals of one instance (kernel.pty.max). */
  static final int LIMIT = 4096;

  private final TreeMap<Integer, Slave> slaves = new TreeMap<>(); // guarded by this
  private final Root root;
  private final int uid; // -1: the opener's
  private final int gid; // -1: the opener's
  private final int mode;
  private final int ptmxMode;
  private final int max;

  /**
   * Makes an instance.
   *
   * @param options of mount(2): uid=, gid=, mode=, ptmxmode=, max=, newinstance
   * @throws ErrnoException EINVAL for others
   */
  public DevPtsFs(Kernel kernel, String options) {
    super(kernel, "devpts", DEVPTS_SUPER_MAGIC);
    int u = -1;
    int g = -1;
    int m = 0600;
    int pm = 0;
    int limit = LIMIT;
    for (String o : options.split(",")) {
      int eq = o.indexOf('=');
      String value = eq < 0 ? "" : o.substring(eq + 1);
      try {
        switch (eq < 0 ? o : o.substring(0, eq)) {
          case "", "newinstance" -> {}
          case "uid" -> u = Integer.parseUnsignedInt(value);
          case "gid" -> g = Integer.parseUnsignedInt(value);
          case "mode" -> m = Integer.parseInt(value, 8) & 07777;
          case "ptmxmode" -> pm = Integer.parseInt(value, 8) & 07777;
          case "max" -> limit = Math.min(LIMIT, Math.max(0, Integer.parseInt(value)));
          default -> throw ErrnoException.of(EINVAL);
        }
      } catch (NumberFormatException e) {
        throw ErrnoException.of(EINVAL);
      }
    }
    uid = u;
    gid = g;
    mode = m;
    ptmxMode = pm;
    max = limit;
    root = new Root();
    root.add("ptmx", new Ptmx());
  }

  /** Registers /dev/ptmx, /dev/tty, /dev/console and the slaves' numbers. Call at boot. */
  public static void register(Kernel k) {
    SpecialFiles s = k.specialFiles();
    s.registerCharacter(PTMX_MAJOR, PTMX_MINOR, DevPtsFs::openPtmx);
    s.registerCharacter(5, 0, DevPtsFs::openControlling);
    s.registerCharacter(5, 1, DevPtsFs::openConsole);
    s.registerMajor(136, DevPtsFs::openSlave);
  }

  private static FileDescription openSlave(Task t, VfsPath path, int flags) {
    if (path.inode() instanceof Slave s) {
      return SlaveFile.open(s.tty, t, path, flags);
    }
    throw ErrnoException.of(EIO); // a node outside of devpts says nothing about which instance
  }

  private static FileDescription openControlling(Task t, VfsPath path, int flags) {
    if (t.threadGroup().tty instanceof PseudoTerminal tty) {
      return SlaveFile.open(tty, t, path, flags | 0400);
    }
    throw ErrnoException.of(ENXIO);
  }

  /** The console is the container's own terminal if it has one; else there is none. */
  private static FileDescription openConsole(Task t, VfsPath path, int flags) {
    var init = t.container().init();
    if (init != null && init.tty instanceof PseudoTerminal tty) {
      return SlaveFile.open(tty, t, path, flags);
    }
    throw ErrnoException.of(ENODEV);
  }

  /**
   * As Linux's devpts_mntget: a ptmx outside of devpts belongs to the instance mounted at "pts"
   * beside it.
   */
  private static FileDescription openPtmx(Task t, VfsPath path, int flags) {
    if (path.inode().fs instanceof DevPtsFs fs) {
      return fs.openMaster(t, path, new VfsPath(path.mount, path.mount.root), flags);
    }
    Dentry parent = path.dentry.parent();
    if (parent == null) {
      throw ErrnoException.of(ENODEV);
    }
    VfsPath pts;
    try {
      pts = new PathWalk(t, new VfsPath(path.mount, parent)).to("pts", PathWalk.DIRECTORY);
    } catch (ErrnoException e) {
      throw ErrnoException.of(ENODEV);
    }
    if (pts.inode().fs instanceof DevPtsFs fs) {
      return fs.openMaster(t, path, pts, flags);
    }
    throw ErrnoException.of(ENODEV);
  }

  /** Makes a pair. {@code directory}: where this instance is mounted. */
  private MasterFile openMaster(Task t, VfsPath path, VfsPath directory, int flags) {
    PseudoTerminal tty = allocate(t.creds());
    return new MasterFile(tty, new PeerOf(directory), path, flags, t);
  }

  /**
   * Makes a pair for the kernel's own use, without a master description: the terminal of a
   * container. The slave is unlocked; {@link #discard} ends it.
   */
  public PseudoTerminal newTerminal(Credentials owner) {
    PseudoTerminal tty = allocate(owner);
    tty.unlock();
    return tty;
  }

  /** Ends a pair that {@link #newTerminal} made. */
  public void discard(PseudoTerminal tty) {
    removed(tty);
    tty.masterClosed();
  }

  private synchronized PseudoTerminal allocate(Credentials owner) {
    int index = 0;
    for (int used : slaves.keySet()) {
      if (used != index) {
        break;
      }
      index++;
    }
    if (index >= max) {
      throw ErrnoException.of(ENOSPC);
    }
    PseudoTerminal tty = new PseudoTerminal(kernel(), index);
    slaves.put(index, new Slave(tty, uid >= 0 ? uid : owner.fsuid, gid >= 0 ? gid : owner.fsgid));
    return tty;
  }

  private synchronized void removed(PseudoTerminal tty) {
    slaves.remove(tty.index());
  }

  private synchronized @Nullable Slave slave(int index) {
    return slaves.get(index);
  }

  /** {@return the place of {@code tty}'s slave where {@code mount} shows this instance} */
  public VfsPath slavePath(PseudoTerminal tty, Mount mount) {
    return slavePath(tty, new VfsPath(mount, mount.root));
  }

  private VfsPath slavePath(PseudoTerminal tty, VfsPath directory) {
    Slave s = slave(tty.index());
    if (s == null || s.tty != tty) {
      throw ErrnoException.of(EIO);
    }
    Dentry dir = directory.dentry;
    return new VfsPath(directory.mount, dir.enterChild(Integer.toString(tty.index()), s));
  }

  private final class PeerOf implements MasterFile.Peer {
    private final VfsPath directory;

    PeerOf(VfsPath directory) {
      this.directory = directory;
    }

    @Override
    public void closed(PseudoTerminal tty) {
      removed(tty);
    }

    @Override
    public VfsPath slavePath(PseudoTerminal tty) {
      return DevPtsFs.this.slavePath(tty, directory);
    }
  }

  @Override
  public Inode root() {
    return root;
  }

  @Override
  public boolean needsRevalidate() {
    return true;
  }

  @Override
  public String showOptions() {
    String modes = ",mode=" + Integer.toOctalString(mode) + ",ptmxmode=" + octal3(ptmxMode);
    return (uid >= 0 ? ",uid=" + Integer.toUnsignedString(uid) : "")
        + (gid >= 0 ? ",gid=" + Integer.toUnsignedString(gid) : "")
        + modes;
  }

  private static String octal3(int v) {
    String s = Integer.toOctalString(v);
    return "0".repeat(Math.max(0, 3 - s.length())) + s;
  }

  private final class Root extends KernDir {
    Root() {
      super(DevPtsFs.this, 1, 0755);
    }

    @Override
    protected boolean attributesChange() {
      return true;
    }

    @Override
    protected @Nullable Inode dynamic(String name) {
      int n = number(name);
      return n < 0 ? null : slave(n);
    }

    @Override
    protected boolean stands(String name, Inode child) {
      return !(child instanceof Slave s) || slave(s.tty.index()) == s;
    }

    @Override
    protected long nextNumber(Task t, long from) {
      synchronized (DevPtsFs.this) {
        Integer n = slaves.ceilingKey((int) Math.min(from, Integer.MAX_VALUE));
        return n == null ? -1 : n;
      }
    }

    @Override
    protected long numberIno(long number) {
      return number + 3;
    }

    @Override
    protected int numberType() {
      return DT_CHR;
    }
  }

  private abstract class Node extends KernInode {
    Node(long ino, int permissions, int owner, int group) {
      super(DevPtsFs.this, ino, S_IFCHR | permissions);
      own(owner, group);
    }

    @Override
    protected boolean attributesChange() {
      return true;
    }

    @Override
    public FileDescription open(Task t, VfsPath path, int flags) {
      throw new IllegalStateException("devices are opened by their number");
    }
  }

  private final class Ptmx extends Node {
    Ptmx() {
      super(2, ptmxMode, Math.max(uid, 0), Math.max(gid, 0));
    }

    @Override
    public long rdev() {
      return SpecialFiles.device(PTMX_MAJOR, PTMX_MINOR);
    }
  }

  /** /dev/pts/N. */
  private final class Slave extends Node {
    private final PseudoTerminal tty;

    Slave(PseudoTerminal tty, int owner, int group) {
      super(tty.index() + 3, mode, owner, group);
      this.tty = tty;
    }

    @Override
    public long rdev() {
      return tty.device();
    }
  }
}
