package redoubt.sentry.fs.proc;

import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;

import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Caps;
import redoubt.sentry.fs.kernfs.KernDir;
import redoubt.sentry.fs.kernfs.TextFile;
import redoubt.sentry.kernel.Changes;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.ThreadGroup;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Inode;
import redoubt.sentry.vfs.VfsPath;

/** /proc/PID and /proc/PID/task/TID. Its files are made when looked up. */
final class TaskDir extends KernDir implements redoubt.sentry.kernel.ProcessDirectory {
  /** The names here, in the order they are listed; the place is part of the inode number. */
  private static final List<String> NAMES =
      List.of(
          "task",
          "fd",
          "fdinfo",
          "ns",
          "net",
          "attr",
          "environ",
          "auxv",
          "status",
          "personality",
          "limits",
          "comm",
          "syscall",
          "cmdline",
          "stat",
          "statm",
          "maps",
          "numa_maps",
          "mem",
          "cwd",
          "root",
          "exe",
          "mounts",
          "mountinfo",
          "mountstats",
          "clear_refs",
          "smaps",
          "smaps_rollup",
          "pagemap",
          "wchan",
          "stack",
          "schedstat",
          "sched",
          "autogroup",
          "cpuset",
          "cgroup",
          "oom_score",
          "oom_adj",
          "oom_score_adj",
          "loginuid",
          "sessionid",
          "coredump_filter",
          "io",
          "uid_map",
          "gid_map",
          "projid_map",
          "setgroups",
          "timens_offsets",
          "timers",
          "timerslack_ns",
          "arch_status",
          "children");

  /** Only for whole processes. */
  private static final List<String> PROCESS_ONLY =
      List.of(
          "task",
          "coredump_filter",
          "mountstats",
          "autogroup",
          "timers",
          "timerslack_ns",
          "timens_offsets");

  private final ProcFs proc;
  private final Target target;

  TaskDir(ProcFs proc, Target target, int number) {
    super(proc, ino(number, target.isTask() ? TASK : 0), 0555);
    this.proc = proc;
    this.target = target;
  }

  private static final long TASK = 1L << 30;

  /** {@return the inode number of file {@code slot} of the directory with number {@code pid}} */
  static long ino(int pid, long slot) {
    return ((long) pid + 1) << 32 | slot;
  }

  @Override
  public @Nullable ThreadGroup process() {
    return target.isTask() ? null : target.group();
  }

  Target target() {
    return target;
  }

  private long slot(String name) {
    return ino(target.id, (target.isTask() ? TASK : 0) + 1 + NAMES.indexOf(name));
  }

  private long base(int region) {
    return ino(target.id, (target.isTask() ? TASK : 0) | (long) region << 24);
  }

  @Override
  public int uid() {
    return target.uid();
  }

  @Override
  public int gid() {
    return target.gid();
  }

  @Override
  protected boolean stands(String name, Inode child) {
    return target.isAlive();
  }

  @Override
  protected int linkCount() {
    return target.isTask() ? 8 : 9;
  }

  // The names are listed as numbered children that have names.

  @Override
  public redoubt.sentry.vfs.FileDescription open(Task t, VfsPath path, int flags) {
    return new NamedDirFile(this, path, flags, t);
  }

  boolean has(String name) {
    return target.isTask() ? !PROCESS_ONLY.contains(name) : !name.equals("children");
  }

  /** An open /proc/PID: lists {@link #NAMES}. */
  private static final class NamedDirFile extends redoubt.sentry.fs.kernfs.ListedDirFile {
    private final TaskDir dir;

    NamedDirFile(TaskDir dir, VfsPath path, int flags, Task t) {
      super(dir, path, flags, t);
      this.dir = dir;
    }

    @Override
    protected int count() {
      return dir.target.isAlive() ? NAMES.size() : 0;
    }

    @Override
    protected @Nullable String name(int index) {
      String n = NAMES.get(index);
      return dir.has(n) ? n : null;
    }

    @Override
    protected long ino(int index) {
      return dir.slot(NAMES.get(index));
    }

    @Override
    protected int type(int index) {
      return switch (NAMES.get(index)) {
        case "task", "fd", "fdinfo", "ns", "net", "attr" -> DT_DIR;
        case "cwd", "root", "exe" -> DT_LNK;
        default -> DT_REG;
      };
    }
  }

