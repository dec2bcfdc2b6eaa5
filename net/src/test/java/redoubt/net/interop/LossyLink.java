package redoubt.net.interop;

import java.util.Random;
import redoubt.net.buffer.Packet;
import redoubt.net.link.Link;

/** A link that loses some of what it is given. */
record LossyLink(Link inner, double loss, Random random) implements Link {
  @Override
  public int mtu() {
    return inner.mtu();
  }

  @Override
  public long mac() {
    return inner.mac();
  }

  @Override
  public void transmit(Packet frame) {
    if (random.nextDouble() < loss) {
      frame.free();
    } else {
      inner.transmit(frame);
    }
  }

  @Override
  public void flush() {
    inner.flush();
  }

  @Override
  public boolean offloads() {
    return inner.offloads();
  }
}
