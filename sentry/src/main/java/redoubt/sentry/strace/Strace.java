package redoubt.sentry.strace;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Fcntl;
import redoubt.abi.Futexes;
import redoubt.abi.Ioctls;
import redoubt.abi.Nr;
import redoubt.abi.Socket;
import redoubt.abi.Termios;
import redoubt.host.Fd;
import redoubt.host.RawSyscall;
import redoubt.sentry.syscalls.SyscallTable;
import redoubt.sentry.syscalls.SyscallTable.Arg;
import redoubt.sentry.syscalls.SyscallTable.Count;
import redoubt.sentry.syscalls.SyscallTable.Direction;
import redoubt.sentry.syscalls.SyscallTable.Entry;

/**
 * Prints one line a system call, as strace(1) does: {@code [7] sh: read(3, "abc\n", 4096) = 4 (12
 * µs)}. What the kernel reads is formatted when the call starts, what it writes when it ends; the
 * line is written at the end, in one write(2). A call that does not return is written at its start.
 */
public final class Strace {
  /** Bytes of a buffer that are shown unless told otherwise. */
  public static final int DEFAULT_DATA_BYTES = 64;

  /** Takes finished lines, newline included. Called by many threads at once. */
  @FunctionalInterface
  public interface Sink {
    void line(byte[] utf8);
  }

  private final Sink sink;
  private final int dataBytes;
  private final @Nullable Set<String> only;

  /**
   * Creates a tracer.
   *
   * @param dataBytes most bytes of a buffer to show
   * @param only names of the calls to print; null for all
   */
  public Strace(Sink sink, int dataBytes, @Nullable Set<String> only) {
    // Reads its file now: a confined sentry has none.
    FlagSets.names();
    this.sink = sink;
    this.dataBytes = dataBytes;
    this.only = only == null ? null : Set.copyOf(only);
  }

