package redoubt.sandbox;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.HostFiles;
import redoubt.host.Pty;
import redoubt.host.UnixStream;

/** The descriptors that a guest process is started with. */
public final class Stdio implements AutoCloseable {
  private final List<Fd> fds;
  private final @Nullable Pty pty;

  private Stdio(List<Fd> fds, @Nullable Pty pty) {
    this.fds = fds;
    this.pty = pty;
  }

  /** {@return this process's own 0, 1, 2 and {@code preserve} more from 3 on} */
  public static Stdio inherited(int preserve) {
    var fds = new ArrayList<Fd>();
    for (int i = 0; i < 3 + preserve; i++) {
      if (i >= 3 && !isCallers(i)) {
        fds.forEach(Fd::close);
        throw new SandboxException(
            "--preserve-fds=" + preserve + ": descriptor " + i + " is not open");
      }
      try {
        fds.add(HostFiles.duplicate(i));
      } catch (HostException e) {
        fds.add(HostFiles.open("/dev/null", HostFiles.O_RDWR, 0));
      }
    }
    return new Stdio(fds, null);
  }

  /** {@return whether our caller opened it} What this JVM opened for itself is no guest's. */
  private static boolean isCallers(int number) {
    try {
      // HotSpot opens the JDK's own classes without O_CLOEXEC.
      String path = new File("/proc/self/fd/" + number).getCanonicalPath();
      return HostFiles.isInherited(number)
          && !path.startsWith(System.getProperty("java.home") + "/");
    } catch (IOException e) {
      return false;
    }
  }

  /**
   * {@return a new terminal} Its master goes to {@code consoleSocket}, or stays here when that is
   * empty.
   *
   * @param rows 0 to take the size of this process's own terminal; {@code columns} alike
   */
  public static Stdio terminal(String consoleSocket, int rows, int columns) {
    Pty pty = Pty.open();
    var stdio = new Stdio(List.of(pty.slave()), pty);
    int size = rows > 0 && columns > 0 ? rows << 16 | columns : Pty.windowSize(0);
    if (size != 0) {
      Pty.setWindowSize(pty.master(), size >>> 16, size & 0xffff);
    }
    if (!consoleSocket.isEmpty()) {
      try {
        sendMaster(consoleSocket, pty);
      } catch (SandboxException e) {
        stdio.close();
        throw e;
      }
    }
    return stdio;
  }

  private static void sendMaster(String path, Pty pty) {
    File file = new File(path).getAbsoluteFile();
    try (Fd socket = UnixStream.connect(file.getParent(), file.getName())) {
      byte[] name = "/dev/ptmx".getBytes(StandardCharsets.UTF_8);
      long r = UnixStream.send(socket, name, new int[] {pty.master().number()}, true);
      HostException.check("send the terminal to " + path, r);
    } catch (HostException e) {
      throw new SandboxException("--console-socket: " + e.getMessage());
    }
  }

  public List<Fd> fds() {
    return fds;
  }

  /** {@return the terminal, or null when there is none} */
  public @Nullable Pty pty() {
    return pty;
  }

  @Override
  public void close() {
    for (Fd fd : fds) {
      fd.close();
    }
    if (pty != null) {
      pty.close();
    }
  }
}
