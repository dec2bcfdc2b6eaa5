package redoubt.sandbox;

import java.util.ArrayList;
import java.util.List;
import redoubt.sandbox.guest.GuestImages;
import redoubt.sentry.control.ControlClient;

/**
 * A container whose kernel is User Mode Linux: a process of its own that traces the guest's
 * processes. The link to the guest is its vector network device on a socket pair, since its serial
 * lines take a system call for each byte.
 */
final class UmlSandbox extends Sandbox {
  private static final int SOCK_SEQPACKET = 5;
  private static final int BOOT_SECONDS = 60;
  private static final long DEFAULT_MEMORY = 512L << 20;

  /** Below it the kernel has no room for a container. */
  private static final long LEAST_MEMORY = 64L << 20;

  /** Warden, gofer and UML's own. */
  private static final long OVERHEAD = 96L << 20;

  UmlSandbox(String id, int pid, ControlClient client) {
    super(id, pid, client);
  }

  @Override
  public String kernel() {
    return "uml";
  }

  @Override
  void describe(Plan plan, Installation installation, Machine machine) {
    long memory = GuestImages.memory(machine.memoryLimit(), DEFAULT_MEMORY, LEAST_MEMORY, OVERHEAD);
    GuestImages.Image image =
        GuestImages.uml(installation.agent(), machine.extras(), machine.own());
    String shim = installation.umlShim();
    plan.addAll(
        "sentry",
        installation.wardenCommand("packets", BOOT_SECONDS, machine.block() ? "ubda" : ""));
    var command = new ArrayList<String>();
    command.addAll(
        List.of(
            image.kernel(),
            "mem=" + (memory >> 20) + "M",
            "initrd=" + image.initramfs(),
            "uml_dir=/guest-memory",
            "umid=redoubt",
            "con=null",
            "con0=null,fd:1",
            "ssl=null",
            "vec0:transport=fd,fd=3,mac=02:00:00:00:00:02,mtu=16384,depth=128",
            "rdinit=/init",
            "panic=-1",
            "noreboot",
            "loglevel=4",
            "redoubt.link=packet:vec0"));
    if (machine.block()) {
      command.add("ubd0r=/proc/self/fd/" + Plan.DISK);
    }
    // Frames of a tap device are read and written one by one: it is no socket.
    for (int i = 0; i < machine.interfaces(); i++) {
      String device = "vec" + (1 + i) + ":transport=fd,fd=" + (Plan.FIRST_TAP + i);
      command.add(device + ",vec=0,mac=" + Machine.mac(i) + ",mtu=" + machine.mtu());
    }
    plan.addAll("vmm", command).add("vmm-tap", machine.interfaces());
    plan.add("vmm-env", "TMPDIR=/guest-memory").add("vmm-env", "LD_PRELOAD=" + shim);
    plan.add("vmm-env", "PATH=/usr/bin").add("vmm-env", "HOME=/guest-memory");
    plan.add("vmm-bind", image.kernel()).add("vmm-bind", image.initramfs());
    plan.add("vmm-bind", shim).addAll("vmm-bind", Installation.libraries(List.of("libc.so.6")));
    // The guest's physical memory is a file there; the rest is for sockets and pid files.
    plan.add("vmm-memory", memory + (16L << 20)).add("vmm-link", SOCK_SEQPACKET);
    plan.add("vmm-ptrace", 1).add("vmm-cpu", (int) (memory >> 12 ^ id().hashCode()) & 0xff);
  }
}
