package redoubt.sentry.ipc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EBUSY;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EPIPE;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import redoubt.abi.Nr;
import redoubt.sentry.testing.FakeGuest;
import redoubt.sentry.vfs.FileDescription;

/** Pipes through the dispatch table, also with two threads at work on one. */
class PipeTest {
  private static final int F_SETPIPE_SZ = 1031;

  private final FakeGuest g = FakeGuest.create();

  private int[] pipe(int flags) {
    long fds = g.space(8);
    g.ok(Nr.PIPE2, fds, flags);
    return new int[] {g.getInt(fds), g.getInt(fds + 4)};
  }

  @Test
  void shouldWriteUpToAPageAllOrNothing() {
    int[] p = pipe(FileDescription.O_NONBLOCK);
    long buf = g.space(70000);
    assertEquals(65536, g.ok(Nr.WRITE, p[1], buf, 65536));
    assertEquals(100, g.ok(Nr.READ, p[0], buf, 100));
    g.fails(EAGAIN, Nr.WRITE, p[1], buf, 4096);
    assertEquals(3996, g.ok(Nr.READ, p[0], buf, 3996));
    assertEquals(4096, g.ok(Nr.WRITE, p[1], buf, 4096));
  }

  @Test
  void shouldLeaveNothingBehindWhenTheBufferFaults() {
    int[] p = pipe(FileDescription.O_NONBLOCK);
    g.fails(EFAULT, Nr.WRITE, p[1], FakeGuest.bad(), 10);
    g.fails(EFAULT, Nr.WRITE, p[1], FakeGuest.bad(), 10000);
    g.fails(EAGAIN, Nr.READ, p[0], g.space(8), 8);
  }

  @Test
  void shouldRefuseToShrinkBelowWhatIsThere() {
    int[] p = pipe(FileDescription.O_NONBLOCK);
    long buf = g.space(20000);
    g.ok(Nr.WRITE, p[1], buf, 20000);
    g.fails(EBUSY, Nr.FCNTL, p[1], F_SETPIPE_SZ, 4096);
    assertEquals(32768, g.ok(Nr.FCNTL, p[1], F_SETPIPE_SZ, 20000));
    assertEquals(20000, g.ok(Nr.READ, p[0], buf, 65536));
  }

  @Test
  void shouldFailWithEpipeOnceTheReaderIsGone() {
    int[] p = pipe(FileDescription.O_NONBLOCK);
    g.ok(Nr.CLOSE, p[0]);
    g.fails(EPIPE, Nr.WRITE, p[1], g.space(8), 8);
  }

  @Test
  void shouldGiveItsPagesBack() {
    long before = PagePool.SHARED.inUse();
    int[] p = pipe(FileDescription.O_NONBLOCK);
    g.ok(Nr.WRITE, p[1], g.space(60000), 60000);
    assertTrue(PagePool.SHARED.inUse() >= before + 15);
    g.ok(Nr.CLOSE, p[0]);
    g.ok(Nr.CLOSE, p[1]);
    assertEquals(before, PagePool.SHARED.inUse());
  }

  @Test
  void shouldCarryEveryByteInOrderBetweenTwoThreads() throws Exception {
    int[] p = pipe(0);
    FakeGuest writer = g.thread();
    int total = 3_000_000;
    CompletableFuture<Long> sent =
        CompletableFuture.supplyAsync(() -> {
          long buf = writer.space(50000);
          long at = 0;
          int step = 1;
          while (at < total) {
            int n = (int) Math.min(total - at, step);
            for (int i = 0; i < n; i++) {
              writer.memory(buf + i, 1).set(redoubt.host.Memory.BYTE, 0, (byte) ((at + i) * 31));
            }
            at += writer.ok(Nr.WRITE, p[1], buf, n);
            step = step * 7 % 49999 + 1;
          }
          writer.ok(Nr.CLOSE, p[1]);
          return at;
        });
    long buf = g.space(70000);
    long got = 0;
    int step = 1;
    for (; ; ) {
      long n = g.ok(Nr.READ, p[0], buf, step);
      if (n == 0) {
        break;
      }
      for (int i = 0; i < n; i++) {
        assertEquals((byte) ((got + i) * 31), (byte) g.getByte(buf + i));
      }
      got += n;
      step = step * 11 % 69997 + 1;
    }
    assertEquals(total, got);
    assertEquals(total, sent.get(10, TimeUnit.SECONDS));
  }

  @Test
  void shouldAllocateNothingOnceWarm() {
    int[] p = pipe(FileDescription.O_NONBLOCK);
    long buf = g.space(64);
    Runnable once =
        () -> {
          g.task().args().a0 = p[1];
          transfer(Nr.WRITE, p[1], buf);
          transfer(Nr.READ, p[0], buf);
        };
    assertEquals(0, Allocation.perCall(once), "bytes a write and read");
  }

  private void transfer(int nr, int fd, long buf) {
    var a = g.task().args();
    a.nr = nr;
    a.a0 = fd;
    a.a1 = buf;
    a.a2 = 8;
    if (redoubt.sentry.syscalls.Amd64Syscalls.dispatch(g.task(), a) != 8) {
      throw new AssertionError("transfer");
    }
  }
}
