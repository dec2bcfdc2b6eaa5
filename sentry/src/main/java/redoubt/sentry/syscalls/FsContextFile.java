package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EBUSY;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EMSGSIZE;
import static redoubt.abi.Errno.ENODATA;
import static redoubt.abi.Errno.EPERM;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.sentry.fs.FileSystems;
import redoubt.sentry.fs.overlay.OverlayOptions;
import redoubt.sentry.fs.tmpfs.TmpFsOptions;
import redoubt.sentry.ipc.AnonymousFiles;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.FileSystem;

/**
 * A filesystem on its way to be made or changed: what fsopen(2) and fspick(2) open,
 * fs/fs_context.c. Guarded by its monitor.
 */
final class FsContextFile extends FileDescription {
  private static final int MAX_MESSAGES = 8;
  private static final int MAX_OPTIONS = 16;

  /** FS_CONTEXT_*: what may be done next. */
  private enum Phase {
    CREATE_PARAMS,
    AWAITING_MOUNT,
    RECONF_PARAMS,
    FAILED
  }

  private final String type;
  private final FileSystems.@Nullable Type maker;
  private final List<String> options = new ArrayList<>();
  private final ArrayDeque<String> messages = new ArrayDeque<>();
  private Phase phase;
  private String source = "";
  private boolean readOnly;
  private @Nullable FileSystem fs;

  /** fsopen(2). */
  FsContextFile(Task t, String type, FileSystems.Type maker) {
    super(AnonymousFiles.of(t.kernel()).newOther(t.creds(), "[fscontext]"), O_RDWR, t.creds());
    this.type = type;
    this.maker = maker;
    this.phase = Phase.CREATE_PARAMS;
  }

  /** fspick(2). */
  FsContextFile(Task t, FileSystem fs) {
    super(AnonymousFiles.of(t.kernel()).newOther(t.creds(), "[fscontext]"), O_RDWR, t.creds());
    this.type = fs.type();
    this.maker = null;
    this.fs = fs;
    this.readOnly = fs.isReadOnly();
    this.phase = Phase.RECONF_PARAMS;
  }

  private long refuse(String text, int errno) {
    if (messages.size() == MAX_MESSAGES) {
      messages.removeFirst();
    }
    messages.addLast("e " + text + "\n");
    return -errno;
  }

  /** FSCONFIG_SET_FLAG ({@code value} null) and FSCONFIG_SET_STRING: vfs_parse_fs_param. */
  synchronized long set(String key, @Nullable String value) {
    if (phase != Phase.CREATE_PARAMS && phase != Phase.RECONF_PARAMS) {
      return -EBUSY;
    }
    if (value == null) {
      switch (key) {
        case "ro" -> {
          readOnly = true;
          return 0;
        }
        case "rw" -> {
          readOnly = false;
          return 0;
        }
        case "sync", "async", "dirsync", "lazytime", "nolazytime", "mand", "nomand" -> {
          return 0;
        }
        default -> {}
      }
    }
    if (key.equals("source")) {
      if (value == null) {
        return refuse("Non-string source", EINVAL);
      }
      if (!source.isEmpty()) {
        return refuse("Multiple sources", EINVAL);
      }
      source = value;
      return 0;
    }
    String option = value == null ? key : key + "=" + value;
    if (options.size() == MAX_OPTIONS || option.indexOf(',') >= 0) {
      return -EINVAL;
    }
    if (!knows(option)) {
      return refuse(type + ": Unknown parameter '" + key + "'", EINVAL);
    }
    options.add(option);
    return 0;
  }

  private static final Set<String> DEVPTS =
      Set.of("uid", "gid", "mode", "ptmxmode", "max", "newinstance");
  private static final Set<String> PROC = Set.of("gid", "hidepid", "subset");

  /** {@return whether the type takes {@code option}} */
  private boolean knows(String option) {
    int eq = option.indexOf('=');
    String name = eq < 0 ? option : option.substring(0, eq);
    return switch (type) {
      case "tmpfs" -> TmpFsOptions.isValid(option);
      case "devpts" -> DEVPTS.contains(name);
      case "proc" -> PROC.contains(name);
      case "overlay" -> OverlayOptions.isValid(option);
      default -> false;
    };
  }

  /** FSCONFIG_CMD_CREATE and FSCONFIG_CMD_CREATE_EXCL. */
  synchronized long create(Task t) {
    FileSystems.Type m = maker;
    if (phase != Phase.CREATE_PARAMS || m == null) {
      return -EBUSY;
    }
    if (!Mounting.mayMake(t, type)) {
      return -EPERM;
    }
    try {
      fs = Mounting.make(t, m, source, options);
    } catch (ErrnoException e) {
      phase = Phase.FAILED;
      return -e.errno();
    }
    fs.setReadOnly(readOnly);
    phase = Phase.AWAITING_MOUNT;
    return 0;
  }

  /** FSCONFIG_CMD_RECONFIGURE. */
  synchronized long reconfigure(Task t) {
    FileSystem f = fs;
    if (phase != Phase.RECONF_PARAMS || f == null) {
      return -EBUSY;
    }
    if (!t.hasCapability(f.owner(), Caps.CAP_SYS_ADMIN)) {
      return -EPERM;
    }
    if (readOnly && !f.isReadOnly() && f.hasWriters()) {
      return -EBUSY;
    }
    f.remount(options);
    f.setReadOnly(readOnly);
    options.clear();
    return 0;
  }

  /**
   * fsmount(2): {@return the filesystem, which is the mount's now}; ErrnoException EINVAL, EBUSY
   */
  synchronized FileSystem take() {
    FileSystem f = fs;
    if (f == null) {
      throw ErrnoException.of(phase == Phase.FAILED ? EBUSY : EINVAL);
    }
    if (phase != Phase.AWAITING_MOUNT) {
      throw ErrnoException.of(EBUSY);
    }
    fs = null;
    phase = Phase.FAILED;
    return f;
  }

  /** {@return what /proc/mounts shows as the device} */
  synchronized String source() {
    return source.isEmpty() ? "none" : source;
  }

  /** What went wrong, a line a read. */
  @Override
  public synchronized long read(Task t, IoBuffer dst, long offset) {
    String m = messages.peekFirst();
    if (m == null) {
      return -ENODATA;
    }
    if (m.length() > dst.remaining()) {
      return -EMSGSIZE;
    }
    messages.removeFirst();
    return dst.put(MemorySegment.ofArray(Latin1.bytes(m)), 0, m.length());
  }

  @Override
  protected synchronized void release() {
    FileSystem f = fs;
    if (f != null && phase == Phase.AWAITING_MOUNT) {
      new redoubt.sentry.vfs.Mount(f, new redoubt.sentry.vfs.Dentry(f.root()), "none", 0).discard();
    }
    fs = null;
  }
}
