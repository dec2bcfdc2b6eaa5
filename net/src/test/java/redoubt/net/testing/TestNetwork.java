package redoubt.net.testing;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.function.BooleanSupplier;
import redoubt.net.buffer.Packet;
import redoubt.net.link.Link;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Nic;
import redoubt.net.stack.Secret;

/**
 * Two stacks on one Ethernet cable in one thread: time jumps from event to event. The cable delays,
 * and as asked loses, repeats, reorders and corrupts; the same seed does the same each time.
 */
public final class TestNetwork {
  public static final int A = 0x0a000001;
  public static final int B = 0x0a000002;

  public final FakeClock clock = new FakeClock();
  public final NetworkStack a = new NetworkStack(clock, new Secret(1, 2));
  public final NetworkStack b = new NetworkStack(clock, new Secret(3, 4));
  public final End atA;
  public final End atB;
  public final Nic nicA;
  public final Nic nicB;
  private final PriorityQueue<Frame> inFlight = new PriorityQueue<>();
  private final Random random;
  private long frames;

  public long delayNs = 5_000_000;
  public double loss;
  public double duplicate;
  public double reorder;
  public double corrupt;

  /** Says which frames vanish, for tests that aim: given the sender and the frame's bytes. */
  public interface Filter {
    boolean isLost(End from, byte[] frame);
  }

  public Filter filter = (from, frame) -> false;
  public final List<byte[]> seen = new ArrayList<>();
  public boolean isRecording;

  public TestNetwork(long seed) {
    this(seed, 1500);
  }

  public TestNetwork(long seed, int mtu) {
    random = new Random(seed);
    atA = new End(0x02_00_00_00_00_01L, mtu);
    atB = new End(0x02_00_00_00_00_02L, mtu);
    nicA = a.addNic("eth0", atA);
    nicB = b.addNic("eth0", atB);
    atA.peer = atB;
    atB.peer = atA;
    atA.stack = a;
    atB.stack = b;
    atA.nic = nicA;
    atB.nic = nicB;
    a.addAddress(nicA, A, 24);
    b.addAddress(nicB, B, 24);
  }

  private record Frame(long atNs, long order, End to, byte[] bytes) implements Comparable<Frame> {
    @Override
    public int compareTo(Frame o) {
      return atNs != o.atNs ? Long.compare(atNs, o.atNs) : Long.compare(order, o.order);
    }
  }

  public final class End implements Link {
    private final long mac;
    private final int mtu;
    private End peer;
    private NetworkStack stack;
    private Nic nic;
    public long sent;

    End(long mac, int mtu) {
      this.mac = mac;
      this.mtu = mtu;
    }

    @Override
    public int mtu() {
      return mtu;
    }

    @Override
    public long mac() {
      return mac;
    }

    @Override
    public void transmit(Packet p) {
      byte[] bytes = Arrays.copyOfRange(p.data, p.start, p.end);
      p.free();
      if (bytes.length > mtu + 14) {
        throw new AssertionError("frame of " + bytes.length + " on a link of " + mtu);
      }
      sent++;
      if (isRecording) {
        seen.add(bytes);
      }
      if (filter.isLost(this, bytes) || random.nextDouble() < loss) {
        return;
      }
      send(bytes);
      if (random.nextDouble() < duplicate) {
        send(bytes);
      }
    }

    private void send(byte[] bytes) {
      byte[] copy = bytes.clone();
      if (random.nextDouble() < corrupt) {
        copy[random.nextInt(copy.length)] ^= (byte) (1 << random.nextInt(8));
      }
      long extra = random.nextDouble() < reorder ? random.nextLong(2 * delayNs) : 0;
      inFlight.add(new Frame(clock.nowNs() + delayNs + extra, frames++, peer, copy));
    }

    /** Hands {@code bytes} to this end's stack as if they had come in. */
    public void inject(byte[] bytes) {
      stack.enter();
      try {
        Packet p = stack.packets().allocate(bytes.length);
        if (p != null) {
          System.arraycopy(bytes, 0, p.data, p.start, bytes.length);
          p.end = p.start + bytes.length;
          nic.deliver(p);
        }
      } finally {
        stack.exit();
      }
    }
  }

  /** Runs events until {@code isDone}. {@return false if nothing more happens or time is up} */
  public boolean runUntil(BooleanSupplier isDone, long forNs) {
    long deadline = clock.nowNs() + forNs;
    while (!isDone.getAsBoolean()) {
      long next = Math.min(a.timers().nextDeadlineNs(), b.timers().nextDeadlineNs());
      Frame f = inFlight.peek();
      if (f != null) {
        next = Math.min(next, f.atNs);
      }
      if (next > deadline) {
        clock.advanceTo(deadline);
        return isDone.getAsBoolean();
      }
      clock.advanceTo(next);
      while (f != null && f.atNs <= clock.nowNs()) {
        inFlight.poll();
        f.to.inject(f.bytes);
        f = inFlight.peek();
      }
      a.runTimers();
      b.runTimers();
    }
    return true;
  }

  /** Lets {@code ns} pass. */
  public void run(long ns) {
    runUntil(() -> false, ns);
  }
}
