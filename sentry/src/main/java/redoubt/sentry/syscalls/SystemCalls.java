package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EINTR;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import redoubt.abi.Caps;
import redoubt.abi.Misc;
import redoubt.abi.Nr;
import redoubt.abi.Utsname;
import redoubt.host.Memory;
import redoubt.host.RawSyscall;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.KernelLog;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.UserIo;
import redoubt.sentry.kernel.Waiter;

/** The system as a whole: names, memory, randomness, the kernel's log. */
final class SystemCalls {
  private SystemCalls() {}

  /** <a href="https://man7.org/linux/man-pages/man2/uname.2.html">uname(2)</a>. */
  static long uname(Task t, Args a) {
    MemorySegment s = t.scratch();
    s.asSlice(0, Utsname.SIZEOF_UTSNAME).fill((byte) 0);
    Latin1.writeZ(s, Utsname.UTSNAME_SYSNAME, "Linux");
    Latin1.writeZ(s, Utsname.UTSNAME_NODENAME, t.uts().hostname());
    Latin1.writeZ(s, Utsname.UTSNAME_RELEASE, Kernel.RELEASE);
    Latin1.writeZ(s, Utsname.UTSNAME_VERSION, Kernel.VERSION);
    Latin1.writeZ(s, Utsname.UTSNAME_MACHINE, "x86_64");
    Latin1.writeZ(s, Utsname.UTSNAME_DOMAINNAME, t.uts().domainname());
    return t.copyOutScratch(a.a0, Utsname.SIZEOF_UTSNAME);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/sethostname.2.html">sethostname(2)</a>. */
  static long sethostname(Task t, Args a) {
    long r = copyName(t, a);
    if (r >= 0) {
      t.uts().setHostname(Latin1.string(t.scratch(), 0, (int) r));
    }
    return Math.min(r, 0);
  }

  /** <a href="https://man7.org/linux/man-pages/man2/getdomainname.2.html">setdomainname(2)</a>. */
  static long setdomainname(Task t, Args a) {
    long r = copyName(t, a);
    if (r >= 0) {
      t.uts().setDomainname(Latin1.string(t.scratch(), 0, (int) r));
    }
    return Math.min(r, 0);
  }

  /** Copies a name to scratch: {@return its length up to a NUL} */
  private static long copyName(Task t, Args a) {
    if (!t.hasCapability(t.uts().owner(), Caps.CAP_SYS_ADMIN)) {
      return -EPERM;
    }
    int length = a.int1();
    if (length < 0 || length > Utsname.__NEW_UTS_LEN) {
      return -EINVAL;
    }
    long r = t.copyInScratch(a.a0, length);
    if (r < 0) {
      return r;
    }
    int n = 0;
    while (n < length && t.scratch().get(Memory.BYTE, n) != 0) {
      n++;
    }
    return n;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/sysinfo.2.html">sysinfo(2)</a>. */
  static long sysinfo(Task t, Args a) {
    Kernel k = t.kernel();
    MemorySegment s = t.scratch();
    s.asSlice(0, Utsname.SIZEOF_SYSINFO).fill((byte) 0);
    long total = k.totalMemoryBytes;
    long shared = k.memoryFile().allocatedBytes();
    s.set(
        Memory.LONG, Utsname.SYSINFO_UPTIME, (Clocks.monotonicNs() - k.bootNs()) / 1_000_000_000L);
    s.set(Memory.LONG, Utsname.SYSINFO_TOTALRAM, total);
    s.set(Memory.LONG, Utsname.SYSINFO_FREERAM, Math.max(0, total - shared));
    s.set(Memory.LONG, Utsname.SYSINFO_SHAREDRAM, shared);
    s.set(Memory.SHORT, Utsname.SYSINFO_PROCS, (short) k.tasks().count());
    s.set(Memory.INT, Utsname.SYSINFO_MEM_UNIT, 1);
    return t.copyOutScratch(a.a0, Utsname.SIZEOF_SYSINFO);
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/getrandom.2.html">getrandom(2)</a>: the host's
   * randomness.
   */
  static long getrandom(Task t, Args a) {
    int flags = a.int2();
    int sources = Misc.GRND_RANDOM | Misc.GRND_INSECURE;
    if ((flags & ~(Misc.GRND_NONBLOCK | sources)) != 0 || (flags & sources) == sources) {
      return -EINVAL;
    }
    long count = Math.min(a.a1 < 0 ? Long.MAX_VALUE : a.a1, UserIo.MAX_RW_COUNT);
    UserIo io = t.userBuffer(a.a0, count);
    long done = 0;
    while (io.remaining() > 0) {
      MemorySegment w = io.window();
      long want = io.windowLimit();
      long n = RawSyscall.syscall(Nr.GETRANDOM, w.address(), want, 0);
      if (n == -EINTR) {
        continue;
      }
      if (n > 0) {
        n = io.commit(n);
      }
      if (n <= 0) {
        return done > 0 ? done : n;
      }
      done += n;
      if (done < count && t.isInterrupted()) {
        return done;
      }
    }
    return done;
  }

  // ---- syslog ----

  /** What syslog(2) remembers: where reading goes on, and what clearing hides. */
  private static final class Log {
    long nextRead;
    long cleared;
  }

  private static Log log(Kernel k) {
    return k.subsystemOrNew(Log.class, Log::new);
  }

  private static final int BUFFER_BYTES = 1 << 18;

  /** <a href="https://man7.org/linux/man-pages/man2/syslog.2.html">syslog(2)</a>. */
  static long syslog(Task t, Args a) {
    int action = a.int0();
    boolean forAll =
        action == Misc.SYSLOG_ACTION_READ_ALL || action == Misc.SYSLOG_ACTION_SIZE_BUFFER;
    if (!forAll && !t.hasCapability(Caps.CAP_SYSLOG)) {
      return -EPERM;
    }
    Log log = log(t.kernel());
    int length = a.int2();
    switch (action) {
      case Misc.SYSLOG_ACTION_CLOSE,
          Misc.SYSLOG_ACTION_OPEN,
          Misc.SYSLOG_ACTION_CONSOLE_OFF,
          Misc.SYSLOG_ACTION_CONSOLE_ON -> {
        return 0;
      }
      case Misc.SYSLOG_ACTION_READ -> {
        if (a.a1 == 0 || length < 0) {
          return -EINVAL;
        }
        return length == 0 ? 0 : read(t, log, a.a1, length);
      }
      case Misc.SYSLOG_ACTION_READ_ALL, Misc.SYSLOG_ACTION_READ_CLEAR -> {
        if (a.a1 == 0 || length < 0) {
          return -EINVAL;
        }
        return length == 0
            ? 0
            : readAll(t, log, a.a1, length, action == Misc.SYSLOG_ACTION_READ_CLEAR);
      }
      case Misc.SYSLOG_ACTION_CLEAR -> {
        List<KernelLog.Entry> all = t.kernel().log().since(0);
        log.cleared = all.isEmpty() ? log.cleared : all.getLast().sequence() + 1;
        return 0;
      }
      case Misc.SYSLOG_ACTION_CONSOLE_LEVEL -> {
        return length < 1 || length > 8 ? -EINVAL : 0;
      }
      case Misc.SYSLOG_ACTION_SIZE_UNREAD -> {
        long n = 0;
        for (KernelLog.Entry e : t.kernel().log().since(log.nextRead)) {
          n += KernelLog.format(e).length();
        }
        return n;
      }
      case Misc.SYSLOG_ACTION_SIZE_BUFFER -> {
        return BUFFER_BYTES;
      }
      default -> {
        return -EINVAL;
      }
    }
  }

  /** Whole lines from where the last read ended; waits for one. */
  private static long read(Task t, Log log, long ubuf, int length) {
    KernelLog messages = t.kernel().log();
    Waiter.Entry entry = t.waitEntry();
    messages.queue.add(entry, 1);
    try {
      for (; ; ) {
        StringBuilder text = new StringBuilder();
        synchronized (log) {
          for (KernelLog.Entry e : messages.since(log.nextRead)) {
            String line = KernelLog.format(e);
            if (text.length() + line.length() > length) {
              break;
            }
            text.append(line);
            log.nextRead = e.sequence() + 1;
          }
        }
        if (!text.isEmpty()) {
          return give(t, ubuf, text.toString());
        }
        long w = t.block(Waiter.FOREVER);
        if (w < 0) {
          return w;
        }
      }
    } finally {
      messages.queue.remove(entry);
    }
  }

  /** The last lines that fit. */
  private static long readAll(Task t, Log log, long ubuf, int length, boolean clear) {
    List<KernelLog.Entry> all = t.kernel().log().since(log.cleared);
    int from = all.size();
    int bytes = 0;
    while (from > 0) {
      int n = KernelLog.format(all.get(from - 1)).length();
      if (bytes + n > length) {
        break;
      }
      bytes += n;
      from--;
    }
    StringBuilder text = new StringBuilder();
    for (KernelLog.Entry e : all.subList(from, all.size())) {
      text.append(KernelLog.format(e));
    }
    if (clear && !all.isEmpty()) {
      log.cleared = all.getLast().sequence() + 1;
    }
    return give(t, ubuf, text.toString());
  }

  private static long give(Task t, long ubuf, String text) {
    byte[] b = Latin1.bytes(text);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment s = arena.allocate(Math.max(1, b.length));
      MemorySegment.copy(b, 0, s, Memory.BYTE, 0, b.length);
      long r = t.copyOutNow(ubuf, s, 0, b.length);
      return r < 0 ? r : b.length;
    }
  }

  // ---- what only a host has ----

  /** <a href="https://man7.org/linux/man-pages/man2/vhangup.2.html">vhangup(2)</a>. */
  static long vhangup(Task t, Args a) {
    return t.hasCapability(Caps.CAP_SYS_TTY_CONFIG) ? 0 : -EPERM;
  }

  /**
   * <a href="https://man7.org/linux/man-pages/man2/reboot.2.html">reboot(2)</a>: refused to
   * everyone.
   */
  static long reboot(Task t, Args a) {
    if (!t.hasCapability(t.pidNamespace().owner(), Caps.CAP_SYS_BOOT)) {
      return -EPERM;
    }
    boolean magic =
        a.int0() == Misc.LINUX_REBOOT_MAGIC1
            && (a.int1() == Misc.LINUX_REBOOT_MAGIC2
                || a.int1() == Misc.LINUX_REBOOT_MAGIC2A
                || a.int1() == Misc.LINUX_REBOOT_MAGIC2B
                || a.int1() == Misc.LINUX_REBOOT_MAGIC2C);
    return magic ? -EPERM : -EINVAL;
  }
}
