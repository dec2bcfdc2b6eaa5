package redoubt.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIf;
import redoubt.cli.Product.Result;
import redoubt.cli.Product.Sandbox;

/** Whatever process of a sandbox is killed, and whenever: nothing is left, and the end is told. */
@Timeout(120)
@EnabledIf(
    value = "redoubt.cli.Product#canRun",
    disabledReason = "no ./redoubt has been built (tools/dist), or the user is not root")
class LeakTest {
  private static final int KILLED = 137;

  private Product product;

  @BeforeEach
  void setUp() throws Exception {
    product = new Product();
  }

  @AfterEach
  void tearDown() throws Exception {
    product.close();
  }

  /** One process of a sandbox. */
  private interface Victim {
    ProcessHandle of(Sandbox sandbox);
  }

  private static Map<String, Victim> victims() {
    var victims = new LinkedHashMap<String, Victim>();
    victims.put("sentry", Sandbox::sentry);
    victims.put("gofer", Sandbox::gofer);
    victims.put("keeper", Sandbox::keeper);
    victims.put("stub", Sandbox::stub);
    return victims;
  }

  private static void assertSaysWhy(String victim, Result result) {
    String cause =
        switch (victim) {
          case "sentry" -> "its kernel was killed by signal 9";
          case "gofer" -> "the gofer has ended";
          case "keeper" -> "the keeper has ended";
          default -> ""; // a process of the guest's was killed, as any of its processes may be
        };
    assertTrue(result.output().contains(cause), victim + ": " + result.output());
    assertTrue(result.output().lines().count() <= 1, result.output());
  }

  @Test
  void shouldEndAForegroundContainerWhenOneOfItsProcessesIsKilled() throws Exception {
    for (var victim : victims().entrySet()) {
      String id = product.id(victim.getKey());
      Process run = product.start("run", "--bundle", product.bundle("/bin/sleep", "100"), id);
      Product.kill(victim.getValue().of(product.running(id)));
      Result result = Product.await(run);
      assertEquals(KILLED, result.code(), victim.getKey());
      assertSaysWhy(victim.getKey(), result);
      product.assertNothingLeft();
    }
  }

  @Test
  void shouldEndAForegroundContainerWhenTheCommandIsKilled() throws Exception {
    for (String verb : new String[] {"run", "do"}) {
      Process command =
          verb.equals("do")
              ? product.start("do", "/bin/sleep", "100")
              : product.start(
                  "run", "--bundle", product.bundle("/bin/sleep", "100"), product.id("c"));
      product.running(verb.equals("do") ? "do-" + command.pid() : product.id("c"));
      Product.kill(command.toHandle());
      product.assertNothingLeft();
    }
  }

  @Test
  void shouldGoOnWithoutItsLauncherAndLeaveNothing() throws Exception {
    String id = product.id("c");
    Process run = product.start("run", "--bundle", product.bundle("/bin/sleep", "100"), id);
    Sandbox sandbox = product.running(id);
    ProcessHandle launcher =
        run.children()
            .filter(p -> Product.comm(p.pid()).equals("launcher"))
            .findAny()
            .orElseThrow();
    Product.kill(launcher);
    Thread.sleep(200);
    assertTrue(sandbox.sentry().isAlive());
    assertEquals(0, product.redoubt("kill", id, "KILL").code());
    assertEquals(KILLED, Product.await(run).code());
    product.assertNothingLeft();
  }

  @Test
  void shouldBeDeletedWhenOneOfItsProcessesWasKilled() throws Exception {
    for (boolean started : new boolean[] {false, true}) {
      for (var victim : victims().entrySet()) {
        String id = product.id(victim.getKey() + started);
        String bundle = product.bundle("/bin/sleep", "100");
        Result made =
            started
                ? product.redoubt("run", "--detach", "--bundle", bundle, id)
                : product.redoubt("create", "--bundle", bundle, id);
        assertEquals(0, made.code(), made.output());
        Sandbox sandbox = started ? product.running(id) : product.created(id);
        Product.kill(victim.getValue().of(sandbox));
        assertEquals(0, product.redoubt("delete", "--force", id).code(), victim.getKey());
        product.assertNothingLeft();
      }
    }
  }

