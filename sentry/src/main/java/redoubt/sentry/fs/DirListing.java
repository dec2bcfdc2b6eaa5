package redoubt.sentry.fs;

import java.util.Arrays;

/** Names of a directory with inode numbers and types, in order; without "." and "..". */
public final class DirListing {
  private String[] names = new String[16];
  private long[] inos = new long[16];
  private byte[] types = new byte[16];
  private int count;

  /**
   * @param type DT_* of dirent(3)
   */
  public void add(String name, long ino, int type) {
    if (count == names.length) {
      names = Arrays.copyOf(names, 2 * count);
      inos = Arrays.copyOf(inos, 2 * count);
      types = Arrays.copyOf(types, 2 * count);
    }
    names[count] = name;
    inos[count] = ino;
    types[count] = (byte) type;
    count++;
  }

  public int size() {
    return count;
  }

  public String name(int i) {
    return names[i];
  }

  public long ino(int i) {
    return inos[i];
  }

  public int type(int i) {
    return types[i];
  }

  /** {@return the DT_* of a mode's file type} */
  public static int typeOf(int mode) {
    return mode >>> 12 & 15;
  }
}
