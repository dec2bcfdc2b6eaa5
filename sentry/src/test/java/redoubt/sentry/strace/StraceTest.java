package redoubt.sentry.strace;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import redoubt.abi.*;
import redoubt.sentry.syscalls.SyscallTable;

class StraceTest {
  private static final long BASE = 0x10000;

  /** Three pages of guest memory at BASE; all else faults. */
  private final ByteBuffer memory = ByteBuffer.allocate(3 * 4096).order(ByteOrder.LITTLE_ENDIAN);

  private final UserReader reader =
      (uaddr, dst, offset, length) -> {
        long at = uaddr - BASE;
        if (at < 0 || at >= memory.capacity()) {
          return 0;
        }
        int n = (int) Math.min(length, memory.capacity() - at);
        MemorySegment.copy(memory.array(), (int) at, dst, ValueLayout.JAVA_BYTE, offset, n);
        return n;
      };

  private final List<String> lines = new ArrayList<>();
  private final Strace strace =
      new Strace(l -> lines.add(new String(l, StandardCharsets.UTF_8)), 16, null);
  private final Strace.Trace trace = strace.newTrace();

  private long put(int at, String text) {
    memory.put(at, text.getBytes(StandardCharsets.ISO_8859_1));
    return BASE + at;
  }

  private void enter(int nr, long... a) {
    long[] x = java.util.Arrays.copyOf(a, 6);
    trace.enter(reader, 7, "sh", nr, x[0], x[1], x[2], x[3], x[4], x[5]);
  }

  private String exit(long result) {
    trace.exit(reader, 7, "sh", result, 12_345);
    String line = lines.getLast();
    assertTrue(line.startsWith("[7] sh: ") && line.endsWith(" (12 µs)\n"), line);
    return line.substring(8, line.length() - " (12 µs)\n".length());
  }

  private String call(int nr, long result, long... a) {
    enter(nr, a);
    return exit(result);
  }

  @Test
  void shouldShowWhatIsWrittenAtEntryAndWhatIsReadAtExit() {
    long p = put(0, "abc\n\"\\\1");
    assertEquals("write(1, \"abc\\n\\\"\\\\\\x01\", 7) = 7", call(Nr.WRITE, 7, 1, p, 7));
    enter(Nr.READ, 3, p, 4096);
    put(0, "new");
    assertEquals("read(3, \"new\", 4096) = 3", exit(3));
    enter(Nr.WRITE, 1, p, 3);
    put(0, "old");
    assertEquals("write(1, \"new\", 3) = 3", exit(3));
  }

  @Test
  void shouldBoundBuffers() {
    long p = put(0, "0123456789abcdefXYZ");
    assertEquals("write(1, \"0123456789abcdef\"..., 19) = 19", call(Nr.WRITE, 19, 1, p, 19));
    assertEquals("write(1, \"0123456789abcdef\", 16) = 16", call(Nr.WRITE, 16, 1, p, 16));
  }

  @Test
  void shouldShowErrorsByNameAndPointersThatCannotBeRead() {
    assertEquals("read(3, 0x10000, 10) = -1 EAGAIN", call(Nr.READ, -Errno.EAGAIN, 3, BASE, 10));
    assertEquals("write(3, 0x5, 10) = -1 EFAULT", call(Nr.WRITE, -Errno.EFAULT, 3, 5, 10));
    assertEquals("chdir(0x5) = -1 EFAULT", call(Nr.CHDIR, -Errno.EFAULT, 5));
    assertEquals("chdir(NULL) = -1 EFAULT", call(Nr.CHDIR, -Errno.EFAULT, 0));
    assertEquals("pause() = ? ERESTARTNOHAND", call(Nr.PAUSE, -Errno.ERESTARTNOHAND));
  }

