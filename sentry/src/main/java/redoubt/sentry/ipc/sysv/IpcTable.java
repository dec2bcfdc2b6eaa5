package redoubt.sentry.ipc.sysv;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EEXIST;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.ENOENT;
import static redoubt.abi.Errno.ENOSPC;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Ipc;
import redoubt.sentry.kernel.Task;

/** The objects of one kind by number and key: Linux's ipc_ids. Its monitor guards them all. */
abstract class IpcTable<T extends IpcObject> {
  private final int limit;
  private final TreeMap<Integer, T> byId = new TreeMap<>();
  private final Map<Integer, T> byKey = new HashMap<>();
  private int nextId;

  IpcTable(int limit) {
    this.limit = limit;
  }

  /** Makes one, or {@return null} and leaves in {@link #refused} why not. */
  abstract @Nullable T make(Task t, int id, int key, int size, int flags);

  /** What {@link #make} or {@link #accepts} had against it: -errno. */
  long refused;

  /** {@return whether an existing object is what the caller asks for} (semget's size) */
  boolean accepts(T existing, int size) {
    return true;
  }

  /** semget(2) and msgget(2): ipcget. Returns a number or -errno. */
  final synchronized long get(Task t, int key, int size, int flags) {
    T old = key == Ipc.IPC_PRIVATE ? null : byKey.get(key);
    if (old != null) {
      return existing(t, old, size, flags);
    }
    if (key != Ipc.IPC_PRIVATE && (flags & Ipc.IPC_CREAT) == 0) {
      return -ENOENT;
    }
    if (byId.size() >= limit) {
      return -ENOSPC;
    }
    T made = make(t, nextId, key, size, flags);
    if (made == null) {
      return refused;
    }
    byId.put(nextId, made);
    if (key != Ipc.IPC_PRIVATE) {
      byKey.put(key, made);
    }
    return nextId++;
  }

  private long existing(Task t, T old, int size, int flags) {
    int both = Ipc.IPC_CREAT | Ipc.IPC_EXCL;
    if ((flags & both) == both) {
      return -EEXIST;
    }
    if (!accepts(old, size)) {
      return -EINVAL;
    }
    int want = (flags >> 6 | flags >> 3 | flags) & 7;
    return old.permits(t.creds(), want) ? old.id : -EACCES;
  }

  final @Nullable T find(int id) {
    return byId.get(id);
  }

  /** Takes an object out: its number and key are free. */
  final void take(T object) {
    object.removed = true;
    byId.remove(object.id);
    byKey.remove(object.key, object);
  }

  final List<T> all() {
    return new ArrayList<>(byId.values());
  }

  final int count() {
    return byId.size();
  }

  final int highestId() {
    return byId.isEmpty() ? 0 : byId.lastKey();
  }
}
