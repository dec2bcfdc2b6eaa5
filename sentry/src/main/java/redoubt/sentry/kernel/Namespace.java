package redoubt.sentry.kernel;

import static redoubt.abi.Errno.ENOSPC;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What a group of tasks sees of one kind of thing: <a
 * href="https://man7.org/linux/man-pages/man7/namespaces.7.html">namespaces(7)</a>. Counted by its
 * users (tasks, open files of nsfs, mounts of those, namespaces below); it ends with the last one.
 */
public abstract class Namespace {
  /** Most namespaces of one sandbox that guests can make, of all kinds: /proc/sys/user/max_*. */
  public static final int LIMIT = 10_000;

  private static final AtomicLong NEXT_NUMBER = new AtomicLong(4026532200L);
  private static final AtomicInteger LIVE = new AtomicInteger();

  private final UserNamespace owner;
  private final String kind;
  private final int flag;
  private final long number;
  private final AtomicInteger users = new AtomicInteger(1);
  private final boolean counted;

  /**
   * @param kind its name below /proc/PID/ns
   * @param flag CLONE_NEW*
   * @param owner whose capabilities count for it; null only for the first user namespace
   */
  protected Namespace(String kind, int flag, UserNamespace owner) {
    this(kind, flag, owner, NEXT_NUMBER.getAndIncrement(), false);
  }

  /** With a number that everybody knows: PROC_USER_INIT_INO and its kin of linux/proc_ns.h. */
  @SuppressWarnings("NullAway") // the first user namespace belongs to nobody
  protected Namespace(
      String kind,
      int flag,
      @org.jspecify.annotations.Nullable UserNamespace owner,
      long number,
      boolean counted) {
    this.kind = kind;
    this.flag = flag;
    this.owner = owner == null && this instanceof UserNamespace u ? u : owner;
    this.number = number;
    this.counted = counted;
  }

  /**
   * A namespace that a guest asked for.
   *
   * @throws ErrnoException ENOSPC when there are too many
   */
  protected Namespace(String kind, int flag, UserNamespace owner, Guest marker) {
    this(kind, flag, owner, NEXT_NUMBER.getAndIncrement(), true);
    if (LIVE.incrementAndGet() > LIMIT) {
      LIVE.decrementAndGet();
      throw ErrnoException.of(ENOSPC);
    }
    owner.hold();
  }

  /** Says that a guest makes the namespace, and that it counts. */
  public enum Guest {
    GUEST
  }

  /** {@return the user namespace whose capabilities rule this one} */
  public final UserNamespace owner() {
    return owner;
  }

  /** {@return its name below /proc/PID/ns} */
  public final String kind() {
    return kind;
  }

  /** {@return CLONE_NEW*} */
  public final int flag() {
    return flag;
  }

  /** {@return its inode number in nsfs} */
  public final long number() {
    return number;
  }

  /** One more user. */
  public final void hold() {
    users.incrementAndGet();
  }

  /** One user less; the last one ends it. */
  public final void drop() {
    if (users.decrementAndGet() == 0) {
      ended();
      if (counted) {
        LIVE.decrementAndGet();
        owner.drop();
      }
    }
  }

  /** Nobody is in it and nobody can enter it any more. */
  protected void ended() {}
}
