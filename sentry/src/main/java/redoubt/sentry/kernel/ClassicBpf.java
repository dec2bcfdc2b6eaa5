package redoubt.sentry.kernel;

import static redoubt.abi.Seccomp.*;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.host.Memory;

/**
 * A program of the classic BPF: checked once, as net/core/filter.c and seccomp_check_filter do,
 * then run for each call or packet. Its input is struct seccomp_data as 32-bit words, or a {@link
 * Frame}, for which more instructions are allowed.
 */
public final class ClassicBpf {
  /** BPF_MAXINSNS. */
  public static final int MAX_INSTRUCTIONS = 4096;

  /** Words of struct seccomp_data. */
  static final int DATA_WORDS = SIZEOF_SECCOMP_DATA / 4;

  // What BPF_ABS reads beyond the packet: SKF_AD_OFF, SKF_NET_OFF and SKF_LL_OFF.
  private static final int AD_OFF = -0x1000;
  private static final int NET_OFF = -0x100000;
  private static final int LL_OFF = -0x200000;
  private static final int AD_PROTOCOL = 0;
  private static final int AD_PKTTYPE = 4;
  private static final int AD_IFINDEX = 8;
  private static final int AD_HATYPE = 28;
  private static final int AD_ALU_XOR_X = 40;
  private static final int AD_MAX = 64;

  /** A packet as a socket's filter sees it. Reused; whoever runs the program fills it in. */
  public static final class Frame {
    public byte[] data = {};

    /** Where the link's header begins, the network's, and what the socket reads. */
    public int linkAt;

    public int networkAt;
    public int start;
    public int end;
    public int protocol;
    public int packetType;
    public int interfaceIndex;
    public int hardwareType;
  }

  private static final int[] NO_WORDS = {};

  /** No load from a packet gives this: it lies outside. */
  private static final long OUTSIDE = -1;

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
    ClassicBpf p = read(filter, count);
    return p.isValid(false) && p.storesBeforeLoads() ? p : null;
  }

  /** As {@link #parse}, for a program that reads packets (SO_ATTACH_FILTER). */
  public static @Nullable ClassicBpf parseForPackets(MemorySegment filter, int count) {
    ClassicBpf p = read(filter, count);
    return p.isValid(true) && p.storesBeforeLoads() ? p : null;
  }

  private static ClassicBpf read(MemorySegment filter, int count) {
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
    return new ClassicBpf(codes, jumps, ks);
  }

  /** {@return instructions} */
  public int length() {
    return codes.length;
  }

  private boolean isValid(boolean isForPackets) {
    int n = codes.length;
    for (int pc = 0; pc < n; pc++) {
      int k = ks[pc];
      boolean fine =
          switch (codes[pc]) {
            case BPF_LD | BPF_W | BPF_ABS ->
                isForPackets
                    ? isKnownPlace(k)
                    : Integer.compareUnsigned(k, SIZEOF_SECCOMP_DATA) < 0 && (k & 3) == 0;
            case BPF_LD | BPF_H | BPF_ABS, BPF_LD | BPF_B | BPF_ABS ->
                isForPackets && isKnownPlace(k);
            case BPF_LD | BPF_W | BPF_IND,
                BPF_LD | BPF_H | BPF_IND,
                BPF_LD | BPF_B | BPF_IND,
                BPF_LDX | BPF_B | BPF_MSH,
                BPF_ALU | BPF_MOD | BPF_X ->
                isForPackets;
            case BPF_ALU | BPF_MOD | BPF_K -> isForPackets && k != 0;
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

  /** bpf_anc_helper: of what lies beyond every packet only some words exist. */
  private static boolean isKnownPlace(int k) {
    return k >= 0 || k < AD_OFF || (k - AD_OFF < AD_MAX && (k & 3) == 0);
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
    return run(data, null, scratch);
  }

  /**
   * {@return how many bytes of {@code frame} the program lets through}
   *
   * @param scratch 16 words
   */
  public int run(Frame frame, int[] scratch) {
    return run(NO_WORDS, frame, scratch);
  }

  private int run(int[] data, @Nullable Frame frame, int[] scratch) {
    int a = 0;
    int x = 0;
    for (int pc = 0; ; pc++) {
      int k = ks[pc];
      switch (codes[pc]) {
        case BPF_LD | BPF_W | BPF_ABS -> {
          if (frame == null) {
            a = data[k >>> 2];
          } else {
            long v = k == AD_OFF + AD_ALU_XOR_X ? (a ^ x) & 0xffff_ffffL : load(frame, k, 4);
            if (v == OUTSIDE) {
              return 0;
            }
            a = (int) v;
          }
        }
        case BPF_LD | BPF_H | BPF_ABS,
            BPF_LD | BPF_B | BPF_ABS,
            BPF_LD | BPF_W | BPF_IND,
            BPF_LD | BPF_H | BPF_IND,
            BPF_LD | BPF_B | BPF_IND -> {
          int base = (codes[pc] & 0xe0) == BPF_IND ? x : 0;
          long v = frame == null ? OUTSIDE : load(frame, k + base, size(codes[pc]));
          if (v == OUTSIDE) {
            return 0;
          }
          a = (int) v;
        }
        case BPF_LDX | BPF_B | BPF_MSH -> {
          long v = frame == null ? OUTSIDE : load(frame, k, 1);
          if (v == OUTSIDE) {
            return 0;
          }
          x = ((int) v & 15) << 2;
        }
        case BPF_LD | BPF_W | BPF_LEN -> a = length(frame);
        case BPF_LDX | BPF_W | BPF_LEN -> x = length(frame);
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
        case BPF_ALU | BPF_MOD | BPF_X -> {
          if (x == 0) {
            return 0;
          }
          a = Integer.remainderUnsigned(a, x);
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

  private static int length(@Nullable Frame frame) {
    return frame == null ? SIZEOF_SECCOMP_DATA : frame.end - frame.start;
  }

  private static int size(int code) {
    return (code & 0x18) == BPF_H ? 2 : (code & 0x18) == BPF_B ? 1 : 4;
  }

  /** {@return the {@code size} bytes at {@code k}, or {@link #OUTSIDE}} */
  private static long load(Frame f, int k, int size) {
    if (k >= AD_OFF && k < 0) {
      return ancillary(f, k - AD_OFF);
    }
    long at =
        k >= 0 ? f.start : k >= NET_OFF ? f.networkAt - (long) NET_OFF : f.linkAt - (long) LL_OFF;
    at += k;
    if (at < f.linkAt || at + size > f.end) {
      return OUTSIDE;
    }
    long v = 0;
    for (int i = 0; i < size; i++) {
      v = v << 8 | (f.data[(int) at + i] & 0xff);
    }
    return v;
  }

  /** What is not there (marks, hashes, VLAN tags) reads as 0, as for packets without. */
  private static long ancillary(Frame f, int which) {
    return switch (which) {
      case AD_PROTOCOL -> f.protocol;
      case AD_PKTTYPE -> f.packetType;
      case AD_IFINDEX -> f.interfaceIndex;
      case AD_HATYPE -> f.hardwareType;
      default -> 0;
    };
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
      case BPF_MOD -> Integer.remainderUnsigned(a, operand);
      case BPF_OR -> a | operand;
      case BPF_AND -> a & operand;
      case BPF_LSH -> a << operand;
      case BPF_RSH -> a >>> operand;
      default -> a ^ operand; // BPF_XOR is 0xa0
    };
  }
}
