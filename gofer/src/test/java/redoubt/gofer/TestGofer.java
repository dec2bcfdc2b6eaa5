package redoubt.gofer;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import redoubt.abi.Fcntl;
import redoubt.host.Fd;
import redoubt.host.FileSystemCalls;
import redoubt.host.HostException;
import redoubt.host.Memory;
import redoubt.host.SeqpacketSocket;
import redoubt.p9.P9;
import redoubt.p9.P9Attr;
import redoubt.p9.P9Client;

/** A gofer in this JVM, with a scratch directory behind two attach points, "rw" and "ro". */
final class TestGofer implements AutoCloseable, P9Client.Listener {
  final Path directory;

  /** Behind the attach point "file": no directory, as /etc/hosts is in a container. */
  final Path file;

  final Fd clientSocket;
  final P9Client client;
  final GoferServer server;
  final List<String> lines = new ArrayList<>();
  final P9Attr attr = new P9Attr();
  volatile int disconnects;

  private final Thread thread;
  private final List<Integer> fds = new ArrayList<>();

  TestGofer() {
    this(4096, 4);
  }

  TestGofer(int maxFids, int threads) {
    this(maxFids, threads, true, true);
  }

  TestGofer(int maxFids, int threads, boolean hasOpenat2, boolean withClient) {
    this(SeqpacketSocket.pair(), maxFids, threads, hasOpenat2, withClient);
  }

  /** Serves on the second of the pair; the first is the client's. */
  TestGofer(Fd[] pair, int maxFids, int threads, boolean hasOpenat2, boolean withClient) {
    try {
      directory = Files.createTempDirectory("gofer-test");
      file = Files.writeString(Files.createTempFile("gofer-test", ""), "attached");
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    clientSocket = pair[0];
    Attach[] attaches = {
      new Attach("rw", open(directory.toString()), false),
      new Attach("ro", open(directory.toString()), true),
      new Attach("proc", open("/proc/self"), false),
      new Attach("file", open(file.toString()), false)
    };
    redoubt.host.ProcessCalls.umask(0);
    int proc = open("/proc/self/fd");
    server = new GoferServer(pair[1].release(), proc, attaches, maxFids, new Log(-1), hasOpenat2);
    Worker[] workers = new Worker[threads];
    for (int i = 0; i < threads; i++) {
      workers[i] = new Worker(server);
    }
    thread = new Thread(() -> server.serve(workers), "test-gofer");
    thread.start();
    client = withClient ? new P9Client(clientSocket, P9.MSIZE_DEFAULT, this) : null;
  }

  private int open(String path) {
    int fd = openPath(path);
    fds.add(fd);
    return fd;
  }

  static int openPath(String path) {
    try (Arena arena = Arena.ofConfined()) {
      return (int)
          HostException.check(
              "open " + path,
              FileSystemCalls.openat(
                  Fcntl.AT_FDCWD,
                  Memory.cString(arena, path).address(),
                  Fcntl.O_PATH | Fcntl.O_CLOEXEC,
                  0));
    }
  }

  /** The root's fid of the attach point that may change. */
  int rw() {
    return attach("rw");
  }

  int ro() {
    return attach("ro");
  }

  int attach(String name) {
    return (int) HostException.check("attach", client.attach(bytes(name), attr));
  }

  static byte[] bytes(String s) {
    return s.getBytes(StandardCharsets.UTF_8);
  }

  @Override
  public synchronized void log(String line) {
    lines.add(line);
  }

  @Override
  public void disconnected() {
    disconnects++;
  }

  @Override
  public void close() {
    if (client != null) {
      client.close();
    } else {
      SeqpacketSocket.shutdown(clientSocket.number());
      clientSocket.close();
    }
    try {
      thread.join();
      fds.forEach(FileSystemCalls::close);
      Files.delete(file);
      // Not by Java: fuzzed names may be no text in any encoding.
      new ProcessBuilder("rm", "-rf", directory.toString()).inheritIO().start().waitFor();
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
