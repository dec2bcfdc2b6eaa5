package redoubt.sandbox.warden;

/** Numbers of docs/protocol.md; {@code native/agent/link.h} is the other side. */
final class Protocol {
  static final int VERSION = 3;

  /** length u32, type u16, zero u16, id u32. */
  static final int HEADER = 12;

  /** Most bytes of a payload. */
  static final int FRAME_LIMIT = 192 << 10;

  /** Bytes that may be under way on a channel before the receiver takes some. */
  static final int WINDOW = 64 << 10;

  static final int CHUNK = 16 << 10;

  /**
   * FUSE requests that the agent may have waiting here, and some slack for those without answer.
   */
  static final int FUSE_OUTSTANDING = 32;

  static final int HELLO = 1;
  static final int CREATE = 2;
  static final int START = 3;
  static final int EXEC = 4;
  static final int SIGNAL = 5;
  static final int PS = 6;
  static final int PAUSE = 7;
  static final int RESUME = 8;
  static final int RESIZE = 9;
  static final int STATS = 10;
  static final int REMOVE = 11;
  static final int SHUTDOWN = 12;
  static final int NETWORK = 13;
  static final int DATA = 0x40;
  static final int END = 0x41;
  static final int CREDIT = 0x42;
  static final int FUSE = 0x50;
  static final int READY = 0x80;
  static final int OK = 0x81;
  static final int ERROR = 0x82;
  static final int EXITED = 0x83;
  static final int OOM = 0x84;

  static final int STDIN = 0;
  static final int STDOUT = 1;
  static final int STDERR = 2;

  private Protocol() {}
}
