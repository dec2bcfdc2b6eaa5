package redoubt.sentry.kernel;

import redoubt.sentry.platform.GuestContext;

/**
 * What is said when the kernel itself fails: to its log, with the guest's registers. The guest only
 * sees EIO.
 */
final class InternalError {
  private static final String[] NAMES = {
    "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi",
    "rdi", "rip", "eflags", "rsp", "fs_base", "gs_base"
  };

  private InternalError() {}

  static void report(Task t, String where, Throwable e) {
    KernelLog log = t.kernel().log();
    log.log(2, "redoubt: internal error in " + where + " of " + t + ": " + e);
    StackTraceElement[] stack = e.getStackTrace();
    for (int i = 0; i < Math.min(stack.length, 12); i++) {
      log.log(2, "redoubt:   at " + stack[i]);
    }
    StringBuilder regs = new StringBuilder("redoubt:  ");
    GuestContext c = t.context();
    for (int i = 0; i < GuestContext.REGS; i++) {
      regs.append(' ').append(NAMES[i]).append('=').append(Long.toHexString(c.reg(i)));
    }
    log.log(2, regs.toString());
  }
}
