package redoubt.sandbox;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import redoubt.host.Fd;
import redoubt.host.HostFiles;

/** Orders for the launcher: records ended by NUL, each {@code key value}. */
final class Plan {
  /** The VMM's descriptor of its first tap device. */
  static final int FIRST_TAP = 5;

  /** The VMM's descriptor of its disk. */
  static final int DISK = 13;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  Plan add(String key, String value) {
    if (value.indexOf('\0') >= 0) {
      throw new SandboxException(
          "a NUL character in " + key + " '" + value.replace('\0', '?') + "'");
    }
    byte[] record = (key + " " + value).getBytes(StandardCharsets.UTF_8);
    out.write(record, 0, record.length);
    out.write(0);
    return this;
  }

  Plan add(String key, long value) {
    return add(key, Long.toString(value));
  }

  Plan addAll(String key, List<String> values) {
    for (String value : values) {
      add(key, value);
    }
    return this;
  }

  /** {@return a descriptor from which the plan can be read} */
  Fd toFile() {
    return HostFiles.memoryFile("plan", out.toByteArray());
  }
}
