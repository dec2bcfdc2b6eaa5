package redoubt.sentry.kernel;

/** The system call table of an architecture. */
@FunctionalInterface
public interface Dispatcher {
  /** Makes call {@code a.nr} for {@code t}. Returns 0 or more, or -errno. */
  long dispatch(Task t, Args a);
}
