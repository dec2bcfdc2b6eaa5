package redoubt.sentry.arch;

import static redoubt.abi.Errno.EIO;

import java.lang.foreign.MemorySegment;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.platform.GuestContext;

/** struct user_regs_struct of x86-64 (asm/user_64.h): what a tracer and a core file see. */
public final class UserRegs {
  /** Bytes of the struct. */
  public static final int BYTES = 27 * 8;

  public static final int FS_BASE = 21;
  public static final int GS_BASE = 22;

  private static final int ORIG_RAX = 15;
  private static final int CS = 17;
  private static final int SS = 20;
  private static final int USER_CS = 0x33;
  private static final int USER_SS = 0x2b;

  /** FLAG_MASK of arch/x86/kernel/ptrace.c. */
  private static final long FLAGS = 0x54dd5L;

  private static final long TASK_SIZE_MAX = (1L << 47) - 4096;

  /** {@link GuestContext}'s number of each place, or -1. */
  private static final int[] PLACES = {
    GuestContext.R15,
    GuestContext.R14,
    GuestContext.R13,
    GuestContext.R12,
    GuestContext.RBP,
    GuestContext.RBX,
    GuestContext.R11,
    GuestContext.R10,
    GuestContext.R9,
    GuestContext.R8,
    GuestContext.RAX,
    GuestContext.RCX,
    GuestContext.RDX,
    GuestContext.RSI,
    GuestContext.RDI,
    -1,
    GuestContext.RIP,
    -1,
    GuestContext.RFLAGS,
    GuestContext.RSP,
    -1,
    GuestContext.FS_BASE,
    GuestContext.GS_BASE,
    -1,
    -1,
    -1,
    -1
  };

  private UserRegs() {}

  /** Writes the registers of {@code t}, which stands still. */
  public static void write(Task t, MemorySegment dst, long at) {
    GuestContext c = t.context();
    for (int i = 0; i < PLACES.length; i++) {
      long v =
          switch (i) {
            case ORIG_RAX -> t.originalCall();
            case CS -> USER_CS;
            case SS -> USER_SS;
            default -> PLACES[i] < 0 ? 0 : c.reg(PLACES[i]);
          };
      dst.set(Memory.LONG, at + 8L * i, v);
    }
  }

  /** Sets the registers that the first {@code length} bytes hold. Returns 0 or -EIO. */
  public static long read(Task t, MemorySegment src, long length) {
    for (int i = 0; i < length / 8; i++) {
      long r = set(t, i, src.get(Memory.LONG, 8L * i));
      if (r < 0) {
        return r;
      }
    }
    return 0;
  }

  /** Sets the register at place {@code i}. Returns 0 or -EIO for what Linux refuses. */
  public static long set(Task t, int i, long value) {
    GuestContext c = t.context();
    switch (i) {
      case ORIG_RAX -> t.setOriginalCall(value);
      case CS, SS -> {
        return (value & 3) == 3 ? 0 : -EIO;
      }
      case FS_BASE, GS_BASE -> {
        if (Long.compareUnsigned(value, TASK_SIZE_MAX) >= 0) {
          return -EIO;
        }
        c.setReg(PLACES[i], value);
      }
      default -> {
        if (PLACES[i] == GuestContext.RFLAGS) {
          c.setReg(GuestContext.RFLAGS, (c.reg(GuestContext.RFLAGS) & ~FLAGS) | (value & FLAGS));
        } else if (PLACES[i] >= 0) {
          c.setReg(PLACES[i], value);
        }
      }
    }
    return 0;
  }
}
