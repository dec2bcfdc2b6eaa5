package redoubt.host;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import redoubt.abi.Nr;

/**
 * Lines to an inherited descriptor: one write a line, so that lines of several processes do not
 * mix.
 */
public final class HostLog {
  private static final int LIMIT = 4096;

  private final int fd;
  private final MemorySegment buffer = Memory.allocateGlobal(LIMIT + 1);

  /**
   * @param fd an open descriptor, which is not closed here
   */
  public HostLog(int fd) {
    this.fd = fd;
  }

  /**
   * Writes {@code text} and a newline; what is past 4 KiB is cut off, control characters are
   * masked.
   */
  public synchronized void line(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    int n = Math.min(bytes.length, LIMIT);
    for (int i = 0; i < n; i++) {
      buffer.set(
          Memory.BYTE,
          i,
          bytes[i] >= 0 && bytes[i] < ' ' && bytes[i] != '\t' ? (byte) '?' : bytes[i]);
    }
    buffer.set(Memory.BYTE, n, (byte) '\n');
    RawSyscall.syscall(Nr.WRITE, fd, buffer.address(), n + 1L);
  }
}
