package redoubt.sentry.strace;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import redoubt.abi.DirentType;
import redoubt.abi.Epoll;
import redoubt.abi.Fcntl;
import redoubt.abi.Poll;
import redoubt.abi.Resource;
import redoubt.abi.Sched;
import redoubt.abi.Signal;
import redoubt.abi.Socket;
import redoubt.abi.Stat;
import redoubt.abi.Termios;
import redoubt.abi.Time;
import redoubt.abi.Utsname;

/**
 * Formats what lies behind a guest's pointers. All is guest data: it is read once into {@link
 * #buf}, bounded, and escaped.
 */
final class Values {
  private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

  /** Most array elements that are shown. */
  private static final int ELEMENTS = 16;

  private static final int PATH_LIMIT = 512;
  private static final String[] SIGNALS = signalNames();

  private final int dataLimit;
  private final MemorySegment buf;
  private UserReader mem = (a, d, o, n) -> -1;

  Values(int dataLimit) {
    this.dataLimit = dataLimit;
    this.buf = MemorySegment.ofArray(new byte[Math.max(4096, dataLimit + 1)]);
  }

  void use(UserReader reader) {
    mem = reader;
  }

  static void hex(StringBuilder out, long v) {
    out.append("0x").append(Long.toHexString(v));
  }

  static void pointer(StringBuilder out, long v) {
    if (v == 0) {
      out.append("NULL");
    } else {
      hex(out, v);
    }
  }

  static void octal(StringBuilder out, long v) {
    out.append('0').append(Long.toOctalString(v & 0xffffffffL));
  }

  static void signal(StringBuilder out, long v) {
    int sig = (int) v;
    if (sig >= 1 && sig < SIGNALS.length) {
      out.append(SIGNALS[sig]);
    } else if (sig >= Signal.SIGRTMIN && sig <= Signal.SIGRTMAX) {
      out.append("SIGRT_").append(sig - Signal.SIGRTMIN);
    } else {
      out.append(sig);
    }
  }

  /** Appends the signals of a mask: {@code [INT CHLD]}, or {@code ~[...]} when most are set. */
  static void sigset(StringBuilder out, long mask) {
    boolean most = Long.bitCount(mask) > 48;
    long shown = most ? ~mask : mask;
    out.append(most ? "~[" : "[");
    boolean first = true;
    for (int sig = 1; sig <= Signal.NSIG; sig++) {
      if ((shown >>> (sig - 1) & 1) != 0) {
        if (!first) {
          out.append(' ');
        }
        first = false;
        int at = out.length();
        signal(out, sig);
        if (sig < SIGNALS.length) {
          out.delete(at, at + 3);
        }
      }
    }
    out.append(']');
  }

  /** Appends a guest's string, quoted; its address when it cannot be read. */
  void string(StringBuilder out, long uaddr) {
    if (uaddr == 0) {
      out.append("NULL");
      return;
    }
    int n = 0;
    boolean ended = false;
    while (n < PATH_LIMIT && !ended) {
      // Up to a page's end at a time, so that a string before an unmapped page is readable.
      long chunk = Math.min(PATH_LIMIT - n, 4096 - (uaddr + n & 4095));
      long got = mem.copyIn(uaddr + n, buf, n, chunk);
      if (got <= 0) {
        if (n == 0) {
          hex(out, uaddr);
          return;
        }
        break;
      }
      long end = n + got;
      while (n < end && !ended) {
        ended = buf.get(BYTE, n) == 0;
        n += ended ? 0 : 1;
      }
      if (got < chunk) {
        break;
      }
    }
    quote(out, 0, n, !ended);
  }

  /** Appends {@code length} bytes of a guest, quoted and bounded; the address if unreadable. */
  void data(StringBuilder out, long uaddr, long length) {
    if (uaddr == 0) {
      out.append("NULL");
      return;
    }
    int want = (int) Math.max(0, Math.min(length, dataLimit));
    long got = want == 0 ? 0 : mem.copyIn(uaddr, buf, 0, want);
    if (got <= 0 && want > 0) {
      hex(out, uaddr);
      return;
    }
    quote(out, 0, (int) got, got < length);
  }

