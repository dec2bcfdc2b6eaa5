package redoubt.sentry.boot;

import static redoubt.host.SeccompFilter.equal;
import static redoubt.host.SeccompFilter.masked;

import redoubt.abi.Errno;
import redoubt.abi.Nr;
import redoubt.host.JvmSyscalls;
import redoubt.host.SeccompFilter;
import redoubt.p9.P9Syscalls;

/**
 * The sentry's seccomp filter: what a kernel needs of its host once it is confined, each call with
 * its reason.
 */
final class SentryFilter {
  private static final int F_DUPFD_CLOEXEC = 1030;
  private static final int F_ADD_SEALS = 1033;

  private SentryFilter() {}

  /**
   * @param hasNetwork whether packet sockets may come later, as descriptors from {@link
   *     HostNetwork#FIRST_FD} on
   */
  static SeccompFilter make(boolean hasNetwork) {
    SeccompFilter f = new SeccompFilter(SeccompFilter.errno(Errno.EPERM));
    JvmSyscalls.addTo(f);
    P9Syscalls.addTo(f);
    JvmSyscalls.killHostile(f);
    f.allow(Nr.RECVMSG, "answers of gofer and keeper, control requests")
        .allow(Nr.SENDMSG, "requests with descriptors")
        .allow(Nr.SENDTO, "requests without, never to an address", SeccompFilter.equal64(4, 0))
        .allow(Nr.RECVFROM, "answers", SeccompFilter.equal64(4, 0))
        .allow(Nr.SHUTDOWN, "ending control connections")
        .allow(Nr.ACCEPT4, "control connections")
        .allow(Nr.ACCEPT, "control connections")
        .allow(Nr.PWRITE64, "memory file, donated files")
        .allow(Nr.PREADV, "donated files")
        .allow(Nr.PWRITEV, "donated files")
        .allow(Nr.FTRUNCATE, "memory file, donated files")
        .allow(Nr.FALLOCATE, "punching holes, donated files")
        .allow(Nr.FSYNC, "donated files")
        .allow(Nr.FDATASYNC, "donated files")
        .allow(Nr.COPY_FILE_RANGE, "copy-up, donated files")
        .allow(Nr.FADVISE64, "donated files")
        .allow(Nr.SYNC_FILE_RANGE, "donated files")
        .allow(Nr.FSTATFS, "donated files")
        .allow(Nr.MEMFD_CREATE, "memory files")
        .allow(Nr.POLL, "readiness of standard streams")
        .allow(Nr.PPOLL, "readiness of standard streams")
        .allow(Nr.EPOLL_CREATE1, "readiness of standard streams")
        .allow(Nr.EPOLL_CTL, "readiness of standard streams")
        .allow(Nr.EPOLL_WAIT, "readiness of standard streams")
        .allow(Nr.EPOLL_PWAIT, "readiness of standard streams")
        .allow(Nr.EVENTFD2, "waking the poller")
        .allow(Nr.IOCTL, "bytes waiting in a stream", equal(1, 0x541B))
        .allow(Nr.IOCTL, "window size of the host's terminal", equal(1, 0x5413))
        .allow(Nr.IOCTL, "whether a stream is a terminal", equal(1, 0x5401))
        .allow(Nr.FCNTL, "a second number for a donated descriptor", equal(1, F_DUPFD_CLOEXEC))
        .allow(Nr.FCNTL, "rings that nobody can shorten", equal(1, F_ADD_SEALS))
        .allow(Nr.SCHED_SETAFFINITY, "a task and its guest thread on one core")
        .allow(Nr.TGKILL, "interrupting guest threads", masked(2, ~63, 0))
        .allow(Nr.WAIT4, "gofers of containers that are gone")
        .allow(Nr.MLOCK, "pinning of shared words");
    if (hasNetwork) {
      int mask = -HostNetwork.FDS;
      f.allow(Nr.RECVMMSG, "frames of the pod's network", masked(0, mask, HostNetwork.FIRST_FD))
          .allow(Nr.SCHED_SETATTR, "prompt wake-ups of the caller", equal(0, 0), equal(2, 0))
          .allow(Nr.SENDMMSG, "frames to it, no address", masked(0, mask, HostNetwork.FIRST_FD));
    }
    return f;
  }
}
