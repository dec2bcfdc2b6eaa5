package redoubt.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static redoubt.cli.Commands.run;
import static redoubt.cli.Commands.succeeds;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIf;
import redoubt.cli.Product.Result;
import redoubt.cli.Product.Sandbox;

/** A sandbox on a network namespace of the host, whose peer is Linux in another one. */
@Timeout(120)
@EnabledIf("redoubt.cli.Product#canRun")
class NetworkTest {
  private static final String ADDRESS = "10.214.0.1";
  private static final String PEER = "10.214.0.2";

  private static int made;

  private Product product;
  private String pod;
  private String far;
  private String before;
  private final List<Process> peers = new ArrayList<>();

  @BeforeEach
  void setUp() throws Exception {
    String id = ProcessHandle.current().pid() % 100_000 + "c" + made++;
    pod = "rdtp" + id;
    far = "rdtf" + id;
    Assumptions.assumeTrue(succeeds("ip", "netns", "add", pod), "no network namespaces here");
    run("ip", "netns", "add", far);
    run(
        "ip", "link", "add", "va", "netns", pod, "type", "veth", "peer", "name", "vb", "netns",
        far);
    run("ip", "-n", pod, "addr", "add", ADDRESS + "/24", "dev", "va");
    run("ip", "-n", far, "addr", "add", PEER + "/24", "dev", "vb");
    run("ip", "-n", pod, "addr", "add", "fd00:214::1/64", "dev", "va", "nodad");
    run("ip", "-n", far, "addr", "add", "fd00:214::2/64", "dev", "vb", "nodad");
    for (String namespace : new String[] {pod, far}) {
      run("ip", "-n", namespace, "link", "set", "lo", "up");
    }
    run("ip", "-n", pod, "link", "set", "va", "up");
    run("ip", "-n", far, "link", "set", "vb", "up");
    run("ip", "-n", pod, "route", "add", "default", "via", PEER);
    run("ip", "-n", pod, "route", "add", "10.99.0.0/16", "via", "10.214.0.9", "metric", "7");
    before = configuration();
    assertTrue(before.contains(ADDRESS + "/24"), before);
    product = new Product();
  }

  @AfterEach
  void tearDown() throws Exception {
    peers.forEach(Process::destroyForcibly);
    if (product != null) {
      product.close();
    }
    succeeds("ip", "netns", "del", pod);
    succeeds("ip", "netns", "del", far);
  }

  /** Starts a Python program on Linux's side, which says a line when it is ready. */
  private Process peer(String program) throws IOException {
    return peer(far, program);
  }

  private Process peer(String namespace, String program) throws IOException {
    Process p =
        new ProcessBuilder("ip", "netns", "exec", namespace, "python3", "-u", "-c", program)
            .redirectErrorStream(true)
            .start();
    peers.add(p);
    assertEquals('r', p.getInputStream().read());
    return p;
  }

