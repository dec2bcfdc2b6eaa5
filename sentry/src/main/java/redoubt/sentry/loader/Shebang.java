package redoubt.sentry.loader;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Limits;

/**
 * The {@code #!} line of a script, by the rules of fs/binfmt_script.c: only the file's first 256
 * bytes count, blanks and tabs separate, and all that follows the interpreter is one argument.
 *
 * @param interpreter path of the interpreter, Latin-1
 * @param argument its one optional argument, or null
 */
public record Shebang(String interpreter, @Nullable String argument) {
  /** Bytes of the file that {@link #parse} looks at. */
  public static final int HEAD_BYTES = Limits.BINPRM_BUF_SIZE;

  /** {@return whether a file that starts with these bytes is a script} */
  public static boolean isScript(byte[] head, int length) {
    return length >= 2 && head[0] == '#' && head[1] == '!';
  }

  /**
   * Parses the first {@code length} (at most {@link #HEAD_BYTES}) bytes of a file for which {@link
   * #isScript} holds.
   *
   * @throws ExecException if there is no interpreter, or its path is cut off
   */
  public static Shebang parse(byte[] head, int length) {
    // As Linux does: on a buffer of 256 bytes that is filled up with NULs.
    byte[] b = Arrays.copyOf(Arrays.copyOf(head, Math.min(length, HEAD_BYTES)), HEAD_BYTES);
    int end = 2;
    while (end < HEAD_BYTES && b[end] != '\n' && b[end] != 0) {
      end++;
    }
    if (end == HEAD_BYTES || b[end] == 0) {
      // No end of line. The argument may be cut off, the path may not.
      int first = skipBlanks(b, 2, HEAD_BYTES);
      if (first == HEAD_BYTES || terminator(b, first, HEAD_BYTES) == HEAD_BYTES) {
        throw new ExecException(
            Errno.ENOEXEC, false, "script: the interpreter's path is cut off at 256 bytes");
      }
      end = HEAD_BYTES - 1;
    }
    while (isBlank(b[end - 1])) {
      end--;
    }
    int name = skipBlanks(b, 2, end);
    if (name == end) {
      throw new ExecException(Errno.ENOEXEC, false, "script: no interpreter after #!");
    }
    int nameEnd = terminator(b, name, end);
    if (nameEnd == name) {
      // Linux opens the empty path, finds the current directory and refuses to run it.
      throw new ExecException(Errno.EACCES, false, "script: no interpreter after #!");
    }
    int argument = nameEnd < end && b[nameEnd] != 0 ? skipBlanks(b, nameEnd, end) : end;
    return new Shebang(text(b, name, nameEnd), argument == end ? null : text(b, argument, end));
  }

  private static int skipBlanks(byte[] b, int from, int end) {
    int i = from;
    while (i < end && isBlank(b[i])) {
      i++;
    }
    return i;
  }

  private static int terminator(byte[] b, int from, int end) {
    int i = from;
    while (i < end && !isBlank(b[i]) && b[i] != 0) {
      i++;
    }
    return i;
  }

  private static boolean isBlank(byte b) {
    return b == ' ' || b == '\t';
  }

  private static String text(byte[] b, int from, int to) {
    int end = from;
    while (end < to && b[end] != 0) {
      end++;
    }
    return new String(b, from, end - from, StandardCharsets.ISO_8859_1);
  }
}
