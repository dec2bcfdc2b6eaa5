package redoubt.sentry.fs.cgroup;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EBUSY;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EPERM;
import static redoubt.abi.Errno.ERANGE;

import org.junit.jupiter.api.Test;
import redoubt.abi.Nr;
import redoubt.sentry.kernel.TestTasks;
import redoubt.sentry.testing.FakeGuest;
import redoubt.sentry.testing.KernelMounts;

/**
 * Controllers and their files; what needs none is compared with Linux by conformance/cgroups.c.
 * Values are those of Documentation/admin-guide/cgroup-v2.rst.
 */
class CgroupFsTest {
  private static final String ROOT = "/sys/fs/cgroup/";

  private final FakeGuest g = KernelMounts.create();

  private String read(String file) {
    return KernelMounts.read(g, ROOT + file);
  }

  private long write(String file, String text) {
    return KernelMounts.write(g, ROOT + file, text);
  }

  private void set(String file, String text) {
    assertEquals(text.length(), write(file, text), file);
  }

  private void mkdir(String group) {
    g.ok(Nr.MKDIR, g.text(ROOT + group), 0755);
  }

  /** Moves everybody out of the root, so that it may have controllers for its children. */
  private void clearRoot() {
    mkdir("init");
    set("init/cgroup.procs", "1");
    set("init/cgroup.procs", "0");
  }

  @Test
  void shouldGiveFilesToChildrenWhoseParentEnablesTheController() {
    clearRoot();
    mkdir("a");
    g.fails(ENOENT, Nr.OPEN, g.text(ROOT + "a/pids.max"), 0, 0);
    set("cgroup.subtree_control", "+pids +memory");
    assertEquals("memory pids\n", read("cgroup.subtree_control"));
    assertEquals("memory pids\n", read("a/cgroup.controllers"));
    assertEquals("max\n", read("a/pids.max"));
    set("cgroup.subtree_control", "-pids");
    g.fails(ENOENT, Nr.OPEN, g.text(ROOT + "a/pids.max"), 0, 0);
    assertEquals("max\n", read("a/memory.max"));
  }

  @Test
  void shouldRefuseControllersThatAreNotThereOrInUse() {
    clearRoot();
    mkdir("a");
    assertEquals(-ENOENT, write("a/cgroup.subtree_control", "+pids"));
    set("cgroup.subtree_control", "+pids");
    set("a/cgroup.subtree_control", "+pids");
    assertEquals(-EBUSY, write("cgroup.subtree_control", "-pids"));
  }

  @Test
  void shouldKeepProcessesOutOfGroupsThatDivideMemory() {
    clearRoot();
    set("cgroup.subtree_control", "+memory +pids");
    assertEquals(-EBUSY, write("init/cgroup.subtree_control", "+memory"));
    mkdir("a");
    set("a/cgroup.subtree_control", "+memory");
    assertEquals(-EBUSY, write("a/cgroup.procs", "0"));
    mkdir("b");
    set("b/cgroup.subtree_control", "+pids");
    set("b/cgroup.procs", "0"); // pids can be divided among threads
  }

  @Test
  void shouldRefuseMemoryInThreadedGroups() {
    clearRoot();
    set("cgroup.subtree_control", "+memory +pids");
    mkdir("a");
    mkdir("a/t");
    set("a/t/cgroup.type", "threaded");
    assertEquals(-EOPNOTSUPP, write("a/cgroup.subtree_control", "+memory"));
    set("a/cgroup.subtree_control", "+pids");
    assertEquals("pids\n", read("a/t/cgroup.controllers"));
  }

  @Test
  void shouldRefuseTheForkThatIsOneTooMany() {
    clearRoot();
    set("cgroup.subtree_control", "+pids");
    mkdir("a");
    set("a/cgroup.procs", "0");
    set("a/pids.max", "2");
    FakeGuest child = g.fork();
    TestTasks.exit(child.task(), 0);
    set("a/pids.max", "1");
    g.fails(EAGAIN, Nr.FORK);
    assertEquals("max 1\n", read("a/pids.events"));
    assertEquals("1\n", read("a/pids.current"));
  }

  @Test
  void shouldCheckLimits() {
    clearRoot();
    set("cgroup.subtree_control", "+pids +memory +cpu +cpuset");
    mkdir("a");
    set("a/pids.max", "17\n");
    assertEquals("17\n", read("a/pids.max"));
    assertEquals(-EINVAL, write("a/pids.max", "-1"));
    assertEquals(-EINVAL, write("a/pids.max", "4194304"));
    set("a/memory.max", "64M");
    assertEquals("67108864\n", read("a/memory.max"));
    set("a/memory.max", "5000");
    assertEquals("4096\n", read("a/memory.max"));
    assertEquals(-EINVAL, write("a/memory.max", "lots"));
    set("a/memory.max", "max");
    set("a/cpu.max", "20000 50000");
    assertEquals("20000 50000\n", read("a/cpu.max"));
    set("a/cpu.max", "max");
    assertEquals("max 50000\n", read("a/cpu.max"));
    assertEquals(-EINVAL, write("a/cpu.max", "999"));
    assertEquals(-EINVAL, write("a/cpu.max", "5000 2000000"));
    set("a/cpu.weight.nice", "-5");
    assertEquals("305\n", read("a/cpu.weight"));
    assertEquals("-5\n", read("a/cpu.weight.nice"));
    assertEquals(-ERANGE, write("a/cpu.weight", "0"));
    set("a/cpuset.cpus", "0");
    assertEquals("0\n", read("a/cpuset.cpus.effective"));
    assertEquals(-EINVAL, write("a/cpuset.cpus", "0-"));
    assertEquals(-EINVAL, write("a/cpuset.cpus", "60"));
  }

  @Test
  void shouldLeaveTheContainersOwnLimitsAlone() {
    assertEquals(-EPERM, write("memory.max", "1G"));
    assertEquals(-EPERM, write("cgroup.freeze", "1"));
    assertTrue(read("cgroup.controllers").startsWith("cpuset cpu io memory pids"));
    assertEquals("0::/\n", KernelMounts.read(g, "/proc/self/cgroup"));
  }
}
