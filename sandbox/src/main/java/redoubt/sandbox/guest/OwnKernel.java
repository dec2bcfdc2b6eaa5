package redoubt.sandbox.guest;

import java.io.File;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.HostFiles;
import redoubt.sandbox.SandboxException;

/**
 * A guest kernel that a container's annotations name in place of Debian's.
 *
 * @param image path of the kernel
 * @param modules directory as {@code /lib/modules/VERSION}, or empty when all that a guest needs is
 *     built in
 */
public record OwnKernel(String image, String modules) {
  static final String IMAGE = "io.redoubt.kernel.image";
  static final String MODULES = "io.redoubt.kernel.modules";

  private static final int HEADER_BYTES = 0x206;
  private static final int EM_X86_64 = 62;

  /** {@return the kernel that the annotations name}, null for none */
  public static @Nullable OwnKernel of(Map<String, String> annotations) {
    String image = annotations.getOrDefault(IMAGE, "");
    String modules = annotations.getOrDefault(MODULES, "");
    if (image.isEmpty() && !modules.isEmpty()) {
      throw new SandboxException("annotation " + MODULES + " needs " + IMAGE + ", too");
    }
    return image.isEmpty() ? null : new OwnKernel(image, modules);
  }

  /**
   * {@return the kernel's file}
   *
   * @param isUml whether it must be a program
   * @throws SandboxException if it is none
   */
  File check(boolean isUml) {
    File file = new File(image);
    byte[] head = head();
    boolean elf =
        startsWith(head, 0, new byte[] {0x7f, 'E', 'L', 'F', 2}) && (head[18] & 0xff) == EM_X86_64;
    // Documentation/arch/x86/boot.rst
    boolean isBzImage = startsWith(head, 0x202, new byte[] {'H', 'd', 'r', 'S'});
    if (isUml ? !elf : !elf && !isBzImage) {
      throw new SandboxException(
          "annotation "
              + IMAGE
              + "="
              + image
              + ": this is no "
              + (isUml ? "program of User Mode Linux" : "bzImage and no vmlinux")
              + " for x86-64");
    }
    if (isUml && !file.canExecute()) {
      throw new SandboxException("annotation " + IMAGE + "=" + image + ": it is not executable");
    }
    return file;
  }

  private byte[] head() {
    if (!image.startsWith("/") || !HostFiles.isFile(image)) {
      throw new SandboxException(
          "annotation " + IMAGE + "=" + image + ": give the absolute path of a file");
    }
    try (Fd fd = HostFiles.open(image, 0, 0)) {
      byte[] head = HostFiles.readAll(fd, HEADER_BYTES);
      return java.util.Arrays.copyOf(head, HEADER_BYTES);
    } catch (HostException e) {
      throw new SandboxException("annotation " + IMAGE + ": " + e.getMessage());
    }
  }

  private static boolean startsWith(byte[] text, int from, byte[] sign) {
    for (int i = 0; i < sign.length; i++) {
      if (text[from + i] != sign[i]) {
        return false;
      }
    }
    return true;
  }

  /**
   * {@return the directory of its modules}, null for none
   *
   * @throws SandboxException if it is no directory
   */
  @Nullable File modulesDirectory() {
    if (modules.isEmpty()) {
      return null;
    }
    File directory = new File(modules);
    if (!modules.startsWith("/") || !directory.isDirectory()) {
      throw new SandboxException(
          "annotation " + MODULES + "=" + modules + ": give the absolute path of a directory");
    }
    return directory;
  }
}
