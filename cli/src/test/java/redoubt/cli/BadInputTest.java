package redoubt.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIf;
import redoubt.abi.Nr;
import redoubt.cli.Product.Result;
import redoubt.host.SeccompFilter;

/** What is wrong is said in one line that names it; the exit code tells; nothing is left. */
@Timeout(60)
@EnabledIf(
    value = "redoubt.cli.Product#canRun",
    disabledReason = "no ./redoubt has been built (tools/dist), or the user is not root")
class BadInputTest {
  private static final String PROCESS = "\"process\": {\"args\": [\"/bin/true\"], \"cwd\": \"/\"}";

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

  private static void assertOneLine(String expected, Result result) {
    String said = result.output();
    assertTrue(said.contains(expected), "wanted: " + expected + "\nsaid: " + said);
    assertTrue(said.startsWith("redoubt: "), said);
    assertEquals(1, said.lines().count(), said);
    assertNotEquals(0, result.code(), said);
    assertTrue(result.code() < 128, said);
  }

  private void assertRefused(String expected, String config) throws Exception {
    String id = product.id("c");
    assertOneLine(expected, product.redoubt("run", "--bundle", product.bundleOf(config), id));
    product.assertNothingLeft();
  }

  @Test
  void shouldNameWhatIsWrongWithABundle() throws Exception {
    String none = product.directory + "/none";
    assertOneLine(
        "bundle " + none + " does not exist", product.redoubt("run", "--bundle", none, "c"));
    Path empty = Files.createDirectory(product.directory.resolve("empty"));
    assertOneLine(
        "/config.json cannot be read; 'redoubt spec --bundle",
        product.redoubt("create", "--bundle", empty.toString(), "c"));
  }

  @Test
  void shouldNameWhatIsWrongWithConfigJson() throws Exception {
    assertRefused("line 1, column 16: expected a value", "{\"ociVersion\": ");
    assertRefused(
        "root.path: expected a string",
        "{\"ociVersion\": \"1.2.0\", \"root\": {\"path\": 7}, " + PROCESS + "}");
    assertRefused("ociVersion: 9.0.0", "{\"ociVersion\": \"9.0.0\", " + PROCESS + "}");
    assertRefused("process.args: is empty", with("\"process\": {\"args\": [], \"cwd\": \"/\"}"));
    assertRefused(
        "process.cwd: 'x' is not an absolute path",
        with("\"process\": {\"args\": [\"/bin/true\"], \"cwd\": \"x\"}"));
    assertRefused(
        "'CAP_X' is no capability",
        with(
            """
            "process": {"args": ["/bin/true"], "cwd": "/", "capabilities": {"bounding": ["CAP_X"]}}
            """));
  }

  private static String with(String member) {
    return "{\"ociVersion\": \"1.2.0\", \"root\": {\"path\": \"/\"}, " + member + "}";
  }

  @Test
  void shouldNameWhatCannotBeHad() throws Exception {
    assertRefused(
        "root.path: /nonexistent does not exist; put the root file system there",
        "{\"ociVersion\": \"1.2.0\", \"root\": {\"path\": \"/nonexistent\"}, " + PROCESS + "}");
    assertRefused(
        "this kernel has no filesystem type 'ext9'",
        with(PROCESS + ", \"mounts\": [{\"destination\": \"/x\", \"type\": \"ext9\"}]"));
    assertRefused(
        "mounts[0].source: /nonexistent does not exist",
        with(
            PROCESS
                + ", \"mounts\": [{\"destination\": \"/x\", \"type\": \"bind\","
                + " \"source\": \"/nonexistent\"}]"));
    assertRefused(
        "createRuntime hook 0 (/bin/false) failed with exit code 1",
        with(PROCESS + ", \"hooks\": {\"createRuntime\": [{\"path\": \"/bin/false\"}]}"));
    assertRefused(
        "linux.resources.memory.limit: ",
        with(PROCESS + ", \"linux\": {\"resources\": {\"memory\": {\"limit\": 1048576}}}"));
  }

