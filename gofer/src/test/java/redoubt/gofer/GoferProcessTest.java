package redoubt.gofer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static redoubt.gofer.TestGofer.bytes;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import redoubt.abi.Errno;
import redoubt.abi.Fcntl;
import redoubt.abi.Nr;
import redoubt.abi.Stat;
import redoubt.host.Fd;
import redoubt.host.FileSystemCalls;
import redoubt.host.Memory;
import redoubt.host.RawSyscall;
import redoubt.host.SeqpacketSocket;
import redoubt.p9.P9;
import redoubt.p9.P9Attr;
import redoubt.p9.P9Client;
import redoubt.p9.P9Walk;

/** The gofer as a process of its own, confined. */
class GoferProcessTest implements P9Client.Listener {
  private Path dir;
  private File log;
  private final List<String> lines = new ArrayList<>();
  private final AtomicInteger disconnects = new AtomicInteger();

  @BeforeEach
  void make() throws Exception {
    dir = Files.createTempDirectory("gofer-process");
    log = File.createTempFile("gofer-process", ".log");
  }

  @AfterEach
  void remove() throws Exception {
    log.delete();
    try (Stream<Path> all = Files.walk(dir)) {
      all.sorted(java.util.Comparator.reverseOrder()).forEach(p -> p.toFile().delete());
    }
  }

  @Override
  public synchronized void log(String line) {
    lines.add(line);
  }

  @Override
  public void disconnected() {
    disconnects.incrementAndGet();
  }

  @Test
  void shouldServeEveryMessageUnderItsFilter() throws Exception {
    Files.createDirectories(dir.resolve("a/b"));
    Files.writeString(dir.resolve("a/b/f"), "x");
    try (GoferProcess gofer = new GoferProcess(dir, log)) {
      P9Client c = new P9Client(gofer.socket, P9.MSIZE_DEFAULT, this);
      P9Attr attr = new P9Attr();
      P9Walk walk = new P9Walk();
      int rw = (int) c.attach(bytes("rw"), attr);
      assertEquals(3, c.walk(rw, bytes("a/b/f"), 0, 5, Fcntl.O_RDWR, walk));
      assertTrue(walk.hostFd >= 0, Errno.name(walk.openError));
      FileSystemCalls.close(walk.takeHostFd());
      int f = walk.fids[2];
      int b = walk.fids[1];
      int all = 7 | P9.SETATTR_SIZE | P9.SETATTR_ATIME | P9.SETATTR_MTIME;
      assertEquals(0, c.setattr(f, all, 0600, 1, 2, 3, 0, 0, 0, 0, attr));
      assertEquals(3, attr.size);
      assertEquals(0, c.setxattr(f, bytes("user.x"), bytes("y"), 1, 0));
      assertEquals(1, c.getxattr(f, bytes("user.x"), new byte[9]));
      assertEquals(7, c.listxattr(f, new byte[9]));
      assertEquals(0, c.removexattr(f, bytes("user.x")));
      assertEquals(1, c.create(rw, bytes("n"), Fcntl.O_RDWR, 04711, 5, 6, walk));
      assertEquals(04711, walk.attrs[0].mode & 07777);
      FileSystemCalls.close(walk.takeHostFd());
      long t = c.create(rw, new byte[0], Fcntl.O_RDWR | Fcntl.O_TMPFILE, 0600, 0, 0, walk);
      assertEquals(1, t, () -> Errno.name((int) -t));
      FileSystemCalls.close(walk.takeHostFd());
      assertEquals(0, c.link(b, walk.fids[0], bytes("named")));
      assertTrue(c.mkdir(b, bytes("d"), 0755, 7, 8, attr) >= 0);
      assertTrue(c.symlink(b, bytes("s"), bytes("t"), 7, 8, attr) >= 0);
      assertTrue(c.mknod(b, bytes("p"), Stat.S_IFIFO | 0600, 0, 0, 7, 8, attr) >= 0);
      assertEquals(8, attr.gid);
      assertEquals(0, c.link(rw, f, bytes("l")));
      assertEquals(0, c.rename(rw, bytes("l"), b, bytes("l2"), 1));
      assertEquals(0, c.unlink(b, bytes("l2"), 0));
      assertEquals(0, c.unlink(b, bytes("d"), Fcntl.AT_REMOVEDIR));
      assertEquals(0, c.fsync(f, false));
      assertEquals(0, c.fsync(b, true));
      try (var entries = c.newDir()) {
        assertEquals(6, c.readdir(b, 0, true, entries));
      }
      assertEquals(0, c.statfs(rw, new redoubt.p9.P9StatFs()));
      assertConfined(gofer.process.pid());
      c.close();
      assertTrue(gofer.process.waitFor(10, TimeUnit.SECONDS));
      assertEquals(0, gofer.process.exitValue());
    }
    assertEquals("", Files.readString(log.toPath()));
  }

