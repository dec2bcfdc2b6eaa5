package redoubt.sentry.ipc;

import static redoubt.abi.Fanotify.*;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.PidNamespace;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FsNotify;
import redoubt.sentry.vfs.HandleTable;
import redoubt.sentry.vfs.VfsPath;

/**
 * One event in a fanotify group's queue. The files that it tells of by path are pinned until {@link
 * #unpin}; written once, then guarded by the group.
 */
final class FanotifyEvent {
  /** Events about an entry of a directory: ALL_FSNOTIFY_DIRENT_EVENTS. */
  static final int ENTRY_EVENTS =
      FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_RENAME;

  private static final int SIZEOF_INFO = 4;
  private static final int SIZEOF_FSID = 8;
  private static final int SIZEOF_FID =
      SIZEOF_INFO + SIZEOF_FSID + HandleTable.SIZEOF_HEADER + HandleTable.BYTES;
  private static final int SIZEOF_PIDFD_INFO = 8;

  int mask;
  final @Nullable Task who;
  final @Nullable VfsPath path;
  @Nullable FileId object;
  @Nullable FileId dir;
  @Nullable String name;
  @Nullable FileId newDir;
  @Nullable String newName;
  @Nullable Key key;

  /** The answer to a question: 0 while there is none. */
  volatile int response;

  /** The descriptor by which the question was put. */
  int fd = FAN_NOFD;

  /** A file for a reader of handles. */
  record FileId(long device, long number) {}

  /** What must be equal for two events to become one: fanotify_should_merge. */
  record Key(
      Object who,
      @Nullable Object mount,
      @Nullable Object file,
      @Nullable FileId dir,
      @Nullable String name,
      boolean onDir) {}

  FanotifyEvent(int mask, @Nullable Task who, @Nullable VfsPath path) {
    this.mask = mask;
    this.who = who;
    this.path = path;
    if (path != null) {
      path.dentry.pin();
      path.mount.pin();
    }
  }

  /** {@return whether somebody waits for an answer} */
  boolean asks() {
    return (mask & (FAN_OPEN_PERM | FAN_ACCESS_PERM | FAN_OPEN_EXEC_PERM)) != 0;
  }

  void unpin() {
    if (path != null) {
      path.dentry.unpin();
      FsNotify.unpinned(path.dentry);
      path.mount.unpin();
    }
  }

  /** {@return its bytes for a reader of {@code group}} */
  int length(Fanotify group) {
    int n = SIZEOF_METADATA;
    n += dir == null ? 0 : fidLength(name);
    n += newDir == null ? 0 : fidLength(newName);
    n += object == null ? 0 : fidLength(objectName(group));
    return group.has(FAN_REPORT_PIDFD) && mask != FAN_Q_OVERFLOW ? n + SIZEOF_PIDFD_INFO : n;
  }

  private static int fidLength(@Nullable String name) {
    return SIZEOF_FID + (name == null ? 0 : (name.length() + 4) & -4);
  }

  /** A directory's own events name it ".": copy_info_records_to_user. */
  private @Nullable String objectName(Fanotify group) {
    return dir == null && group.has(FAN_REPORT_NAME) && (mask & FAN_ONDIR) != 0 ? "." : null;
  }

  /** Writes struct fanotify_event_metadata and what follows it. {@return its length} */
  int write(Fanotify group, MemorySegment s, PidNamespace viewer, int fd, int pidfd) {
    int length = length(group);
    s.asSlice(0, length).fill((byte) 0);
    s.set(Memory.INT, METADATA_EVENT_LEN, length);
    s.set(Memory.BYTE, METADATA_VERS, (byte) FANOTIFY_METADATA_VERSION);
    s.set(Memory.SHORT, METADATA_METADATA_LEN, (short) SIZEOF_METADATA);
    s.set(Memory.LONG, METADATA_MASK, mask & 0xffff_ffffL);
    s.set(Memory.INT, METADATA_FD, fd);
    s.set(Memory.INT, METADATA_PID, pid(group, viewer));
    int at = SIZEOF_METADATA;
    boolean renamed = (mask & FAN_RENAME) != 0;
    if (dir != null) {
      int type =
          renamed
              ? FAN_EVENT_INFO_TYPE_OLD_DFID_NAME
              : name != null ? FAN_EVENT_INFO_TYPE_DFID_NAME : FAN_EVENT_INFO_TYPE_DFID;
      at = writeFid(s, at, type, dir, name);
    }
    if (newDir != null) {
      at = writeFid(s, at, FAN_EVENT_INFO_TYPE_NEW_DFID_NAME, newDir, newName);
    }
    if (object != null) {
      at = writeFid(s, at, objectType(group), object, objectName(group));
    }
    if (at < length) {
      s.set(Memory.BYTE, at, (byte) FAN_EVENT_INFO_TYPE_PIDFD);
      s.set(Memory.SHORT, at + 2, (short) SIZEOF_PIDFD_INFO);
      s.set(Memory.INT, at + 4, pidfd);
    }
    return length;
  }

  private int objectType(Fanotify group) {
    if (dir != null || !group.has(FAN_REPORT_DIR_FID)) {
      return FAN_EVENT_INFO_TYPE_FID;
    }
    if (objectName(group) != null) {
      return FAN_EVENT_INFO_TYPE_DFID_NAME;
    }
    return (mask & (ENTRY_EVENTS | FAN_ONDIR)) != 0
        ? FAN_EVENT_INFO_TYPE_DFID
        : FAN_EVENT_INFO_TYPE_FID;
  }

  private int pid(Fanotify group, PidNamespace viewer) {
    Task t = who;
    if (t == null || (group.isUnprivileged() && Task.current() != null && !isReaders(t))) {
      return 0;
    }
    return group.has(FAN_REPORT_TID) ? t.tidIn(viewer) : t.threadGroup().tgidIn(viewer);
  }

  private static boolean isReaders(Task t) {
    Task reader = Task.current();
    return reader != null && reader.threadGroup() == t.threadGroup();
  }

  private static int writeFid(
      MemorySegment s, int at, int type, FileId file, @Nullable String name) {
    int length = fidLength(name);
    s.set(Memory.BYTE, at, (byte) type);
    s.set(Memory.SHORT, at + 2, (short) length);
    s.set(Memory.LONG, at + SIZEOF_INFO, file.device);
    HandleTable.write(s, at + SIZEOF_INFO + SIZEOF_FSID, file.device, file.number);
    if (name != null) {
      Latin1.writeZ(s, at + SIZEOF_FID, name);
    }
    return at + length;
  }
}
