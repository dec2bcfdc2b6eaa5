package redoubt.sentry.syscalls;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import redoubt.abi.Errno;
import redoubt.sentry.syscalls.SyscallTable.Entry;

class Amd64SyscallsTest {
  private static final Pattern LINE =
      Pattern.compile("^ {6}case (\\d+) -> (.+); // (\\w+)(: never|: none)?$");

  private record Line(String action, String name) {}

  private static Map<Integer, Line> lines() throws IOException {
    Path source =
        Path.of(
            System.getProperty("redoubt.root"),
            "sentry/src/main/java/redoubt/sentry/syscalls/Amd64Syscalls.java");
    Map<Integer, Line> lines = new TreeMap<>();
    for (String text : Files.readAllLines(source)) {
      if (text.startsWith("      case ")) {
        Matcher m = LINE.matcher(text);
        assertTrue(m.matches(), "not of the form of the table: " + text);
        lines.put(Integer.valueOf(m.group(1)), new Line(m.group(2), m.group(3)));
      }
    }
    return lines;
  }

  @Test
  void shouldHaveALineForEveryNumberWithItsName() throws IOException {
    Map<Integer, Line> lines = lines();
    for (Entry e : SyscallTable.get().all()) {
      Line line = lines.remove(e.nr());
      assertTrue(line != null, "no line for " + e.nr() + " " + e.name());
      assertEquals(e.name(), line.name(), "number " + e.nr());
    }
    assertTrue(lines.isEmpty(), "lines without an entry in syscalls.tbl: " + lines);
  }

  @Test
  void shouldAgreeWithTheLevelsOfTheTable() throws IOException {
    Map<Integer, Line> lines = lines();
    for (Entry e : SyscallTable.get().all()) {
      String action = lines.get(e.nr()).action();
      switch (e.level()) {
        case NONE -> assertEquals("ABSENT", action, e.name() + " is none in syscalls.tbl");
        case NEVER ->
            assertEquals(
                e.errno() == Errno.EPERM ? "REFUSED" : "ABSENT", action, e.name() + " is never");
        case FULL, PARTIAL ->
            assertTrue(action.contains("::"), e.name() + " is " + e.level() + " but " + action);
      }
    }
  }
}