  @Override
  protected @Nullable Inode dynamic(String name) {
    if (!target.isAlive() || !NAMES.contains(name) || !has(name)) {
      return null;
    }
    return switch (name) {
      case "task" -> new TasksDir(proc, target, slot(name));
      case "fd" -> new FdDir(proc, target, slot(name), base(1), false);
      case "fdinfo" -> new FdDir(proc, target, slot(name), base(2), true);
      case "ns" -> NamespaceDir.of(proc, target, slot(name), base(3));
      case "net" -> proc.net();
      case "attr" -> attr();
      case "cwd", "root", "exe" -> new TaskLink(proc, target, slot(name), name);
      case "mem" -> new MemoryFileInode(proc, target, slot(name));
      case "environ" -> secret(name, TaskTexts::environ);
      case "auxv" -> secret(name, TaskTexts::auxv);
      case "personality" ->
          secret(name, (t, o) -> o.append(TaskTexts.hex8(t.personality)).append('\n'));
      case "syscall" -> secret(name, TaskTexts::syscall);
      case "stack" -> secret(name, (t, o) -> {});
      case "pagemap" -> secret(name, (t, o) -> {});
      case "io" -> secret(name, TaskTexts::io);
      case "maps" -> open(name, MemoryTexts::maps);
      case "smaps" -> open(name, MemoryTexts::smaps);
      case "smaps_rollup" -> open(name, MemoryTexts::smapsRollup);
      case "numa_maps" -> open(name, MemoryTexts::numaMaps);
      case "status" -> file(name, 0444, (t, o) -> TaskStatus.status(t, o, proc.pids()));
      case "stat" ->
          file(name, 0444, (t, o) -> TaskStatus.stat(t, o, target.isTask(), proc.pids()));
      case "statm" -> file(name, 0444, MemoryTexts::statm);
      case "cmdline" -> file(name, 0444, TaskTexts::cmdline);
      case "limits" -> file(name, 0444, TaskTexts::limits);
      case "comm" -> comm();
      case "mounts" -> new MountsText(name, 0444, MountTexts::mounts);
      case "mountinfo" -> new MountsText(name, 0444, MountTexts::mountinfo);
      case "mountstats" -> new MountsText(name, 0400, MountTexts::mountstats);
      case "clear_refs" -> writable(name, 0200, (t, o) -> {}, (t, s) -> 0);
      case "wchan" -> file(name, 0444, (t, o) -> o.append('0'));
      case "schedstat" ->
          file(
              name,
              0444,
              (t, o) ->
                  o.append(t.threadCpuNs())
                      .append(" 0 ")
                      .append(t.voluntarySwitches + 1)
                      .append('\n'));
      case "sched" -> file(name, 0644, TaskTexts::sched);
      case "autogroup" -> file(name, 0644, (t, o) -> o.append("/autogroup-1 nice 0\n"));
      case "cpuset" -> file(name, 0444, (t, o) -> o.append("/\n"));
      case "cgroup" -> file(name, 0444, TaskTexts::cgroup);
      case "oom_score" ->
          file(name, 0444, (t, o) -> o.append(oomScore(t.threadGroup())).append('\n'));
      case "oom_adj" ->
          writable(
              name,
              0644,
              (t, o) -> o.append(t.threadGroup().oomScoreAdj * 17 / 1000).append('\n'),
              TaskDir::setOomAdj);
      case "oom_score_adj" ->
          writable(
              name,
              0644,
              (t, o) -> o.append(t.threadGroup().oomScoreAdj).append('\n'),
              TaskDir::setOomScoreAdj);
      case "loginuid" ->
          writable(
              name,
              0644,
              (t, o) -> o.append(Integer.toUnsignedString(t.threadGroup().loginUid)),
              TaskDir::setLoginUid);
      case "sessionid" -> file(name, 0444, (t, o) -> o.append("4294967295"));
      case "coredump_filter" -> writable(name, 0644, (t, o) -> o.append("00000033\n"), (t, s) -> 0);
      case "uid_map", "gid_map", "projid_map", "setgroups" ->
          new IdMapFile(proc, target, slot(name), name);
      case "timens_offsets" -> new TimeOffsetsFile(proc, target, slot(name));
      case "timers" -> file(name, 0444, (t, o) -> {});
      case "timerslack_ns" ->
          writable(
              name, 0666, (t, o) -> o.append(t.timerSlackNs).append('\n'), TaskDir::setTimerSlack);
      case "arch_status" -> file(name, 0444, (t, o) -> {});
      case "children" -> file(name, 0444, this::children);
      default -> null;
    };
  }

  // ---- kinds of files ----

  private interface TaskText {
    void write(Task target, StringBuilder out);
  }

  private interface TaskKnob {
    long set(Task target, String text);
  }

  private class Text extends TextFile {
    private final TaskText text;
    private final @Nullable TaskKnob knob;

    /** Opening needs ptrace rights, whatever the mode says. */
    private final boolean guarded;

    Text(String name, int permissions, TaskText text, @Nullable TaskKnob knob, boolean guarded) {
      super(proc, slot(name), permissions);
      this.text = text;
      this.knob = knob;
      this.guarded = guarded;
    }

    @Override
    public int uid() {
      return target.uid();
    }

    @Override
    public int gid() {
      return target.gid();
    }

    @Override
    protected void checkOpen(Task t, int flags) {
      if (guarded) {
        target.checkInspect(t);
      }
    }

    @Override
    protected void generate(Task t, StringBuilder out) {
      CALLER.set(t);
      try {
        text.write(target.task(), out);
      } finally {
        CALLER.remove();
      }
    }

    @Override
    protected long store(Task t, String s) {
      if (knob == null) {
        return -EINVAL;
      }
      if (target.group() != t.threadGroup()
          && !t.hasCapability(Caps.CAP_SYS_PTRACE)
          && t.creds().euid != target.uid()) {
        return -EACCES;
      }
      CALLER.set(t);
      try {
        return knob.set(target.task(), s);
      } finally {
        CALLER.remove();
      }
    }
  }

