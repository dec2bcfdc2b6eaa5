package redoubt.sandbox.warden;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.sentry.control.ControlException;
import redoubt.sentry.control.WireReader;
import redoubt.sentry.control.WireWriter;

/** Requests to the guest's agent and their answers. Any thread may ask. */
final class GuestAgent {
  private final GuestLink link;
  private final Object mu = new Object();
  private final Map<Integer, Answer> waiting = new HashMap<>(); // guarded by mu
  private int lastId; // guarded by mu
  private boolean ready; // guarded by mu
  private byte @Nullable [] greeting; // guarded by mu
  private @Nullable String gone; // guarded by mu

  private static final class Answer {
    private int type;
    private byte @Nullable [] payload;
  }

  GuestAgent(GuestLink link) {
    this.link = link;
  }

  /** READY, OK and ERROR frames, on the link's thread. */
  void frame(int type, int id, MemorySegment payload, int length) {
    byte[] bytes = new byte[length];
    MemorySegment.copy(payload, ValueLayout.JAVA_BYTE, 0, bytes, 0, length);
    synchronized (mu) {
      if (type == Protocol.READY) {
        if (id == 1) {
          ready = true;
        } else {
          greeting = bytes;
        }
      } else {
        Answer answer = waiting.get(id);
        if (answer == null || answer.payload != null) {
          throw new GuestLink.ProtocolException("an answer to nothing");
        }
        answer.type = type;
        answer.payload = bytes;
      }
      mu.notifyAll();
    }
  }

  void gone(String why) {
    synchronized (mu) {
      gone = why;
      mu.notifyAll();
    }
  }

  /** Waits until the agent runs; false when the time is up or the guest is gone. */
  boolean awaitReady(long deadlineNs) {
    synchronized (mu) {
      while (!ready && gone == null) {
        if (!await(deadlineNs)) {
          return false;
        }
      }
      return ready;
    }
  }

  /** Waits for the agent's answer to HELLO, which is returned. */
  WireReader awaitGreeting(long deadlineNs) {
    synchronized (mu) {
      while (greeting == null) {
        if (gone != null || !await(deadlineNs)) {
          throw new ControlException(Errno.EIO, "the guest's agent does not answer");
        }
      }
      return new WireReader(greeting);
    }
  }

  @SuppressWarnings("WaitNotInLoop") // its callers loop
  private boolean await(long deadlineNs) {
    long left = deadlineNs - System.nanoTime();
    if (left <= 0) {
      return false;
    }
    try {
      mu.wait(left / 1_000_000 + 1);
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /**
   * Asks and waits.
   *
   * @throws ControlException what the agent answered; EPIPE if the guest is gone, ETIMEDOUT if it
   *     is silent
   */
  WireReader call(int type, WireWriter request, int seconds) {
    var answer = new Answer();
    int id;
    synchronized (mu) {
      id = ++lastId;
      waiting.put(id, answer);
    }
    try {
      long deadline = System.nanoTime() + seconds * 1_000_000_000L;
      byte[] payload = request.toBytes();
      if (payload.length > Protocol.FRAME_LIMIT) {
        throw new ControlException(
            Errno.E2BIG, "the configuration is too large for the guest's agent");
      }
      if (!link.send(type, id, payload)) {
        throw new ControlException(Errno.EPIPE, "the guest has ended");
      }
      synchronized (mu) {
        while (answer.payload == null) {
          if (gone != null) {
            throw new ControlException(Errno.EPIPE, "the guest has ended: " + gone);
          }
          if (!await(deadline)) {
            throw new ControlException(
                Errno.ETIMEDOUT, "the guest did not answer within " + seconds + " s");
          }
        }
        return read(answer.type, answer.payload);
      }
    } finally {
      synchronized (mu) {
        waiting.remove(id);
      }
    }
  }

  private static WireReader read(int type, byte[] payload) {
    var reader = new WireReader(payload);
    if (type == Protocol.OK) {
      return reader;
    }
    int errno = Errno.EIO;
    String message = "refused";
    while (reader.next()) {
      switch (reader.tag()) {
        case 1 -> errno = reader.int32();
        case 2 -> message = reader.string();
        default -> {}
      }
    }
    String name = Errno.message(errno);
    throw new ControlException(errno, message + (name.isEmpty() ? "" : ": " + name));
  }
}
