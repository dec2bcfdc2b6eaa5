package redoubt.oci;

/** A strict recursive-descent reader of RFC 8259, with a bound on nesting. */
final class JsonParser {
  private static final int DEPTH_LIMIT = 100;

  private final String text;
  private int at;
  private int depth;

  JsonParser(String text) {
    this.text = text;
  }

  Json document() {
    if (text.startsWith("\ufeff")) {
      at = 1;
    }
    Json json = value();
    space();
    if (at < text.length()) {
      throw error("expected the end of the text, found " + found());
    }
    return json;
  }

  private Json value() {
    space();
    if (at == text.length()) {
      throw error("expected a value, found the end of the text");
    }
    return switch (text.charAt(at)) {
      case '{' -> object();
      case '[' -> array();
      case '"' -> new Json.Str(string());
      case 't' -> word("true", new Json.Bool(true));
      case 'f' -> word("false", new Json.Bool(false));
      case 'n' -> word("null", new Json.Null());
      case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' -> number();
      default -> throw error("expected a value, found " + found());
    };
  }

  private Json object() {
    enter();
    var object = new Json.Obj();
    space();
    if (peek('}')) {
      return leave(object);
    }
    while (true) {
      space();
      if (at == text.length() || text.charAt(at) != '"') {
        throw error("expected a member's name in quotes, found " + found());
      }
      int start = at;
      String name = string();
      space();
      expect(':', "after the member's name");
      Json value = value();
      if (object.members().putIfAbsent(name, value) != null) {
        at = start;
        throw error("member \"" + name + "\" is given twice");
      }
      space();
      if (peek('}')) {
        return leave(object);
      }
      expect(',', "or '}' in an object");
    }
  }

  private Json array() {
    enter();
    var array = new Json.Arr();
    space();
    if (peek(']')) {
      return leave(array);
    }
    while (true) {
      array.add(value());
      space();
      if (peek(']')) {
        return leave(array);
      }
      expect(',', "or ']' in an array");
    }
  }

  private void enter() {
    if (++depth > DEPTH_LIMIT) {
      throw error("nested more than " + DEPTH_LIMIT + " deep");
    }
    at++;
  }

  private Json leave(Json json) {
    depth--;
    return json;
  }

  private String string() {
    int open = at++;
    var out = new StringBuilder();
    while (true) {
      if (at == text.length()) {
        at = open;
        throw error("string without an end");
      }
      char c = text.charAt(at);
      if (c == '"') {
        at++;
        return out.toString();
      }
      if (c < 0x20) {
        throw error("control character in a string; write it as an escape");
      }
      if (c == '\\') {
        at++;
        out.append(escape());
      } else {
        out.append(c);
        at++;
      }
    }
  }

  private char escape() {
    if (at == text.length()) {
      throw error("string without an end");
    }
    char c = text.charAt(at++);
    return switch (c) {
      case '"', '\\', '/' -> c;
      case 'b' -> '\b';
      case 'f' -> '\f';
      case 'n' -> '\n';
      case 'r' -> '\r';
      case 't' -> '\t';
      case 'u' -> {
        int code = 0;
        for (int i = 0; i < 4; i++) {
          int digit = at < text.length() ? Character.digit(text.charAt(at), 16) : -1;
          if (digit < 0) {
            throw error("expected four hexadecimal digits after \\u");
          }
          code = code << 4 | digit;
          at++;
        }
        yield (char) code;
      }
      default -> {
        at--;
        throw error("unknown escape \\" + c);
      }
    };
  }

  private Json number() {
    int start = at;
    peek('-');
    if (peek('0')) {
      if (at < text.length() && isDigit()) {
        throw error("a number may not begin with 0");
      }
    } else {
      digits();
    }
    if (peek('.')) {
      digits();
    }
    if (peek('e') || peek('E')) {
      if (!peek('+')) {
        peek('-');
      }
      digits();
    }
    return new Json.Num(text.substring(start, at));
  }

  private void digits() {
    if (at == text.length() || !isDigit()) {
      throw error("expected a digit, found " + found());
    }
    while (at < text.length() && isDigit()) {
      at++;
    }
  }

  private boolean isDigit() {
    char c = text.charAt(at);
    return c >= '0' && c <= '9';
  }

  private Json word(String word, Json json) {
    if (!text.startsWith(word, at)) {
      throw error("expected a value, found " + found());
    }
    at += word.length();
    return json;
  }

  private void space() {
    while (at < text.length()) {
      char c = text.charAt(at);
      if (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
        return;
      }
      at++;
    }
  }

  private boolean peek(char c) {
    if (at < text.length() && text.charAt(at) == c) {
      at++;
      return true;
    }
    return false;
  }

  private void expect(char c, String where) {
    if (!peek(c)) {
      throw error("expected '" + c + "' " + where + ", found " + found());
    }
  }

  private String found() {
    if (at == text.length()) {
      return "the end of the text";
    }
    char c = text.charAt(at);
    return c > 0x20 && c < 0x7f ? "'" + c + "'" : "character " + (int) c;
  }

  private JsonException error(String message) {
    int line = 1;
    int column = 1;
    for (int i = 0; i < at && i < text.length(); i++) {
      if (text.charAt(i) == '\n') {
        line++;
        column = 1;
      } else {
        column++;
      }
    }
    return new JsonException(line, column, message);
  }
}
