package redoubt.net.buffer;

import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** Chunks of stream data kept for reuse, 16 MiB at most; the rest is the collector's. */
public final class ChunkPool {
  public static final int SHIFT = 12;
  public static final int CHUNK = 1 << SHIFT;
  private static final int KEEP = 4096;

  private final ArrayDeque<byte[]> free = new ArrayDeque<>(64);

  private long outBytes;

  /** {@return the bytes of chunks that hold data} */
  public long outBytes() {
    return outBytes;
  }

  byte[] take() {
    outBytes += CHUNK;
    byte @Nullable [] chunk = free.pollLast();
    return chunk != null ? chunk : new byte[CHUNK];
  }

  void give(byte[] chunk) {
    outBytes -= CHUNK;
    if (free.size() < KEEP) {
      free.addLast(chunk);
    }
  }
}
