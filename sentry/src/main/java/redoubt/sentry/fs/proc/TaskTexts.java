package redoubt.sentry.fs.proc;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import redoubt.abi.Resource;
import redoubt.sentry.kernel.ResourceLimits;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.cgroup.Cgroup;
import redoubt.sentry.mm.MemoryManager;
import redoubt.sentry.platform.GuestContext;
import redoubt.sentry.platform.PlatformException;

/** The smaller files of /proc/PID. */
final class TaskTexts {
  private TaskTexts() {}

  /** {@return {@code v} as 16 hex digits} */
  static String hex16(long v) {
    String s = Long.toHexString(v);
    return "0".repeat(16 - s.length()) + s;
  }

  static String hex8(int v) {
    String s = Integer.toHexString(v);
    return "0".repeat(8 - s.length()) + s;
  }

  /** Appends {@code s} and blanks up to {@code width}. */
  static StringBuilder left(StringBuilder o, String s, int width) {
    o.append(s);
    return pad(o, width - s.length());
  }

  /** Appends {@code v} with blanks before it up to {@code width}. */
  static StringBuilder right(StringBuilder o, long v, int width) {
    String s = Long.toString(v);
    return pad(o, width - s.length()).append(s);
  }

  static StringBuilder pad(StringBuilder o, int n) {
    for (int i = 0; i < n; i++) {
      o.append(' ');
    }
    return o;
  }

  /** Most bytes of arguments or environment shown. */
  private static final int STRINGS_LIMIT = 256 * 1024;

  /** {@return bytes [from, to) of the strings that exec laid out, as they are in memory now} */
  private static byte[] strings(Task t, long from, long to) {
    int length = (int) Math.clamp(to - from, 0, STRINGS_LIMIT);
    byte[] now = new byte[length];
    if (length == 0) {
      return now;
    }
    MemoryManager mm = t.mm();
    Task caller = TaskDir.callerOr(t);
    MemorySegment s = MemorySegment.ofArray(now);
    try {
      long got =
          caller.mm() == mm
              ? caller.context().copyIn(from, s, 0, length)
              : mm.space().copyIn(from, s, 0, length);
      if (got == length) {
        return now;
      }
    } catch (PlatformException e) {
      // the process is ending: what exec wrote will do
    }
    byte[] all = mm.arguments;
    int start = (int) Math.clamp(from - mm.argStart, 0, all.length);
    return Arrays.copyOfRange(all, start, Math.min(start + length, all.length));
  }

  /**
   * A program that overwrote its arguments with a title (setproctitle) is shown with it:
   * get_mm_cmdline.
   */
  static void cmdline(Task t, StringBuilder out) {
    if (t.isDead()) {
      return;
    }
    MemoryManager mm = t.mm();
    byte[] b = strings(t, mm.argStart, mm.argEnd);
    if (b.length > 0 && b[b.length - 1] != 0 && mm.envStart == mm.argEnd) {
      b = strings(t, mm.argStart, Math.min(mm.envEnd, mm.argStart + 4096));
      int end = 0;
      while (end < b.length && b[end] != 0) {
        end++;
      }
      b = Arrays.copyOf(b, end);
    }
    out.append(new String(b, StandardCharsets.ISO_8859_1));
  }

  static void environ(Task t, StringBuilder out) {
    if (!t.isDead()) {
      MemoryManager mm = t.mm();
      out.append(new String(strings(t, mm.envStart, mm.envEnd), StandardCharsets.ISO_8859_1));
    }
  }

  static void auxv(Task t, StringBuilder out) {
    if (!t.isDead()) {
      out.append(new String(t.mm().auxv, StandardCharsets.ISO_8859_1));
    }
  }

  static void syscall(Task t, StringBuilder out) {
    int nr = t.currentSyscall();
    if (nr < 0 || t.isDead()) {
      out.append("running\n");
      return;
    }
    GuestContext c = t.context();
    out.append(nr);
    int[] regs = {
      GuestContext.RDI,
      GuestContext.RSI,
      GuestContext.RDX,
      GuestContext.R10,
      GuestContext.R8,
      GuestContext.R9,
      GuestContext.RSP,
      GuestContext.RIP
    };
    for (int r : regs) {
      out.append(" 0x").append(Long.toHexString(c.reg(r)));
    }
    out.append('\n');
  }

