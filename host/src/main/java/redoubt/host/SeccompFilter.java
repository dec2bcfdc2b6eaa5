package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Nr;

/**
 * A seccomp filter as a table of system calls, each with its reason, and the small assembler that
 * makes classic BPF of it: <a
 * href="https://man7.org/linux/man-pages/man2/seccomp.2.html">seccomp(2)</a>.
 *
 * <p>A call is looked up by a binary search over the numbers; the rules of its number are tried in
 * the order in which they were added, and the first whose checks all hold decides. If none does,
 * the default action decides. Another architecture and x32 numbers kill the process.
 *
 * <p>What is allowed without checks costs nothing on Linux 5.11 and newer: the kernel remembers it
 * in a bitmap. So check arguments where it matters, and nowhere else.
 */
public final class SeccompFilter {
  /** Kills the whole process, with SIGSYS as its status. */
  public static final int KILL_PROCESS = 0x80000000;

  /** Sends SIGSYS to the calling thread. */
  public static final int TRAP = 0x00030000;

  public static final int ALLOW = 0x7fff0000;

  private static final int ERRNO = 0x00050000;

  private static final int AUDIT_ARCH_X86_64 = 0xc000003e;
  private static final int X32_BIT = 0x40000000;
  private static final int SET_MODE_FILTER = 1;
  private static final int FLAG_TSYNC = 1;
  private static final int PROGRAM_MAX = 4096;

  // struct seccomp_data.
  private static final int DATA_NR = 0;
  private static final int DATA_ARCH = 4;
  private static final int DATA_ARGS = 16;

  // linux/bpf_common.h: class | size | mode, and class | operation | source.
  private static final int LD_W_ABS = 0x20;
  private static final int ALU_AND_K = 0x54;
  private static final int JMP_JA = 0x05;
  private static final int JMP_JEQ_K = 0x15;
  private static final int JMP_JGT_K = 0x25;
  private static final int JMP_JGE_K = 0x35;
  private static final int RET_K = 0x06;

  /** Jump offset that stands for "to the next rule" until the rule's end is known. */
  private static final int NEXT_RULE = 0xff;

  /** A condition on one argument, 0 to 5. */
  public static final class Check {
    private enum Kind {
      EQUAL_32,
      MASKED_32,
      EQUAL_64,
      BELOW_64
    }

    private final Kind kind;
    private final int argument;
    private final long mask;
    private final long value;

    private Check(Kind kind, int argument, long mask, long value) {
      if (argument < 0 || argument > 5) {
        throw new IllegalArgumentException("argument " + argument);
      }
      this.kind = kind;
      this.argument = argument;
      this.mask = mask;
      this.value = value;
    }
  }

  private static final class Rule {
    final int action;
    final String reason;
    final Check[] checks;

    Rule(int action, String reason, Check[] checks) {
      this.action = action;
      this.reason = reason;
      this.checks = checks;
    }
  }

  private final int defaultAction;
  private final Map<Integer, List<Rule>> rules = new TreeMap<>();
  private final List<long[]> program = new ArrayList<>();

  /**
   * @param defaultAction what happens to a call that no rule decides
   */
  public SeccompFilter(int defaultAction) {
    this.defaultAction = defaultAction;
  }

  /** {@return the action that makes a call fail with {@code errno}} */
  public static int errno(int errno) {
    return ERRNO | errno;
  }

  /** Holds if the argument, as the kernel takes an {@code int}, is {@code value}. */
  public static Check equal(int argument, int value) {
    return new Check(Check.Kind.EQUAL_32, argument, -1, value & 0xffffffffL);
  }

  /** Holds if of the low 32 bits those in {@code mask} are as in {@code value}. */
  public static Check masked(int argument, int mask, int value) {
    return new Check(Check.Kind.MASKED_32, argument, mask & 0xffffffffL, value & 0xffffffffL);
  }

  /** Holds if the argument as an {@code int} is not negative: for descriptors, not AT_FDCWD. */
  public static Check notNegative(int argument) {
    return masked(argument, 0x80000000, 0);
  }

