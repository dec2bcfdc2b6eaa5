package redoubt.host;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;
import redoubt.abi.Errno;
import redoubt.abi.Nr;

/**
 * Unix stream sockets that carry file descriptors, for control connections: <a
 * href="https://man7.org/linux/man-pages/man7/unix.7.html">unix(7)</a>. Cold paths only: buffers
 * are allocated per call.
 */
public final class UnixStream {
  private static final int AF_UNIX = 1;
  private static final int SOCK_STREAM = 1;
  private static final int SOCK_CLOEXEC = 0x80000;
  private static final int SOL_SOCKET = 1;
  private static final int SCM_RIGHTS = 1;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int MSG_DONTWAIT = 0x40;
  private static final int MSG_CMSG_CLOEXEC = 0x40000000;
  private static final int O_PATH_DIRECTORY_CLOEXEC = 0x200000 | 0x10000 | 0x80000;
  private static final int SUN_PATH = 108;

  // struct msghdr
  private static final long MSG_IOV = 16;
  private static final long MSG_IOVLEN = 24;
  private static final long MSG_CONTROL = 32;
  private static final long MSG_CONTROLLEN = 40;
  private static final long MSGHDR_BYTES = 56;
  private static final long CMSG_DATA = 16;

  private UnixStream() {}

  /** {@return a connected pair of close-on-exec stream sockets} */
  public static Fd[] pair() {
    return pair(SOCK_STREAM);
  }