  @Test
  void shouldTellAnExecutedProcessThatItsSandboxIsGone() throws Exception {
    for (var victim : victims().entrySet()) {
      String id = product.id(victim.getKey());
      product.redoubt("run", "--detach", "--bundle", product.bundle("/bin/sleep", "100"), id);
      Process exec = product.start("exec", id, "/bin/sleep", "90");
      Sandbox sandbox = product.running(id);
      Thread.sleep(500);
      Product.kill(victim.getValue().of(sandbox));
      assertEquals(KILLED, Product.await(exec).code(), victim.getKey());
      assertEquals(0, product.redoubt("delete", "--force", id).code());
      product.assertNothingLeft();
    }
  }

  @Test
  void shouldEndAnExecutedProcessWithItsCommand() throws Exception {
    String id = product.id("c");
    product.redoubt("run", "--detach", "--bundle", product.bundle("/bin/sleep", "100"), id);
    Process exec = product.start("exec", id, "/bin/sleep", "90");
    Sandbox sandbox = product.running(id);
    String processes = "";
    for (int i = 0; i < 100 && !processes.contains("90"); i++) {
      processes = product.redoubt("ps", id).output();
    }
    assertTrue(processes.contains("sleep 90"), processes);
    Product.kill(exec.toHandle());
    for (int i = 0; i < 100 && processes.contains("90"); i++) {
      processes = product.redoubt("ps", id).output();
    }
    assertFalse(processes.contains("sleep 90"), processes);
    assertTrue(processes.contains("sleep 100"), processes);
    assertTrue(sandbox.sentry().isAlive());
    assertEquals(0, product.redoubt("delete", "--force", id).code());
    product.assertNothingLeft();
  }

  @Test
  void shouldBeDeletedWhenItsCreationWasKilled() throws Exception {
    for (int ms = 40; ms <= 240; ms += 40) {
      String id = product.id("at" + ms);
      Process create = product.start("create", "--bundle", product.bundle("/bin/true"), id);
      Thread.sleep(ms);
      create.destroyForcibly().waitFor(); // or it was faster than we
      assertEquals(0, product.redoubt("delete", "--force", id).code(), ms + " ms");
      product.assertNothingLeft();
    }
  }

  /** A group that could not be removed in time goes with the next sandbox of that name. */
  @Test
  void shouldRemoveGroupsThatWereThereBefore() throws Exception {
    String id = product.id("c");
    List<Path> groups = new ArrayList<>();
    for (String hierarchy : List.of("pids", "cpu", "memory")) {
      Path group = Path.of("/sys/fs/cgroup", hierarchy, "redoubt", id);
      if (Files.isDirectory(group.getParent().getParent())) {
        groups.add(Files.createDirectories(group));
      }
    }
    assertEquals(0, product.redoubt("run", "--bundle", product.bundle("/bin/true"), id).code());
    for (Path group : groups) {
      assertFalse(Files.exists(group), group.toString());
    }
    product.assertNothingLeft();
  }

  /** The host may kill a stub that waits for its first program: nobody needs to notice. */
  @Test
  void shouldNotMissAStubOfThePool() throws Exception {
    String id = product.id("c");
    product.redoubt("run", "--detach", "--bundle", product.bundle("/bin/sleep", "100"), id);
    Sandbox sandbox = product.running(id);
    for (ProcessHandle stub : sandbox.stubs()) {
      if (stub.pid() != sandbox.stub().pid()) {
        Product.kill(stub);
      }
    }
    Thread.sleep(100);
    assertEquals("fine\n", product.redoubt("exec", id, "/bin/echo", "fine").output());
    assertEquals(0, product.redoubt("delete", "--force", id).code());
    product.assertNothingLeft();
  }

  /** All containers' groups have one parent, which must not stay behind the last of them. */
  @Test
  void shouldShareTheParentOfItsControlGroups() throws Exception {
    String first = product.id("first");
    String second = product.id("second");
    String bundle = product.bundle("/bin/sleep", "100");
    assertEquals(0, product.redoubt("create", "--bundle", bundle, first).code());
    assertEquals(0, product.redoubt("create", "--bundle", bundle, second).code());
    assertEquals(0, product.redoubt("delete", "--force", first).code());
    String state = Files.readString(product.state.resolve(second).resolve("state.json"));
    assertTrue(state.contains("/redoubt\""), state);
    assertEquals(0, product.redoubt("delete", "--force", second).code());
    product.assertNothingLeft();
  }
}
