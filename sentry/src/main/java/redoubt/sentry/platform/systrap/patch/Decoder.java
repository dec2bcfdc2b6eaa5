package redoubt.sentry.platform.systrap.patch;

/**
 * Lengths and branch targets of x86-64 instructions (Intel SDM volume 2, appendix A): enough to
 * know where instructions begin and which of them may be moved. Reusable; one thread.
 */
public final class Decoder {
  /** What {@link #decode} found: ordinary, may be moved as it is. */
  public static final int PLAIN = 0;

  /** A jump or call with a relative target: {@link #target}. */
  public static final int RELATIVE = 1;

  /** RET: nothing follows. */
  public static final int RETURN = 2;

  /** Uses RIP, or leaves by other means than falling through; may not be moved. */
  public static final int FIXED = 3;

  // Operand shapes of an opcode.
  private static final int NONE = 0;
  private static final int MODRM = 1;
  private static final int IMM8 = 2;
  private static final int IMMZ = 4; // 16 or 32 bits by operand size
  private static final int REL8 = 8;
  private static final int REL32 = 16;
  private static final int IMM16 = 32;
  private static final int IMMV = 64; // up to 64 bits by operand size
  private static final int MOFFS = 128;
  private static final int BAD = 256;
  private static final int STOP = 512; // FIXED

  private static final int[] ONE = oneByte();
  private static final int[] TWO = twoByte();

  private int length;
  private int target;

  /** {@return bytes of the last instruction} */
  public int length() {
    return length;
  }

  /** {@return the index that the last RELATIVE instruction jumps to} */
  public int target() {
    return target;
  }

  /** {@return whether {@code op} is a legacy prefix that does not change an operand's size} */
  private static boolean isOtherPrefix(int op) {
    return switch (op) {
      case 0x67, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0xf0 -> true;
      default -> false;
    };
  }

  /**
   * Decodes the instruction at {@code at}.
   *
   * @return its kind, or -1 when the bytes are no instruction that this decoder knows, or run past
   *     {@code limit}
   */
  public int decode(byte[] b, int at, int limit) {
    int i = at;
    boolean operand16 = false;
    boolean rexW = false;
    int op;
    while (true) {
      if (i >= limit || i - at > 14) {
        return -1;
      }
      op = b[i++] & 0xff;
      if (op == 0x66) {
        operand16 = true;
      } else if (!isOtherPrefix(op)) {
        break;
      }
    }
    if ((op & 0xf0) == 0x40) {
      rexW = (op & 8) != 0;
      if (i >= limit) {
        return -1;
      }
      op = b[i++] & 0xff;
    }
    int shape;
    boolean group3 = false;
    if (op == 0x0f) {
      if (i >= limit) {
        return -1;
      }
      op = b[i++] & 0xff;
      if (op == 0x38 || op == 0x3a) {
        shape = op == 0x38 ? MODRM : MODRM | IMM8;
        i++;
      } else {
        shape = TWO[op];
      }
    } else if (op == 0xc5 || op == 0xc4 || op == 0x62) {
      // VEX and EVEX: the map tells whether an immediate follows.
      int payload = op == 0xc5 ? 1 : op == 0xc4 ? 2 : 3;
      if (i + payload >= limit) {
        return -1;
      }
      int map = op == 0xc5 ? 1 : b[i] & (op == 0xc4 ? 0x1f : 7);
      i += payload;
      op = b[i++] & 0xff;
      if (map == 1) {
        shape =
            op == 0x77
                ? NONE
                : MODRM
                    | (op >= 0x70 && op <= 0x73 || op == 0xc2 || op >= 0xc4 && op <= 0xc6
                        ? IMM8
                        : 0);
      } else if (map == 3) {
        shape = MODRM | IMM8;
      } else {
        shape = MODRM;
      }
    } else {
      shape = ONE[op];
      group3 = op == 0xf6 || op == 0xf7;
    }
    if ((shape & BAD) != 0) {
      return -1;
    }
    boolean ripRelative = false;
    if ((shape & MODRM) != 0) {
      if (i >= limit) {
        return -1;
      }
      int modrm = b[i++] & 0xff;
      int mod = modrm >> 6;
      int rm = modrm & 7;
      if (mod != 3) {
        if (rm == 4) {
          if (i >= limit) {
            return -1;
          }
          int sib = b[i++] & 0xff;
          if (mod == 0 && (sib & 7) == 5) {
            i += 4;
          }
        } else if (mod == 0 && rm == 5) {
          ripRelative = true;
          i += 4;
        }
        i += mod == 1 ? 1 : mod == 2 ? 4 : 0;
      }
      if (group3 && (modrm >> 3 & 7) < 2) {
        shape |= op == 0xf6 ? IMM8 : IMMZ;
      }
      if (op == 0xff && shape == MODRM && (modrm >> 3 & 7) >= 2 && (modrm >> 3 & 7) <= 5) {
        shape |= STOP; // indirect call or jump
      }
    }
    int relative = i;
    i += (shape & IMM8) != 0 ? 1 : 0;
    i += (shape & IMM16) != 0 ? 2 : 0;
    i += (shape & IMMZ) != 0 ? operand16 && !rexW ? 2 : 4 : 0;
    i += (shape & IMMV) != 0 ? rexW ? 8 : operand16 ? 2 : 4 : 0;
    i += (shape & MOFFS) != 0 ? 8 : 0;
    i += (shape & REL8) != 0 ? 1 : (shape & REL32) != 0 ? 4 : 0;
    if (i > limit || i - at > 15) {
      return -1;
    }
    length = i - at;
    if ((shape & REL8) != 0) {
      target = i + b[relative];
      return RELATIVE;
    }
    if ((shape & REL32) != 0) {
      target = i + int32(b, relative);
      return RELATIVE;
    }
    if (op == 0xc3 && shape == NONE) {
      return RETURN;
    }
    return ripRelative || (shape & STOP) != 0 ? FIXED : PLAIN;
  }

