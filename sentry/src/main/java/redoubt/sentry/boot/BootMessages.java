package redoubt.sentry.boot;

import redoubt.sentry.control.SandboxConfig;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.KernelLog;

/** What dmesg(1) shows first: facts of this boot, and a few lines for whoever reads them. */
final class BootMessages {
  private static final int NOTICE = 5;
  private static final int INFO = 6;

  private static final String[] ASIDES = {
    "Digging the moat... it is only 64 KiB wide, but every word in it is read once.",
    "Counting the garrison: one Java thread for each guest thread, and nobody sleeps on duty.",
    "Raising the drawbridge: no host file, no host network, no capability left on this side.",
    "Asking the gofer to fetch the furniture. It may not look under the carpet.",
    "Checking the portcullis: a system call from anywhere is a system call to us.",
    "Stocking the cellar with private pages; the host pays the rent.",
    "Teaching the sentries RFC 1149, in case the bridge is down.",
    "Walling up the back door that nobody admits to having built.",
  };

  private BootMessages() {}

  static void write(Kernel kernel, SandboxConfig c) {
    KernelLog log = kernel.log();
    log.log(NOTICE, "Linux version " + Kernel.RELEASE + " (redoubt@sandbox) " + Kernel.VERSION);
    log.log(
        INFO,
        "redoubt: platform "
            + c.platform()
            + ", "
            + c.cpus()
            + " CPUs, "
            + (c.memoryBytes() >> 20)
            + " MiB of memory"
            + (c.patch() ? "" : ", call sites unpatched"));
    log.log(INFO, "redoubt: network " + c.network() + ", sandbox " + c.id());
    int first = (int) Long.remainderUnsigned(kernel.bootNs(), ASIDES.length);
    for (int i = 0; i < 4; i++) {
      log.log(INFO, ASIDES[(first + 3 * i) % ASIDES.length]);
    }
    log.log(NOTICE, "Ready. The walls are thin but there are two of them.");
  }
}
