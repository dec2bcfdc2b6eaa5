package redoubt.sentry.platform.systrap;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Nr;
import redoubt.host.Memory;
import redoubt.host.RawSyscall;

/** Which cores this sandbox may use, and putting threads on one of them. */
final class Cores {
  private static final int MASK_BYTES = 1024;
  private static final int LIMIT = 64;

  /** Core numbers in use here, at most {@link #LIMIT}. */
  private final int[] numbers;

  private final MemorySegment all;
  private final MemorySegment[] only;
  private final MemorySegment[] others;

  Cores() {
    MemorySegment mask = Arena.global().allocate(MASK_BYTES, 8);
    long bytes = RawSyscall.syscall(Nr.SCHED_GETAFFINITY, 0, MASK_BYTES, mask.address());
    int[] found = new int[LIMIT];
    int n = 0;
    for (int i = 0; i < bytes * 8 && n < LIMIT; i++) {
      if ((mask.get(Memory.BYTE, i / 8) >> (i & 7) & 1) != 0) {
        found[n++] = i;
      }
    }
    numbers = java.util.Arrays.copyOf(found, n);
    all = mask;
    only = new MemorySegment[n];
    others = new MemorySegment[n];
    for (int i = 0; i < n; i++) {
      only[i] = Arena.global().allocate(MASK_BYTES, 8);
      others[i] = Arena.global().allocate(MASK_BYTES, 8);
      for (int j = 0; j < n; j++) {
        MemorySegment m = j == i ? only[i] : others[i];
        int c = numbers[j];
        m.set(Memory.BYTE, c / 8, (byte) (m.get(Memory.BYTE, c / 8) | 1 << (c & 7)));
      }
    }
  }

  /** {@return how many cores there are} */
  int count() {
    return numbers.length;
  }

  /** {@return the index of host CPU {@code number}}, or of any when it is not ours */
  int indexOf(int number) {
    for (int i = 0; i < numbers.length; i++) {
      if (numbers[i] == number) {
        return i;
      }
    }
    return 0;
  }

  /** {@return the index of the core that the calling thread runs on} */
  int current(MemorySegment scratch) {
    return RawSyscall.syscall(Nr.GETCPU, scratch.address(), 0, 0) < 0
        ? 0
        : indexOf(scratch.get(Memory.INT, 0));
  }

  /** Binds thread {@code tid} (0: the caller) to core {@code index}. */
  void bind(int tid, int index) {
    RawSyscall.syscall(Nr.SCHED_SETAFFINITY, tid, MASK_BYTES, only[index].address());
  }

  /** Lets thread {@code tid} run on every core but {@code index}. */
  void bindElsewhere(int tid, int index) {
    RawSyscall.syscall(Nr.SCHED_SETAFFINITY, tid, MASK_BYTES, others[index].address());
  }

  /** Lets thread {@code tid} run anywhere. */
  void release(int tid) {
    RawSyscall.syscall(Nr.SCHED_SETAFFINITY, tid, MASK_BYTES, all.address());
  }
}
