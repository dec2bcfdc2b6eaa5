package redoubt.net.transport.tcp;

import redoubt.net.stack.Secret;

/**
 * Initial numbers that carry a handshake's terms, for when there is no room to remember it: 5 bits
 * of time in minutes, 3 of the segment size, 24 of a keyed hash (RFC 4987, section 3.6). What else
 * was agreed goes in the low bits of our timestamp, which the peer echoes.
 */
final class SynCookie {
  private static final int[] MSS = {536, 1220, 1300, 1360, 1400, 1440, 1460, 8960};
  private static final int HASH_BITS = 24;
  private static final long MINUTE_NS = 60_000_000_000L;
  private static final int OPTION_BITS = 6;
  private static final int SACK = 16;
  private static final int MARK = 32;

  private final Secret secret;

  SynCookie(Secret secret) {
    this.secret = secret;
  }

  int make(Segment syn, long nowNs) {
    int size = MSS.length - 1;
    while (size > 0 && MSS[size] > syn.mss) {
      size--;
    }
    return make(syn, syn.seq, (int) (nowNs / MINUTE_NS) & 31, size);
  }

  private int make(Segment s, int peerInitial, int minute, int size) {
    long addresses = (long) s.source << 32 | (s.destination & 0xffff_ffffL);
    long ports = (long) s.sourcePort << 16 | s.destinationPort;
    long rest = (long) peerInitial << 32 | minute << 3 | size | 0x10000;
    int hash = (int) secret.hash(addresses, ports, rest) & ((1 << HASH_BITS) - 1);
    return (minute << 3 | size) << HASH_BITS | hash;
  }

  /** {@return the segment size that a good cookie in {@code s}'s acknowledgement says, or 0} */
  int check(Segment s, long nowNs) {
    int cookie = s.ack - 1;
    int size = cookie >>> HASH_BITS & 7;
    int minute = cookie >>> HASH_BITS + 3;
    int age = ((int) (nowNs / MINUTE_NS) - minute) & 31;
    boolean isGood = age <= 1 && make(s, s.seq - 1, minute, size) == cookie;
    return isGood ? MSS[size] : 0;
  }

  /** {@return {@code timestamp}, made a little older, with the terms in its low bits} */
  static int putOptions(int timestamp, HandshakeTerms terms) {
    int scale = terms.windowScale < 0 ? 15 : terms.windowScale;
    int options = scale | (terms.isSackPermitted ? SACK : 0);
    return (timestamp & -(1 << OPTION_BITS)) - MARK * 2 | options;
  }

  /** Reads them back from the echo. */
  static void takeOptions(int echo, HandshakeTerms terms) {
    int scale = echo & 15;
    terms.windowScale = scale == 15 ? -1 : scale;
    terms.isSackPermitted = (echo & SACK) != 0;
  }
}
