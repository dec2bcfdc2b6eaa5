package redoubt.sentry.fs.proc;

import static redoubt.sentry.fs.proc.TaskTexts.hex16;

import redoubt.sentry.kernel.ControllingTerminal;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.Pid;
import redoubt.sentry.kernel.PidNamespace;
import redoubt.sentry.kernel.ResourceUsage;
import redoubt.sentry.kernel.SeccompFilter;
import redoubt.sentry.kernel.SignalHandlers;
import redoubt.sentry.kernel.Signals;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;
import redoubt.sentry.kernel.Tracing;
import redoubt.sentry.kernel.UserNamespace;
import redoubt.sentry.mm.MemoryManager;
import redoubt.sentry.platform.GuestContext;

/** /proc/PID/stat and status: fs/proc/array.c. */
final class TaskStatus {
  /** Clock ticks are 10 ms. */
  private static final long TICK_NS = 10_000_000;

  private TaskStatus() {}

  private static String stateName(char c) {
    return switch (c) {
      case 'R' -> "R (running)";
      case 'S' -> "S (sleeping)";
      case 'T' -> "T (stopped)";
      case 't' -> "t (tracing stop)";
      case 'Z' -> "Z (zombie)";
      default -> "D (disk sleep)";
    };
  }

  /** {@return the set of signals whose action is to ignore (handler 1), or a function} */
  private static long signalSet(ThreadGroup g, boolean ignored) {
    long set = 0;
    SignalHandlers h = g.handlers();
    synchronized (h.mu) {
      for (int s = 1; s <= 64; s++) {
        long handler = h.action(s).handler;
        if (ignored
            ? handler == SignalHandlers.SIG_IGN
            : handler > SignalHandlers.SIG_IGN || handler < 0) {
          set |= 1L << (s - 1);
        }
      }
    }
    return set;
  }

  /**
   * @param oneTask count this task's CPU time only, as under task/
   */
  static void stat(Task t, StringBuilder o, boolean oneTask, PidNamespace viewer) {
    ThreadGroup g = t.threadGroup();
    boolean dead = t.isDead();
    MemoryManager mm = t.mm();
    ControllingTerminal tty = g.tty;
    boolean trusted = !dead && TaskDir.callerMayInspect(t);
    ResourceUsage children = oneTask ? new ResourceUsage() : g.childrenUsage();
    ThreadGroup parent = g.parent();
    Pid fg = tty == null ? null : tty.foreground();
    o.append(t.tidIn(viewer)).append(" (").append(t.comm()).append(") ").append(t.stateLetter());
    o.append(' ').append(parent == null ? 0 : parent.tgidIn(viewer));
    o.append(' ').append(g.pgrp().in(viewer)).append(' ').append(g.session().in(viewer));
    o.append(' ')
        .append(tty == null ? 0 : tty.device())
        .append(' ')
        .append(tty == null ? -1 : fg == null ? 0 : fg.in(viewer));
    o.append(" 4194560 0 0 0 0 "); // flags (PF_RANDOMIZE), faults: the host takes them
    o.append((oneTask ? t.threadCpuNs() : g.cpuNs()) / TICK_NS).append(' ');
    o.append((oneTask ? t.systemNs() : g.systemNs()) / TICK_NS).append(' ');
    o.append(children.userNs / TICK_NS).append(' ').append(children.systemNs / TICK_NS).append(' ');
    o.append(20 + t.niceness)
        .append(' ')
        .append(t.niceness)
        .append(' ')
        .append(Math.max(1, g.taskCount()));
    o.append(" 0 ").append(Math.max(0, g.startNs - g.kernel().bootNs()) / TICK_NS).append(' ');
    MemoryTexts.Usage u = dead ? MemoryTexts.Usage.NONE : MemoryTexts.usage(t);
    o.append(u.sizeBytes).append(' ').append(u.residentBytes() / 4096).append(' ');
    o.append(Long.toUnsignedString(g.limits.soft(redoubt.abi.Resource.RLIMIT_RSS))).append(' ');
    if (trusted) {
      GuestContext c = t.context();
      o.append(mm.codeStart)
          .append(' ')
          .append(mm.codeEnd)
          .append(' ')
          .append(mm.stackTop)
          .append(' ');
      o.append(
          t == TaskDir.callerOr(t)
              ? c.reg(GuestContext.RSP) + " " + c.reg(GuestContext.RIP)
              : "0 0");
    } else {
      o.append("1 1 0 0 0");
    }
    o.append(' ')
        .append(t.pendingMask() & 0x7fffffff)
        .append(' ')
        .append(t.signalMask() & 0x7fffffff);
    o.append(' ')
        .append(signalSet(g, true) & 0x7fffffff)
        .append(' ')
        .append(signalSet(g, false) & 0x7fffffff);
    o.append(' ').append(t.stateLetter() == 'S' && trusted ? 1 : 0).append(" 0 0 17 0 0 0 0 0 0");
    if (trusted) {
      o.append(' ')
          .append(mm.dataStart)
          .append(' ')
          .append(mm.dataEnd)
          .append(' ')
          .append(mm.brkStart);
      o.append(' ')
          .append(mm.argStart)
          .append(' ')
          .append(mm.argEnd)
          .append(' ')
          .append(mm.envStart);
      o.append(' ').append(mm.envEnd).append(" 0\n");
    } else {
      o.append(" 0 0 0 0 0 0 0 0\n");
    }
  }

