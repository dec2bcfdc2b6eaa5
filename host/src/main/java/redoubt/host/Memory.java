package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import redoubt.abi.Nr;

/** Mappings of the sentry's and gofer's own address space, and buffers that the kernel may see. */
public final class Memory {
  /** Little-endian, unaligned access: guest structs have no alignment that we may rely on. */
  public static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;

  public static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
  public static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  public static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

  /** Bytes in a host page. */
  public static final long PAGE = 4096;

  private static final long PROT_READ = 1;
  private static final long PROT_WRITE = 2;
  private static final long MAP_SHARED = 1;
  private static final long MAP_PRIVATE = 2;
  private static final long MAP_ANONYMOUS = 0x20;
  private static final long MAP_NORESERVE = 0x4000;

  private Memory() {}

  /**
   * Maps {@code length} bytes of a file read-write and shared, for the life of the process or until
   * {@link #unmap}.
   *
   * @throws HostException if the host refuses
   */
  public static MemorySegment mapShared(Fd fd, long offset, long length) {
    long address =
        HostException.check(
            "mmap " + length + " bytes of " + fd,
            RawSyscall.syscall(
                Nr.MMAP, 0, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd.number(), offset));
    // SAFETY: the kernel just mapped exactly this range for us; it stays until unmap.
    return MemorySegment.ofAddress(address).reinterpret(length);
  }

  /**
   * Maps {@code length} bytes of zeroed memory of this process; pages that are never touched cost
   * nothing, which {@link #allocateGlobal} cannot promise.
   *
   * @throws HostException if the host refuses
   */
  public static MemorySegment mapAnonymous(long length) {
    long address =
        HostException.check(
            "mmap " + length + " bytes of memory",
            RawSyscall.syscall(
                Nr.MMAP,
                0,
                length,
                PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1,
                0));
    // SAFETY: the kernel just mapped exactly this range for us; it stays until unmap.
    return MemorySegment.ofAddress(address).reinterpret(length);
  }

  /**
   * Unmaps a segment that {@link #mapShared} or {@link #mapAnonymous} returned. No access may
   * follow.
   */
  public static void unmap(MemorySegment segment) {
    RawSyscall.syscall(Nr.MUNMAP, segment.address(), segment.byteSize());
  }

  /** Allocates zeroed memory that lives as long as the process. */
  public static MemorySegment allocateGlobal(long bytes) {
    return Arena.global().allocate(bytes, 64);
  }

  /**
   * {@return {@code text} as a NUL-terminated C string in {@code arena}, one byte a char (Latin-1)}
   */
  public static MemorySegment cString(Arena arena, String text) {
    return arena.allocateFrom(text, StandardCharsets.ISO_8859_1);
  }
}
