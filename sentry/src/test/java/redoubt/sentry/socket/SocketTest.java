package redoubt.sentry.socket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static redoubt.abi.Errno.EADDRINUSE;
import static redoubt.abi.Errno.EAFNOSUPPORT;
import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.ECONNREFUSED;
import static redoubt.abi.Errno.EINPROGRESS;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOTSOCK;
import static redoubt.abi.Errno.EPIPE;
import static redoubt.abi.Socket.AF_INET;
import static redoubt.abi.Socket.AF_UNIX;
import static redoubt.abi.Socket.MSG_NOSIGNAL;
import static redoubt.abi.Socket.SOCK_DGRAM;
import static redoubt.abi.Socket.SOCK_NONBLOCK;
import static redoubt.abi.Socket.SOCK_STREAM;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import redoubt.abi.Nr;
import redoubt.host.Memory;
import redoubt.sentry.ipc.Allocation;
import redoubt.sentry.ipc.PagePool;
import redoubt.sentry.syscalls.Amd64Syscalls;
import redoubt.sentry.testing.FakeGuest;

class SocketTest {
  private final FakeGuest g = FakeGuest.create();

  private int[] pair(int type) {
    long fds = g.space(8);
    g.ok(Nr.SOCKETPAIR, AF_UNIX, type, 0, fds);
    return new int[] {g.getInt(fds), g.getInt(fds + 4)};
  }

  /** {@return 127.0.0.1 with a port in network order} */
  private long loopback(int portInNetworkOrder) {
    long a = g.space(16);
    g.setShort(a, AF_INET);
    g.setShort(a + 2, portInNetworkOrder);
    g.setInt(a + 4, 0x0100007f);
    return a;
  }

  private int port(int fd) {
    long a = g.space(16);
    g.ok(Nr.GETSOCKNAME, fd, a, g.ints(16));
    return g.getShort(a + 2);
  }

  private int[] tcp(int flags) {
    int l = (int) g.ok(Nr.SOCKET, AF_INET, SOCK_STREAM, 0);
    g.ok(Nr.LISTEN, l, 5);
    int c = (int) g.ok(Nr.SOCKET, AF_INET, SOCK_STREAM, 0);
    g.ok(Nr.CONNECT, c, loopback(port(l)), 16);
    int s = (int) g.ok(Nr.ACCEPT4, l, 0, 0, flags);
    return new int[] {c, s, l};
  }

  @Test
  void shouldCheckInLinuxsOrder() {
    g.fails(EINVAL, Nr.SOCKET, 99, SOCK_STREAM | 0x100, 0);
    g.fails(EAFNOSUPPORT, Nr.SOCKET, 99, 15, 0);
    g.fails(EINVAL, Nr.SOCKET, AF_INET, 15, 0);
    g.fails(EBADF, Nr.LISTEN, 99, 1);
    long e = g.ok(Nr.EVENTFD2, 0, 0);
    g.fails(ENOTSOCK, Nr.LISTEN, e, 1);
    g.fails(EBADF, Nr.CONNECT, 99, FakeGuest.bad(), 16);
  }

