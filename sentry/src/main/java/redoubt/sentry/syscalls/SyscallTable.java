package redoubt.sentry.syscalls;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Nr;

/**
 * The system calls as data: {@code syscalls.tbl}, whose header defines the language. Read at first
 * use, which is never on the start path.
 */
public final class SyscallTable {
  /** How much of a system call there is. */
  public enum Level {
    FULL,
    PARTIAL,
    NONE,
    NEVER
  }

  /** Which way the bytes behind a pointer travel. */
  public enum Direction {
    /** The kernel reads them. */
    IN,
    /** The kernel writes them. */
    OUT,
    INOUT;

    public boolean isIn() {
      return this != OUT;
    }

    public boolean isOut() {
      return this != IN;
    }
  }

  /** What a plain register value means. */
  public enum Kind {
    INT(4),
    UINT(4),
    LONG(8),
    ULONG(8),
    SIZE(8),
    OFF(8),
    HEX(8),
    PTR(8),
    FD(4),
    DIRFD(4),
    PID(4),
    TID(4),
    UID(4),
    GID(4),
    MODE(4),
    DEV(8),
    SIG(4);

    /** Bytes that one takes behind a pointer. */
    public final int bytes;

    Kind(int bytes) {
      this.bytes = bytes;
    }
  }

  /** How many elements are behind a pointer. */
  public sealed interface Count {
    /** A constant number. */
    record Constant(int elements) implements Count {}

    /** The value of argument {@code index}. */
    record Argument(int index) implements Count {}

    /** The 32-bit value behind the pointer in argument {@code index}. */
    record Behind(int index) implements Count {}

    /** The call's result. */
    record Result() implements Count {}
  }

  /** One argument. */
  public sealed interface Arg {
    /** A number. */
    record Scalar(Kind kind) implements Arg {}

    /** Names of a set of {@code flags.tbl}: several or'ed, or one of them. */
    record Names(String set, boolean combined) implements Arg {}

    /** A NUL-terminated string of the caller, at most PATH_MAX bytes. */
    record Text(boolean isPath) implements Arg {}

    /** An array of string pointers that ends with a null pointer. */
    record Strings() implements Arg {}

    /** A pointer to {@code count} elements of {@code type}. */
    record Pointer(Direction direction, Type type, Count count) implements Arg {}

    /** A pointer to {@code count} struct iovec; the direction is that of the bytes behind them. */
    record Vector(Direction direction, Count count) implements Arg {}

    /** A pointer to a struct msghdr; the direction is that of the bytes behind it. */
    record Message(Direction direction) implements Arg {}

    /** An argument whose kind another one decides: ioctl, fcntl, futex4, clone. */
    record Special(String name) implements Arg {}
  }

  /**
   * What is behind a pointer.
   *
   * @param name as in the table
   * @param bytes size of one element; 0 for what is counted in bytes (or bits: fdset)
   * @param kind the kind of a scalar, else null
   */
  public record Type(String name, int bytes, @Nullable Kind kind) {}

  /**
   * One system call.
   *
   * @param errno what a call of level NEVER fails with, else 0
   * @param args its arguments in register order, at most six
   * @param formats the same as written in the table
   * @param result "int", "ptr", "fd", "pid", "hex", "oct", "size", "off" or "void"
   */
  public record Entry(
      int nr,
      String name,
      Level level,
      int errno,
      List<Arg> args,
      List<String> formats,
      String result,
      String note) {}

  private static final class Holder {
    static final SyscallTable TABLE = load();
  }

  private final @Nullable Entry[] entries;
  private final Map<String, Entry> byName = new HashMap<>();

  private SyscallTable(@Nullable Entry[] entries) {
    this.entries = entries;
    for (Entry e : entries) {
      if (e != null) {
        byName.put(e.name(), e);
      }
    }
  }

  /** {@return the product's table} */
  public static SyscallTable get() {
    return Holder.TABLE;
  }

  /** {@return the call with number {@code nr}, or null if Linux has none} */
  public @Nullable Entry entry(long nr) {
    return nr >= 0 && nr < entries.length ? entries[(int) nr] : null;
  }

  /** {@return the call of that name, or null} */
  public @Nullable Entry byName(String name) {
    return byName.get(name);
  }

  /** {@return the name of number {@code nr}, as "read", or "syscall_500" where Linux has none} */
  public String name(long nr) {
    Entry e = entry(nr);
    return e == null ? "syscall_" + nr : e.name();
  }

  /** {@return all calls in number order} */
  public List<Entry> all() {
    List<Entry> list = new ArrayList<>();
    for (Entry e : entries) {
      if (e != null) {
        list.add(e);
      }
    }
    return list;
  }

