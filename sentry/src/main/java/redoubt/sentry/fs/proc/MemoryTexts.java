package redoubt.sentry.fs.proc;

import static redoubt.sentry.fs.proc.TaskTexts.right;

import org.jspecify.annotations.Nullable;
import redoubt.abi.Mman;
import redoubt.sentry.fs.kernfs.HostFacts;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.mm.Vma;
import redoubt.sentry.platform.MemoryUsage;
import redoubt.sentry.vfs.PathWalk;
import redoubt.sentry.vfs.VfsPath;

/**
 * What /proc/PID tells of memory: fs/proc/task_mmu.c.
 *
 * <p>Pages belong to the host's processes. The host says how many a process has in memory; which
 * mapping they are of is an estimate: each gets its part of what is accessible, no mapping for more
 * than {@link #RESIDENT_LIMIT}.
 */
final class MemoryTexts {
  /** A bigger mapping is taken to be a reservation, of which this much is in use. */
  private static final long RESIDENT_LIMIT = 4 << 20;

  private MemoryTexts() {}

  /** Sizes in bytes. */
  static final class Usage {
    static final Usage NONE = new Usage();

    long sizeBytes;
    long anonymousBytes;
    long fileBytes;
    long dataBytes;
    long stackBytes;
    long codeBytes;
    long libraryBytes;

    /** What the host counts for each byte of {@link MemoryTexts#resident}. */
    double anonymousPart = 1;

    double filePart = 1;

    /**
     * Takes the host's numbers over, which have shared memory with the files, and pages of private
     * mappings of files that were written with the anonymous ones.
     */
    void scaleTo(MemoryUsage host) {
      anonymousPart = (double) host.anonymousBytes() / Math.max(1, anonymousBytes);
      filePart = (double) host.sharedBytes() / Math.max(1, fileBytes);
      anonymousBytes = host.anonymousBytes();
      fileBytes = host.sharedBytes();
    }

    long residentBytes() {
      return anonymousBytes + fileBytes;
    }
  }

  static Usage usage(Task t) {
    Usage u = new Usage();
    long codeStart = t.mm().codeStart;
    for (Vma v : t.mm().snapshot()) {
      long n = v.end() - v.start();
      u.sizeBytes += n;
      long resident = resident(v);
      if (isFile(v)) {
        u.fileBytes += resident;
      } else {
        u.anonymousBytes += resident;
      }
      if (v.growsDown()) {
        u.stackBytes += n;
      } else if (v.isWritable() && !v.isShared()) {
        u.dataBytes += n;
      } else if ((v.prot() & Mman.PROT_EXEC) != 0) {
        if (v.start() <= codeStart && codeStart < v.end()) {
          u.codeBytes += n;
        } else {
          u.libraryBytes += n;
        }
      }
    }
    MemoryUsage host = t.mm().space().memoryUsage();
    if (host != null) {
      u.scaleTo(host);
    }
    return u;
  }

  private static boolean isFile(Vma v) {
    return v.file() != null && v.path() != null;
  }

  /** {@return how much of a mapping is in memory}, so that all of them together are {@code u} */
  private static long resident(Vma v, Usage u) {
    double part = isFile(v) ? u.filePart : u.anonymousPart;
    return Math.min(v.end() - v.start(), (long) (resident(v) * part) & -4096);
  }

  private static long resident(Vma v) {
    return (v.prot() & 7) == 0 ? 0 : Math.min(v.end() - v.start(), RESIDENT_LIMIT);
  }

  static void statm(Task t, StringBuilder o) {
    if (t.isDead()) {
      o.append("0 0 0 0 0 0 0\n");
      return;
    }
    Usage u = usage(t);
    o.append(u.sizeBytes / 4096)
        .append(' ')
        .append(u.residentBytes() / 4096)
        .append(' ')
        .append(u.fileBytes / 4096);
    o.append(' ')
        .append(u.codeBytes / 4096)
        .append(" 0 ")
        .append((u.dataBytes + u.stackBytes) / 4096)
        .append(" 0\n");
  }

  private static void hexAddress(StringBuilder o, long v) {
    String s = Long.toHexString(v);
    o.append("0".repeat(Math.max(0, 8 - s.length()))).append(s);
  }

  private static void range(long start, long end, int prot, boolean shared, StringBuilder o) {
    hexAddress(o, start);
    o.append('-');
    hexAddress(o, end);
    o.append(' ').append((prot & Mman.PROT_READ) != 0 ? 'r' : '-');
    o.append((prot & Mman.PROT_WRITE) != 0 ? 'w' : '-');
    o.append((prot & Mman.PROT_EXEC) != 0 ? 'x' : '-').append(shared ? 's' : 'p').append(' ');
  }

  private static void named(String name, int begin, StringBuilder o) {
    while (o.length() - begin < 73) {
      o.append(' ');
    }
    o.append(name);
  }

  /** The vDSO and its data: the host's, which lie above the guest's own mappings. */
  private static void special(Task t, StringBuilder o, boolean detailed) {
    long vdso = t.kernel().platform().vdsoAddress();
    if (vdso == 0) {
      return;
    }
    for (HostFacts.Special m : HostFacts.of(t.kernel()).special()) {
      int begin = o.length();
      long start = vdso + m.fromVdso();
      int prot = m.executable() ? Mman.PROT_READ | Mman.PROT_EXEC : Mman.PROT_READ;
      range(start, start + m.bytes(), prot, false, o);
      o.append("00000000 00:00 0 ");
      named(m.name(), begin, o);
      o.append('\n');
      if (detailed) {
        long rss = m.executable() ? m.bytes() : 0; // what is not code are pages without a struct
        details(o, m.bytes(), rss, rss, 0, 0);
        o.append(m.executable() ? "rd ex mr mw me de sd\n" : "rd mr pf io de dd sd\n");
      }
    }
  }

