package redoubt.sentry.socket.inet;

import static redoubt.abi.Errno.EAGAIN;
import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Poll.POLLERR;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Tcp;
import redoubt.host.Memory;
import redoubt.net.stack.NetworkStack;
import redoubt.net.transport.tcp.TcpConnection;
import redoubt.net.transport.tcp.TcpInfo;
import redoubt.net.transport.tcp.TcpState;
import redoubt.net.transport.tcp.TcpTable;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Task;

/**
 * The way from one TCP socket to a peer outside of the sandbox: a connection of the network stack,
 * with the guest's buffers on this side. It has no lock of its own.
 */
final class WireConnection {
  /** What is no longer than this may have come along with the system call already. */
  private static final int SMALL = 4096;

  private final TcpConnection connection;

  private WireConnection(TcpConnection connection) {
    this.connection = connection;
  }

  /** What {@link #open} gives: a way that is opening, or why there is none. */
  record Opened(@Nullable WireConnection wire, int errno) {}

  /** Begins to connect; {@code local} may be 0. */
  static Opened open(NetworkStack stack, int local, int localPort, int remote, int remotePort) {
    TcpTable.Opened o = stack.tcp().connect(local, localPort, remote, remotePort);
    TcpConnection c = o.connection();
    return c == null ? new Opened(null, o.errno()) : new Opened(new WireConnection(c), 0);
  }

  static WireConnection of(TcpConnection accepted) {
    return new WireConnection(accepted);
  }

  /** From now on {@code s} and who waits on it hear of what happens; an error becomes its own. */
  void attach(TcpSocket s) {
    connection.readiness().listen(events -> tell(s, events));
    tell(s, connection.poll());
  }

  private void tell(TcpSocket s, int events) {
    int e = (events & POLLERR) != 0 ? connection.takeError() : 0;
    if (e != 0) {
      s.fail(e);
    }
    s.waitQueue().notify(e != 0 ? events : events & ~POLLERR);
  }

  boolean isOpening() {
    TcpState s = connection.state();
    return s == TcpState.SYN_SENT || s == TcpState.SYN_RECEIVED;
  }

  boolean isClosed() {
    return connection.state() == TcpState.CLOSED;
  }

  int localAddress() {
    return connection.localAddress();
  }

  int remoteAddress() {
    return connection.remoteAddress();
  }

  int remotePort() {
    return connection.remotePort();
  }

  /** Sends as much as there is room for. Returns as {@link redoubt.sentry.socket.Socket#send}. */
  long send(Task t, IoBuffer src, boolean more) {
    long done = 0;
    while (src.remaining() > 0) {
      int room = connection.room();
      if (room < 0) {
        return done > 0 ? done : room;
      }
      long n = Math.min(src.remaining(), room);
      MemorySegment buffer;
      long got;
      if (n <= SMALL) {
        buffer = t.scratch();
        got = src.get(buffer, 0, n);
      } else {
        buffer = src.window();
        got = src.fetch(Math.min(n, src.windowLimit()));
      }
      if (got <= 0) {
        return done > 0 ? done : -EFAULT;
      }
      int put = connection.write(buffer, 0, (int) got, more);
      src.rewind(got - Math.max(put, 0));
      if (put < 0) {
        return done > 0 ? done : put;
      }
      done += put;
      if (put < got) {
        break;
      }
    }
    return done;
  }

  /** Receives what has come. Returns as {@link redoubt.sentry.socket.Socket#receive}. */
  long receive(IoBuffer dst, boolean keep) {
    long done = 0;
    while (dst.remaining() > 0) {
      int limit = (int) dst.windowLimit();
      MemorySegment window = dst.window();
      int got = connection.peek(window, 0, limit, keep ? (int) done : 0);
      if (got <= 0) {
        return done > 0 ? done : got;
      }
      long r = dst.commit(got);
      if (r <= 0) {
        return done > 0 ? done : -EFAULT;
      }
      if (!keep) {
        connection.consume((int) r);
      }
      done += r;
      if (r < got || got < limit) {
        break;
      }
    }
    return done;
  }

  /** MSG_TRUNC: as {@link #receive}, but the bytes are thrown away. */
  long discard(long limit, boolean keep) {
    int n = (int) Math.min(limit, connection.available());
    if (n == 0) {
      return connection.poll() == 0 ? -EAGAIN : connection.peek(MemorySegment.NULL, 0, 0, 0);
    }
    if (!keep) {
      connection.consume(n);
    }
    return n;
  }

  int poll() {
    return connection.poll();
  }

  int available() {
    return connection.available();
  }

  int unacknowledged() {
    return connection.unacknowledged();
  }

  void shutdownRead() {
    connection.shutdownRead();
  }

  void shutdownWrite() {
    connection.shutdownWrite();
  }

  void close() {
    connection.close();
  }

  void abort() {
    connection.abort();
  }

  // ---- options ----

  void setNoDelay(boolean on) {
    connection.setNoDelay(on);
  }

  void setCorked(boolean on) {
    connection.setCorked(on);
  }

  void setUserTimeoutMs(int ms) {
    connection.setUserTimeoutNs(ms * 1_000_000L);
  }

