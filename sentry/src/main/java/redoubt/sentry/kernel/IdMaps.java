package redoubt.sentry.kernel;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;

/** Writing uid_map, gid_map and projid_map of /proc/PID: map_write of kernel/user_namespace.c. */
public final class IdMaps {
  /** UID_GID_MAP_MAX_EXTENTS. */
  private static final int MAX_EXTENTS = 340;

  /** Which map. */
  public enum Kind {
    UID,
    GID,
    PROJECT
  }

  private IdMaps() {}

  /**
   * Sets a map of {@code ns}.
   *
   * @param opener the credentials of whoever opened the file
   * @return 0 or -errno
   */
  public static long write(
      UserNamespace ns, Kind kind, Task task, Credentials opener, String text) {
    Credentials writer = task.creds();
    UserNamespace parent = ns.parent();
    if (parent == null || (opener.userNs != ns && opener.userNs != parent)) {
      return -EPERM;
    }
    if (text.length() >= 4096) {
      return -EINVAL;
    }
    if (current(ns, kind).length > 0) {
      return -EPERM;
    }
    if (kind != Kind.PROJECT && !capable(writer, opener, ns, Caps.CAP_SYS_ADMIN)) {
      return -EPERM;
    }
    List<UserNamespace.Extent> asked = parse(text);
    if (asked == null) {
      return -EINVAL;
    }
    if (!isPermitted(ns, parent, kind, writer, opener, asked)) {
      return -EPERM;
    }
    UserNamespace.Extent[] map = new UserNamespace.Extent[asked.size()];
    for (int i = 0; i < map.length; i++) {
      UserNamespace.Extent e = asked.get(i);
      int lower = lowered(parent, kind, e);
      if (lower == -1) {
        return -EPERM;
      }
      map[i] = new UserNamespace.Extent(e.first(), lower, e.count());
    }
    boolean set =
        switch (kind) {
          case UID -> ns.setUidMap(map);
          case GID -> ns.setGidMap(map);
          case PROJECT -> ns.setProjectMap(map);
        };
    if (set) {
      publish(task, ns);
    }
    return set ? 0 : -EPERM;
  }

  /** Who lives there is called otherwise from now on, also where the platform answers getuid(2). */
  private static void publish(Task task, UserNamespace ns) {
    List<Task> all;
    synchronized (task.kernel().tasks().mu) {
      all = task.container().pids.tasks();
    }
    for (Task t : all) {
      if (t.creds().userNs.isWithin(ns)) {
        t.publishAnswers();
      }
    }
  }

  private static UserNamespace.Extent[] current(UserNamespace ns, Kind kind) {
    return switch (kind) {
      case UID -> ns.uidMap();
      case GID -> ns.gidMap();
      case PROJECT -> ns.projectMap();
    };
  }

  private static boolean capable(
      Credentials writer, Credentials opener, UserNamespace ns, int cap) {
    return writer.hasCapability(ns, cap) && opener.hasCapability(ns, cap);
  }

  /**
   * {@return the kernel's number of the extent's lower end}, -1 unless all of it is mapped there
   */
  private static int lowered(UserNamespace parent, Kind kind, UserNamespace.Extent e) {
    if (kind == Kind.PROJECT) {
      return e.lower();
    }
    for (UserNamespace.Extent p : current(parent, kind)) {
      long from = (e.lower() & 0xffffffffL) - (p.first() & 0xffffffffL);
      if (from >= 0 && from + (e.count() & 0xffffffffL) <= (p.count() & 0xffffffffL)) {
        return p.lower() + (int) from;
      }
    }
    return -1;
  }

  private static @Nullable List<UserNamespace.Extent> parse(String text) {
    List<UserNamespace.Extent> out = new ArrayList<>();
    String[] lines = text.split("\n", -1);
    int count =
        lines.length > 1 && lines[lines.length - 1].isEmpty() ? lines.length - 1 : lines.length;
    for (int i = 0; i < count; i++) {
      String[] words = lines[i].strip().split("[ \t]+", -1);
      if (words.length != 3 || out.size() == MAX_EXTENTS) {
        return null;
      }
      long first = number(words[0]);
      long lower = number(words[1]);
      long n = number(words[2]);
      if (first < 0
          || lower < 0
          || n <= 0
          || first == 0xffffffffL
          || lower == 0xffffffffL
          || first + n > 0xffffffffL
          || lower + n > 0xffffffffL) {
        return null;
      }
      for (UserNamespace.Extent e : out) {
        if (overlaps(first, n, e.first(), e.count()) || overlaps(lower, n, e.lower(), e.count())) {
          return null;
        }
      }
      out.add(new UserNamespace.Extent((int) first, (int) lower, (int) n));
    }
    return out;
  }

  private static boolean overlaps(long a, long n, int b, int m) {
    long from = b & 0xffffffffL;
    return a < from + (m & 0xffffffffL) && from < a + n;
  }

  private static long number(String s) {
    if (s.isEmpty() || s.length() > 10) {
      return -1;
    }
    long v = 0;
    for (int i = 0; i < s.length(); i++) {
      int d = s.charAt(i) - '0';
      if (d < 0 || d > 9) {
        return -1;
      }
      v = v * 10 + d;
    }
    return v > 0xffffffffL ? -1 : v;
  }

  private static boolean isPermitted(
      UserNamespace ns,
      UserNamespace parent,
      Kind kind,
      Credentials writer,
      Credentials opener,
      List<UserNamespace.Extent> map) {
    if (kind == Kind.UID && mapsRoot(map)) {
      boolean could =
          opener.userNs == ns
              ? ns.parentCouldSetfcap()
              : opener.hasCapability(parent, Caps.CAP_SETFCAP);
      if (!could) {
        return false;
      }
    }
    if (map.size() == 1 && map.get(0).count() == 1 && ns.ownerUid() == opener.euid) {
      int id = map.get(0).lower();
      if (kind == Kind.UID && parent.kernelUid(id) == opener.euid) {
        return true;
      }
      if (kind == Kind.GID && parent.kernelGid(id) == opener.egid && !ns.setgroupsAllowed()) {
        return true;
      }
    }
    if (kind == Kind.PROJECT) {
      return true;
    }
    int cap = kind == Kind.UID ? Caps.CAP_SETUID : Caps.CAP_SETGID;
    return capable(writer, opener, parent, cap);
  }

  private static boolean mapsRoot(List<UserNamespace.Extent> map) {
    for (UserNamespace.Extent e : map) {
      if (e.lower() == 0) {
        return true;
      }
    }
    return false;
  }
}
