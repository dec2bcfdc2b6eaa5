package redoubt.sentry.socket;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;

/**
 * What one send, receive, accept or name call says and hears besides the data: Linux's msghdr
 * inside the kernel. One per task, reused.
 */
public final class SocketCall {
  private static final FileDescription[] NO_FILES = {};

  /** MSG_* of the caller. */
  public int flags;

  /** The destination (length 0: none) on the way in, the source on the way out. */
  public final SocketAddress name = new SocketAddress();

  /** Descriptions of SCM_RIGHTS: to send, or received. Each holds a reference. */
  public FileDescription[] rights = NO_FILES;

  /** Whether a sender gave credentials, or a receiver is to be told some. */
  public boolean hasCredentials;

  public redoubt.sentry.kernel.@org.jspecify.annotations.Nullable Pid pid;
  public int uid;
  public int gid;

  /** MSG_* for msg_flags of a receiver. */
  public int outFlags;

  /** What accept found. */
  public @Nullable Socket accepted;

  /** Nanoseconds since the epoch at which a packet arrived, or 0. */
  public long timestampNs;

  /** An address for IP_PKTINFO, IPV6_PKTINFO; meaningful if {@code hasPacketInfo}. */
  public boolean hasPacketInfo;

  public long packetInfoHigh;
  public long packetInfoLow;
  public int packetInfoIndex;

  /** What a sender wants in the IP header of this packet alone, or -1. */
  public int sendTtl = -1;

  public int sendTos = -1;

  /** The address that a sender wants to be this packet's source. */
  public boolean hasSource;

  public long sourceHigh;
  public long sourceLow;

  /** Control messages for a receiver besides those above: level, type, length and data of each. */
  private MemorySegment attached = MemorySegment.NULL;

  /** How many bytes of it are used. */
  public int attachedBytes;

  private MemorySegment data = MemorySegment.NULL;
  private MemorySegment control = Arena.ofAuto().allocate(512, 8);

  /**
   * Adds a control message for the receiver, whose {@code size} bytes the caller writes.
   *
   * @return where in {@link #attached} they are
   */
  public int attach(int level, int type, int size) {
    int at = attachedBytes;
    int end = at + 16 + ((size + 7) & ~7);
    if (attached.byteSize() < end) {
      MemorySegment more = Arena.ofAuto().allocate(Math.max(512, 2L * end), 8);
      MemorySegment.copy(attached, 0, more, 0, at);
      attached = more;
    }
    attached.set(Memory.INT, at, level);
    attached.set(Memory.INT, at + 4L, type);
    attached.set(Memory.INT, at + 8L, size);
    attachedBytes = end;
    return at + 16;
  }

  /** Adds a control message that is one int. */
  public void attached(int level, int type, int value) {
    int at = attach(level, type, 4);
    attached.set(Memory.INT, at, value);
  }

  /** {@return the memory of what was {@linkplain #attach attached}} */
  public MemorySegment attached() {
    return attached;
  }

  /** {@return at least {@code bytes} of memory for control messages}; valid until the next call */
  public MemorySegment control(int bytes) {
    if (control.byteSize() < bytes) {
      control = Arena.ofAuto().allocate(bytes, 8);
    }
    return control;
  }

  /**
   * {@return at least {@code bytes} of memory for data that come in pieces}; as {@link #control}
   */
  public MemorySegment data(int bytes) {
    if (data.byteSize() < bytes) {
      data = Arena.ofAuto().allocate(bytes, 8);
    }
    return data;
  }

  /** {@return the call state of {@code t}} */
  public static SocketCall of(Task t) {
    if (t.socketState instanceof SocketCall c) {
      return c;
    }
    SocketCall c = new SocketCall();
    t.socketState = c;
    return c;
  }

  /** {@return this, as for a call with nothing but {@code newFlags}} */
  public SocketCall reset(int newFlags) {
    flags = newFlags;
    name.length = 0;
    rights = NO_FILES;
    hasCredentials = false;
    outFlags = 0;
    accepted = null;
    timestampNs = 0;
    hasPacketInfo = false;
    packetInfoIndex = 1;
    sendTtl = -1;
    sendTos = -1;
    hasSource = false;
    attachedBytes = 0;
    return this;
  }

  /** Drops the references of {@link #rights}. */
  public void dropRights() {
    FileDescription[] all = rights;
    rights = NO_FILES;
    for (FileDescription f : all) {
      f.decRef();
    }
  }
}
