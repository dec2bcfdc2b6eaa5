package redoubt.sentry.syscalls;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.MethodModel;
import java.lang.classfile.attribute.CodeAttribute;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import redoubt.sentry.syscalls.SyscallTable.Entry;
import redoubt.sentry.syscalls.SyscallTable.Level;

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
        case NONE -> assertEquals("-ENOSYS", action, e.name() + " is none in syscalls.tbl");
        case NEVER ->
            assertEquals("-" + redoubt.abi.Errno.name(e.errno()), action, e.name() + " is never");
        case FULL, PARTIAL ->
            assertTrue(
                action.endsWith("(t, a)"), e.name() + " is " + Level.FULL + " but " + action);
      }
    }
  }

  @Test
  void shouldStayUnderHotSpotsLimitForCompilation() throws IOException {
    String name = Amd64Syscalls.class.getSimpleName() + ".class";
    try (InputStream in = Amd64Syscalls.class.getResourceAsStream(name)) {
      ClassModel model = ClassFile.of().parse(in.readAllBytes());
      for (MethodModel m : model.methods()) {
        CodeAttribute code = (CodeAttribute) m.code().orElseThrow();
        assertTrue(
            code.codeLength() < 8000,
            m.methodName().stringValue()
                + " has "
                + code.codeLength()
                + " bytes: split it by range");
      }
    }
  }
}
