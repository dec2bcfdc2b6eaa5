package redoubt.sandbox;

import java.nio.charset.StandardCharsets;
import redoubt.host.Fd;
import redoubt.host.HostFiles;

/** The user database of a container's root, read without following its symbolic links. */
final class Passwd {
  private static final int SIZE_LIMIT = 1 << 20;

  private Passwd() {}

  /**
   * {@return the home directory of {@code uid}}, or {@code /root} for root and {@code /} for others
   */
  static String home(String rootPath, int uid) {
    String absent = uid == 0 ? "/root" : "/";
    if (rootPath.isEmpty()) {
      return absent;
    }
    long etc =
        HostFiles.tryOpen(
            rootPath + "/etc", HostFiles.O_PATH | HostFiles.O_DIRECTORY | HostFiles.O_NOFOLLOW, 0);
    if (etc < 0) {
      return absent;
    }
    try (Fd directory = new Fd((int) etc)) {
      long n =
          HostFiles.tryOpen(
              "/proc/self/fd/" + directory.number() + "/passwd",
              HostFiles.O_RDONLY | HostFiles.O_NOFOLLOW | HostFiles.O_NOCTTY | 0x800,
              0);
      if (n < 0) {
        return absent;
      }
      try (Fd file = new Fd((int) n)) {
        String text = new String(HostFiles.readAll(file, SIZE_LIMIT), StandardCharsets.ISO_8859_1);
        return find(text, Integer.toUnsignedString(uid), absent);
      }
    }
  }

  private static String find(String text, String uid, String absent) {
    for (String line : text.split("\n")) {
      String[] fields = line.split(":", -1);
      if (fields.length >= 6 && fields[2].equals(uid) && !fields[5].isEmpty()) {
        return fields[5];
      }
    }
    return absent;
  }
}
