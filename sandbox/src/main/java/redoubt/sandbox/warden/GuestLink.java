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
}
