package redoubt.gofer;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import redoubt.abi.Fcntl;
import redoubt.host.FileSystemCalls;
import redoubt.p9.P9;
import redoubt.p9.P9Attr;
import redoubt.p9.P9Client;
import redoubt.p9.P9Walk;

/**
 * Round trips to a gofer in a process of its own, in microseconds: {@code GoferBench ROUNDS
 * [JVM-ARGUMENTS]}.
 */
public final class GoferBench {
  private interface Step {
    void run();
  }

  private GoferBench() {}

  public static void main(String[] args) throws Exception {
    int rounds = args.length > 0 ? Integer.parseInt(args[0]) : 20_000;
    List<String> jvm =
        new ArrayList<>(List.of(args).subList(Math.min(1, args.length), args.length));
    List<String> own = new ArrayList<>();
    jvm.removeIf(a -> a.startsWith("--") && own.add(a));
    Path dir = Files.createTempDirectory("gofer-bench");
    Files.createDirectories(dir.resolve("a/b/c/d"));
    Files.writeString(dir.resolve("a/b/c/d/file"), "hello");
    File log = Files.createTempFile("gofer-bench", ".log").toFile();
    try (GoferProcess gofer =
        new GoferProcess(dir, log, jvm, GoferMain.class.getName(), own.toArray(new String[0]))) {
      P9Client client =
          new P9Client(
              gofer.socket,
              P9.MSIZE_DEFAULT,
              new P9Client.Listener() {
                @Override
                public void log(String line) {
                  System.err.println(line);
                }

                @Override
                public void disconnected() {}
              });
      P9Attr attr = new P9Attr();
      P9Walk walk = new P9Walk();
      int root = (int) client.attach(TestGofer.bytes("rw"), attr);
      byte[] path = TestGofer.bytes("a/b/c/d/file");
      byte[] name = TestGofer.bytes("new");
      for (int pass = 0; pass < 2; pass++) {
        String when = pass == 0 ? "cold " : "warm ";
        time(when + "getattr", rounds, () -> check(client.getattr(root, attr)));
        time(
            when + "walk 5 + attributes",
            rounds,
            () -> {
              check(client.walk(root, path, 0, path.length, -1, walk));
              clunk(client, walk);
            });
        time(
            when + "walk 5 + open + donate + close",
            rounds,
            () -> {
              check(client.walk(root, path, 0, path.length, 0, walk));
              FileSystemCalls.close(walk.takeHostFd());
              clunk(client, walk);
            });
        check(client.walk(root, path, 0, path.length, -1, walk));
        int file = walk.fids[4];
        time(
            when + "open + donate + close",
            rounds,
            () -> FileSystemCalls.close((int) check(client.openFd(file, 2))));
        time(
            when + "create + close + clunk + unlink",
            rounds,
            () -> {
              check(client.create(root, name, 2 | Fcntl.O_EXCL, 0644, 0, 0, walk));
              FileSystemCalls.close(walk.takeHostFd());
              clunk(client, walk);
              check(client.unlink(root, name, 0));
            });
        for (int n : new int[] {2, 4}) {
          parallel(when + "getattr, " + n + " threads", rounds, n, client, root);
        }
      }
      long pid = gofer.process.pid();
      for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/smaps_rollup"))) {
        if (line.startsWith("Rss") || line.startsWith("Pss:")) {
          System.out.println(line);
        }
      }
      client.close();
    }
    System.err.print(Files.readString(log.toPath()));
  }

  private static void parallel(String what, int rounds, int n, P9Client client, int root)
      throws InterruptedException {
    Thread[] threads = new Thread[n];
    long start = System.nanoTime();
    for (int t = 0; t < n; t++) {
      threads[t] =
          new Thread(() -> {
            P9Attr a = new P9Attr();
            for (int i = 0; i < rounds / n; i++) {
              check(client.getattr(root, a));
            }
          });
      threads[t].start();
    }
    for (Thread t : threads) {
      t.join();
    }
    print(what, rounds, System.nanoTime() - start);
  }

  private static void clunk(P9Client client, P9Walk walk) {
    for (int i = 0; i < walk.count; i++) {
      client.clunk(walk.fids[i]);
    }
  }

  private static long check(long r) {
    if (r < 0) {
      throw new IllegalStateException(redoubt.abi.Errno.name((int) -r));
    }
    return r;
  }

  private static void time(String what, int rounds, Step step) {
    long start = System.nanoTime();
    for (int i = 0; i < rounds; i++) {
      step.run();
    }
    print(what, rounds, System.nanoTime() - start);
  }

  private static void print(String what, int rounds, long ns) {
    System.out.println(what + ": " + ns / rounds / 10 / 100.0 + " us");
  }
}
