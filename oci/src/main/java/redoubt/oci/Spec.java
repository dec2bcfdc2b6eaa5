package redoubt.oci;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A {@code config.json} of the OCI runtime specification 1.x, validated: the parts that a sandbox
 * can use. What has no meaning here (seccomp, AppArmor and SELinux labels, devices: the sandbox's
 * kernel has its own) is accepted and left out.
 */
public record Spec(
    String ociVersion,
    @Nullable Process process,
    Root root,
    String hostname,
    String domainname,
    List<Mount> mounts,
    Hooks hooks,
    Map<String, String> annotations,
    Linux linux) {

  /** The version of the specification that this runtime implements. */
  public static final String VERSION = "1.2.0";

  /** {@code root}; the path may be relative to the bundle. */
  public record Root(String path, boolean readonly) {}

  /** An entry of {@code mounts}. */
  public record Mount(String destination, String type, String source, List<String> options) {}

  /** An entry of {@code hooks}; {@code timeout} in seconds, 0 for none. */
  public record Hook(String path, List<String> args, List<String> env, int timeout) {}

  /** The six kinds of hooks, in the order in which they run. */
  public record Hooks(
      List<Hook> prestart,
      List<Hook> createRuntime,
      List<Hook> createContainer,
      List<Hook> startContainer,
      List<Hook> poststart,
      List<Hook> poststop) {
    public static final Hooks NONE =
        new Hooks(List.of(), List.of(), List.of(), List.of(), List.of(), List.of());
  }

  /** An entry of {@code linux.namespaces}; an empty path asks for a new one. */
  public record Namespace(String type, String path) {}

  /** {@code linux}. */
  public record Linux(
      List<Namespace> namespaces,
      String cgroupsPath,
      Resources resources,
      List<String> maskedPaths,
      List<String> readonlyPaths,
      Map<String, String> sysctl) {}

  /**
   * Reads and checks a config.json.
   *
   * @throws SpecException if a field is missing or wrong
   * @throws JsonException if it is not JSON
   */
  public static Spec parse(String text) {
    Node node = Node.root(Json.parse(text));
    String version = node.string("ociVersion", "");
    if (!version.startsWith("1.")) {
      throw node.error(
          "ociVersion",
          version.isEmpty() ? "is missing" : version + " is not supported, only 1.x is");
    }
    for (String platform : List.of("solaris", "windows", "zos")) {
      if (node.has(platform) && !node.has("linux")) {
        throw node.error(platform, "only Linux containers can be run");
      }
    }
    Node root = node.object("root");
    if (root == null || root.string("path", "").isEmpty()) {
      throw node.error("root.path", "is missing; it names the directory of the root file system");
    }
    var mounts = new ArrayList<Mount>();
    for (Node mount : node.objects("mounts")) {
      mounts.add(mount(mount));
    }
    Node process = node.object("process");
    Node linux = node.object("linux");
    return new Spec(
        version,
        process == null ? null : Process.of(process),
        new Root(root.string("path", ""), root.flag("readonly")),
        hostname(node, "hostname"),
        hostname(node, "domainname"),
        mounts,
        hooks(node.object("hooks")),
        node.map("annotations"),
        linux == null
            ? new Linux(List.of(), "", Resources.NONE, List.of(), List.of(), Map.of())
            : linux(linux));
  }

  private static String hostname(Node node, String name) {
    String hostname = node.string(name, "");
    if (hostname.length() > 64) {
      throw node.error(name, "longer than 64 characters");
    }
    return hostname;
  }

  private static Mount mount(Node node) {
    String destination = node.string("destination", "");
    if (destination.isEmpty()) {
      throw node.error("destination", "is missing");
    }
    List<String> options = node.strings("options");
    String type = node.string("type", "");
    String source = node.string("source", "");
    if (options.contains("bind") || options.contains("rbind")) {
      type = "bind";
    }
    if (type.isEmpty()) {
      throw node.error("type", "is missing, and no option says bind");
    }
    if (type.equals("bind") && source.isEmpty()) {
      throw node.error("source", "is missing for a bind mount");
    }
    // Old configurations have relative destinations; the specification takes them from the root.
    return new Mount(
        destination.startsWith("/") ? destination : "/" + destination, type, source, options);
  }

  private static Hooks hooks(@Nullable Node node) {
    return node == null
        ? Hooks.NONE
        : new Hooks(
            hookList(node, "prestart"),
            hookList(node, "createRuntime"),
            hookList(node, "createContainer"),
            hookList(node, "startContainer"),
            hookList(node, "poststart"),
            hookList(node, "poststop"));
  }

  private static List<Hook> hookList(Node node, String name) {
    var hooks = new ArrayList<Hook>();
    for (Node hook : node.objects(name)) {
      String path = hook.string("path", "");
      if (!path.startsWith("/")) {
        throw hook.error("path", "must be an absolute path");
      }
      int timeout = hook.int32("timeout", 0);
      if (timeout < 0 || hook.has("timeout") && timeout == 0) {
        throw hook.error("timeout", "must be greater than zero");
      }
      hooks.add(new Hook(path, hook.strings("args"), hook.strings("env"), timeout));
    }
    return hooks;
  }

  private static Linux linux(Node node) {
    var namespaces = new ArrayList<Namespace>();
    for (Node namespace : node.objects("namespaces")) {
      String type = namespace.string("type", "");
      if (!List.of("pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time")
          .contains(type)) {
        throw namespace.error("type", "'" + type + "' is no kind of namespace");
      }
      namespaces.add(new Namespace(type, namespace.string("path", "")));
    }
    String propagation = node.string("rootfsPropagation", "");
    if (propagation.endsWith("shared")) {
      throw node.error(
          "rootfsPropagation",
          "'" + propagation + "' cannot be had: the sandbox's mounts are its kernel's own");
    }
    return new Linux(
        namespaces,
        node.string("cgroupsPath", ""),
        Resources.of(node.object("resources")),
        node.strings("maskedPaths"),
        node.strings("readonlyPaths"),
        node.map("sysctl"));
  }
}
