package redoubt.sentry.kernel;

import redoubt.abi.Sched;

/**
 * Host and domain name: <a
 * href="https://man7.org/linux/man-pages/man7/uts_namespaces.7.html">uts_namespaces(7)</a>.
 */
public final class UtsNamespace extends Namespace {
  private volatile String hostname;
  private volatile String domainname = "(none)";

  /** Of the host's name, and of the domain's. */
  public final Changes hostnames = new Changes();

  public final Changes domainnames = new Changes();

  /** A container's. */
  public UtsNamespace(String hostname) {
    super("uts", Sched.CLONE_NEWUTS, UserNamespace.ROOT);
    this.hostname = hostname;
  }

  public String hostname() {
    return hostname;
  }

  public void setHostname(String name) {
    hostname = name;
    hostnames.add();
  }

  public String domainname() {
    return domainname;
  }

  public void setDomainname(String name) {
    domainname = name;
    domainnames.add();
  }

  /** A copy of {@code old}. */
  UtsNamespace(UtsNamespace old, UserNamespace owner) {
    super("uts", Sched.CLONE_NEWUTS, owner, Guest.GUEST);
    this.hostname = old.hostname;
    this.domainname = old.domainname;
  }
}
