package redoubt.sentry.socket;

import java.util.List;
import redoubt.net.network.AddressTable;
import redoubt.net.network.NeighborTable;
import redoubt.net.stack.Counters;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Nic;
import redoubt.net.stack.Route;
import redoubt.sentry.fs.proc.ProcTexts;
import redoubt.sentry.kernel.Task;

/** The files of /proc/net that tell of interfaces, routes, neighbours and counters. */
final class ProcNet {
  private static final int RTF_UP = 1;
  private static final int RTF_GATEWAY = 2;
  private static final int RTF_HOST = 4;

  private ProcNet() {}

  static void install(ProcTexts proc) {
    proc.set("net/dev", (t, out) -> dev(t, out));
    proc.set("net/route", (t, out) -> route(t, out));
    proc.set("net/arp", (t, out) -> arp(t, out));
    proc.set("net/if_inet6", (t, out) -> ifInet6(t, out));
    proc.set("net/snmp", (t, out) -> snmp(t, out));
    proc.set("net/netstat", (t, out) -> netstat(t, out));
  }

  private static void dev(Task t, StringBuilder out) {
    for (NetDevice d : NetDevice.all(t)) {
      Nic.Traffic c = d.traffic();
      out.append(" ".repeat(Math.max(0, 6 - d.name().length()))).append(d.name()).append(':');
      column(out, c.bytesIn(), 8);
      column(out, c.packetsIn(), 8);
      out.append("    0    0    0     0          0         0");
      column(out, c.bytesOut(), 9);
      column(out, c.packetsOut(), 8);
      out.append("    0    0    0     0       0          0\n");
    }
  }

  private static void column(StringBuilder out, long value, int width) {
    String s = Long.toString(value);
    out.append(s.length() < width ? " ".repeat(width - s.length()) : " ").append(s);
  }

  private static void route(Task t, StringBuilder out) {
    NetworkStack stack = NetDevice.stack(t);
    if (stack == null) {
      return;
    }
    for (Route r : stack.routes().all()) {
      if (r.nic() == stack.loopback()) {
        continue;
      }
      int flags =
          RTF_UP | (r.gateway() != 0 ? RTF_GATEWAY : 0) | (r.prefixLength() == 32 ? RTF_HOST : 0);
      var line = new StringBuilder(r.nic().name());
      line.append('\t').append(hex(r.prefix()));
      line.append('\t').append(hex(r.gateway()));
      line.append('\t').append("000").append(flags).append("\t0\t0\t0\t");
      line.append(hex(Route.mask(r.prefixLength()))).append("\t0\t0\t0");
      out.append(line).append(" ".repeat(Math.max(0, 127 - line.length()))).append('\n');
    }
  }

  /** An address as the kernel prints the word in memory. */
  private static String hex(int address) {
    String s =
        Integer.toHexString(Integer.reverseBytes(address)).toUpperCase(java.util.Locale.ROOT);
    return "0".repeat(8 - s.length()) + s;
  }

  private static void arp(Task t, StringBuilder out) {
    NetworkStack stack = NetDevice.stack(t);
    if (stack == null) {
      return;
    }
    for (Nic nic : stack.nics()) {
      for (NeighborTable.Neighbor n : stack.neighbors(nic)) {
        if (AddressTable.isV6(n.address())) {
          continue;
        }
        String address = dotted(n.address());
        out.append(address).append(" ".repeat(Math.max(1, 17 - address.length())));
        out.append("0x1         ").append(n.isPermanent() ? "0x6" : n.isComplete() ? "0x2" : "0x0");
        out.append("         ").append(mac(n.mac())).append("     *        ");
        out.append(nic.name()).append('\n');
      }
    }
  }

