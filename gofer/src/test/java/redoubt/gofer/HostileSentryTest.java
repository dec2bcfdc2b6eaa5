package redoubt.gofer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import redoubt.abi.Errno;
import redoubt.abi.Stat;
import redoubt.host.Memory;
import redoubt.host.SeqpacketSocket;
import redoubt.p9.P9;
import redoubt.p9.P9Buffer;

/** What a sentry that a guest has taken over might send. */
class HostileSentryTest {
  private static final int[] TYPES = {
    P9.TSTATFS,
    P9.TREADLINK,
    P9.TFSYNC,
    P9.TLINK,
    P9.TUNLINKAT,
    P9.TATTACH,
    P9.TFLUSH,
    P9.TCLUNK,
    P9.TWALKATTR,
    P9.TOPENFD,
    P9.TCREATEFD,
    P9.TMKDIRATTR,
    P9.TSYMLINKATTR,
    P9.TMKNODATTR,
    P9.TRENAMEAT2,
    P9.TREADDIRATTR,
    P9.TSETATTRATTR,
    P9.TGETXATTR,
    P9.TSETXATTR,
    P9.TLISTXATTR,
    P9.TREMOVEXATTR,
    P9.TCLUNKS,
    P9.TREADDIRS
  };

  /** The JVM opens a jar or two at first use; have that behind before anybody counts. */
  @BeforeAll
  static void warmUp() throws Exception {
    new HostileSentryTest().shouldSurviveMutatedGoodMessages(0, false);
    openFds();
  }

