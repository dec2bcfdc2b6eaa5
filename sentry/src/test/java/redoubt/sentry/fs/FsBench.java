package redoubt.sentry.fs;

import static redoubt.abi.Fcntl.*;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import redoubt.abi.Nr;
import redoubt.sentry.fs.gofer.GoferFs;
import redoubt.sentry.fs.overlay.OverlayFs;
import redoubt.sentry.fs.tmpfs.TmpFs;
import redoubt.sentry.fs.tmpfs.TmpFsOptions;
import redoubt.sentry.testing.FakeGuest;
import redoubt.sentry.testing.TestGofer;

/**
 * What file calls cost in the kernel itself, without a platform: ns and bytes of heap for each. Run
 * by hand; arguments: none.
 */
final class FsBench {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private interface Body {
    void run();
  }

  public static void main(String[] args) {
    measureAll("tmpfs", FakeGuest.create());
    try (TestGofer gofer = TestGofer.create()) {
      FakeGuest g =
          FakeGuest.create((m, p) ->
              new OverlayFs(
                  new TmpFs(m, p, new TmpFsOptions()),
                  new GoferFs(gofer.client, p, "ro", false).root()));
      measureAll("overlay", g);
    }
    try (TestGofer gofer = TestGofer.create()) {
      measureAll("gofer", FakeGuest.create((m, p) -> new GoferFs(gofer.client, p, "rw", false)));
    }
    try (TestGofer gofer = TestGofer.create()) {
      measureAll(
          "shared gofer", FakeGuest.create((m, p) -> new GoferFs(gofer.client, p, "rw", true)));
    }
  }

  private static void measureAll(String name, FakeGuest g) {
    g.ok(Nr.MKDIR, g.text("/usr"), 0755);
    g.ok(Nr.MKDIR, g.text("/usr/lib"), 0755);
    long path = g.text("/usr/lib/file");
    long buf = g.space(65536);
    long st = g.space(256);
    long fd = g.ok(Nr.OPEN, path, O_CREAT | O_RDWR, 0644);
    g.ok(Nr.WRITE, fd, buf, 65536);
    long other = g.text("/usr/lib/other");
    measure(name, "pread 1", () -> g.call(Nr.PREAD64, fd, buf, 1, 100));
    measure(name, "pread 4096", () -> g.call(Nr.PREAD64, fd, buf, 4096, 4096));
    measure(name, "pread 65536", () -> g.call(Nr.PREAD64, fd, buf, 65536, 0));
    measure(name, "pwrite 4096", () -> g.call(Nr.PWRITE64, fd, buf, 4096, 4096));
    measure(name, "fstat", () -> g.call(Nr.FSTAT, fd, st));
    measure(name, "stat", () -> g.call(Nr.STAT, path, st));
    measure(name, "stat nothing", () -> g.call(Nr.STAT, other, st));
    measure(name, "open+close", () -> g.call(Nr.CLOSE, g.call(Nr.OPEN, path, O_RDONLY, 0)));
    measure(
        name,
        "create+unlink",
        () -> {
          g.call(Nr.CLOSE, g.call(Nr.OPEN, other, O_CREAT | O_WRONLY, 0644));
          g.call(Nr.UNLINK, other);
        });
    measure(
        name,
        "create+write 4096+unlink",
        () -> {
          long f = g.call(Nr.OPEN, other, O_CREAT | O_WRONLY, 0644);
          g.call(Nr.WRITE, f, buf, 4096);
          g.call(Nr.CLOSE, f);
          g.call(Nr.UNLINK, other);
        });
  }

  private static void measure(String fs, String what, Body body) {
    long best = Long.MAX_VALUE;
    long bytes = 0;
    long end = System.nanoTime() + 600_000_000;
    do {
      int n = 2000;
      long allocated = THREADS.getCurrentThreadAllocatedBytes();
      long start = System.nanoTime();
      for (int i = 0; i < n; i++) {
        body.run();
      }
      best = Math.min(best, (System.nanoTime() - start) / n);
      bytes = (THREADS.getCurrentThreadAllocatedBytes() - allocated) / n;
    } while (System.nanoTime() < end);
    System.out.println(fs + "\t" + what + "\t" + best + " ns\t" + bytes + " B");
  }
}
