package redoubt.sentry.fs.proc;

import java.util.concurrent.ConcurrentHashMap;
import redoubt.sentry.fs.kernfs.TextFile;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Task;

/**
 * Texts of /proc that other subsystems write: {@code net/tcp}, {@code sysvipc/shm}, {@code locks}.
 * A file whose subsystem gave nothing shows its header only.
 */
public final class ProcTexts {
  private final ConcurrentHashMap<String, TextFile.Generator> writers = new ConcurrentHashMap<>();

  /** {@return the kernel's one registry} */
  public static ProcTexts of(Kernel k) {
    synchronized (k) {
      ProcTexts p = k.subsystemOrNull(ProcTexts.class);
      if (p == null) {
        p = new ProcTexts();
        k.register(ProcTexts.class, p);
      }
      return p;
    }
  }

  /**
   * Has {@code writer} append the lines after the header of {@code path}, relative to /proc
   * ("net/tcp").
   */
  public void set(String path, TextFile.Generator writer) {
    writers.put(path, writer);
  }

  /** Appends {@code header} and what the writer of {@code path} adds. */
  static void append(Kernel k, String path, String header, Task t, StringBuilder o) {
    o.append(header);
    TextFile.Generator g = of(k).writers.get(path);
    if (g != null) {
      g.generate(t, o);
    }
  }
}
