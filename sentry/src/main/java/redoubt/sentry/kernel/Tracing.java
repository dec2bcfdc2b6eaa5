package redoubt.sentry.kernel;

import org.jspecify.annotations.Nullable;

/**
 * How one task is traced by another: what Linux keeps in task_struct's ptrace fields. Guarded by
 * {@code TaskSet.mu} unless a field says otherwise; the tracer touches the tracee's registers and
 * memory only while it holds {@link #accessMu}, which the tracee takes before it goes on.
 *
 * <pre>
 *   running  --stop-->  stopped  --PTRACE_CONT and kin, detach, SIGKILL-->  running
 *                       stopped  --PTRACE_LISTEN-->  stopped, listening
 * </pre>
 */
public final class Tracing {
  public static final int O_TRACESYSGOOD = 1;
  public static final int O_TRACEFORK = 2;
  public static final int O_TRACEVFORK = 4;
  public static final int O_TRACECLONE = 8;
  public static final int O_TRACEEXEC = 0x10;
  public static final int O_TRACEVFORKDONE = 0x20;
  public static final int O_TRACEEXIT = 0x40;
  public static final int O_TRACESECCOMP = 0x80;
  public static final int O_EXITKILL = 0x100000;
  public static final int O_SUSPEND_SECCOMP = 0x200000;
  public static final int O_MASK = 0x3000ff;

  public static final int EVENT_FORK = 1;
  public static final int EVENT_VFORK = 2;
  public static final int EVENT_CLONE = 3;
  public static final int EVENT_EXEC = 4;
  public static final int EVENT_VFORK_DONE = 5;
  public static final int EVENT_EXIT = 6;
  public static final int EVENT_SECCOMP = 7;
  public static final int EVENT_STOP = 128;

  /** How a tracee was let go on. */
  public enum Mode {
    CONTINUE,
    SYSCALL,
    SYSEMU
  }

  /** Where in a system call the tracee stands, for PTRACE_GET_SYSCALL_INFO. */
  public enum Place {
    NONE,
    ENTRY,
    EXIT,
    SECCOMP
  }

  /** Held while the tracer is at the tracee's registers or memory. */
  public final Object accessMu = new Object();

  final Task tracer;
  final boolean seized;
  volatile int options;

  boolean stopped;
  boolean listening;

  /** What wait(2) tells: a signal, with an event in the second byte. */
  int code;

  /** The stop was waited for already. */
  boolean reported;

  /** A group stop, of which PTRACE_GETSIGINFO knows nothing. */
  @Nullable SignalInfo info;

  long message;
  Place place = Place.NONE;

  /** The signal that the tracer lets the tracee go on with. */
  int resumeSignal;

  volatile Mode mode = Mode.CONTINUE;
  volatile boolean singleStep;

  /** PTRACE_INTERRUPT, or a group stop that a seized tracee has still to tell of. */
  volatile boolean trapPending;

  /** It was let go on during the group stop that is still in force. */
  volatile boolean ranPastStop;

  Tracing(Task tracer, boolean seized, int options) {
    this.tracer = tracer;
    this.seized = seized;
    this.options = options;
  }

  public boolean isSeized() {
    return seized;
  }

  /** {@return the tracer's thread} */
  public Task tracer() {
    return tracer;
  }

  public int options() {
    return options;
  }

  public void setOptions(int o) {
    options = o;
  }

  boolean wants(int option) {
    return (options & option) != 0;
  }

  public boolean isStopped() {
    return stopped;
  }

  public boolean isListening() {
    return listening;
  }

  public int code() {
    return code;
  }

  public long message() {
    return message;
  }

  public Place place() {
    return place;
  }

  public @Nullable SignalInfo info() {
    return info;
  }

  public void setInfo(SignalInfo i) {
    info = i;
  }
}
