package redoubt.gofer;

import static redoubt.host.SeccompFilter.equal;
import static redoubt.host.SeccompFilter.equal64;
import static redoubt.host.SeccompFilter.masked;
import static redoubt.host.SeccompFilter.notNegative;

import redoubt.abi.Errno;
import redoubt.abi.Fcntl;
import redoubt.abi.Nr;
import redoubt.host.FileSystemCalls;
import redoubt.host.JvmSyscalls;
import redoubt.host.SeccompFilter;

/**
 * The gofer's seccomp filter. Every path is relative to a descriptor: AT_FDCWD is never allowed.
 */
final class GoferFilter {
  private static final int AF_UNIX = 1;
  private static final int SOCK_SEQPACKET_CLOEXEC = 0x80005;
  private static final int SOL_SOCKET = 1;
  private static final int SO_SNDBUF = 7;
  private static final int F_DUPFD_CLOEXEC = 1030;

  private GoferFilter() {}

  static SeccompFilter make(GoferServer server) {
    SeccompFilter f = new SeccompFilter(SeccompFilter.errno(Errno.EPERM));
    JvmSyscalls.addTo(f);
    JvmSyscalls.killHostile(f);
    f.allow(Nr.RECVMSG, "requests of the sentry")
        .allow(Nr.SENDTO, "answers, to no address", equal64(4, 0))
        .allow(Nr.SENDMSG, "answers with a descriptor")
        .allow(Nr.SHUTDOWN, "ending the connection")
        .allow(
            Nr.SETSOCKOPT,
            "room for the largest message",
            equal(1, SOL_SOCKET),
            equal(2, SO_SNDBUF))
        .allow(
            Nr.SOCKETPAIR,
            "one more lane",
            equal(0, AF_UNIX),
            equal(1, SOCK_SEQPACKET_CLOEXEC),
            equal(2, 0))
        .allow(Nr.SCHED_SETAFFINITY, "a lane's processor, own thread only", equal(0, 0))
        .allow(
            Nr.OPENAT,
            "opening what an O_PATH descriptor stands for",
            equal(0, server.procFd),
            masked(2, Fcntl.O_CREAT, 0))
        .allow(Nr.FCNTL, "a fid for an attach point", equal(1, F_DUPFD_CLOEXEC))
        .allow(Nr.STATX, "attributes", notNegative(0))
        .allow(Nr.UMASK, "a mask for what the JVM writes at its end")
        .allow(Nr.FSTATFS, "statfs")
        .allow(Nr.GETDENTS64, "reading directories")
        .allow(Nr.READLINKAT, "targets of symlinks", notNegative(0))
        .allow(Nr.MKDIRAT, "mkdir", notNegative(0))
        .allow(Nr.MKNODAT, "mknod", notNegative(0))
        .allow(Nr.SYMLINKAT, "symlink", notNegative(1))
        .allow(Nr.LINKAT, "link", equal(0, server.procFd), notNegative(2))
        .allow(Nr.UNLINKAT, "unlink and rmdir", notNegative(0))
        .allow(Nr.RENAMEAT2, "rename", notNegative(0), notNegative(2))
        .allow(Nr.FCHOWNAT, "owner of new files, chown", notNegative(0))
        .allow(Nr.FCHMODAT, "chmod", equal(0, server.procFd))
        .allow(Nr.UTIMENSAT, "times", equal(0, server.procFd))
        .allow(Nr.FTRUNCATE, "truncate")
        .allow(Nr.FSYNC, "fsync")
        .allow(Nr.FDATASYNC, "fdatasync")
        .allow(Nr.PWRITE64, "files that are not donated")
        .allow(FileSystemCalls.NR_GETXATTRAT, "extended attributes", equal(0, server.procFd))
        .allow(FileSystemCalls.NR_SETXATTRAT, "extended attributes", equal(0, server.procFd))
        .allow(FileSystemCalls.NR_LISTXATTRAT, "extended attributes", equal(0, server.procFd))
        .allow(FileSystemCalls.NR_REMOVEXATTRAT, "extended attributes", equal(0, server.procFd))
        .allow(Nr.FGETXATTR, "extended attributes before Linux 6.13")
        .allow(Nr.FSETXATTR, "extended attributes before Linux 6.13")
        .allow(Nr.FLISTXATTR, "extended attributes before Linux 6.13")
        .allow(Nr.FREMOVEXATTR, "extended attributes before Linux 6.13");
    if (server.hasOpenat2) {
      f.allow(Nr.OPENAT2, "finding and creating, beneath a directory", notNegative(0));
    } else {
      f.allow(
          Nr.OPENAT,
          "finding and creating, never through a symlink",
          notNegative(0),
          masked(2, Fcntl.O_NOFOLLOW, Fcntl.O_NOFOLLOW));
    }
    return f;
  }
}
