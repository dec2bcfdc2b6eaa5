package redoubt.cli;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.HostFiles;
import redoubt.host.HostIo;
import redoubt.host.SeqpacketSocket;
import redoubt.sandbox.Sandbox;
import redoubt.sandbox.SandboxException;

/** Show a sandbox's network, or capture its frames. */
final class Net implements Verb {
  private static final int O_WRONLY_CREAT_TRUNC = 1 | 0100 | 01000;
  private static final int RECORD_BYTES = 1 << 17;
  private static final int SEND_BUFFER = 4 << 20;

  /** Little-endian, microseconds, version 2.4, frames of up to 256 KiB, Ethernet. */
  private static final int[] PCAP_HEADER = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 1 << 18, 1};

  @Override
  public String arguments() {
    return "ID";
  }

  @Override
  public String summary() {
    return "Show a sandbox's connections and counters, or capture its frames.";
  }

  @Override
  public String examples() {
    return """
      redoubt net c1
      redoubt net --pcap=c1.pcap c1        until interrupted, or the sandbox ends
      redoubt net --pcap=- c1 | tshark -r -
    """;
  }

  @Override
  public void declare(Flags flags) {
    flags.value("pcap", "FILE", "write the frames of its links there (- is standard output)");
  }

  @Override
  public int run(Context context, Flags flags) {
    String id = flags.argument(0, "container id");
    flags.atMost(1);
    String file = flags.get("pcap", "");
    try (Sandbox sandbox = Sandbox.connect(context.directory(id))) {
      if (file.isEmpty()) {
        show(sandbox.networkReport());
      } else {
        capture(sandbox, file);
      }
    }
    return 0;
  }

  private static void show(String report) {
    var out = new StringBuilder();
    for (String line : report.split("\n", -1)) {
      out.append(Context.safe(line)).append('\n');
    }
    Context.print(out.toString().stripTrailing() + "\n");
  }

  private static void capture(Sandbox sandbox, String file) {
    boolean isOutput = file.equals("-");
    Fd to;
    try {
      to = isOutput ? new Fd(1) : HostFiles.open(file, O_WRONLY_CREAT_TRUNC, 0600);
    } catch (HostException e) {
      throw new SandboxException(Context.safe(file) + ": " + e.getMessage());
    }
    Fd[] pair = SeqpacketSocket.pair();
    SeqpacketSocket.setSendBuffer(pair[1].number(), SEND_BUFFER);
    try (Fd mine = pair[0];
        Arena arena = Arena.ofConfined()) {
      try (Fd its = pair[1]) {
        sandbox.capture(its);
      }
      pump(mine, to, arena.allocate(RECORD_BYTES, 8));
    } finally {
      if (isOutput) {
        to.release();
      } else {
        to.close();
      }
    }
  }

  private static void pump(Fd from, Fd to, MemorySegment buffer) {
    for (int i = 0; i < PCAP_HEADER.length; i++) {
      buffer.set(redoubt.host.Memory.INT, 4L * i, PCAP_HEADER[i]);
    }
    long n = 4L * PCAP_HEADER.length;
    while (n > 0) {
      for (long done = 0; done < n; ) {
        long w = HostIo.write(to.number(), buffer, done, n - done);
        if (w < 0 && w != -Errno.EINTR) {
          throw new SandboxException("writing the capture: " + Errno.message((int) -w));
        }
        done += Math.max(w, 0);
      }
      do {
        n = HostIo.read(from.number(), buffer, 0, RECORD_BYTES);
      } while (n == -Errno.EINTR);
    }
  }
}
