package redoubt.host;

import redoubt.abi.Errno;
import redoubt.abi.Nr;

/**
 * The host system calls that a running JVM needs for itself: memory, threads, signals, time. Shared
 * by the filters of the sentry and the gofer, and tested by running a JVM under it.
 *
 * <p>It opens nothing: classes come from the JDK's mapped image, or from jars that are open. Run
 * with {@code -XX:-UsePerfData -XX:-UseContainerSupport -XX:+DisableAttachMechanism}, so that the
 * JVM does not try. A call that is not in a filter should fail with EPERM rather than kill: a JVM
 * asks for many things that it can do without. What no honest JVM calls is in {@link #killHostile}.
 */
public final class JvmSyscalls {
  /**
   * CLONE_VM | FS | FILES | SIGHAND | THREAD | SYSVSEM | SETTLS | PARENT_SETTID | CHILD_CLEARTID.
   */
  private static final int CLONE_PTHREAD = 0x3d0f00;

  /** CLONE_DETACHED, which musl adds and the kernel ignores. */
  private static final int CLONE_DETACHED = 0x400000;

  private static final int AT_EMPTY_PATH = 0x1000;
  private static final int PR_SET_NAME = 15;
  private static final int PR_SET_VMA = 0x53564d41;
  private static final int F_GETFD = 1;
  private static final int F_GETFL = 3;

  private JvmSyscalls() {}

  /** Adds the calls to a filter. */
  public static void addTo(SeccompFilter f) {
    long pid = RawSyscall.syscall(Nr.GETPID);
    f.allow(Nr.FUTEX, "parking, monitors, joining threads")
        .allow(Nr.MMAP, "heap, metaspace, thread stacks, code cache (writable and executable)")
        .allow(Nr.MUNMAP, "thread stacks, arenas")
        .allow(Nr.MPROTECT, "guard pages, safepoint polling page, heap growth")
        .allow(Nr.MADVISE, "giving memory back; stacks of ended threads")
        .allow(Nr.MREMAP, "realloc of large blocks")
        .allow(Nr.BRK, "malloc")
        .allow(Nr.MINCORE, "finding the guard page of the first thread's stack")
        .allow(Nr.RT_SIGACTION, "signal handlers")
        .allow(Nr.RT_SIGPROCMASK, "signal masks of threads")
        .allow(Nr.RT_SIGRETURN, "return from SIGSEGV at safepoints and null checks")
        .allow(Nr.SIGALTSTACK, "stacks for signal handlers of new threads")
        .allow(
            Nr.TGKILL, "signals between the JVM's own threads", SeccompFilter.equal(0, (int) pid))
        .allow(
            Nr.CLONE,
            "new threads, nothing else",
            SeccompFilter.masked(0, ~CLONE_DETACHED, CLONE_PTHREAD))
        .fail(Nr.CLONE3, Errno.ENOSYS, "its flags cannot be checked; libc falls back to clone")
        .allow(Nr.SET_ROBUST_LIST, "start of a thread")
        .allow(Nr.RSEQ, "start of a thread")
        .allow(Nr.GETTID, "thread ids")
        .allow(Nr.GETPID, "process id")
        .allow(Nr.EXIT, "end of a thread")
        .allow(Nr.EXIT_GROUP, "end of the process")
        .allow(Nr.SCHED_YIELD, "spinning")
        .allow(Nr.SCHED_GETAFFINITY, "number of processors, stack of a thread")
        .allow(Nr.GETCPU, "processor id where there is no vDSO")
        .allow(Nr.CLOCK_NANOSLEEP, "sleeping")
        .allow(Nr.NANOSLEEP, "sleeping")
        .allow(Nr.CLOCK_GETTIME, "time where the vDSO cannot answer")
        .allow(Nr.CLOCK_GETRES, "time")
        .allow(Nr.GETTIMEOFDAY, "time where the vDSO cannot answer")
        .allow(Nr.RESTART_SYSCALL, "sleeping, after a signal")
        .allow(Nr.GETRUSAGE, "CPU time of threads")
        .allow(Nr.SYSINFO, "memory of the host")
        .allow(Nr.GETRANDOM, "hash seeds")
        .allow(Nr.MEMBARRIER, "handshakes")
        .allow(Nr.READ, "jars that are open; pipes")
        .allow(Nr.WRITE, "log lines")
        .allow(Nr.PREAD64, "jars that are open")
        .allow(Nr.LSEEK, "jars that are open")
        .allow(Nr.CLOSE, "descriptors")
        .allow(Nr.FSTAT, "descriptors")
        .allow(
            Nr.NEWFSTATAT,
            "fstat of newer C libraries",
            SeccompFilter.notNegative(0),
            SeccompFilter.masked(3, AT_EMPTY_PATH, AT_EMPTY_PATH))
        .allow(Nr.FCNTL, "state of a descriptor", SeccompFilter.equal(1, F_GETFL))
        .allow(Nr.FCNTL, "state of a descriptor", SeccompFilter.equal(1, F_GETFD))
        .allow(Nr.PRCTL, "names of threads", SeccompFilter.equal(0, PR_SET_NAME))
        .allow(Nr.PRCTL, "names of mappings", SeccompFilter.equal(0, PR_SET_VMA))
        .allow(
            Nr.PRLIMIT64,
            "reading own limits",
            SeccompFilter.equal(0, 0),
            SeccompFilter.equal64(2, 0));
  }

  /** Adds what only an attacker calls: the process is killed, and its end is noticed. */
  public static void killHostile(SeccompFilter f) {
    String why = "no part of this process does that";
    int[] hostile = {
      Nr.EXECVE,
      Nr.EXECVEAT,
      Nr.FORK,
      Nr.VFORK,
      Nr.PTRACE,
      Nr.PROCESS_VM_READV,
      Nr.PROCESS_VM_WRITEV,
      Nr.MOUNT,
      Nr.UMOUNT2,
      Nr.PIVOT_ROOT,
      Nr.CHROOT,
      Nr.SETNS,
      Nr.UNSHARE,
      Nr.OPEN_BY_HANDLE_AT,
      Nr.BPF,
      Nr.KEXEC_LOAD,
      Nr.INIT_MODULE,
      Nr.FINIT_MODULE,
      Nr.DELETE_MODULE,
      Nr.ADD_KEY,
      Nr.KEYCTL,
      Nr.REQUEST_KEY,
      Nr.SETUID,
      Nr.SETGID,
      Nr.SETRESUID,
      Nr.SETRESGID,
      Nr.CAPSET,
      Nr.USERFAULTFD,
      Nr.PERF_EVENT_OPEN,
      Nr.IO_URING_SETUP,
      Nr.PIDFD_GETFD,
      Nr.REBOOT,
      Nr.SWAPON,
      Nr.MODIFY_LDT,
    };
    for (int nr : hostile) {
      f.kill(nr, why);
    }
  }
}
