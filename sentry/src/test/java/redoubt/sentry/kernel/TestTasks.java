package redoubt.sentry.kernel;

import redoubt.sentry.mm.MemoryManager;
import redoubt.sentry.platform.GuestContext;
import redoubt.sentry.vfs.VfsPath;

/** Makes tasks without a platform's threads: the caller's thread is the task's. */
public final class TestTasks {
  private TestTasks() {}

  /**
   * {@return a process of its own in {@code container}}, a child of its init (the first one is the
   * init)
   */
  public static Task newProcess(
      Kernel kernel, Container container, VfsPath root, MemoryManager mm, GuestContext context) {
    FdTable fds = new FdTable();
    FsContext fs = new FsContext(root, root, 022);
    return enter(
        kernel, container, null, new Task.TaskImage(mm, context, fds, fs, Credentials.root()));
  }

  /** {@return a thread of {@code t}'s process} */
  public static Task newThread(Task t, GuestContext context) {
    Task.TaskImage image =
        new Task.TaskImage(t.mm(), context, t.fds().share(), t.fs().share(), t.creds());
    return enter(t.kernel(), t.container(), t.threadGroup(), image);
  }

  /** {@return a child of {@code t}} that shares nothing but memory, which is the caller's affair */
  public static Task fork(Task t, MemoryManager mm, GuestContext context) {
    Task.TaskImage image =
        new Task.TaskImage(mm, context, t.fds().copy(), t.fs().copy(), t.creds());
    Task child = enter(t.kernel(), t.container(), null, image);
    synchronized (t.kernel().tasks().mu) {
      ThreadGroup g = child.threadGroup();
      ThreadGroup old = g.parent;
      if (old != null) {
        old.children.remove(g);
      }
      g.parent = t.threadGroup();
      t.threadGroup().children.add(g);
      g.limits = t.threadGroup().limits.copy();
      g.pgrp.unuseGroup();
      g.session.unuseGroup();
      g.pgrp = t.threadGroup().pgrp;
      g.session = t.threadGroup().session;
      g.pgrp.useGroup();
      g.session.useGroup();
    }
    return child;
  }

  private static Task enter(
      Kernel kernel, Container container, ThreadGroup group, Task.TaskImage image) {
    synchronized (kernel.tasks().mu) {
      Pid pid = container.pids.allocate(Clone.ANY_TID, Credentials.root());
      Task t = new Task(kernel, group, pid, container, container.namespaces, image);
      ThreadGroup g = t.threadGroup();
      if (group == null) {
        ThreadGroup init = container.init;
        if (init == null) {
          container.init = g;
        } else {
          g.parent = init;
          init.children.add(g);
        }
        pid.useGroup();
        pid.useGroup();
        container.pids.setInit(g);
      }
      CgroupMembers.join(t, container.cgroup);
      g.tasks.add(t);
      pid.task = t;
      kernel.tasks().count++;
      return t;
    }
  }

  /** Takes a signal's interruption back, as the way to the guest does once it has looked. */
  public static void clearInterruption(Task t) {
    t.waiter().clearInterrupt();
  }

  /**
   * Ends a task as exit(2) does, and its process with the last one. {@code status} as wait(2)
   * reports it.
   */
  public static void exit(Task t, int status) {
    GroupExit.taskExits(t, status);
  }
}
