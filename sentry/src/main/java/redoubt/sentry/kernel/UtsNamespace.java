package redoubt.sentry.kernel;

import redoubt.abi.Sched;

/**
 * Host and domain name: <a
 * href="https://man7.org/linux/man-pages/man7/uts_namespaces.7.html">uts_namespaces(7)</a>.
 */
public final class UtsNamespace extends Namespace {
  public volatile String hostname;
  public volatile String domainname = "(none)";

  /** A container's. */
  public UtsNamespace(String hostname) {
    super("uts", Sched.CLONE_NEWUTS, UserNamespace.ROOT);
    this.hostname = hostname;
  }

  /** A copy of {@code old}. */
  UtsNamespace(UtsNamespace old, UserNamespace owner) {
    super("uts", Sched.CLONE_NEWUTS, owner, Guest.GUEST);
    this.hostname = old.hostname;
    this.domainname = old.domainname;
  }
}
