package redoubt.sandbox.warden;

import redoubt.abi.Nr;
import redoubt.host.Fd;
import redoubt.host.HostLog;
import redoubt.host.ProcessCalls;
import redoubt.host.RawSyscall;
import redoubt.host.SeqpacketSocket;
import redoubt.host.Spawn;
import redoubt.p9.P9;
import redoubt.p9.P9Client;
import redoubt.sentry.control.BootFds;
import redoubt.sentry.control.ControlServer;
import redoubt.sentry.control.HostRoot;

/**
 * The warden's main class. Started by the launcher where a sentry would be, with {@link BootFds}:
 * the link to the guest stands in the keeper's place, and the guest's console is one more.
 *
 * <pre>
 *   --link=stream|packets   what the link is
 *   --boot-seconds=N        how long the guest may take to boot
 *   --root-disk=NAME        the guest's disk that has the root file system, if not the gofer's
 *   --vmm=PID               the VMM's pid, added by the launcher
 * </pre>
 */
public final class WardenMain {
  private WardenMain() {}

  public static void main(String[] args) {
    var log = new HostLog(BootFds.LOG);
    Thread.setDefaultUncaughtExceptionHandler(
        (t, e) -> log.line("warden: thread " + t.getName() + ": " + e));
    boolean packets = false;
    int bootSeconds = 60;
    int vmm = 0;
    String rootDisk = "";
    for (String arg : args) {
      String value = arg.substring(arg.indexOf('=') + 1);
      if (arg.startsWith("--link=")) {
        packets = value.equals("packets");
      } else if (arg.startsWith("--boot-seconds=")) {
        bootSeconds = Integer.parseInt(value);
      } else if (arg.startsWith("--root-disk=")) {
        rootDisk = value;
      } else if (arg.startsWith("--vmm=")) {
        vmm = Integer.parseInt(value);
      }
    }
    var timeline = new Timeline();
    var console = new Console(new Fd(BootFds.CONSOLE), () -> timeline.mark("console"));
    var socket = new Fd(BootFds.KEEPER);
    GuestLink link = packets ? new PacketLink(socket) : new GuestLink.Stream(socket);
    var gofer = new P9Client(new Fd(BootFds.GOFER), P9.MSIZE_MAX, new GoferLost(log));
    gofer.startWatcher();
    int vmmPid = vmm;
    var kernel =
        new GuestKernel(
            link,
            gofer,
            console,
            timeline,
            log,
            () -> vmmEnd(vmmPid),
            WardenMain::confine,
            bootSeconds,
            rootDisk);
    var owner = new Thread(null, () -> endWithOwner(kernel), "owner", 96 << 10);
    owner.setDaemon(true);
    owner.start();
    var server = new ControlServer(kernel, kernel::destroy, log::line);
    server.serve(new Fd(BootFds.OWNER), new Fd(BootFds.LISTENER));
    for (; ; ) {
      try {
        Thread.sleep(Long.MAX_VALUE);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** A guest takes its time to boot; when whoever wanted it is gone by then, it ends at once. */
  private static void endWithOwner(GuestKernel kernel) {
    if (SeqpacketSocket.awaitHangup(BootFds.OWNER) && !kernel.isBooted()) {
      GuestKernel.halt(137);
    }
  }

  /** {@return how the VMM ended}, empty if it still runs */
  private static String vmmEnd(int pid) {
    int code = Integer.MIN_VALUE;
    // Its descriptors are closed a moment before it can be waited for.
    for (int i = 0; i < 50 && code < 0; i++) {
      code = Spawn.poll(pid);
      if (code < 0) {
        RawSyscall.syscall(Nr.SCHED_YIELD);
        java.util.concurrent.locks.LockSupport.parkNanos(2_000_000);
      }
    }
    if (code < 0) {
      return "";
    }
    return code > 128
        ? "the VMM was killed by signal " + (code - 128)
        : "the VMM exited with code " + code;
  }

  private static void confine() {
    ProcessCalls.setNotDumpable();
    HostRoot.detach(new Fd(BootFds.READY));
    if (!GuestKernel.TRAINING) {
      WardenFilter.make().install();
    }
  }

  private record GoferLost(HostLog log) implements P9Client.Listener {
    @Override
    public void log(String line) {
      log.line("warden: " + line);
    }

    @Override
    public void disconnected() {
      log.line("warden: fatal: the gofer has ended");
      GuestKernel.halt(137);
    }
  }
}
