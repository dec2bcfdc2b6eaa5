package redoubt.sentry.kernel;

import static redoubt.abi.Seccomp.*;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.host.Memory;

/**
 * A program of the classic BPF that seccomp takes: checked once, as net/core/filter.c and
 * seccomp_check_filter do, then run for each call. Its input is struct seccomp_data as 32-bit
 * words.
 */
public final class ClassicBpf {
  /** BPF_MAXINSNS. */
  public static final int MAX_INSTRUCTIONS = 4096;

  /** Words of struct seccomp_data. */
  static final int DATA_WORDS = SIZEOF_SECCOMP_DATA / 4;

  private final int[] codes;
  private final int[] jumps; // jt in the upper half, jf in the lower
  private final int[] ks;

  private ClassicBpf(int[] codes, int[] jumps, int[] ks) {
    this.codes = codes;
    this.jumps = jumps;
    this.ks = ks;
  }

  /**
   * {@return the program}, or null if it is not one (EINVAL)
   *
   * @param filter {@code count} of struct sock_filter
   */
  public static @Nullable ClassicBpf parse(MemorySegment filter, int count) {
    int[] codes = new int[count];
    int[] jumps = new int[count];
    int[] ks = new int[count];
    for (int i = 0; i < count; i++) {
      long at = (long) i * SIZEOF_SOCK_FILTER;
      codes[i] = filter.get(Memory.SHORT, at + SOCK_FILTER_CODE) & 0xffff;
      int jt = filter.get(Memory.BYTE, at + SOCK_FILTER_JT) & 0xff;
      int jf = filter.get(Memory.BYTE, at + SOCK_FILTER_JF) & 0xff;
      jumps[i] = jt << 16 | jf;
      ks[i] = filter.get(Memory.INT, at + SOCK_FILTER_K);
    }
    ClassicBpf p = new ClassicBpf(codes, jumps, ks);
    return p.isValid() && p.storesBeforeLoads() ? p : null;
  }

  /** {@return instructions} */
  public int length() {
    return codes.length;
  }

  private boolean isValid() {
    int n = codes.length;
    for (int pc = 0; pc < n; pc++) {
      int k = ks[pc];
      boolean fine =
          switch (codes[pc]) {
            case BPF_LD | BPF_W | BPF_ABS ->
                Integer.compareUnsigned(k, SIZEOF_SECCOMP_DATA) < 0 && (k & 3) == 0;
            case BPF_LD | BPF_W | BPF_LEN,
                BPF_LDX | BPF_W | BPF_LEN,
                BPF_RET | BPF_K,
                BPF_RET | BPF_A,
                BPF_ALU | BPF_ADD | BPF_K,
                BPF_ALU | BPF_ADD | BPF_X,
                BPF_ALU | BPF_SUB | BPF_K,
                BPF_ALU | BPF_SUB | BPF_X,
                BPF_ALU | BPF_MUL | BPF_K,
                BPF_ALU | BPF_MUL | BPF_X,
                BPF_ALU | BPF_DIV | BPF_X,
                BPF_ALU | BPF_AND | BPF_K,
                BPF_ALU | BPF_AND | BPF_X,
                BPF_ALU | BPF_OR | BPF_K,
                BPF_ALU | BPF_OR | BPF_X,
                BPF_ALU | BPF_XOR | BPF_K,
                BPF_ALU | BPF_XOR | BPF_X,
                BPF_ALU | BPF_LSH | BPF_X,
                BPF_ALU | BPF_RSH | BPF_X,
                BPF_ALU | BPF_NEG,
                BPF_LD | BPF_IMM,
                BPF_LDX | BPF_IMM,
                BPF_MISC | BPF_TAX,
                BPF_MISC | BPF_TXA ->
                true;
            case BPF_ALU | BPF_DIV | BPF_K -> k != 0;
            case BPF_ALU | BPF_LSH | BPF_K, BPF_ALU | BPF_RSH | BPF_K ->
                Integer.compareUnsigned(k, 32) < 0;
            case BPF_LD | BPF_MEM, BPF_LDX | BPF_MEM, BPF_ST, BPF_STX ->
                Integer.compareUnsigned(k, BPF_MEMWORDS) < 0;
            case BPF_JMP | BPF_JA -> Integer.compareUnsigned(k, n - pc - 1) < 0;
            case BPF_JMP | BPF_JEQ | BPF_K,
                BPF_JMP | BPF_JEQ | BPF_X,
                BPF_JMP | BPF_JGE | BPF_K,
                BPF_JMP | BPF_JGE | BPF_X,
                BPF_JMP | BPF_JGT | BPF_K,
                BPF_JMP | BPF_JGT | BPF_X,
                BPF_JMP | BPF_JSET | BPF_K,
                BPF_JMP | BPF_JSET | BPF_X ->
                pc + (jumps[pc] >>> 16) + 1 < n && pc + (jumps[pc] & 0xffff) + 1 < n;
            default -> false;
          };
      if (!fine) {
        return false;
      }
    }
    int last = codes[n - 1];
    return last == (BPF_RET | BPF_K) || last == (BPF_RET | BPF_A);
  }

