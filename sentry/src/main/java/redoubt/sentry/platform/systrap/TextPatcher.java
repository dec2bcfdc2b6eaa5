package redoubt.sentry.platform.systrap;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Nr;
import redoubt.host.Fd;
import redoubt.host.MemFd;
import redoubt.host.Memory;
import redoubt.host.RawSyscall;
import redoubt.sentry.platform.systrap.patch.SitePatcher;

/**
 * Patched copies of files' text, made once per file and range and shared by all processes that map
 * it. A file is known by device, inode, size and times: one that was written to is another file.
 */
final class TextPatcher {
  private static final long FILE_BYTES = 256L << 20;
  private static final int MAX_TEXT = 16 << 20;
  private static final int MAX_ENTRIES = 4096;
  private static final int F_DUPFD_CLOEXEC = 1030;

  /**
   * A patched text in the text file.
   *
   * @param at offset of the text's copy; trampolines follow it
   */
  record Text(
      long at, long bytes, long trampolinesAt, long trampolineBytes, SitePatcher.Patches patches) {}

  private record Key(
      long device, long inode, long size, long mtime, long ctime, long offset, long length) {}

  private final Fd file = MemFd.create("redoubt-text", FILE_BYTES);
  private final MemorySegment memory = Memory.mapShared(file, 0, FILE_BYTES);

  // All guarded by this.
  private final Map<Key, @Nullable Text> texts = new HashMap<>();
  private final Map<Integer, Fd> imported = new HashMap<>();
  private long used;
  private long sitesFound;
  private long sitesPatched;

  Fd file() {
    return file;
  }

  /** Keeps a descriptor of our own for {@code number}, to read its text from. */
  synchronized void imported(int number, Fd fd) {
    long r = RawSyscall.syscall(Nr.FCNTL, fd.number(), F_DUPFD_CLOEXEC, 0);
    if (r >= 0) {
      Fd old = imported.put(number, new Fd((int) r));
      if (old != null) {
        old.close();
      }
    }
  }

  synchronized void released(int number) {
    Fd fd = imported.remove(number);
    if (fd != null) {
      fd.close();
    }
  }

  synchronized void close() {
    for (Fd fd : imported.values()) {
      fd.close();
    }
    imported.clear();
    file.close();
    Memory.unmap(memory);
  }

  /** {@return sites found and patched so far}, for tests and statistics */
  synchronized long[] counts() {
    return new long[] {sitesFound, sitesPatched};
  }

  /**
   * {@return the patched text of {@code length} bytes at {@code offset} of file {@code number}}, or
   * null when there is nothing to patch in it or it should not be
   */
  synchronized @Nullable Text lookup(int number, long offset, long length) {
    Fd fd = imported.get(number);
    if (fd == null || length <= 0 || length > MAX_TEXT) {
      return null;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment stat = arena.allocate(144, 8);
      if (RawSyscall.syscall(Nr.FSTAT, fd.number(), stat.address()) < 0) {
        return null;
      }
      // Without a name it is the memory file or an upper layer's: its ranges change hands.
      if (stat.get(Memory.LONG, 16) == 0 || (stat.get(Memory.INT, 24) & 0170000) != 0100000) {
        return null;
      }
      Key key =
          new Key(
              stat.get(Memory.LONG, 0),
              stat.get(Memory.LONG, 8),
              stat.get(Memory.LONG, 48),
              stat.get(Memory.LONG, 88) * 1_000_000_000L + stat.get(Memory.LONG, 96),
              stat.get(Memory.LONG, 104) * 1_000_000_000L + stat.get(Memory.LONG, 112),
              offset,
              length);
      Text known = texts.get(key);
      if (known != null || texts.containsKey(key)) {
        return known;
      }
      Text made = make(fd, offset, (int) length);
      if (texts.size() < MAX_ENTRIES) {
        texts.put(key, made);
        return made;
      }
      return null;
    }
  }

  private @Nullable Text make(Fd fd, long offset, int length) {
    byte[] text = new byte[length];
    SitePatcher.Patches patches;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment buffer = arena.allocate(length, 8);
      int have = 0;
      while (have < length) {
        long r =
            RawSyscall.syscall(
                Nr.PREAD64, fd.number(), buffer.address() + have, length - have, offset + have);
        if (r <= 0) {
          break;
        }
        have += (int) r;
      }
      MemorySegment.copy(buffer, Memory.BYTE, 0, text, 0, have);
      patches = SitePatcher.patch(text, buffer, have, (int) Layout.ENTRY, StubContext.ANSWERS);
    }
    if (patches == null) {
      return null;
    }
    long bytes = length + Memory.PAGE - 1 & -Memory.PAGE;
    long trampolineBytes = patches.code().length + Memory.PAGE - 1 & -Memory.PAGE;
    if (used + bytes + trampolineBytes > FILE_BYTES) {
      return null;
    }
    long at = used;
    used += bytes + trampolineBytes;
    MemorySegment.copy(text, 0, memory, Memory.BYTE, at, length);
    MemorySegment.copy(patches.code(), 0, memory, Memory.BYTE, at + bytes, patches.code().length);
    sitesFound += patches.found();
    sitesPatched += patches.count();
    return new Text(at, bytes, at + bytes, trampolineBytes, patches);
  }
}
