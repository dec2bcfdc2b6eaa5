package redoubt.oci;

import java.util.Map;

/** Writes JSON. */
final class JsonWriter {
  private static final String HEX = "0123456789abcdef";

  private final StringBuilder out;
  private final int step;

  /**
   * @param step spaces a level, negative for one line
   */
  JsonWriter(StringBuilder out, int step) {
    this.out = out;
    this.step = step;
  }

  @SuppressWarnings("IfChainToSwitch") // for the reason in Node
  void write(Json json, int level) {
    if (json instanceof Json.Obj object) {
      out.append('{');
      boolean first = true;
      for (Map.Entry<String, Json> member : object.members().entrySet()) {
        separate(first, level + 1);
        first = false;
        string(member.getKey());
        out.append(step < 0 ? ":" : ": ");
        write(member.getValue(), level + 1);
      }
      close(first, level, '}');
    } else if (json instanceof Json.Arr array) {
      out.append('[');
      boolean first = true;
      for (Json item : array.items()) {
        separate(first, level + 1);
        first = false;
        write(item, level + 1);
      }
      close(first, level, ']');
    } else if (json instanceof Json.Str string) {
      string(string.value());
    } else if (json instanceof Json.Num number) {
      out.append(number.text());
    } else if (json instanceof Json.Bool bool) {
      out.append(bool.value());
    } else {
      out.append("null");
    }
  }

  private void separate(boolean first, int level) {
    if (!first) {
      out.append(',');
    }
    newLine(level);
  }

  private void close(boolean empty, int level, char bracket) {
    if (!empty) {
      newLine(level);
    }
    out.append(bracket);
  }

  private void newLine(int level) {
    if (step >= 0) {
      out.append('\n').repeat(' ', level * step);
    }
  }

  private void string(String text) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"', '\\' -> out.append('\\').append(c);
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        default -> {
          if (c < 0x20 || c == 0x7f || Character.isSurrogate(c) && !paired(text, i)) {
            out.append("\\u");
            for (int shift = 12; shift >= 0; shift -= 4) {
              out.append(HEX.charAt(c >> shift & 15));
            }
          } else {
            out.append(c);
          }
        }
      }
    }
    out.append('"');
  }

  private static boolean paired(String text, int i) {
    char c = text.charAt(i);
    return Character.isHighSurrogate(c)
        ? i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))
        : i > 0 && Character.isHighSurrogate(text.charAt(i - 1));
  }
}
