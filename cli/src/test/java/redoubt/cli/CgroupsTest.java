package redoubt.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIf;

/** Limits of the control groups that a guest makes itself: they hold, and inside only. */
@Timeout(60)
@EnabledIf(
    value = "redoubt.cli.Product#canRun",
    disabledReason = "no ./redoubt has been built (tools/dist), or the user is not root")
class CgroupsTest {
  private Product product;

  @BeforeEach
  void setUp() throws Exception {
    product = new Product();
  }

  @AfterEach
  void tearDown() throws Exception {
    product.assertNothingLeft();
    product.close();
  }

  /** {@return what bash prints that may make groups, after {@code init} and {@code g} were made} */
  private String run(String script) throws Exception {
    Path file = product.directory.resolve("script");
    Files.writeString(file, SET_UP + script);
    String bundle =
        product.bundleOf(
            """
            {"ociVersion": "1.2.0", "root": {"path": "/"},
             "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
              {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}],
             "process": {"args": ["/bin/bash", "%s"], "cwd": "/", "env": ["PATH=/bin:/usr/bin"]}}
            """
                .formatted(file));
    return product.redoubt("run", "--bundle", bundle, product.id("cg")).output();
  }

  private static final String SET_UP =
      """
      cd /sys/fs/cgroup
      mkdir init g
      echo 0 >init/cgroup.procs
      echo +cpu +memory +pids >cgroup.subtree_control
      """;

  @Test
  void shouldKillWhoUsesMoreMemoryThanItsGroupHas() throws Exception {
    String out =
        run(
            """
            echo 50M >g/memory.max
            sleep 60 & echo $! >g/cgroup.procs
            (
              echo 0 >g/cgroup.procs
              exec python3 -c 'x = [bytearray(1 << 20) for i in range(1000)]; print("survived")'
            ) 2>/dev/null
            echo exit $?
            grep oom_kill g/memory.events
            cat g/pids.current
            kill $!
            """);
    assertEquals("exit 137\noom_kill 1\n1\n", out.replaceAll("(?m)^.* Killed .*\n", ""));
  }

  @Test
  void shouldGiveAGroupItsShareOfTheProcessor() throws Exception {
    String out =
        run(
            """
            echo 20000 100000 >g/cpu.max
            bash -c 'echo 0 >g/cgroup.procs; while :; do :; done' 2>/dev/null &
            sleep 0.5
            a=$(sed -n 's/usage_usec //p' g/cpu.stat)
            sleep 2
            b=$(sed -n 's/usage_usec //p' g/cpu.stat)
            echo $((b - a))
            echo 1 >g/cgroup.kill
            wait 2>/dev/null
            echo still here
            """);
    String[] lines = out.split("\n");
    int us = Integer.parseInt(lines[0]);
    // What is left of one period is lost where the machine has other things to do.
    assertTrue(us > 150_000 && us < 600_000, "20 % of 2 s are 400000 us, used were " + us);
    assertEquals("still here", lines[lines.length - 1]);
  }

  @Test
  void shouldRefuseTheProcessThatIsOneTooMany() throws Exception {
    String out =
        run(
            """
            echo 2 >g/pids.max
            python3 -c '
            import os, time
            open("/sys/fs/cgroup/g/cgroup.procs", "w").write("0")
            if os.fork() == 0: time.sleep(1); os._exit(0)
            try: os.fork()
            except OSError as e: print(e.errno)'
            cat g/pids.events
            echo here
            """);
    assertEquals("11\nmax 1\nhere\n", out);
  }

  /** A container sees its own limits as files of its group. */
  @Test
  void shouldShowTheContainersLimits() throws Exception {
    String bundle =
        product.bundleOf(
            """
            {"ociVersion": "1.2.0", "root": {"path": "/"},
             "mounts": [{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}],
             "process": {"args": ["/bin/sh", "-c", "cd /sys/fs/cgroup; cat memory.max cpu.max pids.max"],
              "cwd": "/", "env": ["PATH=/bin:/usr/bin"]},
             "linux": {"resources": {"memory": {"limit": 600000000}, "pids": {"limit": 77},
              "cpu": {"quota": 150000, "period": 100000}}}}
            """);
    assertEquals(
        "599998464\n150000 100000\n77\n",
        product.redoubt("run", "--bundle", bundle, product.id("own")).output());
  }
}
