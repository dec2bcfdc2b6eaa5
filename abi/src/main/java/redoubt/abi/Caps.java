package redoubt.abi;

/** Capabilities: numbers, names, and the headers of capget(2) and of the file attribute. */
public final class Caps {
  public static final int CAP_CHOWN = 0;
  public static final int CAP_DAC_OVERRIDE = 1;
  public static final int CAP_DAC_READ_SEARCH = 2;
  public static final int CAP_FOWNER = 3;
  public static final int CAP_FSETID = 4;
  public static final int CAP_KILL = 5;
  public static final int CAP_SETGID = 6;
  public static final int CAP_SETUID = 7;
  public static final int CAP_SETPCAP = 8;
  public static final int CAP_LINUX_IMMUTABLE = 9;
  public static final int CAP_NET_BIND_SERVICE = 10;
  public static final int CAP_NET_BROADCAST = 11;
  public static final int CAP_NET_ADMIN = 12;
  public static final int CAP_NET_RAW = 13;
  public static final int CAP_IPC_LOCK = 14;
  public static final int CAP_IPC_OWNER = 15;
  public static final int CAP_SYS_MODULE = 16;
  public static final int CAP_SYS_RAWIO = 17;
  public static final int CAP_SYS_CHROOT = 18;
  public static final int CAP_SYS_PTRACE = 19;
  public static final int CAP_SYS_PACCT = 20;
  public static final int CAP_SYS_ADMIN = 21;
  public static final int CAP_SYS_BOOT = 22;
  public static final int CAP_SYS_NICE = 23;
  public static final int CAP_SYS_RESOURCE = 24;
  public static final int CAP_SYS_TIME = 25;
  public static final int CAP_SYS_TTY_CONFIG = 26;
  public static final int CAP_MKNOD = 27;
  public static final int CAP_LEASE = 28;
  public static final int CAP_AUDIT_WRITE = 29;
  public static final int CAP_AUDIT_CONTROL = 30;
  public static final int CAP_SETFCAP = 31;
  public static final int CAP_MAC_OVERRIDE = 32;
  public static final int CAP_MAC_ADMIN = 33;
  public static final int CAP_SYSLOG = 34;
  public static final int CAP_WAKE_ALARM = 35;
  public static final int CAP_BLOCK_SUSPEND = 36;
  public static final int CAP_AUDIT_READ = 37;
  public static final int CAP_PERFMON = 38;
  public static final int CAP_BPF = 39;
  public static final int CAP_CHECKPOINT_RESTORE = 40;
  public static final int CAP_LAST_CAP = 40;
  public static final int _LINUX_CAPABILITY_VERSION_1 = 0x19980330;
  public static final int _LINUX_CAPABILITY_VERSION_2 = 0x20071026;
  public static final int _LINUX_CAPABILITY_VERSION_3 = 0x20080522;
  public static final int CAP_HEADER_VERSION = 0;
  public static final int CAP_HEADER_PID = 4;
  public static final int SIZEOF_CAP_HEADER = 8;
  public static final int CAP_DATA_EFFECTIVE = 0;
  public static final int CAP_DATA_PERMITTED = 4;
  public static final int CAP_DATA_INHERITABLE = 8;
  public static final int SIZEOF_CAP_DATA = 12;

  // security.capability.
  public static final int VFS_CAP_REVISION_MASK = 0xff000000;
  public static final int VFS_CAP_REVISION_1 = 0x1000000;
  public static final int VFS_CAP_REVISION_2 = 0x2000000;
  public static final int VFS_CAP_REVISION_3 = 0x3000000;
  public static final int VFS_CAP_FLAGS_EFFECTIVE = 1;
  public static final int XATTR_CAPS_SZ_1 = 12;
  public static final int XATTR_CAPS_SZ_2 = 20;
  public static final int XATTR_CAPS_SZ_3 = 24;

  private Caps() {}

  /**
   * Lower-case names by number, as {@code /proc} and the OCI specification (upper-case) use them.
   */
  private static final String[] NAMES = {
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
  };

  /** Every capability as a bit set. */
  public static final long CAP_FULL_SET = (1L << (CAP_LAST_CAP + 1)) - 1;

  /** {@return the name of capability {@code number}, as "CAP_CHOWN"} */
  public static String name(int number) {
    return "CAP_" + NAMES[number].toUpperCase(java.util.Locale.ROOT);
  }

  /**
   * {@return the number of a capability by name, with or without "CAP_", in any case; -1 if
   * unknown}
   */
  public static int byName(String name) {
    String n = name.toLowerCase(java.util.Locale.ROOT);
    if (n.startsWith("cap_")) {
      n = n.substring(4);
    }
    for (int i = 0; i < NAMES.length; i++) {
      if (NAMES[i].equals(n)) {
        return i;
      }
    }
    return -1;
  }
}
