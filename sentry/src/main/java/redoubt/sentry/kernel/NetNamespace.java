package redoubt.sentry.kernel;

import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import redoubt.abi.Sched;

/**
 * A network: <a
 * href="https://man7.org/linux/man-pages/man7/network_namespaces.7.html">network_namespaces(7)</a>.
 * What it is made of is package {@code socket}'s; here it is kept, by its class.
 */
public final class NetNamespace extends Namespace {
  private final boolean first;
  private final ConcurrentHashMap<Class<?>, Object> parts = new ConcurrentHashMap<>();

  /** A container's. */
  public NetNamespace() {
    super("net", Sched.CLONE_NEWNET, UserNamespace.ROOT);
    first = true;
  }

  NetNamespace(UserNamespace owner) {
    super("net", Sched.CLONE_NEWNET, owner, Guest.GUEST);
    first = false;
  }

  /** {@return whether this is a container's own network, and not one that a guest made} */
  public boolean isFirst() {
    return first;
  }

  /** {@return this namespace's one {@code type}}, made by {@code maker} at first use */
  public <T> T part(Class<T> type, Supplier<T> maker) {
    return type.cast(parts.computeIfAbsent(type, k -> maker.get()));
  }
}
