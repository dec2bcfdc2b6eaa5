package redoubt.sandbox.guest;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/**
 * Writes an archive of the "new ASCII" format that the kernel unpacks as its first root
 * (Documentation/driver-api/early-userspace/buffer-format.rst). All files belong to root.
 */
final class Cpio {
  private static final int S_IFDIR = 0040000;
  private static final int S_IFREG = 0100000;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private int inode;

  Cpio directory(String name) {
    entry(name, S_IFDIR | 0755, new byte[0]);
    return this;
  }

  Cpio file(String name, int mode, byte[] content) {
    entry(name, S_IFREG | mode, content);
    return this;
  }

  byte[] finish() {
    entry("TRAILER!!!", 0, new byte[0]);
    return out.toByteArray();
  }

  private void entry(String name, int mode, byte[] content) {
    byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
    ascii("070701");
    // ino, mode, uid, gid, nlink, mtime, size, dev major and minor, rdev major and minor
    int[] fields = {++inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, bytes.length + 1, 0};
    for (int field : fields) {
      String digits = Integer.toHexString(field);
      ascii("0".repeat(8 - digits.length()));
      ascii(digits);
    }
    out.write(bytes, 0, bytes.length);
    out.write(0);
    pad();
    out.write(content, 0, content.length);
    pad();
  }

  private void ascii(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
    out.write(bytes, 0, bytes.length);
  }

  private void pad() {
    while (out.size() % 4 != 0) {
      out.write(0);
    }
  }
}
