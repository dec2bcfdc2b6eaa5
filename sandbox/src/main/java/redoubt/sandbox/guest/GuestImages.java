package redoubt.sandbox.guest;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.host.HostFiles;
import redoubt.sandbox.SandboxException;

/**
 * Kernels and initramfs for guests. Kernels are Debian's, from where their packages put them or
 * from our cache ({@code redoubt kernel fetch}); the initramfs is made once for each kernel and
 * agent.
 */
public final class GuestImages {
  private static final String UML = "/usr/bin/linux.uml";
  private static final String UML_MODULES = "/usr/lib/uml/modules";
  private static final String QEMU = "/usr/bin/qemu-system-x86_64";

  private static final List<String> UML_NAMES = List.of("fuse", "overlay");

  private static final List<String> VM_NAMES =
      List.of(
          "virtio_mmio",
          "virtio_pci",
          "virtio_console",
          "fuse",
          "overlay",
          "virtio_rng",
          "virtio_balloon");

  /** Modules that are loaded when the guest gets such a thing. */
  private static final Map<String, List<String>> EXTRAS =
      Map.of("network", List.of("virtio_net", "ipv6"), "block", List.of("virtio_blk", "erofs"));

  /**
   * What a guest is booted from.
   *
   * @param kernel path of the kernel (for UML: the program); {@code initramfs} path alike
   */
  public record Image(String kernel, String initramfs) {}

  private GuestImages() {}

  /**
   * {@return the guest's memory}: the container's limit less what the VMM, the warden and the gofer
   * need below the same limit
   *
   * @param limit of the container, or 0 if it has none
   */
  public static long memory(long limit, long usual, long least, long overhead) {
    if (limit == 0) {
      return usual;
    }
    if (limit < least + overhead) {
      throw new SandboxException(
          "linux.resources.memory.limit: "
              + limit
              + " bytes are too few for a guest with a Linux kernel of its own; give "
              + (least + overhead >> 20)
              + " MiB or more, or use --kernel=sentry");
    }
    return limit - overhead;
  }

  /** {@return the directory of what we make or fetch} */
  public static String cache() {
    if (HostFiles.effectiveUid() == 0) {
      return "/var/cache/redoubt";
    }
    String home = System.getenv("XDG_CACHE_HOME");
    return (home == null || home.isEmpty() ? System.getProperty("user.home") + "/.cache" : home)
        + "/redoubt";
  }

  /**
   * {@return Debian's User Mode Linux}
   *
   * @param extras what else the guest needs: network, block
   * @param own a kernel in its place
   * @throws SandboxException if it is not installed
   */
  public static Image uml(String agent, List<String> extras, @Nullable OwnKernel own) {
    if (own != null) {
      return of("uml", own, own.check(true), agent, UML_NAMES, extras);
    }
    File program = new File(UML);
    File modules = newest(UML_MODULES);
    if (!program.canExecute() || modules == null) {
      throw new SandboxException("--kernel=uml needs " + UML + ": apt-get install user-mode-linux");
    }
    return new Image(UML, initramfs("uml", program, modules, agent, UML_NAMES, extras));
  }

  /**
   * {@return a kernel for virtual machines}
   *
   * @param extras what else the guest needs: network, block
   * @param own a kernel in the place of Debian's
   * @throws SandboxException if there is none
   */
  public static Image vm(String agent, List<String> extras, @Nullable OwnKernel own) {
    if (own != null) {
      return of("vm", own, own.check(false), agent, VM_NAMES, extras);
    }
    for (String root : List.of(cache() + "/kernel", "")) {
      File modules = newest(root + "/lib/modules", "-cloud-amd64");
      if (modules == null) {
        continue;
      }
      File kernel = new File(root + "/boot/vmlinuz-" + modules.getName());
      if (kernel.isFile()) {
        return new Image(
            kernel.getPath(), initramfs("vm", kernel, modules, agent, VM_NAMES, extras));
      }
    }
    throw new SandboxException(
        "--kernel=vm needs a kernel: run 'redoubt kernel fetch' (takes linux-image-cloud-amd64 with"
            + " apt-get download into "
            + cache()
            + "), or apt-get install linux-image-cloud-amd64");
  }

  private static Image of(
      String kind,
      OwnKernel own,
      File kernel,
      String agent,
      List<String> atBoot,
      List<String> extras) {
    String name = kind + "-own-" + Integer.toHexString(own.hashCode());
    return new Image(
        kernel.getPath(), initramfs(name, kernel, own.modulesDirectory(), agent, atBoot, extras));
  }

