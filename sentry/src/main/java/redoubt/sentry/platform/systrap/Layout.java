package redoubt.sentry.platform.systrap;

import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * Addresses and shared structures of sentry, keeper and stubs: {@code native/keeper/layout.h},
 * whose comments say who writes what.
 */
final class Layout {
  static final long REGION = 0x7fff_0000_0000L;
  static final long REQUEST_VA = 0x7fff_0001_0000L;
  static final long REPLY_VA = 0x7fff_0001_1000L;
  static final long VIEW_VA = 0x7fff_0100_0000L;
  static final long VIEW_END = 0x7fff_0f00_0000L;
  static final long CONTEXT_VA = 0x7fff_1000_0000L;
  static final long TEXT_VA = 0x7fff_8000_0000L;

  static final int FD_CONTROL = 1000;
  static final int FD_CONTEXTS = 1001;
  static final int FD_ACK = 1002;
  static final int FD_TEXT = 1005;

  static final long CONTEXT_STRIDE = 0x40000;
  static final long CONTEXT_BYTES = 0x38000;
  static final int CONTEXT_FP = 0x1000;
  static final int CONTEXT_STACK = 0x2000;
  static final int CONTEXT_STACK_END = 0x10000;
  static final int CONTEXT_WINDOW = 0x10000;
  static final int CONTEXT_COPY = 0x20000;
  static final int CONTEXT_QUEUE = 0x28000;
  static final int CONTEXT_PREFETCH = 0x30000;
  static final int COPY_BYTES = 0x8000;
  static final int QUEUE_BYTES = 0x8000;

  static final int TURN_GONE = 0;
  static final int TURN_SENTRY = 1;
  static final int TURN_STUB = 2;
  static final int TURN_DEAD = 3;

  static final int EVENT_DONE = 6;
  static final int EVENT_MASK = 0x7f;
  static final int EVENT_PATCHED = 0x80;
  static final int EVENT_ARGUMENT_SHIFT = 16;
  static final int EVENT_INLINE_SHIFT = 20;
  static final int EVENT_BYTES_SHIFT = 24;
  static final int INLINE_FROM = 4;

  static final int CMD_RUN = 1;
  static final int CMD_COPY_IN = 2;
  static final int CMD_COPY_OUT = 3;
  static final int CMD_STRING = 4;
  static final int CMD_CAS = 5;
  static final int CMD_EXIT = 6;
  static final int CMD_FLUSH = 7;
  static final int CMD_RETRAP = 8;
  static final int CMD_RAX = 0x80;
  static final int CMD_FIRST = 0x10000;

  // struct control
  static final long TURN = 0;
  static final long WORD = 4;
  static final int CALL = 8;
  static final int CALL_BYTES = 56;
  static final long FIRST_GUEST = 0x10;
  static final long FIRST_PLACE = 0x18;
  static final long FIRST_DATA = 0x20;
  static final int FIRST_BYTES = 32;
  static final long INTERRUPT = 0x40;
  static final long SPIN = 0x44;
  static final long SELF = 0x48;
  static final long ENTRY = 0x50;
  static final long PATCHED = 0x58;
  static final long FP_MASK = 0x5c;
  static final long SENTRY_SLEEPS = 0x60;
  static final long PAUSES = 0x64;
  static final long FAULT_SIGNAL = 0x80;
  static final long FAULT_CODE = 0x84;
  static final long FAULT_ERROR = 0x88;
  static final long FAULT_TRAP = 0x8c;
  static final long FAULT_ADDRESS = 0x90;
  static final long TID = 0x98;
  static final long STUB_SLEEPS = 0x9c;
  static final long REGS = 0xc0;
  static final long FP_OFFSET = 0x160;
  static final long FP_SAVED = 0x164;
  static final long CPU = 0x168;
  static final long QUEUE = 0x180;
  static final int QUEUE_LIMIT = 64;
  static final long FETCHED = 0x580;
  static final int FETCHED_LIMIT = 4;

  /** Behind the first description: bytes of a call's only argument. */
  static final int BESIDE = 0x590;

  static final int PREFETCH_BYTES = 0x8000;
  static final int ANSWERS = 0x600;
  static final int ANSWERS_COUNT = 8;
  static final long STANDING = 0x680;
  static final long DELEGATED = 0x780;
  static final int VIEW_SHIFT = 8;
  static final int STATUS_SHIFT = 16;
  static final long VIEWS = 0x7c0;
  static final int VIEWS_COUNT = 8;
  static final int VIEW_BYTES = 24;
  static final long STATUSES = 0x880;
  static final int STATUSES_COUNT = 4;
  static final int STATUS_BYTES = 144;

  // struct request
  static final long REQUEST_BYTES = 4096;
  static final long SEQUENCE = 0;
  static final long COUNT = 4;
  static final long SENTRY_SLEEPING = 8;
  static final long MAP_SPIN = 12;
  static final long ACK = 16;
  static final long FORK_FAILED = 32;
  static final long BATCH_DONE = 48;

  // What an acknowledgement says, in its second word.
  static final int ACK_STARTED = 0;
  static final int ACK_FORK_FAILED = 1;
  static final int ACK_BATCH_DONE = 2;

  static final int ACK_BYTES = 16;
  static final long OPS = 64;
  static final long OP_BYTES = 64;
  static final long OP_KIND = 56;
  static final long OP_TAG = 60;
  static final int OPS_LIMIT = 63;

  // struct reply
  static final long DONE = 0;
  static final long MAP_SLEEPING = 4;
  static final long INDEX = 8;
  static final long REPLY_RESULT = 16;

  static final int KIND_GUEST = 0;
  static final int KIND_STUB = 1;
  static final int KIND_THREAD = 2;
  static final int KIND_FORK = 3;
  static final int KIND_EXPECT = 4;

  static final int MSG_INIT = 1;
  static final int MSG_SPAWN = 2;
  static final int MSG_IMPORT = 3;
  static final int MSG_CLOSE = 4;
  static final int MSG_KILL = 5;
  static final int MSG_STATM = 7;
  static final int MSG_CPU = 8;
  static final int MSG_READY = 1;
  static final int MSG_SPAWNED = 2;
  static final int MSG_IMPORTED = 3;
  static final int MSG_DEATH = 5;
  static final int MSG_ENTRY = 6;
  static final int MSG_ANSWER = 7;
  static final int MSG_BYTES = 32;

  // struct ucontext of the x86-64 kernel ABI
  static final long UC_FLAGS = 0;
  static final long UC_STACK_SP = 16;
  static final long UC_STACK_FLAGS = 24;
  static final long UC_STACK_SIZE = 32;
  static final long UC_RBX = 128;
  static final long UC_RSP = 160;
  static final long UC_RIP = 168;
  static final long UC_RFLAGS = 176;
  static final long UC_SEGMENTS = 184;
  static final long UC_FPSTATE = 224;
  static final long UC_MASK = 296;
  static final int UC_BYTES = 304;

  /** UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS. */
  static final long UC_FLAGS_VALUE = 7;

  /** cs 0x33, gs 0, fs 0, ss 0x2b. */
  static final long SEGMENTS = 0x002b_0000_0000_0033L;

  /**
   * Where a fresh context's frames lie: the FP state, then what it resumes from, then what starts
   * it.
   */
  static final int FIRST_FP = 0xdc00;

  static final int FIRST_FRAME = 0xd800;
  static final int START_FRAME = 0xd400;
  static final int START_STACK = 0xd300;

  /** Accesses to aligned shared words. */
  static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();

  static final VarHandle LONG = ValueLayout.JAVA_LONG.varHandle();

  private Layout() {}
}
