package redoubt.sentry.socket;

import static redoubt.abi.Errno.EFAULT;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.IoBuffer;

/**
 * Packets that wait for a reader, as a stream of bytes or one by one: Linux's sk_buff_head. Guarded
 * by its owner; reuses its packets, so that a socket in steady use allocates nothing.
 */
public final class PacketQueue {
  private static final int STREAM_PACKET = 64 * 1024;
  private static final int SPARES = 4;

  private @Nullable Packet head;
  private @Nullable Packet tail;
  private @Nullable Packet spare;
  private int spares;
  private long bytes;
  private int count;

  /** {@return bytes that wait} */
  public long bytes() {
    return bytes;
  }

  /** {@return packets that wait} */
  public int count() {
    return count;
  }

  public boolean isEmpty() {
    return head == null;
  }

  /** {@return the oldest packet, or null} */
  public @Nullable Packet first() {
    return head;
  }

  /** {@return the packet after {@code p}, or null} */
  public @Nullable Packet after(Packet p) {
    return p.next;
  }

  /** {@return an empty packet that is not in the queue} */
  public Packet newPacket() {
    Packet p = spare;
    if (p == null) {
      return new Packet();
    }
    spare = p.next;
    p.next = null;
    spares--;
    return p;
  }

  /** Takes a packet back that is not in the queue; its rights must have been taken. */
  public void recycle(Packet p) {
    p.clear();
    if (spares < SPARES) {
      p.next = spare;
      spare = p;
      spares++;
    }
  }

  /** Appends a filled packet. */
  public void add(Packet p) {
    p.next = null;
    Packet last = tail;
    if (last == null) {
      head = p;
    } else {
      last.next = p;
    }
    tail = p;
    bytes += p.length();
    count++;
  }

  /** Takes the oldest packet out; the caller recycles it. */
  public @Nullable Packet poll() {
    Packet p = head;
    if (p == null) {
      return null;
    }
    head = p.next;
    if (head == null) {
      tail = null;
    }
    p.next = null;
    bytes -= p.length();
    count--;
    return p;
  }

  /**
   * Fills {@code p}, which is not in the queue, from {@code src}. Returns bytes, -EFAULT or
   * -ENOBUFS.
   */
  public static long fill(Packet p, IoBuffer src, long length) {
    return p.fill(src, length);
  }

  /** Fills {@code p} from kernel memory; false when there is no memory. */
  public static boolean fill(Packet p, MemorySegment src, long offset, long length) {
    return p.fill(src, offset, length);
  }

  /**
   * Appends up to {@code length} bytes of a stream without ancillary data, in the last packet's
   * page where they fit.
   *
   * @param joins whether the last packet may take them
   * @return bytes taken, -EFAULT or -ENOBUFS
   */
  public long appendStream(IoBuffer src, long length, boolean joins) {
    long done = 0;
    Packet last = tail;
    if (joins && last != null && last.room() > 0) {
      long r = last.fill(src, Math.min(length, last.room()));
      if (r <= 0) {
        return r;
      }
      bytes += r;
      done = r;
    }
    while (done < length) {
      Packet p = newPacket();
      long n = Math.min(length - done, STREAM_PACKET);
      long r = p.fill(src, n);
      if (r <= 0) {
        recycle(p);
        return done > 0 ? done : r;
      }
      add(p);
      done += r;
      if (r < n) {
        break;
      }
    }
    return done;
  }

  /** {@return the newest packet, or null} */
  public @Nullable Packet last() {
    return tail;
  }

  /**
   * Reads up to {@code limit} bytes of the stream from {@code skip} on.
   *
   * @param keep MSG_PEEK: leave them
   * @return bytes, or -EFAULT
   */
  public long readStream(IoBuffer dst, long limit, long skip, boolean keep) {
    long want = Math.min(Math.min(limit, bytes - skip), dst.remaining());
    long done = 0;
    while (done < want) {
      long at = keep ? skip + done : 0;
      Packet p = head;
      while (p != null && at >= p.length()) {
        at -= p.length();
        p = p.next;
      }
      if (p == null) {
        break;
      }
      long left = want - done;
      long r =
          left <= p.contiguous((int) at)
              ? p.put(dst, (int) at, left)
              : putThroughWindow(dst, p, (int) at, left);
      if (r <= 0) {
        return done > 0 ? done : -EFAULT;
      }
      if (!keep) {
        consume(r);
      }
      done += r;
    }
    return done;
  }

  private static long putThroughWindow(IoBuffer dst, Packet from, int offset, long length) {
    long limit = Math.min(length, dst.windowLimit());
    MemorySegment w = dst.window();
    Packet p = from;
    int at = offset;
    long n = 0;
    while (p != null && n < limit) {
      long part = Math.min(p.length() - at, limit - n);
      p.copyTo(w, n, at, part);
      n += part;
      p = p.next;
      at = 0;
    }
    return dst.commit(n);
  }

  /**
   * Forgets the first {@code n} bytes of the stream; packets that travel with something must be
   * handled before.
   */
  public void consume(long n) {
    long left = n;
    while (left > 0) {
      Packet p = head;
      if (p == null) {
        return;
      }
      int part = (int) Math.min(left, p.length());
      p.consume(part);
      bytes -= part;
      left -= part;
      if (p.length() == 0) {
        poll();
        recycle(p);
      }
    }
  }

  /**
   * Copies up to {@code length} bytes of packet {@code p} to {@code dst}. Returns bytes or -EFAULT.
   */
  public static long putPacket(Packet p, IoBuffer dst, long length) {
    long want = Math.min(Math.min(length, p.length()), dst.remaining());
    long done = 0;
    while (done < want) {
      long left = want - done;
      long r;
      if (left <= p.contiguous((int) done)) {
        r = p.put(dst, (int) done, left);
      } else {
        long n = Math.min(left, dst.windowLimit());
        p.copyTo(dst.window(), 0, (int) done, n);
        r = dst.commit(n);
      }
      if (r <= 0) {
        return -EFAULT;
      }
      done += r;
    }
    return done;
  }
}