  /** Holds if all 64 bits are as in {@code value}. */
  public static Check equal64(int argument, long value) {
    return new Check(Check.Kind.EQUAL_64, argument, -1, value);
  }

  /** Holds if the argument, unsigned, is below {@code limit}. */
  public static Check below64(int argument, long limit) {
    return new Check(Check.Kind.BELOW_64, argument, -1, limit);
  }

  /** Allows a call if all checks hold. */
  public SeccompFilter allow(int nr, String reason, Check... checks) {
    return add(nr, ALLOW, reason, checks);
  }

  /** Makes a call fail with {@code errno} if all checks hold. */
  public SeccompFilter fail(int nr, int errno, String reason, Check... checks) {
    return add(nr, errno(errno), reason, checks);
  }

  /** Kills the process at a call if all checks hold. */
  public SeccompFilter kill(int nr, String reason, Check... checks) {
    return add(nr, KILL_PROCESS, reason, checks);
  }

  /** Adds a rule with any action; the reason is printed by {@link #describe}. */
  public SeccompFilter add(int nr, int action, String reason, Check... checks) {
    List<Rule> list = rules.get(nr);
    if (list == null) {
      list = new ArrayList<>(1);
      rules.put(nr, list);
    }
    list.add(new Rule(action, reason, checks));
    return this;
  }

  /** {@return whether any rule allows {@code nr}} */
  public boolean mayAllow(int nr) {
    List<Rule> list = rules.get(nr);
    if (list != null) {
      for (Rule r : list) {
        if (r.action == ALLOW) {
          return true;
        }
      }
    }
    return false;
  }

  /** {@return the table as text, a line a rule} */
  public String describe() {
    StringBuilder text = new StringBuilder();
    for (Map.Entry<Integer, List<Rule>> e : rules.entrySet()) {
      for (Rule r : e.getValue()) {
        text.append(e.getKey())
            .append(r.action == ALLOW ? " allow" : r.action == KILL_PROCESS ? " kill" : " fail")
            .append(r.checks.length == 0 ? ": " : " (checked): ")
            .append(r.reason)
            .append('\n');
      }
    }
    return text.toString();
  }

  /**
   * Makes the program: eight bytes an instruction (code 2, jt 1, jf 1, k 4).
   *
   * @throws IllegalStateException if it is longer than the kernel takes
   */
  public byte[] assemble() {
    program.clear();
    emit(LD_W_ABS, 0, 0, DATA_ARCH);
    emit(JMP_JEQ_K, 1, 0, AUDIT_ARCH_X86_64);
    emit(RET_K, 0, 0, KILL_PROCESS);
    emit(LD_W_ABS, 0, 0, DATA_NR);
    emit(JMP_JGE_K, 0, 1, X32_BIT);
    emit(RET_K, 0, 0, KILL_PROCESS);
    Integer[] numbers = rules.keySet().toArray(new Integer[0]);
    if (numbers.length == 0) {
      emit(RET_K, 0, 0, defaultAction);
    } else {
      emitSearch(numbers, 0, numbers.length - 1);
    }
    if (program.size() > PROGRAM_MAX) {
      throw new IllegalStateException("filter of " + program.size() + " instructions is too long");
    }
    byte[] bytes = new byte[8 * program.size()];
    for (int i = 0; i < program.size(); i++) {
      long[] insn = program.get(i);
      int at = 8 * i;
      bytes[at] = (byte) insn[0];
      bytes[at + 1] = (byte) (insn[0] >> 8);
      bytes[at + 2] = (byte) insn[1];
      bytes[at + 3] = (byte) insn[2];
      for (int b = 0; b < 4; b++) {
        bytes[at + 4 + b] = (byte) (insn[3] >> (8 * b));
      }
    }
    return bytes;
  }

