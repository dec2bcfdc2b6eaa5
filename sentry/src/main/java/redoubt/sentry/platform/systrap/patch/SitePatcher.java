package redoubt.sentry.platform.systrap.patch;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import redoubt.host.TextScan;

/**
 * Makes the patched copy of a piece of text and its trampolines. Two kinds of site:
 *
 * <pre>
 *   mov $nr,%eax        jmp  T            T: mov  $nr,%eax
 *   syscall        →    syscall              lea  next,%rcx
 *   next:               next:                jmp  *%gs:entry
 *
 *   syscall        →    jmp  T            T: lea  C,%rcx
 *   cmp $-4096,%rax     (3 bytes dead)       jmp  *%gs:entry
 *   next:               next:                syscall
 *                                         C: cmp  $-4096,%rax
 *                                            jmp  next
 * </pre>
 *
 * <p>The first replaces one instruction of five bytes by another, so who jumps to either of the two
 * finds what it expects. The second relocates what follows (a jump at its end is made anew), and is
 * made only where no branch leads to the bytes that go. Trampolines lie at a constant distance from
 * the text ({@link #DISTANCE}), so both can be shared by processes that map the file at different
 * addresses.
 */
public final class SitePatcher {
  /** From each byte of the text to where its trampoline area is mapped. */
  public static final int DISTANCE = 0x4000_0000;

  private static final int MOV_BYTES = 20;
  private static final int GENERAL_HEAD = 17;

  /** A jump with a condition, and one without. */
  private static final int MAX_JUMPS = 6 + 5;

  private static final int MAX_NR = 1024;
  private static final int MAX_SITES = 8192;
  private static final int MAX_BRANCHES = 8192;

  /** Text larger than this is patched at mov sites only: looking for branches costs time. */
  private static final int GENERAL_LIMIT = 8 << 20;

  private final byte[] text;
  private final MemorySegment same;
  private final int limit;
  private final int entryOffset;
  private final Answers answers;
  private final Decoder decoder = new Decoder();

  private byte[] trampolines = new byte[4096];
  private int used;
  private int[] sites = new int[64];
  private int sitesCount;
  private int found;

  private SitePatcher(
      byte[] text, MemorySegment same, int limit, int entryOffset, Answers answers) {
    this.answers = answers;
    this.text = text;
    this.same = same;
    this.limit = limit;
    this.entryOffset = entryOffset;
  }

  /**
   * Patches {@code text} in place.
   *
   * @param same the same bytes in native memory, only read
   * @param limit bytes of it that are there
   * @param entryOffset of the stub's entry word from the GS base
   * @param answers the calls that the stub may answer, which enter it through words of their own
   * @return the trampolines and where they belong, or null when no site was found
   */
  public static @Nullable Patches patch(
      byte[] text, MemorySegment same, int limit, int entryOffset, Answers answers) {
    SitePatcher p = new SitePatcher(text, same, limit, entryOffset, answers);
    p.run();
    return p.sitesCount == 0
        ? null
        : new Patches(
            Arrays.copyOf(p.trampolines, p.used),
            Arrays.copyOf(p.sites, p.sitesCount * Patches.STRIDE),
            p.found);
  }

  private void run() {
    byte[] b = text;
    int[] at = TextScan.syscalls(same, limit, MAX_SITES);
    int[] general = new int[at.length];
    int generals = 0;
    for (int i : at) {
      if (isSigreturn(i)) {
        continue;
      }
      if (i >= 6
          && (b[i - 6] & 0xf0) != 0x40
          && (b[i - 5] & 0xff) == 0xb8
          && b[i - 1] == 0
          && b[i - 2] == 0
          && (Decoder.int32(b, i - 4) & 0xffffffffL) < MAX_NR) {
        found++;
        mov(i - 5);
      } else {
        general[generals++] = i;
      }
    }
    if (generals != 0 && limit <= GENERAL_LIMIT) {
      relocate(general, generals);
    }
  }

  /** Debuggers and unwinders know a signal frame by the bytes of the restorer: they must stay. */
  private boolean isSigreturn(int at) {
    return at >= 5 && Decoder.int32(text, at - 4) == 15;
  }

  // mov $nr,%eax at `at`, syscall at `at` + 5
  private void mov(int at) {
    int t = room(MOV_BYTES);
    site(t, at, 5, 0);
    System.arraycopy(text, at, trampolines, t, 5);
    leaRcx(t + 5, at + 7 - DISTANCE - (t + 12));
    int answer = answers.indexOf(Decoder.int32(text, at + 1));
    jumpEntry(t + 12, answer < 0 ? entryOffset : answers.entryOffset(answer));
    jump(text, at, t + DISTANCE - (at + 5));
  }

