package redoubt.gofer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static redoubt.gofer.TestGofer.bytes;

import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import redoubt.abi.Errno;
import redoubt.abi.Fcntl;
import redoubt.host.FileSystemCalls;
import redoubt.host.Memory;
import redoubt.p9.P9;
import redoubt.p9.P9Attr;
import redoubt.p9.P9Dir;
import redoubt.p9.P9Walk;

/** Attempts to get out of an attach point. */
class EscapeTest {
  private final P9Walk walk = new P9Walk();

  /** Another process turns a directory into a symlink and back while the guest walks it. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void shouldNotFollowADirectoryThatBecomesASymlink(boolean openat2) throws Exception {
    Path outside = Files.createTempDirectory("gofer-outside");
    Files.writeString(outside.resolve("secret"), "outside");
    try (TestGofer gofer = new TestGofer(512, 2, openat2, true);
        Arena arena = Arena.ofShared()) {
      Path dir = gofer.directory;
      Files.createDirectories(dir.resolve("a/real"));
      Files.writeString(dir.resolve("a/real/secret"), "in");
      Files.createSymbolicLink(dir.resolve("a/link"), outside);
      long real = Memory.cString(arena, dir + "/a/real").address();
      long link = Memory.cString(arena, dir + "/a/link").address();
      long secretIno = (long) Files.getAttribute(outside.resolve("secret"), "unix:ino");
      var stop = new AtomicBoolean();
      Thread swapper =
          new Thread(() -> {
            while (!stop.get()) {
              FileSystemCalls.renameat2(-100, real, -100, link, 2);
            }
          });
      swapper.start();
      int rw = gofer.rw();
      int reached = 0;
      int stopped = 0;
      byte[] path = bytes("a/real/secret");
      byte[] fresh = bytes("fresh");
      for (int i = 0; i < 5000; i++) {
        long n = gofer.client.walk(rw, path, 0, path.length, Fcntl.O_RDWR, walk);
        assertTrue(n >= 0, Errno.name((int) -n));
        if (n == 3) {
          reached++;
          assertNotEquals(secretIno, walk.attrs[2].ino);
          assertEquals(2, walk.attrs[2].size);
        } else if (walk.targetLength >= 0) {
          stopped++;
        }
        int fd = walk.takeHostFd();
        if (fd >= 0) {
          FileSystemCalls.close(fd);
        }
        int dirFid = n >= 2 ? walk.fids[1] : -1;
        int count = walk.count;
        int[] fids = walk.fids.clone();
        if (dirFid >= 0 && i % 16 == 0) {
          long r = gofer.client.create(dirFid, fresh, 2, 0644, 0, 0, walk);
          if (r >= 0) {
            FileSystemCalls.close(walk.takeHostFd());
            gofer.client.clunk(walk.fids[0]);
          }
        }
        for (int f = 0; f < count; f++) {
          gofer.client.clunk(fids[f]);
        }
      }
      stop.set(true);
      swapper.join();
      assertTrue(reached > 0 && stopped > 0, reached + " reached, " + stopped + " stopped");
      assertEquals("outside", Files.readString(outside.resolve("secret")));
      assertEquals(1, outside.toFile().list().length);
    }
    Files.delete(outside.resolve("secret"));
    Files.delete(outside);
  }

  @Test
  void shouldTakeMagicLinksForSymlinks() throws Exception {
    try (TestGofer gofer = new TestGofer()) {
      int self = gofer.attach("proc");
      P9Attr attr = new P9Attr();
      for (String path : new String[] {"root/etc", "cwd/x", "exe", "fd/0", "ns/mnt"}) {
        byte[] p = bytes(path);
        long n = gofer.client.walk(self, p, 0, p.length, Fcntl.O_RDONLY, walk);
        assertTrue(n >= 1 && walk.targetLength >= 0, path);
        assertTrue(walk.attrs[(int) n - 1].isSymlink(), path);
        assertEquals(-1, walk.hostFd);
        assertEquals(-Errno.ELOOP, gofer.client.openFd(walk.fids[(int) n - 1], Fcntl.O_RDONLY));
        assertTrue(gofer.client.mkdir(walk.fids[(int) n - 1], bytes("x"), 0755, 0, 0, attr) < 0);
      }
    }
  }

  @Test
  void shouldHideWhatIsAboveTheAttachPoint() throws Exception {
    try (TestGofer gofer = new TestGofer()) {
      int rw = gofer.rw();
      P9Attr attr = new P9Attr();
      gofer.client.getattr(rw, attr);
      try (P9Dir entries = gofer.client.newDir()) {
        gofer.client.readdir(rw, 0, true, entries);
        int dots = 0;
        while (entries.next()) {
          byte[] name = new byte[entries.nameLength];
          entries.copyName(name, 0);
          if (name[0] == '.') {
            dots++;
            assertEquals(attr.ino, entries.ino);
          }
        }
        assertEquals(2, dots);
      }
    }
  }

  /** A directory moved out of the attach point while it is held gives no way further up. */
  @Test
  void shouldNotClimbFromADirectoryThatWasMovedOut() throws Exception {
    Path outside = Files.createTempDirectory("gofer-outside");
    try (TestGofer gofer = new TestGofer();
        RawSentry raw = new RawSentry(gofer.clientSocket.number())) {
      Files.createDirectories(gofer.directory.resolve("a/b"));
      int rw = gofer.rw();
      byte[] p = bytes("a/b");
      assertEquals(2, gofer.client.walk(rw, p, 0, 3, -1, walk));
      Files.move(gofer.directory.resolve("a/b"), outside.resolve("b"));
      int moved = walk.fids[1];
      assertEquals(0, gofer.client.getattr(moved, new P9Attr()));
      int e =
          raw.call(
              P9.TWALKATTR,
              b -> {
                b.put32(moved);
                b.put32(0);
                b.put32(0);
                b.put16(1);
                b.put32(999);
                RawSentry.string(b, "..");
              });
      assertEquals(0, e);
      assertEquals(0, raw.in.get16());
    }
    Files.delete(outside.resolve("b"));
    Files.delete(outside);
  }
}
