package redoubt.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A JVM with the shared filter still collects, compiles, starts threads and loads classes. */
class JvmSyscallsTest {
  private static String run(String... args) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(System.getProperty("java.home") + "/bin/java");
    command.add("-XX:+UseSerialGC");
    command.add("-XX:-UsePerfData");
    command.add("-XX:-UseContainerSupport");
    command.add("-XX:+DisableAttachMechanism");
    command.add("-Xmx48m");
    command.add("-Dredoubt.native=" + System.getProperty("redoubt.native"));
    String path = System.getProperty("jdk.module.path");
    if (path == null) {
      command.add("--enable-native-access=ALL-UNNAMED");
      command.add("--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED");
      command.add("-cp");
      command.add(System.getProperty("java.class.path"));
    } else {
      command.add("--enable-native-access=redoubt.host");
      command.add("--add-exports=java.base/jdk.internal.misc=redoubt.host");
      command.add("-p");
      command.add(path);
      command.add("--add-modules=redoubt.host");
      command.add("--patch-module=redoubt.host=" + testClasses());
      command.add("-m");
      command.add("redoubt.host/redoubt.host.FilteredWorkload");
      command.addAll(List.of(args));
      return output(command);
    }
    command.add("redoubt.host.FilteredWorkload");
    command.addAll(List.of(args));
    return output(command);
  }

  private static String testClasses() {
    return JvmSyscallsTest.class.getProtectionDomain().getCodeSource().getLocation().getPath();
  }

  private static String output(List<String> command) throws Exception {
    Process p = new ProcessBuilder(command).redirectErrorStream(true).start();
    String text = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return text + "exit " + p.waitFor();
  }

  @Test
  void shouldRunAJvmUnderTheSharedFilter() throws Exception {
    String out = run("work");
    assertTrue(out.contains("worked\nexit 0"), out);
  }

  @Test
  void shouldRefuseToOpenAndToConnect() throws Exception {
    String out = run("open");
    assertEquals("open EPERM\nsocket EPERM\nfork EPERM\nexit 0", out);
  }

  @Test
  void shouldDieOfAHostileCall() throws Exception {
    // 128 + SIGSYS as Java tells it.
    assertEquals("exit " + (128 + 31), run("exec"));
  }
}