  private static void assertConfined(long pid) throws Exception {
    try (Stream<Path> tasks = Files.list(Path.of("/proc/" + pid + "/task"))) {
      for (Path task : tasks.toList()) {
        String status = Files.readString(task.resolve("status"));
        assertTrue(status.contains("Seccomp:\t2\n"), status);
        assertTrue(status.contains("NoNewPrivs:\t1\n"), status);
      }
    }
  }

  @Test
  void shouldEndEveryCallWithEioWhenKilled() throws Exception {
    try (GoferProcess gofer = new GoferProcess(dir, log)) {
      P9Client c = new P9Client(gofer.socket, P9.MSIZE_DEFAULT, this);
      P9Attr attr = new P9Attr();
      int rw = (int) c.attach(bytes("rw"), attr);
      List<Thread> threads = new ArrayList<>();
      var ended = new AtomicInteger();
      for (int i = 0; i < 6; i++) {
        Thread t =
            new Thread(() -> {
              P9Attr a = new P9Attr();
              long r;
              do {
                r = c.getattr(rw, a);
              } while (r == 0);
              if (r == -Errno.EIO) {
                ended.incrementAndGet();
              }
            });
        threads.add(t);
        t.start();
      }
      Thread.sleep(50);
      gofer.process.destroyForcibly();
      for (Thread t : threads) {
        t.join(10_000);
        assertFalse(t.isAlive());
      }
      assertEquals(6, ended.get());
      assertEquals(1, disconnects.get());
      assertEquals(1, lines.size(), lines::toString);
      c.close();
    }
  }

  @Test
  void shouldNoticeDeathWithoutACall() throws Exception {
    try (GoferProcess gofer = new GoferProcess(dir, log)) {
      P9Client c = new P9Client(gofer.socket, P9.MSIZE_DEFAULT, this);
      c.startWatcher();
      gofer.process.destroyForcibly();
      for (int i = 0; i < 500 && disconnects.get() == 0; i++) {
        Thread.sleep(10);
      }
      assertEquals(1, disconnects.get());
      assertEquals(List.of("gofer: the gofer has ended"), lines);
      c.close();
    }
  }

  @Test
  void shouldSayWhatIsWrongWithAMessageAndEnd() throws Exception {
    try (GoferProcess gofer = new GoferProcess(dir, log);
        RawSentry raw = new RawSentry(gofer.socket.number())) {
      raw.hello();
      raw.out.begin(P9.TSTATFS, 1);
      SeqpacketSocket.send(gofer.socket.number(), raw.out.haddr(0), 5);
      assertEquals(-1, raw.answer());
      assertTrue(gofer.process.waitFor(10, TimeUnit.SECONDS));
    }
    assertEquals(
        "gofer: malformed message from the sentry of 5 bytes; ending\n",
        Files.readString(log.toPath()));
  }