  /** {@return a sink that writes each line to {@code fd}}; what cannot be written is lost */
  public static Sink toFd(Fd fd) {
    return line -> {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment m = arena.allocateFrom(ValueLayout.JAVA_BYTE, line);
        RawSyscall.syscall(Nr.WRITE, fd.number(), m.address(), line.length);
      }
    };
  }

  /** {@return the tracer of one task}: only that task's thread may use it */
  public Trace newTrace() {
    return new Trace();
  }

  /** The call that one task is in. */
  public final class Trace {
    private final Values values = new Values(dataBytes);
    private final StringBuilder line = new StringBuilder(256);
    private final long[] args = new long[6];
    private final @Nullable String[] texts = new String[6];
    private @Nullable Entry entry;
    private long nr;
    private boolean isShown;
    private volatile @Nullable String current;

    private Trace() {}

    /** Notes the start of a call; its in-arguments are read from {@code mem} now. */
    public void enter(
        UserReader mem,
        int tid,
        String comm,
        long number,
        long a0,
        long a1,
        long a2,
        long a3,
        long a4,
        long a5) {
      nr = number;
      entry = SyscallTable.get().entry(number);
      isShown = only == null || only.contains(SyscallTable.get().name(number));
      if (!isShown) {
        return;
      }
      args[0] = a0;
      args[1] = a1;
      args[2] = a2;
      args[3] = a3;
      args[4] = a4;
      args[5] = a5;
      values.use(mem);
      int count = argCount();
      for (int i = 0; i < count; i++) {
        line.setLength(0);
        texts[i] = formatEntry(i) ? line.toString() : null;
      }
      Entry e = entry;
      if (e != null && e.result().equals("void")) {
        start(tid, comm);
        appendArgs(count, 0, true);
        line.append(") = ?\n");
        write();
        isShown = false;
      }
      current = SyscallTable.get().name(number);
    }

    /**
     * Notes the end of the call that {@link #enter} started and prints its line. Out-arguments are
     * read from {@code mem} now: what the call wrote must be in the guest's memory already.
     *
     * @param result what the guest gets, or a negative internal number of a restart
     */
    public void exit(UserReader mem, int tid, String comm, long result, long durationNs) {
      current = null;
      if (!isShown) {
        return;
      }
      isShown = false;
      values.use(mem);
      start(tid, comm);
      appendArgs(argCount(), result, false);
      line.append(") = ");
      appendResult(result);
      line.append(" (").append(durationNs / 1000).append(" µs)\n");
      write();
    }

    /** {@return the name of the call that the task is in now, or null}; any thread may ask */
    public @Nullable String currentCall() {
      return current;
    }

    private void start(int tid, String comm) {
      line.setLength(0);
      line.append('[').append(tid).append("] ");
      for (int i = 0; i < comm.length(); i++) {
        Values.escape(line, comm.charAt(i) & 0xff);
      }
      line.append(": ").append(SyscallTable.get().name(nr)).append('(');
    }

    private void write() {
      sink.line(line.toString().getBytes(StandardCharsets.UTF_8));
    }

    private int argCount() {
      Entry e = entry;
      return e == null ? 6 : e.args().size();
    }

    private void appendArgs(int count, long result, boolean isEntry) {
      boolean first = true;
      for (int i = 0; i < count; i++) {
        String text = texts[i];
        if (text != null && text.isEmpty()) {
          continue; // an argument that this call does not look at
        }
        line.append(first ? "" : ", ");
        first = false;
        if (text != null) {
          line.append(text);
        }
        if (!isEntry) {
          appendOut(i, text, result);
        } else if (text == null) {
          Values.pointer(line, args[i]);
        }
      }
    }

    /** {@return false if argument {@code i} is only known at the end of the call} */
    private boolean formatEntry(int i) {
      Entry e = entry;
      if (e == null) {
        Values.hex(line, args[i]);
        return true;
      }
      long v = args[i];
      switch (e.args().get(i)) {
        case Arg.Scalar s -> scalar(e, i, s.kind(), v);
        case Arg.Names n when n.combined() ->
            FlagSets.appendFlags(line, n.set(), v & (n.set().equals("unshare") ? -1 : 0xffffffffL));
        case Arg.Names n -> FlagSets.appendValue(line, n.set(), v & 0xffffffffL);
        case Arg.Text t -> values.string(line, v);
        case Arg.Strings s -> values.strings(line, v);
        case Arg.Pointer p -> {
          if (!p.direction().isIn()) {
            return false;
          }
          pointer(p, v, count(p.count(), 0));
        }
        case Arg.Vector p -> {
          if (p.direction() != Direction.IN) {
            return false;
          }
          values.iovecs(line, v, count(p.count(), 0), Long.MAX_VALUE);
        }
        case Arg.Message m -> {
          if (m.direction() != Direction.IN) {
            return false;
          }
          values.msghdr(line, v, Long.MAX_VALUE);
        }
        case Arg.Special s -> {
          return special(s.name(), v, true);
        }
      }
      return true;
    }

    private void appendOut(int i, @Nullable String text, long result) {
      Entry e = entry;
      if (e == null) {
        return;
      }
      long v = args[i];
      int before = line.length();
      if (text != null) {
        boolean changes =
            e.args().get(i) instanceof Arg.Pointer p && p.direction() == Direction.INOUT;
        if (!changes || v == 0 || result < 0) {
          return;
        }
        line.append(" => ");
      } else if (result < 0) {
        Values.pointer(line, v);
        return;
      }
      int start = line.length();
      switch (e.args().get(i)) {
        case Arg.Pointer p -> pointer(p, v, count(p.count(), result));
        case Arg.Vector p -> values.iovecs(line, v, count(p.count(), result), result);
        case Arg.Message m -> values.msghdr(line, v, result);
        case Arg.Special s -> special(s.name(), v, false);
        case Arg.Scalar s -> {}
        case Arg.Names n -> {}
        case Arg.Text t -> {}
        case Arg.Strings s -> {}
      }
      if (text != null && line.substring(start).equals(text)) {
        line.setLength(before);
      }
    }

    private void scalar(Entry e, int i, SyscallTable.Kind kind, long v) {
      if (i == 2 && (e.nr() == Nr.SETSOCKOPT || e.nr() == Nr.GETSOCKOPT)) {
        socketOption((int) args[1], v);
        return;
      }
      switch (kind) {
        case INT, FD, PID, TID -> line.append((int) v);
        case UINT -> line.append(v & 0xffffffffL);
        case UID, GID -> line.append((int) v == -1 ? -1 : v & 0xffffffffL);
        case LONG, OFF -> line.append(v);
        case ULONG, SIZE -> line.append(Long.toUnsignedString(v));
        case HEX -> Values.hex(line, v);
        case PTR -> Values.pointer(line, v);
        case SIG -> Values.signal(line, v);
        case DEV -> Values.dev(line, v);
        case DIRFD -> {
          if ((int) v == Fcntl.AT_FDCWD) {
            line.append("AT_FDCWD");
          } else {
            line.append((int) v);
          }
        }
        case MODE -> {
          boolean unused =
              (e.nr() == Nr.OPEN || e.nr() == Nr.OPENAT)
                  && (args[i - 1] & (Fcntl.O_CREAT | Fcntl.O_TMPFILE & ~Fcntl.O_DIRECTORY)) == 0;
          if (!unused) {
            Values.octal(line, v);
          }
        }
      }
    }

    private void socketOption(int level, long v) {
      String set =
          switch (level) {
            case Socket.SOL_SOCKET -> "so";
            case Socket.SOL_TCP -> "tcp";
            case Socket.SOL_IP -> "ip";
            case Socket.SOL_IPV6 -> "ipv6";
            default -> "";
          };
      if (set.isEmpty()) {
        line.append((int) v);
      } else {
        FlagSets.appendValue(line, set, v & 0xffffffffL);
      }
    }

    private long count(Count c, long result) {
      return switch (c) {
        case Count.Constant k -> k.elements();
        case Count.Argument a -> args[a.index()];
        case Count.Behind b -> values.readInt(args[b.index()]);
        case Count.Result r -> result;
      };
    }

    private void pointer(Arg.Pointer p, long v, long count) {
      switch (p.type().name()) {
        case "buf" -> values.data(line, v, count);
        case "sockopt" -> {
          if (count == 4 && v != 0) {
            values.array(line, "int", 4, true, v, 1);
          } else {
            values.data(line, v, count);
          }
        }
        case "sockaddr" -> values.sockaddr(line, v, count);
        case "dirents64" -> values.dirents64(line, v, count);
        case "fdset" -> values.fdset(line, v, count);
        case "iovec" -> values.iovecs(line, v, count, -1);
        case "dirents", "cpumask" -> Values.pointer(line, v);
        default -> {
          boolean isScalar = p.type().kind() != null;
          boolean one = p.count() instanceof Count.Constant k && k.elements() == 1 && !isScalar;
          if (p.direction() == Direction.OUT && count == 0) {
            line.append(v == 0 ? "NULL" : "[]");
          } else {
            values.array(line, p.type().name(), p.type().bytes(), !one, v, count);
          }
        }
      }
    }

    /** {@return false if the argument is only known at the end of the call} */
    private boolean special(String name, long v, boolean isEntry) {
      return switch (name) {
        case "ioctl" -> ioctl((int) args[1], v, isEntry);
        case "fcntl" -> fcntl((int) args[1], v, isEntry);
        case "futex4" -> {
          int op = (int) args[1] & Futexes.FUTEX_CMD_MASK;
          switch (op) {
            case Futexes.FUTEX_WAIT,
                Futexes.FUTEX_WAIT_BITSET,
                Futexes.FUTEX_LOCK_PI,
                Futexes.FUTEX_LOCK_PI2,
                Futexes.FUTEX_WAIT_REQUEUE_PI ->
                values.array(line, "timespec", 16, false, v, 1);
            case Futexes.FUTEX_REQUEUE,
                Futexes.FUTEX_CMP_REQUEUE,
                Futexes.FUTEX_CMP_REQUEUE_PI,
                Futexes.FUTEX_WAKE_OP ->
                line.append(v & 0xffffffffL);
            default -> Values.hex(line, v);
          }
          yield true;
        }
        case "clone" -> {
          FlagSets.appendFlags(line, "clone", v & ~0xffL);
          if ((v & 0xff) != 0) {
            line.append('|');
            Values.signal(line, v & 0xff);
          }
          yield true;
        }
        default -> {
          Values.hex(line, v);
          yield true;
        }
      };
    }

    private boolean ioctl(int command, long v, boolean isEntry) {
      String type;
      boolean out;
      switch (command) {
        case Termios.TCGETS -> {
          type = "termios";
          out = true;
        }
        case Termios.TCSETS, Termios.TCSETSW, Termios.TCSETSF -> {
          type = "termios";
          out = false;
        }
        case Termios.TIOCGWINSZ -> {
          type = "winsize";
          out = true;
        }
        case Termios.TIOCSWINSZ -> {
          type = "winsize";
          out = false;
        }
        case Ioctls.FIONREAD,
            Termios.TIOCOUTQ,
            Termios.TIOCGPGRP,
            Termios.TIOCGSID,
            Termios.TIOCGPTN -> {
          type = "int";
          out = true;
        }
        case Ioctls.FIONBIO, Ioctls.FIOASYNC, Termios.TIOCSPGRP, Termios.TIOCSPTLCK -> {
          type = "int";
          out = false;
        }
        default -> {
          Values.hex(line, v);
          return true;
        }
      }
      if (out && isEntry) {
        return false;
      }
      int bytes =
          switch (type) {
            case "termios" -> Termios.SIZEOF_TERMIOS;
            case "winsize" -> Termios.SIZEOF_WINSIZE;
            default -> 4;
          };
      values.array(line, type, bytes, type.equals("int"), v, 1);
      return true;
    }

    private boolean fcntl(int command, long v, boolean isEntry) {
      switch (command) {
        case Fcntl.F_GETFD,
            Fcntl.F_GETFL,
            Fcntl.F_GETOWN,
            Fcntl.F_GETSIG,
            Fcntl.F_GETLEASE,
            Fcntl.F_GETPIPE_SZ,
            Fcntl.F_GET_SEALS -> {}
        case Fcntl.F_SETFD -> FlagSets.appendFlags(line, "fd_flags", v);
        case Fcntl.F_SETFL -> FlagSets.appendFlags(line, "open", v & 0xffffffffL);
        case Fcntl.F_ADD_SEALS -> FlagSets.appendFlags(line, "seals", v & 0xffffffffL);
        case Fcntl.F_SETSIG -> Values.signal(line, v);
        case Fcntl.F_SETLK, Fcntl.F_SETLKW, Fcntl.F_OFD_SETLK, Fcntl.F_OFD_SETLKW ->
            values.array(line, "flock", Fcntl.SIZEOF_FLOCK, false, v, 1);
        case Fcntl.F_GETLK, Fcntl.F_OFD_GETLK -> {
          if (isEntry) {
            return false;
          }
          values.array(line, "flock", Fcntl.SIZEOF_FLOCK, false, v, 1);
        }
        default -> line.append(v);
      }
      return true;
    }

    private void appendResult(long result) {
      if (result < 0 && result > -4096) {
        int errno = (int) -result;
        String restart =
            switch (errno) {
              case Errno.ERESTARTSYS -> "ERESTARTSYS";
              case Errno.ERESTARTNOINTR -> "ERESTARTNOINTR";
              case Errno.ERESTARTNOHAND -> "ERESTARTNOHAND";
              case Errno.ERESTART_RESTARTBLOCK -> "ERESTART_RESTARTBLOCK";
              default -> "";
            };
        if (restart.isEmpty()) {
          line.append("-1 ").append(Errno.name(errno));
        } else {
          line.append("? ").append(restart);
        }
        return;
      }
      Entry e = entry;
      switch (e == null ? "hex" : e.result()) {
        case "ptr", "hex" -> Values.hex(line, result);
        case "oct" -> Values.octal(line, result);
        default -> line.append(result);
      }
    }
  }
}