  /**
   * Puts the filter on every thread of the process, for ever. Sets no_new_privs, without which an
   * unprivileged process may not.
   *
   * @throws HostException if the host refuses
   */
  public void install() {
    byte[] bytes = assemble();
    ProcessCalls.setNoNewPrivileges();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment code = arena.allocate(bytes.length, 8);
      MemorySegment.copy(bytes, 0, code, Memory.BYTE, 0, bytes.length);
      // struct sock_fprog: len 0, filter 8.
      MemorySegment fprog = arena.allocate(16, 8);
      fprog.set(Memory.SHORT, 0, (short) (bytes.length / 8));
      fprog.set(Memory.LONG, 8, code.address());
      long r =
          HostException.check(
              "seccomp",
              RawSyscall.syscall(Nr.SECCOMP, SET_MODE_FILTER, FLAG_TSYNC, fprog.address()));
      if (r > 0) {
        throw new IllegalStateException("seccomp: thread " + r + " has a filter of its own");
      }
    }
  }

  private void emitSearch(Integer[] numbers, int low, int high) {
    if (low == high) {
      int nr = numbers[low];
      int test = emit(JMP_JEQ_K, 0, 0, nr);
      emitRules(rules.get(nr));
      int body = program.size() - test - 1;
      if (body >= NEXT_RULE) {
        throw new IllegalStateException("too many checks for system call " + nr);
      }
      program.get(test)[2] = body;
      emit(RET_K, 0, 0, defaultAction);
      return;
    }
    int middle = (low + high + 1) >>> 1;
    emit(JMP_JGE_K, 0, 1, numbers[middle]);
    int far = emit(JMP_JA, 0, 0, 0);
    emitSearch(numbers, low, middle - 1);
    program.get(far)[3] = program.size() - far - 1;
    emitSearch(numbers, middle, high);
  }

  /** Emits the rules of one number; one without checks ends the list. */
  private void emitRules(@Nullable List<Rule> list) {
    if (list == null) {
      return;
    }
    for (Rule rule : list) {
      int start = program.size();
      for (Check check : rule.checks) {
        emitCheck(check);
      }
      emit(RET_K, 0, 0, rule.action);
      int next = program.size();
      for (int i = start; i < next; i++) {
        long[] insn = program.get(i);
        if ((insn[0] & 7) == JMP_JA) {
          for (int side = 1; side <= 2; side++) {
            if (insn[side] == NEXT_RULE) {
              insn[side] = next - i - 1;
            }
          }
        }
      }
      if (rule.checks.length == 0) {
        return;
      }
    }
  }

  private void emitCheck(Check check) {
    int low = DATA_ARGS + 8 * check.argument;
    int high = low + 4;
    switch (check.kind) {
      case EQUAL_32 -> {
        emit(LD_W_ABS, 0, 0, low);
        emit(JMP_JEQ_K, 0, NEXT_RULE, (int) check.value);
      }
      case MASKED_32 -> {
        emit(LD_W_ABS, 0, 0, low);
        emit(ALU_AND_K, 0, 0, (int) check.mask);
        emit(JMP_JEQ_K, 0, NEXT_RULE, (int) check.value);
      }
      case EQUAL_64 -> {
        emit(LD_W_ABS, 0, 0, low);
        emit(JMP_JEQ_K, 0, NEXT_RULE, (int) check.value);
        emit(LD_W_ABS, 0, 0, high);
        emit(JMP_JEQ_K, 0, NEXT_RULE, (int) (check.value >>> 32));
      }
      case BELOW_64 -> {
        emit(LD_W_ABS, 0, 0, high);
        emit(JMP_JEQ_K, 0, 2, (int) (check.value >>> 32));
        emit(LD_W_ABS, 0, 0, low);
        emit(JMP_JGE_K, NEXT_RULE, 1, (int) check.value);
        emit(JMP_JGT_K, NEXT_RULE, 0, (int) (check.value >>> 32));
      }
    }
  }

  private int emit(int code, int jt, int jf, int k) {
    program.add(new long[] {code, jt, jf, k & 0xffffffffL});
    return program.size() - 1;
  }

  @Override
  public String toString() {
    return "seccomp filter of "
        + rules.size()
        + " calls "
        + Arrays.toString(rules.keySet().toArray());
  }
}
