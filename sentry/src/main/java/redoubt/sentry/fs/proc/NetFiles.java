package redoubt.sentry.fs.proc;

import java.util.List;
import redoubt.sentry.fs.kernfs.KernDir;
import redoubt.sentry.fs.kernfs.TextFile;

/**
 * /proc/PID/net. The headers are here; the lines come from the socket code through {@link
 * ProcTexts}.
 */
final class NetFiles {
  private NetFiles() {}

  private static final String DEV =
      "Inter-|   Receive                                                |  Transmit\n"
          + " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n";
  private static final String LO =
      "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n";
  private static final String TCP =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n";
  private static final String TCP6 =
      "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
  private static final String UDP =
      "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            \n";
  private static final String UDP6 =
      "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n";
  private static final String RAW =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n";
  private static final String ROUTE =
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                                                       \n";

  /** Names of each protocol's counters in net/snmp, all zero until the stack counts. */
  private static final List<String> SNMP =
      List.of(
          "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers"
              + " OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates OutTransmits",
          "Icmp: InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos InEchoReps"
              + " InTimestamps InTimestampReps InAddrMasks InAddrMaskReps OutMsgs OutErrors OutRateLimitGlobal OutRateLimitHost"
              + " OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects OutEchos OutEchoReps OutTimestamps"
              + " OutTimestampReps OutAddrMasks OutAddrMaskReps",
          "IcmpMsg: InType3 OutType3",
          "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs"
              + " RetransSegs InErrs OutRsts InCsumErrors",
          "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors",
          "UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors");

  private static final List<String> NETSTAT =
      List.of(
          "TcpExt: SyncookiesSent SyncookiesRecv SyncookiesFailed EmbryonicRsts PruneCalled RcvPruned OfoPruned TW TWRecycled TWKilled"
              + " DelayedACKs DelayedACKLocked DelayedACKLost ListenOverflows ListenDrops TCPHPHits TCPPureAcks TCPHPAcks TCPTimeouts"
              + " TCPRcvCollapsed TCPAbortOnData TCPAbortOnClose TCPAbortOnMemory TCPAbortOnTimeout TCPRetransFail TCPRcvCoalesce"
              + " TCPOFOQueue TCPOFODrop TCPSynRetrans TCPOrigDataSent TCPKeepAlive TCPDelivered",
          "IpExt: InNoRoutes InTruncatedPkts InMcastPkts OutMcastPkts InBcastPkts OutBcastPkts InOctets OutOctets InMcastOctets"
              + " OutMcastOctets InBcastOctets OutBcastOctets InCsumErrors InNoECTPkts InECT1Pkts InECT0Pkts InCEPkts ReasmOverlaps");

  static void fill(ProcFs proc, KernDir net) {
    file(proc, net, "dev", DEV, LO);
    file(proc, net, "tcp", TCP, "");
    file(proc, net, "tcp6", TCP6, "");
    file(proc, net, "udp", UDP, "");
    file(proc, net, "udp6", UDP6, "");
    file(proc, net, "udplite", UDP, "");
    file(proc, net, "udplite6", UDP6, "");
    file(proc, net, "raw", RAW, "");
    file(proc, net, "raw6", TCP6, "");
    file(proc, net, "icmp", RAW, "");
    file(proc, net, "unix", "Num       RefCount Protocol Flags    Type St Inode Path\n", "");
    file(proc, net, "route", ROUTE, "");
    file(proc, net, "ipv6_route", "", "");
    file(proc, net, "if_inet6", "", "00000000000000000000000000000001 01 80 10 80       lo\n");
    file(
        proc,
        net,
        "arp",
        "IP address       HW type     Flags       HW address            Mask     Device\n",
        "");
    file(
        proc,
        net,
        "netlink",
        "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n",
        "");
    file(
        proc,
        net,
        "packet",
        "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n",
        "");
    file(
        proc,
        net,
        "protocols",
        "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi br ha uh gp em\n",
        "");
    file(proc, net, "ptype", "Type Device      Function\n", "");
    file(proc, net, "igmp", "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n", "");
    file(proc, net, "dev_mcast", "", "");
    file(
        proc,
        net,
        "wireless",
        "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n"
            + " face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n",
        "");
    file(proc, net, "fib_trie", "", "");
    file(proc, net, "psched", "000003e8 00000040 000f4240 3b9aca00\n", "");
    file(
        proc,
        net,
        "sockstat",
        "",
        "sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse 0 mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n");
    file(
        proc,
        net,
        "sockstat6",
        "",
        "TCP6: inuse 0\nUDP6: inuse 0\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n");
    file(proc, net, "snmp", "", counters(SNMP));
    file(proc, net, "snmp6", "", "");
    file(proc, net, "netstat", "", counters(NETSTAT));
    net.put("stat/rt_cache", TextFile.fixed(proc, 0444, ""));
  }

  private static String counters(List<String> names) {
    StringBuilder o = new StringBuilder();
    for (String line : names) {
      o.append(line).append('\n');
      String[] w = line.split(" ");
      o.append(w[0]);
      for (int i = 1; i < w.length; i++) {
        o.append(
            switch (w[i]) {
              case "Forwarding" -> " 2";
              case "DefaultTTL" -> " 64";
              case "RtoAlgorithm" -> " 1";
              case "RtoMin" -> " 200";
              case "RtoMax" -> " 120000";
              case "MaxConn" -> " -1";
              default -> " 0";
            });
      }
      o.append('\n');
    }
    return o.toString();
  }

  /**
   * A file with {@code header}, then what its subsystem writes, or {@code otherwise} when it has
   * none.
   */
  private static void file(ProcFs proc, KernDir net, String name, String header, String otherwise) {
    net.add(
        name,
        TextFile.of(
            proc,
            0444,
            (t, o) -> {
              int before = o.length() + header.length();
              ProcTexts.append(proc.kernel(), "net/" + name, header, t, o);
              if (o.length() == before) {
                o.append(otherwise);
              }
            }));
  }
}
