package redoubt.net.transport.tcp;

import org.jspecify.annotations.Nullable;
import redoubt.net.buffer.Packet;
import redoubt.net.buffer.StreamStore;
import redoubt.net.header.Bytes;
import redoubt.net.header.Checksum;
import redoubt.net.header.Ipv4Header;
import redoubt.net.header.TcpHeader;
import redoubt.net.network.Ipv4;
import redoubt.net.stack.NetworkStack;

/** The segment being made. One per stack: {@link #clear}, set what it needs, {@link #send}. */
final class SegmentWriter {
  private final NetworkStack stack;
  int seq;
  int ack;
  int flags;
  int window;

  /** 0 leaves the option out. */
  int mss;

  /** -1 leaves the option out. */
  int windowScale;

  /** What the link cuts longer data into. */
  int segmentBytes;

  boolean isSackPermitted;
  boolean hasTimestamps;
  int timestamp;
  int timestampEcho;
  int sackCount;
  final int[] sackStart = new int[Segment.MAX_SACKS];
  final int[] sackEnd = new int[Segment.MAX_SACKS];

  SegmentWriter(NetworkStack stack) {
    this.stack = stack;
  }

  SegmentWriter clear() {
    ack = 0;
    window = 0;
    mss = 0;
    windowScale = -1;
    isSackPermitted = false;
    hasTimestamps = false;
    sackCount = 0;
    segmentBytes = Integer.MAX_VALUE;
    return this;
  }

  /** Sends it with {@code length} bytes of {@code store} from {@code offset} on. */
  int send(Flow f, @Nullable StreamStore store, long offset, int length) {
    return send(f.local, f.localPort, f.remote, f.remotePort, store, offset, length);
  }

  /** Sends it without data to where {@code s} came from. */
  void sendBack(Segment s) {
    send(s.destination, s.destinationPort, s.source, s.sourcePort, null, 0, 0);
  }

  private int send(
      int local,
      int localPort,
      int remote,
      int remotePort,
      @Nullable StreamStore store,
      long offset,
      int length) {
    Packet p = stack.packets().allocate(length);
    if (p == null) {
      // As if the network had lost it: what repeats lost segments repeats this one.
      return 0;
    }
    if (store != null && length > 0) {
      p.borrow(store, offset, length);
    }
    int header = TcpHeader.MIN_LENGTH + optionsLength();
    p.prepend(header);
    TcpHeader.write(p.data, p.start, localPort, remotePort, seq, ack, header, flags, window);
    writeOptions(p.data, p.start + TcpHeader.MIN_LENGTH);
    long sum = stack.pseudoHeader(local, remote, Ipv4Header.TCP, p.length());
    Bytes.put16(p.data, p.start + TcpHeader.CHECKSUM, Checksum.partial(sum));
    p.checksumStart = p.start;
    p.checksumOffset = TcpHeader.CHECKSUM;
    p.segmentBytes = length > segmentBytes ? segmentBytes : 0;
    stack.counters().tcpSegmentsOut++;
    return stack.ipv4().send(p, local, remote, Ipv4Header.TCP, 0, Ipv4.DEFAULT_TTL, true);
  }

  private int optionsLength() {
    return (mss != 0 ? 4 : 0)
        + (windowScale >= 0 ? 4 : 0)
        + (isSackPermitted ? 4 : 0)
        + (hasTimestamps ? 12 : 0)
        + (sackCount > 0 ? 4 + 8 * sackCount : 0);
  }

  /** Each option is padded in front to four bytes. */
  private void writeOptions(byte[] b, int at) {
    int i = at;
    if (mss != 0) {
      Bytes.put32(b, i, Segment.OPTION_MSS << 24 | 4 << 16 | mss);
      i += 4;
    }
    if (isSackPermitted) {
      Bytes.put32(b, i, 0x0101_0000 | Segment.OPTION_SACK_PERMITTED << 8 | 2);
      i += 4;
    }
    if (hasTimestamps) {
      Bytes.put32(b, i, 0x0101_0000 | Segment.OPTION_TIMESTAMPS << 8 | 10);
      Bytes.put32(b, i + 4, timestamp);
      Bytes.put32(b, i + 8, timestampEcho);
      i += 12;
    }
    if (windowScale >= 0) {
      Bytes.put32(b, i, 0x0100_0000 | Segment.OPTION_WINDOW_SCALE << 16 | 3 << 8 | windowScale);
      i += 4;
    }
    if (sackCount > 0) {
      Bytes.put32(b, i, 0x0101_0000 | Segment.OPTION_SACK << 8 | (2 + 8 * sackCount));
      for (int k = 0; k < sackCount; k++) {
        Bytes.put32(b, i + 4 + 8 * k, sackStart[k]);
        Bytes.put32(b, i + 8 + 8 * k, sackEnd[k]);
      }
    }
  }
}