  @Test
  void shouldDecodeOpenFlags() {
    long p = put(0, "/etc/passwd\0");
    assertEquals(
        "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = 3",
        call(Nr.OPENAT, 3, Fcntl.AT_FDCWD, p, Fcntl.O_CLOEXEC, 0777));
    assertEquals(
        "open(\"/etc/passwd\", O_RDWR|O_SYNC|O_CREAT|0x4, 0644) = 3",
        call(Nr.OPEN, 3, p, Fcntl.O_RDWR | Fcntl.O_CREAT | Fcntl.O_SYNC | 4, 0644));
    assertEquals(
        "open(\"/etc/passwd\", O_WRONLY|O_TMPFILE, 0600) = 3",
        call(Nr.OPEN, 3, p, Fcntl.O_WRONLY | Fcntl.O_TMPFILE, 0600));
    assertEquals(
        "open(\"/etc/passwd\", O_RDONLY|O_DIRECTORY) = 3",
        call(Nr.OPEN, 3, p, Fcntl.O_DIRECTORY, 0600));
  }

  @Test
  void shouldDecodeMappings() {
    assertEquals(
        "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000",
        call(
            Nr.MMAP,
            0x7f0000000000L,
            0,
            4096,
            Mman.PROT_READ | Mman.PROT_WRITE,
            Mman.MAP_PRIVATE | Mman.MAP_ANONYMOUS,
            -1,
            0));
    assertEquals("mprotect(0x1000, 10, PROT_NONE) = 0", call(Nr.MPROTECT, 0, 4096, 10, 0));
    assertEquals("access(NULL, F_OK) = 0", call(Nr.ACCESS, 0, 0, 0));
    assertEquals("access(NULL, R_OK|X_OK) = 0", call(Nr.ACCESS, 0, 0, 5));
  }

  @Test
  void shouldDecodeSignals() {
    memory.putLong(0, 1).putLong(8, Signal.SA_RESTART | Signal.SA_RESTORER).putLong(16, 0x4000);
    memory.putLong(24, 1L << Signal.SIGINT - 1 | 1L << Signal.SIGCHLD - 1);
    assertEquals(
        "rt_sigaction(SIGUSR1, {handler=SIG_IGN, mask=[INT CHLD], flags=SA_RESTORER|SA_RESTART,"
            + " restorer=0x4000}, NULL, 8) = 0",
        call(Nr.RT_SIGACTION, 0, Signal.SIGUSR1, BASE, 0, 8));
    memory.putLong(0, ~0L);
    assertEquals(
        "rt_sigprocmask(SIG_SETMASK, ~[], NULL, 8) = 0",
        call(Nr.RT_SIGPROCMASK, 0, Signal.SIG_SETMASK, BASE, 0, 8));
    assertEquals("kill(5, SIGRT_2) = 0", call(Nr.KILL, 0, 5, 34));
    assertEquals(
        "clone(CLONE_VM|CLONE_VFORK|SIGCHLD, NULL, NULL, NULL, NULL) = 9",
        call(Nr.CLONE, 9, Sched.CLONE_VM | Sched.CLONE_VFORK | Signal.SIGCHLD));
  }

  @Test
  void shouldDecodeTimesAndPolls() {
    memory.putLong(0, 1).putLong(8, 5_000_000);
    assertEquals("nanosleep(1.005000000, NULL) = 0", call(Nr.NANOSLEEP, 0, BASE, 0));
    enter(Nr.POLL, BASE + 64, 1, -1);
    lines.clear();
    memory.putInt(64, 3).putShort(68, (short) Poll.POLLIN);
    enter(Nr.POLL, BASE + 64, 1, -1);
    memory.putShort(70, (short) (Poll.POLLIN | Poll.POLLHUP));
    assertEquals(
        "poll([{fd=3, events=POLLIN}] => [{fd=3, events=POLLIN, revents=POLLIN|POLLHUP}], 1, -1) ="
            + " 1",
        exit(1));
    memory.putInt(128, Epoll.EPOLLIN).putLong(132, 0x55);
    assertEquals(
        "epoll_wait(4, [{events=EPOLLIN, data=0x55}], 16, -1) = 1",
        call(Nr.EPOLL_WAIT, 1, 4, BASE + 128, 16, -1));
    assertEquals("epoll_wait(4, [], 16, 0) = 0", call(Nr.EPOLL_WAIT, 0, 4, BASE + 128, 16, 0));
    memory.putLong(192, 0b1001);
    assertEquals(
        "select(4, [0 3], NULL, NULL, NULL) = 2", call(Nr.SELECT, 2, 4, BASE + 192, 0, 0, 0));
  }

