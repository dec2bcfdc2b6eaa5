package redoubt.sandbox.warden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redoubt.host.Fd;
import redoubt.host.HostFiles;
import redoubt.host.HostIo;
import redoubt.host.Memory;
import redoubt.host.SeqpacketSocket;

/** The link to User Mode Linux when its device loses frames. The test is the guest. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD) // it waits in native reads
class PacketLinkTest {
  private static final int HEADER = 26;
  private static final int FRAMES = 200;

  private final Fd[] pair = SeqpacketSocket.pair();
  private final MemorySegment packet = Memory.mapAnonymous(16384 + 128);
  private final List<Integer> heard = new ArrayList<>();

  /**
   * What the host sends next: number, taken, length and flags; the bytes stay in {@code packet}.
   */
  private record Header(int number, int taken, int length, int flags) {}

  private Header receive() {
    assertTrue(HostIo.read(pair[0].number(), packet, 0, 16384 + 128) >= HEADER);
    return new Header(
        packet.get(Memory.INT, 14),
        packet.get(Memory.INT, 18),
        packet.get(Memory.SHORT, 22) & 0xffff,
        packet.get(Memory.SHORT, 24) & 0xffff);
  }

  private void send(int number, int taken, int flags, byte[] bytes) {
    ByteBuffer b = ByteBuffer.allocate(HEADER + bytes.length).order(ByteOrder.LITTLE_ENDIAN);
    b.put(12, (byte) 0x88).put(13, (byte) 0xb5).putInt(14, number).putInt(18, taken);
    b.putShort(22, (short) bytes.length).putShort(24, (short) flags).put(HEADER, bytes);
    HostFiles.write(pair[0], b.array());
  }

  private static byte[] frame(int id) {
    ByteBuffer b = ByteBuffer.allocate(Protocol.HEADER).order(ByteOrder.LITTLE_ENDIAN);
    return b.putInt(0).putInt(Protocol.END).putInt(id).array();
  }

  private PacketLink receiving() {
    var link = new PacketLink(pair[1]);
    var thread =
        new Thread(() ->
            link.receive((type, id, payload, length) -> {
              synchronized (heard) {
                heard.add(id);
                heard.notifyAll();
              }
            }));
    thread.setDaemon(true);
    thread.start();
    return link;
  }

  @Test
  void shouldSendAgainWhatTheGuestDidNotGet() throws Exception {
    PacketLink link = receiving();
    var sender =
        new Thread(() -> {
          for (int i = 0; i < FRAMES; i++) {
            link.send(Protocol.DATA, i, new byte[] {1, 2, 3});
          }
        });
    sender.start();
    int taken = 0;
    // Not each seventh frame: seven that are sent again and again would lose the same one for ever.
    var loss = new Random(7);
    while (taken < FRAMES) {
      Header h = receive();
      if (loss.nextInt(7) == 0 || h.length == 0) {
        continue; // lost
      }
      if (h.number != taken) {
        send(0, taken, h.number - taken > 0 ? PacketLink.MISSING : 0, new byte[0]);
        continue;
      }
      assertEquals(taken, packet.get(Memory.INT, HEADER + 8));
      assertEquals(3, packet.get(ValueLayout.JAVA_BYTE, HEADER + Protocol.HEADER + 2));
      send(0, ++taken, 0, new byte[0]);
    }
    sender.join();
    assertTrue(link.repeats() > 0);
    pair[0].close();
  }

  @Test
  void shouldSayWhatIsMissingAndTakeEachFrameOnce() throws Exception {
    receiving();
    send(0, 0, 0, frame(0));
    send(2, 0, 0, frame(2));
    send(3, 0, 0, frame(3));
    Header h;
    do {
      h = receive();
    } while (h.flags != PacketLink.MISSING);
    assertEquals(new Header(0, 1, 0, PacketLink.MISSING), h);
    for (int i : new int[] {0, 1, 2, 2, 3, 1}) {
      send(i, 0, 0, frame(i));
    }
    do {
      h = receive();
    } while (h.taken != 4);
    synchronized (heard) {
      while (heard.size() < 4) {
        heard.wait();
      }
      assertEquals(List.of(0, 1, 2, 3), heard);
    }
    pair[0].close();
  }

  @Test
  void shouldRepeatTheLastOneWithoutBeingAsked() {
    PacketLink link = receiving();
    link.send(Protocol.END, 5, new byte[0]);
    Header first = receive();
    Header second = receive();
    assertEquals(first, second);
    assertEquals(0, second.number);
    pair[0].close();
  }
}
