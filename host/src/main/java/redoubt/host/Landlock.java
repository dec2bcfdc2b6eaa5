package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Nr;

/**
 * A Landlock rule set: what the calling thread and the threads that it starts may do below which
 * directories: <a href="https://man7.org/linux/man-pages/man7/landlock.7.html">landlock(7)</a>.
 *
 * <p>Threads that run already are not bound by it (before Linux's ABI 8), so it is a second layer
 * below seccomp, put on before the threads start that handle what others send.
 */
public final class Landlock implements AutoCloseable {
  public static final long EXECUTE = 1;
  public static final long WRITE_FILE = 1 << 1;
  public static final long READ_FILE = 1 << 2;
  public static final long READ_DIR = 1 << 3;
  public static final long REFER = 1 << 13;
  public static final long TRUNCATE = 1 << 14;
  public static final long IOCTL_DEV = 1 << 15;

  /** REMOVE_DIR, REMOVE_FILE and MAKE_* of ABI 1: bits 4 to 12. */
  private static final long CHANGE_DIR = 0x1ff0;

  /** What has a meaning for a file that is not a directory. */
  private static final long FILE_ONLY = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

  private static final int CREATE_RULESET_VERSION = 1;
  private static final int RULE_PATH_BENEATH = 1;

  private final Fd ruleset;
  private final long handled;

  private Landlock(Fd ruleset, long handled) {
    this.ruleset = ruleset;
    this.handled = handled;
  }

  /** {@return the host's Landlock ABI, or 0 if it has none} */
  public static int abi() {
    long v = RawSyscall.syscall(Nr.LANDLOCK_CREATE_RULESET, 0, 0, CREATE_RULESET_VERSION);
    return v < 0 ? 0 : (int) v;
  }

  /**
   * Begins a rule set that forbids all use of files except below what is added.
   *
   * @param abi what {@link #abi} gave, 2 or more: ABI 1 forbids every rename between directories
   * @throws HostException if the host refuses
   */
  public static Landlock forbidAll(int abi) {
    long handled = EXECUTE | WRITE_FILE | READ_FILE | READ_DIR | CHANGE_DIR | REFER;
    if (abi >= 3) {
      handled |= TRUNCATE;
    }
    if (abi >= 5) {
      handled |= IOCTL_DEV;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment attr = arena.allocate(8, 8);
      attr.set(Memory.LONG, 0, handled);
      return new Landlock(
          new Fd(
              (int)
                  HostException.check(
                      "landlock_create_ruleset",
                      RawSyscall.syscall(Nr.LANDLOCK_CREATE_RULESET, attr.address(), 8, 0))),
          handled);
    }
  }

  /** Allows reading, and changing if {@code writable}, below a directory (or of one file). */
  public void allowBeneath(int fd, boolean directory, boolean writable) {
    long access = READ_FILE | READ_DIR;
    if (writable) {
      access |= WRITE_FILE | CHANGE_DIR | REFER | TRUNCATE;
    }
    access &= handled;
    if (!directory) {
      access &= FILE_ONLY;
    }
    try (Arena arena = Arena.ofConfined()) {
      // struct landlock_path_beneath_attr, packed: allowed_access 0, parent_fd 8.
      MemorySegment attr = arena.allocate(16, 8);
      attr.set(Memory.LONG, 0, access);
      attr.set(Memory.INT, 8, fd);
      HostException.check(
          "landlock_add_rule",
          RawSyscall.syscall(
              Nr.LANDLOCK_ADD_RULE, ruleset.number(), RULE_PATH_BENEATH, attr.address(), 0));
    }
  }

  /** Binds the calling thread for ever. Sets no_new_privs. */
  public void enforce() {
    ProcessCalls.setNoNewPrivileges();
    HostException.check(
        "landlock_restrict_self",
        RawSyscall.syscall(Nr.LANDLOCK_RESTRICT_SELF, ruleset.number(), 0));
  }

  @Override
  public void close() {
    ruleset.close();
  }
}
