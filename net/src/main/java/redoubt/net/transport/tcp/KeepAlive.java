package redoubt.net.transport.tcp;

import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Timer;

/** Asks a silent peer whether it is still there (RFC 9293, section 3.8.4). */
final class KeepAlive extends Timer {
  private final NetworkStack stack;
  private final TcpConnection connection;
  private boolean isOn;
  private long idleNs;
  private long intervalNs;
  private int count;
  private int probes;

  KeepAlive(NetworkStack stack, TcpConnection connection) {
    super(stack.timers());
    this.stack = stack;
    this.connection = connection;
  }

  void set(boolean isOn, long idleNs, long intervalNs, int count) {
    this.isOn = isOn;
    this.idleNs = idleNs;
    this.intervalNs = intervalNs;
    this.count = count;
    if (!isOn) {
      disarm();
    } else if (connection.state().isSynchronized()) {
      arm();
    }
  }

  /** Begins to wait, if asked for. */
  void arm() {
    if (isOn) {
      probes = 0;
      arm(stack.nowNs() + idleNs);
    }
  }

  @Override
  protected void expire() {
    long now = stack.nowNs();
    long silentNs = now - connection.lastHeardNs();
    if (silentNs < (probes == 0 ? idleNs : intervalNs) || connection.hasDataInFlight()) {
      // Heard from meanwhile, or the retransmission timer watches it.
      probes = 0;
      arm(Math.max(connection.lastHeardNs() + idleNs, now + intervalNs));
    } else if (probes++ >= count) {
      connection.keepAliveFailed();
    } else {
      connection.probe(now);
      arm(now + intervalNs);
    }
  }
}
