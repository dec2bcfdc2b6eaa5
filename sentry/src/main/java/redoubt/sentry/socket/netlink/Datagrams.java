package redoubt.sentry.socket.netlink;

import java.util.ArrayList;
import java.util.List;

/** The messages of one answer, in datagrams that end before they are too long for their reader. */
abstract class Datagrams {
  /** A reader has room for a page. */
  private static final int FULL = 3400;

  final int seq;
  final int port;

  /** The datagram that grows. */
  MessageBuilder m = new MessageBuilder();

  private final List<MessageBuilder> finished = new ArrayList<>();

  Datagrams(int seq, int port) {
    this.seq = seq;
    this.port = port;
  }

  /** {@return the datagrams so far} */
  final List<MessageBuilder> finished() {
    if (m.length() > 0) {
      finished.add(m);
      m = new MessageBuilder();
    }
    return finished;
  }

  /** Ends a message, and its datagram if that is full. */
  final void end() {
    m.end();
    if (m.length() > FULL) {
      finished();
    }
  }
}
