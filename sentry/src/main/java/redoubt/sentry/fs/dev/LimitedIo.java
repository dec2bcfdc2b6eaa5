package redoubt.sentry.fs.dev;

import java.lang.foreign.MemorySegment;
import redoubt.sentry.kernel.IoBuffer;

/** The first bytes of another buffer: for a device that ends before its file does. */
final class LimitedIo extends IoBuffer {
  private final IoBuffer all;

  /** What {@link #all} has left when this is used up. */
  private final long beyond;

  LimitedIo(IoBuffer all, long limit) {
    this.all = all;
    this.beyond = Math.max(0, all.remaining() - limit);
  }

  @Override
  public long remaining() {
    return all.remaining() - beyond;
  }

  @Override
  public long put(MemorySegment src, long offset, long length) {
    return all.put(src, offset, length);
  }

  @Override
  public long get(MemorySegment dst, long offset, long length) {
    return all.get(dst, offset, length);
  }

  @Override
  public long putZeros(long length) {
    return all.putZeros(length);
  }

  @Override
  public MemorySegment window() {
    return all.window();
  }

  @Override
  public long windowLimit() {
    return Math.min(all.windowLimit(), remaining());
  }

  @Override
  public long commit(long length) {
    return all.commit(length);
  }

  @Override
  public void expectMore() {
    all.expectMore();
  }

  @Override
  public void rewind(long length) {
    all.rewind(length);
  }

  @Override
  public long fetch(long length) {
    return all.fetch(length);
  }
}
