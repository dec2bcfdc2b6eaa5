package redoubt.sentry.syscalls;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import redoubt.abi.Errno;
import redoubt.sentry.syscalls.SyscallTable.Entry;

/**
 * Compares the dispatcher's switch with {@code syscalls.tbl}, on the source: {@code case 17 ->
 * ReadWrite.pread64(t, a);} for what is there, {@code case 134 -> -ENOSYS; // uselib: never} for
 * what is not.
 */
class SyscallSwitchTest {
  private static final Path SOURCE =
      Path.of(
          System.getProperty("redoubt.root", "."),
          "sentry/src/main/java/redoubt/sentry/syscalls/Amd64Syscalls.java");
  private static final Pattern CASE = Pattern.compile("^\\s*case ([0-9, ]+) ->\\s*(.*)$");
  private static final Pattern FAILURE =
      Pattern.compile("-(E[A-Z0-9]+);(?:\\s*// (\\w+): (none|never).*)?");

  private String source = "";

  @BeforeEach
  void readSource() throws IOException {
    Assumptions.assumeTrue(Files.exists(SOURCE), "no dispatcher yet");
    source = Files.readString(SOURCE);
  }

  @Test
  void shouldAgreeWithTheTable() {
    Map<Integer, String> cases = new TreeMap<>();
    for (String line : source.lines().toList()) {
      Matcher m = CASE.matcher(line);
      if (m.matches()) {
        for (String nr : m.group(1).split(",")) {
          cases.put(Integer.parseInt(nr.strip()), m.group(2).strip());
        }
      }
    }
    List<String> wrong = new ArrayList<>();
    for (Entry e : SyscallTable.get().all()) {
      String code = cases.remove(e.nr());
      String want =
          switch (e.level()) {
            case FULL, PARTIAL -> "a handler";
            case NONE -> "-ENOSYS; // " + e.name() + ": none";
            case NEVER -> "-" + Errno.name(e.errno()) + "; // " + e.name() + ": never";
          };
      if (code == null) {
        wrong.add("no case for " + e.nr() + " " + e.name() + ": want " + want);
        continue;
      }
      Matcher failure = FAILURE.matcher(code);
      String have =
          !failure.matches()
              ? "a handler"
              : "-" + failure.group(1) + "; // " + failure.group(2) + ": " + failure.group(3);
      if (!have.equals(want)) {
        wrong.add(e.nr() + " " + e.name() + ": table wants " + want + ", switch has " + code);
      }
    }
    cases.keySet().forEach(nr -> wrong.add("number " + nr + " is not in the table"));
    assertEquals("", String.join("\n", wrong));
  }

  /** HotSpot compiles no method of 8,000 bytes or more. */
  @Test
  void shouldStayBelowTheCompilersLimit() throws IOException {
    List<Integer> sizes = new ArrayList<>();
    try (InputStream in = SyscallTable.class.getResourceAsStream("Amd64Syscalls.class")) {
      assertTrue(in != null, "Amd64Syscalls is not compiled");
      codeSizes(new DataInputStream(in), sizes);
    }
    int longest = sizes.stream().mapToInt(Integer::intValue).max().orElse(0);
    assertTrue(longest > 100 && longest < 8000, "longest method: " + longest + " bytes");
  }

  /** Reads just so much of the class file format as is needed to find the Code attributes. */
  private static void codeSizes(DataInputStream in, List<Integer> sizes) throws IOException {
    in.skipNBytes(8);
    int constants = in.readUnsignedShort();
    String[] names = new String[constants];
    for (int i = 1; i < constants; i++) {
      int tag = in.readUnsignedByte();
      switch (tag) {
        case 1 -> names[i] = in.readUTF();
        case 5, 6 -> {
          in.skipNBytes(8);
          i++;
        }
        case 7, 8, 16, 19, 20 -> in.skipNBytes(2);
        case 15 -> in.skipNBytes(3);
        default -> in.skipNBytes(4);
      }
    }
    in.skipNBytes(6);
    in.skipNBytes(2L * in.readUnsignedShort());
    for (int kind = 0; kind < 2; kind++) {
      int members = in.readUnsignedShort();
      for (int i = 0; i < members; i++) {
        in.skipNBytes(6);
        int attributes = in.readUnsignedShort();
        for (int j = 0; j < attributes; j++) {
          String name = names[in.readUnsignedShort()];
          int length = in.readInt();
          if (kind == 1 && "Code".equals(name)) {
            in.skipNBytes(4);
            sizes.add(in.readInt());
            in.skipNBytes(length - 8);
          } else {
            in.skipNBytes(length);
          }
        }
      }
    }
  }
}
