package redoubt.sandbox.warden;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.HostIo;
import redoubt.host.Memory;

/**
 * A byte stream in numbered Ethernet frames on a SOCK_SEQPACKET pair, as UML's vector network
 * device has them. That device loses frames now and then, so each side keeps what it has sent until
 * the other has taken it, and sends it again from the first that is missing ("go back N").
 *
 * <pre>
 *  0            14        18        22         24      26
 *  | Ethernet   | number  | taken   | length   | flags | bytes
 * </pre>
 *
 * A frame without bytes has no number of its own: it only says what was taken. Senders wait for
 * room; the receiving thread and the timer's never do, what they cannot send is sent later.
 */
final class PacketLink extends GuestLink {
  /** Some frame after {@code taken} has come: that one is missing. */
  static final int MISSING = 1;

  private static final int PACKET_HEADER = 26;
  private static final int PACKET_BYTES = 16384;
  private static final int SMALLEST = 60;

  /** Ethertype 88B5 as it lies in memory. */
  private static final short ETHERTYPE = (short) 0xb588;

  /** Packets under way: each takes 32 KiB of the guest's socket's 4 MiB or more. */
  private static final int WINDOW = 48;

  private static final int ACKNOWLEDGE_EVERY = 8;
  private static final int ACKNOWLEDGE_MS = 20;
  private static final int REPEAT_MS = 200;

  /** A guest that asks for the same again and again gets it so often only. */
  private static final long REPEAT_LEAST_NS = 2_000_000;

  /** For tests: one in so many frames of each direction is lost. */
  private static final int LOSE = Integer.getInteger("redoubt.lose", 0);

  private final MemorySegment packetIn = Memory.mapAnonymous(PACKET_BYTES + 128);
  private final MemorySegment acknowledgement = Memory.mapAnonymous(64);
  private final MemorySegment kept = Memory.mapAnonymous((long) WINDOW * PACKET_BYTES);
  private final int[] keptBytes = new int[WINDOW];

  private final Object windowMu = new Object();
  private int sent; // guarded by windowMu; written by who holds sendMu, too
  private int taken; // guarded by windowMu
  private int received; // guarded by windowMu; written by the receiver
  private int acknowledged; // guarded by windowMu
  private boolean missing; // guarded by windowMu: the guest knows already
  private boolean idle; // guarded by windowMu: the timer waits for something to do
  private boolean gone; // guarded by windowMu
  private long repeatedNs; // guarded by windowMu
  private int repeatedFrom = -1; // guarded by windowMu
  private int repeats; // guarded by windowMu
  private int frames; // guarded by windowMu; for LOSE

  PacketLink(Fd fd) {
    super(fd);
    head(acknowledgement, 0);
    for (int i = 0; i < WINDOW; i++) {
      head(kept, (long) i * PACKET_BYTES);
    }
    var timer = new Thread(null, this::repeatAndAcknowledge, "link-timer", 96 << 10);
    timer.setDaemon(true);
    timer.start();
  }

  private static void head(MemorySegment packet, long at) {
    for (int i = 0; i < 6; i++) {
      packet.set(Memory.BYTE, at + i, (byte) 0xff);
    }
    packet.set(Memory.BYTE, at + 6, (byte) 2);
    packet.set(Memory.SHORT, at + 12, ETHERTYPE);
  }

  /** {@return how many frames were sent again} */
  int repeats() {
    synchronized (windowMu) {
      return repeats;
    }
  }

  @Override
  boolean write(MemorySegment memory, long from, long length) {
    long at = from;
    while (at < from + length) {
      int part = (int) Math.min(PACKET_BYTES - PACKET_HEADER, from + length - at);
      if (!awaitRoom()) {
        return false;
      }
      long slot;
      int bytes = Math.max(SMALLEST, PACKET_HEADER + part);
      synchronized (windowMu) {
        slot = slot(sent);
        MemorySegment.copy(memory, at, kept, slot + PACKET_HEADER, part);
        keptBytes[Integer.remainderUnsigned(sent, WINDOW)] = bytes;
        number(slot, sent, part);
        sent++;
        wakeTimer();
        if (loses()) {
          at += part;
          continue;
        }
      }
      long r;
      do {
        r = HostIo.write(fd, kept, slot, bytes);
      } while (r == -Errno.EINTR);
      if (r < 0) {
        return false;
      }
      at += part;
    }
    return true;
  }

  private static long slot(int number) {
    return (long) Integer.remainderUnsigned(number, WINDOW) * PACKET_BYTES;
  }