  @Test
  void shouldSayWhyAProgramCannotRun() throws Exception {
    assertNotExecuted("No such file or directory", "missing", null);
    assertNotExecuted("(neither a program for x86-64 nor a script", "text", bytes("just words\n"));
    assertNotExecuted("(neither a program for x86-64 nor a script", "empty", bytes(""));
    assertNotExecuted(
        "(neither a program for x86-64 nor a script", "short", bytes("\u007fELF\2\1\1"));
    assertNotExecuted(
        "(the file is there; its interpreter", "script", bytes("#!/nonexistent/sh\n"));
    assertNotExecuted("(neither a program for x86-64", "hashbang", bytes("#!\n"));
    byte[] elf = Files.readAllBytes(Path.of("/bin/true"));
    byte[] wrong = elf.clone();
    wrong[4] = 1; // ELFCLASS32
    assertNotExecuted("(neither a program for x86-64", "elf32", wrong);
    wrong = elf.clone();
    wrong[18] = (byte) 183; // EM_AARCH64
    assertNotExecuted("(neither a program for x86-64", "arm", wrong);
    wrong = elf.clone();
    Arrays.fill(wrong, 32, 40, (byte) 0x70); // e_phoff
    assertNotExecuted("(neither a program for x86-64", "headers", wrong);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  private void assertNotExecuted(String expected, String name, byte @Nullable [] content)
      throws Exception {
    Path file = product.directory.resolve(name);
    if (content != null) {
      Files.write(file, content);
      assertTrue(file.toFile().setExecutable(true));
    }
    String bundle = product.bundle(file.toString());
    Result result = product.redoubt("run", "--bundle", bundle, product.id("c"));
    assertOneLine("exec: \"" + file + "\": ", result);
    assertOneLine(expected, result);
    product.assertNothingLeft();
  }

  @Test
  void shouldNameAWrongFlagOrArgument() throws Exception {
    String bundle = product.bundle("/bin/true");
    assertOneLine("unknown flag --nonsense", product.redoubt("run", "--nonsense", "c"));
    assertOneLine("unknown command 'frob'", product.redoubt("frob"));
    assertOneLine("missing container id", product.redoubt("run", "--bundle", bundle));
    assertOneLine("unexpected argument 'd'", product.redoubt("run", "--bundle", bundle, "c", "d"));
    assertOneLine(
        "invalid container id '../c'", product.redoubt("run", "--bundle", bundle, "../c"));
    assertOneLine(
        "--pid-file: open /nonexistent/",
        product.redoubt(
            "run", "--pid-file", "/nonexistent/p", "--bundle", bundle, product.id("c")));
    assertOneLine(
        "--preserve-fds=1: descriptor 3 is not open",
        product.redoubt("run", "--preserve-fds", "1", "--bundle", bundle, product.id("c")));
  }

  @Test
  void shouldSayThatAContainerIsNotThere() throws Exception {
    for (String verb : List.of("start", "state", "kill", "delete", "pause", "ps")) {
      assertOneLine("container 'none' does not exist", product.redoubt(verb, "none"));
    }
    assertOneLine("container 'none' does not exist", product.redoubt("exec", "none", "/bin/true"));
    assertEquals(0, product.redoubt("delete", "--force", "none").code());
  }

  @Test
  void shouldRefuseWhatDoesNotSuitAContainersState() throws Exception {
    String id = product.id("c");
    String bundle = product.bundle("/bin/true");
    assertEquals(0, product.redoubt("create", "--bundle", bundle, id).code());
    assertOneLine("exists already", product.redoubt("create", "--bundle", bundle, id));
    assertOneLine("is not running", product.redoubt("exec", id, "/bin/true"));
    assertOneLine("'NONSENSE' is no signal", product.redoubt("kill", id, "NONSENSE"));
    assertOneLine("cannot pause", product.redoubt("pause", id));
    assertEquals(0, product.redoubt("start", id).code());
    for (int i = 0; i < 100 && !stopped(id); i++) {
      Thread.sleep(10);
    }
    assertOneLine("is not running", product.redoubt("start", id));
    assertOneLine("it is not running", product.redoubt("kill", id));
    assertOneLine("is not running", product.redoubt("exec", id, "/bin/true"));
    assertEquals(0, product.redoubt("delete", id).code());
  }

  private boolean stopped(String id) throws Exception {
    return product.redoubt("state", id).output().contains("stopped");
  }

  @Test
  void shouldSayHowToAllowUserNamespaces() throws Exception {
    Set<String> path = new LinkedHashSet<>();
    for (Class<?> c : List.of(NoUserNamespaces.class, SeccompFilter.class, Nr.class)) {
      path.add(new File(c.getProtectionDomain().getCodeSource().getLocation().toURI()).getPath());
    }
    var java =
        List.of(
            System.getProperty("java.home") + "/bin/java",
            "--enable-native-access=ALL-UNNAMED",
            "--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED",
            "-Dredoubt.native=" + System.getProperty("redoubt.native"),
            "-cp",
            String.join(":", path),
            NoUserNamespaces.class.getName());
    Result result = Product.await(product.start(java, "do", "/bin/true"));
    assertOneLine("raise user.max_user_namespaces (sysctl)", result);
  }

  @Test
  void shouldSayThatTheDiskIsFull() throws Exception {
    Path mount = Files.createDirectory(product.directory.resolve("full"));
    command("mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=16", "none", mount.toString());
    try {
      Path fill = mount.resolve("fill");
      try (var out = Files.newOutputStream(fill)) {
        out.write(new byte[1 << 16]);
      }
      String root = mount + "/state";
      Result result =
          product.redoubt("--root", root, "run", "--bundle", product.bundle("/bin/true"), "c");
      assertOneLine("No space left on device); free some space there", result);
      assertEquals(0, new File(root).list().length);
      Files.delete(fill);
      result = product.redoubt("--root", root, "run", "--bundle", product.bundle("/bin/true"), "c");
      assertEquals(0, result.code(), result.output());
    } finally {
      command("umount", mount.toString());
    }
  }

  private static void command(String... words) throws IOException, InterruptedException {
    assertEquals(0, new ProcessBuilder(words).inheritIO().start().waitFor());
  }

  /** A guest's full disk is the guest's: what it wrote before stays, it gets ENOSPC. */
  @Test
  void shouldGiveTheGuestEnospcWhenAVolumeIsFull() throws Exception {
    Path mount = Files.createDirectory(product.directory.resolve("volume"));
    command("mount", "-t", "tmpfs", "-o", "size=64k", "none", mount.toString());
    try {
      String script =
          "echo kept >/v/kept; dd if=/dev/zero of=/v/big bs=4k count=99 2>&1; cat /v/kept";
      Result result = product.redoubt("do", "--volume", mount + ":/v", "/bin/sh", "-c", script);
      assertTrue(result.output().contains("No space left on device"), result.output());
      assertTrue(result.output().endsWith("kept\n"), result.output());
      assertEquals("kept\n", Files.readString(mount.resolve("kept")));
    } finally {
      command("umount", mount.toString());
    }
  }

  @Test
  void shouldDeleteWhatADamagedStateFileLeaves() throws Exception {
    String id = product.id("c");
    product.redoubt("create", "--bundle", product.bundle("/bin/true"), id);
    product.created(id);
    Path file = product.state.resolve(id).resolve("state.json");
    var lines = new ArrayList<>(List.of(Files.readString(file).replace(":", ";")));
    Files.write(file, lines);
    assertOneLine("is damaged", product.redoubt("start", id));
    assertEquals(0, product.redoubt("delete", "--force", id).code());
  }
}
