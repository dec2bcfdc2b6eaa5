package redoubt.gofer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.FileSystemCalls;
import redoubt.host.Memory;
import redoubt.host.SeqpacketSocket;
import redoubt.p9.P9;
import redoubt.p9.P9Attr;
import redoubt.p9.P9Buffer;
import redoubt.p9.P9Client;
import redoubt.p9.P9Dir;
import redoubt.p9.P9Exception;
import redoubt.p9.P9StatFs;
import redoubt.p9.P9Tree;
import redoubt.p9.P9Walk;

/** What the client makes of answers that no honest gofer gives. */
class HostileGoferTest {
  private static final class Listener implements P9Client.Listener {
    final List<String> lines = new ArrayList<>();
    final AtomicInteger disconnects = new AtomicInteger();

    @Override
    public synchronized void log(String line) {
      lines.add(line);
    }

    @Override
    public void disconnected() {
      disconnects.incrementAndGet();
    }
  }

  /** Changes answers on their way from a real gofer to the client. */
  private static final class Forger implements AutoCloseable {
    final Fd clientSide;

    private final Fd proxySide;
    private final TestGofer gofer = new TestGofer(256, 2, true, false);
    private final P9Buffer buffer = new P9Buffer(Memory.mapAnonymous(P9.MSIZE_MAX));
    private final Thread thread;
    private final Random random;
    private final int every;

    Forger(long seed, int every) {
      this.random = new Random(seed);
      this.every = every;
      Fd[] pair = SeqpacketSocket.pair();
      clientSide = pair[0];
      proxySide = pair[1];
      thread = new Thread(this::run, "forger");
    }

    void start() throws Exception {
      Files.createDirectories(gofer.directory.resolve("d/e"));
      Files.writeString(gofer.directory.resolve("d/f"), "x");
      Files.createSymbolicLink(gofer.directory.resolve("d/l"), Path.of("target"));
      thread.start();
    }

    private void run() {
      var channel = new SeqpacketSocket.Channel();
      int g = gofer.clientSocket.number();
      int p = proxySide.number();
      while (true) {
        long n = channel.receive(p, buffer.haddr(0), P9.MSIZE_MAX, true);
        if (n <= 0) {
          break;
        }
        int fd = -1;
        if (buffer.memory().get(Memory.BYTE, 4) == (byte) P9.TLANE) {
          // A lane would go past the forger.
          buffer.begin(P9.RLERROR, buffer.tag());
          buffer.put32(Errno.EOPNOTSUPP);
          n = buffer.finish();
        } else {
          SeqpacketSocket.send(g, buffer.haddr(0), n);
          n = channel.receive(g, buffer.haddr(0), P9.MSIZE_MAX, true);
          fd = channel.takeFd();
        }
        if (n <= 0) {
          break;
        }
        boolean hello = buffer.memory().get(Memory.BYTE, 4) == P9.TVERSION + 1;
        if (!hello && random.nextInt(every) == 0) {
          n = forge(n);
          if (random.nextInt(8) == 0) {
            fd = fd >= 0 ? drop(fd) : (int) redoubt.host.RawSyscall.syscall(redoubt.abi.Nr.DUP, 2);
          }
        }
        long r =
            fd >= 0
                ? channel.sendWithFd(p, buffer.haddr(0), n, fd)
                : SeqpacketSocket.send(p, buffer.haddr(0), n);
        drop(fd);
        if (r < 0) {
          break;
        }
      }
      SeqpacketSocket.shutdown(p);
      gofer.close();
    }

    private static int drop(int fd) {
      if (fd >= 0) {
        FileSystemCalls.close(fd);
      }
      return -1;
    }

    private long forge(long n) {
      long length = n;
      switch (random.nextInt(4)) {
        case 0 -> length = random.nextInt((int) n) + 1;
        case 1 -> length = Math.min(P9.MSIZE_DEFAULT, n + random.nextInt(100));
        default -> {}
      }
      for (int m = 1 + random.nextInt(3); m > 0; m--) {
        int at = 4 + random.nextInt(Math.max(1, (int) Math.min(length, 64) - 4));
        byte v = random.nextBoolean() ? (byte) random.nextInt() : (byte) 0xff;
        buffer.memory().set(Memory.BYTE, at, v);
      }
      if (random.nextInt(8) != 0) {
        buffer.patch32(0, (int) length);
      }
      return length;
    }

    @Override
    public void close() {
      SeqpacketSocket.shutdown(proxySide.number());
      try {
        thread.join();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
      proxySide.close();
      Memory.unmap(buffer.memory());
    }
  }

  private static void assertResult(long r) {
    assertTrue(r > -4096, "result " + r);
  }

  @BeforeAll
  static void warmUp() throws Exception {
    new HostileGoferTest().session(0, 3);
    HostileSentryTest.openFds();
  }