  private void relocate(int[] at, int count) {
    // For each site what follows and can be moved; null or empty: leave it.
    @Nullable Tail[] tails = new Tail[count];
    byte[] danger = new byte[limit / 8 + 1];
    for (int s = 0; s < count; s++) {
      if (isProbablyCode(at[s])) {
        found++;
        Tail tail = tail(at[s] + 2);
        tails[s] = tail;
        // A branch to any byte after the first would land inside the jump or on dead bytes.
        for (int i = at[s] + 1; tail.length != 0 && i < at[s] + 2 + tail.length; i++) {
          danger[i >> 3] |= (byte) (1 << (i & 7));
        }
      }
    }
    int[] branches = TextScan.branches(same, limit, danger, MAX_BRANCHES);
    if (branches.length == 2 * MAX_BRANCHES) {
      return; // not all were looked at
    }
    boolean[] hit = new boolean[count];
    for (int i = 0; i < branches.length; i += 2) {
      int target = branches[i + 1];
      int s = Arrays.binarySearch(at, 0, count, target);
      s = s >= 0 ? s : -s - 2; // the site before the target
      if (s >= 0 && !hit[s] && isBoundary(branches[i])) {
        hit[s] = true;
      }
    }
    for (int s = 0; s < count; s++) {
      Tail tail = tails[s];
      if (tail != null && tail.length != 0 && !hit[s]) {
        general(at[s], tail);
      }
    }
  }

  /**
   * What follows a site and goes to its trampoline.
   *
   * @param length bytes of whole instructions, at least three; 0: it cannot be moved
   * @param plain how many of them are copied as they are
   * @param opcode 0, or that of a jump with a relative target after them: 0xe9, or 0x80 to 0x8f for
   *     one that has a condition
   * @param target of the jump
   */
  private record Tail(int length, int plain, int opcode, int target) {
    static final Tail NONE = new Tail(0, 0, 0, 0);
  }

  private Tail tail(int at) {
    int i = at;
    while (i - at < 3) {
      int kind = decoder.decode(text, i, limit);
      int next = i + decoder.length();
      switch (kind) {
        case Decoder.PLAIN -> i = next;
        case Decoder.RETURN -> {
          int n = withPadding(at, next);
          return n == 0 ? Tail.NONE : new Tail(n, n, 0, 0);
        }
        case Decoder.RELATIVE -> {
          return jumpTail(at, i, next);
        }
        default -> {
          return Tail.NONE;
        }
      }
    }
    return new Tail(i - at, i - at, 0, 0);
  }

  /** A tail that ends with the jump (a call is none) at {@code i}. */
  private Tail jumpTail(int at, int i, int next) {
    int first = text[i] & 0xff;
    int second = i + 1 < limit ? text[i + 1] & 0xff : 0;
    if (first == 0xe9 || first == 0xeb) {
      int n = withPadding(at, next);
      return n == 0 ? Tail.NONE : new Tail(n, i - at, 0xe9, decoder.target());
    }
    int condition =
        (first & 0xf0) == 0x70
            ? first & 0xf
            : first == 0x0f && (second & 0xf0) == 0x80 ? second & 0xf : -1;
    return condition < 0 || next - at < 3
        ? Tail.NONE
        : new Tail(next - at, i - at, 0x80 | condition, decoder.target());
  }

  /**
   * {@return bytes from {@code at} up to {@code end}, where nothing goes on, and as much padding as
   * makes three}, or 0 without such padding
   */
  private int withPadding(int at, int end) {
    int n = end - at;
    for (int p = end; n < 3; p++, n++) {
      // Functions begin at multiples of 16.
      if (p >= limit || (p & 15) == 0 || !isPadding(p)) {
        return 0;
      }
    }
    return n;
  }

  private boolean isPadding(int p) {
    int v = text[p] & 0xff;
    return v == 0x90 || v == 0xcc || v == 0x66 || v == 0x0f || v == 0x1f;
  }

  /**
   * A sweep from well before must meet the instruction: constants that look like it are left alone.
   */
  private boolean isProbablyCode(int at) {
    for (int start = Math.max(0, at - 96); start < Math.max(1, at - 64) && start <= at; start++) {
      int i = start;
      while (i < at) {
        if (decoder.decode(text, i, limit) < 0) {
          break;
        }
        i += decoder.length();
      }
      if (i == at) {
        return true;
      }
    }
    return at < 64;
  }

  /**
   * Whether sweeps that begin before {@code at} see an instruction there; most of them agree soon.
   */
  private boolean isBoundary(int at) {
    int yes = 0;
    int no = 0;
    for (int start = Math.max(0, at - 80); start < Math.max(1, at - 64); start++) {
      int i = start;
      while (i < at) {
        if (decoder.decode(text, i, limit) < 0) {
          i++;
        } else {
          i += decoder.length();
        }
      }
      if (i == at) {
        yes++;
      } else {
        no++;
      }
    }
    // In doubt it is one: then the site stays as it is.
    return yes * 8 >= yes + no;
  }

