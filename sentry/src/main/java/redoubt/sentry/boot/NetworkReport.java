package redoubt.sentry.boot;

import redoubt.net.network.AddressTable;
import redoubt.net.stack.Counters;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Nic;
import redoubt.net.transport.tcp.TcpConnection;
import redoubt.net.transport.tcp.TcpInfo;

/** What {@code redoubt net} shows: as ip -s link, ss -ti and netstat -s would from inside. */
final class NetworkReport {
  /** A control answer holds no more than some hundred kilobytes. */
  private static final int MAX_CONNECTIONS = 1000;

  private final NetworkStack stack;
  private final StringBuilder out = new StringBuilder();

  private NetworkReport(NetworkStack stack) {
    this.stack = stack;
  }

  static String of(NetworkStack stack) {
    var r = new NetworkReport(stack);
    stack.nics().forEach(r::nic);
    r.connections();
    stack.enter();
    try {
      r.counters(stack.counters());
    } finally {
      stack.exit();
    }
    return r.out.toString();
  }

  private void nic(Nic nic) {
    Nic.Traffic t = nic.traffic();
    out.append(nic.index()).append(": ").append(nic.name()).append(" mtu ").append(nic.mtu());
    out.append(nic.isUp() ? " up" : " down");
    out.append("  in ").append(t.packetsIn()).append(" packets, ").append(t.bytesIn());
    out.append(" bytes; out ").append(t.packetsOut()).append(", ").append(t.bytesOut());
    out.append('\n');
    int[] four = nic.addresses();
    for (int i = 0; i < four.length; i++) {
      out.append("    ").append(text(four[i])).append('/').append(nic.prefixLength(i));
      out.append('\n');
    }
    int[] six = nic.addresses6();
    for (int i = 0; i < six.length; i++) {
      out.append("    ").append(text(six[i])).append('/').append(nic.prefixLength6(i));
      out.append('\n');
    }
  }

  private void connections() {
    int all = stack.tcp().size();
    out.append("\ntcp: ").append(all).append(" connections with other hosts\n");
    TcpInfo i = new TcpInfo();
    for (TcpConnection c : stack.tcp().connections(MAX_CONNECTIONS)) {
      c.describe(i);
      out.append("  ").append(i.state).append(' ');
      out.append(text(c.localAddress())).append(':').append(c.localPort()).append(' ');
      out.append(text(c.remoteAddress())).append(':').append(c.remotePort());
      out.append(" recv-q:").append(c.available()).append(" send-q:").append(c.unacknowledged());
      out.append(" rtt:").append(milliseconds(i.srttNs)).append('/');
      out.append(milliseconds(i.rttVarNs)).append(" rto:").append(milliseconds(i.rtoNs));
      out.append(" mss:").append(i.mss).append(" cwnd:").append(i.cwnd / Math.max(i.mss, 1));
      out.append(" in-flight:").append(i.segmentsInFlight);
      out.append(" sent:").append(i.bytesSent).append(" acked:").append(i.bytesAcked);
      out.append(" received:").append(i.bytesReceived).append(" retrans:").append(i.retransmitted);
      out.append('\n');
    }
  }

  private static String milliseconds(long ns) {
    long us = ns / 1000;
    String fraction = Long.toString(us % 1000 + 1000).substring(1);
    return us / 1000 + "." + fraction + "ms";
  }

  private void counters(Counters c) {
    out.append("\nip:\n");
    counter("packets received", c.ipIn);
    counter("malformed", c.malformed);
    counter("wrong checksum", c.badChecksum);
    counter("not for this host", c.notForUs);
    counter("packets without a route", c.noRoute);
    counter("reassembled from fragments", c.reassembled);
    counter("reassemblies failed", c.reassemblyFailed);
    counter("frames sent", c.framesOut);
    out.append("icmp:\n");
    counter("messages received", c.icmpIn);
    counter("messages sent", c.icmpOut);
    counter("echo requests answered", c.icmpEchoIn);
    out.append("udp:\n");
    counter("datagrams received", c.udpIn);
    counter("datagrams sent", c.udpOut);
    counter("to a port where nobody listens", c.udpNoPort);
    counter("dropped, the receiver's buffer being full", c.udpBufferFull);
    out.append("tcp:\n");
    counter("connections opened from here", c.tcpActiveOpens);
    counter("connections accepted", c.tcpPassiveOpens);
    counter("segments received", c.tcpSegmentsIn);
    counter("segments sent", c.tcpSegmentsOut);
    counter("segments sent again", c.tcpRetransmitted);
    counter("segments received out of order", c.tcpOutOfOrder);
    counter("retransmission timeouts", c.tcpTimeouts);
    counter("tail loss probes", c.tcpTailProbes);
    counter("fast recoveries", c.tcpFastRecoveries);
    counter("recoveries that were a false alarm", c.tcpSpuriousRecoveries);
    counter("resets sent", c.tcpResetsOut);
    counter("connections refused, the backlog being full", c.tcpListenOverflows);
    counter("SYN cookies sent", c.tcpSynCookiesSent);
    counter("SYN cookies that came back", c.tcpSynCookiesGood);
    counter("SYN cookies that were forged", c.tcpSynCookiesBad);
    counter("challenge acknowledgements", c.tcpChallengeAcks);
    counter("segments from a former turn of the numbers", c.tcpPawsDropped);
  }

  private void counter(String what, long value) {
    out.append("    ").append(value).append(' ').append(what).append('\n');
  }

  private String text(int address) {
    if (!AddressTable.isV6(address)) {
      return (address >>> 24)
          + "."
          + (address >>> 16 & 255)
          + "."
          + (address >>> 8 & 255)
          + "."
          + (address & 255);
    }
    return "[" + v6(stack.addresses().high(address), stack.addresses().low(address)) + "]";
  }

  /** As RFC 5952 wants it: the longest row of zeros left out. */
  static String v6(long high, long low) {
    int[] words = new int[8];
    for (int i = 0; i < 8; i++) {
      words[i] = (int) ((i < 4 ? high : low) >>> (48 - 16 * (i & 3))) & 0xffff;
    }
    int gap = 8;
    int gapLength = 1;
    for (int i = 0; i < 8; i++) {
      int n = 0;
      while (i + n < 8 && words[i + n] == 0) {
        n++;
      }
      if (n > gapLength) {
        gap = i;
        gapLength = n;
      }
    }
    var s = new StringBuilder();
    for (int i = 0; i < 8; i++) {
      if (i == gap) {
        s.append("::");
        i += gapLength - 1;
      } else {
        if (s.length() > 0 && s.charAt(s.length() - 1) != ':') {
          s.append(':');
        }
        s.append(Integer.toHexString(words[i]));
      }
    }
    return s.toString();
  }
}