  @Test
  void shouldReportTheOutcomeOfAConnectThatDoesNotBlock() {
    int c = (int) g.ok(Nr.SOCKET, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    g.fails(EINPROGRESS, Nr.CONNECT, c, loopback(0x0100), 16);
    g.fails(ECONNREFUSED, Nr.CONNECT, c, loopback(0x0100), 16);
  }

  @Test
  void shouldKeepAPortForItsListener() {
    int[] t = tcp(0);
    int k = (int) g.ok(Nr.SOCKET, AF_INET, SOCK_STREAM, 0);
    g.fails(EADDRINUSE, Nr.BIND, k, loopback(port(t[2])), 16);
  }

  @Test
  void shouldHoldConnectsBackWhenTheBacklogIsFull() throws Exception {
    int l = (int) g.ok(Nr.SOCKET, AF_INET, SOCK_STREAM, 0);
    g.ok(Nr.LISTEN, l, 0);
    int p = port(l);
    int first = (int) g.ok(Nr.SOCKET, AF_INET, SOCK_STREAM, 0);
    g.ok(Nr.CONNECT, first, loopback(p), 16);
    FakeGuest other = g.thread();
    CompletableFuture<Long> second =
        CompletableFuture.supplyAsync(() -> {
          long c = other.ok(Nr.SOCKET, AF_INET, SOCK_STREAM, 0);
          long a = other.space(16);
          other.setShort(a, AF_INET);
          other.setShort(a + 2, p);
          other.setInt(a + 4, 0x0100007f);
          return other.call(Nr.CONNECT, c, a, 16);
        });
    Thread.sleep(50);
    assertTrue(!second.isDone());
    g.ok(Nr.ACCEPT4, l, 0, 0, 0);
    assertEquals(0, second.get(5, TimeUnit.SECONDS));
    g.ok(Nr.ACCEPT4, l, 0, 0, 0);
  }

  @Test
  void shouldCarryEveryByteInOrderOverTcp() throws Exception {
    int[] t = tcp(0);
    carry(t[0], t[1]);
  }

  @Test
  void shouldCarryEveryByteInOrderOverAUnixStream() throws Exception {
    int[] p = pair(SOCK_STREAM);
    carry(p[0], p[1]);
  }

  private void carry(int from, int to) throws Exception {
    int total = 4_000_000;
    FakeGuest writer = g.thread();
    CompletableFuture<Long> sent =
        CompletableFuture.supplyAsync(() -> {
          long buf = writer.space(200_000);
          long at = 0;
          int step = 1;
          while (at < total) {
            int n = (int) Math.min(total - at, step);
            for (int i = 0; i < n; i++) {
              writer.memory(buf + i, 1).set(Memory.BYTE, 0, (byte) ((at + i) * 13));
            }
            assertEquals(n, writer.ok(Nr.SENDTO, from, buf, n, MSG_NOSIGNAL, 0, 0));
            at += n;
            step = step * 7 % 150_001 + 1;
          }
          writer.ok(Nr.SHUTDOWN, from, 1);
          return at;
        });
    long buf = g.space(100_000);
    long got = 0;
    int step = 1;
    for (; ; ) {
      long n = g.ok(Nr.RECVFROM, to, buf, step, 0, 0, 0);
      if (n == 0) {
        break;
      }
      for (int i = 0; i < n; i++) {
        assertEquals((byte) ((got + i) * 13), (byte) g.getByte(buf + i));
      }
      got += n;
      step = step * 11 % 99_991 + 1;
    }
    assertEquals(total, got);
    assertEquals(total, sent.get(10, TimeUnit.SECONDS));
  }

  @Test
  void shouldGiveItsPagesBack() {
    long before = PagePool.SHARED.inUse();
    int[] p = pair(SOCK_DGRAM);
    g.ok(Nr.SENDTO, p[0], g.space(100_000), 100_000, 0, 0, 0);
    assertTrue(PagePool.SHARED.inUse() > before);
    g.ok(Nr.CLOSE, p[1]);
    assertEquals(before, PagePool.SHARED.inUse());
    int[] t = tcp(0);
    g.ok(Nr.SENDTO, t[0], g.space(100_000), 100_000, 0, 0, 0);
    g.ok(Nr.CLOSE, t[1]);
    assertEquals(before, PagePool.SHARED.inUse());
  }

  @Test
  void shouldWakeABlockedSenderWhenThePeerCloses() throws Exception {
    int[] p = pair(SOCK_STREAM);
    FakeGuest writer = g.thread();
    CompletableFuture<Long> sent =
        CompletableFuture.supplyAsync(() -> {
          long buf = writer.space(100_000);
          long r;
          do {
            r = writer.call(Nr.SENDTO, p[0], buf, 100_000, MSG_NOSIGNAL, 0, 0);
          } while (r == 100_000);
          return r > 0 ? writer.call(Nr.SENDTO, p[0], buf, 1, MSG_NOSIGNAL, 0, 0) : r;
        });
    Thread.sleep(50);
    g.ok(Nr.CLOSE, p[1]);
    assertEquals(-EPIPE, sent.get(5, TimeUnit.SECONDS));
  }

  @Test
  void shouldAllocateNothingOnceWarm() {
    int[] t = tcp(SOCK_NONBLOCK);
    long buf = g.space(512);
    assertEquals(
        0,
        Allocation.perCall(() -> {
          call(Nr.WRITE, t[0], buf, 100);
          call(Nr.READ, t[1], buf, 100);
        }),
        "bytes a TCP write and read");
    int[] d = pair(SOCK_DGRAM | SOCK_NONBLOCK);
    assertEquals(
        0,
        Allocation.perCall(() -> {
          call(Nr.WRITE, d[0], buf, 100);
          call(Nr.READ, d[1], buf, 100);
        }),
        "bytes a datagram");
    g.fails(EAGAIN, Nr.READ, d[1], buf, 100);
  }

  private void call(int nr, int fd, long buf, int n) {
    var a = g.task().args();
    a.nr = nr;
    a.a0 = fd;
    a.a1 = buf;
    a.a2 = n;
    if (Amd64Syscalls.dispatch(g.task(), a) != n) {
      throw new AssertionError("call " + nr);
    }
  }
}
