package redoubt.sentry.platform.systrap;

import java.nio.file.Path;

/** Measures the platform alone, each figure beside the same program run natively. */
public final class PlatformBench {
  private PlatformBench() {}

  public static void main(String[] args) throws Exception {
    try (KeeperProcess keeper = KeeperProcess.start()) {
      Systrap platform = new Systrap(keeper.socket());
      MiniKernel kernel = new MiniKernel(platform);
      if (args.length > 0) {
        long[] a = new long[args.length];
        for (int i = 0; i < a.length; i++) {
          a[i] = Long.parseLong(args[i]);
        }
        measure(kernel, "custom", a[1], a);
        measure(kernel, "custom", a[1], a);
      } else {
        for (int round = 0; round < 3; round++) {
          measure(kernel, "getppid", 100_000, 3, 100_000);
          measure(kernel, "getppid patched (mov)", 200_000, 11, 200_000);
          measure(kernel, "getppid patched (moved)", 200_000, 12, 200_000);
          measure(kernel, "mmap 64K touch munmap", 2000, 4, 2000, 65536);
          measure(kernel, "mmap 4K touch munmap", 2000, 4, 2000, 4096);
          measure(kernel, "fork, touch 40, exit, wait", 500, 2, 500, 40);
          measure(kernel, "fork, exit, wait", 500, 2, 500, 0);
        }
      }
      platform.close();
    }
    System.exit(0);
  }

  private static void measure(MiniKernel kernel, String name, long n, long... program)
      throws Exception {
    long start = System.nanoTime();
    int status = kernel.run(program);
    long mine = System.nanoTime() - start;
    String[] command = new String[program.length + 1];
    command[0] = Path.of(System.getProperty("redoubt.native"), "testguest").toString();
    for (int i = 0; i < program.length; i++) {
      command[i + 1] = Long.toString(program[i]);
    }
    start = System.nanoTime();
    int nativeStatus = new ProcessBuilder(command).inheritIO().start().waitFor();
    long other = System.nanoTime() - start;
    System.out.printf(
        "%-28s %9.2f us, native %9.2f us, ratio %6.2f (status %x, %x)%n",
        name, mine / 1e3 / n, other / 1e3 / n, (double) mine / other, status, nativeStatus);
  }
}
