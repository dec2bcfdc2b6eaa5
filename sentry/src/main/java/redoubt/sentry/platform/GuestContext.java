package redoubt.sentry.platform;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * One guest thread as the platform sees it: its machine state, and the way into its memory while it
 * is stopped. Owned by the task's Java thread; only {@link #interrupt} may be called by others.
 *
 * <p>Between two calls of {@link #run} the guest thread stands still and serves copies. Registers
 * are read once from shared memory when an event arrives; {@link #reg} gives those copies.
 */
public interface GuestContext {
  // Events of run().

  /**
   * The guest made a system call: number in {@code reg(RAX)}, arguments in RDI, RSI, RDX, R10, R8,
   * R9.
   */
  int SYSCALL = 1;

  /** A synchronous exception: {@link #faultSignal}, {@link #faultCode}, {@link #faultAddress}. */
  int FAULT = 2;

  /** {@link #interrupt} stopped the guest, or the host did for a reason of its own. */
  int INTERRUPTED = 3;

  /** The thread or its address space is gone; no other call may follow but {@link #release}. */
  int DEAD = 4;

  // Registers, in the order of struct user_regs_struct without orig_rax.
  int R15 = 0;
  int R14 = 1;
  int R13 = 2;
  int R12 = 3;
  int RBP = 4;
  int RBX = 5;
  int R11 = 6;
  int R10 = 7;
  int R9 = 8;
  int R8 = 9;
  int RAX = 10;
  int RCX = 11;
  int RDX = 12;
  int RSI = 13;
  int RDI = 14;
  int RIP = 15;
  int RFLAGS = 16;
  int RSP = 17;
  int FS_BASE = 18;
  int GS_BASE = 19;
  int REGS = 20;

  /** Upper bound of a saved FP state in bytes (XSAVE format with software-reserved words). */
  int FP_LIMIT = 8192;

  /** Largest single copy request in bytes; larger copies go in rounds. */
  int BUFFER_BYTES = 64 * 1024;

  /**
   * Lets the guest run until its next event and waits for it. Queued copies ({@link #queueCopyOut})
   * are carried out first, by the guest thread; when one of them faults, the guest does not run and
   * the event is {@link #SYSCALL_COPY_FAULT}.
   *
   * @return the event
   */
  int run();

  /** A copy queued for the end of the last call could not be written; the guest did not resume. */
  int SYSCALL_COPY_FAULT = 5;

  /** {@return register {@code index}} as it was at the last event, or as set since */
  long reg(int index);

  /** Fills in the system call that the last event was, from its registers. */
  default void readCall(CallRegisters call) {
    call.nr = (int) reg(RAX);
    call.a0 = reg(RDI);
    call.a1 = reg(RSI);
    call.a2 = reg(RDX);
    call.a3 = reg(R10);
    call.a4 = reg(R8);
    call.a5 = reg(R9);
  }

  /**
   * Sets a register for the next {@link #run}. Segment selectors and unsafe flags cannot be set.
   */
  void setReg(int index, long value);

  /** {@return the signal number of the last FAULT} */
  int faultSignal();

  /** {@return si_code of the last FAULT} */
  int faultCode();

  /** {@return the faulting address (si_addr) of the last FAULT} */
  long faultAddress();

  /**
   * {@return the page-fault error code (bit 0 present, 1 write, 2 user, 4 instruction)}, 0 if other
   */
  int faultErrorCode();

  /** {@return the trap number (uc_mcontext trapno) of the last FAULT} */
  int faultTrap();

  /**
   * Copies guest memory to {@code dst} now. Bytes that marshalling already brought along cost no
   * round trip.
   *
   * @return bytes copied; less than {@code length} when the guest's memory faulted
   */
  long copyIn(long uaddr, MemorySegment dst, long dstOffset, long length);

  /**
   * Copies to guest memory now, in one or more round trips. Returns bytes copied, short on a fault.
   */
  long copyOut(long uaddr, MemorySegment src, long srcOffset, long length);

  /**
   * Copies a NUL-terminated string.
   *
   * @param limit most bytes to copy, NUL included
   * @return the length without the NUL; {@code limit} when no NUL was found in {@code limit} bytes;
   *     -EFAULT
   */
  long copyInString(long uaddr, MemorySegment dst, long dstOffset, long limit);

  /**
   * Copies to guest memory when the guest next resumes: no round trip of its own. The bytes are
   * taken now.
   *
   * @return false if the queue is full; use {@link #copyOut} then
   */
  boolean queueCopyOut(long uaddr, MemorySegment src, long srcOffset, long length);

  /** Forgets copies queued since the last run. */
  void clearQueuedCopies();

  /**
   * {@return {@link #BUFFER_BYTES} of memory shared with the guest thread} for bulk data on its way
   * in or out: host I/O may use it directly. Hostile: data only, never parsed in place. Its content
   * is lost with the next copy call.
   */
  MemorySegment window();

  /**
   * Brings guest bytes into {@link #window} at offset 0. Returns bytes copied, short on a fault.
   */
  long fillWindow(long uaddr, long length);

  /** Sends {@code length} bytes of the window to guest memory now. Returns bytes copied. */
  long drainWindow(long uaddr, long length);

  /**
   * As {@link #drainWindow}, but when the guest next resumes. At most one a run; the window may not
   * be touched afterwards.
   */
  void queueDrainWindow(long uaddr, long length);

  /**
   * {@return the string at {@code uaddr}, a byte a char, if the platform has it at hand}, else
   * null; it is shorter than {@code limit} bytes
   */
  default @Nullable String stringHere(long uaddr, int limit) {
    return null;
  }

  /**
   * Atomically replaces a 32-bit word of guest memory if it is {@code expected}.
   *
   * @return the old value as an unsigned int, or -EFAULT
   */
  long compareAndSwapInt(long uaddr, int expected, int value);

  /**
   * Copies the FP/vector state (XSAVE format as in a signal frame) into {@code dst}; returns its
   * bytes.
   */
  int saveFpState(MemorySegment dst, long dstOffset);

  /**
   * Replaces the FP/vector state at the next {@link #run}; {@code length} 0 resets it to initial.
   */
  void loadFpState(MemorySegment src, long srcOffset, int length);

  /**
   * Makes this or the next {@link #run} return {@link #INTERRUPTED} soon, unless {@link
   * #clearInterrupt} comes first. Any thread.
   */
  void interrupt();

  /** Takes an interrupt back that no run has returned yet. */
  void clearInterrupt();

  // What a descriptor's calls answer for as long as it stands: bits of setStanding.

  /** read(2) and pread(2) give zeros, as many as asked for. */
  int READS_ZEROS = 1;

  /** read(2) and pread(2) give the end of the file. */
  int READS_NOTHING = 2;

  /** write(2) and pwrite(2) take everything and do nothing. */
  int DISCARDS = 4;

  /** epoll_wait(2) without a timeout finds nothing. */
  int NEVER_READY = 8;

  /** pread(2) within a view ({@link #grantView}) is answered from it. */
  int READS_VIEW = 0x10;

  /** pwrite(2) within a view goes there. */
  int WRITES_VIEW = 0x20;

  /** fstat(2) gives what {@link #grantStatus} said. */
  int STATUS = 0x40;

  /** Views that one context knows. */
  int VIEWS = 8;

  /** Descriptors from here on have no standing answers. */
  int STANDING_FDS = 64;

  /**
   * Lets the platform answer some calls on descriptor {@code fd} by itself, without an event; 0
   * takes it back at once. Only where nobody needs to see the call, as {@link #setAnswer}. Any
   * thread.
   *
   * @param fd below {@link #STANDING_FDS}
   */
  void setStanding(int fd, int what);

  /**
   * Lets the platform answer pread(2) and pwrite(2) on {@code fd} within a range of the file by
   * copying to and from where its pages are mapped (AddressSpace.viewBase). A grant: it ends by
   * {@link #setStanding} 0, by {@link #withdrawGrants}, and of itself after some milliseconds, so
   * that times are kept up. Only by the thread that runs this context.
   *
   * @param view which of {@link #VIEWS}
   * @param offset of the view in the file, bytes
   * @param length how much may be answered, bytes
   * @param what {@link #READS_VIEW}, {@link #WRITES_VIEW} or both
   */
  default void grantView(int fd, int view, long offset, long length, long address, int what) {}

  /**
   * Lets the platform answer fstat(2) on {@code fd}; a grant as the other.
   *
   * @param status begins with the struct stat
   */
  default void grantStatus(int fd, redoubt.host.Region status) {}

  /** Takes back all grants. Any thread. */
  default void withdrawGrants() {}

  /**
   * Lets the platform answer system call {@code nr} with {@code value} by itself from now on,
   * without an event. Only where nobody needs to see the call (no strace, ptrace or seccomp on the
   * task), and only for calls without arguments: getpid, gettid, getppid, getuid, getgid, geteuid,
   * getegid, getpgrp; others are ignored. To be called again whenever the answer changes. Any
   * thread.
   */
  default void setAnswer(int nr, long value) {}

  /**
   * Lets the platform hand sched_yield(2) to the host, where guest threads are scheduled, without
   * an event; as {@link #setAnswer}.
   */
  default void delegate() {}

  /** Takes back all answers: every call is an event again. Any thread. */
  default void clearAnswers() {}

  /**
   * {@return the host CPU time of all threads that its address space ever had in ns}, or -1 if
   * unknown. Any thread.
   */
  long cpuTimeNs();

  /**
   * {@return the host CPU time of this thread alone in ns}, or -1 if unknown. Any thread; takes a
   * while, as {@link AddressSpace#memoryUsage}.
   */
  default long threadCpuTimeNs() {
    return -1;
  }

  /** Ends the guest thread. Idempotent. */
  void release();
}
