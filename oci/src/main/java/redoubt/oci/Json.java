package redoubt.oci;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A JSON value (RFC 8259). Numbers keep their text, so that no digit of a 64-bit one is lost;
 * objects keep the order of their members.
 */
public sealed interface Json {
  /** An object; the map is the value's own and may be filled. */
  record Obj(Map<String, Json> members) implements Json {
    public Obj() {
      this(new LinkedHashMap<>());
    }

    public Obj put(String name, Json value) {
      members.put(name, value);
      return this;
    }

    public Obj put(String name, String value) {
      return put(name, new Str(value));
    }

    public Obj put(String name, long value) {
      return put(name, new Num(Long.toString(value)));
    }

    public Obj put(String name, boolean value) {
      return put(name, new Bool(value));
    }

    public @Nullable Json get(String name) {
      return members.get(name);
    }
  }

  /** An array; the list is the value's own and may be filled. */
  record Arr(List<Json> items) implements Json {
    public Arr() {
      this(new ArrayList<>());
    }

    public static Arr ofStrings(List<String> strings) {
      var array = new Arr();
      for (String string : strings) {
        array.items.add(new Str(string));
      }
      return array;
    }

    public Arr add(Json value) {
      items.add(value);
      return this;
    }
  }

  /** A string. */
  record Str(String value) implements Json {}

  /** A number as it was written. */
  record Num(String text) implements Json {}

  /** A truth value. */
  record Bool(boolean value) implements Json {}

  /** The null value. */
  record Null() implements Json {}

  /**
   * Reads one value that fills {@code text}.
   *
   * @throws JsonException with line and column of the first mistake
   */
  static Json parse(String text) {
    return new JsonParser(text).document();
  }

  /** {@return this value on one line} */
  default String compact() {
    var out = new StringBuilder();
    write(this, out, -1);
    return out.toString();
  }

  /** {@return this value with an indentation of {@code step} spaces a level} */
  default String indented(int step) {
    var out = new StringBuilder();
    write(this, out, step);
    return out.toString();
  }

  /** {@return a word for messages, as {@code a string}} */
  default String kind() {
    return switch (this) {
      case Obj o -> "an object";
      case Arr a -> "an array";
      case Str s -> "a string";
      case Num n -> "a number";
      case Bool b -> "a boolean";
      case Null n -> "null";
    };
  }

  private static void write(Json json, StringBuilder out, int step) {
    new JsonWriter(out, step).write(json, 0);
  }
}
