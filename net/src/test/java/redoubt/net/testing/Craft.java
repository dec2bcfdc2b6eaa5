package redoubt.net.testing;

import java.util.Arrays;
import redoubt.net.header.Bytes;
import redoubt.net.header.Checksum;
import redoubt.net.header.EthernetHeader;
import redoubt.net.header.IcmpHeader;
import redoubt.net.header.Ipv4Header;
import redoubt.net.header.TcpHeader;
import redoubt.net.header.UdpHeader;

/** Frames made by hand, as an attacker makes them. */
public final class Craft {
  private Craft() {}

  public static final int ETHERNET = EthernetHeader.LENGTH;
  public static final int IP = ETHERNET + Ipv4Header.MIN_LENGTH;

  /** An IPv4 packet in a frame to the far end {@code mac}. */
  public static byte[] ip(
      long mac,
      int source,
      int destination,
      int protocol,
      int id,
      int flagsAndOffset,
      byte[] payload) {
    byte[] b = new byte[IP + payload.length];
    EthernetHeader.write(b, 0, mac, 0x02_00_00_00_00_77L, EthernetHeader.TYPE_IPV4);
    Ipv4Header.write(
        b, ETHERNET, 0, b.length - ETHERNET, id, flagsAndOffset, 64, protocol, source, destination);
    System.arraycopy(payload, 0, b, IP, payload.length);
    return b;
  }

  public static byte[] udp(int source, int sourcePort, int destination, int port, byte[] data) {
    byte[] b = new byte[UdpHeader.LENGTH + data.length];
    System.arraycopy(data, 0, b, UdpHeader.LENGTH, data.length);
    long sum = Checksum.pseudoHeader(source, destination, Ipv4Header.UDP, b.length);
    UdpHeader.write(b, 0, b.length, sourcePort, port, sum);
    return b;
  }

  public static byte[] tcp(
      int source, int sourcePort, int destination, int port, int seq, int ack, int flags) {
    byte[] b = new byte[TcpHeader.MIN_LENGTH];
    TcpHeader.write(b, 0, sourcePort, port, seq, ack, b.length, flags, 65_535);
    finishTcp(b, 0, b.length, source, destination);
    return b;
  }

  /** An ICMP message with {@code info} in its second word. */
  public static byte[] icmp(int type, int code, int info, byte[] data) {
    byte[] b = new byte[IcmpHeader.LENGTH + data.length];
    Bytes.put32(b, 4, info);
    System.arraycopy(data, 0, b, IcmpHeader.LENGTH, data.length);
    IcmpHeader.finish(b, 0, type, code, b.length);
    return b;
  }

  /** {@return the IP packet in {@code frame}} */
  public static byte[] packetOf(byte[] frame) {
    return Arrays.copyOfRange(frame, ETHERNET, frame.length);
  }

  public static boolean isTcp(byte[] frame) {
    return frame.length >= IP + TcpHeader.MIN_LENGTH
        && EthernetHeader.type(frame, 0) == EthernetHeader.TYPE_IPV4
        && Ipv4Header.protocol(frame, ETHERNET) == Ipv4Header.TCP;
  }

  /** Sets the checksum of the TCP segment of {@code length} bytes at {@code at}. */
  public static void finishTcp(byte[] b, int at, int length, int source, int destination) {
    long sum = Checksum.pseudoHeader(source, destination, Ipv4Header.TCP, length);
    Bytes.put16(b, at + TcpHeader.CHECKSUM, Checksum.finish(Checksum.add(sum, b, at, length)));
  }
}
