package redoubt.sentry.kernel;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Signal;
import redoubt.host.Memory;

/** One signal to be delivered, with what siginfo_t tells of it. */
public final class SignalInfo {
  public final int signo;
  public final int code;

  /** si_errno. */
  public int errno;

  // The union, as raw words behind the header (bytes 16–47 of siginfo_t).
  private long word16;
  private long word24;
  private long word32;
  private long word40;

  /** The rest of a siginfo that a guest queued itself (rt_sigqueueinfo), or null. */
  private byte[] raw = NONE;

  private static final byte[] NONE = {};

  public SignalInfo(int signo, int code) {
    this.signo = signo;
    this.code = code;
  }

  /** kill(2), tgkill(2): who sent it. */
  public static SignalInfo user(int signo, int code, int pid, int uid) {
    SignalInfo i = new SignalInfo(signo, code);
    i.word16 = (pid & 0xffffffffL) | (long) uid << 32;
    return i;
  }

  private @Nullable Pid sender;
  private int senderUid;

  /** kill(2), tgkill(2) by {@code from}, whom each receiver knows by another number. */
  public static SignalInfo user(int signo, int code, Task from) {
    SignalInfo i = user(signo, code, from.tgid(), from.creds().ruid);
    i.sender = from.threadGroup().pid();
    i.senderUid = from.creds().ruid;
    return i;
  }

  /** {@return who sent it}, where that is known */
  @Nullable Pid sender() {
    return sender;
  }

  /** {@return the same with si_pid and si_uid as a receiver in these namespaces knows them} */
  SignalInfo seenBy(PidNamespace ns, UserNamespace users) {
    Pid from = sender;
    if (from == null || (from.namespace() == ns && users.isRoot())) {
      return this;
    }
    SignalInfo i = new SignalInfo(signo, code);
    i.errno = errno;
    i.raw = raw;
    i.word16 = (from.in(ns) & 0xffffffffL) | (long) users.uidShown(senderUid) << 32;
    i.word24 = word24;
    i.word32 = word32;
    i.word40 = word40;
    i.source = source;
    return i;
  }

  /** A signal of the kernel's own. */
  public static SignalInfo kernel(int signo) {
    return new SignalInfo(signo, Signal.SI_KERNEL);
  }

  /** A fault at {@code address}. */
  public static SignalInfo fault(int signo, int code, long address) {
    SignalInfo i = new SignalInfo(signo, code);
    i.word16 = address;
    return i;
  }

  /** SIGCHLD: what became of child {@code pid}; times in clock ticks of 10 ms. */
  public static SignalInfo child(
      int signo, int code, int pid, int uid, int status, long utime, long stime) {
    SignalInfo i = user(signo, code, pid, uid);
    i.word24 = status & 0xffffffffL;
    i.word32 = utime;
    i.word40 = stime;
    return i;
  }

  /** _sigsys: where the call was made, its number and the architecture. */
  void setSystemCall(long address, int nr, int arch) {
    word16 = address;
    word24 = nr & 0xffffffffL | (long) arch << 32;
  }

  /** Who wants to know what becomes of a signal. Called under {@code SignalHandlers.mu}. */
  public interface Source {
    /** The signal is about to be delivered: {@return si_overrun}. */
    int taken();

    /** The signal was ignored, discarded, or joined with one that waits already. */
    void dropped();
  }

  private @Nullable Source source;

  /** A POSIX timer's expiry; {@code source} gives the overrun when the signal is taken. */
  public static SignalInfo timer(int signo, int timerId, Source source, long value) {
    SignalInfo i = new SignalInfo(signo, Signal.SI_TIMER);
    i.word16 = timerId & 0xffffffffL;
    i.word24 = value;
    i.source = source;
    return i;
  }

  /** The signal leaves its queue for delivery. */
  void taken() {
    Source s = source;
    if (s != null) {
      source = null;
      word16 = (word16 & 0xffffffffL) | (long) s.taken() << 32;
    }
  }

  /** The signal will never be delivered. */
  void dropped() {
    Source s = source;
    if (s != null) {
      source = null;
      s.dropped();
    }
  }

  /** SIGIO for descriptor {@code fd}. */
  public static SignalInfo io(int signo, int code, long band, int fd) {
    SignalInfo i = new SignalInfo(signo, code);
    i.word16 = band;
    i.word24 = fd & 0xffffffffL;
    return i;
  }

  /** With a value: sigqueue(3), mq_notify(3). */
  public static SignalInfo queued(int signo, int code, int pid, int uid, long value) {
    SignalInfo i = user(signo, code, pid, uid);
    i.word24 = value;
    return i;
  }

  /** As a guest gave it to rt_sigqueueinfo(2): 128 bytes of which the header is checked already. */
  public static SignalInfo raw(int signo, MemorySegment siginfo) {
    SignalInfo i = new SignalInfo(signo, siginfo.get(Memory.INT, Signal.SIGINFO_SI_CODE));
    i.errno = siginfo.get(Memory.INT, Signal.SIGINFO_SI_ERRNO);
    i.raw = siginfo.asSlice(16, 112).toArray(Memory.BYTE);
    i.word16 = siginfo.get(Memory.LONG, 16);
    i.word24 = siginfo.get(Memory.LONG, 24);
    i.word32 = siginfo.get(Memory.LONG, 32);
    i.word40 = siginfo.get(Memory.LONG, 40);
    return i;
  }

  /** Writes the 128 bytes of siginfo_t. */
  public void write(MemorySegment dst, long offset) {
    dst.asSlice(offset, Signal.SIZEOF_SIGINFO).fill((byte) 0);
    dst.set(Memory.INT, offset, signo);
    dst.set(Memory.INT, offset + 4, errno);
    dst.set(Memory.INT, offset + 8, code);
    if (raw.length > 0) {
      MemorySegment.copy(raw, 0, dst, Memory.BYTE, offset + 16, raw.length);
      return;
    }
    dst.set(Memory.LONG, offset + 16, word16);
    dst.set(Memory.LONG, offset + 24, word24);
    dst.set(Memory.LONG, offset + 32, word32);
    dst.set(Memory.LONG, offset + 40, word40);
  }

  /** {@return si_pid, where the code has one} */
  public int pid() {
    return (int) word16;
  }

  /** {@return si_uid} */
  public int uid() {
    return (int) (word16 >>> 32);
  }

  /** {@return si_status of SIGCHLD, si_int or the low word of si_value} */
  public int status() {
    return (int) word24;
  }

  /** {@return si_value or si_addr's second word} */
  public long value() {
    return word24;
  }

  public long address() {
    return word16;
  }

  /** {@return the 32-bit word at {@code offset} of siginfo_t, for signalfd} */
  public long wordAt(int offset) {
    return switch (offset) {
      case 16 -> word16;
      case 24 -> word24;
      case 32 -> word32;
      case 40 -> word40;
      default -> 0;
    };
  }
}
