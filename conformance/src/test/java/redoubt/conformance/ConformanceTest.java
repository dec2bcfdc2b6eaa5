package redoubt.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Each C program's output must be the same natively and in the sandbox. */
class ConformanceTest {
  private static final Path ROOT =
      Path.of(System.getProperty("redoubt.root", ".")).toAbsolutePath();

  @TestFactory
  Stream<DynamicTest> shouldBehaveAsLinux() throws IOException {
    Assumptions.assumeTrue(
        System.getenv("REDOUBT") != null || Files.exists(ROOT.resolve("target/dist/stamp")),
        "no ./redoubt has been built; run tools/dist first");
    List<String> names;
    try (Stream<Path> files = Files.list(ROOT.resolve("conformance/src/main/c"))) {
      names =
          files
              .map(p -> String.valueOf(p.getFileName()))
              .filter(n -> n.endsWith(".c"))
              .map(n -> n.substring(0, n.length() - 2))
              .sorted()
              .toList();
    }
    return names.stream()
        .flatMap(name ->
            Stream.of("--static", "--dynamic")
                .map(link -> dynamicTest(name + " " + link, () -> compare(link, name))));
  }

  private static void compare(String link, String name) throws IOException, InterruptedException {
    Process p =
        new ProcessBuilder(ROOT.resolve("tools/conformance").toString(), link, name)
            .redirectErrorStream(true)
            .start();
    String output = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, p.waitFor(), output);
  }
}
