package redoubt.net.stack;

/** The stack's only source of time: nanoseconds that never go back. */
@FunctionalInterface
public interface Clock {
  long nowNs();
}
