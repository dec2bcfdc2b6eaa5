package redoubt.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIf;
import redoubt.cli.Product.Result;

/** A guest that uses up one thing gets Linux's errno; the sandbox goes on (exhaust.c). */
@Timeout(60)
@EnabledIf(
    value = "redoubt.cli.Product#canRun",
    disabledReason = "no ./redoubt has been built (tools/dist), or the user is not root")
class ExhaustionTest {
  private Product product;
  private String program;

  @BeforeEach
  void setUp() throws Exception {
    product = new Product();
    Path source = product.directory.resolve("exhaust.c");
    try (InputStream in = ExhaustionTest.class.getResourceAsStream("/exhaust.c")) {
      Files.write(source, in.readAllBytes());
    }
    program = product.directory.resolve("exhaust").toString();
    var gcc = new ProcessBuilder("gcc", "-O1", "-o", program, source.toString(), "-lpthread");
    assertEquals(0, gcc.inheritIO().start().waitFor());
  }

  @AfterEach
  void tearDown() throws Exception {
    product.assertNothingLeft();
    product.close();
  }

  private void assertEnds(String what, String expected) throws Exception {
    String script = program + " " + what + "; echo $?; /bin/echo alive";
    String bundle = product.bundle("/bin/sh", "-c", script);
    Result result = product.redoubt("run", "--bundle", bundle, product.id(what));
    assertEquals(0, result.code(), result.output());
    assertTrue(result.output().startsWith(what + ": " + expected + " after "), result.output());
    assertTrue(result.output().endsWith("\n0\nalive\n"), result.output());
  }

  @Test
  void shouldRunOutOfDescriptors() throws Exception {
    assertEnds("fds", "EMFILE");
    assertEnds("pipes", "ENOMEM");
  }

  @Test
  void shouldRunOutOfMappings() throws Exception {
    assertEnds("vmas", "ENOMEM");
  }

  @Test
  void shouldRunOutOfSignalsAndTimers() throws Exception {
    assertEnds("signals", "EAGAIN");
    assertEnds("timers", "EAGAIN");
  }

  @Test
  void shouldRunOutOfThreads() throws Exception {
    String id = product.id("c");
    Result result = product.redoubt("run", "--bundle", product.bundle(program, "threads"), id);
    assertEquals(0, result.code(), result.output());
    assertTrue(result.output().startsWith("threads: EAGAIN after "), result.output());
  }

  @Test
  void shouldRunOutOfThreadsThatItsControlGroupAllows() throws Exception {
    for (String what : new String[] {"threads", "processes"}) {
      String bundle = limited("pids", 200, what);
      Result result = product.redoubt("run", "--bundle", bundle, product.id(what));
      assertTrue(result.output().startsWith(what + ": EAGAIN after "), result.output());
      assertTrue(result.output().endsWith("alive\n"), result.output());
    }
  }

  /** The host kills the process that has the memory, not the kernel below all. */
  @Test
  void shouldLoseTheProcessThatUsesUpTheMemory() throws Exception {
    String bundle = limited("memory", 300_000_000, "memory");
    Result result = product.redoubt("run", "--bundle", bundle, product.id("memory"));
    assertEquals("memory: signal 9\nalive\n", result.output());
  }

  private String limited(String resource, long limit, String what) throws Exception {
    return product.bundleOf(
        """
        {"ociVersion": "1.2.0", "root": {"path": "/"},
         "process": {"args": ["/bin/sh", "-c", "%s %s; /bin/echo alive"], "cwd": "/"},
         "linux": {"resources": {"%s": {"limit": %d}}}}
        """
            .formatted(program, what, resource, limit));
  }
}
