package redoubt.sentry.loader;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import redoubt.abi.Elf;
import redoubt.abi.Errno;
import redoubt.abi.Limits;
import redoubt.abi.Resource;

/**
 * Lays out the stack that a new program finds, as fs/exec.c and fs/binfmt_elf.c do:
 *
 * <pre>
 *   top    8 zero bytes
 *          file name (AT_EXECFN)
 *          environment strings, first one lowest
 *          argument strings, first one lowest
 *          padding (random, for the caches)
 *          "x86_64" (AT_PLATFORM), 16 random bytes (AT_RANDOM)
 *          auxiliary vector, AT_NULL last
 *          envp[], NULL
 *          argv[], NULL
 *   sp     argc                                        (16-byte aligned)
 * </pre>
 */
public final class StackBuilder {
  private static final byte[] PLATFORM = "x86_64\0".getBytes(StandardCharsets.ISO_8859_1);
  private static final int RANDOM_BYTES = 16;

  private StackBuilder() {}

  /**
   * A new stack.
   *
   * @param sp the stack pointer: address of {@code bytes[0]}
   * @param bytes everything from {@code sp} to the top
   * @param argStart address of the first argument string (mm's arg_start)
   * @param argEnd end of the last argument string, where the environment starts
   * @param envEnd end of the last environment string
   * @param auxvOffset where in {@code bytes} the auxiliary vector starts
   * @param auxvBytes its length, AT_NULL included: what /proc/PID/auxv shows
   */
  @SuppressWarnings("ArrayRecordComponent") // made once, handed over, never compared
  public record Image(
      long sp,
      byte[] bytes,
      long argStart,
      long argEnd,
      long envEnd,
      int auxvOffset,
      int auxvBytes) {}

  /**
   * {@return how many bytes the strings of a new program may take, NULs and the file name included;
   * or -E2BIG} A quarter of RLIMIT_STACK, at most 6 MiB and at least 128 KiB, less the pointers.
   */
  public static long stringLimit(long stackRlimit, int argc, int envc) {
    long quarter = stackRlimit >>> 2;
    long limit = Math.min(Resource._STK_LIM / 4 * 3, quarter);
    limit = Math.max(limit, Limits.ARG_MAX);
    long pointers = 8L * (Math.max(argc, 1) + (long) envc);
    return limit <= pointers ? -Errno.E2BIG : limit - pointers;
  }

  /**
   * {@return 0 if these strings may be passed to a new program, else -E2BIG} Each is given without
   * its NUL.
   */
  public static int check(List<byte[]> argv, List<byte[]> envp, byte[] fileName, long stackRlimit) {
    long left = stringLimit(stackRlimit, argv.size(), envp.size());
    if (left < 0) {
      return (int) left;
    }
    left -= fileName.length + 1;
    for (List<byte[]> list : List.of(argv, envp)) {
      for (byte[] s : list) {
        if (s.length + 1 > Limits.MAX_ARG_STRLEN) {
          return -Errno.E2BIG;
        }
        left -= s.length + 1;
      }
    }
    return left < 0 ? -Errno.E2BIG : 0;
  }

  /**
   * Builds the stack below {@code top}. The caller has checked the sizes ({@link #check}).
   *
   * @param top end of the stack's mapping, page-aligned
   * @param argv arguments without their NULs; if empty, one empty string is passed, as Linux does
   * @param fileName what AT_EXECFN points to
   * @param auxv pairs of type and value, without AT_RANDOM, AT_EXECFN, AT_PLATFORM and AT_NULL,
   *     which are added at the end
   * @param random 16 random bytes for AT_RANDOM
   * @param padding 0 to 8191: bytes to leave between the strings and the rest
   */
  public static Image build(
      long top,
      List<byte[]> argv,
      List<byte[]> envp,
      byte[] fileName,
      long[] auxv,
      byte[] random,
      int padding) {
    List<byte[]> args = argv.isEmpty() ? List.of(new byte[0]) : argv;
    long fileNameAt = top - 8 - fileName.length - 1;
    long envAt = fileNameAt - bytes(envp);
    long argAt = envAt - bytes(args);
    long platformAt = ((argAt - padding) & -16) - PLATFORM.length;
    long randomAt = (platformAt & -16) - RANDOM_BYTES;
    int auxvBytes = (auxv.length + 8) * 8;
    long pointers = 8L * (1 + args.size() + 1 + envp.size() + 1);
    long sp = (randomAt - auxvBytes - pointers) & -16;
    int size = Math.toIntExact(top - sp);
    ByteBuffer b = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    b.putLong(args.size());
    putPointers(b, args, argAt);
    putPointers(b, envp, envAt);
    int auxvOffset = b.position();
    for (long word : auxv) {
      b.putLong(word);
    }
    b.putLong(Elf.AT_RANDOM).putLong(randomAt);
    b.putLong(Elf.AT_EXECFN).putLong(fileNameAt);
    b.putLong(Elf.AT_PLATFORM).putLong(platformAt);
    b.putLong(Elf.AT_NULL).putLong(0);
    b.put((int) (randomAt - sp), random, 0, RANDOM_BYTES);
    b.put((int) (platformAt - sp), PLATFORM);
    b.position((int) (argAt - sp));
    putStrings(b, args);
    putStrings(b, envp);
    b.put(fileName).put((byte) 0);
    return new Image(sp, b.array(), argAt, envAt, fileNameAt, auxvOffset, auxvBytes);
  }

  private static long bytes(List<byte[]> strings) {
    long n = 0;
    for (byte[] s : strings) {
      n += s.length + 1;
    }
    return n;
  }

  private static void putPointers(ByteBuffer b, List<byte[]> strings, long address) {
    long a = address;
    for (byte[] s : strings) {
      b.putLong(a);
      a += s.length + 1;
    }
    b.putLong(0);
  }

  private static void putStrings(ByteBuffer b, List<byte[]> strings) {
    for (byte[] s : strings) {
      b.put(s).put((byte) 0);
    }
  }
}
