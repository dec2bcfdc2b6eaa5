package redoubt.sentry.fs.cgroup;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EPERM;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.fs.kernfs.KernInode;
import redoubt.sentry.fs.kernfs.ListedDirFile;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.cgroup.Cgroup;
import redoubt.sentry.kernel.cgroup.Controller;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.DirSink;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.FsNotify;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.VfsPath;

/**
 * A group: its files, and the groups below it as directories. mkdir(2) makes a group, rmdir(2)
 * removes an empty one; groups have no other names (EPERM of rename, as in Linux).
 */
public final class CgroupDir extends KernInode implements Cgroup.Listener {
  final CgroupFs cgroupFs;
  final Cgroup group;
  private final Map<String, CgroupFile> files = new LinkedHashMap<>();

  CgroupDir(CgroupFs fs, Cgroup group, int permissions) {
    super(fs, fs.nextInode(), S_IFDIR | permissions);
    this.cgroupFs = fs;
    this.group = group;
    for (FileType type : FileType.ALL) {
      files.put(type.name(), new CgroupFile(this, type));
    }
    group.listen(this);
  }

  @Override
  protected boolean attributesChange() {
    return true;
  }

  private Object mu() {
    return cgroupFs.kernel().tasks().mu;
  }

  private void bornBy(Credentials c) {
    own(c.fsuid, c.fsgid);
    for (CgroupFile f : files.values()) {
      f.bornBy(c);
    }
  }

  @Override
  protected int linkCount() {
    synchronized (mu()) {
      return 2 + group.children().size();
    }
  }

  /** {@return whether the file is there}: its controller may not be */
  private boolean has(FileType type) {
    Controller c = type.controller();
    synchronized (mu()) {
      return !group.isRemoved() && (c == null || (group.controllers() & c.bit()) != 0);
    }
  }

  CgroupFile file(String name) {
    return java.util.Objects.requireNonNull(files.get(name));
  }

  @Override
  public @Nullable Inode lookup(String name) {
    CgroupFile f = files.get(name);
    if (f != null) {
      return has(f.type) ? f : null;
    }
    Cgroup child;
    synchronized (mu()) {
      child = group.child(name);
    }
    return child == null ? null : cgroupFs.directory(child);
  }

  @Override
  public boolean cachesNegative() {
    return false;
  }

  @Override
  public boolean revalidate(Dentry child) {
    Inode i = child.inodeOrNull();
    return i instanceof CgroupFile f
        ? has(f.type)
        : i instanceof CgroupDir d && !d.group.isRemoved();
  }

  @Override
  public Inode create(String name, int mode, Credentials creds) {
    throw ErrnoException.of(EACCES); // vfs_create, where a directory has no such operation
  }

  @Override
  public Inode mkdir(String name, int mode, Credentials creds) {
    if (files.containsKey(name)) {
      throw ErrnoException.of(EEXIST);
    }
    Cgroup made;
    synchronized (mu()) {
      made = group.make(name);
    }
    CgroupDir d = new CgroupDir(cgroupFs, made, mode & 07777);
    d.bornBy(creds);
    cgroupFs.made(d);
    touch(true);
    return d;
  }

  @Override
  public void rmdir(String name, Inode child) {
    if (!(child instanceof CgroupDir d)) {
      throw ErrnoException.of(EPERM);
    }
    synchronized (mu()) {
      d.group.remove();
    }
    d.group.forget(d);
    cgroupFs.removed(d);
    redoubt.sentry.kernel.CgroupAccountant.limitsChanged(cgroupFs.kernel(), d.group);
    touch(true);
  }

  @Override
  public void changed(String name) {
    CgroupFile f = files.get(name);
    if (f != null) {
      f.changed();
      FsNotify.modified(this, name, f);
    }
  }

  @Override
  public FileDescription open(Task t, VfsPath path, int flags) {
    return new Listing(path, flags, t);
  }

  private record Entry(String name, long ino, int type) {}

  private List<Entry> entries() {
    List<Entry> out = new ArrayList<>();
    for (CgroupFile f : files.values()) {
      if (has(f.type)) {
        out.add(new Entry(f.type.name(), f.ino(), f.type() >> 12));
      }
    }
    List<Cgroup> children;
    synchronized (mu()) {
      children = List.copyOf(group.children());
    }
    for (Cgroup c : children) {
      CgroupDir d = cgroupFs.directory(c);
      out.add(new Entry(c.name(), d.ino(), d.type() >> 12));
    }
    return out;
  }

  /** The directory as it was when it was opened or rewound. */
  private final class Listing extends ListedDirFile {
    private List<Entry> entries = List.of();

    Listing(VfsPath path, int flags, Task t) {
      super(CgroupDir.this, path, flags, t);
    }

    @Override
    public long readdir(Task t, DirSink sink) {
      if (position() == 0) {
        entries = entries();
      }
      return super.readdir(t, sink);
    }

    @Override
    protected int count() {
      return entries.size();
    }

    @Override
    protected String name(int index) {
      return entries.get(index).name;
    }

    @Override
    protected long ino(int index) {
      return entries.get(index).ino;
    }

    @Override
    protected int type(int index) {
      return entries.get(index).type;
    }
  }
}
