package redoubt.net.stack;

/** Sees each frame that goes over a link with link headers: what a capture needs. */
@FunctionalInterface
public interface Tap {
  /**
   * The frame is {@code data[start, start + length)}; it may be longer than the link's MTU and lack
   * its checksum, where the link is to see to that. Called with the stack's lock held: must not
   * block, nor call the stack.
   */
  void frame(byte[] data, int start, int length);
}
