package redoubt.sentry.vfs;

/** Takes directory entries one by one, as Linux's filldir. */
public interface DirSink {
  /**
   * Takes one entry.
   *
   * @param next the position to continue from after this entry (d_off)
   * @param type DT_* of dirent(3)
   * @return false if there is no room; the entry was not taken
   */
  boolean entry(String name, long ino, int type, long next);
}