  /** check_load_and_stores: no scratch word is read that some way here did not write. */
  private boolean storesBeforeLoads() {
    int n = codes.length;
    int[] valid = new int[n];
    java.util.Arrays.fill(valid, 0xffff);
    int now = 0;
    for (int pc = 0; pc < n; pc++) {
      now &= valid[pc];
      switch (codes[pc]) {
        case BPF_ST, BPF_STX -> now |= 1 << ks[pc];
        case BPF_LD | BPF_MEM, BPF_LDX | BPF_MEM -> {
          if ((now & 1 << ks[pc]) == 0) {
            return false;
          }
        }
        case BPF_JMP | BPF_JA -> {
          valid[pc + 1 + ks[pc]] &= now;
          now = 0xffff;
        }
        default -> {
          if ((codes[pc] & 7) == BPF_JMP) {
            valid[pc + 1 + (jumps[pc] >>> 16)] &= now;
            valid[pc + 1 + (jumps[pc] & 0xffff)] &= now;
            now = 0xffff;
          }
        }
      }
    }
    return true;
  }

  /**
   * {@return what the program returns for {@code data}}
   *
   * @param scratch 16 words
   */
  int run(int[] data, int[] scratch) {
    int a = 0;
    int x = 0;
    for (int pc = 0; ; pc++) {
      int k = ks[pc];
      switch (codes[pc]) {
        case BPF_LD | BPF_W | BPF_ABS -> a = data[k >>> 2];
        case BPF_LD | BPF_W | BPF_LEN -> a = SIZEOF_SECCOMP_DATA;
        case BPF_LDX | BPF_W | BPF_LEN -> x = SIZEOF_SECCOMP_DATA;
        case BPF_LD | BPF_IMM -> a = k;
        case BPF_LDX | BPF_IMM -> x = k;
        case BPF_LD | BPF_MEM -> a = scratch[k];
        case BPF_LDX | BPF_MEM -> x = scratch[k];
        case BPF_ST -> scratch[k] = a;
        case BPF_STX -> scratch[k] = x;
        case BPF_MISC | BPF_TAX -> x = a;
        case BPF_MISC | BPF_TXA -> a = x;
        case BPF_RET | BPF_K -> {
          return k;
        }
        case BPF_RET | BPF_A -> {
          return a;
        }
        case BPF_JMP | BPF_JA -> pc += k;
        case BPF_ALU | BPF_DIV | BPF_X -> {
          if (x == 0) {
            return 0;
          }
          a = Integer.divideUnsigned(a, x);
        }
        case BPF_ALU | BPF_NEG -> a = -a;
        default -> {
          int operand = (codes[pc] & BPF_X) != 0 ? x : k;
          if ((codes[pc] & 7) == BPF_JMP) {
            pc += isTrue(codes[pc] & 0xf0, a, operand) ? jumps[pc] >>> 16 : jumps[pc] & 0xffff;
          } else {
            a = alu(codes[pc] & 0xf0, a, operand);
          }
        }
      }
    }
  }

  private static boolean isTrue(int op, int a, int operand) {
    return switch (op) {
      case BPF_JEQ -> a == operand;
      case BPF_JGT -> Integer.compareUnsigned(a, operand) > 0;
      case BPF_JGE -> Integer.compareUnsigned(a, operand) >= 0;
      default -> (a & operand) != 0;
    };
  }

  private static int alu(int op, int a, int operand) {
    return switch (op) {
      case BPF_ADD -> a + operand;
      case BPF_SUB -> a - operand;
      case BPF_MUL -> a * operand;
      case BPF_DIV -> Integer.divideUnsigned(a, operand);
      case BPF_OR -> a | operand;
      case BPF_AND -> a & operand;
      case BPF_LSH -> a << operand;
      case BPF_RSH -> a >>> operand;
      default -> a ^ operand; // BPF_XOR is 0xa0
    };
  }
}