  @Test
  void shouldRefuseBadArgumentsInOneLine() throws Exception {
    String[][] cases = {
      {"--attach=x:3", "give --attach=NAME:FD:ro or NAME:FD:rw"},
      {"--attach=x:y:ro", "not a number"},
      {"--socket=3", "must name a SOCK_SEQPACKET Unix socket"},
      {"--attach=x:99:ro", "EBADF"},
      {"--wat", "unknown argument --wat"}
    };
    for (String[] c : cases) {
      try (GoferProcess gofer = new GoferProcess(dir, log, c[0])) {
        assertTrue(gofer.process.waitFor(10, TimeUnit.SECONDS), c[0]);
        assertEquals(1, gofer.process.exitValue(), c[0]);
      }
      List<String> said = Files.readAllLines(log.toPath());
      assertEquals(1, said.size(), said.toString());
      assertTrue(said.get(0).startsWith("gofer: ") && said.get(0).contains(c[1]), said.get(0));
      Files.writeString(log.toPath(), "");
    }
  }

  @Test
  void shouldServeAClientUnderASentrysFilter() throws Exception {
    Fd[] spare = SeqpacketSocket.pair();
    spare[1].close();
    try (GoferProcess child =
            new GoferProcess(dir, log, List.of(), FilteredClient.class.getName());
        TestGofer gofer = new TestGofer(new Fd[] {spare[0], child.socket}, 4096, 2, true, false)) {
      assertTrue(child.process.waitFor(20, TimeUnit.SECONDS));
      assertEquals("created\n", Files.readString(log.toPath()));
      assertEquals(401, gofer.directory.toFile().list().length);
    }
  }

  private static void setFileLimit(long soft) {
    try (var arena = java.lang.foreign.Arena.ofConfined()) {
      var limit = arena.allocate(16, 8);
      RawSyscall.syscall(Nr.PRLIMIT64, 0, 7, 0, limit.address());
      limit.set(Memory.LONG, 0, soft < 0 ? limit.get(Memory.LONG, 8) : soft);
      RawSyscall.syscall(Nr.PRLIMIT64, 0, 7, limit.address(), 0);
    }
  }

  @Test
  void shouldSayEmfileWhenTheClientHasNoRoomForADescriptor() throws Exception {
    Files.writeString(dir.resolve("f"), "x");
    try (GoferProcess gofer = new GoferProcess(dir, log)) {
      P9Client c = new P9Client(gofer.socket, P9.MSIZE_DEFAULT, this);
      P9Attr attr = new P9Attr();
      P9Walk walk = new P9Walk();
      int rw = (int) c.attach(bytes("rw"), attr);
      byte[] f = bytes("f");
      assertEquals(1, c.walk(rw, f, 0, 1, Fcntl.O_RDONLY, walk));
      int fid = walk.fids[0];
      FileSystemCalls.close(walk.takeHostFd());
      setFileLimit(3);
      long open;
      long walked;
      int error;
      int fd;
      long created;
      int createError;
      try {
        open = c.openFd(fid, Fcntl.O_RDONLY);
        walked = c.walk(rw, f, 0, 1, Fcntl.O_RDONLY, walk);
        fd = walk.takeHostFd();
        error = walk.openError;
        created = c.create(rw, bytes("n"), Fcntl.O_RDWR, 0644, 0, 0, walk);
        createError = walk.openError;
      } finally {
        setFileLimit(-1);
      }
      assertEquals(-Errno.EMFILE, open);
      assertEquals(1, walked);
      assertEquals(-1, fd);
      assertEquals(Errno.EMFILE, error);
      assertEquals(1, created);
      assertEquals(Errno.EMFILE, createError);
      assertEquals(0, disconnects.get(), lines::toString);
      fd = (int) c.openFd(walk.fids[0], Fcntl.O_RDWR);
      assertTrue(fd >= 0);
      FileSystemCalls.close(fd);
      c.close();
    }
  }
}