  private static void kb(StringBuilder o, String name, long bytes) {
    o.append(name).append(":\t");
    TaskTexts.right(o, bytes / 1024, 8).append(" kB\n");
  }

  static void status(Task t, StringBuilder o, PidNamespace viewer) {
    ThreadGroup g = t.threadGroup();
    boolean dead = t.isDead();
    Credentials c = t.creds();
    o.append("Name:\t").append(escape(t.comm())).append('\n');
    if (!dead) {
      String umask = Integer.toOctalString(t.fs().umask());
      o.append("Umask:\t").append("0".repeat(4 - umask.length())).append(umask).append('\n');
    }
    o.append("State:\t").append(stateName(t.stateLetter()));
    ThreadGroup parent = g.parent();
    UserNamespace names = TaskDir.callerOr(t).userNamespace();
    o.append("\nTgid:\t").append(g.tgidIn(viewer));
    o.append("\nNgid:\t0\nPid:\t").append(t.tidIn(viewer));
    o.append("\nPPid:\t")
        .append(parent == null ? 0 : parent.tgidIn(viewer))
        .append("\nTracerPid:\t");
    Tracing tr = t.tracing();
    o.append(tr == null ? 0 : tr.tracer().tidIn(viewer)).append("\nUid:\t");
    ids(
        o,
        names.uidShown(c.ruid),
        names.uidShown(c.euid),
        names.uidShown(c.suid),
        names.uidShown(c.fsuid));
    o.append("Gid:\t");
    ids(
        o,
        names.gidShown(c.rgid),
        names.gidShown(c.egid),
        names.gidShown(c.sgid),
        names.gidShown(c.fsgid));
    int fdSize =
        dead ? 0 : Math.max(64, Integer.highestOneBit(Math.max(1, t.fds().limit() - 1)) << 1);
    o.append("FDSize:\t").append(fdSize).append("\nGroups:\t");
    for (int gid : c.groups) {
      o.append(Integer.toUnsignedString(names.gidShown(gid))).append(' ');
    }
    if (c.groups.length == 0) {
      o.append(' ');
    }
    o.append("\nNStgid:");
    g.pid().append(o, viewer);
    o.append("\nNSpid:");
    t.pid().append(o, viewer);
    o.append("\nNSpgid:");
    g.pgrp().append(o, viewer);
    o.append("\nNSsid:");
    g.session().append(o, viewer);
    o.append("\nKthread:\t0\n");
    if (!dead) {
      memory(t, o);
    }
    long shared = Signals.pending(t) & ~t.pendingMask();
    o.append("Threads:\t").append(Math.max(1, g.taskCount()));
    o.append("\nSigQ:\t0/").append(g.limits.soft(redoubt.abi.Resource.RLIMIT_SIGPENDING));
    o.append("\nSigPnd:\t").append(hex16(t.pendingMask()));
    o.append("\nShdPnd:\t").append(hex16(shared));
    o.append("\nSigBlk:\t").append(hex16(t.signalMask()));
    o.append("\nSigIgn:\t").append(hex16(signalSet(g, true)));
    o.append("\nSigCgt:\t").append(hex16(signalSet(g, false)));
    o.append("\nCapInh:\t")
        .append(hex16(c.inheritable))
        .append("\nCapPrm:\t")
        .append(hex16(c.permitted));
    o.append("\nCapEff:\t")
        .append(hex16(c.effective))
        .append("\nCapBnd:\t")
        .append(hex16(c.bounding));
    o.append("\nCapAmb:\t")
        .append(hex16(c.ambient))
        .append("\nNoNewPrivs:\t")
        .append(c.noNewPrivs ? 1 : 0);
    SeccompFilter filters = t.seccomp();
    o.append("\nSeccomp:\t").append(t.seccompMode());
    o.append("\nSeccomp_filters:\t").append(filters == null ? 0 : filters.count());
    o.append("\nSpeculation_Store_Bypass:\tvulnerable");
    o.append("\nSpeculationIndirectBranch:\talways enabled\n");
    int cpus = g.kernel().cpus;
    long mask = t.affinity & (cpus >= 64 ? -1L : (1L << cpus) - 1);
    o.append("Cpus_allowed:\t").append(cpuMask(mask, cpus));
    o.append("\nCpus_allowed_list:\t")
        .append(cpuList(mask))
        .append("\nMems_allowed:\t00000000,00000001");
    o.append("\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t").append(t.voluntarySwitches);
    o.append("\nnonvoluntary_ctxt_switches:\t0\n");
  }

