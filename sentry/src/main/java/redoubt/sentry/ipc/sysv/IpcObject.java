package redoubt.sentry.ipc.sysv;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Caps;
import redoubt.abi.Ipc;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Clocks;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.Task;

/**
 * What System V's objects have in common: Linux's kern_ipc_perm. Guarded by its table's monitor.
 */
abstract class IpcObject {
  final int id;
  final int key;
  final int creatorUid;
  final int creatorGid;
  int uid;
  int gid;
  int mode;
  boolean removed;

  /** Whose capabilities count for it. */
  private final redoubt.sentry.kernel.UserNamespace owner;

  long changedAt = now();

  IpcObject(int id, int key, int mode, Task t) {
    this.id = id;
    this.key = key;
    this.mode = mode & 0777;
    this.uid = t.creds().euid;
    this.gid = t.creds().egid;
    this.creatorUid = uid;
    this.creatorGid = gid;
    this.owner = t.namespaces().ipc.owner();
  }

  /** {@return the time in seconds} */
  static long now() {
    return Clocks.realtimeNs() / 1_000_000_000L;
  }

  /** {@return whether {@code c} may do what {@code want} (4 read, 2 write) says}: ipcperms */
  boolean permits(Credentials c, int want) {
    if (c.hasCapability(owner, Caps.CAP_IPC_OWNER)) {
      return true;
    }
    int granted = mode;
    if (c.euid == uid || c.euid == creatorUid) {
      granted >>= 6;
    } else if (c.inEffectiveGroup(gid) || c.inEffectiveGroup(creatorGid)) {
      granted >>= 3;
    }
    return (granted & want) == want;
  }

  boolean isOwner(Credentials c) {
    return c.euid == uid || c.euid == creatorUid || c.hasCapability(owner, Caps.CAP_SYS_ADMIN);
  }

  /** Writes struct ipc64_perm. */
  void writePerm(MemorySegment m) {
    m.set(Memory.INT, Ipc.IPC64_PERM_KEY, key);
    m.set(Memory.INT, Ipc.IPC64_PERM_UID, uid);
    m.set(Memory.INT, Ipc.IPC64_PERM_GID, gid);
    m.set(Memory.INT, Ipc.IPC64_PERM_CUID, creatorUid);
    m.set(Memory.INT, Ipc.IPC64_PERM_CGID, creatorGid);
    m.set(Memory.INT, Ipc.IPC64_PERM_MODE, mode);
  }

  /** IPC_SET: takes owner and permissions from a struct ipc64_perm. */
  void readPerm(MemorySegment m) {
    uid = m.get(Memory.INT, Ipc.IPC64_PERM_UID);
    gid = m.get(Memory.INT, Ipc.IPC64_PERM_GID);
    mode = m.get(Memory.INT, Ipc.IPC64_PERM_MODE) & 0777;
    changedAt = now();
  }

  /**
   * Appends {@code text}, right-aligned. (No String.format: its locale tables are not in the
   * sentry's image.)
   */
  static void column(StringBuilder out, int width, String text) {
    out.repeat(' ', Math.max(0, width - text.length())).append(text);
  }
}
