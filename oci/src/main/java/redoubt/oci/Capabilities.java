package redoubt.oci;

import java.util.ArrayList;
import java.util.List;

/** Capability names of capabilities(7) as bit masks. */
public final class Capabilities {
  private static final String[] NAMES = {
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE"
  };

  /** Every capability. */
  public static final long ALL = (1L << NAMES.length) - 1;

  private Capabilities() {}

  /** {@return the bit of {@code CAP_…}, with or without the prefix, or -1 if there is none such} */
  public static int bit(String name) {
    String bare = name.regionMatches(true, 0, "CAP_", 0, 4) ? name.substring(4) : name;
    for (int i = 0; i < NAMES.length; i++) {
      if (NAMES[i].equalsIgnoreCase(bare)) {
        return i;
      }
    }
    return -1;
  }

  /** {@return all names, as {@code CAP_CHOWN}} */
  public static List<String> names() {
    var names = new ArrayList<String>();
    for (String name : NAMES) {
      names.add("CAP_" + name);
    }
    return names;
  }
}
