package redoubt.sandbox.guest;

import java.nio.charset.StandardCharsets;
import java.util.List;
import redoubt.host.Fd;
import redoubt.host.HostFiles;
import redoubt.host.Spawn;

/** Whether this host's KVM runs code at a processor's speed: {@code native/launcher/kvm.h}. */
public final class Kvm {
  private Kvm() {}

  /**
   * {@return an empty text if KVM works}, else why not
   *
   * @param launcher path of the program that tries it
   */
  public static String probe(String launcher) {
    if (!HostFiles.exists("/dev/kvm")) {
      return "there is no /dev/kvm";
    }
    Fd[] pipe = HostFiles.pipe();
    String why;
    int pid;
    try (Fd nothing = HostFiles.open("/dev/null", HostFiles.O_RDWR, 0);
        Fd in = pipe[0]) {
      try (Fd out = pipe[1]) {
        int[] fds = {nothing.number(), out.number(), nothing.number()};
        pid = Spawn.spawn(launcher, List.of("launcher", "kvm"), List.of(), fds);
      }
      why = new String(HostFiles.readAll(in, 4096), StandardCharsets.UTF_8).strip();
    }
    int code = Spawn.waitFor(pid);
    return code == 0 ? "" : why.isEmpty() ? "its probe ended with code " + code : why;
  }
}
