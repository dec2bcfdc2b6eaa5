package redoubt.sandbox.warden;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.HostIo;
import redoubt.host.Memory;
import redoubt.sentry.control.SandboxOperations.ExitListener;

/**
 * A process of the guest with its standard streams: a thread for each carries bytes between a host
 * descriptor and a channel. Its exit is told once all that it wrote before has been written.
 */
final class GuestProcess {
  private static final long STACK = 96 << 10;

  final int handle;
  final String container;
  int pid;

  private final GuestLink link;
  private final boolean terminal;
  private final @Nullable Fd[] fds = new Fd[3];
  private final Output[] outputs = new Output[3];
  private final Object mu = new Object();
  private int inputCredit = Protocol.WINDOW; // guarded by mu
  private int exitCode = -1; // guarded by mu
  private boolean told; // guarded by mu
  private final List<ExitListener> listeners = new ArrayList<>(); // guarded by mu
  private @Nullable ExitListener last; // guarded by mu

  /**
   * @param given one terminal, or 0, 1, 2; owned from now on
   */
  GuestProcess(int handle, String container, GuestLink link, boolean terminal, List<Fd> given) {
    this.handle = handle;
    this.container = container;
    this.link = link;
    this.terminal = terminal;
    for (int i = 0; i < 3 && i < given.size(); i++) {
      fds[i] = given.get(i);
    }
    for (int i = Protocol.STDOUT; i <= Protocol.STDERR; i++) {
      Fd fd = terminal ? (i == Protocol.STDOUT ? fds[0] : null) : fds[i];
      outputs[i] = new Output(i, fd);
    }
  }

  /** Starts the threads. */
  void begin() {
    Fd in = fds[0];
    if (in != null) {
      thread("stdin", () -> pumpInput(in.number()));
    } else {
      link.send(Protocol.END, channel(Protocol.STDIN), new byte[0]);
    }
    thread("stdout", outputs[Protocol.STDOUT]);
    if (!terminal) {
      thread("stderr", outputs[Protocol.STDERR]);
    }
  }

  private void thread(String name, Runnable body) {
    var t = new Thread(null, body, name + "-" + handle, STACK);
    t.setDaemon(true);
    t.start();
  }

  private int channel(int stream) {
    return handle << 2 | stream;
  }

  private void pumpInput(int fd) {
    MemorySegment frame = Memory.mapAnonymous(Protocol.HEADER + Protocol.CHUNK);
    while (true) {
      int room;
      synchronized (mu) {
        while (inputCredit == 0 && exitCode < 0) {
          if (!await()) {
            return;
          }
        }
        if (exitCode >= 0) {
          break;
        }
        room = Math.min(inputCredit, Protocol.CHUNK);
      }
      long n = HostIo.read(fd, frame, Protocol.HEADER, room);
      if (n == -Errno.EINTR || n == -Errno.EAGAIN) {
        if (n == -Errno.EAGAIN) {
          HostIo.poll(fd, HostIo.POLLIN);
        }
        continue;
      }
      if (n <= 0) {
        link.send(Protocol.END, channel(Protocol.STDIN), new byte[0]);
        break;
      }
      synchronized (mu) {
        inputCredit -= (int) n;
      }
      if (!link.send(Protocol.DATA, channel(Protocol.STDIN), frame, (int) n)) {
        break;
      }
    }
    Memory.unmap(frame);
  }

