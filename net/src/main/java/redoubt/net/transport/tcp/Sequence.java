package redoubt.net.transport.tcp;

/** Sequence numbers: 64 bits inside, their lower 32 bits plus a random start on the wire. */
final class Sequence {
  private Sequence() {}

  static int toWire(int initial, long sequence) {
    return initial + (int) sequence;
  }

  /** {@return the sequence number nearest to {@code near} that {@code wire} can mean} */
  static long fromWire(int initial, int wire, long near) {
    return near + (wire - toWire(initial, near));
  }
}
