package redoubt.net.stack;

/** What happened so far, as {@code netstat -s} counts. Guarded by the stack's lock. */
public final class Counters {
  public long framesOut;
  public long ipIn;
  public long icmpIn;
  public long icmpOut;
  public long icmpEchoIn;
  public long icmpEchoRepliesIn;
  public long udpOut;
  public long tcpActiveOpens;
  public long tcpPassiveOpens;
  public long malformed;
  public long badChecksum;
  public long notForUs;
  public long noRoute;
  public long reassembled;
  public long reassemblyFailed;
  public long udpIn;
  public long udpNoPort;
  public long udpBufferFull;
  public long tcpSegmentsIn;
  public long tcpSegmentsOut;
  public long tcpRetransmitted;
  public long tcpTimeouts;
  public long tcpTailProbes;
  public long tcpFastRecoveries;
  public long tcpSpuriousRecoveries;
  public long tcpListenOverflows;
  public long tcpSynCookiesSent;
  public long tcpSynCookiesGood;
  public long tcpSynCookiesBad;
  public long tcpChallengeAcks;
  public long tcpPawsDropped;
  public long tcpResetsOut;
  public long tcpOutOfOrder;
}