  static int int32(byte[] b, int at) {
    return b[at] & 0xff
        | (b[at + 1] & 0xff) << 8
        | (b[at + 2] & 0xff) << 16
        | (b[at + 3] & 0xff) << 24;
  }

  private static int[] oneByte() {
    int[] t = new int[256];
    for (int i = 0; i < 0x40; i += 8) {
      t[i] = t[i + 1] = t[i + 2] = t[i + 3] = MODRM;
      t[i + 4] = IMM8;
      t[i + 5] = IMMZ;
      t[i + 6] = t[i + 7] = BAD;
    }
    for (int i = 0x50; i < 0x60; i++) {
      t[i] = NONE;
    }
    t[0x60] = t[0x61] = t[0x62] = BAD;
    t[0x63] = MODRM;
    t[0x68] = IMMZ;
    t[0x69] = MODRM | IMMZ;
    t[0x6a] = IMM8;
    t[0x6b] = MODRM | IMM8;
    t[0x6c] = t[0x6d] = t[0x6e] = t[0x6f] = STOP;
    for (int i = 0x70; i < 0x80; i++) {
      t[i] = REL8;
    }
    t[0x80] = t[0x83] = MODRM | IMM8;
    t[0x81] = MODRM | IMMZ;
    t[0x82] = BAD;
    for (int i = 0x84; i < 0x90; i++) {
      t[i] = MODRM;
    }
    t[0x9a] = BAD;
    for (int i = 0xa0; i < 0xa4; i++) {
      t[i] = MOFFS;
    }
    t[0xa8] = IMM8;
    t[0xa9] = IMMZ;
    for (int i = 0xb0; i < 0xb8; i++) {
      t[i] = IMM8;
      t[i + 8] = IMMV;
    }
    t[0xc0] = t[0xc1] = MODRM | IMM8;
    t[0xc2] = IMM16 | STOP;
    t[0xc4] = t[0xc5] = BAD;
    t[0xc6] = MODRM | IMM8;
    t[0xc7] = MODRM | IMMZ;
    t[0xc8] = IMM16 | IMM8;
    t[0xca] = IMM16 | STOP;
    t[0xcb] = t[0xcc] = t[0xcf] = STOP;
    t[0xcd] = IMM8 | STOP;
    t[0xce] = BAD;
    t[0xd0] = t[0xd1] = t[0xd2] = t[0xd3] = MODRM;
    t[0xd4] = t[0xd5] = t[0xd6] = BAD;
    for (int i = 0xd8; i < 0xe0; i++) {
      t[i] = MODRM;
    }
    t[0xe0] = t[0xe1] = t[0xe2] = t[0xe3] = REL8;
    t[0xe4] = t[0xe5] = t[0xe6] = t[0xe7] = IMM8 | STOP;
    t[0xe8] = t[0xe9] = REL32;
    t[0xea] = BAD;
    t[0xeb] = REL8;
    t[0xec] = t[0xed] = t[0xee] = t[0xef] = STOP;
    t[0xf1] = t[0xf4] = STOP;
    t[0xf6] = t[0xf7] = MODRM;
    t[0xfa] = t[0xfb] = STOP;
    t[0xfe] = t[0xff] = MODRM;
    return t;
  }

  private static int[] twoByte() {
    int[] t = new int[256];
    java.util.Arrays.fill(t, MODRM);
    t[0x04] = t[0x0a] = t[0x0c] = BAD;
    t[0x05] = t[0x07] = t[0x0b] = t[0x34] = t[0x35] = STOP; // syscall, sysret, ud2, sysenter
    t[0x06] = t[0x08] = t[0x09] = t[0x0e] = NONE;
    t[0x0f] = MODRM | IMM8;
    for (int i = 0x30; i < 0x38; i++) {
      if (t[i] == MODRM) {
        t[i] = NONE;
      }
    }
    t[0x70] = t[0x71] = t[0x72] = t[0x73] = MODRM | IMM8;
    t[0x77] = NONE;
    for (int i = 0x80; i < 0x90; i++) {
      t[i] = REL32;
    }
    t[0xa0] = t[0xa1] = t[0xa2] = t[0xa8] = t[0xa9] = t[0xaa] = NONE;
    t[0xa4] = t[0xac] = t[0xba] = MODRM | IMM8;
    t[0xc2] = t[0xc4] = t[0xc5] = t[0xc6] = MODRM | IMM8;
    for (int i = 0xc8; i < 0xd0; i++) {
      t[i] = NONE;
    }
    return t;
  }
}
