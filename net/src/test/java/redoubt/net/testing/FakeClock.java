package redoubt.net.testing;

import redoubt.net.stack.Clock;

/** Time that moves only when the test says so. */
public final class FakeClock implements Clock {
  private long nowNs = 1_000_000_000L;

  @Override
  public long nowNs() {
    return nowNs;
  }

  public void advanceTo(long ns) {
    nowNs = Math.max(nowNs, ns);
  }
}