  private void general(int at, Tail tail) {
    int t = room(GENERAL_HEAD + tail.plain + MAX_JUMPS);
    site(t, at, 2, tail.length);
    leaRcx(t, GENERAL_HEAD - 7);
    jumpEntry(t + 7, entryOffset);
    trampolines[t + 15] = 0x0f;
    trampolines[t + 16] = 0x05;
    System.arraycopy(text, at + 2, trampolines, t + GENERAL_HEAD, tail.plain);
    int back = t + GENERAL_HEAD + tail.plain;
    int to = at + 2 + tail.length;
    if (tail.opcode == 0xe9) {
      to = tail.target;
    } else if (tail.opcode != 0) {
      trampolines[back] = 0x0f;
      trampolines[back + 1] = (byte) tail.opcode;
      put(trampolines, back + 2, tail.target - DISTANCE - (back + 6));
      back += 6;
    }
    jump(trampolines, back, to - DISTANCE - (back + 5));
    jump(text, at, t + DISTANCE - (at + 5));
  }

  private int room(int bytes) {
    int t = used;
    if (t + bytes > trampolines.length) {
      trampolines = Arrays.copyOf(trampolines, trampolines.length * 2);
    }
    used = t + bytes;
    return t;
  }

  private void site(int trampoline, int at, int head, int tail) {
    int i = sitesCount * Patches.STRIDE;
    if (i == sites.length) {
      sites = Arrays.copyOf(sites, i * 2);
    }
    sites[i] = trampoline;
    sites[i + 1] = at;
    sites[i + 2] = head;
    sites[i + 3] = tail;
    sitesCount++;
  }

  private void leaRcx(int t, int displacement) {
    byte[] b = trampolines;
    b[t] = 0x48;
    b[t + 1] = (byte) 0x8d;
    b[t + 2] = 0x0d;
    put(b, t + 3, displacement);
  }

  private void jumpEntry(int t, int wordOffset) {
    byte[] b = trampolines;
    b[t] = 0x65;
    b[t + 1] = (byte) 0xff;
    b[t + 2] = 0x24;
    b[t + 3] = 0x25;
    put(b, t + 4, wordOffset);
  }

  private static void jump(byte[] b, int at, int displacement) {
    b[at] = (byte) 0xe9;
    put(b, at + 1, displacement);
  }

  private static void put(byte[] b, int at, int value) {
    b[at] = (byte) value;
    b[at + 1] = (byte) (value >> 8);
    b[at + 2] = (byte) (value >> 16);
    b[at + 3] = (byte) (value >> 24);
  }

  /** The trampolines of a text, and how addresses in them and in the text correspond. */
  public static final class Patches {
    static final int STRIDE = 4;

    private final byte[] code;

    /**
     * For each site: trampoline, site, bytes of its own instruction, bytes moved; by trampoline.
     */
    private final int[] table;

    private final int found;

    Patches(byte[] code, int[] table, int found) {
      this.code = code;
      this.table = table;
      this.found = found;
    }

    public byte[] code() {
      return code;
    }

    /** {@return how many sites were patched} */
    public int count() {
      return table.length / STRIDE;
    }

    /** {@return how many sites there are} */
    public int found() {
      return found;
    }

    /**
     * {@return the offset in the original text that a thread at offset {@code t} of the trampolines
     * stands at}
     */
    public int original(int t) {
      int i = at(t);
      int into = t - table[i];
      int site = table[i + 1];
      if (table[i + 3] == 0 || into < GENERAL_HEAD) {
        return site;
      }
      return site + 2 + Math.min(into - GENERAL_HEAD, table[i + 3]);
    }

    /**
     * {@return the offset in the original text of the site whose trampoline has offset {@code t}}
     */
    public int siteOf(int t) {
      return table[at(t) + 1];
    }

    /** {@return whether a site of the mov form begins at {@code at} of the original text} */
    public boolean isMov(int at) {
      for (int i = 0; i < table.length; i += STRIDE) {
        if (table[i + 1] == at && table[i + 3] == 0) {
          return true;
        }
      }
      return false;
    }

    private int at(int t) {
      int low = 0;
      int high = table.length / STRIDE - 1;
      while (low < high) {
        int middle = (low + high + 1) >>> 1;
        if (table[middle * STRIDE] <= t) {
          low = middle;
        } else {
          high = middle - 1;
        }
      }
      return low * STRIDE;
    }

    /**
     * {@return the offset in the trampolines where a thread goes on that shall stand at offset
     * {@code at} of the original text}, or -1 when the text itself will do
     */
    public int moved(int at) {
      for (int i = 0; i < table.length; i += STRIDE) {
        int into = at - table[i + 1] - 2;
        if (table[i + 3] != 0 && into >= 0 && into < table[i + 3]) {
          return table[i] + GENERAL_HEAD + into;
        }
      }
      return -1;
    }
  }
}
