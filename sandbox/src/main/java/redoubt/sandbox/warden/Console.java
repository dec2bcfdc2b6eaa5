package redoubt.sandbox.warden;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.HostIo;
import redoubt.host.Memory;

/** What the guest's kernel (or its VMM) wrote on its console: the last 64 KiB, read as it comes. */
final class Console {
  private static final int BYTES = 64 << 10;

  private final byte[] ring = new byte[BYTES]; // guarded by this
  private long written; // guarded by this
  private final int fd;
  private final Runnable first;

  /**
   * @param first runs when the first byte has come
   */
  Console(Fd fd, Runnable first) {
    this.fd = fd.release();
    this.first = first;
    var thread = new Thread(null, this::run, "console", 96 << 10);
    thread.setDaemon(true);
    thread.start();
  }

  private void run() {
    MemorySegment buffer = Memory.mapAnonymous(4096);
    while (true) {
      long n = HostIo.read(fd, buffer, 0, 4096);
      if (n == -Errno.EINTR) {
        continue;
      }
      if (n <= 0) {
        return;
      }
      boolean isFirst;
      synchronized (this) {
        isFirst = written == 0;
        for (int i = 0; i < n; i++) {
          ring[(int) (written++ % BYTES)] = buffer.get(ValueLayout.JAVA_BYTE, i);
        }
      }
      if (isFirst) {
        first.run();
      }
    }
  }

  synchronized String text() {
    int n = (int) Math.min(written, BYTES);
    byte[] bytes = new byte[n];
    for (int i = 0; i < n; i++) {
      bytes[i] = ring[(int) ((written - n + i) % BYTES)];
    }
    return new String(bytes, StandardCharsets.ISO_8859_1).replace("\r", "");
  }

  /** {@return the last lines that say something, joined by " | "; before them, why it panicked} */
  String lastLines(int count) {
    String[] lines = text().strip().split("\n+");
    var out = new StringBuilder();
    for (int i = 0; i < lines.length - count; i++) {
      int panic = lines[i].indexOf("Kernel panic - ");
      if (panic >= 0 && out.isEmpty()) {
        out.append(lines[i].strip(), panic, Math.min(lines[i].strip().length(), panic + 160));
      }
    }
    for (int i = Math.max(0, lines.length - count); i < lines.length; i++) {
      String line = lines[i].strip();
      if (!line.isEmpty()) {
        out.append(out.isEmpty() ? "" : " | ").append(line, 0, Math.min(line.length(), 160));
      }
    }
    return out.toString();
  }
}
