package redoubt.sandbox.guest;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import redoubt.sandbox.SandboxException;

/** Kernel modules of a directory, with what they need, in the order in which they can be loaded. */
final class Modules {
  private final Map<String, Path> files = new HashMap<>();
  private final Map<String, byte[]> wanted = new LinkedHashMap<>();

  /**
   * @param directory of one kernel version, null for a kernel without modules
   */
  Modules(@Nullable Path directory) throws IOException {
    if (directory == null) {
      return;
    }
    try (Stream<Path> all = Files.walk(directory)) {
      all.forEach(path -> {
        String name = path.getFileName().toString();
        int at = name.indexOf(".ko");
        if (at > 0) {
          files.put(name.substring(0, at).replace('-', '_'), path);
        }
      });
    }
  }

  /**
   * Adds a module after those that it depends on; nothing if the kernel has no such module: then it
   * is built in, or the agent's log will say what failed.
   */
  void add(String name) throws IOException {
    Path path = files.get(name);
    if (path == null || wanted.containsKey(name + ".ko")) {
      return;
    }
    byte[] content = read(path);
    for (String dependency : depends(content).split(",")) {
      add(dependency.replace('-', '_'));
    }
    wanted.put(name + ".ko", content);
  }

  /** {@return file names and contents in load order} */
  Map<String, byte[]> inOrder() {
    return wanted;
  }

  private static byte[] read(Path path) throws IOException {
    String name = path.getFileName().toString();
    if (name.endsWith(".ko")) {
      return Files.readAllBytes(path);
    }
    String program = name.endsWith(".xz") ? "xz" : name.endsWith(".zst") ? "zstd" : "gzip";
    return Decompress.run(program, path);
  }

  /** {@return the value of {@code depends=} in the section .modinfo}, which is NUL-ended strings */
  static String depends(byte[] module) {
    byte[] key = "\0depends=".getBytes(StandardCharsets.US_ASCII);
    for (int i = 0; i < module.length - key.length; i++) {
      int k = 0;
      while (k < key.length && module[i + k] == key[k]) {
        k++;
      }
      if (k == key.length) {
        int end = i + k;
        while (end < module.length && module[end] != 0) {
          end++;
        }
        return new String(module, i + k, end - i - k, StandardCharsets.US_ASCII);
      }
    }
    return "";
  }

  /** Programs of the host that decompress what the JDK cannot. */
  static final class Decompress {
    private Decompress() {}

    static byte[] run(String program, Path path) throws IOException {
      Process process =
          new ProcessBuilder(program, "-dc", path.toString())
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      byte[] content = process.getInputStream().readAllBytes();
      try {
        if (process.waitFor() != 0) {
          throw new SandboxException(program + " could not decompress " + path);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new SandboxException(program + " was interrupted");
      }
      return content;
    }
  }
}
