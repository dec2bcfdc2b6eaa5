package redoubt.oci;

import java.util.ArrayList;
import java.util.List;

/** {@code process} of config.json, or the file given to {@code exec --process}. */
public record Process(
    List<String> args,
    List<String> env,
    String cwd,
    boolean terminal,
    int rows,
    int columns,
    int uid,
    int gid,
    int umask,
    List<Integer> additionalGids,
    long bounding,
    long effective,
    long permitted,
    long inheritable,
    long ambient,
    List<Rlimit> rlimits,
    boolean noNewPrivileges,
    int oomScoreAdj) {

  private static final String[] RLIMITS = {
    "CPU",
    "FSIZE",
    "DATA",
    "STACK",
    "CORE",
    "RSS",
    "NPROC",
    "NOFILE",
    "MEMLOCK",
    "AS",
    "LOCKS",
    "SIGPENDING",
    "MSGQUEUE",
    "NICE",
    "RTPRIO",
    "RTTIME"
  };

  /** A resource limit: RLIMIT_* of getrlimit(2), -1 for no limit. */
  public record Rlimit(int resource, long soft, long hard) {}

  /** Reads a process from the text of a file of its own. */
  public static Process parse(String text) {
    return of(Node.root(Json.parse(text)));
  }

  static Process of(Node node) {
    List<String> args = node.strings("args");
    if (args.isEmpty()) {
      throw node.error("args", "is empty; it names the program to run");
    }
    if (args.get(0).isEmpty()) {
      throw node.error("args[0]", "is empty; it names the program to run");
    }
    String cwd = node.string("cwd", "");
    if (!cwd.startsWith("/")) {
      throw node.error(
          "cwd", cwd.isEmpty() ? "is missing" : "'" + cwd + "' is not an absolute path");
    }
    noNul(node, "args", args);
    List<String> env = node.strings("env");
    noNul(node, "env", env);
    if (!node.string("selinuxLabel", "").isEmpty()) {
      throw node.error("selinuxLabel", "SELinux labels have no meaning in a sandbox; remove it");
    }
    Node user = node.object("user");
    Node size = node.object("consoleSize");
    Node caps = node.object("capabilities");
    return new Process(
        args,
        env,
        cwd,
        node.flag("terminal"),
        size == null ? 0 : size.int32("height", 0),
        size == null ? 0 : size.int32("width", 0),
        user == null ? 0 : user.int32("uid", 0),
        user == null ? 0 : user.int32("gid", 0),
        user == null ? -1 : user.int32("umask", -1),
        user == null ? List.of() : user.ints("additionalGids"),
        capabilities(caps, "bounding"),
        capabilities(caps, "effective"),
        capabilities(caps, "permitted"),
        capabilities(caps, "inheritable"),
        capabilities(caps, "ambient"),
        rlimits(node),
        node.flag("noNewPrivileges"),
        node.int32("oomScoreAdj", 0));
  }

  private static void noNul(Node node, String name, List<String> strings) {
    for (String string : strings) {
      if (string.indexOf('\0') >= 0) {
        throw node.error(name, "contains a NUL character");
      }
    }
  }

  private static long capabilities(@org.jspecify.annotations.Nullable Node node, String set) {
    if (node == null) {
      return 0;
    }
    long mask = 0;
    for (String name : node.strings(set)) {
      int bit = Capabilities.bit(name);
      if (bit < 0) {
        throw node.error(set, "'" + name + "' is no capability");
      }
      mask |= 1L << bit;
    }
    return mask;
  }

  private static List<Rlimit> rlimits(Node node) {
    var limits = new ArrayList<Rlimit>();
    for (Node limit : node.objects("rlimits")) {
      String type = limit.string("type", "");
      int resource = -1;
      for (int i = 0; i < RLIMITS.length; i++) {
        if (type.equals("RLIMIT_" + RLIMITS[i])) {
          resource = i;
        }
      }
      if (resource < 0) {
        throw limit.error("type", "'" + type + "' is no resource limit");
      }
      for (Rlimit other : limits) {
        if (other.resource == resource) {
          throw limit.error("type", type + " is given twice");
        }
      }
      long soft = limit.number("soft", -1);
      long hard = limit.number("hard", -1);
      if (Long.compareUnsigned(soft, hard) > 0) {
        throw limit.error("soft", "is greater than hard");
      }
      limits.add(new Rlimit(resource, soft, hard));
    }
    return limits;
  }
}
