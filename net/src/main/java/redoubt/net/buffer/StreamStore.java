package redoubt.net.buffer;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * Bytes of a stream by their offset in it, in pooled chunks: a connection holds memory only where
 * it holds data. Offsets may be written in any order from {@link #base} on, which is how segments
 * that come out of order find their place without being kept as packets.
 *
 * <p>The caller bounds how far past the base it writes, and reads only what it has written.
 */
public final class StreamStore {
  private final ChunkPool pool;
  // A ring: chunk number n (offset >> SHIFT) is at n & (chunks.length - 1).
  private byte[] @Nullable [] chunks = new byte[4][];
  private long base;

  public StreamStore(ChunkPool pool, long base) {
    this.pool = pool;
    this.base = base;
  }

  /** {@return the offset below which everything was discarded} */
  public long base() {
    return base;
  }

  public void write(long offset, byte[] from, int at, int length) {
    while (length > 0) {
      byte[] chunk = chunkForWrite(offset >> ChunkPool.SHIFT);
      int in = (int) offset & (ChunkPool.CHUNK - 1);
      int n = Math.min(length, ChunkPool.CHUNK - in);
      System.arraycopy(from, at, chunk, in, n);
      offset += n;
      at += n;
      length -= n;
    }
  }

  public void write(long offset, MemorySegment from, long at, int length) {
    while (length > 0) {
      byte[] chunk = chunkForWrite(offset >> ChunkPool.SHIFT);
      int in = (int) offset & (ChunkPool.CHUNK - 1);
      int n = Math.min(length, ChunkPool.CHUNK - in);
      MemorySegment.copy(from, ValueLayout.JAVA_BYTE, at, chunk, in, n);
      offset += n;
      at += n;
      length -= n;
    }
  }

  public void read(long offset, MemorySegment to, long at, int length) {
    while (length > 0) {
      byte[] chunk = chunkForRead(offset);
      int in = (int) offset & (ChunkPool.CHUNK - 1);
      int n = Math.min(length, ChunkPool.CHUNK - in);
      MemorySegment.copy(chunk, in, to, ValueLayout.JAVA_BYTE, at, n);
      offset += n;
      at += n;
      length -= n;
    }
  }

  private byte[] chunkForRead(long offset) {
    byte @Nullable [] chunk = chunks[(int) (offset >> ChunkPool.SHIFT) & (chunks.length - 1)];
    if (chunk == null) {
      throw new IllegalStateException("nothing was written at " + offset);
    }
    return chunk;
  }

  public void read(long offset, byte[] to, int at, int length) {
    while (length > 0) {
      byte[] chunk = chunkForRead(offset);
      int in = (int) offset & (ChunkPool.CHUNK - 1);
      int n = Math.min(length, ChunkPool.CHUNK - in);
      System.arraycopy(chunk, in, to, at, n);
      offset += n;
      at += n;
      length -= n;
    }
  }

  /** Moves the base forward to {@code offset}; chunks wholly below it go back to the pool. */
  public void discardTo(long offset) {
    long first = base >> ChunkPool.SHIFT;
    long end = Math.min(offset >> ChunkPool.SHIFT, first + chunks.length);
    for (long n = first; n < end; n++) {
      release((int) n & (chunks.length - 1));
    }
    base = offset;
  }

  /** As {@link #discardTo}, for a stream that holds nothing beyond: the last chunk goes too. */
  public void discardAll(long offset) {
    discardTo(offset);
    for (int i = 0; i < chunks.length; i++) {
      release(i);
    }
  }

  private void release(int slot) {
    byte @Nullable [] chunk = chunks[slot];
    if (chunk != null) {
      chunks[slot] = null;
      pool.give(chunk);
    }
  }

  private byte[] chunkForWrite(long number) {
    long first = base >> ChunkPool.SHIFT;
    if (number < first) {
      throw new IllegalStateException("written below the base");
    }
    if (number - first >= chunks.length) {
      grow(number - first + 1);
    }
    int slot = (int) number & (chunks.length - 1);
    byte @Nullable [] chunk = chunks[slot];
    if (chunk == null) {
      chunk = pool.take();
      chunks[slot] = chunk;
    }
    return chunk;
  }

  private void grow(long needed) {
    byte[] @Nullable [] old = chunks;
    byte[] @Nullable [] grown = new byte[Integer.highestOneBit((int) needed - 1) << 1][];
    long first = base >> ChunkPool.SHIFT;
    for (long n = first; n < first + old.length; n++) {
      grown[(int) n & (grown.length - 1)] = old[(int) n & (old.length - 1)];
    }
    chunks = grown;
  }
}