  @Test
  void shouldDecodeAddresses() {
    memory.putShort(0, (short) Socket.AF_INET).put(2, new byte[] {0x1f, (byte) 0x90, 127, 0, 0, 1});
    assertEquals("connect(3, {AF_INET 127.0.0.1:8080}, 16) = 0", call(Nr.CONNECT, 0, 3, BASE, 16));
    memory.putShort(32, (short) Socket.AF_UNIX);
    put(34, "/run/x\0");
    memory.putInt(64, 9);
    assertEquals(
        "accept(3, {AF_UNIX \"/run/x\"}, [9]) = 4", call(Nr.ACCEPT, 4, 3, BASE + 32, BASE + 64));
    memory.putInt(80, 1);
    assertEquals(
        "setsockopt(3, SOL_TCP, TCP_NODELAY, [1], 4) = 0",
        call(Nr.SETSOCKOPT, 0, 3, 6, 1, BASE + 80, 4));
    assertEquals(
        "socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0) = 3",
        call(Nr.SOCKET, 3, 1, Socket.SOCK_STREAM | Socket.SOCK_CLOEXEC, 0));
  }

  @Test
  void shouldDecodeVectorsAndMessages() {
    put(256, "hello, world");
    memory.putLong(0, BASE + 256).putLong(8, 5).putLong(16, BASE + 261).putLong(24, 7);
    assertEquals(
        "writev(1, [{\"hello\", 5}, {\", world\", 7}], 2) = 12", call(Nr.WRITEV, 12, 1, BASE, 2));
    assertEquals(
        "readv(1, [{\"hello\", 5}, {\", \"..., 7}], 2) = 7".replace(", \"...", ", \""),
        call(Nr.READV, 7, 1, BASE, 2));
    memory.putLong(512 + Socket.MSGHDR_MSG_IOV, BASE).putLong(512 + Socket.MSGHDR_MSG_IOVLEN, 1);
    assertEquals(
        "sendmsg(3, {name=NULL, iov=[{\"hello\", 5}], control=NULL, flags=0}, MSG_NOSIGNAL) = 5",
        call(Nr.SENDMSG, 5, 3, BASE + 512, Socket.MSG_NOSIGNAL));
  }

  @Test
  void shouldDecodeStat() {
    memory.putInt(Stat.STAT_ST_MODE, Stat.S_IFCHR | 0666).putLong(Stat.STAT_ST_RDEV, 0x103);
    assertEquals(
        "fstat(1, {mode=S_IFCHR|0666, rdev=1:3, size=0, ino=0, nlink=0, uid=0, gid=0}) = 0",
        call(Nr.FSTAT, 0, 1, BASE));
  }

  @Test
  void shouldDecodeFcntlAndIoctlByTheirCommand() {
    assertEquals("fcntl(3, F_GETFD) = 1", call(Nr.FCNTL, 1, 3, Fcntl.F_GETFD, 99));
    assertEquals(
        "fcntl(3, F_SETFL, O_RDONLY|O_NONBLOCK) = 0",
        call(Nr.FCNTL, 0, 3, Fcntl.F_SETFL, Fcntl.O_NONBLOCK));
    assertEquals("fcntl(3, F_DUPFD, 10) = 10", call(Nr.FCNTL, 10, 3, Fcntl.F_DUPFD, 10));
    enter(Nr.IOCTL, 0, Termios.TIOCGWINSZ, BASE);
    memory.putShort(0, (short) 24).putShort(2, (short) 80);
    assertEquals("ioctl(0, TIOCGWINSZ, {row=24, col=80}) = 0", exit(0));
    assertEquals(
        "ioctl(0, TCGETS, 0x10000) = -1 ENOTTY",
        call(Nr.IOCTL, -Errno.ENOTTY, 0, Termios.TCGETS, BASE));
  }

  @Test
  void shouldDecodeFutexes() {
    assertEquals(
        "futex(0x10000, FUTEX_WAIT|FUTEX_PRIVATE_FLAG, 2, NULL, NULL, 0x0) = -1 EAGAIN",
        call(Nr.FUTEX, -Errno.EAGAIN, BASE, 128, 2, 0, 0, 0));
  }

