package redoubt.gofer;

import java.nio.charset.StandardCharsets;

/** An attach point: a name, the descriptor of a directory or file, and whether it may change. */
final class Attach {
  final byte[] name;
  final int fd;
  final boolean readOnly;

  Attach(String name, int fd, boolean readOnly) {
    this.name = name.getBytes(StandardCharsets.UTF_8);
    this.fd = fd;
    this.readOnly = readOnly;
  }
}
