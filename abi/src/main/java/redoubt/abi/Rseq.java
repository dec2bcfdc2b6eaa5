package redoubt.abi;

/** rseq(2). */
public final class Rseq {
  public static final int RSEQ_CPU_ID_UNINITIALIZED = -1;
  public static final int RSEQ_CPU_ID_REGISTRATION_FAILED = -2;
  public static final int RSEQ_FLAG_UNREGISTER = 1;
  public static final int RSEQ_CS_FLAG_NO_RESTART_ON_PREEMPT = 1;
  public static final int RSEQ_CS_FLAG_NO_RESTART_ON_SIGNAL = 2;
  public static final int RSEQ_CS_FLAG_NO_RESTART_ON_MIGRATE = 4;
  public static final int RSEQ_CPU_ID_START = 0;
  public static final int RSEQ_CPU_ID = 4;
  public static final int RSEQ_RSEQ_CS = 8;
  public static final int RSEQ_FLAGS = 16;
  public static final int SIZEOF_RSEQ = 32;
  public static final int RSEQ_CS_VERSION = 0;
  public static final int RSEQ_CS_FLAGS = 4;
  public static final int RSEQ_CS_START_IP = 8;
  public static final int RSEQ_CS_POST_COMMIT_OFFSET = 16;
  public static final int RSEQ_CS_ABORT_IP = 24;
  public static final int SIZEOF_RSEQ_CS = 32;

  private Rseq() {}
}