  void setKeepAlive(boolean on, int idleSeconds, int intervalSeconds, int count) {
    connection.setKeepAlive(
        on, idleSeconds * 1_000_000_000L, intervalSeconds * 1_000_000_000L, count);
  }

  void setCongestionControl(String name) {
    connection.setCongestionControl(name);
  }

  void setSendLimit(int bytes) {
    connection.setSendLimit(bytes);
  }

  void setReceiveLimit(int bytes) {
    connection.setReceiveLimit(bytes);
  }

  int segmentBytes() {
    return connection.segmentBytes();
  }

  /** {@return the state as /proc/net/tcp numbers it} */
  int procState() {
    return number(connection.state());
  }

  private static int number(TcpState s) {
    return switch (s) {
      case SYN_SENT -> Tcp.TCP_SYN_SENT;
      case SYN_RECEIVED -> Tcp.TCP_SYN_RECV;
      case ESTABLISHED -> Tcp.TCP_ESTABLISHED;
      case FIN_WAIT_1 -> Tcp.TCP_FIN_WAIT1;
      case FIN_WAIT_2 -> Tcp.TCP_FIN_WAIT2;
      case CLOSE_WAIT -> Tcp.TCP_CLOSE_WAIT;
      case CLOSING -> Tcp.TCP_CLOSING;
      case LAST_ACK -> Tcp.TCP_LAST_ACK;
      case TIME_WAIT -> Tcp.TCP_TIME_WAIT;
      case CLOSED -> Tcp.TCP_CLOSE;
    };
  }

  /** Writes struct tcp_info, whose bytes are zero. */
  void writeInfo(MemorySegment s) {
    TcpInfo i = new TcpInfo();
    connection.describe(i);
    s.set(Memory.BYTE, Tcp.TCP_INFO_TCPI_STATE, (byte) number(i.state));
    int options =
        (i.hasTimestamps ? Tcp.TCPI_OPT_TIMESTAMPS : 0)
            | (i.isSackOn ? Tcp.TCPI_OPT_SACK : 0)
            | (i.receiveScale > 0 ? Tcp.TCPI_OPT_WSCALE : 0);
    s.set(Memory.BYTE, Tcp.TCP_INFO_TCPI_OPTIONS, (byte) options);
    s.set(Memory.BYTE, 6, (byte) (i.sendScale | i.receiveScale << 4));
    int mss = Math.max(i.mss, 1);
    put(s, Tcp.TCP_INFO_TCPI_RTO, i.rtoNs / 1000);
    put(s, Tcp.TCP_INFO_TCPI_ATO, 40_000);
    put(s, Tcp.TCP_INFO_TCPI_SND_MSS, mss);
    put(s, Tcp.TCP_INFO_TCPI_RCV_MSS, i.receiveMss);
    put(s, Tcp.TCP_INFO_TCPI_UNACKED, (i.inFlight + mss - 1) / mss);
    put(s, Tcp.TCP_INFO_TCPI_PMTU, i.pathMtu);
    put(s, Tcp.TCP_INFO_TCPI_RCV_SSTHRESH, i.receiveLimit);
    put(s, Tcp.TCP_INFO_TCPI_RTT, i.srttNs / 1000);
    put(s, Tcp.TCP_INFO_TCPI_RTTVAR, i.rttVarNs / 1000);
    put(s, Tcp.TCP_INFO_TCPI_SND_SSTHRESH, i.threshold / mss);
    put(s, Tcp.TCP_INFO_TCPI_SND_CWND, i.cwnd / mss);
    put(s, Tcp.TCP_INFO_TCPI_ADVMSS, i.pathMtu - 40 - (i.hasTimestamps ? 12 : 0));
    put(s, Tcp.TCP_INFO_TCPI_REORDERING, 3);
    put(s, Tcp.TCP_INFO_TCPI_RCV_RTT, i.receiveRttNs / 1000);
    put(s, Tcp.TCP_INFO_TCPI_RCV_SPACE, i.receiveLimit);
    put(s, Tcp.TCP_INFO_TCPI_TOTAL_RETRANS, i.retransmitted);
    put(s, Tcp.TCP_INFO_TCPI_LAST_DATA_RECV, (i.nowNs - i.lastHeardNs) / 1_000_000);
    put(s, Tcp.TCP_INFO_TCPI_LAST_ACK_RECV, (i.nowNs - i.lastHeardNs) / 1_000_000);
    put(s, Tcp.TCP_INFO_TCPI_NOTSENT_BYTES, i.notSent);
    put(s, Tcp.TCP_INFO_TCPI_SND_WND, i.window);
    s.set(Memory.LONG, Tcp.TCP_INFO_TCPI_MAX_PACING_RATE, -1L);
    s.set(Memory.LONG, Tcp.TCP_INFO_TCPI_BYTES_ACKED, i.bytesAcked);
    s.set(Memory.LONG, Tcp.TCP_INFO_TCPI_BYTES_SENT, i.bytesSent);
    s.set(Memory.LONG, Tcp.TCP_INFO_TCPI_BYTES_RECEIVED, i.bytesReceived);
  }

  private static void put(MemorySegment s, int at, long value) {
    s.set(Memory.INT, at, (int) Math.min(value, Integer.MAX_VALUE));
  }
}
