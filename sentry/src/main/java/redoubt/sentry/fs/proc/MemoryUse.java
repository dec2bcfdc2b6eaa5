package redoubt.sentry.fs.proc;

/**
 * Who knows how much memory the sandbox uses (its cgroup); registered with the kernel if anyone
 * does.
 */
public interface MemoryUse {
  long usedBytes();
}
