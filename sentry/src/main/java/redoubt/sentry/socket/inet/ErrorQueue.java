package redoubt.sentry.socket.inet;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Ip;
import redoubt.net.stack.NetworkStack;
import redoubt.net.transport.IpError;

/** What IP_RECVERR and IPV6_RECVERR keep for MSG_ERRQUEUE: Linux's sk_error_queue. */
final class ErrorQueue {
  /** What an error counts besides the bytes that it quotes. */
  private static final int OVERHEAD = 768;

  private static final int LIMIT_BYTES = 212_992;

  /**
   * An error: struct sock_extended_err, and what msg_name and the other ancillary data tell.
   * Addresses of IPv4 are in their mapped form.
   *
   * @param port 0 for sockets without ports
   * @param ttl that of the message that brought it
   */
  record Entry(
      int errno,
      int origin,
      int type,
      int code,
      int info,
      long offenderHigh,
      long offenderLow,
      long high,
      long low,
      int port,
      int ttl,
      int tos,
      long usHigh,
      long usLow,
      int interfaceIndex,
      MemorySegment payload) {
    boolean isIcmp() {
      return origin != Ip.SO_EE_ORIGIN_LOCAL;
    }

    boolean isV4() {
      return InetAddresses.isV4(high, low);
    }
  }

  private final ArrayDeque<Entry> entries = new ArrayDeque<>(1); // guarded by this
  private int held; // guarded by this
  private volatile boolean isEmpty = true;

  boolean isEmpty() {
    return isEmpty;
  }

  /** Keeps an error that came from the network. Called with the stack's lock held. */
  void add(NetworkStack stack, IpError e, boolean hasPorts) {
    boolean isTooBig = e.mtu != 0;
    add(
        new Entry(
            e.errno,
            e.isV6 ? Ip.SO_EE_ORIGIN_ICMP6 : Ip.SO_EE_ORIGIN_ICMP,
            e.type,
            e.code,
            isTooBig ? e.mtu : e.info,
            InetFamily.high(stack, e.offender),
            InetFamily.low(stack, e.offender),
            InetFamily.high(stack, e.destination),
            InetFamily.low(stack, e.destination),
            hasPorts ? e.port : 0,
            e.ttl,
            e.tos,
            InetFamily.high(stack, e.us),
            InetFamily.low(stack, e.us),
            e.interfaceIndex,
            MemorySegment.ofArray(
                Arrays.copyOfRange(e.data, Math.min(e.payloadStart, e.payloadEnd), e.payloadEnd))));
  }

  synchronized void add(Entry e) {
    int charge = (int) e.payload.byteSize() + OVERHEAD;
    if (held + charge <= LIMIT_BYTES) {
      held += charge;
      entries.add(e);
      isEmpty = false;
    }
  }

  synchronized @Nullable Entry poll() {
    Entry e = entries.poll();
    if (e != null) {
      held -= (int) e.payload.byteSize() + OVERHEAD;
    }
    isEmpty = entries.isEmpty();
    return e;
  }

  synchronized @Nullable Entry peek() {
    return entries.peek();
  }
}
