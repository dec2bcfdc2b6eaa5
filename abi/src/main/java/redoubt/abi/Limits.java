package redoubt.abi;

/** Kernel-wide limits of {@code linux/limits.h}, {@code linux/binfmts.h} and others. */
public final class Limits {
  public static final int NR_OPEN = 1024;
  public static final int NGROUPS_MAX = 65536;
  public static final int ARG_MAX = 131072;
  public static final int LINK_MAX = 127;
  public static final int MAX_CANON = 255;
  public static final int MAX_INPUT = 255;
  public static final int NAME_MAX = 255;
  public static final int PATH_MAX = 4096;
  public static final int PIPE_BUF = 4096;
  public static final int XATTR_NAME_MAX = 255;
  public static final int XATTR_SIZE_MAX = 65536;
  public static final int XATTR_LIST_MAX = 65536;
  public static final int RTSIG_MAX = 32;
  public static final int BINPRM_BUF_SIZE = 256;
  public static final int UIO_FASTIOV = 8;
  public static final int UIO_MAXIOV = 1024;

  // linux/binfmts.h and linux/fs.h as the kernel has them; the exported header asks for a page
  // size.
  public static final int MAX_ARG_STRLEN = 131072;
  public static final int MAX_ARG_STRINGS = 0x7fffffff;
  public static final int MAX_RW_COUNT = 0x7ffff000;
  public static final int MAXSYMLINKS = 40;
  public static final int TASK_COMM_LEN = 16;

  private Limits() {}
}