  /** {@return the pod's IPv4 addresses and routes as Linux has them} */
  private String configuration() throws Exception {
    return run("ip", "-n", pod, "-4", "-o", "addr", "show", "dev", "va")
        + run("ip", "-n", pod, "-4", "route");
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

  private String bundle(String... args) throws IOException {
    return bundleOn("/run/netns/" + pod, args);
  }

  private String bundleOn(String path, String... args) throws IOException {
    var list = new StringBuilder();
    for (String arg : args) {
      list.append(list.isEmpty() ? "\"" : ",\"");
      list.append(arg.replace("\n", "\\n").replace("\"", "\\\"")).append('"');
    }
    return product.bundleOf(
        """
        {"ociVersion": "1.2.0", "root": {"path": "/"},
         "process": {"args": [%s], "cwd": "/", "env": ["PATH=/usr/bin:/bin:/usr/sbin:/sbin"],
          "capabilities": {"bounding": ["CAP_NET_RAW", "CAP_NET_ADMIN"],
           "effective": ["CAP_NET_RAW", "CAP_NET_ADMIN"],
           "permitted": ["CAP_NET_RAW", "CAP_NET_ADMIN"]}},
         "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
         "linux": {"namespaces": [{"type": "network", "path": "%s"}]}}
        """
            .formatted(list, path));
  }

  private Result runInSandbox(String name, String... args) throws Exception {
    Result r = product.redoubt("run", "--bundle", bundle(args), product.id(name));
    assertEquals(0, r.code(), r.output());
    return r;
  }

  @Test
  void shouldTalkToLinuxBothWays() throws Exception {
    peer(
        """
        import socket
        l = socket.create_server(("10.214.0.2", 7000))
        print("ready")
        c, a = l.accept()
        assert a[0] == "10.214.0.1", a
        n = 0
        while True:
            b = c.recv(65536)
            if not b:
                break
            n += len(b)
        c.sendall(b"x" * n)
        c.close()
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.sendto(b"go", ("10.214.0.1", 7002))
        s = socket.create_connection(("10.214.0.1", 7001))
        s.sendall(b"hello")
        s.recv(10)
        """);
    String program =
        """
        import socket
        l = socket.create_server(("0.0.0.0", 7001))
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.bind(("0.0.0.0", 7002))
        c = socket.create_connection(("10.214.0.2", 7000))
        data = b"a" * 3000000
        c.sendall(data)
        c.shutdown(socket.SHUT_WR)
        n = 0
        while True:
            b = c.recv(65536)
            if not b:
                break
            n += len(b)
        assert n == len(data), n
        assert u.recvfrom(10)[0] == b"go"
        s, a = l.accept()
        assert a[0] == "10.214.0.2", a
        assert s.recv(10) == b"hello"
        # The sandbox's own address and the loopback are itself.
        for host in ("10.214.0.1", "127.0.0.1"):
            own = socket.create_connection((host, 7001))
            other, a = l.accept()
            assert a[0] == host, a
        try:
            socket.create_connection(("10.214.0.2", 9))
        except ConnectionRefusedError:
            print("all is well")
        """;
    assertEquals("all is well\n", runInSandbox("talk", "python3", "-c", program).output());
    awaitConfiguration("after the end");
  }

  @Test
  void shouldTalkIpv6WithLinux() throws Exception {
    peer(
        """
        import socket, subprocess
        l = socket.create_server(("fd00:214::2", 7000), family=socket.AF_INET6)
        print("ready")
        c, a = l.accept()
        assert a[0] == "fd00:214::1", a
        n = 0
        while True:
            b = c.recv(65536)
            if not b:
                break
            n += len(b)
        c.sendall(b"x" * n)
        c.close()
        u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        u.sendto(b"go", ("fd00:214::1", 7002))
        assert u.recvfrom(10)[0] == b"back"
        assert subprocess.run(["ping", "-6", "-c1", "-W5", "fd00:214::1"]).returncode == 0
        for host in ("fd00:214::1", "10.214.0.1"):
            s = socket.create_connection((host, 7001))
            s.sendall(host.encode())
            s.recv(10)
        """);
    String program =
        """
        import socket, subprocess
        l = socket.create_server(("::", 7001), family=socket.AF_INET6, dualstack_ipv6=True)
        u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        u.bind(("::", 7002))
        c = socket.create_connection(("fd00:214::2", 7000))
        assert c.getsockname()[0] == "fd00:214::1", c.getsockname()
        data = b"a" * 3000000
        c.sendall(data)
        c.shutdown(socket.SHUT_WR)
        n = 0
        while True:
            b = c.recv(65536)
            if not b:
                break
            n += len(b)
        assert n == len(data), n
        d, a = u.recvfrom(10)
        assert d == b"go" and a[0] == "fd00:214::2", a
        u.sendto(b"back", a)
        for host, mine in (("fd00:214::2", "fd00:214::1"), ("::ffff:10.214.0.2", "10.214.0.1")):
            s, a = l.accept()
            assert a[0] == host, a
            assert s.recv(40).decode() == mine
            s.sendall(b"ok")
        for host in ("fd00:214::1", "::1"):
            own = socket.create_connection((host, 7001))
            other, a = l.accept()
            assert a[0] == host, a
        try:
            socket.create_connection(("fd00:214::2", 9))
        except ConnectionRefusedError:
            print("all is well")
        print(subprocess.getoutput("ip -6 -o addr show dev va scope global | cut -d' ' -f7"))
        """;
    assertEquals(
        "all is well\nfd00:214::1/64\n", runInSandbox("six", "python3", "-c", program).output());
    String after = run("ip", "-n", pod, "-6", "-o", "addr", "show", "dev", "va");
    assertTrue(after.contains("fd00:214::1/64"), after);
  }

  @Test
  void shouldShowThePodsNetworkToTheGuest() throws Exception {
    String script =
        "ip -4 -o addr show dev va; ip route; ip route get 10.99.1.1;"
            + " ping -c 2 -i 0.2 -W 5 10.214.0.2 | grep -o '2 received';"
            + " ping -c 1 -W 5 127.0.0.1 | grep -o '1 received';"
            + " grep -c va: /proc/net/dev; ip neigh | cut -d' ' -f1-4";
    String out = runInSandbox("show", "/bin/sh", "-c", script).output();
    assertTrue(out.contains("inet 10.214.0.1/24"), out);
    assertTrue(out.contains("default via 10.214.0.2 dev va"), out);
    assertTrue(out.contains("10.214.0.0/24 dev va"), out);
    assertTrue(out.contains("10.99.1.1 via 10.214.0.9 dev va"), out);
    assertTrue(out.contains("2 received\n1 received\n1\n"), out);
    assertTrue(out.contains("10.214.0.2 dev va lladdr"), out);
  }

  /** As Docker's daemon: it moves an interface to where the sentry is before it starts it. */
  /** The same commands, first on Linux, then inside: the same answers. */
  @Test
  void shouldChangeItsNetworkFromInside() throws Exception {
    run("ip", "-n", far, "addr", "add", "10.216.0.2/24", "dev", "vb");
    run("ip", "-n", far, "addr", "add", "fd00:216::2/64", "dev", "vb", "nodad");
    String script =
        """
        q() { "$@" >/dev/null 2>&1; echo "$* = $?"; }
        f=$(mktemp)
        ip monitor address route neigh > $f & m=$!
        sleep 0.5
        q ip addr add 10.216.0.1/24 dev va
        q ip addr add 10.216.0.1/24 dev va
        q ping -c 1 -W 5 10.216.0.2
        q ip route add 10.90.0.0/16 via 10.216.0.2
        q ip route add 10.90.0.0/16 via 10.216.0.2
        q ip route add 10.91.0.0/16 via 10.77.0.2
        q ip route add 10.92.0.0/16 dev nosuch
        q ip route add 10.92.0.0/16 dev va
        q ip route replace 10.90.0.0/16 via 10.214.0.2
        ip -4 route show table main | grep -v 10.99
        ip -o -4 addr show dev va | grep -o 'inet [^ ]*'
        q ip route del 10.90.0.0/16
        q ip route del 10.90.0.0/16
        q ip addr del 10.216.0.1/24 dev va
        q ip addr del 10.216.0.1/24 dev va
        ip -4 route show table main | grep -v 10.99
        q ip -6 addr add fd00:216::1/64 dev va nodad
        q ping -6 -c 1 -W 5 fd00:216::2
        q ip -6 route add fd00:90::/64 via fd00:216::2
        q ip -6 route add fd00:90::/64 via fd00:216::2
        ip -6 route show fd00:90::/64
        q ip -6 route del fd00:90::/64
        q ip -6 route del fd00:90::/64
        q ip -6 addr del fd00:216::1/64 dev va
        q ip -6 addr del fd00:216::1/64 dev va
        q ip neigh add 10.214.0.77 lladdr 02:00:00:00:00:77 dev va
        q ip neigh add 10.214.0.77 lladdr 02:00:00:00:00:77 dev va
        ip neigh show 10.214.0.77
        q ip neigh del 10.214.0.77 dev va
        q ip link set va mtu 1400
        ip -o link show dev va | grep -o 'mtu [0-9]*'
        q ip link set va mtu 1500
        q ip link set va mtu 67
        q ip link set nosuch up
        q unshare -U ip link set va down
        q ip link set va down
        q ping -c 1 -W 1 10.214.0.2
        q ip route add 10.92.0.0/16 via 10.214.0.2
        q ip link set va up
        sleep 0.2
        q ping -c 1 -W 5 10.214.0.2
        ip route show default
        sleep 0.3
        kill $m
        grep -E '^(Deleted )?10.90|^(Deleted )?fd00:90|^10.214.0.77.*PERM' $f | sed 's/ *$//'
        grep -cE 'inet6? .*216::?.*1/' $f
        rm $f
        """;
    String natively = run("ip", "netns", "exec", pod, "sh", "-c", script);
    run("ip", "-n", pod, "addr", "add", "fd00:214::1/64", "dev", "va", "nodad");
    run("ip", "-n", pod, "route", "add", "default", "via", PEER);
    run("ip", "-n", pod, "route", "add", "10.99.0.0/16", "via", "10.214.0.9", "metric", "7");
    awaitConfiguration("after the native run");
    String inside = runInSandbox("change", "/bin/sh", "-c", script).output();
    assertEquals(natively.replaceAll(" +\\n", "\n"), inside.replaceAll(" +\\n", "\n"));
    assertTrue(inside.contains("ip link set va up = 0"), inside);
    awaitConfiguration("at the end");
  }

  @Test
  void shouldTakeOverWhatIsPutIntoItsOwnNamespace() throws Exception {
    String id = product.id("c");
    String bundle =
        product.bundleOf(
            """
            {"ociVersion": "1.2.0", "root": {"path": "/"},
             "process": {"args": ["/bin/sleep", "100"], "cwd": "/", "env": ["PATH=/bin"]},
             "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
             "linux": {"namespaces": [{"type": "network"}]}}
            """);
    assertEquals(0, product.redoubt("create", "--bundle", bundle, id).code());
    String pid = "" + product.created(id).sentry().pid();
    run("ip", "-n", pod, "link", "set", "va", "netns", pid);
    String[] in = {"nsenter", "-t", pid, "-n", "ip"};
    run(concat(in, "addr", "add", ADDRESS + "/24", "dev", "va"));
    run(concat(in, "link", "set", "va", "up"));
    assertEquals(0, product.redoubt("start", id).code());
    run("ip", "netns", "exec", far, "ping", "-c1", "-W5", ADDRESS);
    assertEquals("", run(concat(in, "-4", "-o", "addr", "show", "dev", "va")));
    assertEquals(0, product.redoubt("delete", "--force", id).code());
    product.assertNothingLeft();
  }

  private static String[] concat(String[] first, String... more) {
    String[] all = java.util.Arrays.copyOf(first, first.length + more.length);
    System.arraycopy(more, 0, all, first.length, more.length);
    return all;
  }

  @Test
  void shouldTakeTheAddressesAndGiveThemBack() throws Exception {
    String id = product.id("c");
    Process run = product.start("run", "--bundle", bundle("/bin/sleep", "100"), id);
    product.running(id);
    assertEquals("", configuration());
    assertTrue(succeeds("ip", "netns", "exec", far, "ping", "-c1", "-W5", ADDRESS));
    assertEquals(0, product.redoubt("kill", id, "KILL").code());
    Product.await(run);
    awaitConfiguration("after the kill");
    product.assertNothingLeft();
  }

  @Test
  void shouldPingOverIpv6() throws Exception {
    String program =
        """
        import os, select, socket, struct, subprocess
        for to in ("fd00:214::2", "fd00:214::1", "::1"):
            r = subprocess.run(["ping", "-6", "-n", "-c2", "-i0.1", "-W5", to], capture_output=True)
            assert b" 2 received" in r.stdout and b"ttl=64" in r.stdout, r
        r = subprocess.run(["ping", "-6", "-n", "-c1", "-s4000", "-W5", "fd00:214::2"],
                           capture_output=True)
        assert b" 1 received" in r.stdout, r
        s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)
        s.settimeout(5)
        only_replies = bytearray([255] * 32)
        only_replies[16] &= ~2 & 255
        s.setsockopt(58, 1, bytes(only_replies))
        s.setsockopt(41, socket.IPV6_RECVHOPLIMIT, 1)
        s.sendto(struct.pack(">BBHHH", 128, 0, 0xdead, 77, 1) + b"data", ("fd00:214::2", 0))
        b, c, f, a = s.recvmsg(100, 100)
        assert b[0] == 129 and b[4:] == struct.pack(">HH", 77, 1) + b"data", b
        assert a[0] == "fd00:214::2" and (41, 52, struct.pack("i", 64)) in c, (a, c)
        print("good")
        """;
    Result r = runInSandbox("c", "/usr/bin/python3", "-c", program);
    assertTrue(r.output().contains("good"), r.output());
  }

  @Test
  void shouldJoinGroups() throws Exception {
    peer(
        """
        import socket, struct, time
        any = socket.inet_aton("10.214.0.2")
        r = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
        r.setsockopt(0, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.22") + any)
        print("ready")
        while True:
            p, a = r.recvfrom(2000)
            if a[0] == "10.214.0.1":
                break
        assert p[0] == 0x46 and p[24] == 0x22 and p[32] == 4, p
        assert p[36:40] == socket.inet_aton("239.1.2.3"), p
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.setsockopt(0, socket.IP_MULTICAST_IF, any)
        u.sendto(b"other", ("239.1.2.4", 5000))
        u.sendto(b"ours", ("239.1.2.3", 5000))
        v = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        for i in range(100):
            try:
                v.sendto(b"six", ("ff15::99", 5000, 0, socket.if_nametoindex("vb")))
                break
            except OSError:  # Linux has its route for groups a while after the link is up
                time.sleep(0.1)
        """);
    String program =
        """
        import errno, socket, struct
        def fails(e, s, *a):
            try:
                s.setsockopt(*a)
                assert False, e
            except OSError as x:
                assert x.errno == e, x
        g = socket.inet_aton("239.1.2.3") + bytes(4)
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.bind(("", 5000))
        u.settimeout(10)
        v = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        v.setsockopt(41, socket.IPV6_V6ONLY, 1)
        v.bind(("::", 5000))
        v.settimeout(10)
        g6 = socket.inet_pton(socket.AF_INET6, "ff15::99")
        v.setsockopt(41, socket.IPV6_JOIN_GROUP, g6 + struct.pack("I", socket.if_nametoindex("va")))
        fails(errno.EADDRNOTAVAIL, u, 0, socket.IP_DROP_MEMBERSHIP, g)
        fails(errno.EINVAL, u, 0, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("10.0.0.1") + bytes(4))
        fails(errno.ENODEV, u, 0, socket.IP_ADD_MEMBERSHIP, g + struct.pack("I", 77))
        u.setsockopt(0, socket.IP_ADD_MEMBERSHIP, g)
        fails(errno.EADDRINUSE, u, 0, socket.IP_ADD_MEMBERSHIP, g)
        assert u.recv(100) == b"ours"
        assert v.recv(100) == b"six"
        u.sendto(b"mine", ("239.1.2.3", 5000))
        assert u.recv(100) == b"mine"
        u.setsockopt(0, socket.IP_DROP_MEMBERSHIP, g)
        u.settimeout(0.2)
        u.sendto(b"mine", ("239.1.2.3", 5000))
        try:
            u.recv(100)
            assert False
        except TimeoutError:
            print("good")
        """;
    Result r = runInSandbox("c", "/usr/bin/python3", "-c", program);
    assertTrue(r.output().contains("good"), r.output());
  }

  /** Docker's daemon has a resolver at 127.0.0.11 of a container's namespace. */
  @Test
  void shouldReachDockersResolver() throws Exception {
    peer(
        pod,
        """
        import socket
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.bind(("127.0.0.11", 53))
        print("ready")
        late = None
        while True:
            q, a = u.recvfrom(4096)
            if q[12:] == b"late":
                late = q
                continue
            u.sendto(q[:12] + b"answer to " + q[12:], a)
            if late:
                u.sendto(late[:12] + b"too late", a)
        """);
    String program =
        """
        import socket
        sockets = []
        for i in range(3):
            u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            u.settimeout(5)
            u.connect(("127.0.0.11", 53))
            sockets.append(u)
        sockets[2].send(bytes([0x77, 0x88] + [0] * 10) + b"late")
        for i in (0, 1):
            sockets[i].send(bytes([0x12, 0x34] + [0] * 10) + b"%d" % i)
        for i in (1, 0):
            r = sockets[i].recv(4096)
            assert r == bytes([0x12, 0x34] + [0] * 10) + b"answer to %d" % i, r
        r = sockets[2].recv(4096)
        assert r == bytes([0x77, 0x88] + [0] * 10) + b"too late", r
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.settimeout(5)
        u.sendto(bytes(12) + b"to", ("127.0.0.11", 53))
        r, a = u.recvfrom(4096)
        assert a == ("127.0.0.11", 53) and r[12:] == b"answer to to", (a, r)
        u.connect(("127.0.0.11", 54))
        u.send(b"nobody")
        try:
            u.recv(10)
            assert False
        except ConnectionRefusedError:
            print("good")
        """;
    Result r = runInSandbox("c", "/usr/bin/python3", "-c", program);
    assertTrue(r.output().contains("good"), r.output());
  }

  @Test
  void shouldShowConnectionsAndCaptureFrames() throws Exception {
    Process peer =
        peer(
            """
            import socket
            print("ready")
            input()
            l = socket.create_server(("10.214.0.2", 7000))
            c, a = l.accept()
            c.sendall(b"x" * 1000)
            c.recv(10)
            """);
    String id = product.id("c");
    String program =
        """
        import socket, time
        while True:
            try:
                s = socket.create_connection(("10.214.0.2", 7000))
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        while len(s.recv(1000, socket.MSG_PEEK)) < 1000:
            pass
        time.sleep(100)
        """;
    product.start("run", "--bundle", bundle("/usr/bin/python3", "-c", program), id);
    product.running(id);
    Path file = Files.createTempFile("redoubt", ".pcap");
    Process capture = product.start("net", "--pcap=" + file, id);
    for (int i = 0; i < 300 && Files.size(file) < 24; i++) {
      Thread.sleep(100);
    }
    peer.getOutputStream().write('\n');
    peer.getOutputStream().flush();
    String report = "";
    for (int i = 0; i < 50 && !report.contains("ESTABLISHED"); i++) {
      Thread.sleep(100);
      report = product.redoubt("net", id).output();
    }
    assertTrue(report.contains("10.214.0.2:7000 recv-q:1000 send-q:0 rtt:"), report);
    assertTrue(report.contains("[fd00:214::1]/64"), report);
    assertTrue(report.contains(" connections opened from here"), report);
    Result second = product.redoubt("net", "--pcap=/dev/null", id);
    assertEquals(1, second.code(), second.output());
    assertEquals(0, product.redoubt("delete", "--force", id).code());
    assertEquals(0, Product.await(capture).code());
    byte[] pcap = Files.readAllBytes(file);
    Files.delete(file);
    ByteBuffer b = ByteBuffer.wrap(pcap).order(ByteOrder.LITTLE_ENDIAN);
    assertEquals(0xa1b2c3d4, b.getInt(0));
    int frames = 0;
    int longest = 0;
    int at = 24;
    while (at < pcap.length) {
      frames++;
      assertEquals(b.getInt(at + 8), b.getInt(at + 12));
      longest = Math.max(longest, b.getInt(at + 8));
      at += 16 + b.getInt(at + 8);
    }
    assertEquals(pcap.length, at);
    assertTrue(frames >= 5, "only " + frames + " frames");
    assertEquals(14 + 20 + 32 + 1000, longest);
    awaitConfiguration("after delete");
  }

  /** Kills each process in turn; the addresses come back all the same. */
  @Test
  void shouldGiveTheAddressesBackWhoeverIsKilled() throws Exception {
    for (String victim : new String[] {"sentry", "gofer", "keeper", "warden", "command"}) {
      String id = product.id(victim);
      Process run = product.start("run", "--bundle", bundle("/bin/sleep", "100"), id);
      Sandbox sandbox = product.running(id);
      assertNotEquals(before, configuration());
      switch (victim) {
        case "sentry" -> Product.kill(sandbox.sentry());
        case "gofer" -> Product.kill(sandbox.gofer());
        case "keeper" -> Product.kill(sandbox.keeper());
        case "warden" -> {
          Product.kill(warden());
          product.redoubt("kill", id, "KILL");
        }
        default -> Product.kill(run.toHandle());
      }
      Product.await(run);
      awaitConfiguration(victim + " was killed");
      product.assertNothingLeft();
    }
  }

  @Test
  void shouldGiveTheAddressesBackWhenABackgroundContainerIsDeleted() throws Exception {
    String id = product.id("c");
    Result made = product.redoubt("run", "--detach", "--bundle", bundle("/bin/sleep", "100"), id);
    assertEquals(0, made.code(), made.output());
    Sandbox sandbox = product.running(id);
    Product.kill(warden());
    Product.kill(sandbox.sentry());
    Thread.sleep(300);
    assertEquals("", configuration());
    assertEquals(0, product.redoubt("delete", "--force", id).code());
    awaitConfiguration("after delete");
    product.assertNothingLeft();
  }

  private ProcessHandle warden() throws IOException {
    for (ProcessHandle p : ProcessHandle.allProcesses().toList()) {
      Path proc = Path.of("/proc/" + p.pid());
      try {
        if (Files.readString(proc.resolve("cmdline")).startsWith("redoubt-warden")
            && Files.readSymbolicLink(proc.resolve("fd/4")).endsWith(pod)) {
          return p;
        }
      } catch (IOException e) {
        // It has ended meanwhile.
      }
    }
    throw new AssertionError("no warden holds " + pod);
  }

  @Test
  void shouldShareAPodsNetworkWithNoOtherSandbox() throws Exception {
    String id = product.id("first");
    product.start("run", "--bundle", bundle("/bin/sleep", "100"), id);
    product.running(id);
    Result second = product.redoubt("run", "--bundle", bundle("/bin/true"), product.id("second"));
    assertEquals(1, second.code(), second.output());
    assertTrue(second.output().contains("has taken it over"), second.output());
    assertEquals(0, product.redoubt("delete", "--force", id).code());
    awaitConfiguration("after delete");
  }

  @Test
  void shouldRefuseTheHostsOwnNetwork() throws Exception {
    Result r =
        product.redoubt(
            "run", "--bundle", bundleOn("/proc/self/ns/net", "/bin/true"), product.id("c"));
    assertEquals(1, r.code(), r.output());
    assertTrue(r.output().contains("a network namespace of its own"), r.output());
    product.assertNothingLeft();
  }

  /** Asks for the peer's address by hand, and has an error told about a closed port. */
  private static final String BY_HAND =
      """
      import socket, struct
      p = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x806))
      p.bind(("va", 0x806))
      mac = p.getsockname()[4]
      us, peer = socket.inet_aton("10.214.0.1"), socket.inet_aton("10.214.0.2")
      p.send(bytes.fromhex("ffffffffffff") + mac + bytes.fromhex("0806") + struct.pack("!HHBBH", 1, 0x800, 6, 4, 1)
             + mac + us + bytes(6) + peer)
      p.settimeout(10)
      reply = b""
      while reply[20:22] != bytes([0, 2]):
          reply = p.recv(100)
      print("arp", reply[28:32] == peer, reply[:6] == mac)
      u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
      u.setsockopt(socket.SOL_IP, 11, 1)
      u.sendto(b"hello", ("10.214.0.2", 9))
      import select
      q = select.poll()
      q.register(u, 0)
      q.poll(10000)
      data, control, flags, to = u.recvmsg(100, 500, socket.MSG_ERRQUEUE)
      errno, origin, kind, code = struct.unpack("=IBBB", control[0][2][:7])
      offender = socket.inet_ntoa(control[0][2][20:24])
      print(data, to, errno, origin, kind, code, offender)
      """;

  @Test
  void shouldSendFramesAndHearOfErrors() throws Exception {
    Result r = runInSandbox("c", "/usr/bin/python3", "-c", BY_HAND);
    String expected = "arp True True\nb'hello' ('10.214.0.2', 9) 111 2 3 3 10.214.0.2";
    assertEquals(expected, r.output().strip());
  }

  /** A server that answers in the other case, and ends what it says once the client has. */
  private static final String UPPER =
      """
      import socket, threading
      def serve(c):
          while b := c.recv(65536):
              c.sendall(b.upper())
          c.sendall(b"end")
          c.close()
      l = socket.create_server(("127.0.0.1", 8000))
      while True:
          threading.Thread(target=serve, args=l.accept()[:1]).start()
      """;

  @Test
  void shouldForwardPorts() throws Exception {
    String id = product.id("c");
    product.start("run", "--bundle", bundle("/usr/bin/python3", "-c", UPPER), id);
    product.running(id);
    Process forward = product.start("port-forward", id, "0:8000", "0:8001");
    peers.add(forward);
    var lines = forward.inputReader();
    String first = String.valueOf(lines.readLine());
    String second = String.valueOf(lines.readLine());
    assertTrue(first.matches("forwarding 127.0.0.1:\\d+ to port 8000 of .*"), first);
    byte[] sent = "a".repeat(3_000_000).getBytes(java.nio.charset.StandardCharsets.US_ASCII);
    byte[] got = new byte[0];
    for (int i = 0; i < 100 && got.length == 0; i++) { // until the server listens
      try (var s = new java.net.Socket("127.0.0.1", port(first))) {
        var writer = Thread.ofPlatform().start(() -> write(s, sent));
        got = s.getInputStream().readAllBytes();
        writer.join();
      }
      Thread.sleep(100);
    }
    assertEquals(sent.length + 3, got.length);
    assertEquals('A', got[0]);
    assertEquals("end", new String(got, sent.length, 3));
    try (var s = new java.net.Socket("127.0.0.1", port(second))) {
      assertEquals(-1, s.getInputStream().read(), "nobody listens at 8001");
    }
    assertEquals(1, product.redoubt("port-forward", id, "80:0").code());
    assertEquals(1, product.redoubt("port-forward", id, "1:2:3").code());
    assertEquals(0, product.redoubt("delete", "--force", id).code());
  }

  private static int port(String line) {
    return Integer.parseInt(line.replaceFirst(".*127.0.0.1:(\\d+) .*", "$1"));
  }

  private static void write(java.net.Socket s, byte[] bytes) {
    try {
      s.getOutputStream().write(bytes);
      s.shutdownOutput();
    } catch (IOException e) {
      // Nobody listens yet.
    }
  }
}
