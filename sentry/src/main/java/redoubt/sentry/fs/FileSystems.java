package redoubt.sentry.fs;

import java.util.List;
import java.util.concurrent.ConcurrentSkipListMap;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.Container;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.PidNamespace;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.cgroup.Cgroup;
import redoubt.sentry.vfs.FileSystem;

/** The filesystem types of a kernel, as /proc/filesystems lists them. A subsystem of the kernel. */
public final class FileSystems {
  /**
   * Who mounts, and whose numbers of processes and users count.
   *
   * @param task whose paths options name; null while a container is built
   */
  public record Owner(
      Container container,
      PidNamespace pids,
      Cgroup cgroup,
      Credentials creds,
      @Nullable Task task) {
    public static Owner of(Task t) {
      return new Owner(t.container(), t.pidNamespace(), t.namespaces().cgroup.root, t.creds(), t);
    }
  }

  /** Makes instances of one type. */
  public interface Type {
    /**
     * Makes an instance to be mounted.
     *
     * @param owner whose tasks, names and devices it shows
     * @param source the device argument of mount(2)
     * @param options the data argument, split at commas
     * @throws redoubt.sentry.kernel.ErrnoException EINVAL for options that it does not know
     */
    FileSystem make(Owner owner, String source, List<String> options);
  }

  private final ConcurrentSkipListMap<String, Type> types = new ConcurrentSkipListMap<>();

  public void register(String name, Type type) {
    types.put(name, type);
  }

  /** {@return the type called {@code name}, or null (ENODEV)} */
  public @Nullable Type type(String name) {
    return types.get(name);
  }

  public List<String> names() {
    return List.copyOf(types.keySet());
  }
}
