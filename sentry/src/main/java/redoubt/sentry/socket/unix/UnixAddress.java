package redoubt.sentry.socket.unix;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Socket;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.socket.SocketAddress;

/** The name of a bound unix socket: a path, or an abstract name that begins with a NUL. */
record UnixAddress(String name) {
  boolean isAbstract() {
    return name.charAt(0) == 0;
  }

  /** Writes {@code address}, or an unnamed one for null, as sockaddr_un. */
  static void write(@org.jspecify.annotations.Nullable UnixAddress address, SocketAddress out) {
    MemorySegment s = out.bytes;
    s.set(Memory.SHORT, 0, (short) Socket.AF_UNIX);
    if (address == null) {
      out.length = 2;
      return;
    }
    int n = Latin1.writeZ(s, 2, address.name);
    // A path is given with its NUL, an abstract name without.
    out.length = 2 + (address.isAbstract() ? n - 1 : n);
  }

  /** {@return the name as /proc/net/unix shows it}: '@' for each NUL */
  String shown() {
    return isAbstract() ? name.replace('\0', '@') : name;
  }
}