  private static void line(Task t, Vma v, StringBuilder o) {
    int begin = o.length();
    range(v.start(), v.end(), v.prot(), v.isShared(), o);
    VfsPath p = v.path();
    hexAddress(o, p == null ? 0 : v.offset());
    long dev = p == null ? 0 : p.dentry.fs.device();
    o.append(' ');
    hexByte(o, (int) (dev >> 8) & 0xfff);
    o.append(':');
    hexByte(o, (int) (dev & 0xff));
    o.append(' ').append(p == null ? 0 : p.inode().ino()).append(' ');
    String name = nameOf(t, v);
    if (name != null) {
      named(name, begin, o);
    }
    o.append('\n');
  }

  private static void hexByte(StringBuilder o, int v) {
    o.append(v < 16 ? "0" : "").append(Integer.toHexString(v));
  }

  private static @Nullable String nameOf(Task t, Vma v) {
    if (v.name() != null) {
      return v.name();
    }
    VfsPath p = v.path();
    if (p == null) {
      return v.isShared() ? "/dev/zero (deleted)" : null;
    }
    return PathWalk.textOf(p, TaskDir.callerOr(t).fs().root()).replace("\n", "\\012");
  }

  static void maps(Task t, StringBuilder o) {
    if (t.isDead()) {
      return;
    }
    for (Vma v : t.mm().snapshot()) {
      line(t, v, o);
    }
    special(t, o, false);
  }

  private static final String[] DETAILS = {
    "Shared_Clean",
    "Shared_Dirty",
    "Private_Clean",
    "Private_Dirty",
    "Referenced",
    "Anonymous",
    "KSM",
    "LazyFree",
    "AnonHugePages",
    "ShmemPmdMapped",
    "FilePmdMapped",
    "Shared_Hugetlb",
    "Private_Hugetlb",
    "Swap",
    "SwapPss",
    "Locked"
  };

  private static void kb(StringBuilder o, String name, long bytes) {
    TaskTexts.left(o, name + ":", 16);
    right(o, bytes / 1024, 8).append(" kB\n");
  }

  private static void details(StringBuilder o, long file, long anonymous, long locked) {
    for (String d : DETAILS) {
      kb(
          o,
          d,
          switch (d) {
            case "Shared_Clean" -> file;
            case "Private_Dirty", "Anonymous" -> anonymous;
            case "Referenced" -> file + anonymous;
            case "Locked" -> locked;
            default -> 0;
          });
    }
  }

  static void smaps(Task t, StringBuilder o) {
    if (t.isDead()) {
      return;
    }
    Usage u = usage(t);
    for (Vma v : t.mm().snapshot()) {
      line(t, v, o);
      long rss = v.isLocked() ? v.end() - v.start() : resident(v, u);
      boolean file = v.path() != null;
      long anonymous = file ? 0 : rss;
      details(o, v.end() - v.start(), rss, rss - anonymous, anonymous, v.isLocked() ? rss : 0);
      o.append((v.prot() & Mman.PROT_READ) != 0 ? "rd " : "").append(v.isWritable() ? "wr " : "");
      o.append((v.prot() & Mman.PROT_EXEC) != 0 ? "ex " : "").append(v.isShared() ? "sh " : "");
      o.append("mr mw me ")
          .append(v.growsDown() ? "gd " : "")
          .append(v.isLocked() ? "lo " : "")
          .append(v.isWritable() ? "ac " : "")
          .append('\n');
    }
    special(t, o, true);
  }

  /** A mapping's lines of smaps up to its flags. */
  private static void details(
      StringBuilder o, long size, long rss, long file, long anonymous, long locked) {
    kb(o, "Size", size);
    kb(o, "KernelPageSize", 4096);
    kb(o, "MMUPageSize", 4096);
    kb(o, "Rss", rss);
    kb(o, "Pss", rss);
    kb(o, "Pss_Dirty", anonymous);
    details(o, file, anonymous, locked);
    o.append("THPeligible:           0\nVmFlags: ");
  }

  static void smapsRollup(Task t, StringBuilder o) {
    if (t.isDead()) {
      return;
    }
    var all = t.mm().snapshot();
    if (all.isEmpty()) {
      return;
    }
    Usage u = usage(t);
    hexAddress(o, all.getFirst().start());
    o.append('-');
    hexAddress(o, all.getLast().end());
    o.append(" ---p 00000000 00:00 0                          [rollup]\n");
    kb(o, "Rss", u.residentBytes());
    kb(o, "Pss", u.residentBytes());
    kb(o, "Pss_Dirty", u.anonymousBytes);
    kb(o, "Pss_Anon", u.anonymousBytes);
    kb(o, "Pss_File", u.fileBytes);
    kb(o, "Pss_Shmem", 0);
    details(o, u.fileBytes, u.anonymousBytes, t.mm().lockedBytes());
  }

  static void numaMaps(Task t, StringBuilder o) {
    if (t.isDead()) {
      return;
    }
    Usage u = usage(t);
    for (Vma v : t.mm().snapshot()) {
      hexAddress(o, v.start());
      o.append(" default");
      String name = nameOf(t, v);
      if (v.path() != null) {
        o.append(" file=").append(name);
      } else if (v.growsDown()) {
        o.append(" stack");
      } else if ("[heap]".equals(name)) {
        o.append(" heap");
      }
      long pages = resident(v, u) / 4096;
      if (pages > 0) {
        o.append(v.path() != null ? " mapped=" : " anon=")
            .append(pages)
            .append(" N0=")
            .append(pages);
      }
      o.append(" kernelpagesize_kB=4\n");
    }
  }
}
