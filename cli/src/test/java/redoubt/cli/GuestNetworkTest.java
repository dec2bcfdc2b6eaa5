package redoubt.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static redoubt.cli.Commands.run;
import static redoubt.cli.Commands.succeeds;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import redoubt.cli.Product.Result;

/** A guest kernel's devices on a pod's network namespace, whose peer is Linux in another one. */
@Timeout(180)
@EnabledIf("redoubt.cli.Product#canRun")
class GuestNetworkTest {
  private static int made;

  private Product product;
  private String pod;
  private String far;
  private String before;

  @BeforeEach
  void setUp() throws Exception {
    String id = ProcessHandle.current().pid() % 100_000 + "g" + made++;
    pod = "rdtp" + id;
    far = "rdtf" + id;
    product = new Product();
    assumeTrue(succeeds("ip", "netns", "add", pod), "no network namespaces here");
    run("ip", "netns", "add", far);
    run(
        "ip", "link", "add", "va", "netns", pod, "type", "veth", "peer", "name", "vb", "netns",
        far);
    address(pod, "va", "1");
    address(far, "vb", "2");
    run("ip", "-n", pod, "route", "add", "default", "via", "10.215.0.2");
    run("ip", "-n", pod, "route", "add", "10.99.0.0/16", "via", "10.215.0.9", "metric", "7");
    before = configuration();
  }

  private static void address(String namespace, String device, String host) throws Exception {
    String[] in = {"ip", "-n", namespace};
    run(concat(in, "addr", "add", "10.215.0." + host + "/24", "dev", device));
    run(concat(in, "addr", "add", "fd00:215::" + host + "/64", "dev", device, "nodad"));
    run(concat(in, "link", "set", "lo", "up"));
    run(concat(in, "link", "set", device, "up"));
  }

  @AfterEach
  void tearDown() throws Exception {
    product.close();
    succeeds("ip", "netns", "del", pod);
    succeeds("ip", "netns", "del", far);
  }

  private void assumeWorks(String kernel) throws Exception {
    String doctor = product.redoubt("doctor").output();
    assumeTrue(doctor.contains("--kernel=" + kernel + ": works"), doctor);
  }

  private static String[] concat(String[] first, String... more) {
    String[] all = Arrays.copyOf(first, first.length + more.length);
    System.arraycopy(more, 0, all, first.length, more.length);
    return all;
  }

  /** {@return what the pod's namespace has}: devices, addresses, routes, filters */
  private String configuration() throws Exception {
    // Linux looks for a moment whether anybody else has a new address.
    return run("ip", "-n", pod, "-o", "addr").replace(" tentative", "")
        + run("ip", "-n", pod, "route")
        + run("tc", "-n", pod, "qdisc");
  }

  private void awaitConfiguration(String why) throws Exception {
    String now = "";
    for (int i = 0; i < 200; i++) {
      now = configuration();
      if (now.equals(before)) {
        return;
      }
      Thread.sleep(50);
    }
    assertEquals(before, now, why);
  }

  private String bundle(String path, String... args) throws IOException {
    var list = new ArrayList<String>();
    for (String arg : args) {
      list.add("\"" + arg.replace("\n", "\\n").replace("\"", "\\\"") + "\"");
    }
    return product.bundleOf(
        """
        {"ociVersion": "1.2.0", "root": {"path": "/"},
         "process": {"args": [%s], "cwd": "/", "env": ["PATH=/usr/bin:/bin:/usr/sbin:/sbin"],
          "capabilities": {"bounding": ["CAP_NET_RAW"], "effective": ["CAP_NET_RAW"],
           "permitted": ["CAP_NET_RAW"]}},
         "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
         "linux": {"namespaces": [{"type": "network"%s}]}}
        """
            .formatted(
                String.join(",", list), path.isEmpty() ? "" : ", \"path\": \"" + path + "\""));
  }

  private String podBundle(String... args) throws IOException {
    return bundle("/run/netns/" + pod, args);
  }

  @ParameterizedTest
  @ValueSource(strings = {"uml", "vm"})
  void shouldGiveTheGuestWhatThePodHas(String kernel) throws Exception {
    assumeWorks(kernel);
    String mac =
        run("ip", "-n", pod, "-o", "link", "show", "dev", "va")
            .replaceAll("(?s).*link/ether ([0-9a-f:]+) .*", "$1");
    String script =
        "ip -o link; ip -o addr show dev va; ip route; ip route get 10.99.1.1; ip -6 route;"
            + " ping -c 2 -i 0.2 -W 5 10.215.0.2 | grep -o '2 received';"
            + " ping -c 1 -W 5 fd00:215::2 | grep -o '1 received';"
            + " ping -c 1 -W 5 127.0.0.1 | grep -o '1 received'";
    Result r =
        product.redoubt(
            "--kernel",
            kernel,
            "run",
            "--bundle",
            podBundle("/bin/sh", "-c", script),
            product.id("show"));
    String out = r.output();
    assertTrue(out.contains("link/ether " + mac), out);
    assertTrue(!out.contains("vec") && !out.contains("eth0"), out);
    assertTrue(out.contains("inet 10.215.0.1/24"), out);
    assertTrue(out.contains("inet6 fd00:215::1/64"), out);
    assertTrue(out.contains("default via 10.215.0.2 dev va"), out);
    assertTrue(out.contains("10.99.1.1 via 10.215.0.9 dev va"), out);
    assertTrue(out.contains("2 received\n1 received\n1 received\n"), out);
    assertEquals(0, r.code());
    awaitConfiguration("after the end");
    product.assertNothingLeft();
  }

