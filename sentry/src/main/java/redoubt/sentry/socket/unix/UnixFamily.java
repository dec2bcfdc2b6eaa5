package redoubt.sentry.socket.unix;

import static redoubt.abi.Errno.EPROTONOSUPPORT;
import static redoubt.abi.Errno.ESOCKTNOSUPPORT;
import static redoubt.abi.Socket.AF_UNIX;
import static redoubt.abi.Socket.SOCK_DGRAM;
import static redoubt.abi.Socket.SOCK_RAW;
import static redoubt.abi.Socket.SOCK_SEQPACKET;
import static redoubt.abi.Socket.SOCK_STREAM;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.WeakHashMap;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.Socket;
import redoubt.sentry.socket.SocketDiag;
import redoubt.sentry.socket.SocketFamily;

/** The unix sockets of one sandbox and their abstract names. */
public final class UnixFamily implements SocketFamily {
  private final Map<String, UnixSocket> abstractNames = new HashMap<>(); // guarded by this
  private int nextAutobind; // guarded by this

  /** Every open socket, for /proc/net/unix; guarded by itself. */
  private final Set<UnixSocket> all = Collections.newSetFromMap(new WeakHashMap<>());

  final InFlight inFlight = new InFlight();

  @Override
  public Socket create(Task t, int type, int protocol, int flags) {
    return make(t, checkedType(type, protocol), flags);
  }

  @Override
  public Socket[] createPair(Task t, int type, int protocol, int flags) {
    int checked = checkedType(type, protocol);
    UnixSocket a = make(t, checked, flags);
    UnixSocket b = make(t, checked, flags);
    a.pairWith(t, b);
    return new Socket[] {a, b};
  }

  private static int checkedType(int type, int protocol) {
    if (protocol != 0 && protocol != AF_UNIX) {
      throw ErrnoException.of(EPROTONOSUPPORT);
    }
    return switch (type) {
      case SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET -> type;
      case SOCK_RAW -> SOCK_DGRAM; // net/unix/af_unix.c: believed to be what the caller means
      default -> throw ErrnoException.of(ESOCKTNOSUPPORT);
    };
  }

  UnixSocket make(Task t, int type, int flags) {
    UnixSocket s = new UnixSocket(t, this, type, flags);
    synchronized (all) {
      all.add(s);
    }
    return s;
  }

  void forget(UnixSocket s) {
    synchronized (all) {
      all.remove(s);
    }
  }

  // ---- abstract names ----

  /**
   * {@return whether {@code name} was free and is now {@code s}'s} Each type has names of its own.
   */
  synchronized boolean bindAbstract(String name, UnixSocket s) {
    return abstractNames.putIfAbsent(key(name, s.type()), s) == null;
  }

  synchronized void unbindAbstract(String name, UnixSocket s) {
    abstractNames.remove(key(name, s.type()), s);
  }

  synchronized @Nullable UnixSocket findAbstract(String name, int type) {
    return abstractNames.get(key(name, type));
  }

  private static String key(String name, int type) {
    return (char) type + name;
  }

  /** Gives {@code s} a name of five hexadecimal digits. */
  synchronized UnixAddress autobind(UnixSocket s) {
    for (; ; ) {
      nextAutobind = (nextAutobind + 1) & 0xfffff;
      String digits = Integer.toHexString(nextAutobind);
      String name = "\0" + "0".repeat(5 - digits.length()) + digits;
      if (abstractNames.putIfAbsent(key(name, s.type()), s) == null) {
        return new UnixAddress(name);
      }
    }
  }

  /** {@return what sock_diag tells of every socket} */
  public List<SocketDiag.Unix> diagnose() {
    List<SocketDiag.Unix> out = new ArrayList<>();
    for (UnixSocket s : sorted()) {
      out.add(s.diagnose());
    }
    return out;
  }

  private List<UnixSocket> sorted() {
    List<UnixSocket> sockets;
    synchronized (all) {
      sockets = new ArrayList<>(all);
    }
    sockets.sort((a, b) -> Long.compare(a.inode().ino(), b.inode().ino()));
    return sockets;
  }

  /** Appends the lines of /proc/net/unix. */
  public void procNetUnix(StringBuilder out) {
    for (UnixSocket s : sorted()) {
      s.describe(out);
    }
  }
}
