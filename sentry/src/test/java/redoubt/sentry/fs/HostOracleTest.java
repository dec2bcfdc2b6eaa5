package redoubt.sentry.fs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static redoubt.abi.Fcntl.*;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import redoubt.abi.Nr;
import redoubt.abi.Stat;
import redoubt.host.Memory;
import redoubt.sentry.fs.gofer.GoferFs;
import redoubt.sentry.fs.overlay.OverlayFs;
import redoubt.sentry.fs.tmpfs.TmpFs;
import redoubt.sentry.fs.tmpfs.TmpFsOptions;
import redoubt.sentry.testing.FakeGuest;
import redoubt.sentry.testing.TestGofer;

/**
 * Random calls made twice, on a directory of the host and on a filesystem of ours: results, and now
 * and then the whole trees, must be equal. A failure names the seed and the calls.
 */
class HostOracleTest {
  private static final int OPS = Integer.getInteger("redoubt.test.ops", 3000);
  private static final String[] NAMES = {"a", "b", "c", "d", "e"};

  private Path directory;
  private World host;

  @BeforeEach
  void setUp() throws IOException {
    redoubt.host.ProcessCalls.umask(022);
    directory = Files.createTempDirectory(Path.of("/dev/shm"), "redoubt-oracle");
    host = new World.Host(directory.toString());
  }

  @AfterEach
  void tearDown() {
    TestGofer.deleteTree(directory);
  }

  @Test
  void shouldBehaveAsTheHostOnTmpfs() {
    World guest = new World.Guest(FakeGuest.create());
    for (int seed = 1; seed <= 4; seed++) {
      new Run(seed, guest, true).run(OPS);
    }
  }

  @Test
  void shouldBehaveAsTheHostOnExclusiveGofer() {
    try (TestGofer gofer = TestGofer.create()) {
      World guest =
          new World.Guest(FakeGuest.create((m, p) -> new GoferFs(gofer.client, p, "rw", false)));
      for (int seed = 11; seed <= 12; seed++) {
        new Run(seed, guest, true).run(OPS);
      }
    }
  }

  @Test
  void shouldBehaveAsTheHostOnSharedGofer() {
    try (TestGofer gofer = TestGofer.create()) {
      World guest =
          new World.Guest(FakeGuest.create((m, p) -> new GoferFs(gofer.client, p, "rw", true)));
      for (int seed = 21; seed <= 22; seed++) {
        new Run(seed, guest, true).run(OPS);
      }
    }
  }

  @Test
  void shouldBehaveAsTheHostOnOverlay() {
    for (int seed = 31; seed <= 33; seed++) {
      try (TestGofer gofer = TestGofer.create()) {
        // The same calls make the lower tree and the host's; then ours goes on above the lower one.
        World below = new World.Host(gofer.directory.toString());
        new Run(seed, below, true).withoutLinks().run(OPS / 10);
        var before = below.tree(false);
        World guest =
            new World.Guest(
                FakeGuest.create((m, p) ->
                    new OverlayFs(
                        new TmpFs(m, p, new TmpFsOptions()),
                        new GoferFs(gofer.client, p, "ro", false).root())));
        new Run(seed + 100, guest, false).run(OPS);
        assertEquals(before, below.tree(false), "the lower tree has changed");
      }
      TestGofer.deleteTree(directory);
      try {
        Files.createDirectory(directory);
      } catch (IOException e) {
        throw new IllegalStateException(e);
      }
      host = new World.Host(directory.toString());
    }
  }

  /** One sequence of calls. */
  private final class Run {
    private final long seed;
    private final Random random;
    private final World guest;
    private final boolean blocks;
    private boolean links = true;
    private final List<String> log = new ArrayList<>();
    private final List<long[]> open = new ArrayList<>(); // host's and guest's descriptor

    Run(long seed, World guest, boolean blocks) {
      this.seed = seed;
      this.random = new Random(seed);
      this.guest = guest;
      this.blocks = blocks;
    }

    Run withoutLinks() {
      links = false;
      return this;
    }

    void run(int ops) {
      for (int i = 0; i < ops; i++) {
        step();
        if (i % 50 == 49 || i == ops - 1) {
          compareTrees();
        }
      }
      for (long[] fds : open) {
        host.call(Nr.CLOSE, fds[0]);
        guest.call(Nr.CLOSE, fds[1]);
      }
      open.clear();
    }

    private String path() {
      StringBuilder s = new StringBuilder();
      int depth = 1 + random.nextInt(3);
      for (int i = 0; i < depth; i++) {
        if (i > 0) {
          s.append('/');
        }
        s.append(NAMES[random.nextInt(NAMES.length)]);
      }
      if (random.nextInt(40) == 0) {
        s.append('/');
      }
      return s.toString();
    }

    private String context() {
      int from = Math.max(0, log.size() - 25);
      return "seed " + seed + ":\n" + String.join("\n", log.subList(from, log.size()));
    }