  /** Guarded by windowMu. */
  private void number(long slot, int number, int length) {
    kept.set(Memory.INT, slot + 14, number);
    kept.set(Memory.INT, slot + 18, received);
    kept.set(Memory.INT, slot + 22, length);
    acknowledged = received;
  }

  private boolean awaitRoom() {
    synchronized (windowMu) {
      while (sent - taken >= WINDOW && !gone) {
        try {
          windowMu.wait();
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          return false;
        }
      }
      return !gone;
    }
  }

  /** Guarded by windowMu. */
  private boolean loses() {
    return LOSE > 0 && ++frames % LOSE == 0;
  }

  /** Guarded by windowMu. */
  private void wakeTimer() {
    if (idle) {
      windowMu.notifyAll();
    }
  }

  /** Says what was taken, if there is room for it. Guarded by windowMu. */
  private void acknowledge(int flags) {
    acknowledgement.set(Memory.INT, 14, sent);
    acknowledgement.set(Memory.INT, 18, received);
    acknowledgement.set(Memory.INT, 22, flags << 16);
    if (loses() || HostIo.send(fd, acknowledgement, SMALLEST) > 0) {
      acknowledged = received;
    }
  }

  /** Sends again what the guest has not taken, as far as there is room. Guarded by windowMu. */
  private void repeat() {
    long now = System.nanoTime();
    if (taken == repeatedFrom && now - repeatedNs < REPEAT_LEAST_NS) {
      return;
    }
    repeatedNs = now;
    repeatedFrom = taken;
    for (int number = taken; number != sent; number++) {
      int index = Integer.remainderUnsigned(number, WINDOW);
      long slot = slot(number);
      kept.set(Memory.INT, slot + 18, received);
      if (HostIo.send(fd, kept.asSlice(slot, keptBytes[index]), keptBytes[index]) < 0) {
        return;
      }
      repeats++;
    }
    acknowledged = received;
  }

  private void repeatAndAcknowledge() {
    synchronized (windowMu) {
      int before = taken;
      long beforeNs = System.nanoTime();
      try {
        while (!gone) {
          if (sent == taken && received == acknowledged) {
            idle = true;
            windowMu.wait();
            idle = false;
            before = taken;
            beforeNs = System.nanoTime();
            continue;
          }
          windowMu.wait(ACKNOWLEDGE_MS);
          if (received != acknowledged) {
            acknowledge(0);
          }
          if (taken != before || sent == taken) {
            before = taken;
            beforeNs = System.nanoTime();
          } else if (System.nanoTime() - beforeNs > REPEAT_MS * 1_000_000L) {
            repeat();
            beforeNs = System.nanoTime();
          }
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private long end(long why) {
    synchronized (windowMu) {
      gone = true;
      windowMu.notifyAll();
    }
    return why;
  }

  @Override
  long fill() {
    long n = HostIo.read(fd, packetIn, 0, PACKET_BYTES + 128);
    if (n == -Errno.EINTR) {
      return 0;
    }
    if (n <= 0) {
      return end(n == 0 ? -Errno.EPIPE : n);
    }
    // The guest's kernel may say things of its own on that device.
    if (n < PACKET_HEADER || packetIn.get(Memory.SHORT, 12) != ETHERTYPE) {
      return 0;
    }
    int number = packetIn.get(Memory.INT, 14);
    int says = packetIn.get(Memory.INT, 18);
    int length = packetIn.get(Memory.SHORT, 22) & 0xffff;
    int flags = packetIn.get(Memory.SHORT, 24) & 0xffff;
    if (length > n - PACKET_HEADER || length > IN_BYTES - have) {
      throw new ProtocolException("a packet that says " + length + " bytes and has " + n);
    }
    synchronized (windowMu) {
      if (sent - says < 0) {
        throw new ProtocolException("it acknowledges packets that were not sent");
      }
      if (loses()) {
        return 0;
      }
      if (says - taken > 0) {
        taken = says;
        windowMu.notifyAll();
      }
      if ((flags & MISSING) != 0 && says == taken && sent != taken) {
        repeat();
      }
      return length == 0 ? 0 : take(number, length);
    }
  }

  /** Guarded by windowMu. */
  private long take(int number, int length) {
    if (number != received) {
      // One is missing, or this one has come before: the guest did not hear that we took it.
      boolean late = number - received < 0;
      if (late || !missing) {
        missing = !late;
        acknowledge(late ? 0 : MISSING);
      }
      return 0;
    }
    missing = false;
    MemorySegment.copy(packetIn, PACKET_HEADER, in, have, length);
    have += length;
    received++;
    if (received - acknowledged >= ACKNOWLEDGE_EVERY) {
      acknowledge(0);
    } else {
      wakeTimer();
    }
    return length;
  }
}