  /** Makes calls until the forged answers end the connection; returns how many it took. */
  private int session(long seed, int every) throws Exception {
    var listener = new Listener();
    int calls = 0;
    try (Forger forger = new Forger(seed, every)) {
      forger.start();
      P9Client c = new P9Client(forger.clientSide, P9.MSIZE_DEFAULT, listener);
      try (P9Dir entries = c.newDir();
          P9Tree tree = c.newTree()) {
        P9Walk walk = new P9Walk();
        P9Attr attr = new P9Attr();
        byte[] path = TestGofer.bytes("d/f");
        byte[] link = TestGofer.bytes("d/l");
        byte[] name = TestGofer.bytes("new");
        byte[] data = new byte[300];
        int root = (int) Math.max(0, c.attach(TestGofer.bytes("rw"), attr));
        for (; calls < 3000 && c.isConnected(); calls++) {
          switch (calls % 11) {
            case 0 -> {
              long r = c.walk(root, path, 0, path.length, 0, walk);
              assertResult(r);
              assertTrue(walk.hostFd < 0 || r == 2);
              int fd = walk.takeHostFd();
              if (fd >= 0) {
                FileSystemCalls.close(fd);
              }
            }
            case 1 -> {
              assertResult(c.walk(root, link, 0, link.length, -1, walk));
              assertTrue(walk.targetLength < P9.PATH_MAX);
            }
            case 2 -> assertResult(c.getattr(root, attr));
            case 3 -> {
              assertResult(c.readdir(root, 0, true, entries));
              while (entries.next()) {
                assertTrue(entries.nameLength > 0 && entries.nameLength <= P9.NAME_MAX);
                entries.copyName(data, 0);
              }
              c.check(entries);
            }
            case 10 -> {
              assertResult(c.readdirs(root, List.of(name), tree));
              int lists = 0;
              while (tree.next()) {
                assertTrue(tree.parent == P9.READDIRS_TOP || tree.parent < lists);
                lists++;
                while (tree.entries.next()) {
                  tree.entries.copyName(data, 0);
                }
              }
              c.check(tree.entries);
            }
            case 4 -> {
              assertResult(c.create(root, name, 2, 0644, 0, 0, walk));
              int fd = walk.takeHostFd();
              if (fd >= 0) {
                FileSystemCalls.close(fd);
              }
            }
            case 5 -> assertResult(c.mkdir(root, name, 0755, 0, 0, attr));
            case 6 -> assertResult(c.listxattr(root, data));
            case 7 -> assertResult(c.statfs(root, new P9StatFs()));
            case 8 -> assertResult(c.unlink(root, name, 0));
            default -> assertResult(c.readlink(root, data));
          }
        }
        if (!c.isConnected()) {
          assertEquals(-Errno.EIO, c.getattr(root, attr));
          assertEquals(1, listener.disconnects.get());
          assertEquals(1, listener.lines.size(), () -> listener.lines.toString());
          assertTrue(listener.lines.get(0).startsWith("gofer: "));
        }
      } finally {
        c.close();
      }
    }
    return calls;
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
  void shouldBearForgedAnswers(long seed) throws Exception {
    long before = HostileSentryTest.openFds();
    int calls = session(seed, 5);
    assertTrue(calls < 3000, "no forged answer was noticed");
    assertEquals(before, HostileSentryTest.openFds());
  }

  @Test
  void shouldNotStartWithAGoferOfAnotherTongue() throws Exception {
    Fd[] pair = SeqpacketSocket.pair();
    Thread liar =
        new Thread(() -> {
          var b = new P9Buffer(Memory.mapAnonymous(4096));
          var channel = new SeqpacketSocket.Channel();
          channel.receive(pair[1].number(), b.haddr(0), 4096, true);
          b.begin(P9.TVERSION + 1, P9.NOTAG);
          b.put32(P9.MSIZE_DEFAULT);
          RawSentry.string(b, "9P1999");
          SeqpacketSocket.send(pair[1].number(), b.haddr(0), b.finish());
        });
    liar.start();
    var e =
        assertThrows(
            P9Exception.class, () -> new P9Client(pair[0], P9.MSIZE_DEFAULT, new Listener()));
    assertTrue(e.getMessage().contains("does not speak"), e.getMessage());
    liar.join();
    pair[0].close();
    pair[1].close();
  }

  @Test
  void shouldFailAllWaitersWhenTheGoferGoesSilentAndEnds() throws Exception {
    Fd[] pair = SeqpacketSocket.pair();
    var listener = new Listener();
    Thread mute =
        new Thread(() -> {
          var b = new P9Buffer(Memory.mapAnonymous(P9.MSIZE_MAX));
          var channel = new SeqpacketSocket.Channel();
          channel.receive(pair[1].number(), b.haddr(0), P9.MSIZE_MAX, true);
          b.begin(P9.TVERSION + 1, P9.NOTAG);
          b.put32(P9.MSIZE_DEFAULT);
          RawSentry.string(b, P9.VERSION_REDOUBT);
          SeqpacketSocket.send(pair[1].number(), b.haddr(0), b.finish());
          for (int i = 0; i < 5; i++) {
            channel.receive(pair[1].number(), b.haddr(0), P9.MSIZE_MAX, true);
          }
          pair[1].close();
        });
    mute.start();
    P9Client c = new P9Client(pair[0], P9.MSIZE_DEFAULT, listener);
    List<Thread> threads = new ArrayList<>();
    var failed = new AtomicInteger();
    for (int i = 0; i < 5; i++) {
      Thread t =
          new Thread(() -> {
            if (c.getattr(0, new P9Attr()) == -Errno.EIO) {
              failed.incrementAndGet();
            }
          });
      threads.add(t);
      t.start();
    }
    for (Thread t : threads) {
      t.join(10_000);
      assertFalse(t.isAlive());
    }
    assertEquals(5, failed.get());
    assertEquals(1, listener.disconnects.get());
    assertEquals(List.of("gofer: the gofer has ended"), listener.lines);
    c.close();
    mute.join();
  }
}
