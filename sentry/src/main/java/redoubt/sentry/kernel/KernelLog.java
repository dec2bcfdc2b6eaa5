package redoubt.sentry.kernel;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The kernel's own messages, as dmesg(1) shows them; bounded, oldest lost first. */
public final class KernelLog {
  /** One message. */
  public record Entry(long sequence, long timeNs, int level, String text) {}

  private static final int LIMIT = 2000;
  private static final int MIRRORED = 3;

  /** Guests cause messages, and the host's log is a file of the host's. */
  private static final int MIRROR_LIMIT = 1000;

  private final long bootNs;
  private final ArrayDeque<Entry> entries = new ArrayDeque<>(); // guarded by this
  private long next; // guarded by this

  private volatile @Nullable Consumer<String> mirror;
  private final AtomicInteger mirrored = new AtomicInteger();

  /** Notified for readers of /dev/kmsg and /proc/kmsg. */
  public final WaitQueue queue = new WaitQueue();

  KernelLog(long bootNs) {
    this.bootNs = bootNs;
  }

  /** Adds a message of {@code level} 0 (emergency) to 7 (debug). */
  public void log(int level, String text) {
    logAt(Clocks.monotonicNs(), level, text);
  }

  /** As {@link #log}, with a time of CLOCK_MONOTONIC. */
  public void logAt(long timeNs, int level, String text) {
    synchronized (this) {
      if (entries.size() >= LIMIT) {
        entries.removeFirst();
      }
      entries.addLast(new Entry(next++, timeNs - bootNs, level, text));
    }
    queue.notify(1);
    Consumer<String> m = mirror;
    if (m != null && level <= MIRRORED && mirrored.get() < MIRROR_LIMIT) {
      boolean last = mirrored.incrementAndGet() == MIRROR_LIMIT;
      m.accept("sentry: " + (last ? "too many messages; dmesg in the sandbox has the rest" : text));
    }
  }

  /** Has messages of level 3 (error) and worse go to the host's log, too. */
  public void mirrorErrors(Consumer<String> sink) {
    mirror = sink;
  }

  /** {@return the messages from number {@code from} on} */
  public synchronized List<Entry> since(long from) {
    List<Entry> out = new ArrayList<>();
    for (Entry e : entries) {
      if (e.sequence() >= from) {
        out.add(e);
      }
    }
    return out;
  }

  public synchronized void clear() {
    entries.clear();
  }

  /** {@return one line as syslog(2) gives it}: {@code <6>[ 0.001234] text} */
  public static String format(Entry e) {
    long us = e.timeNs() / 1000;
    String seconds = Long.toString(us / 1_000_000);
    String micros = Long.toString(us % 1_000_000 + 1_000_000).substring(1);
    return "<"
        + e.level()
        + ">["
        + " ".repeat(Math.max(0, 5 - seconds.length()))
        + seconds
        + "."
        + micros
        + "] "
        + e.text()
        + "\n";
  }
}
