package redoubt.abi;

/**
 * Loop devices: uapi/linux/loop.h, <a
 * href="https://man7.org/linux/man-pages/man4/loop.4.html">loop(4)</a>.
 */
public final class Loop {
  public static final int LOOP_MAJOR = 7;
  public static final int LOOP_CTRL_MINOR = 237;

  public static final int LOOP_SET_FD = 0x4c00;
  public static final int LOOP_CLR_FD = 0x4c01;
  public static final int LOOP_SET_STATUS = 0x4c02;
  public static final int LOOP_GET_STATUS = 0x4c03;
  public static final int LOOP_SET_STATUS64 = 0x4c04;
  public static final int LOOP_GET_STATUS64 = 0x4c05;
  public static final int LOOP_CHANGE_FD = 0x4c06;
  public static final int LOOP_SET_CAPACITY = 0x4c07;
  public static final int LOOP_SET_DIRECT_IO = 0x4c08;
  public static final int LOOP_SET_BLOCK_SIZE = 0x4c09;
  public static final int LOOP_CONFIGURE = 0x4c0a;
  public static final int LOOP_CTL_ADD = 0x4c80;
  public static final int LOOP_CTL_REMOVE = 0x4c81;
  public static final int LOOP_CTL_GET_FREE = 0x4c82;

  public static final int LO_FLAGS_READ_ONLY = 1;
  public static final int LO_FLAGS_AUTOCLEAR = 4;
  public static final int LO_FLAGS_PARTSCAN = 8;
  public static final int LO_FLAGS_DIRECT_IO = 16;

  public static final int LO_NAME_SIZE = 64;

  // struct loop_info64
  public static final int LOOP_INFO64_SIZE = 232;
  public static final int LOOP_INFO64_LO_DEVICE = 0;
  public static final int LOOP_INFO64_LO_INODE = 8;
  public static final int LOOP_INFO64_LO_RDEVICE = 16;
  public static final int LOOP_INFO64_LO_OFFSET = 24;
  public static final int LOOP_INFO64_LO_SIZELIMIT = 32;
  public static final int LOOP_INFO64_LO_NUMBER = 40;
  public static final int LOOP_INFO64_LO_ENCRYPT_TYPE = 44;
  public static final int LOOP_INFO64_LO_FLAGS = 52;
  public static final int LOOP_INFO64_LO_FILE_NAME = 56;

  // struct loop_info
  public static final int LOOP_INFO_SIZE = 168;
  public static final int LOOP_INFO_LO_NUMBER = 0;
  public static final int LOOP_INFO_LO_DEVICE = 8;
  public static final int LOOP_INFO_LO_INODE = 16;
  public static final int LOOP_INFO_LO_RDEVICE = 24;
  public static final int LOOP_INFO_LO_OFFSET = 32;
  public static final int LOOP_INFO_LO_ENCRYPT_TYPE = 36;
  public static final int LOOP_INFO_LO_FLAGS = 44;
  public static final int LOOP_INFO_LO_NAME = 48;

  // struct loop_config
  public static final int LOOP_CONFIG_SIZE = 304;
  public static final int LOOP_CONFIG_FD = 0;
  public static final int LOOP_CONFIG_BLOCK_SIZE = 4;
  public static final int LOOP_CONFIG_INFO = 8;

  private Loop() {}
}
