package redoubt.net.transport.tcp;

import redoubt.net.buffer.Packet;
import redoubt.net.header.Bytes;
import redoubt.net.header.Checksum;
import redoubt.net.header.Ipv4Header;
import redoubt.net.header.TcpHeader;
import redoubt.net.stack.NetworkStack;

/** The segment at hand, taken apart. One per stack, filled anew for each that comes in. */
final class Segment {
  static final int MAX_SACKS = 4;
  static final int OPTION_END = 0;
  static final int OPTION_NOP = 1;
  static final int OPTION_MSS = 2;
  static final int OPTION_WINDOW_SCALE = 3;
  static final int OPTION_SACK_PERMITTED = 4;
  static final int OPTION_SACK = 5;
  static final int OPTION_TIMESTAMPS = 8;
  private static final int MAX_WINDOW_SCALE = 14;

  int source;
  int destination;
  int sourcePort;
  int destinationPort;
  int seq;
  int ack;
  int flags;
  int window;
  byte[] data = new byte[0];
  int payload;
  int payloadLength;

  /** 0 when absent. */
  int mss;

  /** -1 when absent. */
  int windowScale;

  boolean isSackPermitted;
  boolean hasTimestamps;
  int timestamp;
  int timestampEcho;
  int sackCount;
  final int[] sackStart = new int[MAX_SACKS];
  final int[] sackEnd = new int[MAX_SACKS];

  boolean isSyn() {
    return (flags & TcpHeader.SYN) != 0;
  }

  boolean isAck() {
    return (flags & TcpHeader.ACK) != 0;
  }

  boolean isReset() {
    return (flags & TcpHeader.RST) != 0;
  }

  boolean isFin() {
    return (flags & TcpHeader.FIN) != 0;
  }

  /** {@return the length in sequence numbers: SYN and FIN count one each} */
  int sequenceLength() {
    return payloadLength + (isSyn() ? 1 : 0) + (isFin() ? 1 : 0);
  }

  /** Reads the segment at the start of {@code p}. {@return whether it is well formed} */
  boolean parse(Packet p) {
    byte[] b = p.data;
    int at = p.start;
    if (p.length() < TcpHeader.MIN_LENGTH) {
      return false;
    }
    int header = TcpHeader.headerLength(b, at);
    if (header < TcpHeader.MIN_LENGTH || header > p.length()) {
      return false;
    }
    source = p.source;
    destination = p.destination;
    sourcePort = TcpHeader.sourcePort(b, at);
    destinationPort = TcpHeader.destinationPort(b, at);
    seq = TcpHeader.sequence(b, at);
    ack = TcpHeader.acknowledgement(b, at);
    flags = TcpHeader.flags(b, at);
    window = TcpHeader.window(b, at);
    data = b;
    payload = at + header;
    payloadLength = p.end - payload;
    parseOptions(b, at + TcpHeader.MIN_LENGTH, payload);
    return true;
  }

  static boolean isChecksumGood(NetworkStack stack, Packet p) {
    if (p.isChecksumGood) {
      return true;
    }
    long sum = stack.pseudoHeader(p.source, p.destination, Ipv4Header.TCP, p.length());
    return Checksum.isGood(Checksum.add(sum, p.data, p.start, p.length()));
  }

  /** Options of a wrong length end the parse, as in Linux: the segment itself is still good. */
  private void parseOptions(byte[] b, int at, int end) {
    mss = 0;
    windowScale = -1;
    isSackPermitted = false;
    hasTimestamps = false;
    sackCount = 0;
    while (at < end) {
      int kind = Bytes.u8(b, at);
      if (kind == OPTION_END) {
        return;
      }
      if (kind == OPTION_NOP) {
        at++;
        continue;
      }
      int length = at + 1 < end ? Bytes.u8(b, at + 1) : 0;
      if (length < 2 || at + length > end) {
        return;
      }
      parseOption(kind, b, at, length);
      at += length;
    }
  }

  private void parseOption(int kind, byte[] b, int at, int length) {
    switch (kind) {
      case OPTION_MSS -> {
        if (length == 4 && isSyn()) {
          mss = Bytes.u16(b, at + 2);
        }
      }
      case OPTION_WINDOW_SCALE -> {
        if (length == 3 && isSyn()) {
          windowScale = Math.min(Bytes.u8(b, at + 2), MAX_WINDOW_SCALE);
        }
      }
      case OPTION_SACK_PERMITTED -> isSackPermitted = length == 2 && isSyn();
      case OPTION_SACK -> parseSack(b, at, length);
      case OPTION_TIMESTAMPS -> {
        if (length == 10) {
          hasTimestamps = true;
          timestamp = Bytes.i32(b, at + 2);
          timestampEcho = Bytes.i32(b, at + 6);
        }
      }
      default -> {}
    }
  }

  private void parseSack(byte[] b, int at, int length) {
    if ((length - 2) % 8 != 0) {
      return;
    }
    sackCount = Math.min((length - 2) / 8, MAX_SACKS);
    for (int i = 0; i < sackCount; i++) {
      sackStart[i] = Bytes.i32(b, at + 2 + 8 * i);
      sackEnd[i] = Bytes.i32(b, at + 6 + 8 * i);
    }
  }
}
