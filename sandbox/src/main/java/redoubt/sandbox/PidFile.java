package redoubt.sandbox;

import java.io.File;
import java.nio.charset.StandardCharsets;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.HostFiles;

/** The file that tells a supervisor which process to watch. */
public final class PidFile {
  private PidFile() {}

  /**
   * Writes {@code pid}: a reader sees the whole file or none.
   *
   * @param path empty for no file
   */
  public static void write(String path, int pid) {
    if (path.isEmpty()) {
      return;
    }
    File file = new File(path).getAbsoluteFile();
    String temporary = file.getParent() + "/." + file.getName();
    int flags = HostFiles.O_WRONLY | HostFiles.O_CREAT | HostFiles.O_TRUNC;
    try (Fd fd = HostFiles.open(temporary, flags, 0644)) {
      byte[] text = Integer.toString(pid).getBytes(StandardCharsets.US_ASCII);
      HostException.check("write " + temporary, HostFiles.write(fd, text));
    }
    HostException.check("rename to " + path, HostFiles.rename(temporary, file.getPath()));
  }
}
