package redoubt.sandbox.warden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redoubt.host.Fd;
import redoubt.host.HostFiles;
import redoubt.host.SeqpacketSocket;
import redoubt.host.UnixStream;

/** A hostile guest's bytes: they end the link with a reason, whatever they are. */
@Timeout(60)
class GuestLinkTest {
  private static byte[] frame(int length, int type, int id, int present) {
    ByteBuffer b = ByteBuffer.allocate(Protocol.HEADER + present).order(ByteOrder.LITTLE_ENDIAN);
    return b.putInt(length).putInt(type).putInt(id).array();
  }

  private static byte[] packet(int number, int taken, int says, byte[] bytes) {
    ByteBuffer b = ByteBuffer.allocate(26 + bytes.length).order(ByteOrder.LITTLE_ENDIAN);
    b.put(12, (byte) 0x88).put(13, (byte) 0xb5).putInt(14, number).putInt(18, taken);
    return b.putInt(22, says).put(26, bytes).array();
  }

  private static String stream(List<String> heard, byte[]... sent) {
    Fd[] pair = UnixStream.pair();
    for (byte[] bytes : sent) {
      HostFiles.write(pair[0], bytes);
    }
    pair[0].close();
    return new GuestLink.Stream(pair[1])
        .receive((type, id, payload, length) -> heard.add(type + "/" + id + "/" + length));
  }

  private static String packets(List<String> heard, byte[]... sent) {
    Fd[] pair = SeqpacketSocket.pair();
    for (byte[] bytes : sent) {
      HostFiles.write(pair[0], bytes);
    }
    pair[0].close();
    return new PacketLink(pair[1])
        .receive((type, id, payload, length) -> heard.add(type + "/" + id + "/" + length));
  }

  @Test
  void shouldHearFramesWhateverTheirPieces() {
    var heard = new ArrayList<String>();
    byte[] two = new byte[2 * (Protocol.HEADER + 5)];
    System.arraycopy(frame(5, 7, 8, 5), 0, two, 0, two.length / 2);
    System.arraycopy(frame(5, 9, 10, 5), 0, two, two.length / 2, two.length / 2);
    byte[] head = java.util.Arrays.copyOf(two, 20);
    byte[] tail = java.util.Arrays.copyOfRange(two, 20, two.length);
    assertTrue(stream(heard, head, tail).contains("closed"));
    assertEquals(List.of("7/8/5", "9/10/5"), heard);
    heard.clear();
    packets(heard, packet(0, 0, 20, head), packet(1, 0, tail.length, tail));
    assertEquals(List.of("7/8/5", "9/10/5"), heard);
  }

  @Test
  void shouldEndTheLinkAtALengthBomb() {
    var heard = new ArrayList<String>();
    for (int length : new int[] {-1, Integer.MIN_VALUE, Protocol.FRAME_LIMIT + 1}) {
      String why = stream(heard, frame(length, 1, 1, 0));
      assertTrue(why.contains("broke the protocol"), why);
    }
    assertEquals(List.of(), heard);
  }

  @Test
  void shouldEndTheLinkAtBrokenPackets() {
    var heard = new ArrayList<String>();
    byte[] bytes = new byte[10];
    for (byte[] bad :
        List.of(
            packet(0, 1, 10, bytes), // acknowledges what was not sent
            packet(1, 1, 10, bytes), // does so after one that is missing
            packet(0, 0, 11, bytes), // says more than it has
            packet(0, 0, 65535, bytes))) {
      String why = packets(heard, bad);
      assertTrue(why.contains("broke the protocol"), why);
    }
    // Frames of other kinds are the guest kernel's own, and nothing to us.
    assertTrue(packets(heard, new byte[5], new byte[100]).contains("closed"));
    assertEquals(List.of(), heard);
  }

  @Test
  void shouldEndAtAnyGarbage() {
    var random = new Random(6);
    for (int round = 0; round < 300; round++) {
      byte[] bytes = new byte[1 + random.nextInt(4000)];
      random.nextBytes(bytes);
      var heard = new ArrayList<String>();
      assertTrue(!stream(heard, bytes).isEmpty());
      bytes[12 % bytes.length] = (byte) 0x88;
      bytes[13 % bytes.length] = (byte) 0xb5;
      assertTrue(!packets(heard, bytes).isEmpty());
    }
  }
}
