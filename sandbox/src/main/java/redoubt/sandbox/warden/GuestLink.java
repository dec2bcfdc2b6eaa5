package redoubt.sandbox.warden;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.HostIo;
import redoubt.host.Memory;

/**
 * Frames to and from the guest's agent over a descriptor. Any thread may send; one receives. A
 * sender waits until the guest takes its bytes, the receiver never does.
 */
abstract class GuestLink {
  /** Hears the guest's frames, on the receiving thread. The payload is gone when it returns. */
  interface Handler {
    /** Throws ProtocolException to end the sandbox. */
    void frame(int type, int id, MemorySegment payload, int length);
  }

  /** The guest broke the protocol. */
  static final class ProtocolException extends RuntimeException {
    private static final long serialVersionUID = 1;

    ProtocolException(String message) {
      super(message);
    }
  }

  static final int IN_BYTES = Protocol.HEADER + Protocol.FRAME_LIMIT + (16 << 10);

  final int fd;
  final MemorySegment in = Memory.mapAnonymous(IN_BYTES);
  int have;

  private final Object sendMu = new Object();
  private final MemorySegment out =
      Memory.mapAnonymous(Protocol.HEADER + Protocol.FRAME_LIMIT); // guarded by sendMu

  GuestLink(Fd fd) {
    this.fd = fd.release();
  }

  /** Sends {@code length} bytes at {@code from} of {@code memory}; false when the guest is gone. */
  abstract boolean write(MemorySegment memory, long from, long length);

  /** Appends what arrives to {@link #in}; returns 0 to go on, or -errno, -EPIPE at the end. */
  abstract long fill();

  /**
   * Sends a frame whose payload stands in {@code frame} after room for the header.
   *
   * @return whether the guest is still there
   */
  final boolean send(int type, int id, MemorySegment frame, int length) {
    frame.set(Memory.INT, 0, length);
    frame.set(Memory.INT, 4, type);
    frame.set(Memory.INT, 8, id);
    synchronized (sendMu) {
      return write(frame, 0, Protocol.HEADER + length);
    }
  }

  final boolean send(int type, int id, byte[] payload) {
    synchronized (sendMu) {
      MemorySegment.copy(payload, 0, out, ValueLayout.JAVA_BYTE, Protocol.HEADER, payload.length);
      out.set(Memory.INT, 0, payload.length);
      out.set(Memory.INT, 4, type);
      out.set(Memory.INT, 8, id);
      return write(out, 0, Protocol.HEADER + payload.length);
    }
  }

  /** Receives until the guest is gone; returns why. */
  final String receive(Handler handler) {
    try {
      while (true) {
        long r = fill();
        if (r == -Errno.EPIPE || r == -Errno.ECONNRESET) {
          return "the guest's end of the link is closed";
        }
        if (r < 0) {
          return "the link to the guest: " + Errno.name((int) -r);
        }
        dispatch(handler);
      }
    } catch (ProtocolException e) {
      return "the guest broke the protocol: " + e.getMessage();
    }
  }

  private void dispatch(Handler handler) {
    int at = 0;
    while (have - at >= Protocol.HEADER) {
      int length = in.get(Memory.INT, at);
      int type = in.get(Memory.INT, at + 4L);
      int id = in.get(Memory.INT, at + 8L);
      if (length < 0 || length > Protocol.FRAME_LIMIT) {
        throw new ProtocolException("a frame of " + Integer.toUnsignedString(length) + " bytes");
      }
      if (have - at - Protocol.HEADER < length) {
        break;
      }
      handler.frame(type, id, in.asSlice(at + (long) Protocol.HEADER, length), length);
      at += Protocol.HEADER + length;
    }
    if (at > 0) {
      MemorySegment.copy(in, at, in, 0, have - at);
      have -= at;
    }
  }

  /** A byte stream: virtio-serial, a serial line, a hybrid vsock. */
  static final class Stream extends GuestLink {
    Stream(Fd fd) {
      super(fd);
    }

    @Override
    boolean write(MemorySegment memory, long from, long length) {
      long at = from;
      while (at < from + length) {
        long n = HostIo.write(fd, memory, at, from + length - at);
        if (n == -Errno.EAGAIN) {
          HostIo.awaitWritable(fd);
        } else if (n < 0 && n != -Errno.EINTR) {
          return false;
        } else if (n > 0) {
          at += n;
        }
      }
      return true;
    }

