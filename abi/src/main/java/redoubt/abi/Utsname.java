package redoubt.abi;

/** uname(2) and sysinfo(2). */
public final class Utsname {
  // struct new_utsname: fields of 65 bytes.
  public static final int __NEW_UTS_LEN = 64;
  public static final int UTSNAME_SYSNAME = 0;
  public static final int UTSNAME_NODENAME = 65;
  public static final int UTSNAME_RELEASE = 130;
  public static final int UTSNAME_VERSION = 195;
  public static final int UTSNAME_MACHINE = 260;
  public static final int UTSNAME_DOMAINNAME = 325;
  public static final int SIZEOF_UTSNAME = 390;
  public static final int SYSINFO_UPTIME = 0;
  public static final int SYSINFO_LOADS = 8;
  public static final int SYSINFO_TOTALRAM = 32;
  public static final int SYSINFO_FREERAM = 40;
  public static final int SYSINFO_SHAREDRAM = 48;
  public static final int SYSINFO_BUFFERRAM = 56;
  public static final int SYSINFO_TOTALSWAP = 64;
  public static final int SYSINFO_FREESWAP = 72;
  public static final int SYSINFO_PROCS = 80;
  public static final int SYSINFO_TOTALHIGH = 88;
  public static final int SYSINFO_FREEHIGH = 96;
  public static final int SYSINFO_MEM_UNIT = 104;
  public static final int SIZEOF_SYSINFO = 112;
  public static final int SI_LOAD_SHIFT = 16;

  private Utsname() {}
}
