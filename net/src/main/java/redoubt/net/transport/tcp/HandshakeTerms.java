package redoubt.net.transport.tcp;

/** What a SYN said. */
final class HandshakeTerms {
  static final int DEFAULT_MSS = 536;

  int initial;
  int mss;
  int windowScale;
  int window;
  int timestamp;
  boolean hasTimestamps;
  boolean isSackPermitted;

  HandshakeTerms from(Segment s) {
    initial = s.seq;
    mss = s.mss == 0 ? DEFAULT_MSS : s.mss;
    windowScale = s.windowScale;
    window = s.window;
    timestamp = s.timestamp;
    hasTimestamps = s.hasTimestamps;
    isSackPermitted = s.isSackPermitted;
    return this;
  }
}
