package redoubt.sentry.kernel;

/**
 * Host and domain name: <a
 * href="https://man7.org/linux/man-pages/man7/uts_namespaces.7.html">uts_namespaces(7)</a>.
 */
public final class UtsNamespace {
  public volatile String hostname;
  public volatile String domainname = "(none)";

  public UtsNamespace(String hostname) {
    this.hostname = hostname;
  }
}