  /**
   * {@return a connected pair of close-on-exec sockets}
   *
   * @param type SOCK_STREAM (1), SOCK_SEQPACKET (5)
   */
  public static Fd[] pair(int type) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment two = arena.allocate(8, 4);
      HostException.check(
          "socketpair",
          RawSyscall.syscall(Nr.SOCKETPAIR, AF_UNIX, type | SOCK_CLOEXEC, 0, two.address()));
      return new Fd[] {new Fd(two.get(Memory.INT, 0)), new Fd(two.get(Memory.INT, 4))};
    }
  }

  /** {@return a listening socket bound at {@code directory/name}} Paths may be of any length. */
  public static Fd listen(String directory, String name) {
    return atAddress(directory, name, Nr.BIND);
  }

  /** {@return a socket connected to the listener at {@code directory/name}} */
  public static Fd connect(String directory, String name) {
    return atAddress(directory, name, Nr.CONNECT);
  }

  /** {@return the next connection, or a negative errno} Blocks. */
  public static long accept(Fd listener) {
    return RawSyscall.syscall(Nr.ACCEPT4, listener.number(), 0, 0, SOCK_CLOEXEC);
  }

  /**
   * Sends all of {@code bytes}, with {@code fds} on the first one.
   *
   * @param wait false to give up with -EAGAIN when the peer does not read; the stream is then of no
   *     further use
   * @return 0 or a negative errno
   */
  public static long send(Fd socket, byte[] bytes, int[] fds, boolean wait) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocate(Math.max(bytes.length, 1), 8);
      MemorySegment.copy(bytes, 0, data, Memory.BYTE, 0, bytes.length);
      MemorySegment header = arena.allocate(MSGHDR_BYTES + 16, 8);
      MemorySegment control = MemorySegment.NULL;
      long controlBytes = 0;
      if (fds.length > 0) {
        controlBytes = CMSG_DATA + (4L * fds.length + 7 & ~7L);
        control = arena.allocate(controlBytes, 8);
        control.set(Memory.LONG, 0, CMSG_DATA + 4L * fds.length);
        control.set(Memory.INT, 8, SOL_SOCKET);
        control.set(Memory.INT, 12, SCM_RIGHTS);
        for (int i = 0; i < fds.length; i++) {
          control.set(Memory.INT, CMSG_DATA + 4L * i, fds[i]);
        }
      }
      long sent = 0;
      while (sent < bytes.length) {
        fill(header, data.address() + sent, bytes.length - sent, control, controlBytes);
        long flags = MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT);
        long n = RawSyscall.syscall(Nr.SENDMSG, socket.number(), header.address(), flags);
        if (n == -Errno.EINTR) {
          continue;
        }
        if (n < 0) {
          return n;
        }
        sent += n;
        control = MemorySegment.NULL;
        controlBytes = 0;
      }
      return 0;
    }
  }

  /**
   * Receives exactly {@code bytes.length} bytes. Descriptors that come with them are added to
   * {@code fds}, close-on-exec.
   *
   * @param fdLimit most descriptors taken; the kernel drops the rest
   * @return the bytes received: less than asked for only at the end of the stream; or a negative
   *     errno
   */
  public static long receive(Fd socket, byte[] bytes, List<Fd> fds, int fdLimit) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocate(Math.max(bytes.length, 1), 8);
      MemorySegment header = arena.allocate(MSGHDR_BYTES + 16, 8);
      long controlRoom = fdLimit == 0 ? 0 : CMSG_DATA + (4L * fdLimit + 7 & ~7L);
      MemorySegment control = fdLimit == 0 ? MemorySegment.NULL : arena.allocate(controlRoom, 8);
      long got = 0;
      while (got < bytes.length) {
        fill(header, data.address() + got, bytes.length - got, control, controlRoom);
        long n =
            RawSyscall.syscall(Nr.RECVMSG, socket.number(), header.address(), MSG_CMSG_CLOEXEC);
        if (n == -Errno.EINTR) {
          continue;
        }
        if (n < 0) {
          return n;
        }
        takeFds(control, header.get(Memory.LONG, MSG_CONTROLLEN), fds);
        if (n == 0) {
          break;
        }
        got += n;
      }
      MemorySegment.copy(data, Memory.BYTE, 0, bytes, 0, (int) got);
      return got;
    }
  }

  private static void takeFds(MemorySegment control, long controlBytes, List<Fd> fds) {
    long at = 0;
    while (at + CMSG_DATA <= controlBytes) {
      long length = control.get(Memory.LONG, at);
      if (length < CMSG_DATA || length > controlBytes - at) {
        return;
      }
      if (control.get(Memory.INT, at + 8) == SOL_SOCKET
          && control.get(Memory.INT, at + 12) == SCM_RIGHTS) {
        for (long fd = at + CMSG_DATA; fd + 4 <= at + length; fd += 4) {
          fds.add(new Fd(control.get(Memory.INT, fd)));
        }
      }
      at += length + 7 & ~7L;
    }
  }

  private static void fill(
      MemorySegment header, long base, long length, MemorySegment control, long controlBytes) {
    header.fill((byte) 0);
    header.set(Memory.LONG, MSGHDR_BYTES, base);
    header.set(Memory.LONG, MSGHDR_BYTES + 8, length);
    header.set(Memory.LONG, MSG_IOV, header.address() + MSGHDR_BYTES);
    header.set(Memory.LONG, MSG_IOVLEN, 1);
    header.set(Memory.LONG, MSG_CONTROL, control.address());
    header.set(Memory.LONG, MSG_CONTROLLEN, controlBytes);
  }

  private static Fd atAddress(String directory, String name, int call) {
    try (Arena arena = Arena.ofConfined();
        // sun_path has room for 108 bytes only: address the directory through its descriptor.
        Fd dir = openDirectory(arena, directory)) {
      byte[] path = ("/proc/self/fd/" + dir.number() + "/" + name).getBytes(StandardCharsets.UTF_8);
      if (path.length >= SUN_PATH) {
        throw new HostException("socket " + directory + "/" + name, -Errno.ENAMETOOLONG);
      }
      MemorySegment address = arena.allocate(2 + SUN_PATH, 8);
      address.set(Memory.SHORT, 0, (short) AF_UNIX);
      MemorySegment.copy(path, 0, address, Memory.BYTE, 2, path.length);
      var socket =
          new Fd(
              (int)
                  HostException.check(
                      "socket",
                      RawSyscall.syscall(Nr.SOCKET, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
      try {
        HostException.check(
            (call == Nr.BIND ? "bind " : "connect to ") + directory + "/" + name,
            RawSyscall.syscall(call, socket.number(), address.address(), 3 + path.length));
        if (call == Nr.BIND) {
          HostException.check("listen", RawSyscall.syscall(Nr.LISTEN, socket.number(), 64));
        }
      } catch (HostException e) {
        socket.close();
        throw e;
      }
      return socket;
    }
  }

  private static Fd openDirectory(Arena arena, String directory) {
    MemorySegment path = arena.allocateFrom(directory, StandardCharsets.UTF_8);
    return new Fd(
        (int)
            HostException.check(
                "open " + directory,
                RawSyscall.syscall(Nr.OPENAT, -100, path.address(), O_PATH_DIRECTORY_CLOEXEC, 0)));
  }
}