  private void quote(StringBuilder out, int from, int length, boolean cut) {
    out.append('"');
    for (int i = from; i < from + length; i++) {
      escape(out, buf.get(BYTE, i) & 0xff);
    }
    out.append(cut ? "\"..." : "\"");
  }

  /** Appends one byte so that it can do a terminal or a log no harm. */
  static void escape(StringBuilder out, int c) {
    switch (c) {
      case '\n' -> out.append("\\n");
      case '\t' -> out.append("\\t");
      case '\r' -> out.append("\\r");
      case '"' -> out.append("\\\"");
      case '\\' -> out.append("\\\\");
      default -> {
        if (c >= ' ' && c < 127) {
          out.append((char) c);
        } else {
          out.append("\\x").append(Character.forDigit(c >> 4, 16));
          out.append(Character.forDigit(c & 15, 16));
        }
      }
    }
  }

  /** Appends an array of strings: {@code ["ls", "-l"]}. */
  void strings(StringBuilder out, long uaddr) {
    if (uaddr == 0) {
      out.append("NULL");
      return;
    }
    MemorySegment pointers = MemorySegment.ofArray(new byte[8 * (ELEMENTS + 1)]);
    long got = mem.copyIn(uaddr, pointers, 0, pointers.byteSize());
    if (got < 8) {
      hex(out, uaddr);
      return;
    }
    out.append('[');
    for (int i = 0; i < got / 8; i++) {
      long p = pointers.get(LONG, 8L * i);
      if (p == 0) {
        break;
      }
      out.append(i == 0 ? "" : ", ");
      if (i == ELEMENTS) {
        out.append("...");
        break;
      }
      string(out, p);
    }
    out.append(']');
  }

  /** {@return the 32-bit value at {@code uaddr}, or -1} */
  int readInt(long uaddr) {
    return uaddr != 0 && mem.copyIn(uaddr, buf, 0, 4) == 4 ? buf.get(INT, 0) : -1;
  }

  /** {@return the 64-bit value at {@code uaddr}, or 0} */
  long readLong(long uaddr) {
    return uaddr != 0 && mem.copyIn(uaddr, buf, 0, 8) == 8 ? buf.get(LONG, 0) : 0;
  }

  /** Appends {@code count} iovecs; of their data at most {@code dataBytes} in all (-1: none). */
  void iovecs(StringBuilder out, long uaddr, long count, long dataBytes) {
    if (uaddr == 0 || count < 0 || count > 1024) {
      pointer(out, uaddr);
      return;
    }
    int shown = (int) Math.min(count, ELEMENTS);
    MemorySegment v = MemorySegment.ofArray(new byte[16 * shown]);
    if (mem.copyIn(uaddr, v, 0, v.byteSize()) < v.byteSize()) {
      hex(out, uaddr);
      return;
    }
    long left = dataBytes;
    out.append('[');
    for (int i = 0; i < shown; i++) {
      long base = v.get(LONG, 16L * i);
      long length = v.get(LONG, 16L * i + 8);
      out.append(i == 0 ? "{" : ", {");
      if (left < 0) {
        pointer(out, base);
      } else {
        data(out, base, Math.min(left, Math.max(0, length)));
        left -= Math.min(left, Math.max(0, length));
      }
      out.append(", ").append(length).append('}');
    }
    out.append(count > shown ? ", ...]" : "]");
  }

