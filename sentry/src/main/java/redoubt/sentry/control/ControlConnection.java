package redoubt.sentry.control;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.UnixStream;

/**
 * One end of a control connection: frames with descriptors in both directions. One thread receives;
 * any thread may send, one at a time.
 */
public final class ControlConnection implements AutoCloseable {
  private final Fd socket;
  private final Object sendMu = new Object();
  private final int fdLimit;

  /**
   * @param socket owned from now on
   * @param takesFds whether the peer may send descriptors
   */
  public ControlConnection(Fd socket, boolean takesFds) {
    this.socket = socket;
    this.fdLimit = takesFds ? Frame.FDS_LIMIT : 0;
  }

  /** {@return the socket}, still owned by this connection */
  public Fd socket() {
    return socket;
  }

  /**
   * Sends a frame. The descriptors stay the caller's.
   *
   * @param wait false to drop the connection rather than to wait for a peer that does not read
   * @return whether it was sent
   */
  public boolean send(int type, int tag, byte[] payload, List<Fd> fds, boolean wait) {
    byte[] bytes = new byte[Frame.HEADER_BYTES + payload.length];
    putInt(bytes, 0, payload.length);
    putInt(bytes, 4, type | fds.size() << 16);
    putInt(bytes, 8, tag);
    putInt(bytes, 12, Frame.MAGIC);
    System.arraycopy(payload, 0, bytes, Frame.HEADER_BYTES, payload.length);
    int[] numbers = new int[fds.size()];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = fds.get(i).number();
    }
    synchronized (sendMu) {
      return UnixStream.send(socket, bytes, numbers, wait) == 0;
    }
  }

  /**
   * Waits for the next frame.
   *
   * @param fds receives the descriptors, owned by the caller
   * @return null at the end of the connection
   * @throws ControlException EPROTO when the peer does not speak the protocol
   */
  public @Nullable Frame receive(List<Fd> fds) {
    byte[] header = new byte[Frame.HEADER_BYTES];
    long n = UnixStream.receive(socket, header, fds, fdLimit);
    if (n <= 0) {
      return null;
    }
    int length = int32(header, 0);
    if (n < header.length
        || int32(header, 12) != Frame.MAGIC
        || length < 0
        || length > Frame.PAYLOAD_LIMIT) {
      throw new ControlException(Errno.EPROTO, "the peer does not speak the control protocol");
    }
    byte[] payload = new byte[length];
    if (length > 0) {
      n = UnixStream.receive(socket, payload, new ArrayList<>(), 0);
      if (n < length) {
        return null;
      }
    }
    return new Frame(int32(header, 4) & 0xffff, int32(header, 8), payload);
  }

  @Override
  public void close() {
    socket.close();
  }

  private static void putInt(byte[] bytes, int at, int value) {
    bytes[at] = (byte) value;
    bytes[at + 1] = (byte) (value >> 8);
    bytes[at + 2] = (byte) (value >> 16);
    bytes[at + 3] = (byte) (value >> 24);
  }

  private static int int32(byte[] bytes, int at) {
    return bytes[at] & 0xff
        | (bytes[at + 1] & 0xff) << 8
        | (bytes[at + 2] & 0xff) << 16
        | (bytes[at + 3] & 0xff) << 24;
  }
}
