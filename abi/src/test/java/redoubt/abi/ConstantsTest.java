package redoubt.abi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Compares every constant of this module with what gcc and the host's headers say: {@code
 * constants.txt} names the C expression of each.
 */
class ConstantsTest {
  /** One C program: headers and the expressions to print. */
  private record Unit(String className, String headers, Map<String, String> expressions) {}

  private static final List<Unit> UNITS = new ArrayList<>();
  private static final Map<String, Set<String>> GIVEN = new HashMap<>();

  /** Class name to constant to the value that C prints. */
  private static final Map<String, Map<String, Long>> C_VALUES = new HashMap<>();

  @TempDir static Path scratch;

  @BeforeAll
  static void compileAndRun() throws IOException, InterruptedException {
    readList();
    for (int i = 0; i < UNITS.size(); i++) {
      Unit unit = UNITS.get(i);
      C_VALUES
          .computeIfAbsent(unit.className(), k -> new HashMap<>())
          .putAll(run(unit, scratch.resolve("unit" + i)));
    }
  }

  @Test
  void shouldHaveTheValuesOfTheHostsHeaders() throws ReflectiveOperationException {
    List<String> wrong = new ArrayList<>();
    int compared = 0;
    for (var c : C_VALUES.entrySet()) {
      Class<?> type = Class.forName("redoubt.abi." + c.getKey());
      for (var e : c.getValue().entrySet()) {
        long java = value(type.getField(e.getKey()));
        compared++;
        // Flags with bit 31 are negative ints in Java and may be positive longs in C.
        boolean same =
            java == e.getValue()
                || (type.getField(e.getKey()).getType() == int.class
                    && (int) java == e.getValue().intValue()
                    && e.getValue() >>> 32 == 0);
        if (!same) {
          wrong.add(c.getKey() + "." + e.getKey() + ": Java " + java + ", C " + e.getValue());
        }
      }
    }
    assertEquals(List.of(), wrong);
    assertTrue(compared > 3000, "compared only " + compared);
  }

  @Test
  void shouldCheckEveryConstantOfACheckedClass() throws ReflectiveOperationException {
    List<String> unchecked = new ArrayList<>();
    for (String name : C_VALUES.keySet()) {
      Set<String> known = new HashSet<>(C_VALUES.get(name).keySet());
      known.addAll(GIVEN.getOrDefault(name, Set.of()));
      for (Field f : Class.forName("redoubt.abi." + name).getFields()) {
        boolean number = f.getType() == int.class || f.getType() == long.class;
        if (Modifier.isStatic(f.getModifiers()) && number && !known.contains(f.getName())) {
          unchecked.add(name + "." + f.getName());
        }
      }
    }
    assertEquals(List.of("Caps.CAP_FULL_SET"), unchecked);
  }

  @Test
  void shouldNameEveryCapabilityAsTheHeaderDoes() throws ReflectiveOperationException {
    for (int i = 0; i <= Caps.CAP_LAST_CAP; i++) {
      assertEquals(i, value(Caps.class.getField(Caps.name(i))));
      assertEquals(i, Caps.byName(Caps.name(i)));
    }
    assertEquals(-1, Caps.byName("CAP_NOTHING"));
  }

  private static long value(Field f) throws IllegalAccessException {
    return ((Number) f.get(null)).longValue();
  }

  private static void readList() throws IOException {
    try (var in =
        new BufferedReader(
            new InputStreamReader(
                ConstantsTest.class.getResourceAsStream("/redoubt/abi/constants.txt"),
                StandardCharsets.UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        String[] words = line.split(" ", 3);
        if (line.startsWith("#")) {
          continue;
        }
        if (words[0].equals("unit")) {
          StringBuilder headers = new StringBuilder();
          StringBuilder defines = new StringBuilder();
          for (String h : words[2].split(" ")) {
            if (h.startsWith("#")) {
              defines.append(h.replace('~', ' ')).append('\n');
            } else {
              headers.append("#include ").append(h).append('\n');
            }
          }
          UNITS.add(new Unit(words[1], defines.toString() + headers, new LinkedHashMap<>()));
        } else if (words[0].equals("given")) {
          GIVEN.put(words[1], Set.of(words[2].split(" ")));
        } else {
          UNITS.getLast().expressions().put(words[0], line.substring(words[0].length() + 1));
        }
      }
    }
  }

  private static Map<String, Long> run(Unit unit, Path exe)
      throws IOException, InterruptedException {
    StringBuilder c = new StringBuilder("#define _GNU_SOURCE\n#include <stddef.h>\n");
    c.append(unit.headers());
    c.append("extern int printf(const char *, ...);\nint main(void) {\n");
    unit.expressions()
        .forEach((name, expression) ->
            c.append("printf(\"")
                .append(name)
                .append(" %lld\\n\", (long long)(")
                .append(expression)
                .append("));\n"));
    c.append("return 0;\n}\n");
    Path source = Path.of(exe + ".c");
    Files.writeString(source, c);
    start(unit, List.of("gcc", "-w", "-O0", "-o", exe.toString(), source.toString()));
    Map<String, Long> values = new HashMap<>();
    for (String line : start(unit, List.of(exe.toString())).split("\n")) {
      String[] words = line.split(" ");
      values.put(words[0], Long.parseLong(words[1]));
    }
    return values;
  }

  private static String start(Unit unit, List<String> command)
      throws IOException, InterruptedException {
    Process p;
    try {
      p = new ProcessBuilder(command).redirectErrorStream(true).start();
    } catch (IOException e) {
      throw new UncheckedIOException("gcc is needed (Debian: gcc, libc6-dev)", e);
    }
    String out = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, p.waitFor(), () -> unit.className() + ": " + out);
    return out;
  }
}