    @Override
    long fill() {
      long n = HostIo.read(fd, in, have, IN_BYTES - have);
      if (n == -Errno.EINTR) {
        return 0;
      }
      if (n == 0) {
        return -Errno.EPIPE;
      }
      if (n > 0) {
        have += (int) n;
      }
      return n;
    }
  }

  /**
   * Ethernet frames on a SOCK_SEQPACKET pair, as UML's vector network device has them: a byte
   * stream in numbered pieces. The guest acknowledges, so that its socket never has to drop one.
   *
   * <pre>
   *  0            14        18        22         24      26
   *  | Ethernet   | number  | taken   | length   | zero  | bytes
   * </pre>
   */
  static final class Packets extends GuestLink {
    private static final int PACKET_HEADER = 26;
    private static final int PACKET_BYTES = 16384;
    private static final int SMALLEST = 60;

    /** Ethertype 88B5 as it lies in memory. */
    private static final short ETHERTYPE = (short) 0xb588;

    /** Packets under way: each takes 32 KiB of the guest's socket's 4 MiB or more. */
    private static final int PACKETS_LIMIT = 48;

    private final MemorySegment packetIn = Memory.mapAnonymous(PACKET_BYTES + 128);
    private final MemorySegment packetOut = Memory.mapAnonymous(PACKET_BYTES + 128);
    private volatile int received;
    private int sent; // the sender's, written under taken's monitor
    private final Object takenMu = new Object();
    private int taken; // guarded by takenMu
    private boolean gone; // guarded by takenMu

    Packets(Fd fd) {
      super(fd);
      for (int i = 0; i < 6; i++) {
        packetOut.set(Memory.BYTE, i, (byte) 0xff);
      }
      packetOut.set(Memory.BYTE, 6, (byte) 2);
      packetOut.set(Memory.SHORT, 12, ETHERTYPE);
    }

    @Override
    boolean write(MemorySegment memory, long from, long length) {
      long at = from;
      while (at < from + length) {
        int part = (int) Math.min(PACKET_BYTES - PACKET_HEADER, from + length - at);
        if (!awaitRoom()) {
          return false;
        }
        MemorySegment.copy(memory, at, packetOut, PACKET_HEADER, part);
        packetOut.set(Memory.INT, 14, sent);
        packetOut.set(Memory.INT, 18, received);
        packetOut.set(Memory.INT, 22, part);
        synchronized (takenMu) {
          sent++;
        }
        long r;
        do {
          r = HostIo.write(fd, packetOut, 0, Math.max(SMALLEST, PACKET_HEADER + part));
        } while (r == -Errno.EINTR);
        if (r < 0) {
          return false;
        }
        at += part;
      }
      return true;
    }

    private boolean awaitRoom() {
      synchronized (takenMu) {
        while (sent - taken >= PACKETS_LIMIT && !gone) {
          try {
            takenMu.wait();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
          }
        }
        return !gone;
      }
    }

    @Override
    long fill() {
      long n = HostIo.read(fd, packetIn, 0, PACKET_BYTES + 128);
      if (n == -Errno.EINTR) {
        return 0;
      }
      if (n <= 0) {
        synchronized (takenMu) {
          gone = true;
          takenMu.notifyAll();
        }
        return n == 0 ? -Errno.EPIPE : n;
      }
      // The guest's kernel may say things of its own on that device.
      if (n < PACKET_HEADER || packetIn.get(Memory.SHORT, 12) != ETHERTYPE) {
        return 0;
      }
      int number = packetIn.get(Memory.INT, 14);
      int acknowledged = packetIn.get(Memory.INT, 18);
      int length = packetIn.get(Memory.SHORT, 22) & 0xffff;
      if (length > n - PACKET_HEADER || length > IN_BYTES - have) {
        throw new ProtocolException("a packet that says " + length + " bytes and has " + n);
      }
      if (number != received) {
        throw new ProtocolException("packet " + number + " where " + received + " should come");
      }
      synchronized (takenMu) {
        if (acknowledged - taken < 0 || sent - acknowledged < 0) {
          throw new ProtocolException("it acknowledges packets that were not sent");
        }
        taken = acknowledged;
        takenMu.notifyAll();
      }
      MemorySegment.copy(packetIn, PACKET_HEADER, in, have, length);
      have += length;
      received = number + 1;
      return length;
    }
  }
}
