package redoubt.sandbox.guest;

import java.util.ArrayList;
import java.util.List;
import redoubt.host.HostFiles;
import redoubt.host.Landlock;
import redoubt.sandbox.Installation;
import redoubt.sandbox.SandboxException;

/** Looks at what this host has for each kind of kernel: {@code redoubt doctor}. */
public final class HostCheck {
  /** A necessary thing that is there, one that is missing, or one that is only good to have. */
  public enum Verdict {
    GOOD,
    MISSING,
    LESSER
  }

  /**
   * One thing that was looked at.
   *
   * @param kernel which kind needs it
   * @param text what was found and, unless it is good, what to do
   */
  public record Finding(String kernel, Verdict verdict, String text) {}

  private final Installation installation;
  private final List<Finding> findings = new ArrayList<>();

  public HostCheck(Installation installation) {
    this.installation = installation;
  }

  public List<Finding> all() {
    findings.clear();
    sentry();
    uml();
    vm();
    return findings;
  }

  /** {@return whether nothing that this kind needs is missing} Call {@link #all} before. */
  public boolean works(String kernel) {
    for (Finding f : findings) {
      if (f.kernel.equals(kernel) && f.verdict == Verdict.MISSING) {
        return false;
      }
    }
    return true;
  }

  /** {@return the kind that {@code --kernel=auto} takes} */
  public String choose() {
    all();
    if (works("vm") && Kvm.probe(installation.launcher()).isEmpty()) {
      return "vm";
    }
    return works("sentry") || !works("uml") ? "sentry" : "uml";
  }

  private void add(String kernel, boolean good, Verdict otherwise, String yes, String no) {
    findings.add(new Finding(kernel, good ? Verdict.GOOD : otherwise, good ? yes : no));
  }

  private void sentry() {
    add(
        "sentry",
        HostFiles.effectiveUid() == 0,
        Verdict.MISSING,
        "run as root",
        "not root: namespaces cannot be made; run it as root");
    String actions = HostFiles.readText("/proc/sys/kernel/seccomp/actions_avail", 4096);
    add(
        "sentry",
        actions != null && actions.contains("trap"),
        Verdict.MISSING,
        "seccomp filters with traps",
        "the host's kernel has no seccomp filters: it needs CONFIG_SECCOMP_FILTER");
    String most = HostFiles.readText("/proc/sys/user/max_user_namespaces", 64);
    add(
        "sentry",
        most != null && !most.strip().equals("0"),
        Verdict.MISSING,
        "user namespaces",
        "no user namespaces: sysctl -w user.max_user_namespaces=15000");
    int landlock = Landlock.abi();
    add(
        "sentry",
        landlock > 0,
        Verdict.LESSER,
        "Landlock ABI " + landlock,
        "no Landlock: one layer less between a sentry and files; boot with lsm=landlock,...");
    add(
        "sentry",
        HostFiles.exists("/sys/fs/cgroup/cgroup.controllers")
            || HostFiles.exists("/sys/fs/cgroup/memory"),
        Verdict.LESSER,
        "control groups",
        "no control groups below /sys/fs/cgroup: limits cannot be enforced; mount them");
  }

  private void uml() {
    tun("uml");
    image("uml", () -> GuestImages.uml(installation.agent(), List.of(), null).kernel());
    String scope = HostFiles.readText("/proc/sys/kernel/yama/ptrace_scope", 16);
    boolean forbidden = scope != null && scope.strip().equals("3");
    add(
        "uml",
        !forbidden,
        Verdict.MISSING,
        "processes may trace their children",
        "ptrace is off for good (kernel.yama.ptrace_scope=3 until the host boots anew)");
  }

  private void tun(String kernel) {
    add(
        kernel,
        HostFiles.exists("/dev/net/tun"),
        Verdict.LESSER,
        "/dev/net/tun for a network",
        "no /dev/net/tun: guests have loopback only (--network=none); modprobe tun");
  }

  private void vm() {
    tun("vm");
    image("vm", GuestImages::qemu);
    image("vm", () -> GuestImages.vm(installation.agent(), List.of(), null).kernel());
    String kvm = Kvm.probe(installation.launcher());
    add(
        "vm",
        kvm.isEmpty(),
        Verdict.LESSER,
        "KVM runs code at full speed",
        "KVM is not used ("
            + kvm
            + "); guests are emulated, some 10 times slower: give the host (nested) virtualization");
  }

  private interface Finder {
    String find();
  }

  private void image(String kernel, Finder finder) {
    try {
      findings.add(new Finding(kernel, Verdict.GOOD, finder.find()));
    } catch (SandboxException e) {
      findings.add(new Finding(kernel, Verdict.MISSING, String.valueOf(e.getMessage())));
    }
  }
}
