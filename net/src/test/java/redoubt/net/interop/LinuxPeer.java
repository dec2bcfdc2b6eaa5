package redoubt.net.interop;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import redoubt.host.PacketSocket;
import redoubt.net.link.PacketLink;
import redoubt.net.stack.NetworkStack;
import redoubt.net.stack.Nic;
import redoubt.net.stack.TimerThread;

/**
 * Our stack on one end of a veth pair, Linux's own in a network namespace on the other. Frames are
 * lost at our end, both ways: not every kernel has netem.
 */
final class LinuxPeer implements AutoCloseable {
  static final int OURS = 0x0ad50001; // 10.213.0.1
  static final int THEIRS = 0x0ad50002;
  private static final long MAC = 0x02_00_5e_d5_00_01L;
  private static int made;

  final NetworkStack stack = new NetworkStack(System::nanoTime);
  private final String namespace;
  private final TimerThread timers;
  private final PacketLink link;

  LinuxPeer(double loss) throws Exception {
    String id = ProcessHandle.current().pid() % 100_000 + "n" + made++;
    namespace = "rdt" + id;
    String near = "rva" + id;
    String far = "rvb" + id;
    run("ip", "netns", "add", namespace);
    run("ip", "link", "add", near, "type", "veth", "peer", "name", far);
    run("ip", "link", "set", far, "netns", namespace);
    in("ip", "addr", "add", "10.213.0.2/24", "dev", far);
    in("ip", "link", "set", far, "up");
    in("ip", "link", "set", "lo", "up");
    run("ip", "link", "set", near, "up");
    int index =
        Integer.parseInt(Files.readString(Path.of("/sys/class/net", near, "ifindex")).trim());
    link = new PacketLink(PacketSocket.open(index, true), 1500, MAC);
    Random random = new Random(11);
    Nic nic = stack.addNic("eth0", new LossyLink(link, loss, new Random(12)));
    stack.addAddress(nic, OURS, 24);
    timers = new TimerThread(stack);
    link.start(
        stack,
        p -> {
          if (random.nextDouble() < loss) {
            p.free();
          } else {
            nic.deliver(p);
          }
        });
  }

  /** Skips the test where no namespaces can be made. */
  static void assumePossible() throws Exception {
    assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
    assumeTrue(Files.exists(Path.of("/usr/bin/python3")), "needs python3");
    assumeTrue(Files.exists(Path.of("/usr/sbin/ip")) || Files.exists(Path.of("/sbin/ip")), "no ip");
    String probe = "rdp" + ProcessHandle.current().pid() % 100_000;
    assumeTrue(succeeds("ip", "netns", "add", probe), "cannot make a network namespace here");
    boolean hasVeth = succeeds("ip", "-n", probe, "link", "add", "type", "veth");
    succeeds("ip", "netns", "del", probe);
    assumeTrue(hasVeth, "this kernel has no veth");
  }

  private static boolean succeeds(String... command) throws Exception {
    Process p = new ProcessBuilder(command).redirectErrorStream(true).start();
    p.getInputStream().readAllBytes();
    return p.waitFor() == 0;
  }

  /** {@return the thread that receives} */
  long linkThreadId() {
    return link.receiverId();
  }

  /** Starts a program on Linux's side. */
  Process start(String... command) throws IOException {
    String[] all = new String[command.length + 4];
    all[0] = "ip";
    all[1] = "netns";
    all[2] = "exec";
    all[3] = namespace;
    System.arraycopy(command, 0, all, 4, command.length);
    return new ProcessBuilder(all).redirectErrorStream(true).start();
  }

  /** Runs a program on Linux's side. {@return its output} */
  String in(String... command) throws Exception {
    return finish(start(command), String.join(" ", command));
  }

  static String finish(Process p, String what) throws Exception {
    String output = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (!p.waitFor(60, TimeUnit.SECONDS) || p.exitValue() != 0) {
      p.destroyForcibly();
      throw new AssertionError(what + ": " + output);
    }
    return output;
  }

  private static void run(String... command) throws Exception {
    Process p = new ProcessBuilder(command).redirectErrorStream(true).start();
    finish(p, String.join(" ", command));
  }

  @Override
  public void close() throws Exception {
    timers.close();
    link.close();
    run("ip", "netns", "del", namespace);
  }
}
