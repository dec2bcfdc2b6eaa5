package redoubt.net.transport.tcp;

/** What TCP_INFO tells of a connection: {@link TcpConnection#describe} fills it in. */
public final class TcpInfo {
  public TcpState state = TcpState.CLOSED;
  public int sendScale;
  public int receiveScale;
  public boolean hasTimestamps;
  public boolean isSackOn;
  public int mss;
  public int receiveMss;
  public int pathMtu;
  public long rtoNs;
  public long srttNs;
  public long rttVarNs;
  public long receiveRttNs;
  public long cwnd;
  public long threshold;
  public long inFlight;
  public int segmentsInFlight;
  public long notSent;
  public long bytesAcked;
  public long bytesSent;
  public long bytesReceived;
  public long retransmitted;
  public long window;
  public int receiveLimit;
  public long lastHeardNs;
  public long nowNs;
}
