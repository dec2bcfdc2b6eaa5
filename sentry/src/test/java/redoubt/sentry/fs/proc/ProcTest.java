package redoubt.sentry.fs.proc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOENT;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import redoubt.abi.Nr;
import redoubt.sentry.testing.FakeGuest;
import redoubt.sentry.testing.KernelMounts;

/** The formats of /proc, compared with the host's own files. */
class ProcTest {
  private final FakeGuest g = KernelMounts.create();

  private String read(String path) {
    return KernelMounts.read(g, path);
  }

  private static String host(String path) throws IOException {
    return Files.readString(Path.of(path), java.nio.charset.StandardCharsets.ISO_8859_1);
  }

  /** {@return what stands before the colon of each line} */
  private static List<String> keys(String text) {
    List<String> out = new ArrayList<>();
    for (String line : text.split("\n")) {
      int colon = line.indexOf(':');
      if (colon > 0) {
        out.add(line.substring(0, colon).strip());
      }
    }
    return out;
  }

  @Test
  void shouldHaveTheFieldsOfTheHostsStat() throws IOException {
    assertEquals(
        host("/proc/self/stat").split(" ").length, read("/proc/self/stat").split(" ").length);
    assertTrue(read("/proc/self/stat").startsWith(g.task().tgid() + " ("));
    assertEquals(
        host("/proc/self/statm").split(" ").length, read("/proc/self/statm").split(" ").length);
  }

  @Test
  void shouldHaveTheKeysOfTheHostsStatus() throws IOException {
    var missing = new TreeSet<>(keys(host("/proc/self/status")));
    missing.removeAll(keys(read("/proc/self/status")));
    missing.removeIf(k -> k.startsWith("x86_Thread")); // only some CPUs
    assertEquals("[]", missing.toString());
  }

  @Test
  void shouldHaveTheKeysOfTheHostsMeminfo() throws IOException {
    var missing = new TreeSet<>(keys(host("/proc/meminfo")));
    missing.removeAll(keys(read("/proc/meminfo")));
    missing.removeAll(
        List.of(
            "Zswap", "Zswapped", "SecPageTables", "Balloon", "Unaccepted", "CmaTotal", "CmaFree"));
    assertEquals("[]", missing.toString());
    for (String line : read("/proc/meminfo").split("\n")) {
      assertTrue(line.matches("[A-Za-z_0-9()]+: +\\d+( kB)?"), line);
    }
  }

  @Test
  void shouldWriteLimitsAsTheHost() throws IOException {
    String[] ours = read("/proc/self/limits").split("\n");
    String[] hosts = host("/proc/self/limits").split("\n");
    assertEquals(hosts.length, ours.length);
    for (int i = 0; i < ours.length; i++) {
      assertEquals(hosts[i].substring(0, 25), ours[i].substring(0, 25));
      assertEquals(hosts[i].length(), ours[i].length(), ours[i]);
    }
  }

  @Test
  void shouldWriteSystemFilesAsTheHost() throws IOException {
    assertEquals(host("/proc/loadavg").split(" ").length, read("/proc/loadavg").split(" ").length);
    assertTrue(read("/proc/uptime").matches("\\d+\\.\\d\\d \\d+\\.\\d\\d\n"));
    assertEquals(
        host("/proc/stat").split("\n")[0].split(" +").length,
        read("/proc/stat").split("\n")[0].split(" +").length);
    for (String f :
        List.of("tcp", "udp", "unix", "route", "dev", "arp", "netlink", "packet", "ptype")) {
      assertEquals(host("/proc/net/" + f).split("\n")[0], read("/proc/net/" + f).split("\n")[0]);
    }
    for (String f : List.of("msg", "sem", "shm")) {
      assertEquals(
          host("/proc/sysvipc/" + f).split("\n")[0], read("/proc/sysvipc/" + f).split("\n")[0]);
    }
    assertEquals(host("/proc/swaps").split("\n")[0], read("/proc/swaps").split("\n")[0]);
  }

  @Test
  void shouldNameItself() {
    assertEquals(Integer.toString(g.task().tgid()), KernelMounts.link(g, "/proc/self"));
    assertEquals(
        g.task().tgid() + "/task/" + g.task().tid(), KernelMounts.link(g, "/proc/thread-self"));
    FakeGuest child = g.fork();
    assertEquals(Integer.toString(child.task().tgid()), KernelMounts.link(child, "/proc/self"));
    assertEquals(
        "Pid:\t" + child.task().tgid(),
        KernelMounts.read(g, "/proc/" + child.task().tgid() + "/status").split("\n")[5]);
  }

  @Test
  void shouldListProcesses() {
    long dir = g.ok(Nr.OPEN, g.text("/proc"), 0200000, 0);
    long buffer = g.space(16384);
    List<String> names = new ArrayList<>();
    for (long n; (n = g.ok(Nr.GETDENTS64, dir, buffer, 1024)) > 0; ) {
      for (long at = buffer; at < buffer + n; at += g.getShort(at + 16) & 0xffff) {
        names.add(g.string(at + 19));
      }
    }
    assertTrue(
        names.containsAll(List.of(".", "..", "self", "cpuinfo", "sys", "1", "2")),
        names.toString());
    assertEquals(names.size(), new TreeSet<>(names).size());
    g.fails(ENOENT, Nr.OPEN, g.text("/proc/99"), 0, 0);
  }

