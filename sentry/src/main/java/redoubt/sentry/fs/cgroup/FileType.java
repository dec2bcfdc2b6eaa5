package redoubt.sentry.fs.cgroup;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.cgroup.Controller;

/**
 * One of a group's files: Linux's cftype.
 *
 * @param controller what it belongs to; null for what every group has
 * @param delegated whether it may be written in a container's own group, too
 */
record FileType(
    String name,
    int permissions,
    @Nullable Controller controller,
    boolean delegated,
    @Nullable Reader reader,
    @Nullable Writer writer) {

  /** Appends what the file of {@code d} shows. */
  interface Reader {
    void read(Task t, CgroupDir d, StringBuilder out);
  }

  /** Takes what was written to the file of {@code d}; {@return 0 or -errno} */
  interface Writer {
    long write(Task t, CgroupDir d, String text);
  }

  static final List<FileType> ALL = all();

  private static List<FileType> all() {
    List<FileType> out = new ArrayList<>();
    CoreFiles.addTo(out);
    ResourceFiles.addTo(out);
    return List.copyOf(out);
  }

  static FileType shown(String name, @Nullable Controller c, Reader r) {
    return new FileType(name, 0444, c, false, r, null);
  }

  static FileType set(String name, @Nullable Controller c, Reader r, Writer w) {
    return new FileType(name, 0644, c, false, r, w);
  }
}
