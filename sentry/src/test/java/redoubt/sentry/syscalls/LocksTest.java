package redoubt.sentry.syscalls;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static redoubt.abi.Errno.*;
import static redoubt.abi.Fcntl.*;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redoubt.abi.Nr;
import redoubt.sentry.kernel.TestTasks;
import redoubt.sentry.testing.FakeGuest;

@Timeout(value = 20, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LocksTest {
  private final FakeGuest a = FakeGuest.create();
  private final long fd = a.ok(Nr.OPEN, a.text("/f"), O_CREAT | O_RDWR, 0666);
  private final FakeGuest b = a.fork();

  private static long flock(FakeGuest g, int type, long start, long length) {
    long p = g.space(SIZEOF_FLOCK);
    g.setShort(p + FLOCK_L_TYPE, type);
    g.setLong(p + FLOCK_L_START, start);
    g.setLong(p + FLOCK_L_LEN, length);
    return p;
  }

  private long set(FakeGuest g, int type, long start, long length) {
    return g.call(Nr.FCNTL, fd, F_SETLK, flock(g, type, start, length));
  }

  /** What stands in the way of a write lock of [start, start+length), as "type start len pid". */
  private String get(FakeGuest g, long start, long length) {
    long p = flock(g, F_WRLCK, start, length);
    g.ok(Nr.FCNTL, fd, F_GETLK, p);
    return g.getShort(p) == F_UNLCK
        ? "none"
        : g.getShort(p) + " " + g.getLong(p + 8) + " " + g.getLong(p + 16) + " " + g.getInt(p + 24);
  }

  @Test
  void shouldKeepProcessesApart() {
    assertEquals(0, set(a, F_WRLCK, 10, 10));
    assertEquals(0, set(a, F_WRLCK, 10, 10));
    assertEquals(-EAGAIN, set(b, F_RDLCK, 19, 1));
    assertEquals(0, set(b, F_WRLCK, 20, 1));
    assertEquals("1 10 10 " + a.task().tgid(), get(b, 0, 15));
    assertEquals("none", get(a, 0, 15));
    assertEquals(0, set(a, F_RDLCK, 10, 10));
    assertEquals(0, set(b, F_RDLCK, 10, 10));
    assertEquals(-EAGAIN, set(b, F_WRLCK, 10, 10));
  }

  @Test
  void shouldSplitAndJoinRanges() {
    assertEquals(0, set(a, F_WRLCK, 0, 30));
    assertEquals(0, set(a, F_UNLCK, 10, 10));
    assertEquals("1 0 10 " + a.task().tgid(), get(b, 0, 0));
    assertEquals("none", get(b, 10, 10));
    assertEquals("1 20 10 " + a.task().tgid(), get(b, 15, 0));
    assertEquals(0, set(a, F_WRLCK, 10, 10));
    assertEquals("1 0 30 " + a.task().tgid(), get(b, 15, 1));
    assertEquals(0, set(a, F_RDLCK, 5, 5));
    assertEquals("1 10 20 " + a.task().tgid(), get(b, 12, 1));
    assertEquals(0, set(a, F_WRLCK, 100, 0));
    assertEquals("1 100 0 " + a.task().tgid(), get(b, 1L << 40, 1));
    assertEquals(0, set(a, F_WRLCK, 60, -10));
    assertEquals("1 50 10 " + a.task().tgid(), get(b, 50, 1));
  }

  @Test
  void shouldRefuseBadRanges() {
    assertEquals(-EINVAL, set(a, F_WRLCK, -1, 1));
    assertEquals(-EINVAL, set(a, F_WRLCK, 1, -2));
    assertEquals(-EOVERFLOW, set(a, F_WRLCK, Long.MAX_VALUE, 2));
    assertEquals(-EINVAL, set(a, 9, 0, 1));
    long ro = a.ok(Nr.OPEN, a.text("/f"), O_RDONLY, 0);
    a.fails(EBADF, Nr.FCNTL, ro, F_SETLK, flock(a, F_WRLCK, 0, 1));
    a.fails(EFAULT, Nr.FCNTL, fd, F_SETLK, FakeGuest.bad());
  }

  @Test
  void shouldDropLocksWithAnyCloseOfTheFile() {
    assertEquals(0, set(a, F_WRLCK, 0, 1));
    long other = a.ok(Nr.OPEN, a.text("/f"), O_RDONLY, 0);
    assertEquals(-EAGAIN, set(b, F_WRLCK, 0, 1));
    a.ok(Nr.CLOSE, other);
    assertEquals(0, set(b, F_WRLCK, 0, 1));
  }

  @Test
  void shouldDropLocksAtExit() {
    FakeGuest c = a.fork();
    assertEquals(0, set(c, F_WRLCK, 0, 1));
    assertEquals(-EAGAIN, set(a, F_WRLCK, 0, 1));
    TestTasks.exit(c.task(), 0);
    assertEquals(0, set(a, F_WRLCK, 0, 1));
  }

  @Test
  void shouldWaitForALock() throws InterruptedException {
    assertEquals(0, set(a, F_WRLCK, 0, 1));
    long[] r = {1};
    Thread t = new Thread(() -> r[0] = b.call(Nr.FCNTL, fd, F_SETLKW, flock(b, F_WRLCK, 0, 1)));
    t.start();
    Thread.sleep(50);
    assertEquals(1, r[0]);
    assertEquals(0, set(a, F_UNLCK, 0, 0));
    t.join();
    assertEquals(0, r[0]);
    assertEquals(-EAGAIN, set(a, F_WRLCK, 0, 1));
  }

  @Test
  void shouldSeeADeadlock() throws InterruptedException {
    assertEquals(0, set(a, F_WRLCK, 0, 1));
    assertEquals(0, set(b, F_WRLCK, 1, 1));
    long[] r = {1};
    Thread t = new Thread(() -> r[0] = b.call(Nr.FCNTL, fd, F_SETLKW, flock(b, F_WRLCK, 0, 1)));
    t.start();
    Thread.sleep(50);
    a.fails(EDEADLK, Nr.FCNTL, fd, F_SETLKW, flock(a, F_WRLCK, 1, 1));
    assertEquals(0, set(a, F_UNLCK, 0, 0));
    t.join();
    assertEquals(0, r[0]);
  }

  @Test
  void shouldBindOfdLocksToTheDescription() {
    long second = a.ok(Nr.OPEN, a.text("/f"), O_RDWR, 0);
    a.ok(Nr.FCNTL, fd, F_OFD_SETLK, flock(a, F_WRLCK, 0, 1));
    a.fails(EAGAIN, Nr.FCNTL, second, F_OFD_SETLK, flock(a, F_WRLCK, 0, 1));
    long p = flock(a, F_WRLCK, 0, 1);
    a.ok(Nr.FCNTL, second, F_OFD_GETLK, p);
    assertEquals(-1, a.getInt(p + FLOCK_L_PID));
    a.ok(Nr.CLOSE, fd);
    a.fails(EAGAIN, Nr.FCNTL, second, F_OFD_SETLK, flock(a, F_WRLCK, 0, 1));
    b.ok(Nr.CLOSE, fd); // the last reference
    a.ok(Nr.FCNTL, second, F_OFD_SETLK, flock(a, F_WRLCK, 0, 1));
  }

  @Test
  void shouldFlockWholeFiles() {
    long second = a.ok(Nr.OPEN, a.text("/f"), O_RDONLY, 0);
    a.ok(Nr.FLOCK, fd, LOCK_SH);
    a.ok(Nr.FLOCK, second, LOCK_SH);
    a.fails(EAGAIN, Nr.FLOCK, second, LOCK_EX | LOCK_NB);
    a.ok(Nr.FLOCK, fd, LOCK_EX); // the refused upgrade has given up the shared lock
    a.ok(Nr.FLOCK, a.ok(Nr.DUP, fd), LOCK_EX);
    a.fails(EAGAIN, Nr.FLOCK, second, LOCK_SH | LOCK_NB);
    a.ok(Nr.FLOCK, fd, LOCK_UN);
    a.ok(Nr.FLOCK, second, LOCK_EX | LOCK_NB);
    a.fails(EINVAL, Nr.FLOCK, second, 3);
    a.fails(EBADF, Nr.FLOCK, 99, LOCK_SH);
    assertTrue(set(b, F_WRLCK, 0, 1) == 0, "flock and fcntl do not meet");
  }
}
