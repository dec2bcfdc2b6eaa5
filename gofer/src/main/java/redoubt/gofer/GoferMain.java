package redoubt.gofer;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Fcntl;
import redoubt.host.ClassFiles;
import redoubt.host.Fd;
import redoubt.host.FileSystemCalls;
import redoubt.host.HostException;
import redoubt.host.Landlock;
import redoubt.host.Memory;
import redoubt.host.ProcessCalls;
import redoubt.host.Region;
import redoubt.host.SeccompFilter;
import redoubt.host.SeqpacketSocket;
import redoubt.host.UnixStream;

/**
 * The gofer's main class. Started by the launcher with everything that it may touch as open
 * descriptors:
 *
 * <pre>
 *   --socket=FD            the SOCK_SEQPACKET socket to the sentry
 *   --attach=NAME:FD:ro    an attach point: directory or file (O_PATH will do), ro or rw; repeated
 *   --log=FD               where lines go (default: none)
 *   --proc=FD              a directory descriptor of this process's /proc/self/fd; by default it is
 *                          opened here, which needs a /proc at start (it may be detached later)
 *   --ready=FD             stream socket to the launcher: asks it to empty the root directory
 *   --threads=N            threads that serve the first socket (default 2); each lane has two more
 *   --max-fids=N           most files that the sentry may hold (default 131072); RLIMIT_NOFILE bounds it too
 *   --seccomp=off          no filter, for a debugger
 *   --landlock=off         no Landlock
 * </pre>
 *
 * <p>It ends with 0 when the sentry closes its end, and with 1 and one line when it cannot start.
 */
public final class GoferMain {
  /** Descriptors kept free for what is opened for a moment, directories being read and the JVM. */
  private static final int RESERVED_FDS = 256;

  /** Each fid pins a dentry and an inode of the host, and takes some 100 bytes of heap. */
  private static final int FIDS_DEFAULT = 1 << 17;

  private int socket = -1;
  private int logFd = -1;
  private int procFd = -1;
  private int readyFd = -1;
  private int threads = 2;
  private int maxFids = FIDS_DEFAULT;
  private boolean seccomp = true;
  private boolean landlock = true;
  private Attach[] attaches = new Attach[8];
  private int attachCount;

  private GoferMain() {}

  public static void main(String[] args) {
    GoferMain gofer = new GoferMain();
    int status = 0;
    try {
      gofer.parse(args);
      gofer.run();
    } catch (IllegalArgumentException | HostException e) {
      new Log(gofer.logFd >= 0 ? gofer.logFd : 2).line(String.valueOf(e.getMessage()));
      status = 1;
    }
    Runtime.getRuntime().halt(status);
  }

  private void run() {
    Log log = new Log(logFd);
    ProcessCalls.umask(0);
    long limit = ProcessCalls.raiseFileLimit();
    int room = (int) Math.min(limit - RESERVED_FDS, Integer.MAX_VALUE);
    if (room < 64) {
      throw new IllegalArgumentException(
          "the limit on open files, "
              + limit
              + ", is too low: raise it (ulimit -n) to 1024 or more");
    }
    if (procFd < 0) {
      procFd = openProc();
    }
    GoferServer server =
        new GoferServer(
            socket,
            procFd,
            java.util.Arrays.copyOf(attaches, attachCount),
            Math.min(maxFids, room),
            log,
            probeOpenat2());
    Worker[] workers = new Worker[threads];
    for (int i = 0; i < threads; i++) {
      workers[i] = new Worker(server);
    }
    workers[0].rehearse();
    confine(server);
    server.serve(workers);
    // A JVM that trains an AOT cache writes it now: it must not be writable by everybody.
    ProcessCalls.umask(022);
  }

  /**
   * Gives up what is not needed any more. Nothing is opened by path after this: {@link
   * Worker#rehearse} has loaded the classes.
   */
  private void confine(GoferServer server) {
    ProcessCalls.setNotDumpable();
    SeccompFilter filter = GoferFilter.make(server);
    filter.assemble();
    int abi = landlock ? Landlock.abi() : 0;
    if (readyFd >= 0) {
      emptyRoot();
    }
    if (abi >= 2) {
      // Before the workers' threads start: Landlock binds this thread and those that it starts.
      try (Landlock rules = Landlock.forbidAll(abi)) {
        for (int i = 0; i < attachCount; i++) {
          Attach a = attaches[i];
          rules.allowBeneath(a.fd, Worker.isDirectory(a.fd), !a.readOnly);
        }
        rules.enforce();
      }
    }
    if (seccomp) {
      filter.install();
    }
  }

