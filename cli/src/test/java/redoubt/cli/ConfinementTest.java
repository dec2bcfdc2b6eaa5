package redoubt.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIf;
import redoubt.cli.Product.Sandbox;

/** A running sandbox seen from outside: what its processes may do on the host (DESIGN §5). */
@Timeout(60)
@EnabledIf(
    value = "redoubt.cli.Product#canRun",
    disabledReason = "no ./redoubt has been built (tools/dist), or the user is not root")
class ConfinementTest {
  private static final List<String> NAMESPACES = List.of("mnt", "pid", "ipc", "uts", "net");

  /** CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID and MKNOD. */
  private static final long GOFER_CAPABILITIES = 0x800001fL;

  private Product product;
  private Sandbox sandbox;

  @BeforeEach
  void setUp() throws Exception {
    product = new Product();
    String id = product.id("c");
    String bundle = product.bundle("/bin/sh", "-c", "sleep 100 & exec sleep 100");
    assertEquals(0, product.redoubt("run", "--detach", "--bundle", bundle, id).code());
    sandbox = product.running(id);
  }

  @AfterEach
  void tearDown() throws Exception {
    product.redoubt("delete", "--force", product.id("c"));
    product.assertNothingLeft();
    product.close();
  }

  private static Path proc(ProcessHandle p, String name) {
    return Path.of("/proc/" + p.pid() + "/" + name);
  }

