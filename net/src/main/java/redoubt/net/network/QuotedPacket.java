package redoubt.net.network;

import redoubt.net.header.Bytes;
import redoubt.net.header.Ipv4Header;
import redoubt.net.header.UdpHeader;
import redoubt.net.stack.NetworkStack;
import redoubt.net.transport.IpError;

/**
 * The packet of ours that an ICMP error quotes, the same for IPv4 and IPv6 from its transport on.
 */
final class QuotedPacket {
  private QuotedPacket() {}

  /**
   * Tells whoever sent the packet.
   *
   * @param e what the error says, its destination included; ports and payload are filled in here
   * @param protocol of the transport's header, which begins at {@code transport} with 8 bytes or
   *     more before {@code end}
   * @param source our address, from which it was sent
   */
  static void tell(
      NetworkStack stack, IpError e, int protocol, int source, byte[] b, int transport, int end) {
    int sourcePort = UdpHeader.sourcePort(b, transport);
    e.port = UdpHeader.destinationPort(b, transport);
    e.data = b;
    e.transportStart = transport;
    e.payloadStart = transport;
    e.payloadEnd = end;
    stack.raw().error(protocol, source, e);
    switch (protocol) {
      case Ipv4Header.UDP -> {
        e.payloadStart = transport + UdpHeader.LENGTH;
        stack.udp().error(source, sourcePort, e);
      }
      case Ipv4Header.TCP -> {
        int seq = Bytes.i32(b, transport + 4);
        stack.tcp().error(source, sourcePort, e.destination, e.port, seq, e.errno, e.mtu);
      }
      default -> {}
    }
  }
}
