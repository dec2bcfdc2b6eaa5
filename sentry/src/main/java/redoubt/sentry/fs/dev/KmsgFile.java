package redoubt.sentry.fs.dev;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EINVAL;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.KernelLog;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.VfsPath;

/**
 * /dev/kmsg: one record of the kernel's log a read, one message a write
 * (Documentation/ABI/testing/dev-kmsg).
 */
final class KmsgFile extends FileDescription {
  private static final int LINE_LIMIT = 976;

  private final KernelLog log;
  private long next; // guarded by this

  KmsgFile(Task t, VfsPath path, int flags) {
    super(path, flags, t.creds());
    this.log = t.kernel().log();
  }

  @Override
  public long read(Task t, IoBuffer dst, long offset) {
    byte[] record;
    synchronized (this) {
      List<KernelLog.Entry> entries = log.since(next);
      if (entries.isEmpty()) {
        return -EAGAIN;
      }
      KernelLog.Entry e = entries.getFirst();
      record =
          Latin1.bytes(
              e.level() + "," + e.sequence() + "," + e.timeNs() / 1000 + ",-;" + e.text() + "\n");
      if (record.length > dst.remaining()) {
        return -EINVAL;
      }
      next = e.sequence() + 1;
    }
    return dst.put(MemorySegment.ofArray(record), 0, record.length);
  }

  @Override
  public long write(Task t, IoBuffer src, long offset) {
    if (src.remaining() > LINE_LIMIT) {
      return -EINVAL;
    }
    byte[] b = new byte[(int) src.remaining()];
    long got = src.get(MemorySegment.ofArray(b), 0, b.length);
    if (got < 0) {
      return got;
    }
    String text = new String(b, 0, (int) got, StandardCharsets.ISO_8859_1);
    int level = 4;
    int close = text.indexOf('>');
    if (text.startsWith("<") && close > 1 && close < 6) {
      try {
        level = Integer.parseInt(text.substring(1, close)) & 7;
        text = text.substring(close + 1);
      } catch (NumberFormatException e) {
        // not a priority: part of the text
      }
    }
    log.log(level, printable(text));
    return got;
  }

  /** One line without control characters: guests must not draw on an administrator's terminal. */
  static String printable(String text) {
    StringBuilder out = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '\n' && i == text.length() - 1) {
        break;
      }
      if (c < 32 || c == 127 || c == '\\') {
        out.append("\\x")
            .append(Character.forDigit(c >> 4 & 15, 16))
            .append(Character.forDigit(c & 15, 16));
      } else {
        out.append(c);
      }
    }
    return out.toString();
  }

  @Override
  public long seek(Task t, long offset, int whence) {
    if (offset != 0) {
      return -redoubt.abi.Errno.ESPIPE;
    }
    List<KernelLog.Entry> all = log.since(0);
    synchronized (this) {
      switch (whence) {
        case 0, 3 -> next = 0; // SEEK_SET, SEEK_DATA: the first record
        case 2 -> next = all.isEmpty() ? next : all.getLast().sequence() + 1;
        default -> {
          return -EINVAL;
        }
      }
    }
    return 0;
  }

  @Override
  public synchronized int poll() {
    return (log.since(next).isEmpty() ? 0 : POLLIN | POLLRDNORM) | POLLOUT | POLLWRNORM;
  }

  @Override
  public WaitQueue waitQueue() {
    return log.queue;
  }
}
