package redoubt.sentry.fs.proc;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.zip.GZIPOutputStream;
import redoubt.sentry.kernel.Latin1;

/**
 * What /proc/config.gz says: the options of a Linux kernel that this one stands for. Programs read
 * it to learn what is there (container runtimes, test suites), so it names only what works.
 */
final class KernelConfig {
  private static final String YES =
      "64BIT X86_64 X86 MMU SMP MULTIUSER POSIX_TIMERS PRINTK BINFMT_ELF BINFMT_SCRIPT FUTEX"
          + " FUTEX_PI EPOLL SIGNALFD TIMERFD EVENTFD SHMEM ADVISE_SYSCALLS MEMBARRIER PROC_FS"
          + " PROC_SYSCTL SYSFS TMPFS TMPFS_POSIX_ACL TMPFS_XATTR DEVTMPFS OVERLAY_FS FILE_LOCKING"
          + " UNIX98_PTYS TTY NET UNIX INET IPV6 NETLINK_ROUTE HIGH_RES_TIMERS NO_HZ BASE_FULL"
          + " MEMFD_CREATE CROSS_MEMORY_ATTACH IKCONFIG IKCONFIG_PROC NAMESPACES UTS_NS TIME_NS"
          + " IPC_NS USER_NS PID_NS NET_NS CGROUPS SECCOMP SECCOMP_FILTER AIO KEYS INOTIFY_USER"
          + " FANOTIFY FANOTIFY_ACCESS_PERMISSIONS FSNOTIFY USERFAULTFD SYSVIPC POSIX_MQUEUE"
          + " ELF_CORE COREDUMP SECURITY_LANDLOCK CHECKPOINT_RESTORE KCMP";

  private KernelConfig() {}

  /** {@return the file's bytes, one a char} */
  static String compressed() {
    StringBuilder text =
        new StringBuilder(
            "#\n# Redoubt: a kernel in Java that stands for Linux with these options\n#\n");
    for (String name : YES.split(" ", -1)) {
      text.append("CONFIG_").append(name).append("=y\n");
    }
    text.append("CONFIG_HZ=100\n# CONFIG_MODULES is not set\n# CONFIG_BPF_SYSCALL is not set\n");
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(bytes)) {
      gzip.write(Latin1.bytes(text.toString()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toString(StandardCharsets.ISO_8859_1);
  }
}
