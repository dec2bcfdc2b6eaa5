package redoubt.sentry.fs.proc;

import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.VfsPath;

/** /proc/PID/mounts, mountinfo and mountstats: fs/proc_namespace.c. */
final class MountTexts {
  private MountTexts() {}

  /** {@return {@code s} with blanks and backslashes as octal, as mangle()} */
  private static String mangle(String s) {
    StringBuilder o = null;
    for (int i = 0; i < s.length(); i++) {
      char c = s.charAt(i);
      if (c == ' ' || c == '\t' || c == '\n' || c == '\\' || c == '#') {
        if (o == null) {
          o = new StringBuilder(s.length() + 8).append(s, 0, i);
        }
        o.append('\\')
            .append((char) ('0' + (c >> 6)))
            .append((char) ('0' + (c >> 3 & 7)))
            .append((char) ('0' + (c & 7)));
      } else if (o != null) {
        o.append(c);
      }
    }
    return o == null ? s : o.toString();
  }

  private static void pathWithin(StringBuilder o, @Nullable Dentry top, Dentry d) {
    StringBuilder path = new StringBuilder();
    for (Dentry at = d; at != top && at.parent() != null; ) {
      path.insert(0, at.name()).insert(0, '/');
      Dentry p = at.parent();
      if (p == null) {
        break;
      }
      at = p;
    }
    o.append(path);
  }

  /**
   * {@return where {@code m} is mounted, seen from {@code root}}, or null when it is not below it
   */
  private static @Nullable String placeOf(Mount m, VfsPath root) {
    StringBuilder path = new StringBuilder();
    Mount mount = m;
    Dentry d = m.root;
    for (int hops = 0; hops < 4096; hops++) {
      if (mount == root.mount && d == root.dentry) {
        return path.isEmpty() ? "/" : path.toString();
      }
      if (d == mount.root) {
        Mount up = mount.parent();
        Dentry at = mount.mountPoint();
        if (up == null || at == null) {
          return null;
        }
        mount = up;
        d = at;
        continue;
      }
      path.insert(0, d.name()).insert(0, '/');
      Dentry p = d.parent();
      if (p == null) {
        return null;
      }
      d = p;
    }
    return null;
  }

  private static void flags(StringBuilder o, Mount m) {
    int f = m.flags();
    o.append((f & Mount.MS_NOSUID) != 0 ? ",nosuid" : "")
        .append((f & Mount.MS_NODEV) != 0 ? ",nodev" : "");
    o.append((f & Mount.MS_NOEXEC) != 0 ? ",noexec" : "")
        .append((f & Mount.MS_NOATIME) != 0 ? ",noatime" : "");
    o.append((f & Mount.MS_NODIRATIME) != 0 ? ",nodiratime" : "");
    o.append((f & Mount.MS_RELATIME) != 0 ? ",relatime" : "");
    o.append((f & redoubt.abi.Mount.MS_NOSYMFOLLOW) != 0 ? ",nosymfollow" : "");
  }

  private static void propagation(StringBuilder o, Mount m) {
    int group = m.groupId();
    int master = m.masterId();
    o.append(group != 0 ? " shared:" + group : "");
    o.append(master != 0 ? " master:" + master : "");
    o.append(m.isUnbindable() ? " unbindable" : "");
  }

  static void mounts(Task t, StringBuilder o) {
    if (t.isDead()) {
      return;
    }
    VfsPath root = t.fs().root();
    for (Mount m : t.mountNamespace().mounts()) {
      String place = placeOf(m, root);
      if (place == null) {
        continue;
      }
      o.append(mangle(m.source.isEmpty() ? "none" : m.source))
          .append(' ')
          .append(mangle(place))
          .append(' ');
      o.append(m.fs.type()).append(' ').append(m.isReadOnly() ? "ro" : "rw");
      flags(o, m);
      o.append(m.fs.showOptions()).append(" 0 0\n");
    }
  }

  static void mountinfo(Task t, StringBuilder o) {
    if (t.isDead()) {
      return;
    }
    VfsPath root = t.fs().root();
    for (Mount m : t.mountNamespace().mounts()) {
      String place = placeOf(m, root);
      if (place == null) {
        continue;
      }
      Mount parent = m.parent();
      long dev = m.fs.device();
      o.append(m.id).append(' ').append(parent == null ? m.id : parent.id).append(' ');
      o.append(dev >> 8 & 0xfff).append(':').append(dev & 0xff | (dev >> 12 & ~0xffL)).append(' ');
      int at = o.length();
      if (m.root.parent() == null && m.root.isDetached()) {
        o.append(m.root.name()); // a file of nsfs, which has no path
      } else {
        pathWithin(o, null, m.root);
      }
      if (o.length() == at) {
        o.append('/');
      }
      o.append(' ').append(mangle(place)).append(' ');
      o.append((m.flags() & Mount.MS_RDONLY) != 0 ? "ro" : "rw");
      flags(o, m);
      propagation(o, m);
      o.append(" - ")
          .append(m.fs.type())
          .append(' ')
          .append(mangle(m.source.isEmpty() ? "none" : m.source));
      o.append(' ').append(m.fs.isReadOnly() ? "ro" : "rw");
      o.append(m.fs.showOptions()).append('\n');
    }
  }

  static void mountstats(Task t, StringBuilder o) {
    if (t.isDead()) {
      return;
    }
    VfsPath root = t.fs().root();
    for (Mount m : t.mountNamespace().mounts()) {
      String place = placeOf(m, root);
      if (place != null) {
        o.append("device ").append(mangle(m.source)).append(" mounted on ").append(mangle(place));
        o.append(" with fstype ").append(m.fs.type()).append('\n');
      }
    }
  }
}