    private void compareTrees() {
      var h = host.tree(blocks);
      var g = guest.tree(blocks);
      assertEquals(
          h.toString().replace(", ", "\n"), g.toString().replace(", ", "\n"), this::context);
    }

    private interface Call {
      long make(World w);
    }

    private long[] both(String what, Call c) {
      long h = c.make(host);
      long g = c.make(guest);
      log.add(what + " = " + World.result(h));
      return new long[] {h, g};
    }

    private void same(String what, Call c) {
      long[] r = both(what, c);
      assertEquals(World.result(r[0]), World.result(r[1]), () -> what + "\n" + context());
    }

    /** As {@link #same} for a call that gives a descriptor. */
    private void opens(String what, Call c) {
      long[] r = both(what, c);
      assertEquals(
          World.result(Math.min(r[0], 0)),
          World.result(Math.min(r[1], 0)),
          () -> what + "\n" + context());
      if (r[0] >= 0) {
        open.add(r);
        if (open.size() > 8) {
          close(random.nextInt(open.size()));
        }
      }
    }

    private void close(int i) {
      long[] fds = open.remove(i);
      same("close " + fds[0], w -> w.call(Nr.CLOSE, fd(w, fds)));
    }

    private long fd(World w, long[] fds) {
      return w == host ? fds[0] : fds[1];
    }

    private void step() {
      String p = path();
      String q = path();
      int mode = new int[] {0644, 0600, 0755, 0777, 02755, 04711}[random.nextInt(6)];
      switch (random.nextInt(links ? 25 : 21)) {
        case 0, 1, 2 -> {
          int flags = O_NONBLOCK | O_CREAT | (random.nextBoolean() ? O_RDWR : O_WRONLY);
          flags |= random.nextInt(3) == 0 ? O_EXCL : 0;
          flags |= random.nextInt(4) == 0 ? O_TRUNC : 0;
          flags |= random.nextInt(4) == 0 ? O_APPEND : 0;
          int f = flags;
          opens("open " + p + " " + f, w -> w.call(Nr.OPENAT, w.root, w.text(p), f, mode));
        }
        case 3 -> {
          int flags =
              O_NONBLOCK
                  | random.nextInt(3)
                  | (random.nextInt(4) == 0 ? O_NOFOLLOW : 0)
                  | (random.nextInt(6) == 0 ? O_DIRECTORY : 0);
          opens("open " + p + " " + flags, w -> w.call(Nr.OPENAT, w.root, w.text(p), flags, 0));
        }
        case 4, 5 -> same("mkdir " + p, w -> w.call(Nr.MKDIRAT, w.root, w.text(p), mode & 01777));
        case 6 -> same("unlink " + p, w -> w.call(Nr.UNLINKAT, w.root, w.text(p), 0));
        case 7 -> same("rmdir " + p, w -> w.call(Nr.UNLINKAT, w.root, w.text(p), AT_REMOVEDIR));
        case 8, 9 -> {
          int flags = random.nextInt(3) == 0 ? random.nextInt(3) : 0;
          same(
              "rename " + p + " " + q + " " + flags,
              w -> w.call(Nr.RENAMEAT2, w.root, w.text(p), w.root, w.otherText(q), flags));
        }
        case 10 ->
            same(
                "symlink " + q + " " + p,
                w -> w.call(Nr.SYMLINKAT, w.otherText(q), w.root, w.text(p)));
        case 11 -> same("chmod " + p, w -> w.call(Nr.FCHMODAT, w.root, w.text(p), mode));
        case 12 -> {
          int uid = random.nextInt(3) - 1;
          int gid = random.nextInt(3) - 1;
          same(
              "chown " + p + " " + uid + ":" + gid,
              w -> w.call(Nr.FCHOWNAT, w.root, w.text(p), uid, gid, AT_SYMLINK_NOFOLLOW));
        }
        case 13, 14, 15, 16, 17 -> onOpenFile();
        case 18 -> {
          if (!open.isEmpty()) {
            close(random.nextInt(open.size()));
          }
        }
        case 19 -> statTwice(p);
        case 20 ->
            same(
                "mkfifo " + p,
                w -> w.call(Nr.MKNODAT, w.root, w.text(p), Stat.S_IFIFO | (mode & 0777), 0));
        case 21, 22 -> {
          int flags = random.nextInt(3) == 0 ? AT_SYMLINK_FOLLOW : 0;
          same(
              "link " + p + " " + q,
              w -> w.call(Nr.LINKAT, w.root, w.text(p), w.root, w.otherText(q), flags));
        }
        case 23 -> xattr(p);
        default -> {
          long size = random.nextInt(20000);
          opens("openw " + p, w -> w.call(Nr.OPENAT, w.root, w.text(p), O_WRONLY | O_NONBLOCK, 0));
          if (!open.isEmpty()) {
            long[] fds = open.get(open.size() - 1);
            same("ftruncate " + fds[0] + " " + size, w -> w.call(Nr.FTRUNCATE, fd(w, fds), size));
          }
        }
      }
    }

