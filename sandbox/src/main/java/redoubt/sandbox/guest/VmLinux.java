package redoubt.sandbox.guest;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import redoubt.host.HostFiles;

/**
 * The kernel's ELF file out of a bzImage: a VMM starts it at its PVH entry, and the guest need not
 * decompress it, which costs an emulated processor a second.
 */
final class VmLinux {
  private static final int SETUP_SECTS = 0x1f1;
  private static final int HEADER_MAGIC = 0x202;
  private static final int PAYLOAD_OFFSET = 0x248;
  private static final int PAYLOAD_LENGTH = 0x24c;

  private VmLinux() {}

  /** {@return the path of the ELF file}, or of the image itself where it cannot be had */
  static String of(File image, String cache) {
    String path =
        cache
            + "/vmlinux-"
            + image.getName()
            + "-"
            + Long.toHexString(31 * image.lastModified() + image.length());
    if (HostFiles.isFile(path)) {
      return path;
    }
    try {
      byte[] elf = extract(Files.readAllBytes(image.toPath()));
      if (elf.length < 64 || elf[0] != 0x7f || elf[1] != 'E' || elf[2] != 'L' || elf[3] != 'F') {
        return image.getPath();
      }
      GuestImages.write(Path.of(path), elf);
      return path;
    } catch (IOException | RuntimeException e) {
      return image.getPath();
    }
  }

  /** Documentation/arch/x86/boot.rst: the payload follows the setup sectors. */
  private static byte[] extract(byte[] image) throws IOException {
    if (image.length < 0x260 || int32(image, HEADER_MAGIC) != 0x53726448 /* "HdrS" */) {
      throw new IOException("not a bzImage");
    }
    int sectors = image[SETUP_SECTS] & 0xff;
    int start = ((sectors == 0 ? 4 : sectors) + 1) * 512 + int32(image, PAYLOAD_OFFSET);
    // The last four bytes are the size of what comes out.
    int length = int32(image, PAYLOAD_LENGTH);
    if (start < 0 || length < 8 || length > image.length - start) {
      throw new IOException("the payload lies outside of the image");
    }
    String program =
        switch (int32(image, start) & 0xffff) {
          case 0x8b1f -> "gzip";
          case 0x37fd -> "xz";
          case 0xb528 -> "zstd";
          case 0x2102 -> "lz4";
          default -> throw new IOException("unknown compression");
        };
    Path payload = Files.createTempFile("redoubt", "payload");
    try {
      Files.write(payload, java.util.Arrays.copyOfRange(image, start, start + length - 4));
      return Modules.Decompress.run(program, payload);
    } finally {
      Files.delete(payload);
    }
  }

  private static int int32(byte[] bytes, int at) {
    return bytes[at] & 0xff
        | (bytes[at + 1] & 0xff) << 8
        | (bytes[at + 2] & 0xff) << 16
        | (bytes[at + 3] & 0xff) << 24;
  }
}