  /** Appends a struct msghdr. */
  void msghdr(StringBuilder out, long uaddr, long dataBytes) {
    MemorySegment m = MemorySegment.ofArray(new byte[Socket.SIZEOF_MSGHDR]);
    if (uaddr == 0 || mem.copyIn(uaddr, m, 0, m.byteSize()) < m.byteSize()) {
      pointer(out, uaddr);
      return;
    }
    out.append("{name=");
    sockaddr(out, m.get(LONG, Socket.MSGHDR_MSG_NAME), m.get(INT, Socket.MSGHDR_MSG_NAMELEN));
    out.append(", iov=");
    long count = m.get(LONG, Socket.MSGHDR_MSG_IOVLEN);
    iovecs(out, m.get(LONG, Socket.MSGHDR_MSG_IOV), count, dataBytes);
    long controlBytes = m.get(LONG, Socket.MSGHDR_MSG_CONTROLLEN);
    out.append(", control=");
    control(out, m.get(LONG, Socket.MSGHDR_MSG_CONTROL), controlBytes);
    out.append(", flags=");
    FlagSets.appendFlags(out, "msg", m.get(INT, Socket.MSGHDR_MSG_FLAGS) & 0xffffffffL);
    out.append('}');
  }

  private void control(StringBuilder out, long uaddr, long length) {
    if (uaddr == 0 || length < Socket.SIZEOF_CMSGHDR) {
      pointer(out, uaddr);
      return;
    }
    int n = (int) Math.min(length, 256);
    if (mem.copyIn(uaddr, buf, 0, n) < n) {
      hex(out, uaddr);
      return;
    }
    out.append('[');
    int at = 0;
    while (at + Socket.SIZEOF_CMSGHDR <= n) {
      long bytes = buf.get(LONG, at);
      int level = buf.get(INT, at + Socket.CMSGHDR_CMSG_LEVEL);
      int type = buf.get(INT, at + Socket.CMSGHDR_CMSG_TYPE);
      if (bytes < Socket.SIZEOF_CMSGHDR || bytes > n - at) {
        break;
      }
      out.append(at == 0 ? "{" : ", {");
      FlagSets.appendValue(out, "sol", level);
      out.append(' ');
      if (level == Socket.SOL_SOCKET) {
        FlagSets.appendValue(out, "scm", type);
      } else {
        out.append(type);
      }
      if (level == Socket.SOL_SOCKET && type == Socket.SCM_RIGHTS) {
        for (int i = Socket.SIZEOF_CMSGHDR; i + 4 <= bytes; i += 4) {
          out.append(' ').append(buf.get(INT, at + i));
        }
      }
      out.append('}');
      at += (int) (bytes + 7 & ~7L);
    }
    out.append(']');
  }

  /** Appends a socket address of {@code length} bytes. */
  void sockaddr(StringBuilder out, long uaddr, long length) {
    int n = Math.min((int) length, 128); // socklen_t is an int
    if (uaddr == 0 || n < 2 || mem.copyIn(uaddr, buf, 0, n) < n) {
      pointer(out, uaddr);
      return;
    }
    int family = buf.get(SHORT, 0) & 0xffff;
    out.append('{');
    FlagSets.appendValue(out, "af", family);
    if (family == Socket.AF_UNIX) {
      out.append(' ');
      boolean isAbstract = n > 2 && buf.get(BYTE, 2) == 0;
      if (isAbstract) {
        out.append('@');
      }
      int from = isAbstract ? 3 : 2;
      int end = from;
      while (end < n && (isAbstract || buf.get(BYTE, end) != 0)) {
        end++;
      }
      quote(out, from, end - from, false);
    } else if (family == Socket.AF_INET && n >= Socket.SIZEOF_SOCKADDR_IN) {
      out.append(' ');
      for (int i = 0; i < 4; i++) {
        out.append(i == 0 ? "" : ".").append(buf.get(BYTE, 4 + i) & 0xff);
      }
      out.append(':').append(port());
    } else if (family == Socket.AF_INET6 && n >= 24) {
      out.append(" [");
      for (int i = 0; i < 8; i++) {
        int group = (buf.get(BYTE, 8 + 2 * i) & 0xff) << 8 | buf.get(BYTE, 9 + 2 * i) & 0xff;
        out.append(i == 0 ? "" : ":").append(Integer.toHexString(group));
      }
      out.append("]:").append(port());
    } else if (family == Socket.AF_NETLINK && n >= Socket.SIZEOF_SOCKADDR_NL) {
      out.append(" pid=").append(buf.get(INT, Socket.SOCKADDR_NL_NL_PID));
      out.append(" groups=");
      hex(out, buf.get(INT, Socket.SOCKADDR_NL_NL_GROUPS) & 0xffffffffL);
    } else {
      out.append(' ');
      quote(out, 2, n - 2, false);
    }
    out.append('}');
  }

