package redoubt.sentry.fs.overlay;

import static redoubt.abi.Errno.EINVAL;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import redoubt.sentry.kernel.ErrnoException;

/**
 * The options of an overlay: fs/overlayfs/params.c, Documentation/filesystems/overlayfs.rst.
 *
 * @param lowers paths from top to bottom
 * @param upper "" if there is none
 */
public record OverlayOptions(List<String> lowers, String upper, String work) {
  /** OVL_MAX_STACK of fs/overlayfs/super.c. */
  private static final int MOST_LOWERS = 500;

  /**
   * What changes nothing here: there are no redirects, indexes or metacopies, and what is lost in a
   * crash of the kernel is lost anyway.
   */
  private static final Set<String> ACCEPTED =
      Set.of(
          "redirect_dir",
          "index",
          "metacopy",
          "xino",
          "uuid",
          "nfs_export",
          "userxattr",
          "nouserxattr",
          "volatile",
          "default_permissions",
          "verity");

  /** {@return whether {@code option} is one of an overlay's} */
  public static boolean isValid(String option) {
    String name = nameOf(option);
    return switch (name) {
      case "lowerdir", "lowerdir+", "upperdir", "workdir" -> name.length() < option.length();
      default -> ACCEPTED.contains(name);
    };
  }

  private static String nameOf(String option) {
    int eq = option.indexOf('=');
    return eq < 0 ? option : option.substring(0, eq);
  }

  static OverlayOptions parse(List<String> options) {
    List<String> lowers = new ArrayList<>();
    String upper = "";
    String work = "";
    for (String option : options) {
      if (!isValid(option)) {
        throw ErrnoException.of(EINVAL);
      }
      String value = option.substring(option.indexOf('=') + 1);
      switch (nameOf(option)) {
        case "lowerdir" -> lowers = split(value);
        case "lowerdir+" -> lowers.add(value);
        case "upperdir" -> upper = unescaped(value);
        case "workdir" -> work = unescaped(value);
        default -> {}
      }
    }
    if (lowers.isEmpty()
        || lowers.size() > MOST_LOWERS
        || lowers.contains("")
        || (upper.isEmpty() && lowers.size() == 1)
        || (!upper.isEmpty() && work.isEmpty())) {
      throw ErrnoException.of(EINVAL);
    }
    return new OverlayOptions(List.copyOf(lowers), upper, work);
  }

  /** Colons part the names, unless a backslash stands before them. */
  private static List<String> split(String value) {
    List<String> out = new ArrayList<>();
    StringBuilder name = new StringBuilder();
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      if (c == '\\' && i + 1 < value.length()) {
        name.append(value.charAt(++i));
      } else if (c == ':') {
        out.add(name.toString());
        name.setLength(0);
      } else {
        name.append(c);
      }
    }
    out.add(name.toString());
    return out;
  }

  private static String unescaped(String value) {
    return String.join(":", split(value));
  }

  /** {@return what /proc/mounts shows} */
  String shown() {
    String s = ",lowerdir=" + String.join(":", lowers);
    return upper.isEmpty() ? s : s + ",upperdir=" + upper + ",workdir=" + work;
  }
}
