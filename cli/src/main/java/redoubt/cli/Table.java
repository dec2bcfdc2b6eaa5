package redoubt.cli;

import java.util.ArrayList;
import java.util.List;

/** Rows of text in columns; the last column may be of any width. */
final class Table {
  private final List<String[]> rows = new ArrayList<>();

  Table(String... titles) {
    rows.add(titles);
  }

  void row(String... cells) {
    rows.add(cells);
  }

  void print(StringBuilder out) {
    int columns = rows.get(0).length;
    int[] widths = new int[columns];
    for (String[] row : rows) {
      for (int i = 0; i < columns; i++) {
        widths[i] = Math.max(widths[i], row[i].length());
      }
    }
    for (String[] row : rows) {
      for (int i = 0; i < columns; i++) {
        out.append(row[i]);
        if (i < columns - 1) {
          out.repeat(' ', widths[i] - row[i].length() + 2);
        }
      }
      out.append('\n');
    }
  }
}