  private int port() {
    return (buf.get(BYTE, 2) & 0xff) << 8 | buf.get(BYTE, 3) & 0xff;
  }

  /** Appends {@code count} elements of a struct or number. */
  void array(StringBuilder out, String type, int bytes, boolean brackets, long uaddr, long count) {
    if (uaddr == 0 || count < 0 || bytes <= 0) {
      pointer(out, uaddr);
      return;
    }
    int shown = (int) Math.min(count, Math.min(ELEMENTS, buf.byteSize() / bytes));
    if (mem.copyIn(uaddr, buf, 0, (long) shown * bytes) < (long) shown * bytes) {
      hex(out, uaddr);
      return;
    }
    out.append(brackets ? "[" : "");
    for (int i = 0; i < shown; i++) {
      out.append(i == 0 ? "" : ", ");
      struct(out, type, bytes, (long) i * bytes, uaddr);
    }
    out.append(brackets ? count > shown ? ", ...]" : "]" : "");
  }

  /** Appends the descriptors of an fd_set of {@code count} bits: {@code [0 3]}. */
  void fdset(StringBuilder out, long uaddr, long count) {
    int words = (int) (Math.max(0, Math.min(count, 1024)) + 63 >> 6);
    if (uaddr == 0 || mem.copyIn(uaddr, buf, 0, words * 8L) < words * 8L) {
      pointer(out, uaddr);
      return;
    }
    out.append('[');
    boolean first = true;
    for (int fd = 0; fd < Math.min(count, 1024); fd++) {
      if ((buf.get(LONG, fd >> 6 << 3) >>> (fd & 63) & 1) != 0) {
        out.append(first ? "" : " ").append(fd);
        first = false;
      }
    }
    out.append(']');
  }

  /** Appends the names in a buffer of getdents64(2). */
  void dirents64(StringBuilder out, long uaddr, long length) {
    int n = (int) Math.clamp(length, 0, buf.byteSize());
    if (uaddr == 0 || mem.copyIn(uaddr, buf, 0, n) < n) {
      pointer(out, uaddr);
      return;
    }
    out.append('[');
    int at = 0;
    for (int i = 0; at + DirentType.DIRENT64_D_NAME < n; i++) {
      int record = buf.get(SHORT, at + DirentType.DIRENT64_D_RECLEN) & 0xffff;
      if (record <= DirentType.DIRENT64_D_NAME || record > n - at) {
        break;
      }
      out.append(i == 0 ? "" : " ");
      if (i == ELEMENTS) {
        out.append("...");
        break;
      }
      int name = at + DirentType.DIRENT64_D_NAME;
      int end = name;
      while (end < at + record && buf.get(BYTE, end) != 0) {
        end++;
      }
      quote(out, name, end - name, false);
      at += record;
    }
    out.append(']');
  }

