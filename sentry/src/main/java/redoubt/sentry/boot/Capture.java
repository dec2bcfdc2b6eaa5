package redoubt.sentry.boot;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.host.Fd;
import redoubt.host.HostIo;
import redoubt.host.Memory;
import redoubt.net.stack.Tap;
import redoubt.sentry.kernel.Clocks;

/**
 * Frames as records of a <a href="https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html">
 * pcap file</a>, one message each, to a caller who writes the file. A caller who does not read in
 * time misses frames: nothing waits for it.
 *
 * <p>{@link #frame} is called under the stack's lock; the thread that {@link #begin} makes only
 * waits for the end.
 */
final class Capture implements Tap {
  private static final int RECORD_HEADER = 16;
  private static final int SNAP_LENGTH = 65_536 + 256;

  private final Fd socket;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment record = arena.allocate(RECORD_HEADER + SNAP_LENGTH, 8);

  Capture(Fd socket) {
    this.socket = socket;
  }

  /** Once the other end is closed, runs {@code end} and lets go of everything. */
  void begin(Runnable end) {
    Thread.ofPlatform().daemon().name("net capture").start(() -> finish(end));
  }

  private void finish(Runnable end) {
    HostIo.awaitReadable(socket.number(), -1); // its end: nobody sends anything here
    end.run();
    socket.close();
    arena.close();
  }

  @Override
  public void frame(byte[] data, int start, int length) {
    int kept = Math.min(length, SNAP_LENGTH);
    long now = Clocks.realtimeNs();
    record.set(Memory.INT, 0, (int) (now / 1_000_000_000L));
    record.set(Memory.INT, 4, (int) (now % 1_000_000_000L / 1000));
    record.set(Memory.INT, 8, kept);
    record.set(Memory.INT, 12, length);
    MemorySegment.copy(data, start, record, Memory.BYTE, RECORD_HEADER, kept);
    HostIo.send(socket.number(), record, RECORD_HEADER + (long) kept);
  }
}