  @Test
  void shouldFollowDescriptorsAndDirectories() {
    long fd = g.ok(Nr.OPEN, g.text("/file"), 0102, 0644);
    g.ok(Nr.WRITE, fd, g.text("data"), 4);
    assertEquals("/file", KernelMounts.link(g, "/proc/self/fd/" + fd));
    assertEquals("data", read("/proc/self/fd/" + fd));
    assertTrue(
        read("/proc/self/fdinfo/" + fd).startsWith("pos:\t4\nflags:\t0"),
        read("/proc/self/fdinfo/" + fd));
    g.ok(Nr.UNLINK, g.text("/file"));
    assertEquals("/file (deleted)", KernelMounts.link(g, "/proc/self/fd/" + fd));
    assertEquals("data", read("/proc/self/fd/" + fd));
    g.ok(Nr.CLOSE, fd);
    g.fails(ENOENT, Nr.OPEN, g.text("/proc/self/fd/" + fd), 0, 0);
    assertEquals("/", KernelMounts.link(g, "/proc/self/cwd"));
    g.ok(Nr.CHDIR, g.text("/dev"));
    assertEquals("/dev", KernelMounts.link(g, "/proc/self/cwd"));
    assertTrue(
        read("/proc/self/root/proc/self/mounts").contains("proc /proc proc rw,relatime 0 0\n"));
  }

  @Test
  void shouldHideOthersSecrets() {
    FakeGuest child = g.fork();
    child.task().setCreds(unprivileged());
    child.fails(EACCES, Nr.OPEN, child.text("/proc/" + g.task().tgid() + "/environ"), 0, 0);
    child.fails(EACCES, Nr.OPEN, child.text("/proc/" + g.task().tgid() + "/maps"), 0, 0);
    child.fails(
        EACCES,
        Nr.READLINK,
        child.text("/proc/" + g.task().tgid() + "/cwd"),
        child.space(100),
        100);
    KernelMounts.read(child, "/proc/" + g.task().tgid() + "/stat");
    KernelMounts.read(child, "/proc/self/environ");
  }

  private static redoubt.sentry.kernel.Credentials unprivileged() {
    var b = new redoubt.sentry.kernel.Credentials.Builder();
    b.ruid = b.euid = b.suid = b.fsuid = 1000;
    b.rgid = b.egid = b.sgid = b.fsgid = 1000;
    return b.build();
  }

  @Test
  void shouldSetNames() {
    KernelMounts.write(g, "/proc/self/comm", "a-very-long-name-indeed\n");
    assertEquals("a-very-long-nam\n", read("/proc/self/comm"));
    KernelMounts.write(g, "/proc/sys/kernel/hostname", "box\n");
    assertEquals("box\n", read("/proc/sys/kernel/hostname"));
    assertEquals("box", g.task().uts().hostname());
  }

  @Test
  void shouldKeepOomScores() {
    assertEquals(4, KernelMounts.write(g, "/proc/self/oom_score_adj", "500\n"));
    assertEquals("500\n", read("/proc/self/oom_score_adj"));
    assertEquals(-EINVAL, KernelMounts.write(g, "/proc/self/oom_score_adj", "5000\n"));
  }

  @Test
  void shouldDescribeMounts() throws IOException {
    String line =
        read("/proc/self/mountinfo")
            .lines()
            .filter(l -> l.contains(" - devpts "))
            .findFirst()
            .orElseThrow();
    assertTrue(
        line.matches(
            "\\d+ \\d+ \\d+:\\d+ / /dev/pts rw,relatime - devpts devpts rw,gid=5,mode=620,ptmxmode=666"),
        line);
    String hosts =
        host("/proc/self/mountinfo")
            .lines()
            .filter(l -> !l.contains("shared:"))
            .findFirst()
            .orElse(line);
    assertEquals(hosts.split(" ").length, line.split(" ").length);
  }

  @Test
  void shouldGiveNamespaces() {
    assertTrue(KernelMounts.link(g, "/proc/self/ns/net").matches("net:\\[\\d+]"));
    assertEquals(KernelMounts.link(g, "/proc/self/ns/pid"), KernelMounts.link(g, "/proc/1/ns/pid"));
    long fd = g.ok(Nr.OPEN, g.text("/proc/self/ns/uts"), 0, 0);
    assertEquals(
        KernelMounts.link(g, "/proc/self/ns/uts"), KernelMounts.link(g, "/proc/self/fd/" + fd));
  }

  @Test
  void shouldFailAttributesWithoutSecurityModule() {
    long fd = g.ok(Nr.OPEN, g.text("/proc/self/attr/current"), 0, 0);
    g.fails(EINVAL, Nr.READ, fd, g.space(10), 10);
  }

  @Test
  void shouldTellOfTheMachineInSysfs() {
    assertEquals(
        "0" + (g.kernel().cpus > 1 ? "-" + (g.kernel().cpus - 1) : "") + "\n",
        read("/sys/devices/system/cpu/online"));
    assertEquals("65536\n", read("/sys/class/net/lo/mtu"));
    assertFalse(read("/sys/kernel/mm/transparent_hugepage/enabled").isEmpty());
    assertEquals("0\n", read("/sys/devices/system/cpu/cpu0/topology/core_id"));
  }
}
