package redoubt.sentry.fs.dev;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static redoubt.abi.Errno.ENOSPC;

import org.junit.jupiter.api.Test;
import redoubt.abi.Nr;
import redoubt.sentry.testing.FakeGuest;
import redoubt.sentry.testing.KernelMounts;

class DevicesTest {
  private final FakeGuest g = KernelMounts.create();

  private long open(String path) {
    return g.ok(Nr.OPEN, g.text(path), 2, 0);
  }

  @Test
  void shouldSwallowEverythingInNull() {
    long fd = open("/dev/null");
    assertEquals(1 << 20, g.ok(Nr.WRITE, fd, FakeGuest.bad(), 1 << 20));
    assertEquals(0, g.ok(Nr.READ, fd, g.space(8), 8));
    assertEquals(0, g.ok(Nr.LSEEK, fd, 1000, 0));
  }

  @Test
  void shouldReadZeros() {
    long fd = open("/dev/zero");
    long buffer = g.space(65536);
    g.memory(buffer, 65536).fill((byte) 1);
    assertEquals(65536, g.ok(Nr.READ, fd, buffer, 65536));
    assertEquals(
        -1,
        g.memory(buffer, 65536).mismatch(java.lang.foreign.MemorySegment.ofArray(new byte[65536])));
    assertEquals(8, g.ok(Nr.WRITE, fd, buffer, 8));
  }

  @Test
  void shouldBeFull() {
    long fd = open("/dev/full");
    g.fails(ENOSPC, Nr.WRITE, fd, g.space(8), 8);
    assertEquals(8, g.ok(Nr.READ, fd, g.space(8), 8));
  }

  @Test
  void shouldReadRandomBytes() {
    long fd = open("/dev/urandom");
    long a = g.space(200000);
    assertEquals(200000, g.ok(Nr.READ, fd, a, 200000));
    assertNotEquals(g.getLong(a), g.getLong(a + 199992));
  }

  @Test
  void shouldKeepMessagesInKmsg() {
    KernelMounts.write(g, "/dev/kmsg", "<3>hello\u001b\n");
    long fd = g.ok(Nr.OPEN, g.text("/dev/kmsg"), 04000, 0);
    long buffer = g.space(1000);
    String last = "";
    for (long n; (n = g.call(Nr.READ, fd, buffer, 1000)) > 0; ) {
      last = g.string(buffer, n);
    }
    assertTrue(last.startsWith("3,") && last.endsWith(";hello\\x1b\n"), last);
  }
}
