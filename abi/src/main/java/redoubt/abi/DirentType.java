package redoubt.abi;

/** Directory entries: d_type and the records of getdents(2) and getdents64(2). */
public final class DirentType {
  public static final int DT_UNKNOWN = 0;
  public static final int DT_FIFO = 1;
  public static final int DT_CHR = 2;
  public static final int DT_DIR = 4;
  public static final int DT_BLK = 6;
  public static final int DT_REG = 8;
  public static final int DT_LNK = 10;
  public static final int DT_SOCK = 12;
  public static final int DT_WHT = 14;

  // struct linux_dirent64; the record length is a multiple of 8.
  public static final int DIRENT64_D_INO = 0;
  public static final int DIRENT64_D_OFF = 8;
  public static final int DIRENT64_D_RECLEN = 16;
  public static final int DIRENT64_D_TYPE = 18;
  public static final int DIRENT64_D_NAME = 19;

  // struct linux_dirent of the old getdents; d_type is the record's last byte.
  public static final int DIRENT_D_INO = 0;
  public static final int DIRENT_D_OFF = 8;
  public static final int DIRENT_D_RECLEN = 16;
  public static final int DIRENT_D_NAME = 18;

  private DirentType() {}
}
