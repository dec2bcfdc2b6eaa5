package redoubt.sentry.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import redoubt.abi.Resource;
import redoubt.abi.Signal;
import redoubt.host.Memory;
import redoubt.sentry.arch.UserRegs;
import redoubt.sentry.mm.Vma;
import redoubt.sentry.platform.GuestContext;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.SetAttr;
import redoubt.sentry.vfs.Vfs;

/**
 * The memory and registers of a process that a signal ends, as an ELF file: <a
 * href="https://man7.org/linux/man-pages/man5/core.5.html">core(5)</a>, fs/binfmt_elf.c. Patterns
 * that begin with a pipe name no program here.
 */
public final class CoreDump {
  private static final int PAGE = 4096;
  private static final int EHDR = 64;
  private static final int PHDR = 56;
  private static final int CHUNK = 64 * 1024;

  /** No more memory is looked at than this, whatever RLIMIT_CORE says. */
  private static final long MAX_BYTES = 8L << 30;

  /** How long the other threads have to come to rest. */
  private static final long REST_NS = 200_000_000L;

  private static final int NT_PRSTATUS = 1;
  private static final int NT_PRFPREG = 2;
  private static final int NT_PRPSINFO = 3;
  private static final int NT_AUXV = 6;
  private static final int NT_SIGINFO = 0x53494749;
  private static final int NT_FILE = 0x46494c45;
  private static final int SIZEOF_PRSTATUS = 336;
  private static final int SIZEOF_PRPSINFO = 136;

  /** /proc/sys/kernel/core_pattern and core_uses_pid. A subsystem of the kernel. */
  public static final class Settings {
    public volatile String pattern = "core";
    public volatile boolean usesPid;

    public static Settings of(Kernel k) {
      return k.subsystemOrNew(Settings.class, Settings::new);
    }
  }

  private final Task t;
  private final ThreadGroup g;
  private final SignalInfo info;
  private final List<byte[]> notes = new ArrayList<>();
  private int noteBytes;

  private CoreDump(Task t, SignalInfo info) {
    this.t = t;
    this.g = t.threadGroup();
    this.info = info;
  }

  /** Writes the core of {@code t}'s process, if it is to have one. Returns whether it did. */
  static boolean write(Task t, SignalInfo info) {
    ThreadGroup g = t.threadGroup();
    long limit = g.limits.soft(Resource.RLIMIT_CORE);
    if (!SignalHandlers.dumpsByDefault(info.signo) || limit == 0 || !g.dumpable || g.exiting) {
      return false;
    }
    long bytes = limit < 0 ? MAX_BYTES : Math.min(limit, MAX_BYTES);
    try {
      return new CoreDump(t, info).write(bytes);
    } catch (ErrnoException e) {
      return false;
    }
  }

  private boolean write(long limit) {
    Settings s = Settings.of(t.kernel());
    if (s.pattern.isEmpty() || s.pattern.startsWith("|") || limit < PAGE) {
      return false;
    }
    FileDescription f = open(name(s));
    List<Task> others = freezeOthers();
    try (Arena arena = Arena.ofConfined()) {
      writeTo(f, arena, limit);
      return true;
    } finally {
      f.decRef();
      for (Task o : others) {
        o.halt(Task.HALT_DUMPED, false);
        o.waiter().wake();
      }
    }
  }

  private String name(Settings s) {
    StringBuilder out = new StringBuilder();
    boolean hasPid = false;
    String p = s.pattern;
    for (int i = 0; i < p.length(); i++) {
      char c = p.charAt(i);
      if (c != '%' || i + 1 == p.length()) {
        out.append(c == '%' ? "" : c);
        continue;
      }
      switch (p.charAt(++i)) {
        case '%' -> out.append('%');
        case 'p' -> {
          out.append(g.tgid());
          hasPid = true;
        }
        case 'P' -> out.append(g.tgid());
        case 'i', 'I' -> out.append(t.tid());
        case 'u' -> out.append(Integer.toUnsignedString(t.creds().ruid));
        case 'g' -> out.append(Integer.toUnsignedString(t.creds().rgid));
        case 's' -> out.append(info.signo);
        case 't' -> out.append(Clocks.realtimeNs() / 1_000_000_000L);
        case 'h' -> out.append(t.uts().hostname());
        case 'e', 'f' -> out.append(t.comm().replace('/', '!'));
        case 'c' -> out.append(Long.toUnsignedString(g.limits.soft(Resource.RLIMIT_CORE)));
        default -> {}
      }
    }
    if (!hasPid && s.usesPid) {
      out.append('.').append(g.tgid());
    }
    return out.toString();
  }

  /** A regular file of one name that is the process' own, emptied: do_coredump. */
  private FileDescription open(String name) {
    int flags = Vfs.O_CREAT | FileDescription.O_RDWR | Vfs.O_NOFOLLOW;
    FileDescription f =
        Vfs.open(t, t.startAt(redoubt.abi.Fcntl.AT_FDCWD, name), name, flags, 0600, 0);
    Inode inode = f.inode();
    inode.stat(t.statData());
    if (!inode.isRegular() || t.statData().nlink != 1 || inode.uid() != t.creds().fsuid) {
      f.decRef();
      throw ErrnoException.of(redoubt.abi.Errno.EPERM);
    }
    SetAttr a = new SetAttr();
    a.valid = SetAttr.SIZE;
    inode.setattr(a);
    return f;
  }

