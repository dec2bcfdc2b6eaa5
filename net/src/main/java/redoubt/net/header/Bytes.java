package redoubt.net.header;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Fields in network byte order. */
public final class Bytes {
  private static final VarHandle SHORT =
      MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.BIG_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  private Bytes() {}

  public static int u8(byte[] b, int at) {
    return b[at] & 0xff;
  }

  public static int u16(byte[] b, int at) {
    return (short) SHORT.get(b, at) & 0xffff;
  }

  public static int i32(byte[] b, int at) {
    return (int) INT.get(b, at);
  }

  public static long u32(byte[] b, int at) {
    return i32(b, at) & 0xffff_ffffL;
  }

  public static long i64(byte[] b, int at) {
    return (long) LONG.get(b, at);
  }

  /** {@return the 48 bits at {@code at}, an Ethernet address} */
  public static long u48(byte[] b, int at) {
    return (long) u16(b, at) << 32 | u32(b, at + 2);
  }

  public static void put8(byte[] b, int at, int v) {
    b[at] = (byte) v;
  }

  public static void put16(byte[] b, int at, int v) {
    SHORT.set(b, at, (short) v);
  }

  public static void put32(byte[] b, int at, int v) {
    INT.set(b, at, v);
  }

  public static void put64(byte[] b, int at, long v) {
    LONG.set(b, at, v);
  }

  public static void put48(byte[] b, int at, long v) {
    put16(b, at, (int) (v >>> 32));
    put32(b, at + 2, (int) v);
  }
}