  private static SyscallTable load() {
    try (InputStream in =
        Objects.requireNonNull(
            SyscallTable.class.getResourceAsStream("/redoubt/sentry/syscalls.tbl"))) {
      return parse(new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Parses a table.
   *
   * @throws IllegalArgumentException with the line number and what is wrong there
   */
  static SyscallTable parse(BufferedReader in) throws IOException {
    @Nullable Entry[] entries = new Entry[Nr.LIMIT];
    Map<String, Type> types = new HashMap<>();
    for (Kind k : Kind.values()) {
      String name = k.name().toLowerCase(Locale.ROOT);
      types.put(name, new Type(name, k.bytes, k));
    }
    int lineNumber = 0;
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      lineNumber++;
      try {
        parseLine(line, types, entries);
      } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
        throw new IllegalArgumentException(
            "syscalls.tbl line " + lineNumber + ": " + e.getMessage() + ": " + line, e);
      }
    }
    return new SyscallTable(entries);
  }

  private static void parseLine(String line, Map<String, Type> types, @Nullable Entry[] entries) {
    int hash = line.indexOf('#');
    String note = hash < 0 ? "" : line.substring(hash + 1).strip();
    String code = (hash < 0 ? line : line.substring(0, hash)).strip();
    if (code.isEmpty()) {
      return;
    }
    String[] words = code.split(" +");
    if (words[0].equals("%struct")) {
      types.put(words[1], new Type(words[1], Integer.parseInt(words[2]), null));
      return;
    }
    if (words[0].equals("%bytes")) {
      types.put(words[1], new Type(words[1], 0, null));
      return;
    }
    int nr = Integer.parseInt(words[0]);
    if (entries[nr] != null) {
      throw new IllegalArgumentException("second line for number " + nr);
    }
    int colon = words[2].indexOf(':');
    String levelName = colon < 0 ? words[2] : words[2].substring(0, colon);
    Level level = Level.valueOf(levelName.toUpperCase(Locale.ROOT));
    int errno = colon < 0 ? 0 : errno(words[2].substring(colon + 1));
    if ((level == Level.NEVER) != (errno != 0)) {
      throw new IllegalArgumentException("an errno stands with level never, and only there");
    }
    List<Arg> args = new ArrayList<>();
    List<String> formats = new ArrayList<>();
    String result = "int";
    for (int i = 3; i < words.length; i++) {
      if (words[i].startsWith("=")) {
        result = words[i].substring(1);
      } else {
        args.add(parseArg(words[i], types));
        formats.add(words[i]);
      }
    }
    if (args.size() > 6) {
      throw new IllegalArgumentException("more than six arguments");
    }
    entries[nr] =
        new Entry(
            nr, words[1], level, errno, List.copyOf(args), List.copyOf(formats), result, note);
  }

  private static Arg parseArg(String word, Map<String, Type> types) {
    int colon = word.indexOf(':');
    int open = word.indexOf('(');
    if (open >= 0) {
      String head = word.substring(0, open);
      String[] inner = word.substring(open + 1, word.length() - 1).split(",");
      return switch (head) {
        case "iov_in" -> new Arg.Vector(Direction.IN, count(inner[0]));
        case "iov_out" -> new Arg.Vector(Direction.OUT, count(inner[0]));
        default -> new Arg.Pointer(direction(head), type(inner[0], types), count(inner[1]));
      };
    }
    if (colon >= 0) {
      String head = word.substring(0, colon);
      String tail = word.substring(colon + 1);
      return switch (head) {
        case "flags" -> new Arg.Names(tail, true);
        case "enum" -> new Arg.Names(tail, false);
        default -> new Arg.Pointer(direction(head), type(tail, types), new Count.Constant(1));
      };
    }
    return switch (word) {
      case "path" -> new Arg.Text(true);
      case "str" -> new Arg.Text(false);
      case "argv" -> new Arg.Strings();
      case "msghdr_in" -> new Arg.Message(Direction.IN);
      case "msghdr_out" -> new Arg.Message(Direction.OUT);
      case "ioctl", "fcntl", "futex4", "clone" -> new Arg.Special(word);
      default -> new Arg.Scalar(Kind.valueOf(word.toUpperCase(Locale.ROOT)));
    };
  }

  private static Direction direction(String word) {
    return Direction.valueOf(word.toUpperCase(Locale.ROOT));
  }

  private static Type type(String word, Map<String, Type> types) {
    Type t = types.get(word);
    if (t == null) {
      throw new IllegalArgumentException("unknown type " + word);
    }
    return t;
  }

  private static Count count(String word) {
    if (word.equals("ret")) {
      return new Count.Result();
    }
    if (word.startsWith("*a")) {
      return new Count.Behind(Integer.parseInt(word.substring(2)));
    }
    if (word.startsWith("a")) {
      return new Count.Argument(Integer.parseInt(word.substring(1)));
    }
    return new Count.Constant(Integer.parseInt(word));
  }

  private static int errno(String name) {
    for (int e = 1; e < 134; e++) {
      if (Errno.name(e).equals(name)) {
        return e;
      }
    }
    throw new IllegalArgumentException("unknown errno " + name);
  }
}
