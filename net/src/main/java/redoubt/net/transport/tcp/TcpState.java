package redoubt.net.transport.tcp;

/** The states of RFC 9293, section 3.3.2, that a connection here can be in. */
public enum TcpState {
  SYN_SENT,
  SYN_RECEIVED,
  ESTABLISHED,
  FIN_WAIT_1,
  FIN_WAIT_2,
  CLOSE_WAIT,
  CLOSING,
  LAST_ACK,
  TIME_WAIT,
  CLOSED;

  /** {@return whether both sides have agreed on where the numbers begin} */
  boolean isSynchronized() {
    return this != SYN_SENT && this != SYN_RECEIVED && this != CLOSED;
  }

  /** {@return whether the peer may still send data} */
  boolean mayReceive() {
    return this == ESTABLISHED || this == FIN_WAIT_1 || this == FIN_WAIT_2;
  }

  /** {@return whether this side has not yet ended its stream} */
  boolean maySend() {
    return this == ESTABLISHED || this == CLOSE_WAIT;
  }
}
