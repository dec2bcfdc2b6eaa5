package redoubt.sentry.socket;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import redoubt.sentry.ipc.PagePool;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.vfs.FileDescription;

/**
 * Bytes under way in a socket, with what travels along: Linux's sk_buff. Guarded by its queue's
 * owner.
 */
public final class Packet {
  static final int PAGE = PagePool.PAGE;

  private @Nullable MemorySegment[] pages = new MemorySegment[1];

  /** Where the bytes that are left begin and end. */
  int start;

  int end;

  @Nullable Packet next;

  // Ancillary data.
  public FileDescription @Nullable [] rights;
  public boolean hasCredentials;
  public redoubt.sentry.kernel.@org.jspecify.annotations.Nullable Pid pid;
  public int uid;
  public int gid;

  /**
   * Who sent it: a unix address, or an inet address in {@code fromHigh}, {@code fromLow}, {@code
   * fromPort}.
   */
  public @Nullable Object from;

  public long fromHigh;
  public long fromLow;
  public int fromPort;
  public long toHigh;
  public long toLow;
  public long timestampNs;
  public int ttl;
  public int tos;

  Packet() {}

  /** {@return bytes that are left} */
  public int length() {
    return end - start;
  }

  /** {@return bytes that fit in the pages it has} */
  int room() {
    return pageCount() * PAGE - end;
  }

  private int pageCount() {
    return (end + PAGE - 1) / PAGE;
  }

  private MemorySegment page(int i) {
    MemorySegment p = pages[i];
    if (p == null) {
      throw new IllegalStateException("packet without a page");
    }
    return p;
  }

  /**
   * Appends up to {@code length} bytes.
   *
   * @return bytes taken from {@code src}; -EFAULT or -ENOBUFS when there were none
   */
  long fill(IoBuffer src, long length) {
    long done = 0;
    while (done < length) {
      int within = end % PAGE;
      if (within == 0 && !addPage()) {
        return done > 0 ? done : -redoubt.abi.Errno.ENOBUFS;
      }
      long n = Math.min(length - done, PAGE - within);
      long r;
      if (length - done > n && length - done > PAGE) {
        r = fillThroughWindow(src, length - done);
      } else {
        r = src.get(page(end / PAGE), within, n);
        if (r > 0) {
          end += (int) r;
        }
      }
      if (r <= 0) {
        trim();
        return done > 0 ? done : -redoubt.abi.Errno.EFAULT;
      }
      done += r;
    }
    return done;
  }

  /** One transfer from the guest for many pages. */
  private long fillThroughWindow(IoBuffer src, long length) {
    MemorySegment w = src.window();
    long n = src.fetch(Math.min(length, src.windowLimit()));
    long done = 0;
    while (done < n) {
      int within = end % PAGE;
      if (within == 0 && !addPage()) {
        src.rewind(n - done);
        return done;
      }
      long part = Math.min(n - done, PAGE - within);
      MemorySegment.copy(w, done, page(end / PAGE), within, part);
      end += (int) part;
      done += part;
    }
    return n;
  }

  /** Appends kernel bytes; false when there is no memory. */
  boolean fill(MemorySegment src, long offset, long length) {
    long done = 0;
    while (done < length) {
      int within = end % PAGE;
      if (within == 0 && !addPage()) {
        return false;
      }
      long n = Math.min(length - done, PAGE - within);
      MemorySegment.copy(src, offset + done, page(end / PAGE), within, n);
      end += (int) n;
      done += n;
    }
    return true;
  }

  private boolean addPage() {
    int i = end / PAGE;
    if (i < pages.length && pages[i] != null) {
      return true;
    }
    MemorySegment p = PagePool.SHARED.take();
    if (p == null) {
      return false;
    }
    if (i == pages.length) {
      pages = Arrays.copyOf(pages, 2 * i);
    }
    pages[i] = p;
    return true;
  }

  /** Gives a page back that got no byte. */
  private void trim() {
    int used = pageCount();
    for (int i = used; i < pages.length; i++) {
      MemorySegment p = pages[i];
      if (p != null) {
        PagePool.SHARED.release(p);
        pages[i] = null;
      }
    }
  }

  /** {@return how many of its bytes from {@code offset} on lie in one page} */
  int contiguous(int offset) {
    int at = start + offset;
    return Math.min(end - at, PAGE - at % PAGE);
  }

  /**
   * Gives up to {@code length} bytes of one page from {@code offset} on. Returns as {@link
   * IoBuffer#put}.
   */
  long put(IoBuffer dst, int offset, long length) {
    int at = start + offset;
    return dst.put(page(at / PAGE), at % PAGE, Math.min(length, contiguous(offset)));
  }

  /** Copies {@code length} bytes from {@code offset} on. */
  public void copyTo(MemorySegment dst, long dstOffset, int offset, long length) {
    long done = 0;
    while (done < length) {
      int at = start + offset + (int) done;
      long n = Math.min(length - done, PAGE - at % PAGE);
      MemorySegment.copy(page(at / PAGE), at % PAGE, dst, dstOffset + done, n);
      done += n;
    }
  }

  /** Forgets the first {@code n} bytes. */
  void consume(int n) {
    start += n;
  }

  /** Gives all memory back; what travels along must have been taken. */
  void clear() {
    for (int i = 0; i < pages.length; i++) {
      MemorySegment p = pages[i];
      if (p == null) {
        break;
      }
      PagePool.SHARED.release(p);
      pages[i] = null;
    }
    if (pages.length > 4) {
      pages = new MemorySegment[1];
    }
    start = 0;
    end = 0;
    next = null;
    rights = null;
    hasCredentials = false;
    from = null;
    timestampNs = 0;
  }
}
