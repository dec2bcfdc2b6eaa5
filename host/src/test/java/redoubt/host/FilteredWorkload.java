package redoubt.host;

import java.lang.foreign.Arena;
import java.math.BigInteger;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.zip.CRC32;
import redoubt.abi.Errno;
import redoubt.abi.Nr;

/** What {@link JvmSyscallsTest} runs in a JVM of its own, after the filter is on. */
final class FilteredWorkload {
  private FilteredWorkload() {}

  public static void main(String[] args) throws Exception {
    SeccompFilter f = new SeccompFilter(SeccompFilter.errno(Errno.EPERM));
    JvmSyscalls.addTo(f);
    JvmSyscalls.killHostile(f);
    Errno.name(1);
    f.install();
    switch (args[0]) {
      case "work" -> work();
      case "open" -> {
        try (Arena arena = Arena.ofConfined()) {
          long path = Memory.cString(arena, "/etc/passwd").address();
          say("open", RawSyscall.syscall(Nr.OPENAT, -100, path, 0));
          say("socket", RawSyscall.syscall(Nr.SOCKET, 1, 1, 0));
          say("fork", RawSyscall.syscall(Nr.CLONE, 17, 0, 0, 0, 0));
        }
      }
      default -> RawSyscall.syscall(Nr.EXECVE, 0, 0, 0);
    }
  }

  private static void say(String what, long r) {
    System.out.println(what + " " + (r < 0 ? Errno.name((int) -r) : "done"));
  }

  /** Garbage, threads, timed waits, null checks by SIGSEGV, JIT, and classes not loaded before. */
  private static void work() throws Exception {
    var pool = Executors.newFixedThreadPool(8);
    for (int t = 0; t < 16; t++) {
      int seed = t;
      pool.submit(() -> {
        Object[] keep = new Object[64];
        for (int i = 0; i < 20_000; i++) {
          keep[i & 63] = new byte[(i * 31 + seed) & 0xfff];
        }
        return BigInteger.valueOf(seed + 2).pow(200).mod(BigInteger.TEN);
      });
    }
    pool.shutdown();
    boolean ended = pool.awaitTermination(60, TimeUnit.SECONDS);
    int nulls = 0;
    String none = args();
    for (int i = 0; i < 100_000; i++) {
      try {
        nulls += none.length();
      } catch (NullPointerException e) {
        nulls++;
      }
    }
    var crc = new CRC32();
    crc.update(Pattern.compile("(a|b)+c").matcher("ababc").replaceAll("x").getBytes("UTF-8"));
    System.gc();
    Thread.sleep(20);
    Thread.ofVirtual().start(() -> crc.update(1)).join();
    if (ended && nulls == 100_000 && crc.getValue() != 0) {
      System.out.println("worked");
    }
  }

  private static String args() {
    return null;
  }
}