    private void xattr(String p) {
      // Of the trusted namespace: the host's tmpfs may not have user attributes.
      String name = "trusted." + NAMES[random.nextInt(2)];
      int size = random.nextInt(50);
      int flags = random.nextInt(3);
      switch (random.nextInt(3)) {
        case 0 ->
            withFile(
                p,
                "fsetxattr " + name,
                (w, fd) -> w.call(Nr.FSETXATTR, fd, w.otherText(name), w.buffer, size, flags));
        case 1 ->
            withFile(
                p,
                "fgetxattr " + name,
                (w, fd) -> w.call(Nr.FGETXATTR, fd, w.otherText(name), w.buffer, 100));
        default ->
            withFile(
                p,
                "fremovexattr " + name,
                (w, fd) -> w.call(Nr.FREMOVEXATTR, fd, w.otherText(name)));
      }
    }

    private interface FileCall {
      long make(World w, long fd);
    }

    private void withFile(String p, String what, FileCall c) {
      same(
          what + " " + p,
          w -> {
            long fd = w.call(Nr.OPENAT, w.root, w.text(p), O_RDONLY | O_NONBLOCK, 0);
            if (fd < 0) {
              return fd;
            }
            long r = c.make(w, fd);
            w.call(Nr.CLOSE, fd);
            return r;
          });
    }

    private void statTwice(String p) {
      same(
          "stat " + p,
          w -> {
            long r = w.call(Nr.NEWFSTATAT, w.root, w.text(p), w.buffer, 0);
            if (r < 0) {
              return r;
            }
            MemorySegment m = w.memory(w.buffer, Stat.SIZEOF_STAT);
            int mode = m.get(Memory.INT, Stat.STAT_ST_MODE);
            boolean dir = (mode & Stat.S_IFMT) == Stat.S_IFDIR;
            return mode * 1_000_003L
                + (dir ? 0 : m.get(Memory.LONG, Stat.STAT_ST_SIZE) * 7)
                + (dir ? 0 : m.get(Memory.LONG, Stat.STAT_ST_NLINK));
          });
    }

    private void onOpenFile() {
      if (open.isEmpty()) {
        return;
      }
      long[] fds = open.get(random.nextInt(open.size()));
      long offset = random.nextInt(3) == 0 ? random.nextInt(200_000) : random.nextInt(10_000);
      long length = 1 + (random.nextInt(4) == 0 ? random.nextInt(40_000) : random.nextInt(500));
      int fill = random.nextInt(256);
      // Which pages of a fallocated range Linux calls data depends on who has read them: not both.
      boolean fallocates = (seed & 1) == 0;
      switch (random.nextInt(9)) {
        case 0, 1 ->
            same(
                "pwrite " + fds[0] + " " + offset + "+" + length,
                w -> {
                  w.memory(w.buffer, length).fill((byte) fill);
                  return w.call(Nr.PWRITE64, fd(w, fds), w.buffer, length, offset);
                });
        case 2 ->
            same(
                "write " + fds[0] + " " + length,
                w -> {
                  w.memory(w.buffer, length).fill((byte) fill);
                  return w.call(Nr.WRITE, fd(w, fds), w.buffer, length);
                });
        case 3 ->
            same(
                "pread " + fds[0] + " " + offset + "+" + length,
                w -> {
                  long r = w.call(Nr.PREAD64, fd(w, fds), w.buffer, length, offset);
                  if (r <= 0) {
                    return r;
                  }
                  long hash = r;
                  MemorySegment m = w.memory(w.buffer, r);
                  for (long i = 0; i < r; i++) {
                    hash = (hash * 31 + m.get(Memory.BYTE, i)) & 0xffff_ffffL;
                  }
                  return hash;
                });
        case 4 -> {
          if (!fallocates) {
            same(
                "lseek data " + fds[0] + " " + offset,
                w -> w.call(Nr.LSEEK, fd(w, fds), offset, SEEK_DATA));
          }
        }
        case 5 -> {
          if (!fallocates) {
            same(
                "lseek hole " + fds[0] + " " + offset,
                w -> w.call(Nr.LSEEK, fd(w, fds), offset, SEEK_HOLE));
          }
        }
        case 6 ->
            same(
                "punch " + fds[0] + " " + offset + "+" + length,
                w ->
                    w.call(
                        Nr.FALLOCATE,
                        fd(w, fds),
                        FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        offset,
                        length));
        case 7 -> {
          if (fallocates) {
            same(
                "fallocate " + fds[0] + " " + offset + "+" + length,
                w -> w.call(Nr.FALLOCATE, fd(w, fds), fill & 1, offset, length));
          }
        }
        default ->
            same(
                "ftruncate " + fds[0] + " " + offset,
                w -> w.call(Nr.FTRUNCATE, fd(w, fds), offset));
      }
    }
  }
}
