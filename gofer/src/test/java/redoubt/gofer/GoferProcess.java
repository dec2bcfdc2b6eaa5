package redoubt.gofer;

import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import redoubt.abi.Nr;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.RawSyscall;
import redoubt.host.SeqpacketSocket;

/** A gofer as a process of its own, started the way the launcher does: by inherited descriptors. */
final class GoferProcess implements AutoCloseable {
  final Process process;
  final Fd socket;

  /**
   * Starts {@link GoferMain} with {@code directory} as "rw" and "ro", lines going to {@code log}.
   */
  GoferProcess(Path directory, File log, String... args) {
    this(directory, log, List.of(), GoferMain.class.getName(), args);
  }

  GoferProcess(Path directory, File log, List<String> jvmArgs, String mainClass, String... args) {
    Fd[] pair = SeqpacketSocket.pair();
    socket = pair[0];
    List<String> command = new ArrayList<>();
    command.add("/bin/sh");
    command.add("-c");
    command.add("exec \"$@\" 3<\"$DIRECTORY\"");
    command.add("sh");
    command.add(System.getProperty("java.home") + "/bin/java");
    command.add("-XX:+UseSerialGC");
    command.add("-XX:-UsePerfData");
    command.add("-Xmx32m");
    command.addAll(jvmArgs);
    command.add("-Dredoubt.native=" + System.getProperty("redoubt.native"));
    String path = System.getProperty("jdk.module.path");
    if (path == null) {
      command.add("--enable-native-access=ALL-UNNAMED");
      command.add("--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED");
      command.add("-cp");
      command.add(System.getProperty("java.class.path"));
      command.add(mainClass);
    } else {
      command.add("--enable-native-access=redoubt.host");
      command.add("--add-exports=java.base/jdk.internal.misc=redoubt.host");
      command.add("-p");
      command.add(path);
      if (!mainClass.equals(GoferMain.class.getName())) {
        String tests =
            GoferProcess.class.getProtectionDomain().getCodeSource().getLocation().getPath();
        command.add("--patch-module=redoubt.gofer=" + tests);
      }
      command.add("-m");
      command.add("redoubt.gofer/" + mainClass);
    }
    command.add("--socket=0");
    command.add("--log=2");
    command.add("--attach=rw:3:rw");
    command.add("--attach=ro:3:ro");
    command.addAll(List.of(args));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("DIRECTORY", directory.toString());
    builder.redirectInput(ProcessBuilder.Redirect.INHERIT);
    builder.redirectError(ProcessBuilder.Redirect.appendTo(log));
    builder.redirectOutput(ProcessBuilder.Redirect.appendTo(log));
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
  }

  @Override
  public void close() {
    socket.close();
    process.destroyForcibly();
    try {
      process.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
