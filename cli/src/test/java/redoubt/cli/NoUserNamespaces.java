package redoubt.cli;

import redoubt.abi.Errno;
import redoubt.abi.Nr;
import redoubt.host.SeccompFilter;

/** Runs a command on a host that allows no user namespaces, as unshare(2) answers there. */
final class NoUserNamespaces {
  private NoUserNamespaces() {}

  public static void main(String[] command) throws Exception {
    new SeccompFilter(SeccompFilter.ALLOW)
        .fail(Nr.UNSHARE, Errno.ENOSPC, "user.max_user_namespaces is 0")
        .install();
    System.exit(new ProcessBuilder(command).inheritIO().start().waitFor());
  }
}