  @Test
  void shouldShowArgumentsOfExec() {
    long path = put(0, "/bin/ls\0");
    long dash = put(16, "-l\0");
    memory.putLong(64, path).putLong(72, dash).putLong(80, 0);
    assertEquals(
        "execve(\"/bin/ls\", [\"/bin/ls\", \"-l\"], NULL) = 0",
        call(Nr.EXECVE, 0, path, BASE + 64, 0));
  }

  @Test
  void shouldReadAStringThatEndsAtUnmappedMemory() {
    long p = put(3 * 4096 - 3, "/x\0");
    assertEquals("chdir(\"/x\") = 0", call(Nr.CHDIR, 0, p));
    put(3 * 4096 - 3, "/xy");
    assertEquals("chdir(\"/xy\"...) = -1 EFAULT", call(Nr.CHDIR, -Errno.EFAULT, p));
  }

  @Test
  void shouldWriteACallThatNeverReturnsAtItsStart() {
    enter(Nr.EXIT_GROUP, 3);
    assertEquals(List.of("[7] sh: exit_group(3) = ?\n"), lines);
    trace.exit(reader, 7, "sh", 0, 1);
    assertEquals(1, lines.size());
  }

  @Test
  void shouldShowUnknownNumbers() {
    assertEquals(
        "syscall_400(0x1, 0x2, 0x0, 0x0, 0x0, 0x0) = -1 ENOSYS", call(400, -Errno.ENOSYS, 1, 2));
  }

  @Test
  void shouldPrintOnlyTheChosenCalls() {
    Strace some =
        new Strace(l -> lines.add(new String(l, StandardCharsets.UTF_8)), 64, Set.of("write"));
    Strace.Trace t = some.newTrace();
    t.enter(reader, 1, "x", Nr.READ, 0, 0, 0, 0, 0, 0);
    t.exit(reader, 1, "x", 0, 0);
    assertEquals(0, lines.size());
    t.enter(reader, 1, "x\33[2J", Nr.WRITE, 0, 0, 0, 0, 0, 0);
    assertEquals("write", t.currentCall());
    t.exit(reader, 1, "x\33[2J", 0, 0);
    assertNull(t.currentCall());
    assertEquals("[1] x\\x1b[2J: write(0, NULL, 0) = 0 (0 µs)\n", lines.getFirst());
  }

  @Test
  void shouldKnowEverySetThatTheTableNames() {
    for (SyscallTable.Entry e : SyscallTable.get().all()) {
      for (SyscallTable.Arg a : e.args()) {
        if (a instanceof SyscallTable.Arg.Names n) {
          assertTrue(FlagSets.has(n.set()), e.name() + " wants " + n.set());
        }
      }
    }
    for (String set : FlagSets.names()) {
      StringBuilder out = new StringBuilder();
      FlagSets.appendFlags(out, set, 0xffffffffL);
      FlagSets.appendValue(out, set, 3);
      assertFalse(out.isEmpty());
    }
  }

  /** Whatever a guest passes, a line comes out, of bounded size and of printable characters. */
  @Test
  void shouldSurviveAnyArguments() {
    Random random = new Random(1);
    new Random(2).nextBytes(memory.array());
    for (int round = 0; round < 100_000; round++) {
      long[] a = new long[6];
      for (int i = 0; i < 6; i++) {
        a[i] =
            switch (random.nextInt(5)) {
              case 0 -> random.nextInt(64);
              case 1 -> BASE + random.nextInt(3 * 4096);
              case 2 -> random.nextLong();
              case 3 -> -random.nextInt(200);
              default -> random.nextInt();
            };
      }
      if (random.nextInt(50) == 0) {
        random.nextBytes(memory.array());
      }
      int nr = random.nextInt(470);
      enter(nr, a);
      long result = random.nextInt(3) == 0 ? -random.nextInt(600) : random.nextInt(5000);
      trace.exit(reader, 7, "sh", result, 0);
      String line = lines.getLast();
      assertTrue(line.length() < 100_000, () -> line.length() + ": " + line);
      assertTrue(line.replace("µ", "").chars().allMatch(c -> c == '\n' || c >= 32 && c < 127));
      assertEquals(line.length() - 1, line.indexOf('\n'));
      lines.clear();
    }
  }
}
