package redoubt.sentry.fs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static redoubt.abi.Fcntl.*;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import redoubt.abi.Errno;
import redoubt.abi.Nr;
import redoubt.abi.Stat;
import redoubt.sentry.fs.gofer.GoferFs;
import redoubt.sentry.fs.overlay.OverlayFs;
import redoubt.sentry.fs.tmpfs.TmpFs;
import redoubt.sentry.fs.tmpfs.TmpFsOptions;
import redoubt.sentry.testing.FakeGuest;
import redoubt.sentry.testing.TestGofer;

/**
 * Many threads that make, move and remove the same few names: what is listed must be what can be
 * found.
 */
class RacingNamesTest {
  private static final int THREADS = 4;
  private static final int OPS = 3000;
  private volatile Throwable failure;

  @Test
  void shouldKeepNamesTrueOnTmpfs() throws Exception {
    race(FakeGuest.create());
  }

  @Test
  void shouldKeepNamesTrueOnOverlay() throws Exception {
    try (TestGofer gofer = TestGofer.create()) {
      for (String d : List.of("d0", "d1", "d2")) {
        java.nio.file.Files.createDirectory(gofer.directory.resolve(d));
        java.nio.file.Files.writeString(gofer.directory.resolve(d + "/n0"), "lower");
        java.nio.file.Files.createDirectory(gofer.directory.resolve(d + "/n1"));
      }
      race(
          FakeGuest.create((m, p) ->
              new OverlayFs(
                  new TmpFs(m, p, new TmpFsOptions()),
                  new GoferFs(gofer.client, p, "ro", false).root())));
    }
  }

  @Test
  void shouldKeepNamesTrueOnGofer() throws Exception {
    try (TestGofer gofer = TestGofer.create()) {
      race(FakeGuest.create((m, p) -> new GoferFs(gofer.client, p, "rw", false)));
    }
  }

  private void race(FakeGuest g) throws Exception {
    for (int i = 0; i < 3; i++) {
      g.call(Nr.MKDIR, g.text("/d" + i), 0755);
    }
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      FakeGuest mine = g.fork();
      Random random = new Random(i);
      Thread t = new Thread(() -> work(mine, random));
      t.setUncaughtExceptionHandler((x, e) -> failure = e);
      threads.add(t);
      t.start();
    }
    for (Thread t : threads) {
      t.join(60_000);
      assertEquals(Thread.State.TERMINATED, t.getState(), "deadlock");
    }
    assertNull(failure);
    check(g);
  }

  private static String name(Random r) {
    return "/d" + r.nextInt(3) + "/n" + r.nextInt(4);
  }

  private static void work(FakeGuest g, Random r) {
    long a = g.space(64);
    long b = g.space(64);
    long buf = g.space(256);
    for (int i = 0; i < OPS; i++) {
      redoubt.sentry.kernel.Latin1.writeZ(g.memory(a, 64), 0, name(r));
      redoubt.sentry.kernel.Latin1.writeZ(g.memory(b, 64), 0, name(r));
      long result;
      switch (r.nextInt(8)) {
        case 0, 1 -> {
          result = g.call(Nr.OPEN, a, O_CREAT | O_RDWR, 0644);
          if (result >= 0) {
            g.call(Nr.WRITE, result, buf, 100);
            g.call(Nr.CLOSE, result);
          }
        }
        case 2 -> result = g.call(Nr.UNLINK, a);
        case 3 -> result = g.call(Nr.MKDIR, a, 0755);
        case 4 -> result = g.call(Nr.RMDIR, a);
        case 5, 6 -> result = g.call(Nr.RENAME, a, b);
        default -> result = g.call(Nr.STAT, a, buf);
      }
      if (result < -200) {
        throw new AssertionError("result " + result);
      }
    }
  }

  private static void check(FakeGuest g) {
    World.Guest w = new World.Guest(g);
    for (int d = 0; d < 3; d++) {
      var names = w.tree(false);
      for (int n = 0; n < 4; n++) {
        String path = "d" + d + "/n" + n;
        long r = w.call(Nr.NEWFSTATAT, w.root, w.text(path), w.buffer, 0);
        assertEquals(names.containsKey(path) ? 0 : -Errno.ENOENT, r, path);
        if (r == 0) {
          int mode = w.memory(w.buffer, 144).get(redoubt.host.Memory.INT, Stat.STAT_ST_MODE);
          boolean dir = (mode & Stat.S_IFMT) == Stat.S_IFDIR;
          assertEquals(0, w.call(Nr.UNLINKAT, w.root, w.text(path), dir ? AT_REMOVEDIR : 0), path);
        }
      }
      assertEquals(0, w.call(Nr.UNLINKAT, w.root, w.text("d" + d), AT_REMOVEDIR), "d" + d);
    }
  }
}