  @SuppressWarnings("WaitNotInLoop") // its caller loops
  private boolean await() {
    try {
      mu.wait();
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** A frame of one of the channels, on the link's thread. */
  void frame(int type, int stream, MemorySegment payload, int length) {
    if (type == Protocol.CREDIT && stream == Protocol.STDIN && length == 4) {
      synchronized (mu) {
        int more = payload.get(Memory.INT, 0);
        if (more < 0 || more > Protocol.WINDOW - inputCredit) {
          throw new GuestLink.ProtocolException("too much credit");
        }
        inputCredit += more;
        mu.notifyAll();
      }
    } else if (type == Protocol.DATA && stream != Protocol.STDIN) {
      outputs[stream].take(payload, length);
    } else if (type == Protocol.END && stream != Protocol.STDIN) {
      outputs[stream].end();
    }
  }

  /** The guest says how it ended. */
  void exited(int code) {
    synchronized (mu) {
      if (exitCode >= 0) {
        return;
      }
      exitCode = code;
      mu.notifyAll();
    }
    tellWhenDrained();
  }

  private void tellWhenDrained() {
    List<ExitListener> toTell;
    ExitListener theLast;
    int code;
    synchronized (mu) {
      if (exitCode < 0
          || told
          || !outputs[Protocol.STDOUT].isDrained()
          || !outputs[Protocol.STDERR].isDrained()) {
        return;
      }
      told = true;
      code = exitCode;
      toTell = List.copyOf(listeners);
      listeners.clear();
      theLast = last;
    }
    for (ExitListener listener : toTell) {
      listener.exited(code);
    }
    if (theLast != null) {
      theLast.exited(code);
    }
  }

  /** Has {@code listener} told after all others. */
  void onExitLast(ExitListener listener) {
    synchronized (mu) {
      last = listener;
    }
  }

  void onExit(ExitListener listener) {
    int code;
    synchronized (mu) {
      if (!told) {
        listeners.add(listener);
        return;
      }
      code = exitCode;
    }
    listener.exited(code);
  }

  boolean hasEnded() {
    synchronized (mu) {
      return exitCode >= 0;
    }
  }

  /** The bytes of one channel on their way to a host descriptor. Bounded by the window. */
  private final class Output implements Runnable {
    private final int stream;
    private final @Nullable Fd fd;
    private final Object queueMu = new Object();
    private final ArrayDeque<byte[]> queue = new ArrayDeque<>(); // guarded by queueMu
    private int queued; // bytes not written yet; guarded by queueMu
    private boolean ended; // guarded by queueMu

    Output(int stream, @Nullable Fd fd) {
      this.stream = stream;
      this.fd = fd;
    }

    void take(MemorySegment payload, int length) {
      synchronized (queueMu) {
        if (length > Protocol.WINDOW - queued) {
          throw new GuestLink.ProtocolException("more bytes on a channel than it had credit for");
        }
        byte[] bytes = new byte[length];
        MemorySegment.copy(payload, ValueLayout.JAVA_BYTE, 0, bytes, 0, length);
        queue.add(bytes);
        queued += length;
        queueMu.notifyAll();
      }
    }

    void end() {
      synchronized (queueMu) {
        ended = true;
        queueMu.notifyAll();
      }
    }

    boolean isDrained() {
      synchronized (queueMu) {
        return queued == 0;
      }
    }

    @Override
    public void run() {
      MemorySegment buffer = Memory.mapAnonymous(Protocol.FRAME_LIMIT);
      while (true) {
        byte[] bytes;
        synchronized (queueMu) {
          while (queue.isEmpty() && !ended) {
            try {
              queueMu.wait();
            } catch (InterruptedException e) {
              return;
            }
          }
          if (queue.isEmpty()) {
            break;
          }
          bytes = queue.remove();
        }
        write(buffer, bytes);
        synchronized (queueMu) {
          queued -= bytes.length;
        }
        byte[] credit = new byte[4];
        credit[0] = (byte) bytes.length;
        credit[1] = (byte) (bytes.length >> 8);
        credit[2] = (byte) (bytes.length >> 16);
        link.send(Protocol.CREDIT, channel(stream), credit);
        tellWhenDrained();
      }
      Memory.unmap(buffer);
      if (fd != null && !terminal) {
        fd.close(); // the reader at the other end sees the end
      }
    }

    private void write(MemorySegment buffer, byte[] bytes) {
      if (fd == null) {
        return;
      }
      MemorySegment.copy(bytes, 0, buffer, ValueLayout.JAVA_BYTE, 0, bytes.length);
      int at = 0;
      while (at < bytes.length) {
        long n = HostIo.write(fd.number(), buffer, at, bytes.length - at);
        if (n == -Errno.EAGAIN) {
          HostIo.awaitWritable(fd.number());
        } else if (n < 0 && n != -Errno.EINTR) {
          return; // nobody reads: the bytes are lost, as in a pipe whose reader left
        } else if (n > 0) {
          at += (int) n;
        }
      }
    }
  }
}
