package redoubt.sentry.testing;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import redoubt.abi.Nr;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.RawSyscall;
import redoubt.host.SeqpacketSocket;
import redoubt.p9.P9;
import redoubt.p9.P9Client;

/** A gofer process that serves one directory as "rw" and "ro". */
public final class TestGofer implements AutoCloseable, P9Client.Listener {
  public final Path directory;
  public final P9Client client;
  private final Process process;

  /** Serves a new directory below /dev/shm. */
  public static TestGofer create() {
    try {
      return new TestGofer(Files.createTempDirectory(Path.of("/dev/shm"), "redoubt-fs"));
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  public TestGofer(Path directory) {
    this.directory = directory;
    Fd[] pair = SeqpacketSocket.pair();
    String classes = System.getProperty("java.class.path");
    String modules = System.getProperty("jdk.module.path");
    if (modules != null) {
      classes = modules + File.pathSeparator + classes;
    }
    List<String> command =
        new ArrayList<>(List.of("/bin/sh", "-c", "exec \"$@\" 3<\"$DIRECTORY\"", "sh"));
    command.add(System.getProperty("java.home") + "/bin/java");
    command.addAll(
        List.of("-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-Xmx32m"));
    command.add("-Dredoubt.native=" + System.getProperty("redoubt.native"));
    command.addAll(
        List.of(
            "--enable-native-access=ALL-UNNAMED",
            "--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED",
            "-cp",
            classes));
    command.addAll(List.of("redoubt.gofer.GoferMain", "--socket=0", "--log=2"));
    command.addAll(List.of("--attach=rw:3:rw", "--attach=ro:3:ro"));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("DIRECTORY", directory.toString());
    builder.redirectInput(ProcessBuilder.Redirect.INHERIT);
    builder.redirectError(ProcessBuilder.Redirect.INHERIT);
    builder.redirectOutput(ProcessBuilder.Redirect.INHERIT);
    // Java gives a child no descriptor but 0, 1 and 2: the socket takes the place of 0 meanwhile.
    try (Fd saved = new Fd((int) HostException.check("dup", RawSyscall.syscall(Nr.DUP, 0)))) {
      HostException.check("dup3", RawSyscall.syscall(Nr.DUP3, pair[1].number(), 0, 0));
      try {
        process = builder.start();
      } catch (IOException e) {
        throw new IllegalStateException(e);
      } finally {
        RawSyscall.syscall(Nr.DUP3, saved.number(), 0, 0);
        pair[1].close();
      }
    }
    client = new P9Client(pair[0], P9.MSIZE_DEFAULT, this);
  }

  @Override
  public void log(String line) {
    System.err.println(line);
  }

  @Override
  public void disconnected() {}

  @Override
  public void close() {
    client.close();
    process.destroyForcibly();
    try {
      process.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    deleteTree(directory);
  }

  public static void deleteTree(Path root) {
    try (Stream<Path> all = Files.walk(root)) {
      all.sorted(Comparator.reverseOrder()).forEach(p -> p.toFile().delete());
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }
}
