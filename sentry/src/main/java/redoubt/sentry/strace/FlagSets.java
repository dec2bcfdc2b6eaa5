package redoubt.sentry.strace;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** Names of flags and values: {@code flags.tbl}, whose header says how it reads. */
final class FlagSets {
  private record Name(String name, long value) {}

  /** Bits that hold exactly one of some values. */
  private record Group(long mask, List<Name> names) {}

  private record NameSet(List<Group> groups, List<Name> names) {}

  private static final class Holder {
    static final Map<String, NameSet> SETS = load();
  }

  private FlagSets() {}

  /** Appends {@code value} as names of {@code set}, or'ed; what has no name as a hex number. */
  static void appendFlags(StringBuilder out, String set, long value) {
    NameSet s = set(set);
    int start = out.length();
    long rest = value;
    for (Group g : s.groups) {
      separate(out, start);
      appendOne(out, g.names, value & g.mask);
      rest &= ~g.mask;
    }
    for (Name n : s.names) {
      if (n.value == 0 ? value == 0 && out.length() == start : (rest & n.value) == n.value) {
        separate(out, start);
        out.append(n.name);
        rest &= ~n.value;
      }
    }
    if (rest != 0) {
      separate(out, start);
      out.append("0x").append(Long.toHexString(rest));
    } else if (out.length() == start) {
      out.append('0');
    }
  }

  /** Appends the one name of {@code value} in {@code set}, or the number. */
  static void appendValue(StringBuilder out, String set, long value) {
    NameSet s = set(set);
    if (!s.groups.isEmpty()) {
      appendFlags(out, set, value & 0xffffffffL);
      return;
    }
    appendOne(out, s.names, value);
  }

  /** {@return whether there is a set of that name} */
  static boolean has(String set) {
    return Holder.SETS.containsKey(set);
  }

  /** {@return names of all sets} */
  static Iterable<String> names() {
    return Holder.SETS.keySet();
  }

  private static NameSet set(String name) {
    NameSet s = Holder.SETS.get(name);
    if (s == null) {
      throw new IllegalArgumentException("no flag set " + name);
    }
    return s;
  }

  private static void separate(StringBuilder out, int start) {
    if (out.length() > start) {
      out.append('|');
    }
  }

  /** The kernel looks at the lower 32 bits of nearly all such arguments, and so do we. */
  private static void appendOne(StringBuilder out, List<Name> names, long value) {
    for (Name n : names) {
      if ((int) n.value == (int) value) {
        out.append(n.name);
        return;
      }
    }
    if (value >= 0 && value < 4096) {
      out.append(value);
    } else {
      out.append("0x").append(Long.toHexString(value));
    }
  }

  private static Map<String, NameSet> load() {
    Map<String, NameSet> sets = new HashMap<>();
    try (InputStream in =
            Objects.requireNonNull(
                FlagSets.class.getResourceAsStream("/redoubt/sentry/flags.tbl"));
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (!line.isBlank() && !line.startsWith("#")) {
          parse(line, sets);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return sets;
  }

  private static void parse(String line, Map<String, NameSet> sets) {
    String[] words = line.split(" ");
    List<Group> groups = new ArrayList<>();
    List<Name> names = new ArrayList<>();
    List<Name> target = names;
    for (int i = 2; i < words.length; i++) {
      String word = words[i];
      int brace = word.indexOf('{');
      if (brace >= 0) {
        target = new ArrayList<>();
        groups.add(new Group(resolve(words[1], word.substring(0, brace)).value, target));
        word = word.substring(brace + 1);
      }
      boolean last = word.endsWith("}");
      if (last) {
        word = word.substring(0, word.length() - 1);
      }
      if (word.endsWith("*")) {
        target.addAll(resolveAll(words[1], word.substring(0, word.length() - 1)));
      } else {
        target.add(resolve(words[1], word));
      }
      if (last) {
        target = names;
      }
    }
    if (sets.put(words[0], new NameSet(List.copyOf(groups), List.copyOf(names))) != null) {
      throw new IllegalStateException("flags.tbl: two sets " + words[0]);
    }
  }

  private static Name resolve(String className, String word) {
    int dot = word.indexOf('.');
    String type = dot < 0 ? className : word.substring(0, dot);
    String name = word.substring(dot + 1);
    try {
      return new Name(name, value(Class.forName("redoubt.abi." + type).getField(name)));
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("flags.tbl: no constant " + type + "." + name, e);
    }
  }

  private static List<Name> resolveAll(String className, String word) {
    int dot = word.indexOf('.');
    String type = dot < 0 ? className : word.substring(0, dot);
    String prefix = word.substring(dot + 1);
    List<Name> found = new ArrayList<>();
    try {
      for (Field f : Class.forName("redoubt.abi." + type).getFields()) {
        if (f.getName().startsWith(prefix)
            && (f.getType() == int.class || f.getType() == long.class)) {
          found.add(new Name(f.getName(), value(f)));
        }
      }
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("flags.tbl: " + type, e);
    }
    // Flags of several bits first, so that they are not shown as their parts.
    found.sort(
        Comparator.comparingInt((Name n) -> -Long.bitCount(n.value)).thenComparing(Name::name));
    return found;
  }

  private static long value(Field f) throws IllegalAccessException {
    return f.getType() == int.class ? f.getInt(null) & 0xffffffffL : f.getLong(null);
  }
}