  /** What is mounted where the process lives: polled for changes. */
  private final class MountsText extends Text {
    MountsText(String name, int permissions, TaskText text) {
      super(name, permissions, text, null, false);
    }

    @Override
    protected Changes changes(Task t) {
      return target.task().mountNamespace().changes;
    }

    @Override
    protected int readiness() {
      return FileDescription.POLLIN | FileDescription.POLLRDNORM;
    }
  }

  /** The task that reads or writes, while a text is made. */
  private static final ThreadLocal<@Nullable Task> CALLER = new ThreadLocal<>();

  /** {@return who reads}, or the target itself outside of a read */
  static Task callerOr(Task target) {
    Task t = CALLER.get();
    return t == null ? target : t;
  }

  /** {@return whether the reader may see addresses of {@code target}} */
  static boolean callerMayInspect(Task target) {
    return new Target(target.threadGroup(), target.pidNamespace()).mayInspect(callerOr(target));
  }

  private Inode file(String name, int permissions, TaskText text) {
    return new Text(name, permissions, text, null, false);
  }

  private Inode writable(String name, int permissions, TaskText text, TaskKnob knob) {
    return new Text(name, permissions, text, knob, false);
  }

  /** Mode 0400 and ptrace rights. */
  private Inode secret(String name, TaskText text) {
    return new Text(name, 0400, text, null, true);
  }

  /** Mode 0444 and ptrace rights, as maps. */
  private Inode open(String name, TaskText text) {
    return new Text(name, 0444, text, null, true);
  }

  private Inode comm() {
    return new TextFile(proc, slot("comm"), 0644) {
      @Override
      public int uid() {
        return target.uid();
      }

      @Override
      public int gid() {
        return target.gid();
      }

      @Override
      protected void generate(Task t, StringBuilder out) {
        out.append(target.task().comm()).append('\n');
      }

      @Override
      protected long store(Task t, String s) {
        if (target.group() != t.threadGroup()) {
          return -EINVAL;
        }
        int end = s.indexOf('\n');
        target.task().setComm(end >= 0 ? s.substring(0, end) : s);
        return 0;
      }
    };
  }

  private Inode attr() {
    KernDir d = new KernDir(proc, slot("attr"), 0555);
    for (String name : List.of("current", "exec", "fscreate", "keycreate", "prev", "sockcreate")) {
      // No security module: both directions give EINVAL.
      d.add(
          name,
          TextFile.of(
              proc,
              name.equals("prev") ? 0444 : 0666,
              (t, o) -> {
                throw ErrnoException.of(EINVAL);
              },
              (t, s) -> -EINVAL));
    }
    return d;
  }

  private void children(Task target, StringBuilder out) {
    if (target != target.threadGroup().leader()) {
      return; // children belong to the process here, and are shown for its leader
    }
    for (ThreadGroup g : target.threadGroup().children()) {
      out.append(g.tgidIn(proc.pids())).append(' ');
    }
  }

  private static int oomScore(ThreadGroup g) {
    return Math.max(0, Math.min(1000, 666 + g.oomScoreAdj * 2 / 3));
  }

  private static long setOomScoreAdj(Task target, String text) {
    Integer v = parse(text);
    if (v == null || v < -1000 || v > 1000) {
      return -EINVAL;
    }
    ThreadGroup g = target.threadGroup();
    if (v < g.oomScoreAdj && !callerOr(target).hasCapability(Caps.CAP_SYS_RESOURCE)) {
      return -EACCES;
    }
    g.oomScoreAdj = v;
    return 0;
  }

  private static long setOomAdj(Task target, String text) {
    Integer v = parse(text);
    if (v == null || v < -17 || v > 15) {
      return -EINVAL;
    }
    return setOomScoreAdj(target, Integer.toString(v == 15 ? 1000 : v * 1000 / 17));
  }

  /** kernel/audit.c audit_set_loginuid: once by anybody, again only with CAP_AUDIT_CONTROL. */
  private static long setLoginUid(Task target, String text) {
    long v;
    try {
      v = Long.parseLong(text.strip());
    } catch (NumberFormatException e) {
      return -EINVAL;
    }
    if (v < 0 || v > 0xffff_ffffL) {
      return -EINVAL;
    }
    ThreadGroup g = target.threadGroup();
    if (g != callerOr(target).threadGroup()) {
      return -EPERM;
    }
    if (g.loginUid != -1 && !callerOr(target).hasCapability(Caps.CAP_AUDIT_CONTROL)) {
      return -EPERM;
    }
    g.loginUid = (int) v;
    return 0;
  }

  private static long setTimerSlack(Task target, String text) {
    Integer v = parse(text);
    if (v == null || v < 0) {
      return -EINVAL;
    }
    target.timerSlackNs = v == 0 ? 50_000 : v;
    return 0;
  }

  private static @Nullable Integer parse(String text) {
    try {
      return Integer.valueOf(text.strip());
    } catch (NumberFormatException e) {
      return null;
    }
  }
}