  static void io(Task t, StringBuilder out) {
    out.append("rchar: 0\nwchar: 0\nsyscr: ").append(t.syscalls);
    out.append("\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
  }

  static void sched(Task t, StringBuilder out) {
    out.append(t.comm())
        .append(" (")
        .append(t.tidIn(TaskDir.callerOr(t).pidNamespace()))
        .append(", #threads: ")
        .append(t.threadGroup().taskCount());
    out.append(")\n-------------------------------------------------------------------\n");
    long us = t.threadCpuNs() / 1000;
    left(out, "se.sum_exec_runtime", 45).append(":");
    right(out, us / 1000, 15)
        .append('.')
        .append(Long.toString(1_000_000 + us % 1000 * 1000).substring(1))
        .append('\n');
    left(out, "nr_switches", 45).append(":");
    right(out, t.voluntarySwitches, 22).append('\n');
    left(out, "nr_voluntary_switches", 45).append(":");
    right(out, t.voluntarySwitches, 22).append('\n');
    left(out, "prio", 45).append(":");
    right(out, 120 + t.niceness, 22).append('\n');
  }

  private record Limit(int resource, String name, String unit) {}

  private static final Limit[] LIMITS = {
    new Limit(Resource.RLIMIT_CPU, "Max cpu time", "seconds"),
    new Limit(Resource.RLIMIT_FSIZE, "Max file size", "bytes"),
    new Limit(Resource.RLIMIT_DATA, "Max data size", "bytes"),
    new Limit(Resource.RLIMIT_STACK, "Max stack size", "bytes"),
    new Limit(Resource.RLIMIT_CORE, "Max core file size", "bytes"),
    new Limit(Resource.RLIMIT_RSS, "Max resident set", "bytes"),
    new Limit(Resource.RLIMIT_NPROC, "Max processes", "processes"),
    new Limit(Resource.RLIMIT_NOFILE, "Max open files", "files"),
    new Limit(Resource.RLIMIT_MEMLOCK, "Max locked memory", "bytes"),
    new Limit(Resource.RLIMIT_AS, "Max address space", "bytes"),
    new Limit(Resource.RLIMIT_LOCKS, "Max file locks", "locks"),
    new Limit(Resource.RLIMIT_SIGPENDING, "Max pending signals", "signals"),
    new Limit(Resource.RLIMIT_MSGQUEUE, "Max msgqueue size", "bytes"),
    new Limit(Resource.RLIMIT_NICE, "Max nice priority", ""),
    new Limit(Resource.RLIMIT_RTPRIO, "Max realtime priority", ""),
    new Limit(Resource.RLIMIT_RTTIME, "Max realtime timeout", "us"),
  };

  /** proc_cgroup_show: there is one hierarchy, version 2. */
  static void cgroup(Task t, StringBuilder o) {
    Cgroup c = t.cgroup();
    o.append("0::").append(c.pathFrom(TaskDir.callerOr(t).namespaces().cgroup.root));
    o.append(c.isRemoved() ? " (deleted)\n" : "\n");
  }

  static void limits(Task t, StringBuilder out) {
    out.append("Limit                     Soft Limit           Hard Limit           Units     \n");
    ResourceLimits l = t.threadGroup().limits;
    for (Limit x : LIMITS) {
      left(out, x.name, 25).append(' ');
      left(out, bound(l.soft(x.resource)), 20).append(' ');
      left(out, bound(l.hard(x.resource)), 20).append(' ');
      if (!x.unit.isEmpty()) {
        left(out, x.unit, 10);
      }
      out.append('\n');
    }
  }

  private static String bound(long v) {
    return v == ResourceLimits.INFINITY ? "unlimited" : Long.toUnsignedString(v);
  }
}
