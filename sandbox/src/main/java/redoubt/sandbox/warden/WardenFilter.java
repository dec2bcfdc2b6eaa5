package redoubt.sandbox.warden;

import redoubt.abi.Errno;
import redoubt.abi.Nr;
import redoubt.host.JvmSyscalls;
import redoubt.host.SeccompFilter;
import redoubt.p9.P9Syscalls;

/** The warden's seccomp filter, each call with its reason. */
final class WardenFilter {
  private WardenFilter() {}

  static SeccompFilter make() {
    SeccompFilter f = new SeccompFilter(SeccompFilter.errno(Errno.EPERM));
    JvmSyscalls.addTo(f);
    P9Syscalls.addTo(f);
    JvmSyscalls.killHostile(f);
    f.allow(Nr.RECVMSG, "answers of the gofer, control requests")
        .allow(Nr.SENDMSG, "answers to control requests")
        .allow(Nr.SENDTO, "control answers, to no address", SeccompFilter.equal64(4, 0))
        .allow(Nr.RECVFROM, "control requests", SeccompFilter.equal64(4, 0))
        .allow(Nr.SHUTDOWN, "ending control connections")
        .allow(Nr.ACCEPT4, "control connections")
        .allow(Nr.ACCEPT, "control connections")
        .allow(Nr.PWRITE64, "donated files")
        .allow(Nr.FALLOCATE, "donated files")
        .allow(Nr.FSYNC, "donated files")
        .allow(Nr.FDATASYNC, "donated files")
        .allow(Nr.POLL, "streams that would block")
        .allow(Nr.WAIT4, "how the VMM ended");
    return f;
  }
}
