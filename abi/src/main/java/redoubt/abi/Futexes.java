package redoubt.abi;

/** futex(2), futex_waitv(2) and robust lists: {@code linux/futex.h}. */
public final class Futexes {
  // Operations.
  public static final int FUTEX_WAIT = 0;
  public static final int FUTEX_WAKE = 1;
  public static final int FUTEX_FD = 2;
  public static final int FUTEX_REQUEUE = 3;
  public static final int FUTEX_CMP_REQUEUE = 4;
  public static final int FUTEX_WAKE_OP = 5;
  public static final int FUTEX_LOCK_PI = 6;
  public static final int FUTEX_UNLOCK_PI = 7;
  public static final int FUTEX_TRYLOCK_PI = 8;
  public static final int FUTEX_WAIT_BITSET = 9;
  public static final int FUTEX_WAKE_BITSET = 10;
  public static final int FUTEX_WAIT_REQUEUE_PI = 11;
  public static final int FUTEX_CMP_REQUEUE_PI = 12;
  public static final int FUTEX_LOCK_PI2 = 13;
  public static final int FUTEX_PRIVATE_FLAG = 0x80;
  public static final int FUTEX_CLOCK_REALTIME = 0x100;
  public static final int FUTEX_CMD_MASK = -385;
  public static final int FUTEX_BITSET_MATCH_ANY = 0xffffffff;

  // The word of a PI or robust futex.
  public static final int FUTEX_WAITERS = 0x80000000;
  public static final int FUTEX_OWNER_DIED = 0x40000000;
  public static final int FUTEX_TID_MASK = 0x3fffffff;
  public static final int ROBUST_LIST_LIMIT = 2048;

  // FUTEX_WAKE_OP.
  public static final int FUTEX_OP_SET = 0;
  public static final int FUTEX_OP_ADD = 1;
  public static final int FUTEX_OP_OR = 2;
  public static final int FUTEX_OP_ANDN = 3;
  public static final int FUTEX_OP_XOR = 4;
  public static final int FUTEX_OP_OPARG_SHIFT = 8;
  public static final int FUTEX_OP_CMP_EQ = 0;
  public static final int FUTEX_OP_CMP_NE = 1;
  public static final int FUTEX_OP_CMP_LT = 2;
  public static final int FUTEX_OP_CMP_LE = 3;
  public static final int FUTEX_OP_CMP_GT = 4;
  public static final int FUTEX_OP_CMP_GE = 5;

  // futex_waitv(2) and the futex2 calls.
  public static final int FUTEX_32 = 2;
  public static final int FUTEX_WAITV_MAX = 128;
  public static final int FUTEX2_SIZE_U8 = 0;
  public static final int FUTEX2_SIZE_U16 = 1;
  public static final int FUTEX2_SIZE_U32 = 2;
  public static final int FUTEX2_SIZE_U64 = 3;
  public static final int FUTEX2_NUMA = 4;
  public static final int FUTEX2_PRIVATE = 128;
  public static final int FUTEX2_SIZE_MASK = 3;
  public static final int FUTEX_WAITV_VAL = 0;
  public static final int FUTEX_WAITV_UADDR = 8;
  public static final int FUTEX_WAITV_FLAGS = 16;
  public static final int FUTEX_WAITV_RESERVED = 20;
  public static final int SIZEOF_FUTEX_WAITV = 24;
  public static final int ROBUST_LIST_HEAD_LIST = 0;
  public static final int ROBUST_LIST_HEAD_FUTEX_OFFSET = 8;
  public static final int ROBUST_LIST_HEAD_LIST_OP_PENDING = 16;
  public static final int SIZEOF_ROBUST_LIST_HEAD = 24;

  private Futexes() {}
}
