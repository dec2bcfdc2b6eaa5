package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Nr;

/** Numbers that nobody can guess, from the host kernel; needs no file. */
public final class HostRandom {
  private HostRandom() {}

  /** {@return 64 random bits} */
  public static long number() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment s = arena.allocate(8, 8);
      HostException.check("getrandom", RawSyscall.syscall(Nr.GETRANDOM, s.address(), 8, 0));
      return s.get(Memory.LONG, 0);
    }
  }
}
