package redoubt.sentry.ipc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static redoubt.abi.Epoll.EPOLLET;
import static redoubt.abi.Epoll.EPOLLIN;
import static redoubt.abi.Epoll.EPOLLONESHOT;
import static redoubt.abi.Epoll.EPOLL_CTL_ADD;
import static redoubt.abi.Epoll.EPOLL_CTL_MOD;
import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EBADF;
import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ELOOP;
import static redoubt.abi.Errno.EPERM;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import redoubt.abi.Eventfd;
import redoubt.abi.Nr;
import redoubt.sentry.syscalls.Amd64Syscalls;
import redoubt.sentry.testing.FakeGuest;

class EpollTest {
  private static final int O_CREAT_RDWR = 0102;

  private final FakeGuest g = FakeGuest.create();
  private final int ep = (int) g.ok(Nr.EPOLL_CREATE1, 0);

  private long event(int events, long data) {
    long e = g.space(12);
    g.setInt(e, events);
    g.setLong(e + 4, data);
    return e;
  }

  private int eventfd() {
    return (int) g.ok(Nr.EVENTFD2, 0, Eventfd.EFD_NONBLOCK);
  }

  @Test
  void shouldCheckInLinuxsOrder() {
    int e = eventfd();
    g.fails(EFAULT, Nr.EPOLL_CTL, 99, EPOLL_CTL_ADD, 99, FakeGuest.bad());
    g.fails(EBADF, Nr.EPOLL_CTL, 99, EPOLL_CTL_ADD, e, event(EPOLLIN, 1));
    g.fails(EBADF, Nr.EPOLL_CTL, ep, EPOLL_CTL_ADD, 99, event(EPOLLIN, 1));
    long file = g.ok(Nr.OPEN, g.text("/f"), O_CREAT_RDWR, 0644);
    g.fails(EPERM, Nr.EPOLL_CTL, e, EPOLL_CTL_ADD, file, event(EPOLLIN, 1));
    g.fails(EINVAL, Nr.EPOLL_CTL, e, EPOLL_CTL_ADD, ep, event(EPOLLIN, 1));
    g.ok(Nr.EPOLL_CTL, ep, EPOLL_CTL_ADD, e, event(EPOLLIN, 1));
    g.fails(EEXIST, Nr.EPOLL_CTL, ep, EPOLL_CTL_ADD, e, event(EPOLLIN, 1));
  }

  @Test
  void shouldRefuseLoops() {
    int other = (int) g.ok(Nr.EPOLL_CREATE1, 0);
    g.ok(Nr.EPOLL_CTL, ep, EPOLL_CTL_ADD, other, event(EPOLLIN, 1));
    g.fails(ELOOP, Nr.EPOLL_CTL, other, EPOLL_CTL_ADD, ep, event(EPOLLIN, 1));
  }

  @Test
  void shouldForgetAFileThatIsClosed() {
    int e = eventfd();
    g.ok(Nr.EPOLL_CTL, ep, EPOLL_CTL_ADD, e, event(EPOLLIN, 1));
    g.ok(Nr.WRITE, e, g.longs(1), 8);
    g.ok(Nr.CLOSE, e);
    assertEquals(0, g.ok(Nr.EPOLL_WAIT, ep, g.space(12), 1, 0));
  }

  @Test
  void shouldNotLoseAnEdgeBetweenThreads() throws Exception {
    int e = eventfd();
    g.ok(Nr.EPOLL_CTL, ep, EPOLL_CTL_ADD, e, event(EPOLLIN | EPOLLET, 7));
    int rounds = 20_000;
    FakeGuest writer = g.thread();
    CompletableFuture<Void> w =
        CompletableFuture.runAsync(() -> {
          long one = writer.longs(1);
          for (int i = 0; i < rounds; i++) {
            writer.ok(Nr.WRITE, e, one, 8);
          }
        });
    long sum = 0;
    long out = g.space(12);
    long value = g.space(8);
    while (sum < rounds) {
      assertEquals(1, g.ok(Nr.EPOLL_WAIT, ep, out, 1, 10_000), "an edge was lost after " + sum);
      long r = g.call(Nr.READ, e, value, 8);
      if (r != -EAGAIN) {
        sum += g.getLong(value);
      }
    }
    w.get(10, TimeUnit.SECONDS);
    assertEquals(rounds, sum);
  }

