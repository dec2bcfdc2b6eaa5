package redoubt.sentry.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.HostFiles;
import redoubt.host.UnixStream;

class ControlTest {
  /** Remembers what it is asked. */
  private static final class Recorder implements SandboxOperations {
    final List<String> calls = new ArrayList<>();
    final List<ExitListener> listeners = new ArrayList<>();
    SandboxConfig config;
    String firstDescriptor = "";

    @Override
    public synchronized void boot(SandboxConfig c, List<Fd> fds) {
      calls.add("boot " + c.id() + " " + fds.size());
      config = c;
      if (!fds.isEmpty()) {
        firstDescriptor = new String(HostFiles.readAll(fds.get(0), 10));
      }
      fds.forEach(Fd::close);
      if (c.id().equals("bad")) {
        throw new ControlException(Errno.ENOENT, "no such program");
      }
    }

    final OomKills kills = new OomKills();

    @Override
    public OomKills oomKills(String id) {
      return kills;
    }

    @Override
    public void delete(String id) {
      calls.add("delete " + id);
    }

    @Override
    public void network(NetworkConfig c, List<Fd> fds) {
      calls.add("network " + c + " " + fds.size());
      fds.forEach(Fd::close);
    }

    @Override
    public void create(ContainerConfig c, List<Fd> fds) {
      calls.add("create " + c.id());
    }

    @Override
    public void start(String id) {
      calls.add("start " + id);
    }

    @Override
    public int exec(String id, ProcessConfig process, List<Fd> fds) {
      calls.add("exec " + id + " " + process.args());
      fds.forEach(Fd::close);
      return 7;
    }

    @Override
    public synchronized void signal(String id, int pid, int signal) {
      calls.add("signal " + id + " " + pid + " " + signal);
      notifyAll();
    }

    synchronized void awaitCall(String call) throws InterruptedException {
      long deadline = System.nanoTime() + 5_000_000_000L;
      while (!calls.contains(call) && System.nanoTime() < deadline) {
        wait(100);
      }
      assertTrue(calls.contains(call), call + " in " + calls);
    }

    @Override
    public void onExit(String id, int pid, ExitListener listener) {
      listeners.add(listener);
    }

    @Override
    public List<ProcessInfo> ps(String id) {
      return List.of(new ProcessInfo(1, 0, -1, "S", 2, 3, 4, 5, "pts/0", "init \u001b[31m"));
    }

    @Override
    public void pause(String id) {
      throw new IllegalStateException("a bug");
    }

    @Override
    public void resume(String id) {}

    @Override
    public void resize(String id, int pid, int rows, int columns) {
      calls.add("resize " + pid + " " + rows + "x" + columns);
    }

    @Override
    public SandboxStats stats(String id) {
      return new SandboxStats(1, 2, 3, 4, 5, 6);
    }

    @Override
    public String state(String id) {
      return "running";
    }

    @Override
    public String stacks() {
      return "stacks";
    }

    @Override
    public void destroy() {
      calls.add("destroy");
    }
  }

  private final Recorder recorder = new Recorder();
  private final CountDownLatch ownerGone = new CountDownLatch(1);
  private final List<String> log = new ArrayList<>();
  private int openBefore;
  private Fd listener;
  private ControlClient owner;
  private Fd ownerSocket;
  private Thread server;

  @BeforeEach
  void serve() throws Exception {
    openBefore = Fd.openCount();
    String directory = java.nio.file.Files.createTempDirectory("control").toString();
    listener = UnixStream.listen(directory, ControlClient.SOCKET_NAME);
    this.directory = directory;
    Fd[] pair = UnixStream.pair();
    ownerSocket = pair[0];
    owner = new ControlClient(pair[0]);
    var control = new ControlServer(recorder, ownerGone::countDown, log::add);
    server = new Thread(() -> control.serve(pair[1], listener));
    server.setDaemon(true);
    server.start();
  }

  private String directory;

  @AfterEach
  void close() throws Exception {
    owner.close();
    server.join(5000);
    assertFalse(server.isAlive());
    // The acceptor thread keeps the listener: it ends with the process.
    listener.release();
    for (int i = 0; i < 100 && Fd.openCount() > openBefore; i++) {
      Thread.sleep(10);
    }
    assertEquals(openBefore, Fd.openCount(), "descriptors left");
    HostFiles.unlink(directory + "/" + ControlClient.SOCKET_NAME);
    HostFiles.rmdir(directory);
  }

  private static SandboxConfig config(String id) {
    var process =
        new ProcessConfig(
            List.of("sh", "-c", "\u00e9"),
            List.of("A=b"),
            "/tmp",
            -2,
            5,
            List.of(6, 7),
            18,
            -1L,
            2,
            3,
            4,
            5,
            List.of(new ProcessConfig.Rlimit(7, 1024, -1)),
            true,
            true,
            24,
            80,
            -500);
    var mount = new MountConfig("/x", "gofer", "src", "mount0", 5, List.of("mode=1"), true);
    var container =
        new ContainerConfig(
            id,
            "host",
            "domain",
            mount,
            List.of(mount, mount),
            process,
            List.of("/m"),
            List.of("/r"),
            List.of("a=b"),
            List.of("pids.max=7"),
            List.of("ipc"),
            17);
    return new SandboxConfig(
        id, "systrap", false, true, true, "none", 3, 1L << 40, true, container);
  }

