package redoubt.cli;

import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.HostFiles;
import redoubt.sandbox.Sandbox;
import redoubt.sandbox.SandboxException;
import redoubt.sentry.control.ControlException;

/** Carry connections from ports of the host to ports of a container's loopback. */
final class PortForward implements Verb {
  private static final int BACKLOG = 128;

  /** Where to listen on the host, and which port of the container that is for. */
  private record Rule(int from, int to) {}

  @Override
  public String arguments() {
    return "ID [HOSTPORT:]PORT...";
  }

  @Override
  public String summary() {
    return "Forward TCP ports of this host to a container.";
  }

  @Override
  public String examples() {
    return """
      redoubt port-forward c1 8080:80      then: curl http://127.0.0.1:8080/
      redoubt port-forward c1 6379         the same port on both sides
      redoubt port-forward c1 0:5432       a free port, which is printed
      redoubt port-forward --address=0.0.0.0 c1 8080:80 8443:443
    """;
  }

  @Override
  public void declare(Flags flags) {
    flags.value("address", "ADDRESS", "listen there (127.0.0.1 unless given)");
  }

  @Override
  public int run(Context context, Flags flags) {
    String id = flags.argument(0, "container id");
    flags.argument(1, "port");
    var rules = new ArrayList<Rule>();
    for (String text : flags.rest().subList(1, flags.rest().size())) {
      rules.add(parse(text));
    }
    var directory = context.directory(id);
    try (Sandbox sandbox = Sandbox.connect(directory)) {
      var end = new CountDownLatch(1);
      for (Rule rule : rules) {
        listen(flags.get("address", "127.0.0.1"), rule, sandbox, id, end);
      }
      end.await(); // until interrupted, or a connection finds the container gone
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return 0;
  }

  private static Rule parse(String text) {
    List<String> parts = List.of(text.split(":", -1));
    if (parts.size() > 2) {
      throw new UsageException(Context.safe(text) + ": want HOSTPORT:PORT");
    }
    int to = port(text, parts.getLast(), 1);
    return new Rule(parts.size() == 1 ? to : port(text, parts.getFirst(), 0), to);
  }

  private static int port(String text, String digits, int least) {
    int port;
    try {
      port = Integer.parseInt(digits);
    } catch (NumberFormatException e) {
      port = -1;
    }
    if (port < least || port > 65535) {
      throw new UsageException(
          Context.safe(text) + ": a port is a number from " + least + " to 65535");
    }
    return port;
  }

  private static void listen(
      String address, Rule rule, Sandbox sandbox, String id, CountDownLatch end) {
    try {
      var server = new ServerSocket();
      server.bind(new InetSocketAddress(InetAddress.getByName(address), rule.from), BACKLOG);
      String at = address + ":" + server.getLocalPort();
      Context.print("forwarding " + at + " to port " + rule.to + " of " + Context.safe(id) + "\n");
      Thread.ofPlatform()
          .daemon()
          .name("forward " + rule.to)
          .start(() -> serve(server, rule, sandbox, id, end));
    } catch (IOException e) {
      throw new SandboxException(Context.safe(address) + ":" + rule.from + ": " + e.getMessage());
    }
  }

  private static void serve(
      ServerSocket server, Rule rule, Sandbox sandbox, String id, CountDownLatch end) {
    try {
      while (true) {
        Socket client = server.accept();
        try {
          connect(client, rule, sandbox, id);
        } catch (ControlException e) {
          close(client);
          System.err.println("redoubt: port " + rule.to + ": " + e.getMessage());
          if (e.errno() != Errno.ECONNREFUSED && e.errno() != Errno.EMFILE) {
            break; // the container or its sandbox is gone
          }
        }
      }
    } catch (IOException | SandboxException e) {
      System.err.println("redoubt: port " + rule.to + ": " + e.getMessage());
    } finally {
      end.countDown();
    }
  }

  private static void connect(Socket client, Rule rule, Sandbox sandbox, String id)
      throws IOException {
    client.setTcpNoDelay(true);
    Fd[] in = HostFiles.pipe();
    Fd[] out = HostFiles.pipe();
    OutputStream toGuest;
    InputStream fromGuest;
    try (Fd inRead = in[0];
        Fd inWrite = in[1];
        Fd outRead = out[0];
        Fd outWrite = out[1]) {
      synchronized (sandbox) {
        sandbox.forward(id, rule.to, inRead, outWrite);
      }
      toGuest = new FileOutputStream("/proc/self/fd/" + inWrite.number());
      fromGuest = new FileInputStream("/proc/self/fd/" + outRead.number());
    }
    var both = new java.util.concurrent.atomic.AtomicInteger(2);
    Thread.ofPlatform()
        .daemon()
        .start(() -> {
          pump(client::getInputStream, () -> toGuest, toGuest::close);
          finish(both, client);
        });
    Thread.ofPlatform()
        .daemon()
        .start(() -> {
          pump(() -> fromGuest, client::getOutputStream, client::shutdownOutput);
          close(fromGuest);
          finish(both, client);
        });
  }

  @FunctionalInterface
  private interface Source<T> {
    T get() throws IOException;
  }

  @FunctionalInterface
  private interface End {
    void run() throws IOException;
  }

  private static void pump(Source<InputStream> from, Source<OutputStream> to, End end) {
    try {
      from.get().transferTo(to.get());
    } catch (IOException e) {
      // One side is gone; the other hears it by the end below.
    } finally {
      try {
        end.run();
      } catch (IOException e) {
        // It was gone already.
      }
    }
  }

  private static void finish(
      java.util.concurrent.atomic.AtomicInteger both, java.io.Closeable client) {
    if (both.decrementAndGet() == 0) {
      close(client);
    }
  }

  private static void close(java.io.Closeable c) {
    try {
      c.close();
    } catch (IOException e) {
      // Nothing more can be done about it.
    }
  }
}