  static long openFds() {
    try (Stream<Path> fds = Files.list(Path.of("/proc/self/fd"))) {
      return fds.count();
    } catch (java.io.IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Semi-valid bodies: fields that a message of the type has, with values often of use. */
  private static void body(Random r, P9Buffer b) {
    int fields = r.nextInt(10);
    for (int i = 0; i < fields; i++) {
      switch (r.nextInt(7)) {
        case 0 -> b.put32(r.nextInt(6));
        case 1 -> b.put32(r.nextInt());
        case 2 -> b.put64(r.nextLong());
        case 3 -> b.put16(r.nextInt(4));
        case 4 -> b.put8(r.nextInt());
        case 5 -> RawSentry.string(b, new String[] {"f", "d", "..", "", "x/y", "l"}[r.nextInt(6)]);
        default -> {
          byte[] junk = new byte[r.nextInt(40)];
          r.nextBytes(junk);
          b.putBytes(junk, 0, junk.length);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void shouldAnswerEveryMessageWhoseFrameIsSound(long seed) throws Exception {
    long before = openFds();
    try (TestGofer gofer = new TestGofer(64, 2, seed != 3, false);
        RawSentry raw = new RawSentry(gofer.clientSocket.number())) {
      Files.writeString(gofer.directory.resolve("f"), "x");
      Files.createDirectories(gofer.directory.resolve("d/d"));
      Files.createSymbolicLink(gofer.directory.resolve("l"), Path.of("/etc/passwd"));
      raw.hello();
      var r = new Random(seed);
      for (int i = 0; i < 4000; i++) {
        int type = r.nextInt(20) == 0 ? r.nextInt(256) : TYPES[r.nextInt(TYPES.length)];
        if (type == P9.TVERSION) {
          continue;
        }
        int e = raw.call(type, b -> body(r, b));
        assertTrue(e >= 0 && e < 4096, "type " + type + " round " + i);
        assertEquals(77, raw.in.tag());
        assertTrue(e != 0 || raw.in.type() == type + 1, "type " + type);
      }
      assertTrue(gofer.server.fids.count() <= 64);
    }
    assertEquals(before, openFds());
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void shouldSurviveMutatedGoodMessages(long seed) {
    shouldSurviveMutatedGoodMessages(seed, true);
  }

  private void shouldSurviveMutatedGoodMessages(long seed, boolean count) {
    long before = openFds();
    try (TestGofer gofer = new TestGofer(64, 2, true, false);
        RawSentry raw = new RawSentry(gofer.clientSocket.number())) {
      raw.hello();
      var r = new Random(seed);
      for (int i = 0; i < 4000; i++) {
        int type = TYPES[r.nextInt(TYPES.length)];
        raw.out.begin(type, 77);
        good(r, type, raw.out);
        int length = raw.out.finish();
        for (int m = r.nextInt(4); m > 0; m--) {
          int at = P9.HEADER + r.nextInt(Math.max(1, length - P9.HEADER));
          raw.out.memory().set(Memory.BYTE, at, (byte) r.nextInt());
        }
        if (r.nextInt(4) == 0) {
          length = P9.HEADER + r.nextInt(length - P9.HEADER + 1);
          raw.out.patch32(0, length);
        }
        int e = raw.exchange(length);
        assertTrue(e >= 0 && e < 4096, "type " + type + " round " + i);
      }
    }
    assertTrue(!count || before == openFds());
  }

  /** The body of a message as the client would send it. */
  private static void good(Random r, int type, P9Buffer b) {
    String name = new String[] {"f", "d", "l", "g"}[r.nextInt(4)];
    b.put32(r.nextInt(3));
    switch (type) {
      case P9.TWALKATTR -> {
        b.put32(r.nextInt(2));
        b.put32(0);
        int n = r.nextInt(4);
        b.put16(n);
        for (int i = 0; i < n; i++) {
          b.put32(r.nextInt(70));
          RawSentry.string(b, name);
        }
      }
      case P9.TOPENFD -> b.put32(r.nextInt(3));
      case P9.TCREATEFD, P9.TMKDIRATTR, P9.TMKNODATTR -> {
        b.put32(r.nextInt(70));
        RawSentry.string(b, name);
        if (type != P9.TMKDIRATTR) {
          b.put32(type == P9.TCREATEFD ? 2 : Stat.S_IFIFO);
        }
        b.put32(0644);
        b.put32(0);
        b.put32(0);
        if (type == P9.TMKNODATTR) {
          b.put32(0);
        }
      }
      case P9.TSYMLINKATTR -> {
        b.put32(r.nextInt(70));
        RawSentry.string(b, name);
        RawSentry.string(b, "/etc");
        b.put64(0);
      }
      case P9.TRENAMEAT2 -> {
        RawSentry.string(b, name);
        b.put32(0);
        RawSentry.string(b, "g");
        b.put32(r.nextInt(3));
      }
      case P9.TREADDIRATTR -> {
        b.put64(0);
        b.put32(r.nextInt(2));
        b.put32(P9.MSIZE_DEFAULT);
      }
      case P9.TREADDIRS -> {
        b.put32(P9.MSIZE_DEFAULT);
        b.put16(2);
        RawSentry.string(b, name);
        RawSentry.string(b, "d");
      }
      case P9.TGETXATTR, P9.TSETXATTR -> {
        b.put32(0);
        RawSentry.string(b, "user.a");
        if (type == P9.TSETXATTR) {
          b.put32(3);
          b.putBytes(new byte[3], 0, 3);
        }
      }
      case P9.TSETATTRATTR -> {
        b.put32(r.nextInt(512));
        b.put32(0644);
        b.put64(0);
        b.put64(r.nextInt(100));
        for (int i = 0; i < 4; i++) {
          b.put64(i);
        }
      }
      case P9.TUNLINKAT -> {
        RawSentry.string(b, name);
        b.put32(0);
      }
      case P9.TLISTXATTR -> b.put32(100);
      default -> {}
    }
  }

  private static void assertEnds(Consumer<RawSentry> send) {
    long before = openFds();
    try (TestGofer gofer = new TestGofer(64, 2, true, false);
        RawSentry raw = new RawSentry(gofer.clientSocket.number())) {
      raw.hello();
      send.accept(raw);
      assertEquals(-1, raw.answer());
      assertEquals(-1, raw.call(P9.TSTATFS, b -> b.put32(0)));
    }
    assertEquals(before, openFds());
  }

  @Test
  void shouldEndOnAFrameWhoseSizeIsALie() {
    for (int lie : new int[] {-1, 1, 100}) {
      assertEnds(raw -> {
        raw.out.begin(P9.TSTATFS, 1);
        raw.out.put32(0);
        int length = raw.out.finish();
        raw.out.patch32(0, length + lie);
        SeqpacketSocket.send(socketOf(raw), raw.out.haddr(0), length);
      });
    }
  }

  @Test
  void shouldEndOnAFrameLargerThanAgreed() {
    assertEnds(raw -> {
      int length = P9.MSIZE_DEFAULT + 1;
      raw.out.begin(P9.TSTATFS, 1);
      raw.out.patch32(0, length);
      SeqpacketSocket.setSendBuffer(socketOf(raw), 2 * length);
      SeqpacketSocket.send(socketOf(raw), raw.out.haddr(0), length);
    });
  }

  @Test
  void shouldEndOnADescriptorFromTheSentry() {
    assertEnds(raw -> {
      raw.out.begin(P9.TSTATFS, 1);
      raw.out.put32(0);
      int length = raw.out.finish();
      new SeqpacketSocket.Channel().sendWithFd(socketOf(raw), raw.out.haddr(0), length, 0);
    });
  }

  @Test
  void shouldWantTheVersionFirst() {
    try (TestGofer gofer = new TestGofer(64, 1, true, false);
        RawSentry raw = new RawSentry(gofer.clientSocket.number())) {
      assertEquals(Errno.EINVAL, raw.call(P9.TSTATFS, b -> b.put32(0)));
    }
  }

  @Test
  void shouldRefuseDotsAndTakenFids() {
    try (TestGofer gofer = new TestGofer(64, 1, true, false);
        RawSentry raw = new RawSentry(gofer.clientSocket.number())) {
      raw.hello();
      for (String name : new String[] {"..", ".", "a/b", "../..", "a\0"}) {
        assertEquals(0, raw.call(P9.TWALKATTR, b -> walkOne(b, 5, name)));
        assertEquals(0, raw.in.get16());
        raw.in.get16();
        assertEquals(Errno.EINVAL, raw.in.get32(), name);
      }
      for (int number : new int[] {0, -1, P9.FID_LIMIT, Integer.MAX_VALUE}) {
        assertEquals(
            Errno.EBADF,
            raw.call(
                P9.TATTACH,
                b -> {
                  b.put32(number);
                  b.put32(-1);
                  RawSentry.string(b, "");
                  RawSentry.string(b, "rw");
                  b.put32(0);
                }));
      }
    }
  }

  static void walkOne(P9Buffer b, int newFid, String name) {
    b.put32(0);
    b.put32(0);
    b.put32(0);
    b.put16(1);
    b.put32(newFid);
    RawSentry.string(b, name);
  }

  private static int socketOf(RawSentry raw) {
    return raw.socket();
  }
}
