package redoubt.net.buffer;

import org.jspecify.annotations.Nullable;

/** A first-in first-out queue through the packets themselves; a packet is in one at most. */
public final class PacketQueue {
  private @Nullable Packet head;
  private @Nullable Packet tail;
  private int size;

  public void add(Packet p) {
    p.next = null;
    if (tail == null) {
      head = p;
    } else {
      tail.next = p;
    }
    tail = p;
    size++;
  }

  public @Nullable Packet peek() {
    return head;
  }

  public @Nullable Packet poll() {
    Packet p = head;
    if (p != null) {
      head = p.next;
      if (head == null) {
        tail = null;
      }
      p.next = null;
      size--;
    }
    return p;
  }

  public int size() {
    return size;
  }

  public boolean isEmpty() {
    return head == null;
  }

  /** Frees every packet. */
  public void clear() {
    for (Packet p = poll(); p != null; p = poll()) {
      p.free();
    }
  }
}