  private void boot() {
    owner.await(owner.boot(config("box"), List.of()));
  }

  @Test
  void shouldCarryAConfigurationUnchanged() {
    try (Fd file = HostFiles.memoryFile("x", "hello".getBytes())) {
      owner.await(owner.boot(config("box"), List.of(file)));
    }
    assertEquals(config("box"), recorder.config);
    assertEquals("hello", recorder.firstDescriptor);
  }

  @Test
  void shouldCarryANetworkUnchanged() {
    boot();
    NetworkConfig.Ip four = NetworkConfig.Ip.of(new byte[] {10, 0, (byte) 200, 1});
    NetworkConfig.Ip six =
        NetworkConfig.Ip.of(new byte[] {32, 1, 13, (byte) 184, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
    assertTrue(four.isV4());
    assertEquals(0x0a00c801, four.v4());
    assertEquals(new NetworkConfig.Ip(0x20010db8_00000000L, 1), six);
    var network =
        new NetworkConfig(
            List.of(
                new NetworkConfig.Interface(
                    "eth0",
                    7,
                    0x02_00_00_00_00_01L,
                    1400,
                    List.of(
                        new NetworkConfig.Address(four, 24), new NetworkConfig.Address(six, 64)))),
            List.of(new NetworkConfig.Route(four, 8, NetworkConfig.Ip.NONE, six, 7, 100)),
            List.of(new NetworkConfig.Neighbor(four, 5, 7, true)),
            true,
            List.of(six));
    try (Fd file = HostFiles.memoryFile("x", new byte[0])) {
      owner.network(network, List.of(file));
    }
    assertTrue(recorder.calls.contains("network " + network + " 1"), recorder.calls.toString());
  }

  @Test
  void shouldTellWhyItRefuses() {
    var e =
        assertThrows(
            ControlException.class, () -> owner.await(owner.boot(config("bad"), List.of())));
    assertEquals(Errno.ENOENT, e.errno());
    assertEquals("no such program", e.getMessage());
  }

  @Test
  void shouldSurviveAnInternalError() {
    boot();
    var e = assertThrows(ControlException.class, () -> owner.pause("box"));
    assertTrue(e.getMessage().contains("a bug"));
    assertEquals("running", owner.state("box"));
  }

  @Test
  void shouldAnswerWaitWhenTheProcessEnds() throws Exception {
    boot();
    int tag = owner.sendWait("box", 0);
    owner.start("box");
    recorder.listeners.get(0).exited(137);
    assertEquals(137, ControlClient.exitCode(owner.await(tag)));
  }

  @Test
  void shouldServeFurtherConnections() {
    boot();
    try (ControlClient client = ControlClient.connect(directory)) {
      assertEquals(1, client.ps("box").size());
      assertEquals("init \u001b[31m", client.ps("box").get(0).command());
      assertEquals(6, client.stats("box").syscalls());
      assertEquals("stacks", client.stacks());
      client.resize("box", 7, 24, 80);
    }
    assertTrue(recorder.calls.contains("resize 7 24x80"));
  }

  @Test
  void shouldKillAProcessWhoseConnectionEnds() throws Exception {
    boot();
    try (ControlClient client = ControlClient.connect(directory)) {
      assertEquals(7, client.exec("box", config("x").container().process(), true, List.of()));
    }
    recorder.awaitCall("signal box 7 9");
  }

  @Test
  void shouldNotKillAProcessThatEnded() throws Exception {
    boot();
    try (ControlClient client = ControlClient.connect(directory)) {
      client.exec("box", config("x").container().process(), true, List.of());
      recorder.listeners.get(0).exited(0);
      client.signal("box", 0, 1);
    }
    Thread.sleep(100);
    assertFalse(recorder.calls.contains("signal box 7 9"));
  }

  @Test
  void shouldEndWithItsOwner() throws Exception {
    boot();
    owner.close();
    assertTrue(ownerGone.await(5, TimeUnit.SECONDS));
  }

  @Test
  void shouldOutliveAnOwnerThatDetached() throws Exception {
    boot();
    owner.detach();
    owner.close();
    assertFalse(ownerGone.await(300, TimeUnit.MILLISECONDS));
  }

  @Test
  void shouldEndAnOwnerThatSpeaksNonsense() throws Exception {
    boot();
    UnixStream.send(ownerSocket, "GET / HTTP/1.0\r\n\r\n".getBytes(), new int[0], true);
    assertTrue(ownerGone.await(5, TimeUnit.SECONDS));
  }

  @Test
  void shouldSurviveRandomPayloads() {
    boot();
    var random = new Random(11);
    for (int i = 0; i < 3000; i++) {
      byte[] payload = new byte[random.nextInt(64)];
      random.nextBytes(payload);
      int type = random.nextInt(20);
      if (type == Frame.DESTROY || type == Frame.WAIT || type == Frame.BOOT) {
        continue;
      }
      try {
        int tag = owner.send(type, new WireWriter().bytes(random.nextInt(5), payload), List.of());
        owner.await(tag);
      } catch (ControlException e) {
        assertTrue(e.errno() > 0 && e.errno() != Errno.EPIPE, e.toString());
      }
    }
    assertEquals("running", owner.state("box"));
  }
}
