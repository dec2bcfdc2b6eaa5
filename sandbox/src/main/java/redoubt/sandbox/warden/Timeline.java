package redoubt.sandbox.warden;

/** When the stages of a boot were reached, in milliseconds since the warden was started. */
final class Timeline {
  private final long startNs = System.nanoTime();
  private final StringBuilder text = new StringBuilder(); // guarded by this
  private String stage = "spawned"; // guarded by this
  private String release = ""; // guarded by this

  /**
   * Notes a stage. In order: spawned, console (its first byte), agent (it runs), hello (it has
   * answered), files (attached), created, started.
   */
  synchronized void mark(String reached) {
    if (!reached.equals("console") || stage.equals("spawned")) {
      stage = reached; // a console may begin to speak late
    }
    if (text.length() < 4096) {
      text.append(text.isEmpty() ? "" : ", ").append(reached).append(' ');
      text.append((System.nanoTime() - startNs) / 1_000_000).append(" ms");
    }
  }

  synchronized void guestUptime(long ns) {
    text.append(" (guest's clock ").append(ns / 1_000_000).append(" ms)");
  }

  synchronized void release(String kernel) {
    release = kernel.strip();
  }

  synchronized String stage() {
    return stage;
  }

  synchronized String text() {
    return (release.isEmpty() ? "" : "Linux " + release + ": ") + text;
  }
}