  @Test
  void shouldGiveEachOneShotToOneOfManyWaiters() throws Exception {
    int e = eventfd();
    g.ok(Nr.EPOLL_CTL, ep, EPOLL_CTL_ADD, e, event(EPOLLIN | EPOLLONESHOT, 7));
    int rounds = 3_000;
    AtomicInteger taken = new AtomicInteger();
    List<CompletableFuture<Void>> all = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      FakeGuest w = g.thread();
      all.add(
          CompletableFuture.runAsync(() -> {
            long out = w.space(12);
            long value = w.space(8);
            long again = w.space(12);
            w.setInt(again, EPOLLIN | EPOLLONESHOT);
            while (taken.get() < rounds) {
              if (w.ok(Nr.EPOLL_WAIT, ep, out, 1, 200) == 1) {
                taken.addAndGet((int) (w.ok(Nr.READ, e, value, 8) == 8 ? w.getLong(value) : 0));
                w.ok(Nr.EPOLL_CTL, ep, EPOLL_CTL_MOD, e, again);
              }
            }
          }));
    }
    long one = g.longs(1);
    for (int i = 0; i < rounds; i++) {
      g.ok(Nr.WRITE, e, one, 8);
    }
    for (CompletableFuture<Void> f : all) {
      f.get(20, TimeUnit.SECONDS);
    }
    assertEquals(rounds, taken.get());
  }

  @Test
  void shouldBearFilesThatAreClosedWhileItWaits() throws Exception {
    FakeGuest closer = g.thread();
    CompletableFuture<Void> c =
        CompletableFuture.runAsync(() -> {
          long e = closer.space(12);
          closer.setInt(e, EPOLLIN);
          long one = closer.longs(1);
          for (int i = 0; i < 3_000; i++) {
            int fd = (int) closer.ok(Nr.EVENTFD2, 1, 0);
            closer.ok(Nr.EPOLL_CTL, ep, EPOLL_CTL_ADD, fd, e);
            closer.ok(Nr.WRITE, fd, one, 8);
            closer.ok(Nr.CLOSE, fd);
          }
        });
    long out = g.space(12 * 8);
    while (!c.isDone()) {
      assertTrue(g.ok(Nr.EPOLL_WAIT, ep, out, 8, 1) >= 0);
    }
    c.get(10, TimeUnit.SECONDS);
    assertEquals(0, g.ok(Nr.EPOLL_WAIT, ep, out, 8, 0));
  }

  @Test
  void shouldAllocateNothingOnceWarm() {
    int e = eventfd();
    g.ok(Nr.EPOLL_CTL, ep, EPOLL_CTL_ADD, e, event(EPOLLIN, 1));
    g.ok(Nr.WRITE, e, g.longs(1), 8);
    long out = g.space(96);
    assertEquals(
        0, Allocation.perCall(() -> call(Nr.EPOLL_WAIT, ep, out, 8, 0)), "bytes an epoll_wait");
    long fds = g.longs((long) EPOLLIN << 32 | e);
    assertEquals(0, Allocation.perCall(() -> call(Nr.POLL, fds, 1, 0, 0)), "bytes a poll");
  }

  private void call(int nr, long a0, long a1, long a2, long a3) {
    var a = g.task().args();
    a.nr = nr;
    a.a0 = a0;
    a.a1 = a1;
    a.a2 = a2;
    a.a3 = a3;
    if (Amd64Syscalls.dispatch(g.task(), a) != 1) {
      throw new AssertionError("call " + nr);
    }
  }
}