  /** {@return the path of QEMU} */
  public static String qemu() {
    if (!new File(QEMU).canExecute()) {
      throw new SandboxException(
          "--kernel=vm needs "
              + QEMU
              + ": apt-get install --no-install-recommends qemu-system-x86");
    }
    return QEMU;
  }

  /** {@return the paths that QEMU needs}: itself, its libraries and firmware; none below another */
  public static List<String> qemuFiles(String qemu) {
    var paths = new ArrayList<String>();
    for (String path :
        List.of(
            qemu,
            "/lib64/ld-linux-x86-64.so.2",
            "/usr/lib/x86_64-linux-gnu",
            "/lib/x86_64-linux-gnu",
            "/usr/share/qemu",
            "/usr/share/seabios",
            "/etc/ld.so.cache")) {
      if (HostFiles.exists(path) && !(path.startsWith("/lib/") && isLink("/lib"))) {
        paths.add(path);
      }
    }
    return paths;
  }

  private static boolean isLink(String path) {
    return Files.isSymbolicLink(Path.of(path));
  }

  private static @Nullable File newest(String directory) {
    return newest(directory, "");
  }

  private static @Nullable File newest(String directory, String suffix) {
    File[] versions = new File(directory).listFiles((d, name) -> name.endsWith(suffix));
    if (versions == null || versions.length == 0) {
      return null;
    }
    Arrays.sort(versions, java.util.Comparator.comparingLong(File::lastModified));
    return versions[versions.length - 1];
  }

  /** {@return the initramfs for a kernel}, made if there is none that is newer than its parts */
  private static String initramfs(
      String kind,
      File kernel,
      @Nullable File modules,
      String agent,
      List<String> atBoot,
      List<String> extras) {
    File agentFile = new File(agent);
    String prefix =
        "initramfs-"
            + kind
            + "-"
            + String.join("-", extras)
            + (extras.isEmpty() ? "" : "-")
            + (modules == null ? "builtin" : modules.getName())
            + "-";
    String path =
        cache()
            + "/"
            + prefix
            + Long.toHexString(
                31 * (31 * kernel.lastModified() + agentFile.lastModified()) + agentFile.length());
    if (HostFiles.isFile(path)) {
      return path;
    }
    try {
      var wanted = new Modules(modules == null ? null : modules.toPath());
      for (String name : atBoot) {
        wanted.add(name);
      }
      var archive = new Cpio().directory("proc").directory("sys").directory("dev");
      archive.directory("run").directory("modules");
      archive.file("init", 0755, Files.readAllBytes(agentFile.toPath()));
      var names = new ArrayList<String>();
      list(archive, "list", wanted, names);
      for (String extra : extras) {
        for (String name : EXTRAS.getOrDefault(extra, List.of())) {
          wanted.add(name);
        }
        list(archive, extra, wanted, names);
      }
      File[] old = new File(cache()).listFiles((d, name) -> name.startsWith(prefix));
      write(Path.of(path), archive.finish());
      for (File file : old == null ? new File[0] : old) {
        if (!file.getPath().equals(path)) { // somebody else may have made ours meanwhile
          Files.deleteIfExists(file.toPath()); // of another agent or kernel
        }
      }
      return path;
    } catch (IOException e) {
      throw new SandboxException("making the guest's initramfs: " + e.getMessage());
    }
  }

  /** Puts the modules that are new into the archive, and a list of them in load order. */
  private static void list(Cpio archive, String file, Modules wanted, List<String> known) {
    var list = new StringBuilder();
    for (Map.Entry<String, byte[]> module : wanted.inOrder().entrySet()) {
      if (!known.contains(module.getKey())) {
        known.add(module.getKey());
        list.append(module.getKey()).append('\n');
        archive.file("modules/" + module.getKey(), 0644, module.getValue());
      }
    }
    archive.file("modules/" + file, 0644, list.toString().getBytes(StandardCharsets.US_ASCII));
  }

  /** Writes a file that is there whole or not at all. */
  static void write(Path path, byte[] content) throws IOException {
    Files.createDirectories(path.getParent());
    Path temporary = Files.createTempFile(path.getParent(), ".new", "");
    Files.write(temporary, content);
    if (!temporary.toFile().setReadable(true, false)) {
      throw new IOException("chmod " + temporary);
    }
    Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE);
  }
}
