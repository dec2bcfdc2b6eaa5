package redoubt.gofer;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import redoubt.abi.Nr;
import redoubt.host.Memory;
import redoubt.host.RawSyscall;

/** Lines to an inherited descriptor, one write each. Thread-safe. */
final class Log {
  private static final int LINE_MAX = 1024;

  private final int fd;
  private final MemorySegment line = Memory.allocateGlobal(LINE_MAX);

  Log(int fd) {
    this.fd = fd;
  }

  /** Writes one line; a descriptor of -1 takes none. */
  synchronized void line(String text) {
    if (fd < 0) {
      return;
    }
    byte[] bytes = ("gofer: " + text + "\n").getBytes(StandardCharsets.UTF_8);
    int length = Math.min(bytes.length, LINE_MAX);
    MemorySegment.copy(bytes, 0, line, ValueLayout.JAVA_BYTE, 0, length);
    RawSyscall.syscall(Nr.WRITE, fd, line.address(), length);
  }
}