  private static Stream<Path> list(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.toList().stream();
    }
  }

  /** {@return where each open descriptor of a process leads} */
  private static Map<Integer, String> descriptors(ProcessHandle p) throws IOException {
    var targets = new TreeMap<Integer, String>();
    for (Path fd : list(proc(p, "fd")).toList()) {
      try {
        String target = Files.readSymbolicLink(fd).toString();
        targets.put(Integer.parseInt(fd.getFileName().toString()), target);
      } catch (FileSystemException e) {
        // It was closed meanwhile.
      }
    }
    return targets;
  }

  private List<ProcessHandle> withoutCapabilities() {
    var all = new ArrayList<>(sandbox.stubs());
    all.add(sandbox.keeper());
    all.add(sandbox.sentry());
    return all;
  }

  @Test
  void shouldConfineEveryThreadOfEveryProcess() throws IOException {
    int threads = 0;
    for (ProcessHandle p : sandbox.all()) {
      boolean gofer = p.pid() == sandbox.gofer().pid();
      for (Path task : list(proc(p, "task")).toList()) {
        String status = Files.readString(task.resolve("status"));
        assertTrue(status.contains("\nNoNewPrivs:\t1\n"), status);
        assertTrue(status.contains("\nSeccomp:\t2\n"), status);
        assertTrue(status.contains("\nSeccomp_filters:\t1\n"), status);
        String caps = "%016x".formatted(gofer ? GOFER_CAPABILITIES : 0);
        for (String set : List.of("CapPrm", "CapEff", "CapBnd")) {
          assertTrue(status.contains("\n" + set + ":\t" + caps + "\n"), status);
        }
        for (String set : List.of("CapInh", "CapAmb")) {
          assertTrue(status.contains("\n" + set + ":\t0000000000000000\n"), status);
        }
        threads++;
      }
    }
    assertTrue(threads > 20, threads + " threads only");
  }

  @Test
  void shouldRunAsNobodyWithoutGroups() throws IOException {
    for (ProcessHandle p : withoutCapabilities()) {
      assertEquals("65534\t65534\t65534\t65534", Product.status(p.pid(), "Uid"));
      assertEquals("65534\t65534\t65534\t65534", Product.status(p.pid(), "Gid"));
      assertEquals("", Product.status(p.pid(), "Groups"));
    }
  }

  @Test
  void shouldHaveNamespacesOfItsOwn() throws IOException {
    ProcessHandle self = ProcessHandle.current();
    for (String name : NAMESPACES) {
      Path host = Files.readSymbolicLink(proc(self, "ns/" + name));
      Path sentry = Files.readSymbolicLink(proc(sandbox.sentry(), "ns/" + name));
      Path gofer = Files.readSymbolicLink(proc(sandbox.gofer(), "ns/" + name));
      assertNotEquals(host, sentry, name);
      assertNotEquals(host, gofer, name);
      assertNotEquals(sentry, gofer, name);
    }
    Path user = Files.readSymbolicLink(proc(self, "ns/user"));
    assertNotEquals(user, Files.readSymbolicLink(proc(sandbox.sentry(), "ns/user")));
    for (ProcessHandle p : withoutCapabilities()) {
      for (String name : NAMESPACES) {
        assertEquals(
            Files.readSymbolicLink(proc(sandbox.sentry(), "ns/" + name)),
            Files.readSymbolicLink(proc(p, "ns/" + name)));
      }
    }
  }

  @Test
  void shouldSeeAnEmptyReadOnlyRootAndNothingElse() throws IOException {
    for (ProcessHandle p : sandbox.all()) {
      List<String> mounts = Files.readAllLines(proc(p, "mountinfo"));
      assertEquals(1, mounts.size(), mounts.toString());
      assertTrue(mounts.get(0).contains(" / / ro,nosuid,nodev"), mounts.get(0));
      assertEquals(List.of(), list(proc(p, "root/")).toList());
      assertEquals("/", Files.readSymbolicLink(proc(p, "cwd")).toString());
    }
  }

  /** The owner of /proc/PID/mem is root, not nobody, once a process is not dumpable. */
  @Test
  void shouldNotBeDumpable() throws IOException {
    for (ProcessHandle p : withoutCapabilities()) {
      assertEquals(0, Files.getAttribute(proc(p, "mem"), "unix:uid"), Product.comm(p.pid()));
    }
  }

  @Test
  void shouldLimitDescriptorsThreadsAndCoreDumps() throws IOException {
    for (ProcessHandle p : withoutCapabilities()) {
      long processes = limit(p, "Max processes");
      assertTrue(processes <= 20_000, processes + " processes");
      long files = limit(p, "Max open files");
      assertTrue(files <= 1 << 20, files + " descriptors");
      assertEquals(0, limit(p, "Max core file size"));
    }
  }

  private static long limit(ProcessHandle p, String name) throws IOException {
    for (String line : Files.readAllLines(proc(p, "limits"))) {
      if (line.startsWith(name)) {
        String hard = line.substring(name.length()).strip().split(" +")[1];
        return hard.equals("unlimited") ? Long.MAX_VALUE : Long.parseLong(hard);
      }
    }
    throw new AssertionError(name);
  }

  @Test
  void shouldBeInItsControlGroups() throws IOException {
    for (ProcessHandle p : sandbox.all()) {
      String groups = Files.readString(proc(p, "cgroup"));
      assertTrue(groups.contains("/redoubt/" + product.id("c")), groups);
    }
  }

  /** No directory, no device but null, no listening to the network: what it has was handed over. */
  @Test
  void shouldHoldOnlyDescriptorsThatWereHandedOver() throws IOException {
    Map<Integer, String> sentry = descriptors(sandbox.sentry());
    sentry.forEach((fd, target) -> assertHandedOver(sandbox.sentry(), fd, target));
    Map<Integer, String> keeper = descriptors(sandbox.keeper());
    assertOwnProc(sandbox.keeper());
    keeper.remove(PROC_FD);
    keeper.forEach((fd, target) -> assertHandedOver(sandbox.keeper(), fd, target));
    // The network namespaces have no interface but loopback, and nobody listens there.
    for (ProcessHandle p : List.of(sandbox.sentry(), sandbox.gofer())) {
      assertEquals(1, Files.readAllLines(proc(p, "net/tcp")).size());
      assertEquals(3, Files.readAllLines(proc(p, "net/dev")).size());
    }
  }

  /** Where the keeper looks up what stubs use: FD_PROC of layout.h. */
  private static final int PROC_FD = 1006;

  /** The /proc of the sandbox's own processes and nobody else's, only to open files below. */
  private static void assertOwnProc(ProcessHandle keeper) throws IOException {
    String info = Files.readString(proc(keeper, "fdinfo/" + PROC_FD));
    int flags = Integer.parseInt(info.replaceAll("(?s).*flags:\\s*(\\d+).*", "$1"), 8);
    assertEquals(010000000, flags & 010000003, "O_PATH");
    Path root = proc(keeper, "fd/" + PROC_FD);
    assertTrue(Files.readString(root.resolve("1/stat")).startsWith("1 (java)"));
    assertFalse(Files.exists(root.resolve(Long.toString(ProcessHandle.current().pid()))));
  }

  private static void assertHandedOver(ProcessHandle p, int fd, String target) {
    boolean anonymous =
        target.startsWith("socket:[")
            || target.startsWith("pipe:[")
            || target.startsWith("anon_inode:")
            || target.startsWith("/memfd:redoubt-")
            || target.equals("/dev/null");
    if (anonymous) {
      return;
    }
    try {
      Path link = proc(p, "fd/" + fd);
      assertTrue(Files.isRegularFile(link), fd + " is " + target);
      String info = Files.readString(proc(p, "fdinfo/" + fd));
      int flags = Integer.parseInt(info.replaceAll("(?s).*flags:\\s*(\\d+).*", "$1"), 8);
      boolean log = target.endsWith("/log");
      assertTrue(log || (flags & 3) == 0, "writable: " + fd + " is " + target);
    } catch (IOException e) {
      throw new AssertionError(target, e);
    }
  }

  /** All stubs and the keeper share one table of descriptors: none is a guest's to use. */
  @Test
  void shouldGiveStubsTheKeepersDescriptorsOnly() throws IOException {
    Map<Integer, String> keeper = descriptors(sandbox.keeper());
    for (ProcessHandle stub : sandbox.stubs()) {
      assertEquals(keeper, descriptors(stub));
    }
  }

  @Test
  void shouldMapNoFileOfTheHostWritable() throws IOException {
    for (ProcessHandle p : sandbox.all()) {
      for (String line : Files.readAllLines(proc(p, "maps"))) {
        String[] fields = line.split(" +");
        boolean sharedWritable = fields[1].charAt(1) == 'w' && fields[1].charAt(3) == 's';
        if (sharedWritable && fields.length > 5) {
          assertTrue(fields[5].startsWith("/memfd:redoubt-"), line);
        }
      }
    }
  }
}