  @ParameterizedTest
  @ValueSource(strings = {"uml", "vm"})
  void shouldTalkToLinuxBothWays(String kernel) throws Exception {
    assumeWorks(kernel);
    String peer =
        """
        import socket
        l = socket.create_server(("10.215.0.2", 7000))
        c, a = l.accept()
        assert a[0] == "10.215.0.1", a
        n = 0
        while True:
            b = c.recv(65536)
            if not b:
                break
            n += len(b)
        c.sendall(b"x" * n)
        c.close()
        s = socket.create_connection(("10.215.0.1", 7001))
        s.sendall(b"hello")
        s.recv(10)
        """;
    String program =
        """
        import socket, time
        l = socket.create_server(("0.0.0.0", 7001))
        for i in range(100):
            try:
                c = socket.create_connection(("10.215.0.2", 7000))
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        data = b"a" * 3000000
        c.sendall(data)
        c.shutdown(socket.SHUT_WR)
        n = 0
        while True:
            b = c.recv(65536)
            if not b:
                break
            assert b == b"x" * len(b)
            n += len(b)
        assert n == len(data), n
        s, a = l.accept()
        assert a[0] == "10.215.0.2", a
        assert s.recv(10) == b"hello"
        print("all is well")
        """;
    Process other =
        new ProcessBuilder("ip", "netns", "exec", far, "python3", "-c", peer).inheritIO().start();
    try {
      Result r =
          product.redoubt(
              "--kernel",
              kernel,
              "run",
              "--bundle",
              podBundle("python3", "-c", program),
              product.id("talk"));
      assertEquals("all is well\n", r.output());
    } finally {
      other.destroyForcibly();
    }
    awaitConfiguration("after the end");
  }

  /** As Docker's daemon: it moves an interface to where the warden is before it starts it. */
  @ParameterizedTest
  @ValueSource(strings = {"uml", "vm"})
  void shouldTakeOverWhatIsPutIntoItsOwnNamespace(String kernel) throws Exception {
    assumeWorks(kernel);
    String id = product.id("c");
    Result create =
        product.redoubt("--kernel", kernel, "create", "--bundle", bundle("", "sleep", "100"), id);
    assertEquals(0, create.code(), create.output());
    String pid = "" + product.created(id).sentry().pid();
    run("ip", "-n", pod, "link", "set", "va", "netns", pid);
    String[] in = {"nsenter", "-t", pid, "-n", "ip"};
    run(concat(in, "addr", "add", "10.215.0.1/24", "dev", "va"));
    run(concat(in, "link", "set", "va", "up"));
    Result start = product.redoubt("start", id);
    assertEquals(0, start.code(), start.output());
    run("ip", "netns", "exec", far, "ping", "-c1", "-W5", "10.215.0.1");
    assertEquals(0, product.redoubt("delete", "--force", id).code());
    product.assertNothingLeft();
  }

  /** Kills each process in turn; the pod's interface is the host's again all the same. */
  @ParameterizedTest
  @ValueSource(strings = {"uml", "vm"})
  void shouldGiveTheInterfaceBackWhoeverIsKilled(String kernel) throws Exception {
    assumeWorks(kernel);
    for (String victim : new String[] {"warden", "gofer", "vmm", "command"}) {
      String id = product.id(victim);
      Process run =
          product.start("--kernel", kernel, "run", "--bundle", podBundle("/bin/sleep", "100"), id);
      Product.Sandbox sandbox = product.running(id);
      assertTrue(configuration().contains("qdisc ingress"), configuration());
      ProcessHandle vmm =
          sandbox
              .sentry()
              .children()
              .filter(p -> Product.comm(p.pid()).matches("linux.*|qemu.*"))
              .findFirst()
              .orElseThrow();
      Product.kill(
          switch (victim) {
            case "warden" -> sandbox.sentry();
            case "gofer" -> sandbox.gofer();
            case "vmm" -> vmm;
            default -> run.toHandle();
          });
      Product.await(run);
      awaitConfiguration(victim + " was killed");
      product.assertNothingLeft();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"uml", "vm"})
  void shouldHaveLoopbackOnlyWithoutANetwork(String kernel) throws Exception {
    assumeWorks(kernel);
    List<String> words = List.of("--kernel", kernel, "--network=none", "run", "--bundle");
    var all = new ArrayList<String>(words);
    all.add(podBundle("/bin/sh", "-c", "ip -o link | cut -d: -f2"));
    all.add(product.id("none"));
    Result r = product.redoubt(all.toArray(String[]::new));
    assertEquals(" lo\n", r.output());
    assertEquals(before, configuration());
  }
}
