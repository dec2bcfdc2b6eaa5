package redoubt.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIf;

/** The verbs with {@code --kernel=sentry}. */
@Timeout(300)
@EnabledIf(
    value = "redoubt.cli.Product#canRun",
    disabledReason = "no ./redoubt has been built (tools/dist), or the user is not root")
class SentryVerbsTest extends VerbsOfAKernel {
  SentryVerbsTest() {
    super("sentry");
  }

  @Test
  void shouldTellOfProcessesKilledInAGroupOfTheGuests() throws Exception {
    String id = product.id("oom");
    String eat = "perl -e '$n = 4 << 20; push @a, q(x) x $n for 1 .. 60'";
    String script =
        "cd /sys/fs/cgroup; mkdir init a; echo 0 > init/cgroup.procs;"
            + " echo +memory > cgroup.subtree_control; echo 64M > a/memory.max; sleep 1;"
            + " (echo 0 > a/cgroup.procs; exec "
            + eat
            + "); echo code $?; sleep 1";
    String bundle =
        product.bundleOf(
            """
            {"ociVersion": "1.2.0", "root": {"path": "/"},
             "process": {"args": ["/bin/sh", "-c", "%s"], "cwd": "/", "env": ["PATH=/usr/bin:/bin"],
              "user": {"uid": 0, "gid": 0}},
             "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "cgroup"}]},
             "mounts": [{"destination": "/sys", "type": "sysfs", "source": "sysfs"},
              {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
               "options": ["rw"]}]}
            """
                .formatted(script));
    Process run = product.start(words("run", "--bundle", bundle, id));
    product.running(id);
    Product.Result events = product.redoubt(words("events", "--interval", "1s", id));
    Product.Result r = Product.await(run);
    assertTrue(r.output().contains("code 137\n"), r.output());
    assertEquals(List.of("1}}"), oomKills(events), events.output());
    product.assertNothingLeft();
  }
}
