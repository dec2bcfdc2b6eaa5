package redoubt.gofer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static redoubt.gofer.TestGofer.bytes;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import redoubt.abi.Errno;
import redoubt.host.FileSystemCalls;
import redoubt.p9.P9Attr;
import redoubt.p9.P9Client;
import redoubt.p9.P9Dir;
import redoubt.p9.P9Walk;

/** Bounds on fids, and many threads at once. */
class LimitsTest {
  /** {@return descriptors of files below {@code directory}}: not the JVM's, not a lane's sockets */
  private static long openBelow(Path directory) throws IOException {
    try (Stream<Path> fds = Files.list(Path.of("/proc/self/fd"))) {
      return fds.filter(fd -> isBelow(fd, directory)).count();
    }
  }

  private static boolean isBelow(Path fd, Path directory) {
    try {
      return Files.readSymbolicLink(fd).startsWith(directory);
    } catch (IOException e) {
      return false; // closed meanwhile
    }
  }

  @Test
  void shouldSayEnfileWhenFidsRunOutAndGoOnAfterwards() throws Exception {
    try (TestGofer gofer = new TestGofer(20, 2)) {
      Files.createDirectories(gofer.directory.resolve("a/b/c"));
      int rw = gofer.rw();
      P9Walk walk = new P9Walk();
      P9Attr attr = new P9Attr();
      byte[] path = bytes("a/b/c");
      List<Integer> held = new ArrayList<>();
      long r;
      do {
        r = gofer.client.walk(rw, path, 0, path.length, -1, walk);
        for (int i = 0; i < walk.count; i++) {
          held.add(walk.fids[i]);
        }
      } while (r == 3);
      assertEquals(Errno.ENFILE, walk.error);
      assertEquals(19, held.size());
      assertEquals(-Errno.ENFILE, gofer.client.mkdir(rw, bytes("n"), 0755, 0, 0, attr));
      assertTrue(Files.notExists(gofer.directory.resolve("n")));
      assertEquals(-Errno.ENFILE, gofer.client.create(rw, bytes("n"), 2, 0644, 0, 0, walk));
      assertTrue(Files.notExists(gofer.directory.resolve("n")));
      // What waits in the batch of clunks is given back before the client gives up.
      for (int i = 0; i < 10; i++) {
        gofer.client.clunk(held.get(i));
      }
      assertEquals(3, gofer.client.walk(rw, path, 0, path.length, -1, walk));
    }
  }

  @Test
  void shouldReadManyDirectoriesAtOnceWithFewDescriptors() throws Exception {
    try (TestGofer gofer = new TestGofer()) {
      int rw = gofer.rw();
      P9Attr attr = new P9Attr();
      int[] dirs = new int[70];
      for (int i = 0; i < dirs.length; i++) {
        dirs[i] = (int) gofer.client.mkdir(rw, bytes("d" + i), 0755, 0, 0, attr);
        for (int f = 0; f < 220; f++) {
          Files.createFile(gofer.directory.resolve("d" + i + "/" + "n".repeat(200) + f));
        }
      }
      long before = openBelow(gofer.directory);
      long[] cookies = new long[dirs.length];
      int[] seen = new int[dirs.length];
      try (P9Dir entries = gofer.client.newDir()) {
        for (boolean more = true; more; ) {
          more = false;
          for (int i = 0; i < dirs.length; i++) {
            if (cookies[i] < 0) {
              continue;
            }
            assertTrue(gofer.client.readdir(dirs[i], cookies[i], true, entries) > 0);
            while (entries.next()) {
              seen[i]++;
              cookies[i] = entries.offset;
            }
            if (entries.isEnd()) {
              cookies[i] = -1;
            } else {
              more = true;
            }
          }
          long now = openBelow(gofer.directory);
          assertTrue(now <= before + 64, () -> before + " before, now " + now);
        }
      }
      for (int n : seen) {
        assertEquals(222, n);
      }
      assertEquals(before, openBelow(gofer.directory));
    }
  }

  @Test
  void shouldGiveEachThreadItsOwnAnswer() throws Exception {
    try (TestGofer gofer = new TestGofer(4096, 4)) {
      int rw = gofer.rw();
      int threads = 70;
      long[] inos = new long[threads];
      for (int t = 0; t < threads; t++) {
        Files.createDirectories(gofer.directory.resolve("t" + t));
        Files.writeString(gofer.directory.resolve("t" + t + "/f"), "x".repeat(t));
        inos[t] = (long) Files.getAttribute(gofer.directory.resolve("t" + t + "/f"), "unix:ino");
      }
      var good = new AtomicInteger();
      List<Thread> all = new ArrayList<>();
      for (int t = 0; t < threads; t++) {
        int me = t;
        Thread thread =
            new Thread(() -> {
              P9Walk walk = new P9Walk();
              P9Attr attr = new P9Attr();
              byte[] path = bytes("t" + me + "/f");
              for (int i = 0; i < 200; i++) {
                long n = gofer.client.walk(rw, path, 0, path.length, 0, walk);
                if (n != 2 || walk.attrs[1].ino != inos[me] || walk.hostFd < 0) {
                  return;
                }
                FileSystemCalls.close(walk.takeHostFd());
                if (gofer.client.getattr(walk.fids[1], attr) != 0 || attr.size != me) {
                  return;
                }
                gofer.client.clunk(walk.fids[0]);
                gofer.client.clunk(walk.fids[1]);
              }
              good.incrementAndGet();
            });
        all.add(thread);
        thread.start();
      }
      for (Thread t : all) {
        t.join();
      }
      assertEquals(threads, good.get());
    }
  }

  /** The sentry walks on every path that it does not know: no garbage there. */
  @Test
  void shouldNotAllocateOnWalkOpenAndGetattr() throws Exception {
    var dir = Files.createTempDirectory("gofer");
    try (GoferProcess process = new GoferProcess(dir, log())) {
      P9Client client =
          new P9Client(
              process.socket,
              redoubt.p9.P9.MSIZE_DEFAULT,
              new P9Client.Listener() {
                @Override
                public void log(String line) {}

                @Override
                public void disconnected() {}
              });
      P9Walk walk = new P9Walk();
      P9Attr attr = new P9Attr();
      int rw = (int) client.attach(bytes("rw"), attr);
      client.mkdir(rw, bytes("a"), 0755, 0, 0, attr);
      byte[] path = bytes("a");
      long allocated = 0;
      for (int round = 0; round < 8; round++) {
        long before = allocatedBytes();
        for (int i = 0; i < 5000; i++) {
          assertTrue(client.walk(rw, path, 0, path.length, 0, walk) >= 0);
          client.clunk(walk.fids[0]);
          client.getattr(rw, attr);
        }
        allocated = allocatedBytes() - before;
        if (allocated < 5000) {
          break;
        }
      }
      assertTrue(allocated < 5000, allocated + " bytes in 10000 calls");
      client.close();
      Files.delete(dir.resolve("a"));
      Files.delete(dir);
    }
  }

  private static java.io.File log() throws java.io.IOException {
    java.io.File log = java.io.File.createTempFile("gofer", ".log");
    log.deleteOnExit();
    return log;
  }

  /** By reflection, because the module under test does not read jdk.management. */
  private static long allocatedBytes() throws ReflectiveOperationException {
    Object bean =
        Class.forName("java.lang.management.ManagementFactory")
            .getMethod("getThreadMXBean")
            .invoke(null);
    return (long)
        Class.forName("com.sun.management.ThreadMXBean")
            .getMethod("getCurrentThreadAllocatedBytes")
            .invoke(bean);
  }
}
