package redoubt.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The flags of a verb, and what a command line gave them. Go's forms are understood: {@code -name},
 * {@code --name}, {@code --name=value}, {@code --name value}, one-letter names, and {@code --} to
 * end.
 */
final class Flags {
  private record Flag(String name, String letter, String value, String help) {
    boolean isSwitch() {
      return value.isEmpty();
    }
  }

  private final Map<String, Flag> known = new LinkedHashMap<>();
  private final List<Flag> shown = new ArrayList<>();
  private final Map<String, List<String>> given = new LinkedHashMap<>();
  private final List<String> rest = new ArrayList<>();

  /**
   * Adds a flag that is on or off.
   *
   * @param names {@code name} or {@code name|n}
   */
  Flags flag(String names, String help) {
    return add(names, "", help);
  }

  /**
   * Adds a flag with a value.
   *
   * @param value what the help calls it
   */
  Flags value(String names, String value, String help) {
    return add(names, value, help);
  }

  private Flags add(String names, String value, String help) {
    int bar = names.indexOf('|');
    String name = bar < 0 ? names : names.substring(0, bar);
    var flag = new Flag(name, bar < 0 ? "" : names.substring(bar + 1), value, help);
    known.put(flag.name, flag);
    if (!flag.letter.isEmpty()) {
      known.put(flag.letter, flag);
    }
    shown.add(flag);
    return this;
  }

  /**
   * Reads a command line from word {@code from} on.
   *
   * @param interleaved whether flags may follow the first word that is none
   * @throws UsageException at an unknown flag or a missing value
   */
  void parse(List<String> words, int from, boolean interleaved) {
    for (int i = from; i < words.size(); i++) {
      String word = words.get(i);
      if (word.equals("--")) {
        rest.addAll(words.subList(i + 1, words.size()));
        return;
      }
      if (word.length() < 2 || word.charAt(0) != '-') {
        rest.add(word);
        if (!interleaved) {
          rest.addAll(words.subList(i + 1, words.size()));
          return;
        }
        continue;
      }
      String name = word.substring(word.startsWith("--") ? 2 : 1);
      int equals = name.indexOf('=');
      String value = equals < 0 ? "" : name.substring(equals + 1);
      name = equals < 0 ? name : name.substring(0, equals);
      Flag flag = known.get(name);
      if (flag == null && takesRest(word)) {
        flag = known.get(word.substring(1, 2));
        value = word.substring(2);
        equals = 1;
      }
      if (flag == null) {
        throw new UsageException("unknown flag " + word + "; --help lists them");
      }
      if (flag.isSwitch()) {
        value = truth(word, equals < 0 ? "true" : value);
      } else if (equals < 0) {
        if (++i == words.size()) {
          throw new UsageException("flag --" + flag.name + " needs a value: " + flag.value);
        }
        value = words.get(i);
      }
      given.computeIfAbsent(flag.name, k -> new ArrayList<>()).add(value);
    }
  }

  /** {@return whether the word is a letter with its value right behind it, as in {@code -n1}} */
  private boolean takesRest(String word) {
    Flag flag = word.startsWith("--") ? null : known.get(word.substring(1, 2));
    return flag != null && !flag.isSwitch() && word.length() > 2;
  }

  private static String truth(String word, String value) {
    return switch (value) {
      case "true", "1", "t", "yes" -> "true";
      case "false", "0", "f", "no" -> "false";
      default -> throw new UsageException(word + ": give true or false");
    };
  }

  boolean is(String name) {
    return get(name, "false").equals("true");
  }

  String get(String name, String absent) {
    List<String> values = given.get(name);
    return values == null ? absent : values.getLast();
  }

  List<String> all(String name) {
    return given.getOrDefault(name, List.of());
  }

  int number(String name, int absent) {
    List<String> values = given.get(name);
    if (values == null) {
      return absent;
    }
    try {
      int n = Integer.parseInt(values.getLast());
      if (n >= 0) {
        return n;
      }
    } catch (NumberFormatException e) {
      // Told below.
    }
    throw new UsageException("--" + name + ": '" + values.getLast() + "' is not a number");
  }

  /** {@return the words that are no flags} */
  List<String> rest() {
    return rest;
  }

  /** {@return word {@code index} of the rest} */
  String argument(int index, String what) {
    if (index >= rest.size()) {
      throw new UsageException("missing " + what + "; see --help");
    }
    return rest.get(index);
  }

  /**
   * @throws UsageException if there are more words than {@code limit}
   */
  void atMost(int limit) {
    if (rest.size() > limit) {
      throw new UsageException("unexpected argument '" + rest.get(limit) + "'; see --help");
    }
  }

  /** Describes the flags, one a line. */
  void describe(StringBuilder out) {
    for (Flag flag : shown) {
      String left =
          "  --"
              + flag.name
              + (flag.letter.isEmpty() ? "" : ", -" + flag.letter)
              + (flag.isSwitch() ? "" : " " + flag.value);
      out.append(left).repeat(' ', Math.max(2, 30 - left.length())).append(flag.help).append('\n');
    }
  }
}