  /** Has the launcher take everything away from our root directory: docs/design/boot.md. */
  private void emptyRoot() {
    ClassFiles.keepReachable();
    byte[] answer = new byte[1];
    try (Fd ready = new Fd(readyFd)) {
      if (UnixStream.send(ready, new byte[] {'R'}, new int[0], true) != 0
          || UnixStream.receive(ready, answer, new ArrayList<>(), 0) != 1
          || answer[0] != 'D') {
        throw new IllegalArgumentException("the launcher could not empty the root directory");
      }
    }
  }

  private static int openProc() {
    try (Arena arena = Arena.ofConfined()) {
      long fd =
          FileSystemCalls.openat(
              Fcntl.AT_FDCWD,
              Memory.cString(arena, "/proc/self/fd").address(),
              Fcntl.O_PATH | Fcntl.O_DIRECTORY | Fcntl.O_CLOEXEC,
              0);
      if (fd < 0) {
        throw new IllegalArgumentException(
            "open /proc/self/fd: "
                + Errno.name((int) -fd)
                + ": mount proc in the gofer's root, or give --proc=FD");
      }
      return (int) fd;
    }
  }

  /** {@return whether the host has openat2(2)} A filter that answers EPERM counts as no. */
  private boolean probeOpenat2() {
    try (Arena arena = Arena.ofConfined()) {
      long fd =
          FileSystemCalls.openat2(
              procFd,
              Memory.cString(arena, ".").address(),
              Fcntl.O_PATH | Fcntl.O_CLOEXEC,
              0,
              Fcntl.RESOLVE_BENEATH,
              Region.of(arena.allocate(FileSystemCalls.OPEN_HOW_BYTES, 8)));
      if (fd >= 0) {
        FileSystemCalls.close((int) fd);
      }
      return fd >= 0;
    }
  }

  private void parse(String[] args) {
    for (String arg : args) {
      int eq = arg.indexOf('=');
      String key = eq < 0 ? arg : arg.substring(0, eq);
      String value = eq < 0 ? "" : arg.substring(eq + 1);
      switch (key) {
        case "--socket" -> socket = number(arg, value);
        case "--log" -> logFd = number(arg, value);
        case "--ready" -> readyFd = number(arg, value);
        case "--proc" -> procFd = number(arg, value);
        case "--threads" -> threads = Math.clamp(number(arg, value), 1, 64);
        case "--max-fids" -> maxFids = Math.max(number(arg, value), 1);
        case "--seccomp" -> seccomp = !value.equals("off");
        case "--landlock" -> landlock = !value.equals("off");
        case "--attach" -> addAttach(arg, value);
        default -> throw new IllegalArgumentException("unknown argument " + arg);
      }
    }
    if (socket < 0 || !SeqpacketSocket.isSeqpacket(socket)) {
      throw new IllegalArgumentException("--socket=FD must name a SOCK_SEQPACKET Unix socket");
    }
  }

  /** NAME:FD:ro or NAME:FD:rw; the name may hold colons. */
  private void addAttach(String arg, String value) {
    int last = value.lastIndexOf(':');
    int middle = last < 0 ? -1 : value.lastIndexOf(':', last - 1);
    @Nullable String mode = last < 0 ? null : value.substring(last + 1);
    if (middle < 0 || !("ro".equals(mode) || "rw".equals(mode))) {
      throw new IllegalArgumentException(arg + ": give --attach=NAME:FD:ro or NAME:FD:rw");
    }
    if (attachCount == attaches.length) {
      attaches = java.util.Arrays.copyOf(attaches, 2 * attachCount);
    }
    attaches[attachCount++] =
        new Attach(
            value.substring(0, middle),
            number(arg, value.substring(middle + 1, last)),
            "ro".equals(mode));
  }

  private static int number(String arg, String digits) {
    int v = 0;
    boolean good = !digits.isEmpty() && digits.length() < 10;
    for (int i = 0; i < digits.length() && good; i++) {
      char c = digits.charAt(i);
      good = c >= '0' && c <= '9';
      v = 10 * v + (c - '0');
    }
    if (!good) {
      throw new IllegalArgumentException(arg + ": not a number");
    }
    return v;
  }
}
