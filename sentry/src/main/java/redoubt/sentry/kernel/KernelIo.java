package redoubt.sentry.kernel;

import java.lang.foreign.MemorySegment;

/** An {@link IoBuffer} over native kernel memory, for sendfile, splice and the loader. */
public final class KernelIo extends IoBuffer {
  private MemorySegment memory;
  private long position;
  private long limit;

  /**
   * @param memory native memory of the kernel's own
   */
  public KernelIo(MemorySegment memory, long offset, long length) {
    this.memory = memory;
    this.position = offset;
    this.limit = offset + length;
  }

  /** Points this buffer at other memory. */
  public void reset(MemorySegment newMemory, long offset, long length) {
    this.memory = newMemory;
    this.position = offset;
    this.limit = offset + length;
  }

  @Override
  public long remaining() {
    return limit - position;
  }

  @Override
  public long put(MemorySegment src, long offset, long length) {
    long n = Math.min(length, remaining());
    MemorySegment.copy(src, offset, memory, position, n);
    position += n;
    return n;
  }

  @Override
  public long get(MemorySegment dst, long offset, long length) {
    long n = Math.min(length, remaining());
    MemorySegment.copy(memory, position, dst, offset, n);
    position += n;
    return n;
  }

  @Override
  public void rewind(long length) {
    position -= length;
  }

  @Override
  public long putZeros(long length) {
    long n = Math.min(length, remaining());
    memory.asSlice(position, n).fill((byte) 0);
    position += n;
    return n;
  }

  @Override
  public MemorySegment window() {
    return memory.asSlice(position, remaining());
  }

  @Override
  public long windowLimit() {
    return remaining();
  }

  @Override
  public long commit(long length) {
    position += length;
    return length;
  }

  @Override
  public long fetch(long length) {
    long n = Math.min(length, remaining());
    position += n;
    return n;
  }
}
