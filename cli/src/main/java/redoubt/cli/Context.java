package redoubt.cli;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.util.List;
import redoubt.host.Fd;
import redoubt.host.HostFiles;
import redoubt.sandbox.CreateOptions;
import redoubt.sandbox.Installation;
import redoubt.sandbox.SandboxException;
import redoubt.sandbox.StateDirectory;

/** What the global flags say. */
final class Context {
  private static final String KERNEL_ANNOTATION = "io.redoubt.kernel";

  private final Flags global;
  private final String root;

  Context(Flags global) {
    this.global = global;
    this.root = new File(global.get("root", StateDirectory.defaultRoot())).getAbsolutePath();
    String network = global.get("network", "none");
    if (!network.equals("none") && !network.equals("sandbox")) {
      throw new UsageException("--network=" + network + " is not there; give sandbox or none");
    }
    String platform = global.get("platform", "systrap");
    if (!platform.equals("systrap")) {
      throw new UsageException(
          "--platform=" + platform + " is not there; only systrap is (redoubt help platforms)");
    }
    String rootfs = global.get("rootfs", "auto");
    if (!java.util.List.of("9p", "block", "auto").contains(rootfs)) {
      throw new UsageException("--rootfs=" + rootfs + ": give 9p, block or auto");
    }
    String overlay = global.get("overlay", "root");
    if (!overlay.equals("root") && !overlay.equals("none")) {
      throw new UsageException("--overlay=" + overlay + ": give root or none");
    }
  }

  static void declare(Flags flags) {
    flags
        .value("root", "DIR", "where containers are kept (default /run/redoubt)")
        .value("log", "FILE", "where errors are written, besides standard error")
        .value("log-format", "FORMAT", "of that file: text (default) or json")
        .value("debug-log", "FILE", "where the sandbox's kernel logs (default: with its state)")
        .flag("debug", "log more")
        .flag("strace", "log each system call of the container")
        .value("platform", "NAME", "how guest code is run: systrap (default)")
        .value("kernel", "KIND", "of the sandbox: sentry (default), uml, vm or auto")
        .flag("no-patch", "do not patch system call sites in guest text")
        .flag("io-uring", "let the container use io_uring, which is off (ENOSYS) otherwise")
        .value(
            "network",
            "KIND",
            "sandbox: an own TCP/IP stack on the network namespace's interfaces (default where"
                + " config.json has one); none: loopback only (default for do)")
        .value(
            "overlay",
            "WHAT",
            "root (default): writes to the root stay in memory; none: they" + " go to the host")
        .value(
            "rootfs",
            "HOW",
            "with --kernel=uml or vm: 9p: from the gofer; block: as a disk image that is made first;"
                + " auto (default): 9p")
        .flag("ignore-cgroups", "use no control groups of the host")
        .flag("systemd-cgroup", "take cgroupsPath as slice:prefix:name")
        .value("rootless", "MODE", "accepted for compatibility")
        .value("criu", "PATH", "accepted for compatibility")
        .flag("version|v", "print the version")
        .flag("help|h", "print this help");
  }

  String root() {
    return root;
  }

  StateDirectory directory(String id) {
    return new StateDirectory(root, id);
  }

  Installation installation() {
    return Installation.current();
  }

  boolean overlaysRoot() {
    return global.get("overlay", "root").equals("root");
  }

  boolean wantsLog() {
    return global.is("debug") || global.is("strace");
  }

  CreateOptions createOptions(
      String bundle,
      java.util.Map<String, String> annotations,
      String consoleSocket,
      int preserveFds,
      boolean foreground,
      boolean cgroups) {
    String log = global.get("debug-log", "");
    return new CreateOptions(
        bundle,
        consoleSocket,
        preserveFds,
        foreground,
        overlaysRoot(),
        global.get("rootfs", "auto").equals("block"),
        cgroups && !global.is("ignore-cgroups"),
        global.get("network", cgroups ? "auto" : "none"),
        kernel(annotations),
        "systrap",
        !global.is("no-patch"),
        global.is("io-uring"),
        global.is("strace"),
        global.is("debug"),
        log.isEmpty() ? null : new File(log).getAbsolutePath(),
        log.isEmpty() && foreground && wantsLog());
  }

  /** {@return the kind of kernel}: the flag's, else the bundle's annotation's, else the sentry */
  private String kernel(java.util.Map<String, String> annotations) {
    String asked = global.get("kernel", "");
    String what = "--kernel=" + asked;
    if (asked.isEmpty()) {
      asked = annotations.getOrDefault(KERNEL_ANNOTATION, "sentry");
      what = "annotation " + KERNEL_ANNOTATION + "=" + asked;
    }
    return switch (asked) {
      case "sentry", "vm", "uml" -> asked;
      case "auto" -> new redoubt.sandbox.guest.HostCheck(installation()).choose();
      default -> throw new UsageException(safe(what) + ": give sentry, vm, uml or auto");
    };
  }

  /** {@return the command line that runs {@code words} with the same global flags} */
  List<String> again(List<String> words) {
    String text = HostFiles.readText("/proc/self/cmdline", 1 << 20);
    var command = new java.util.ArrayList<String>();
    for (String word : text == null ? new String[0] : text.split("\0")) {
      command.add(word);
      if (word.equals("redoubt.cli/redoubt.cli.Main")) {
        break;
      }
    }
    command.set(0, System.getProperty("java.home") + "/bin/java");
    command.add("--root");
    command.add(root);
    command.addAll(words);
    return command;
  }

  /** Prints to standard output; all of it or an exception. */
  static void print(String text) {
    write(1, text);
  }

  static void warn(String text) {
    write(2, "redoubt: " + text + "\n");
  }

  private static void write(int number, String text) {
    var fd = new Fd(number);
    long r = HostFiles.write(fd, text.getBytes(StandardCharsets.UTF_8));
    fd.release();
    if (r < 0 && number == 1) {
      throw new SandboxException(
          "writing to standard output: " + redoubt.abi.Errno.message((int) -r));
    }
  }

  /** Text of a guest or a peer, harmless to a terminal. */
  static String safe(String text) {
    var out = new StringBuilder();
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      boolean harmless = c >= 0x20 && c != 0x7f && !(c >= 0x80 && c < 0xa0);
      out.append(harmless ? c : '?');
    }
    return out.toString();
  }
}
