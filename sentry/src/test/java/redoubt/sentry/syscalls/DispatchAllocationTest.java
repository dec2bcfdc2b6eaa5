package redoubt.sentry.syscalls;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import redoubt.abi.Fcntl;
import redoubt.abi.Nr;
import redoubt.sentry.ipc.Allocation;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.testing.FakeGuest;

/** The path of a system call, from the dispatch table down, allocates nothing once it is warm. */
class DispatchAllocationTest {
  private FakeGuest g;
  private Task task;
  private long fd;
  private long buffer;

  @BeforeEach
  void makeFile() {
    g = FakeGuest.create();
    task = g.task();
    fd = g.ok(Nr.OPEN, g.text("/file"), Fcntl.O_CREAT | Fcntl.O_RDWR, 0644);
    buffer = g.space(8192);
    g.ok(Nr.WRITE, fd, buffer, 8192);
  }

  private void shouldNotAllocate(int nr, long a0, long a1, long a2, long a3) {
    Args a = task.args();
    long[] least = {Long.MAX_VALUE};
    long perCall =
        Allocation.perCall(() -> {
          a.nr = nr;
          a.a0 = a0;
          a.a1 = a1;
          a.a2 = a2;
          a.a3 = a3;
          a.a4 = 0;
          a.a5 = 0;
          long r = Amd64Syscalls.dispatch(task, a);
          if (r < least[0]) {
            least[0] = r;
          }
        });
    assertTrue(least[0] >= 0, () -> "call " + nr + " failed with " + least[0]);
    assertEquals(0, perCall, "bytes per call " + nr);
  }

  @Test
  void shouldNotAllocateOnGetppid() {
    shouldNotAllocate(Nr.GETPPID, 0, 0, 0, 0);
  }

  @Test
  void shouldNotAllocateOnPread() {
    shouldNotAllocate(Nr.PREAD64, fd, buffer, 4096, 0);
  }

  @Test
  void shouldNotAllocateOnPwrite() {
    shouldNotAllocate(Nr.PWRITE64, fd, buffer, 4096, 0);
  }

  @Test
  void shouldNotAllocateOnFstat() {
    shouldNotAllocate(Nr.FSTAT, fd, buffer, 0, 0);
  }

  @Test
  void shouldNotAllocateOnLseek() {
    shouldNotAllocate(Nr.LSEEK, fd, 0, 0, 0);
  }

  @Test
  void shouldNotAllocateOnClockGettime() {
    shouldNotAllocate(Nr.CLOCK_GETTIME, 0, buffer, 0, 0);
  }

  @Test
  void shouldNotAllocateOnSigprocmask() {
    shouldNotAllocate(Nr.RT_SIGPROCMASK, 0, 0, buffer, 8);
  }

  @Test
  void shouldNotAllocateOnEpollWait() {
    long ep = g.ok(Nr.EPOLL_CREATE1, 0);
    shouldNotAllocate(Nr.EPOLL_WAIT, ep, buffer, 1, 0);
  }
}