  private void struct(StringBuilder out, String type, int bytes, long at, long uaddr) {
    switch (type) {
      case "int", "fd", "pid", "tid", "dirfd" -> out.append(buf.get(INT, at));
      case "uint", "uid", "gid" -> out.append(buf.get(INT, at) & 0xffffffffL);
      case "long", "off", "size", "ulong" -> out.append(buf.get(LONG, at));
      case "timespec" -> seconds(out, at, 9);
      case "timeval" -> seconds(out, at, 6);
      case "itimerspec", "itimerval" -> {
        int digits = type.equals("itimerspec") ? 9 : 6;
        out.append("{interval=");
        seconds(out, at + Time.ITIMERSPEC_IT_INTERVAL, digits);
        out.append(", value=");
        seconds(out, at + Time.ITIMERSPEC_IT_VALUE, digits);
        out.append('}');
      }
      case "stat" -> stat(out, at);
      case "statx" -> statx(out, at);
      case "statfs" -> {
        out.append("{type=");
        hex(out, buf.get(LONG, at + Stat.STATFS_F_TYPE));
        out.append(", bsize=").append(buf.get(LONG, at + Stat.STATFS_F_BSIZE));
        out.append(", blocks=").append(buf.get(LONG, at + Stat.STATFS_F_BLOCKS));
        out.append(", bfree=").append(buf.get(LONG, at + Stat.STATFS_F_BFREE)).append('}');
      }
      case "sigset" -> sigset(out, buf.get(LONG, at));
      case "sigaction" -> sigaction(out, at);
      case "siginfo" -> siginfo(out, at);
      case "stack" -> {
        out.append("{sp=");
        pointer(out, buf.get(LONG, at + Signal.STACK_SS_SP));
        out.append(", flags=");
        FlagSets.appendFlags(out, "ss", buf.get(INT, at + Signal.STACK_SS_FLAGS) & 0xffffffffL);
        out.append(", size=").append(buf.get(LONG, at + Signal.STACK_SS_SIZE)).append('}');
      }
      case "rlimit" -> {
        out.append("{cur=");
        limit(out, buf.get(LONG, at));
        out.append(", max=");
        limit(out, buf.get(LONG, at + 8));
        out.append('}');
      }
      case "rusage" -> {
        out.append("{utime=");
        seconds(out, at + Resource.RUSAGE_RU_UTIME, 6);
        out.append(", stime=");
        seconds(out, at + Resource.RUSAGE_RU_STIME, 6);
        out.append(", maxrss=").append(buf.get(LONG, at + Resource.RUSAGE_RU_MAXRSS)).append('}');
      }
      case "pollfd" -> {
        out.append("{fd=").append(buf.get(INT, at)).append(", events=");
        FlagSets.appendFlags(out, "poll", buf.get(SHORT, at + Poll.POLLFD_EVENTS) & 0xffff);
        int revents = buf.get(SHORT, at + Poll.POLLFD_REVENTS) & 0xffff;
        if (revents != 0) {
          out.append(", revents=");
          FlagSets.appendFlags(out, "poll", revents);
        }
        out.append('}');
      }
      case "epoll_event" -> {
        out.append("{events=");
        FlagSets.appendFlags(out, "epoll", buf.get(INT, at) & 0xffffffffL);
        out.append(", data=");
        hex(out, buf.get(LONG, at + Epoll.EPOLL_EVENT_DATA));
        out.append('}');
      }
      case "open_how" -> {
        out.append("{flags=");
        FlagSets.appendFlags(out, "open", buf.get(LONG, at));
        out.append(", mode=");
        octal(out, buf.get(LONG, at + Fcntl.OPEN_HOW_MODE));
        out.append(", resolve=");
        FlagSets.appendFlags(out, "resolve", buf.get(LONG, at + Fcntl.OPEN_HOW_RESOLVE));
        out.append('}');
      }
      case "clone_args" -> {
        out.append("{flags=");
        FlagSets.appendFlags(out, "clone", buf.get(LONG, at));
        out.append(", exit_signal=");
        signal(out, buf.get(LONG, at + Sched.CLONE_ARGS_EXIT_SIGNAL));
        out.append(", stack=");
        pointer(out, buf.get(LONG, at + Sched.CLONE_ARGS_STACK));
        out.append(", stack_size=").append(buf.get(LONG, at + Sched.CLONE_ARGS_STACK_SIZE));
        out.append(", tls=");
        pointer(out, buf.get(LONG, at + Sched.CLONE_ARGS_TLS));
        out.append('}');
      }
      case "sigset_arg" -> {
        long set = buf.get(LONG, at);
        if (set == 0) {
          out.append("NULL");
        } else {
          sigset(out, readLong(set));
        }
      }
      case "flock" -> {
        out.append("{type=");
        FlagSets.appendValue(out, "lock", buf.get(SHORT, at) & 0xffff);
        out.append(", whence=");
        FlagSets.appendValue(out, "seek", buf.get(SHORT, at + Fcntl.FLOCK_L_WHENCE) & 0xffff);
        out.append(", start=").append(buf.get(LONG, at + Fcntl.FLOCK_L_START));
        out.append(", len=").append(buf.get(LONG, at + Fcntl.FLOCK_L_LEN)).append('}');
      }
      case "termios" -> termios(out, at);
      case "winsize" -> {
        out.append("{row=").append(buf.get(SHORT, at) & 0xffff);
        out.append(", col=").append(buf.get(SHORT, at + Termios.WINSIZE_WS_COL) & 0xffff);
        out.append('}');
      }
      case "utsname" -> {
        out.append("{sysname=");
        field(out, at + Utsname.UTSNAME_SYSNAME, 65);
        out.append(", nodename=");
        field(out, at + Utsname.UTSNAME_NODENAME, 65);
        out.append(", release=");
        field(out, at + Utsname.UTSNAME_RELEASE, 65);
        out.append(", ...}");
      }
      case "sched_param" -> out.append('[').append(buf.get(INT, at)).append(']');
      default -> hex(out, uaddr + at);
    }
  }

