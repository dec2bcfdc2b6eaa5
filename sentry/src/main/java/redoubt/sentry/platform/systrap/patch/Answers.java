package redoubt.sentry.platform.systrap.patch;

import redoubt.abi.Nr;

/**
 * The system calls that the stub may answer alone, from a word that the sentry left: they take no
 * arguments and change nothing. Each has an entry word and a value word in the context.
 */
public record Answers(int base) {
  private static final int[] NUMBERS = {
    Nr.GETPID, Nr.GETPPID, Nr.GETTID, Nr.GETUID, Nr.GETGID, Nr.GETEUID, Nr.GETEGID, Nr.GETPGRP
  };

  private static final int BYTES = 16;

  /** {@return which answer call {@code nr} is}, or -1 */
  public int indexOf(int nr) {
    for (int i = 0; i < NUMBERS.length; i++) {
      if (NUMBERS[i] == nr) {
        return i;
      }
    }
    return -1;
  }

  /** {@return the offset from the GS base of the word that says where its sites enter the stub} */
  public int entryOffset(int index) {
    return base + index * BYTES;
  }

  /** {@return the offset of the result} */
  public int valueOffset(int index) {
    return entryOffset(index) + 8;
  }
}
