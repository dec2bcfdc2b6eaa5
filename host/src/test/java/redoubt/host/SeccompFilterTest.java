package redoubt.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;
import redoubt.abi.Errno;
import redoubt.abi.Nr;

class SeccompFilterTest {
  private static final int X86_64 = 0xc000003e;
  private static final int EPERM = SeccompFilter.errno(Errno.EPERM);

  /** Runs a program as the kernel would: the few operations that the assembler emits. */
  private static int run(byte[] code, int arch, int nr, long... args) {
    long a = 0;
    int pc = 0;
    while (true) {
      int at = 8 * pc;
      int op = (code[at] & 0xff) | (code[at + 1] & 0xff) << 8;
      int jt = code[at + 2] & 0xff;
      int jf = code[at + 3] & 0xff;
      long k = 0;
      for (int i = 0; i < 4; i++) {
        k |= (code[at + 4 + i] & 0xffL) << (8 * i);
      }
      pc++;
      switch (op) {
        case 0x20 -> {
          if (k == 0) {
            a = nr & 0xffffffffL;
          } else if (k == 4) {
            a = arch & 0xffffffffL;
          } else {
            int i = (int) (k - 16) / 8;
            long v = i < args.length ? args[i] : 0;
            a = (k & 4) == 0 ? v & 0xffffffffL : v >>> 32;
          }
        }
        case 0x54 -> a &= k;
        case 0x05 -> pc += (int) k;
        case 0x15 -> pc += a == k ? jt : jf;
        case 0x25 -> pc += a > k ? jt : jf;
        case 0x35 -> pc += a >= k ? jt : jf;
        case 0x06 -> {
          return (int) k;
        }
        default -> throw new AssertionError("instruction " + op);
      }
    }
  }

  @Test
  void shouldDecideEachNumberByItsRule() {
    var f = new SeccompFilter(EPERM);
    boolean[] allowed = new boolean[463];
    var random = new Random(1);
    for (int nr = 0; nr < allowed.length; nr++) {
      allowed[nr] = random.nextInt(3) == 0;
      if (allowed[nr]) {
        f.allow(nr, "test");
      }
    }
    byte[] code = f.assemble();
    for (int nr = 0; nr < 600; nr++) {
      int want = nr < 463 && allowed[nr] ? SeccompFilter.ALLOW : EPERM;
      assertEquals(want, run(code, X86_64, nr), "call " + nr);
    }
  }

  @Test
  void shouldCheckArguments() {
    var f =
        new SeccompFilter(EPERM)
            .allow(10, "equal", SeccompFilter.equal(0, -5), SeccompFilter.equal(5, 6))
            .allow(11, "masked", SeccompFilter.masked(1, 0xf0, 0x30))
            .allow(12, "equal64", SeccompFilter.equal64(2, 0x1_0000_0002L))
            .allow(13, "below64", SeccompFilter.below64(3, 0x7fff_0000_1000L))
            .allow(14, "fd", SeccompFilter.notNegative(0));
    byte[] code = f.assemble();
    int ok = SeccompFilter.ALLOW;
    assertEquals(ok, run(code, X86_64, 10, -5, 0, 0, 0, 0, 6));
    assertEquals(ok, run(code, X86_64, 10, 0xfffffffbL, 0, 0, 0, 0, 6));
    assertEquals(EPERM, run(code, X86_64, 10, -5, 0, 0, 0, 0, 7));
    assertEquals(EPERM, run(code, X86_64, 10, -4, 0, 0, 0, 0, 6));
    assertEquals(ok, run(code, X86_64, 11, 0, 0xabc3f));
    assertEquals(EPERM, run(code, X86_64, 11, 0, 0xabc4f));
    assertEquals(ok, run(code, X86_64, 12, 0, 0, 0x1_0000_0002L));
    assertEquals(EPERM, run(code, X86_64, 12, 0, 0, 2));
    assertEquals(EPERM, run(code, X86_64, 12, 0, 0, 0x2_0000_0002L));
    assertEquals(ok, run(code, X86_64, 13, 0, 0, 0, 0x7fff_0000_0fffL));
    assertEquals(EPERM, run(code, X86_64, 13, 0, 0, 0, 0x7fff_0000_1000L));
    assertEquals(ok, run(code, X86_64, 13, 0, 0, 0, 0x7ffe_ffff_ffffL));
    assertEquals(EPERM, run(code, X86_64, 13, 0, 0, 0, -1L));
    assertEquals(EPERM, run(code, X86_64, 14, -100));
    assertEquals(ok, run(code, X86_64, 14, 3));
  }

  @Test
  void shouldTryRulesInOrder() {
    var f =
        new SeccompFilter(EPERM)
            .kill(20, "one", SeccompFilter.equal(0, 1))
            .fail(20, Errno.ENOSYS, "two", SeccompFilter.equal(0, 2))
            .allow(20, "rest");
    byte[] code = f.assemble();
    assertEquals(SeccompFilter.KILL_PROCESS, run(code, X86_64, 20, 1));
    assertEquals(SeccompFilter.errno(Errno.ENOSYS), run(code, X86_64, 20, 2));
    assertEquals(SeccompFilter.ALLOW, run(code, X86_64, 20, 3));
  }

  @Test
  void shouldKillOtherArchitectures() {
    byte[] code = new SeccompFilter(EPERM).allow(0, "read").assemble();
    assertEquals(SeccompFilter.KILL_PROCESS, run(code, 0x40000003, 0));
    assertEquals(SeccompFilter.KILL_PROCESS, run(code, X86_64, 0x40000000));
    assertEquals(SeccompFilter.ALLOW, run(code, X86_64, 0));
  }

  @Test
  void shouldNotLetTheJvmListOpenAnything() {
    var f = new SeccompFilter(EPERM);
    JvmSyscalls.addTo(f);
    JvmSyscalls.killHostile(f);
    for (int nr : new int[] {Nr.OPEN, Nr.OPENAT, Nr.OPENAT2, Nr.SOCKET, Nr.CONNECT, Nr.EXECVE}) {
      assertFalse(f.mayAllow(nr), "call " + nr);
    }
    assertTrue(f.mayAllow(Nr.FUTEX));
    byte[] code = f.assemble();
    int fork = 0x1200011;
    assertEquals(EPERM, run(code, X86_64, Nr.CLONE, fork));
    assertEquals(SeccompFilter.ALLOW, run(code, X86_64, Nr.CLONE, 0x3d0f00));
    assertEquals(EPERM, run(code, X86_64, Nr.CLONE, 0x3d0f00 | 0x10000000));
    assertEquals(SeccompFilter.KILL_PROCESS, run(code, X86_64, Nr.PTRACE));
  }
}