  private void seconds(StringBuilder out, long at, int digits) {
    long fraction = buf.get(LONG, at + 8);
    if (digits == 9 && (fraction == Time.UTIME_NOW || fraction == Time.UTIME_OMIT)) {
      out.append(fraction == Time.UTIME_NOW ? "UTIME_NOW" : "UTIME_OMIT");
      return;
    }
    out.append(buf.get(LONG, at)).append('.');
    String text = Long.toString(fraction);
    for (int i = text.length(); i < digits; i++) {
      out.append('0');
    }
    out.append(text);
  }

  private void stat(StringBuilder out, long at) {
    long mode = buf.get(INT, at + Stat.STAT_ST_MODE) & 0xffffffffL;
    out.append("{mode=");
    mode(out, mode);
    device(out, mode, buf.get(LONG, at + Stat.STAT_ST_RDEV));
    out.append(", size=").append(buf.get(LONG, at + Stat.STAT_ST_SIZE));
    out.append(", ino=").append(buf.get(LONG, at + Stat.STAT_ST_INO));
    out.append(", nlink=").append(buf.get(LONG, at + Stat.STAT_ST_NLINK));
    out.append(", uid=").append(buf.get(INT, at + Stat.STAT_ST_UID) & 0xffffffffL);
    out.append(", gid=").append(buf.get(INT, at + Stat.STAT_ST_GID) & 0xffffffffL);
    out.append('}');
  }

  private void statx(StringBuilder out, long at) {
    out.append("{mask=");
    FlagSets.appendFlags(out, "statx", buf.get(INT, at + Stat.STATX_STX_MASK) & 0xffffffffL);
    out.append(", mode=");
    mode(out, buf.get(SHORT, at + Stat.STATX_STX_MODE) & 0xffff);
    out.append(", size=").append(buf.get(LONG, at + Stat.STATX_STX_SIZE));
    out.append(", ino=").append(buf.get(LONG, at + Stat.STATX_STX_INO));
    out.append(", nlink=").append(buf.get(INT, at + Stat.STATX_STX_NLINK));
    out.append(", uid=").append(buf.get(INT, at + Stat.STATX_STX_UID) & 0xffffffffL);
    out.append(", gid=").append(buf.get(INT, at + Stat.STATX_STX_GID) & 0xffffffffL);
    out.append('}');
  }

  private static void mode(StringBuilder out, long mode) {
    FlagSets.appendFlags(out, "file_type", mode & Stat.S_IFMT);
    out.append('|');
    octal(out, mode & ~Stat.S_IFMT);
  }

  private static void device(StringBuilder out, long mode, long rdev) {
    long type = mode & Stat.S_IFMT;
    if (type == Stat.S_IFCHR || type == Stat.S_IFBLK) {
      out.append(", rdev=");
      dev(out, rdev);
    }
  }

  /** Appends a device number as {@code major:minor}. */
  static void dev(StringBuilder out, long v) {
    out.append((v >>> 8 & 0xfff) | (v >>> 32 & ~0xfffL)).append(':');
    out.append((v & 0xff) | (v >>> 12 & 0xffffff00L));
  }

