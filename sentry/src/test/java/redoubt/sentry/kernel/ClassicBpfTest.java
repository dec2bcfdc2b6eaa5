package redoubt.sentry.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.Test;
import redoubt.host.Memory;

/** Programs of classic BPF as seccomp(2) takes them. */
class ClassicBpfTest {
  private static final int RET_K = 6;
  private static final int RET_A = 0x16;
  private static final int LD_ABS = 0x20;
  private static final int LD_IMM = 0;
  private static final int ST = 2;
  private static final int LD_MEM = 0x60;
  private static final int JA = 5;
  private static final int JEQ_K = 0x15;
  private static final int DIV_X = 0x3c;
  private static final int NEG = 0x84;

  private static ClassicBpf parse(int[]... program) {
    return ClassicBpf.parse(segment(program), program.length);
  }

  private static MemorySegment segment(int[]... program) {
    MemorySegment s = Arena.ofAuto().allocate(8L * Math.max(1, program.length), 8);
    for (int i = 0; i < program.length; i++) {
      s.set(Memory.SHORT, 8L * i, (short) program[i][0]);
      s.set(Memory.BYTE, 8L * i + 2, (byte) program[i][1]);
      s.set(Memory.BYTE, 8L * i + 3, (byte) program[i][2]);
      s.set(Memory.INT, 8L * i + 4, program[i][3]);
    }
    return s;
  }

  private static int[] op(int code, int k) {
    return new int[] {code, 0, 0, k};
  }

  private static int run(ClassicBpf p, int... data) {
    int[] words = new int[ClassicBpf.DATA_WORDS];
    System.arraycopy(data, 0, words, 0, data.length);
    return p.run(words, new int[16]);
  }

  @Test
  void shouldChooseByTheNumberOfTheCall() {
    ClassicBpf p =
        parse(
            op(LD_ABS, 0), new int[] {JEQ_K, 0, 1, 39}, op(RET_K, 0x50001), op(RET_K, 0x7fff0000));
    assertNotNull(p);
    assertEquals(0x50001, run(p, 39));
    assertEquals(0x7fff0000, run(p, 40));
  }

  @Test
  void shouldRefuseToEndWithoutReturn() {
    assertNull(parse(op(LD_IMM, 1)));
  }

  @Test
  void shouldRefuseJumpsPastTheEnd() {
    assertNull(parse(op(JA, 1), op(RET_K, 0)));
    assertNull(parse(op(JA, -1), op(RET_K, 0)));
    assertNull(parse(new int[] {JEQ_K, 255, 0, 0}, op(RET_K, 0)));
  }

  @Test
  void shouldRefuseLoadsOfWhatOnlyOneWayStores() {
    assertNull(parse(new int[] {JEQ_K, 1, 0, 0}, op(ST, 3), op(LD_MEM, 3), op(RET_A, 0)));
    assertNotNull(parse(op(ST, 3), op(LD_MEM, 3), op(RET_A, 0)));
  }

  @Test
  void shouldKillWhereXIsZeroInADivision() {
    ClassicBpf p = parse(op(LD_IMM, 7), op(DIV_X, 0), op(RET_A, 0));
    assertNotNull(p);
    assertEquals(0, run(p));
  }

  @Test
  void shouldNegate() {
    ClassicBpf p = parse(op(LD_IMM, 7), op(NEG, 0), op(RET_A, 0));
    assertNotNull(p);
    assertEquals(-7, run(p));
  }

  @Test
  void shouldEndEveryProgramThatItTakes() {
    Random random = new Random(7);
    int taken = 0;
    for (int i = 0; i < 200_000; i++) {
      int[][] program = new int[1 + random.nextInt(6)][];
      for (int j = 0; j < program.length; j++) {
        program[j] =
            new int[] {
              random.nextInt(0xb0), random.nextInt(4), random.nextInt(4), random.nextInt(70) - 2
            };
      }
      program[program.length - 1][0] = RET_A;
      ClassicBpf p = parse(program);
      if (p != null) {
        run(p, 1, 2, 3);
        taken++;
      }
    }
    assertEquals(true, taken > 100, taken + " programs");
  }

  /** Programs at random on frames at random: none reads outside, whatever its offsets. */
  @Test
  void shouldReadNothingOutsideOfAFrame() {
    Random random = new Random(8);
    int[] codes = {0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0xb1, 0x01, 0x07, 0x87, 0x9c, 0x0c, 0x81};
    int[] bases = {0, 1, 50, 60, -0x1000, -0x1000 + 8, -0x100000, -0x200000, -1, 0x7fffffff};
    int[] results = new int[2];
    for (int i = 0; i < 200_000; i++) {
      int[][] program = new int[2 + random.nextInt(6)][];
      for (int j = 0; j < program.length; j++) {
        int k = bases[random.nextInt(bases.length)] + random.nextInt(9) - 4;
        program[j] = op(codes[random.nextInt(codes.length)], k);
      }
      program[program.length - 1] = op(RET_A, 0);
      MemorySegment s = segment(program);
      ClassicBpf p = ClassicBpf.parseForPackets(s, program.length);
      if (p == null) {
        continue;
      }
      ClassicBpf.Frame f = new ClassicBpf.Frame();
      f.data = new byte[64];
      random.nextBytes(f.data);
      f.linkAt = random.nextInt(3);
      f.networkAt = f.linkAt + 14;
      f.start = random.nextBoolean() ? f.linkAt : f.networkAt;
      f.end = f.start + random.nextInt(64 - f.start + 1);
      results[p.run(f, new int[16]) == 0 ? 0 : 1]++;
    }
    assertEquals(true, results[0] > 1000 && results[1] > 1000, results[0] + ", " + results[1]);
  }
}
