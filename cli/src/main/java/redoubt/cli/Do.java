package redoubt.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import redoubt.host.HostFiles;
import redoubt.host.Pty;
import redoubt.oci.Capabilities;
import redoubt.oci.Process;
import redoubt.oci.Resources;
import redoubt.oci.Spec;
import redoubt.sandbox.Container;

/** Runs one program of this host in a sandbox: its files read-only below a discarded overlay. */
final class Do implements Verb {
  @Override
  public String arguments() {
    return "PROGRAM [ARGUMENT...]";
  }

  @Override
  public String summary() {
    return "Run a program of this host in a sandbox.";
  }

  @Override
  public String examples() {
    return """
      redoubt do dmesg
      redoubt do sh -c 'touch /etc/gone; ls -l /etc/gone'    the host's /etc is untouched
      redoubt --strace do ls /
      redoubt do --root /my/rootfs --volume /data:/mnt bash
    """;
  }

  @Override
  public void declare(Flags flags) {
    flags
        .value("root", "DIR", "directory to use as the root (default /)")
        .value("cwd", "DIR", "where the program starts (default: the current directory)")
        .value("volume", "SRC:DST", "make a directory of the host writable at DST; repeats")
        .value("env", "NAME=VALUE", "add to the environment; repeats")
        .value("user", "UID[:GID]", "run as this user (default 0:0)")
        .value("hostname", "NAME", "host name in the sandbox (default redoubt)")
        .flag("quiet|q", "accepted for compatibility");
  }

  @Override
  public boolean interleaved() {
    return false;
  }

  @Override
  public int run(Context context, Flags flags) {
    flags.argument(0, "program to run");
    String root = new java.io.File(flags.get("root", "/")).getAbsolutePath();
    boolean terminal = Pty.isTerminal(0) && Pty.isTerminal(1);
    String cwd = flags.get("cwd", root.equals("/") ? System.getProperty("user.dir") : "/");
    var env = new ArrayList<String>();
    System.getenv().forEach((name, value) -> env.add(name + "=" + value));
    env.removeIf(variable -> variable.startsWith("REDOUBT_"));
    env.addAll(flags.all("env"));
    int[] user = Exec.user(flags.get("user", "0:0"));
    long caps = user[0] == 0 ? Capabilities.ALL : 0;
    var process =
        new Process(
            flags.rest(),
            env,
            cwd,
            terminal,
            0,
            0,
            user[0],
            user[1],
            -1,
            List.of(),
            Capabilities.ALL,
            caps,
            caps,
            0,
            0,
            List.of(),
            false,
            0);
    var mounts = new ArrayList<Spec.Mount>();
    mounts.add(new Spec.Mount("/proc", "proc", "proc", List.of()));
    mounts.add(new Spec.Mount("/dev", "tmpfs", "dev", List.of("nosuid", "mode=755")));
    mounts.add(
        new Spec.Mount(
            "/dev/pts", "devpts", "devpts", List.of("nosuid", "noexec", "ptmxmode=0666")));
    mounts.add(new Spec.Mount("/dev/shm", "tmpfs", "shm", List.of("nosuid", "nodev", "mode=1777")));
    mounts.add(new Spec.Mount("/sys", "sysfs", "sysfs", List.of("ro")));
    for (String directory : List.of("/run", "/tmp")) {
      if (root.equals("/") && !cwd.startsWith(directory + "/")) {
        String mode = directory.equals("/tmp") ? "mode=1777" : "mode=755";
        mounts.add(new Spec.Mount(directory, "tmpfs", "tmpfs", List.of("nosuid", "nodev", mode)));
      }
    }
    for (String volume : flags.all("volume")) {
      int colon = volume.lastIndexOf(':');
      if (colon < 1) {
        throw new UsageException("--volume " + volume + ": give SRC:DST");
      }
      String source = new java.io.File(volume.substring(0, colon)).getAbsolutePath();
      mounts.add(new Spec.Mount(volume.substring(colon + 1), "bind", source, List.of("bind")));
    }
    var linux = new Spec.Linux(List.of(), "", Resources.NONE, List.of(), List.of(), Map.of());
    var spec =
        new Spec(
            Spec.VERSION,
            process,
            new Spec.Root(root, !context.overlaysRoot()), // never the host's own, writable
            flags.get("hostname", "redoubt"),
            "",
            mounts,
            Spec.Hooks.NONE,
            Map.of(),
            linux);
    String id = "do-" + HostFiles.processId();
    Container container =
        Container.create(
            context.directory(id),
            spec,
            context.createOptions(root, spec.annotations(), "", 0, true, false),
            context.installation());
    container.start();
    container.hold(List.of());
    return 0;
  }
}
