package redoubt.net.transport.tcp;

import org.jspecify.annotations.Nullable;

/** Who segments between two ends go to: a connection, or what stands for one before and after. */
abstract class Flow {
  final int local;
  final int localPort;
  final int remote;
  final int remotePort;

  /** In {@link FlowTable}: the next with the same hash. */
  @Nullable Flow next;

  Flow(int local, int localPort, int remote, int remotePort) {
    this.local = local;
    this.localPort = localPort;
    this.remote = remote;
    this.remotePort = remotePort;
  }

  /** Takes a segment; its bytes are valid during the call only. */
  abstract void receive(Segment s);

  /** An ICMP error about the segment that began at {@code wireSeq}; {@code mtu} 0 if not that. */
  abstract void error(int wireSeq, int errno, int mtu);

  /** {@return whether nobody holds it any more but data are still under way to the peer} */
  boolean isSending() {
    return false;
  }

  final boolean isBetween(int local, int localPort, int remote, int remotePort) {
    return this.localPort == localPort
        && this.remotePort == remotePort
        && this.remote == remote
        && this.local == local;
  }
}
