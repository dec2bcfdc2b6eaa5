package redoubt.bench;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import redoubt.abi.Fcntl;
import redoubt.abi.Nr;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.syscalls.Amd64Syscalls;
import redoubt.sentry.testing.FakeGuest;

/**
 * The path of a system call from the dispatch table down, on a guest that is an array: what the
 * kernel itself costs and allocates, without the hand-over. Run by {@code tools/bench jmh}.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(1)
public class SyscallPath {
  private Task task;
  private Args args;
  private long file;
  private long reading;
  private long writing;
  private long epoll;
  private long buffer;

  @Setup(Level.Trial)
  public void makeGuest() {
    FakeGuest g = FakeGuest.create();
    task = g.task();
    args = task.args();
    buffer = g.space(8192);
    file = g.ok(Nr.OPEN, g.text("/file"), Fcntl.O_CREAT | Fcntl.O_RDWR, 0644);
    g.ok(Nr.WRITE, file, buffer, 8192);
    epoll = g.ok(Nr.EPOLL_CREATE1, 0);
    g.ok(Nr.PIPE2, buffer, 0);
    reading = file + 2;
    writing = file + 3;
  }

  private long call(int nr, long a0, long a1, long a2, long a3) {
    Args a = args;
    a.nr = nr;
    a.a0 = a0;
    a.a1 = a1;
    a.a2 = a2;
    a.a3 = a3;
    a.a4 = 0;
    a.a5 = 0;
    long r = Amd64Syscalls.dispatch(task, a);
    if (r < 0) {
      throw new IllegalStateException("call " + nr + " failed with " + r);
    }
    return r;
  }

  @Benchmark
  public long getppid() {
    return call(Nr.GETPPID, 0, 0, 0, 0);
  }

  @Benchmark
  public long pread() {
    return call(Nr.PREAD64, file, buffer, 4096, 0);
  }

  @Benchmark
  public long pwrite() {
    return call(Nr.PWRITE64, file, buffer, 4096, 0);
  }

  @Benchmark
  public long fstat() {
    return call(Nr.FSTAT, file, buffer, 0, 0);
  }

  @Benchmark
  public long lseek() {
    return call(Nr.LSEEK, file, 0, 0, 0);
  }

  @Benchmark
  public long clockGettime() {
    return call(Nr.CLOCK_GETTIME, 0, buffer, 0, 0);
  }

  @Benchmark
  public long sigprocmask() {
    return call(Nr.RT_SIGPROCMASK, 0, 0, buffer, 8);
  }

  @Benchmark
  public long epollWait() {
    return call(Nr.EPOLL_WAIT, epoll, buffer, 1, 0);
  }

  @Benchmark
  public long pipe() {
    return call(Nr.WRITE, writing, buffer, 1, 0) + call(Nr.READ, reading, buffer, 1, 0);
  }
}