  private List<Task> freezeOthers() {
    List<Task> others = new ArrayList<>();
    for (Task o : g.tasks()) {
      if (o != t && !o.isDead()) {
        o.halt(Task.HALT_DUMPED, true);
        o.interrupt();
        others.add(o);
      }
    }
    long deadline = System.nanoTime() + REST_NS;
    for (Task o : others) {
      while (!o.waiter().isBlocked() && !o.isDead() && System.nanoTime() < deadline) {
        t.waiter().block(System.nanoTime() + 1_000_000L, false);
      }
    }
    return others;
  }

  // ---- notes ----

  private void note(String name, int type, byte[] data) {
    int size = 12 + 8 + (data.length + 3 & ~3);
    byte[] b = new byte[size];
    MemorySegment m = MemorySegment.ofArray(b);
    m.set(Memory.INT, 0, name.length() + 1);
    m.set(Memory.INT, 4, data.length);
    m.set(Memory.INT, 8, type);
    byte[] n = name.getBytes(StandardCharsets.ISO_8859_1);
    System.arraycopy(n, 0, b, 12, n.length);
    System.arraycopy(data, 0, b, 20, data.length);
    notes.add(b);
    noteBytes += size;
  }

  private void makeNotes(Arena arena, List<Vma> vmas) {
    thread(arena, t);
    note("CORE", NT_PRPSINFO, processInfo());
    MemorySegment s = arena.allocate(Signal.SIZEOF_SIGINFO, 8);
    info.write(s, 0);
    note("CORE", NT_SIGINFO, s.toArray(Memory.BYTE));
    note("CORE", NT_AUXV, t.mm().auxv);
    note("CORE", NT_FILE, files(vmas));
    floatingPoint(arena, t);
    for (Task o : g.tasks()) {
      if (o != t && o.waiter().isBlocked()) {
        thread(arena, o);
        floatingPoint(arena, o);
      }
    }
  }

  private void thread(Arena arena, Task o) {
    MemorySegment s = arena.allocate(SIZEOF_PRSTATUS, 8);
    s.set(Memory.INT, 0, info.signo);
    s.set(Memory.INT, 4, info.code);
    s.set(Memory.INT, 8, info.errno);
    s.set(Memory.SHORT, 12, (short) info.signo);
    s.set(Memory.LONG, 16, o.pendingMask());
    s.set(Memory.LONG, 24, o.signalMask());
    s.set(Memory.INT, 32, o.tid());
    s.set(Memory.INT, 36, g.ppid());
    s.set(Memory.INT, 40, g.pgid());
    s.set(Memory.INT, 44, g.sid());
    long us = o.cpuNs() / 1000;
    s.set(Memory.LONG, 48, us / 1_000_000);
    s.set(Memory.LONG, 56, us % 1_000_000);
    UserRegs.write(o, s, 112);
    s.set(Memory.INT, 328, 1); // pr_fpvalid
    note("CORE", NT_PRSTATUS, s.toArray(Memory.BYTE));
  }

  private void floatingPoint(Arena arena, Task o) {
    MemorySegment s = arena.allocate(GuestContext.FP_LIMIT, 64);
    o.context().saveFpState(s, 0);
    note("CORE", NT_PRFPREG, s.asSlice(0, 512).toArray(Memory.BYTE));
  }

  private byte[] processInfo() {
    byte[] b = new byte[SIZEOF_PRPSINFO];
    MemorySegment m = MemorySegment.ofArray(b);
    b[1] = 'R';
    b[3] = (byte) t.niceness;
    m.set(java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED, 16, t.creds().ruid);
    m.set(java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED, 20, t.creds().rgid);
    m.set(java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED, 24, g.tgid());
    m.set(java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED, 28, g.ppid());
    m.set(java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED, 32, g.pgid());
    m.set(java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED, 36, g.sid());
    byte[] comm = Latin1.bytes(t.comm());
    System.arraycopy(comm, 0, b, 40, Math.min(comm.length, 15));
    byte[] args = t.mm().arguments;
    int n = (int) Math.min(Math.min(args.length, t.mm().argEnd - t.mm().argStart), 79);
    for (int i = 0; i < n; i++) {
      b[56 + i] = args[i] == 0 ? (byte) ' ' : args[i];
    }
    return b;
  }