  private static void memory(Task t, StringBuilder o) {
    MemoryTexts.Usage u = MemoryTexts.usage(t);
    ThreadGroup g = t.threadGroup();
    g.sawResident(u.residentBytes());
    kb(o, "VmPeak", u.sizeBytes);
    kb(o, "VmSize", u.sizeBytes);
    kb(o, "VmLck", t.mm().lockedBytes());
    kb(o, "VmPin", 0);
    kb(o, "VmHWM", g.maxRssBytes());
    kb(o, "VmRSS", u.residentBytes());
    kb(o, "RssAnon", u.anonymousBytes);
    kb(o, "RssFile", u.fileBytes);
    kb(o, "RssShmem", 0);
    kb(o, "VmData", u.dataBytes);
    kb(o, "VmStk", u.stackBytes);
    kb(o, "VmExe", u.codeBytes);
    kb(o, "VmLib", u.libraryBytes);
    kb(o, "VmPTE", Math.max(4096, u.sizeBytes / 512));
    kb(o, "VmSwap", 0);
    kb(o, "HugetlbPages", 0);
    o.append("CoreDumping:\t0\nTHP_enabled:\t1\nuntag_mask:\t0xffffffffffffffff\n");
  }

  private static void ids(StringBuilder o, int a, int b, int c, int d) {
    o.append(Integer.toUnsignedString(a))
        .append('\t')
        .append(Integer.toUnsignedString(b))
        .append('\t');
    o.append(Integer.toUnsignedString(c))
        .append('\t')
        .append(Integer.toUnsignedString(d))
        .append('\n');
  }

  /** {@return {@code mask} as "ff,ffffffff"} */
  static String cpuMask(long mask, int cpus) {
    if (cpus <= 32) {
      String s = Long.toHexString(mask & 0xffffffffL);
      return "0".repeat(Math.max(0, (cpus + 3) / 4 - s.length())) + s;
    }
    return TaskTexts.hex8((int) (mask >>> 32)) + "," + TaskTexts.hex8((int) mask);
  }

  /** {@return the bits of {@code mask} as "0-3,5"} */
  static String cpuList(long mask) {
    StringBuilder o = new StringBuilder();
    for (int i = 0; i < 64; i++) {
      if ((mask >>> i & 1) == 0) {
        continue;
      }
      int from = i;
      while (i < 63 && (mask >>> (i + 1) & 1) != 0) {
        i++;
      }
      o.append(o.isEmpty() ? "" : ",").append(from);
      if (i > from) {
        o.append('-').append(i);
      }
    }
    return o.toString();
  }

  private static String escape(String comm) {
    return comm.replace("\\", "\\\\").replace("\n", "\\n");
  }
}
