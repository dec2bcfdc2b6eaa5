package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import redoubt.abi.Nr;

/** Small files of the host's /proc and /sys, read before confinement. */
public final class HostText {
  private static final int O_CLOEXEC = 02000000;

  private HostText() {}

  /** {@return the file's text, at most {@code limit} bytes}, or "" if it cannot be read */
  public static String read(String path, int limit) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = Memory.cString(arena, path);
      long fd = RawSyscall.syscall(Nr.OPEN, name.address(), O_CLOEXEC, 0);
      if (fd < 0) {
        return "";
      }
      MemorySegment buffer = arena.allocate(16384);
      StringBuilder out = new StringBuilder();
      for (; ; ) {
        long n = RawSyscall.syscall(Nr.READ, fd, buffer.address(), buffer.byteSize());
        if (n <= 0 || out.length() >= limit) {
          break;
        }
        byte[] bytes = new byte[(int) n];
        MemorySegment.copy(buffer, Memory.BYTE, 0, bytes, 0, bytes.length);
        out.append(new String(bytes, StandardCharsets.ISO_8859_1));
      }
      RawSyscall.syscall(Nr.CLOSE, fd);
      return out.length() > limit ? out.substring(0, limit) : out.toString();
    }
  }
}
