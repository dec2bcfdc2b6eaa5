package redoubt.sandbox;

import java.util.ArrayList;
import java.util.List;
import redoubt.sandbox.guest.GuestImages;
import redoubt.sandbox.guest.Kvm;
import redoubt.sentry.control.ControlClient;

/** A container whose kernel is a Linux in a light virtual machine of QEMU. */
final class VmSandbox extends Sandbox {
  private static final int SOCK_STREAM = 1;
  private static final int BOOT_SECONDS = 120;
  private static final long DEFAULT_MEMORY = 512L << 20;
  private static final long LEAST_MEMORY = 96L << 20;

  /** Warden, gofer, QEMU, and the code that it makes of the guest's. */
  private static final long OVERHEAD = 224L << 20;

  /**
   * Keeps Debian's kernel small: no tracefs (10,000 inodes, 9 MB), no hash tables for a large
   * machine, no security modules that a guest has no policy for.
   */
  private static final String SMALL_KERNEL =
      "initcall_blacklist=tracer_init_tracefs dhash_entries=4096 ihash_entries=4096"
          + " mhash_entries=1024 mphash_entries=1024 thash_entries=1024 uhash_entries=512"
          + " lsm=landlock,yama audit=0";

  /** What TCG may keep of the guest's code translated: 12 MB slow a boot down, 24 do not. */
  private static final String TCG = "tcg,tb-size=24";

  VmSandbox(String id, int pid, ControlClient client) {
    super(id, pid, client);
  }

  @Override
  public String kernel() {
    return "vm";
  }

  @Override
  void describe(Plan plan, Installation installation, Machine machine) {
    long memory = GuestImages.memory(machine.memoryLimit(), DEFAULT_MEMORY, LEAST_MEMORY, OVERHEAD);
    GuestImages.Image image = GuestImages.vm(installation.agent(), machine.extras(), machine.own());
    String qemu = GuestImages.qemu();
    boolean kvm = Kvm.probe(installation.launcher()).isEmpty();
    String bus = kvm ? "device" : "pci";
    plan.addAll(
        "sentry", installation.wardenCommand("stream", BOOT_SECONDS, machine.block() ? "vda" : ""));
    var command =
        new ArrayList<String>(
            List.of(
                qemu,
                "-name",
                "redoubt",
                "-machine",
                // Without KVM's clock a microvm has nothing to measure its TSC against (QEMU has
                // neither
                // HPET nor PM timer there), and Linux hangs now and then: seen in 2 of 9 boots.
                kvm
                    ? "microvm,x-option-roms=off,isa-serial=off"
                    : "q35,smbus=off,sata=off,usb=off,vmport=off,hpet=on",
                "-accel",
                kvm ? "kvm" : TCG,
                "-cpu",
                // Five levels of page tables cost an emulated boot 150 ms, and nobody needs them
                // here.
                kvm ? "host" : "max,-la57",
                "-smp",
                Integer.toString(kvm ? machine.cpus() : 1),
                "-m",
                (memory >> 20) + "M",
                "-nodefaults",
                "-no-user-config",
                "-nographic",
                "-no-reboot",
                "-kernel",
                image.kernel(),
                "-initrd",
                image.initramfs(),
                "-append",
                // On a busy host an emulated timer comes late, and Linux would panic over it.
                "quiet console=hvc0 rdinit=/init reboot=t panic=-1 no_timer_check"
                    + " random.trust_cpu=on"
                    + " cryptomgr.notests redoubt.link=port:redoubt "
                    + SMALL_KERNEL));
    command.addAll(
        List.of(
            "-chardev",
            "socket,id=link,fd=3",
            "-chardev",
            "socket,id=monitor,fd=4",
            "-mon",
            "chardev=monitor,mode=control",
            "-chardev",
            "stdio,id=console,signal=off",
            "-device",
            "virtio-serial-" + bus + ",max_ports=4",
            "-device",
            "virtconsole,chardev=console",
            "-device",
            "virtserialport,chardev=link,name=redoubt",
            "-device",
            "virtio-rng-" + bus,
            "-device",
            "virtio-balloon-" + bus + ",free-page-reporting=on"));
    if (!kvm) {
      // Half the size of SeaBIOS's boot; a microvm has it anyway.
      command.addAll(List.of("-bios", "qboot.rom"));
    }
    if (machine.block()) {
      command.addAll(
          List.of(
              "-add-fd",
              "set=1,fd=" + Plan.DISK,
              "-blockdev",
              "driver=file,node-name=root,filename=/dev/fdset/1,read-only=on,locking=off",
              "-device",
              "virtio-blk-" + bus + ",drive=root"));
    }
    for (int i = 0; i < machine.interfaces(); i++) {
      command.addAll(
          List.of(
              "-netdev",
              "tap,id=net" + i + ",fd=" + (Plan.FIRST_TAP + i),
              "-device",
              "virtio-net-"
                  + bus
                  + ",netdev=net"
                  + i
                  + ",mac="
                  + Machine.mac(i)
                  + (kvm ? "" : ",romfile=")));
    }
    plan.addAll("vmm", command);
    plan.add("vmm-tap", machine.interfaces()).add("vmm-tap-header", 1);
    plan.add("vmm-bind", image.kernel()).add("vmm-bind", image.initramfs());
    plan.addAll("vmm-bind", GuestImages.qemuFiles(qemu));
    plan.add("vmm-env", "MALLOC_ARENA_MAX=1");
    plan.add("vmm-device", "/dev/null").add("vmm-device", "/dev/urandom");
    if (kvm) {
      plan.add("vmm-device", "/dev/kvm");
    }
    plan.add("vmm-memory", 1L << 20).add("vmm-link", SOCK_STREAM);
  }
}
