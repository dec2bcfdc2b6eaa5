package redoubt.oci;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SpecTest {
  private static final String PROCESS = "{\"args\":[\"sh\"],\"cwd\":\"/\"}";

  private static String config(String... members) {
    var out = new StringBuilder("{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"}");
    for (String member : members) {
      out.append(',').append(member);
    }
    return out.append('}').toString();
  }

  private static String refusal(String text) {
    return assertThrows(SpecException.class, () -> Spec.parse(text)).getMessage();
  }

  @Test
  void shouldReadItsOwnDefault() {
    Spec spec = Spec.parse(SpecText.defaultSpec(false).indented(2));
    Process process = spec.process();
    assertNotNull(process);
    assertEquals(List.of("sh"), process.args());
    assertTrue(process.terminal());
    assertEquals(1L << 29 | 1L << 5 | 1L << 10, process.bounding());
    assertEquals(List.of(new Process.Rlimit(7, 1024, 1024)), process.rlimits());
    assertEquals(6, spec.mounts().size());
    assertEquals("rootfs", spec.root().path());
    assertTrue(spec.root().readonly());
  }

  @Test
  void shouldReadResources() {
    Spec spec =
        Spec.parse(
            config(
                "\"linux\":{\"cgroupsPath\":\"/a/b\",\"resources\":{\"memory\":{\"limit\":1048576,"
                    + "\"swap\":-1},\"cpu\":{\"quota\":50000,\"period\":100000,\"cpus\":\"0-1\"},"
                    + "\"pids\":{\"limit\":7},\"unified\":{\"memory.high\":\"1G\"},"
                    + "\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":1,"
                    + "\"rate\":9}]}}}"));
    Resources r = spec.linux().resources();
    assertEquals("/a/b", spec.linux().cgroupsPath());
    assertEquals(1048576L, r.memoryLimit());
    assertEquals(-1L, r.memorySwap());
    assertEquals(50000L, r.cpuQuota());
    assertEquals("0-1", r.cpus());
    assertEquals(7L, r.pidsLimit());
    assertEquals("1G", r.unified().get("memory.high"));
    assertEquals(List.of(new Resources.Throttle("read_bps", 8, 1, 9)), r.throttles());
  }

  @Test
  void shouldTakeUnsignedLimitsAsInfinite() {
    Process p =
        Process.parse(
            "{\"args\":[\"a\"],\"cwd\":\"/\",\"rlimits\":[{\"type\":\"RLIMIT_CORE\","
                + "\"soft\":18446744073709551615,\"hard\":18446744073709551615}]}");
    assertEquals(List.of(new Process.Rlimit(4, -1, -1)), p.rlimits());
  }

  @Test
  void shouldTakeABindOptionForTheType() {
    Spec spec =
        Spec.parse(
            config(
                "\"mounts\":[{\"destination\":\"data\",\"source\":\"/d\",\"options\":[\"rbind\"]}]"));
    assertEquals(List.of(new Spec.Mount("/data", "bind", "/d", List.of("rbind"))), spec.mounts());
  }

  @Test
  void shouldIgnoreNullsAndUnknownMembers() {
    Spec spec = Spec.parse(config("\"process\":" + PROCESS, "\"hooks\":null", "\"x\":{}"));
    assertEquals(Spec.Hooks.NONE, spec.hooks());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "\"process\":{\"cwd\":\"/\"} | process.args: is empty; it names the program to run",
        "\"process\":{\"args\":\"sh\",\"cwd\":\"/\"} | process.args: expected an array, found a string",
        "\"process\":{\"args\":[\"sh\",1],\"cwd\":\"/\"} | process.args[1]: expected a string, found a number",
        "\"process\":{\"args\":[\"sh\"]} | process.cwd: is missing",
        "\"process\":{\"args\":[\"sh\"],\"cwd\":\"x\"} | process.cwd: 'x' is not an absolute path",
        "\"process\":{\"args\":[\"s\\u0000h\"],\"cwd\":\"/\"} | process.args: contains a NUL character",
        "\"process\":{\"args\":[\"s\"],\"cwd\":\"/\",\"capabilities\":{\"bounding\":[\"CAP_X\"]}} | process.capabilities.bounding: 'CAP_X' is no capability",
        "\"process\":{\"args\":[\"s\"],\"cwd\":\"/\",\"rlimits\":[{\"type\":\"RLIMIT_X\"}]} | process.rlimits[0].type: 'RLIMIT_X' is no resource limit",
        "\"process\":{\"args\":[\"s\"],\"cwd\":\"/\",\"user\":{\"uid\":1.5}} | process.user.uid: expected a whole number of 64 bits, found 1.5",
        "\"mounts\":{} | mounts: expected an array, found an object",
        "\"mounts\":[{}] | mounts[0].destination: is missing",
        "\"mounts\":[{\"destination\":\"/a\",\"type\":\"bind\"}] | mounts[0].source: is missing for a bind mount",
        "\"hooks\":{\"prestart\":[{\"path\":\"x\"}]} | hooks.prestart[0].path: must be an absolute path",
        "\"linux\":{\"namespaces\":[{\"type\":\"nope\"}]} | linux.namespaces[0].type: 'nope' is no kind of namespace",
        "\"linux\":{\"rootfsPropagation\":\"shared\"} | linux.rootfsPropagation: 'shared' cannot be had: the sandbox's mounts are its kernel's own",
        "\"hostname\":7 | hostname: expected a string, found a number",
      })
  void shouldNameTheFieldOfAMistake(String member, String message) {
    assertEquals(message, refusal(config(member)));
  }

  @Test
  void shouldRefuseOtherVersions() {
    assertEquals("ociVersion: is missing", refusal("{}"));
    assertEquals(
        "ociVersion: 2.0.0 is not supported, only 1.x is", refusal("{\"ociVersion\":\"2.0.0\"}"));
  }

  @Test
  void shouldRefuseAMissingRoot() {
    assertTrue(refusal("{\"ociVersion\":\"1.0.0\"}").startsWith("root.path: is missing"));
    assertEquals("expected an object, found an array", refusal("[]"));
  }
}
