package redoubt.oci;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A JSON object on its way into a record: knows its path, so that a mistake can be named. No
 * pattern switches: each is spun at first use, which no AOT cache keeps, for 2 ms of every start.
 */
final class Node {
  private final Json.Obj object;
  private final String path;

  private Node(Json.Obj object, String path) {
    this.object = object;
    this.path = path;
  }

  static Node root(Json json) {
    if (!(json instanceof Json.Obj object)) {
      throw new SpecException("expected an object, found " + json.kind());
    }
    return new Node(object, "");
  }

  SpecException error(String name, String message) {
    return new SpecException(at(name) + ": " + message);
  }

  boolean has(String name) {
    return present(name) != null;
  }

  String string(String name, String absent) {
    Json json = present(name);
    if (json == null) {
      return absent;
    }
    if (json instanceof Json.Str s) {
      return s.value();
    }
    throw wrong(name, "a string", json);
  }

  boolean flag(String name) {
    Json json = present(name);
    if (json == null) {
      return false;
    }
    if (json instanceof Json.Bool b) {
      return b.value();
    }
    throw wrong(name, "true or false", json);
  }

  /** {@return an integer} Unsigned 64-bit values are taken as their bits. */
  long number(String name, long absent) {
    Json json = present(name);
    return json == null ? absent : number(name, json);
  }

  @Nullable Long optionalNumber(String name) {
    Json json = present(name);
    return json == null ? null : (Long) number(name, json);
  }

  int int32(String name, int absent) {
    long number = number(name, absent);
    if (number < Integer.MIN_VALUE || number > 0xffffffffL) {
      throw error(name, number + " is out of range");
    }
    return (int) number;
  }

  private long number(String name, Json json) {
    if (!(json instanceof Json.Num n)) {
      throw wrong(name, "a whole number", json);
    }
    try {
      String text = n.text();
      return text.startsWith("-") ? Long.parseLong(text) : Long.parseUnsignedLong(text);
    } catch (NumberFormatException e) {
      throw error(name, "expected a whole number of 64 bits, found " + n.text());
    }
  }

  List<String> strings(String name) {
    var strings = new ArrayList<String>();
    int i = 0;
    for (Json item : items(name)) {
      if (!(item instanceof Json.Str s)) {
        throw wrong(name + "[" + i + "]", "a string", item);
      }
      strings.add(s.value());
      i++;
    }
    return strings;
  }

  List<Integer> ints(String name) {
    var ints = new ArrayList<Integer>();
    int i = 0;
    for (Json item : items(name)) {
      ints.add((int) number(name + "[" + i++ + "]", item));
    }
    return ints;
  }

  @Nullable Node object(String name) {
    Json json = present(name);
    if (json == null) {
      return null;
    }
    if (json instanceof Json.Obj o) {
      return new Node(o, at(name));
    }
    throw wrong(name, "an object", json);
  }

  List<Node> objects(String name) {
    var nodes = new ArrayList<Node>();
    int i = 0;
    for (Json item : items(name)) {
      String itemName = name + "[" + i++ + "]";
      if (!(item instanceof Json.Obj o)) {
        throw wrong(itemName, "an object", item);
      }
      nodes.add(new Node(o, at(itemName)));
    }
    return nodes;
  }

  /** {@return a member whose values are all strings} */
  Map<String, String> map(String name) {
    var map = new LinkedHashMap<String, String>();
    Node node = object(name);
    if (node != null) {
      for (String key : node.names()) {
        map.put(key, node.string(key, ""));
      }
    }
    return map;
  }

  Set<String> names() {
    return object.members().keySet();
  }

  private List<Json> items(String name) {
    Json json = present(name);
    if (json == null) {
      return List.of();
    }
    if (json instanceof Json.Arr a) {
      return a.items();
    }
    throw wrong(name, "an array", json);
  }

  private @Nullable Json present(String name) {
    Json json = object.get(name);
    return json instanceof Json.Null ? null : json;
  }

  private String at(String name) {
    return path.isEmpty() ? name : path + "." + name;
  }

  private SpecException wrong(String name, String expected, Json found) {
    return error(name, "expected " + expected + ", found " + found.kind());
  }
}