  private void sigaction(StringBuilder out, long at) {
    long handler = buf.get(LONG, at + Signal.SIGACTION_SA_HANDLER);
    out.append("{handler=");
    if (handler == Signal.SIG_DFL) {
      out.append("SIG_DFL");
    } else if (handler == Signal.SIG_IGN) {
      out.append("SIG_IGN");
    } else {
      hex(out, handler);
    }
    out.append(", mask=");
    sigset(out, buf.get(LONG, at + Signal.SIGACTION_SA_MASK));
    out.append(", flags=");
    long flags = buf.get(LONG, at + Signal.SIGACTION_SA_FLAGS);
    FlagSets.appendFlags(out, "sa", flags);
    if ((flags & Signal.SA_RESTORER) != 0) {
      out.append(", restorer=");
      pointer(out, buf.get(LONG, at + Signal.SIGACTION_SA_RESTORER));
    }
    out.append('}');
  }

  private void siginfo(StringBuilder out, long at) {
    int sig = buf.get(INT, at + Signal.SIGINFO_SI_SIGNO);
    int code = buf.get(INT, at + Signal.SIGINFO_SI_CODE);
    out.append("{signo=");
    signal(out, sig);
    out.append(", code=");
    FlagSets.appendValue(out, sig == Signal.SIGCHLD && code > 0 ? "cld" : "si_code", code);
    boolean child = sig == Signal.SIGCHLD;
    if (child || code <= 0) {
      out.append(", pid=").append(buf.get(INT, at + Signal.SIGINFO_SI_PID));
      out.append(", uid=").append(buf.get(INT, at + Signal.SIGINFO_SI_UID) & 0xffffffffL);
    }
    if (child) {
      out.append(", status=").append(buf.get(INT, at + Signal.SIGINFO_SI_STATUS));
    } else if (code > 0) {
      out.append(", addr=");
      pointer(out, buf.get(LONG, at + Signal.SIGINFO_SI_ADDR));
    }
    out.append('}');
  }

  private void termios(StringBuilder out, long at) {
    out.append("{iflag=");
    FlagSets.appendFlags(out, "iflag", buf.get(INT, at) & 0xffffffffL);
    out.append(", oflag=");
    FlagSets.appendFlags(out, "oflag", buf.get(INT, at + 4) & 0xffffffffL);
    out.append(", cflag=");
    FlagSets.appendFlags(out, "cflag", buf.get(INT, at + 8) & 0xffffffffL);
    out.append(", lflag=");
    FlagSets.appendFlags(out, "lflag", buf.get(INT, at + 12) & 0xffffffffL);
    out.append('}');
  }

  private static void limit(StringBuilder out, long v) {
    if (v == Resource.RLIM_INFINITY) {
      out.append("RLIM64_INFINITY");
    } else {
      out.append(Long.toUnsignedString(v));
    }
  }

  private void field(StringBuilder out, long at, int length) {
    int n = 0;
    while (n < length && buf.get(BYTE, at + n) != 0) {
      n++;
    }
    quote(out, (int) at, n, false);
  }

  private static String[] signalNames() {
    return new String[] {
      "0",
      "SIGHUP",
      "SIGINT",
      "SIGQUIT",
      "SIGILL",
      "SIGTRAP",
      "SIGABRT",
      "SIGBUS",
      "SIGFPE",
      "SIGKILL",
      "SIGUSR1",
      "SIGSEGV",
      "SIGUSR2",
      "SIGPIPE",
      "SIGALRM",
      "SIGTERM",
      "SIGSTKFLT",
      "SIGCHLD",
      "SIGCONT",
      "SIGSTOP",
      "SIGTSTP",
      "SIGTTIN",
      "SIGTTOU",
      "SIGURG",
      "SIGXCPU",
      "SIGXFSZ",
      "SIGVTALRM",
      "SIGPROF",
      "SIGWINCH",
      "SIGIO",
      "SIGPWR",
      "SIGSYS"
    };
  }
}