  /** NT_FILE: which file is mapped where, in pages. */
  private byte[] files(List<Vma> vmas) {
    List<Vma> mapped = new ArrayList<>();
    StringBuilder names = new StringBuilder();
    for (Vma v : vmas) {
      var p = v.path();
      if (v.file() != null && p != null && names.length() < 1 << 20) {
        mapped.add(v);
        names.append(PathWalk.textOf(p, t.fs().root())).append('\0');
      }
    }
    byte[] text = Latin1.bytes(names.toString());
    byte[] b = new byte[16 + 24 * mapped.size() + text.length];
    MemorySegment m = MemorySegment.ofArray(b);
    var word = java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
    m.set(word, 0, mapped.size());
    m.set(word, 8, PAGE);
    for (int i = 0; i < mapped.size(); i++) {
      Vma v = mapped.get(i);
      m.set(word, 16 + 24L * i, v.start());
      m.set(word, 24 + 24L * i, v.end());
      m.set(word, 32 + 24L * i, v.offset() / PAGE);
    }
    System.arraycopy(text, 0, b, 16 + 24 * mapped.size(), text.length);
    return b;
  }

  // ---- the file ----

  /** {@return how much of {@code v} goes into the file}: what coredump_filter 0x33 says */
  private static long dumped(Vma v) {
    if ((v.prot() & 7) == 0) {
      return 0;
    }
    if (v.file() == null || v.isShared() && v.path() == null) {
      return v.end() - v.start();
    }
    if (!v.isShared() && v.isWritable()) {
      return v.end() - v.start(); // it may have pages of its own
    }
    return v.offset() == 0 && !v.isShared() ? PAGE : 0; // the ELF header
  }

  private void writeTo(FileDescription f, Arena arena, long limit) {
    List<Vma> vmas = t.mm().snapshot();
    if (vmas.size() > 65000) {
      vmas = vmas.subList(0, 65000);
    }
    makeNotes(arena, vmas);
    long headers = EHDR + (long) PHDR * (vmas.size() + 1);
    MemorySegment h = arena.allocate(headers, 8);
    h.set(Memory.INT, 0, 0x464c457f);
    h.set(Memory.INT, 4, 0x00010102); // 64 bits, little endian, version 1
    h.set(Memory.SHORT, 16, (short) 4); // ET_CORE
    h.set(Memory.SHORT, 18, (short) 62);
    h.set(Memory.INT, 20, 1);
    h.set(Memory.LONG, 32, EHDR);
    h.set(Memory.SHORT, 52, (short) EHDR);
    h.set(Memory.SHORT, 54, (short) PHDR);
    h.set(Memory.SHORT, 56, (short) (vmas.size() + 1));
    h.set(Memory.INT, EHDR, 4); // PT_NOTE
    h.set(Memory.LONG, EHDR + 8, headers);
    h.set(Memory.LONG, EHDR + 32, noteBytes);
    h.set(Memory.LONG, EHDR + 48, 4);
    long data = headers + noteBytes + PAGE - 1 & -PAGE;
    long at = data;
    for (int i = 0; i < vmas.size(); i++) {
      Vma v = vmas.get(i);
      long p = EHDR + (long) PHDR * (i + 1);
      long size = dumped(v);
      h.set(Memory.INT, p, 1); // PT_LOAD
      h.set(Memory.INT, p + 4, (v.prot() & 1) << 2 | v.prot() & 2 | (v.prot() & 4) >> 2);
      h.set(Memory.LONG, p + 8, at);
      h.set(Memory.LONG, p + 16, v.start());
      h.set(Memory.LONG, p + 32, size);
      h.set(Memory.LONG, p + 40, v.end() - v.start());
      h.set(Memory.LONG, p + 48, PAGE);
      at += size;
    }
    long end = Math.min(at, limit);
    put(f, h, 0, headers, end);
    long pos = headers;
    MemorySegment n = arena.allocate(Math.max(1, noteBytes), 8);
    int filled = 0;
    for (byte[] b : notes) {
      MemorySegment.copy(b, 0, n, Memory.BYTE, filled, b.length);
      filled += b.length;
    }
    put(f, n, pos, noteBytes, end);
    memory(f, arena, vmas, data, end);
    SetAttr a = new SetAttr();
    a.valid = SetAttr.SIZE;
    a.size = end;
    f.inode().setattr(a);
  }

  private void memory(FileDescription f, Arena arena, List<Vma> vmas, long from, long end) {
    MemorySegment chunk = arena.allocate(CHUNK, 8);
    long pos = from;
    for (Vma v : vmas) {
      long size = dumped(v);
      for (long i = 0; i < size && pos < end && !t.isKilledHard(); ) {
        long n = Math.min(CHUNK, size - i);
        long got = t.context().copyIn(v.start() + i, chunk, 0, n);
        if (got > 0 && !isZero(chunk, got)) {
          put(f, chunk, pos, got, end);
        }
        i += n;
        pos += n;
      }
    }
  }

  private static boolean isZero(MemorySegment s, long n) {
    long i = 0;
    for (; i + 8 <= n; i += 8) {
      if (s.get(Memory.LONG, i) != 0) {
        return false;
      }
    }
    return i == n;
  }

  private void put(FileDescription f, MemorySegment s, long at, long bytes, long end) {
    KernelIo io = new KernelIo(s, 0, Math.min(bytes, Math.max(0, end - at)));
    long pos = at;
    while (io.remaining() > 0) {
      long r = f.write(t, io, pos);
      if (r <= 0) {
        throw ErrnoException.of(r < 0 ? (int) -r : redoubt.abi.Errno.ENOSPC);
      }
      pos += r;
    }
  }
}
