package redoubt.gofer;

import java.util.function.Consumer;
import redoubt.host.FileSystemCalls;
import redoubt.host.Memory;
import redoubt.host.SeqpacketSocket;
import redoubt.p9.P9;
import redoubt.p9.P9Buffer;

/** A sentry that sends what it likes: messages by hand over the gofer's socket. */
final class RawSentry implements AutoCloseable {
  final P9Buffer out = new P9Buffer(Memory.mapAnonymous(P9.MSIZE_MAX));
  final P9Buffer in = new P9Buffer(Memory.mapAnonymous(P9.MSIZE_MAX));

  private final int socket;
  private final SeqpacketSocket.Channel channel = new SeqpacketSocket.Channel();

  RawSentry(int socket) {
    this.socket = socket;
  }

  int socket() {
    return socket;
  }

  /** Agrees on the version and attaches to "rw" as fid 0. */
  void hello() {
    call(
        P9.TVERSION,
        b -> {
          b.put32(P9.MSIZE_DEFAULT);
          string(b, P9.VERSION_REDOUBT);
        });
    call(
        P9.TATTACH,
        b -> {
          b.put32(0);
          b.put32(-1);
          string(b, "");
          string(b, "rw");
          b.put32(0);
        });
  }

  static void string(P9Buffer b, String s) {
    byte[] bytes = TestGofer.bytes(s);
    b.putString(bytes, 0, bytes.length);
  }

  /** Sends a message; returns 0 or the errno of the answer, or -1 if the connection ended. */
  int call(int type, Consumer<P9Buffer> body) {
    out.begin(type, 77);
    body.accept(out);
    int length = out.finish();
    return exchange(length);
  }

  /** Sends the first bytes of {@link #out} as they are. */
  int exchange(int length) {
    if (SeqpacketSocket.send(socket, out.haddr(0), length) < 0) {
      return -1;
    }
    return answer();
  }

  int answer() {
    long n = channel.receive(socket, in.haddr(0), in.capacity(), true);
    int fd = channel.takeFd();
    if (fd >= 0) {
      FileSystemCalls.close(fd);
    }
    if (n <= 0) {
      return -1;
    }
    if (!in.accept(n)) {
      throw new AssertionError("bad frame of " + n);
    }
    return in.type() == P9.RLERROR ? in.get32() : 0;
  }

  @Override
  public void close() {
    Memory.unmap(in.memory());
    Memory.unmap(out.memory());
  }
}