  private static void ifInet6(Task t, StringBuilder out) {
    for (NetDevice d : NetDevice.all(t)) {
      for (NetDevice.Address6 a : d.addresses6()) {
        String scope = d.isLoopback() ? "10" : a.isLinkLocal() ? "20" : "00";
        out.append(hex(a.high())).append(hex(a.low())).append(' ').append(hexByte(d.index()));
        out.append(' ').append(hexByte(a.prefixLength())).append(' ').append(scope).append(" 80 ");
        out.append(" ".repeat(Math.max(0, 8 - d.name().length()))).append(d.name()).append('\n');
      }
    }
  }

  private static String hex(long half) {
    String s = Long.toHexString(half);
    return "0".repeat(16 - s.length()) + s;
  }

  private static String hexByte(int v) {
    String s = Integer.toHexString(v & 0xff);
    return s.length() == 1 ? "0" + s : s;
  }

  private static String mac(long mac) {
    return new NetDevice("", 0, 0, 0, mac, 0, List.of(), List.of(), new Nic.Traffic(0, 0, 0, 0))
        .macText();
  }

  static String dotted(int a) {
    return (a >>> 24) + "." + (a >>> 16 & 255) + "." + (a >>> 8 & 255) + "." + (a & 255);
  }

  private static void snmp(Task t, StringBuilder out) {
    NetworkStack stack = NetDevice.stack(t);
    if (stack == null) {
      return;
    }
    stack.enter();
    try {
      Counters c = stack.counters();
      group(
          out,
          "Ip",
          "Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos"
              + " InDiscards InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout"
              + " ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates",
          2,
          64,
          c.ipIn,
          c.malformed,
          c.notForUs,
          0,
          0,
          0,
          c.ipIn - c.notForUs,
          c.framesOut,
          0,
          c.noRoute,
          0,
          0,
          c.reassembled,
          c.reassemblyFailed,
          0,
          0,
          0);
      group(
          out,
          "Icmp",
          "InMsgs InErrors InCsumErrors InEchos InEchoReps OutMsgs OutErrors",
          c.icmpIn,
          0,
          0,
          c.icmpEchoIn,
          c.icmpEchoRepliesIn,
          c.icmpOut,
          0);
      group(
          out,
          "Tcp",
          "RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets"
              + " CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors",
          1,
          200,
          120000,
          -1,
          c.tcpActiveOpens,
          c.tcpPassiveOpens,
          0,
          0,
          stack.tcp().size(),
          c.tcpSegmentsIn,
          c.tcpSegmentsOut,
          c.tcpRetransmitted,
          c.badChecksum,
          c.tcpResetsOut,
          c.badChecksum);
      group(
          out,
          "Udp",
          "InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors"
              + " IgnoredMulti MemErrors",
          c.udpIn,
          c.udpNoPort,
          c.udpBufferFull,
          c.udpOut,
          c.udpBufferFull,
          0,
          0,
          0,
          0);
    } finally {
      stack.exit();
    }
  }

  private static void netstat(Task t, StringBuilder out) {
    NetworkStack stack = NetDevice.stack(t);
    if (stack == null) {
      return;
    }
    stack.enter();
    try {
      Counters c = stack.counters();
      group(
          out,
          "TcpExt",
          "SyncookiesSent SyncookiesRecv SyncookiesFailed ListenOverflows ListenDrops TCPTimeouts"
              + " TCPLossProbes TCPSackRecovery TCPOFOQueue TCPChallengeACK PAWSEstab TCPFullUndo",
          c.tcpSynCookiesSent,
          c.tcpSynCookiesGood,
          c.tcpSynCookiesBad,
          c.tcpListenOverflows,
          c.tcpListenOverflows,
          c.tcpTimeouts,
          c.tcpTailProbes,
          c.tcpFastRecoveries,
          c.tcpOutOfOrder,
          c.tcpChallengeAcks,
          c.tcpPawsDropped,
          c.tcpSpuriousRecoveries);
    } finally {
      stack.exit();
    }
  }

  private static void group(StringBuilder out, String group, String names, long... values) {
    out.append(group).append(": ").append(names).append('\n').append(group).append(':');
    for (long v : values) {
      out.append(' ').append(v);
    }
    out.append('\n');
  }
}
