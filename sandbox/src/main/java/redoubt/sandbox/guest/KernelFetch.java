package redoubt.sandbox.guest;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import redoubt.sandbox.SandboxException;

/**
 * Gets Debian's kernel for virtual machines into our cache: the package is downloaded by apt, which
 * checks its signature, and unpacked there. It is not installed, so that nothing of the host's own
 * boot changes.
 */
public final class KernelFetch {
  private static final String PACKAGE = "linux-image-cloud-amd64";

  private KernelFetch() {}

  /** {@return the directory that now holds {@code boot} and {@code lib/modules}} */
  public static String run() {
    Path target = Path.of(GuestImages.cache(), "kernel");
    try {
      Files.createDirectories(target);
      Path work = Files.createTempDirectory("redoubt-kernel");
      try {
        String image = dependency();
        call(work, "apt-get", "download", image);
        for (File deb : files(work)) {
          call(work, "dpkg-deb", "-x", deb.getName(), target.toString());
        }
      } finally {
        for (File file : files(work)) {
          Files.delete(file.toPath());
        }
        Files.delete(work);
      }
    } catch (IOException e) {
      throw new SandboxException("fetching " + PACKAGE + ": " + e.getMessage());
    }
    return target.toString();
  }

  /** {@return the package of the newest version}, which the first one only depends on */
  private static String dependency() throws IOException {
    for (String line : call(Path.of("/"), "apt-cache", "depends", PACKAGE).split("\n")) {
      String text = line.strip();
      if (text.startsWith("Depends: linux-image-")) {
        return text.substring("Depends: ".length());
      }
    }
    throw new SandboxException(
        "apt knows no " + PACKAGE + ": this is not Debian, or run apt-get update first");
  }

  private static List<File> files(Path directory) throws IOException {
    try (Stream<Path> all = Files.list(directory)) {
      return all.map(Path::toFile).toList();
    }
  }

  private static String call(Path directory, String... command) throws IOException {
    Process process =
        new ProcessBuilder(command).directory(directory.toFile()).redirectErrorStream(true).start();
    String output =
        new String(
            process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
    try {
      if (process.waitFor() != 0) {
        String[] lines = output.strip().split("\n");
        throw new SandboxException(String.join(" ", command) + ": " + lines[lines.length - 1]);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new SandboxException(command[0] + " was interrupted");
    }
    return output;
  }
}
