package redoubt.sentry.platform.systrap;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.SeqPacket;

/** A keeper of a test's own, started without the launcher. */
public final class KeeperProcess implements AutoCloseable {
  private final Process process;
  private final Path directory;
  private final Fd socket;

  private KeeperProcess(Process process, Path directory, Fd socket) {
    this.process = process;
    this.directory = directory;
    this.socket = socket;
  }

  public static KeeperProcess start() {
    try {
      Path directory = Files.createTempDirectory("keeper");
      Path path = directory.resolve("s");
      Process p =
          new ProcessBuilder(
                  Path.of(System.getProperty("redoubt.native"), "keeper").toString(),
                  "--listen",
                  path.toString())
              .inheritIO()
              .start();
      for (int i = 0; ; i++) {
        try {
          return new KeeperProcess(p, directory, SeqPacket.connect(path.toString()));
        } catch (HostException e) {
          if (i == 500 || !p.isAlive()) {
            p.destroyForcibly();
            throw e;
          }
          Thread.sleep(2);
        }
      }
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /** {@return the socket, which the platform will own} */
  public Fd socket() {
    return socket;
  }

  public Process process() {
    return process;
  }

  @Override
  public void close() {
    socket.close();
    try {
      if (!process.waitFor(5, java.util.concurrent.TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
      Files.deleteIfExists(directory);
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
