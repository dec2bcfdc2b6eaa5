package redoubt.net.transport;

/**
 * An ICMP error about a packet of ours, with what struct sock_extended_err tells of it. Reused:
 * valid during the call that brings it.
 */
public final class IpError {
  /** Keeps errors for a socket that wants them (IP_RECVERR, IPV6_RECVERR). */
  @FunctionalInterface
  public interface Receiver {
    /**
     * Takes the error, the pending one of SO_ERROR included. Called with the stack's lock held:
     * must not block, nor call the stack.
     */
    void error(IpError e);
  }

  public boolean isV6;
  public int type;
  public int code;

  /** The next hop's MTU, or what the type says else. */
  public int info;

  public int errno;

  /** Whether it ends what a connected socket does, rather than passing by itself. */
  public boolean isHard;

  /** The path's MTU if the packet was too long, else 0. */
  public int mtu;

  /** Who says so, and to whom of us, with which time to live, and by which interface. */
  public int offender;

  public int us;
  public int ttl;
  public int tos;
  public int interfaceIndex;

  /** Where the packet was to go. */
  public int destination;

  public int port;

  /** What is quoted of it: the transport's header, its payload, and where that ends. */
  public byte[] data = {};

  public int transportStart;
  public int payloadStart;
  public int payloadEnd;
}
