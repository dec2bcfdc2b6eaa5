package redoubt.sentry.control;

import java.util.ArrayList;
import redoubt.abi.Errno;
import redoubt.host.ClassFiles;
import redoubt.host.Fd;
import redoubt.host.UnixStream;

/** The root directory in which the launcher started this process. */
public final class HostRoot {
  private HostRoot() {}

  /**
   * Has the launcher take everything away from this process's root directory (the JDK, our jars,
   * /proc), so that it is empty and read-only. Files that are open or mapped stay usable, and so do
   * our own classes and the JDK's. Call it once, when all that the process will ever open by path
   * is open, before the seccomp filter.
   *
   * @param ready {@link BootFds#READY} (or GOFER_READY); closed here
   * @throws ControlException if the launcher is gone or failed
   */
  public static void detach(Fd ready) {
    ClassFiles.keepReachable();
    try (ready) {
      byte[] answer = new byte[1];
      if (UnixStream.send(ready, new byte[] {'R'}, new int[0], true) != 0
          || UnixStream.receive(ready, answer, new ArrayList<>(), 0) != 1
          || answer[0] != 'D') {
        throw new ControlException(Errno.EIO, "the launcher could not empty the root directory");
      }
    }
  }
}
