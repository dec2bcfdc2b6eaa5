package redoubt.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** The built product as its user sees it, with a directory of its own, and what it leaves there. */
final class Product implements AutoCloseable {
  static final Path ROOT = Path.of(System.getProperty("redoubt.root", ".")).toAbsolutePath();

  private static final int PATIENCE_MS = 30_000;

  final Path directory;
  final Path state;
  private final List<ProcessHandle> seen = new ArrayList<>();

  /** How a command ended, and what it said. */
  record Result(int code, String output) {}

  /**
   * For {@code @EnabledIf}: without a built product, and root to run it, there is nothing to test.
   */
  static boolean canRun() {
    return Files.exists(ROOT.resolve("target/dist/sentry.aot"))
        && "root".equals(System.getProperty("user.name"));
  }

  Product() throws IOException {
    directory = Files.createTempDirectory("product");
    state = directory.resolve("state");
  }

  /** Writes a bundle whose root is the host's, read-only below an overlay. */
  String bundle(String... args) throws IOException {
    var list = new StringBuilder();
    for (String arg : args) {
      list.append(list.isEmpty() ? "\"" : ",\"").append(arg).append('"');
    }
    return bundleOf(
        """
        {"ociVersion": "1.2.0", "root": {"path": "/"},
         "process": {"args": [%s], "cwd": "/", "env": ["PATH=/usr/bin:/bin"]},
         "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}]}
        """
            .formatted(list));
  }

  /** Writes a bundle with this config.json. */
  String bundleOf(String config) throws IOException {
    Path bundle = Files.createTempDirectory(directory, "bundle");
    Files.writeString(bundle.resolve("config.json"), config);
    return bundle.toString();
  }

  Process start(String... words) throws IOException {
    return start(List.of(), words);
  }

  /**
   * @param prefix a program and its arguments that run ./redoubt in the end
   */
  Process start(List<String> prefix, String... words) throws IOException {
    var command = new ArrayList<>(prefix);
    command.addAll(List.of(ROOT.resolve("redoubt").toString(), "--root", state.toString()));
    command.addAll(Arrays.asList(words));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("REDOUBT_NO_BUILD", "1");
    Process process = builder.start();
    process.getOutputStream().close();
    return process;
  }

  Result redoubt(String... words) throws Exception {
    return await(start(words));
  }

  static Result await(Process process) throws Exception {
    // What it said is in the pipe's buffer, unless a detached sandbox holds the pipe open.
    if (!process.waitFor(PATIENCE_MS, TimeUnit.MILLISECONDS)) {
      process.destroyForcibly();
      fail("no end within " + PATIENCE_MS + " ms");
    }
    byte[] text = process.getInputStream().readNBytes(process.getInputStream().available());
    return new Result(process.exitValue(), new String(text, StandardCharsets.UTF_8));
  }

  /** Waits until container {@code id} runs, and notes all of its processes. */
  Sandbox running(String id) throws Exception {
    return sandbox(id, "\"started\":true");
  }

  /** Waits until container {@code id} is created, and notes all of its processes. */
  Sandbox created(String id) throws Exception {
    return sandbox(id, "\"pid\":");
  }

  private Sandbox sandbox(String id, String sign) throws Exception {
    Path file = state.resolve(id).resolve("state.json");
    for (int i = 0; i < PATIENCE_MS / 10; i++) {
      String text = Files.exists(file) ? readIfThere(file) : "";
      if (text.contains(sign) && !text.contains("\"pid\":0")) {
        Thread.sleep(200); // the guest's program begins
        String digits = text.replaceAll("(?s).*\"pid\":(\\d+).*", "$1");
        var sandbox = new Sandbox(ProcessHandle.of(Long.parseLong(digits)).orElseThrow());
        seen.addAll(sandbox.all());
        return sandbox;
      }
      Thread.sleep(10);
    }
    return fail("container " + id + " does not run");
  }

  private static String readIfThere(Path file) throws IOException {
    try {
      return Files.readString(file);
    } catch (java.nio.file.NoSuchFileException e) {
      return ""; // replaced or removed meanwhile
    }
  }

  /** The processes of a sandbox, as the host sees them. */
  record Sandbox(ProcessHandle sentry) {
    ProcessHandle gofer() {
      return child(sentry, "java");
    }

    ProcessHandle keeper() {
      return child(sentry, "keeper");
    }

    /** {@return the stub of the guest's first process}: the oldest */
    ProcessHandle stub() {
      return child(keeper(), "keeper");
    }

    List<ProcessHandle> stubs() {
      return keeper().children().toList();
    }

    List<ProcessHandle> all() {
      var all = new ArrayList<>(sentry.descendants().toList());
      all.add(sentry);
      return all;
    }

    private static ProcessHandle child(ProcessHandle parent, String name) {
      return parent
          .children()
          .filter(p -> comm(p.pid()).equals(name))
          .min(java.util.Comparator.comparingLong(ProcessHandle::pid))
          .orElseThrow();
    }
  }

  static String comm(long pid) {
    try {
      return Files.readString(Path.of("/proc/" + pid + "/comm")).strip();
    } catch (IOException e) {
      return "";
    }
  }

  /** {@return a field of /proc/PID/status} */
  static String status(long pid, String field) throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/status"))) {
      if (line.startsWith(field + ":")) {
        return line.substring(field.length() + 1).strip();
      }
    }
    return fail("no " + field + " of " + pid);
  }

  /** Checks, after a moment's grace, that no process, state, cgroup or mount of ours is left. */
  void assertNothingLeft() throws Exception {
    String left = "";
    for (int i = 0; i < PATIENCE_MS / 20; i++) {
      left = left();
      if (left.isEmpty()) {
        return;
      }
      Thread.sleep(20);
    }
    fail("left behind: " + left);
  }

  private String left() throws IOException {
    var left = new StringBuilder();
    for (ProcessHandle p : seen) {
      if (lives(p)) {
        left.append(p.pid()).append(' ').append(comm(p.pid())).append("; ");
      }
    }
    if (Files.isDirectory(state)) {
      try (Stream<Path> ids = Files.list(state)) {
        for (Path id : ids.toList()) {
          left.append(id).append("; ");
        }
      }
    }
    try (Stream<Path> groups = Files.find(Path.of("/sys/fs/cgroup"), 3, (p, a) -> isOurs(p))) {
      groups.forEach(p -> left.append(p).append("; "));
    } catch (java.io.UncheckedIOException e) {
      left.append("a cgroup that is just being removed; ");
    }
    for (String line : Files.readAllLines(Path.of("/proc/self/mounts"))) {
      if (line.contains(directory.toString())) {
        left.append(line).append("; ");
      }
    }
    return left.toString();
  }

  /** {@return the id for a container of this test}, which no other test and user has */
  String id(String name) {
    return directory.getFileName() + "-" + name;
  }

  private boolean isOurs(Path group) {
    return group.getFileName().toString().startsWith(directory.getFileName() + "-");
  }

  private static boolean isZombie(long pid) {
    try {
      return status(pid, "State").startsWith("Z");
    } catch (IOException e) {
      return true;
    }
  }

  static boolean lives(ProcessHandle process) {
    return process.isAlive() && !isZombie(process.pid());
  }

  static void kill(ProcessHandle process) throws Exception {
    assertEquals(0, new ProcessBuilder("kill", "-9", "" + process.pid()).start().waitFor());
  }

  @Override
  public void close() throws IOException {
    for (ProcessHandle p : seen) {
      p.destroyForcibly();
    }
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
