package redoubt.sentry.kernel;

import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import redoubt.abi.Sched;

/**
 * System V objects and POSIX message queues: <a
 * href="https://man7.org/linux/man-pages/man7/ipc_namespaces.7.html">ipc_namespaces(7)</a>. What
 * they are is package {@code ipc}'s; here they are kept, by their class.
 */
public final class IpcNamespace extends Namespace {
  /** A part that gives something back when its namespace ends. */
  public interface Part {
    void namespaceEnded();
  }

  private final ConcurrentHashMap<Class<?>, Object> parts = new ConcurrentHashMap<>();

  /** A container's. */
  public IpcNamespace() {
    super("ipc", Sched.CLONE_NEWIPC, UserNamespace.ROOT);
  }

  IpcNamespace(UserNamespace owner) {
    super("ipc", Sched.CLONE_NEWIPC, owner, Guest.GUEST);
  }

  /** {@return this namespace's one {@code type}}, made by {@code maker} at first use */
  public <T> T part(Class<T> type, Supplier<T> maker) {
    return type.cast(parts.computeIfAbsent(type, k -> maker.get()));
  }

  @Override
  protected void ended() {
    for (Object o : parts.values()) {
      if (o instanceof Part p) {
        p.namespaceEnded();
      }
    }
    parts.clear();
  }
}
