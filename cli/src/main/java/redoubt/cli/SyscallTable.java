package redoubt.cli;

import java.util.ArrayList;
import java.util.List;
import redoubt.oci.Json;
import redoubt.sentry.control.SyscallData;

/** Prints which system calls the sentry has, from the table that the kernel itself uses. */
final class SyscallTable {
  private record Row(String number, String name, String level, String note) {}

  private SyscallTable() {}

  static void print(String format) {
    List<Row> rows = rows();
    var out = new StringBuilder();
    switch (format) {
      case "table" -> {
        var table = new Table("NR", "NAME", "SUPPORT", "NOTE");
        for (Row row : rows) {
          table.row(row.number, row.name, row.level, row.note);
        }
        table.print(out);
      }
      case "csv" -> {
        out.append("number,name,support,note\n");
        for (Row row : rows) {
          out.append(row.number).append(',').append(row.name).append(',').append(row.level);
          out.append(",\"").append(row.note.replace("\"", "\"\"")).append("\"\n");
        }
      }
      case "json" -> {
        var array = new Json.Arr();
        for (Row row : rows) {
          array.add(
              new Json.Obj()
                  .put("number", new Json.Num(row.number))
                  .put("name", row.name)
                  .put("support", row.level)
                  .put("note", row.note));
        }
        out.append(array.indented(2)).append('\n');
      }
      default -> throw new UsageException("--format=" + format + ": give table, json or csv");
    }
    Context.print(out.toString());
  }

  private static List<Row> rows() {
    var rows = new ArrayList<Row>();
    for (String line : SyscallData.text().split("\n")) {
      if (line.isEmpty() || !Character.isDigit(line.charAt(0))) {
        continue;
      }
      int hash = line.indexOf(" #");
      String note = hash < 0 ? "" : line.substring(hash + 2).strip();
      String[] words = (hash < 0 ? line : line.substring(0, hash)).strip().split("\\s+");
      rows.add(new Row(words[0], words[1], words[2], note));
    }
    return rows;
  }
}
