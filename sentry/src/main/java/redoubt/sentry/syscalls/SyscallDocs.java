package redoubt.sentry.syscalls;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import redoubt.abi.Errno;
import redoubt.sentry.syscalls.SyscallTable.Entry;
import redoubt.sentry.syscalls.SyscallTable.Level;

/** Prints {@link SyscallTable} for people and programs: text, JSON, CSV, and a Markdown page. */
public final class SyscallDocs {
  private SyscallDocs() {}

  /** Prints the table: {@code SyscallDocs [text|json|csv|markdown]}. */
  public static void main(String[] args) throws IOException {
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    print(args.length == 0 ? "text" : args[0], out);
    out.flush();
  }

  /**
   * Appends the table in {@code format} ("text", "json", "csv" or "markdown").
   *
   * @throws IllegalArgumentException if there is no such format
   */
  public static void print(String format, Appendable out) throws IOException {
    List<Entry> all = SyscallTable.get().all();
    switch (format) {
      case "text" -> text(all, out);
      case "json" -> json(all, out);
      case "csv" -> csv(all, out);
      case "markdown" -> markdown(all, out);
      default ->
          throw new IllegalArgumentException(
              "unknown format \"" + format + "\"; use text, json, csv or markdown");
    }
  }

  private static void text(List<Entry> all, Appendable out) throws IOException {
    out.append(pad("NR", 4)).append(pad("NAME", 24)).append(pad("SUPPORT", 9)).append("NOTE\n");
    for (Entry e : all) {
      String line =
          pad(Integer.toString(e.nr()), 4) + pad(e.name(), 24) + pad(level(e), 9) + note(e);
      out.append(line.stripTrailing()).append('\n');
    }
    out.append('\n').append(summary(all)).append('\n');
  }

  private static void json(List<Entry> all, Appendable out) throws IOException {
    out.append("[\n");
    for (int i = 0; i < all.size(); i++) {
      Entry e = all.get(i);
      out.append("  {\"number\": ").append(Integer.toString(e.nr()));
      out.append(", \"name\": ").append(quote(e.name()));
      out.append(", \"support\": ").append(quote(level(e)));
      if (e.errno() != 0) {
        out.append(", \"errno\": ").append(quote(Errno.name(e.errno())));
      }
      out.append(", \"arguments\": [");
      for (int j = 0; j < e.formats().size(); j++) {
        out.append(j == 0 ? "" : ", ").append(quote(e.formats().get(j)));
      }
      out.append("], \"note\": ").append(quote(e.note()));
      out.append(i + 1 < all.size() ? "},\n" : "}\n");
    }
    out.append("]\n");
  }

  private static void csv(List<Entry> all, Appendable out) throws IOException {
    out.append("number,name,support,errno,arguments,note\n");
    for (Entry e : all) {
      out.append(Integer.toString(e.nr())).append(',').append(e.name()).append(',');
      out.append(level(e)).append(',').append(e.errno() == 0 ? "" : Errno.name(e.errno()));
      out.append(',').append(field(String.join(" ", e.formats())));
      out.append(',').append(field(e.note())).append('\n');
    }
  }

  private static void markdown(List<Entry> all, Appendable out) throws IOException {
    out.append("# System calls of the sentry\n\n");
    out.append("Generated from `syscalls.tbl` by `SyscallDocs markdown`; do not edit.\n\n");
    out.append(summary(all)).append("\n\n");
    out.append("| number | name | support | note |\n|---:|---|---|---|\n");
    for (Entry e : all) {
      out.append("| ").append(Integer.toString(e.nr()));
      out.append(" | [").append(e.name()).append("](https://man7.org/linux/man-pages/man2/");
      out.append(e.name()).append(".2.html) | ").append(level(e)).append(" | ");
      out.append(note(e).replace("|", "\\|")).append(" |\n");
    }
  }

  private static String summary(List<Entry> all) {
    Map<Level, Integer> counts = new EnumMap<>(Level.class);
    for (Level l : Level.values()) {
      counts.put(l, 0);
    }
    for (Entry e : all) {
      counts.merge(e.level(), 1, Integer::sum);
    }
    StringBuilder s = new StringBuilder();
    s.append(all.size()).append(" calls:");
    for (Level l : Level.values()) {
      s.append(s.charAt(s.length() - 1) == ':' ? " " : ", ");
      s.append(counts.get(l)).append(' ').append(l.name().toLowerCase(Locale.ROOT));
    }
    return s.append('.').toString();
  }

  private static String level(Entry e) {
    return e.level().name().toLowerCase(Locale.ROOT);
  }

  private static String note(Entry e) {
    String errno =
        switch (e.level()) {
          case NEVER -> Errno.name(e.errno());
          case NONE -> "ENOSYS";
          case FULL, PARTIAL -> "";
        };
    return errno.isEmpty() || e.note().isEmpty() ? errno + e.note() : errno + ": " + e.note();
  }

  private static String pad(String s, int width) {
    return s.length() < width ? s + " ".repeat(width - s.length()) : s + " ";
  }

  private static String quote(String s) {
    return '"' + s.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }

  private static String field(String s) {
    return s.contains(",") || s.contains("\"") ? '"' + s.replace("\"", "\"\"") + '"' : s;
  }
}
