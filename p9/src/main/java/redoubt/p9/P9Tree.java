package redoubt.p9;

import org.jspecify.annotations.Nullable;

/**
 * Lists of several directories, whole ones only, each after the one that it is in. Reusable; filled
 * by {@link P9Client#readdirs}. Not thread-safe.
 *
 * <pre>{@code
 * while (tree.next()) {
 *   // parent, nameOffset and nameLength say which directory
 *   while (tree.entries.next()) { ... }
 * }
 * }</pre>
 */
public final class P9Tree implements AutoCloseable {
  /** The entries of the directory that {@link #next} went to, with attributes. */
  public final P9Dir entries;

  /** Which of the lists before has this directory, or {@link P9#READDIRS_TOP}. */
  public int parent;

  public int nameOffset;
  public int nameLength;

  /** Of the request's names that have a list, the last: where its name stands. */
  public int lastNameOffset;

  public int lastNameLength;

  /** What was asked and is not answered yet. */
  P9Lane.@Nullable Call asked;

  private int remaining;
  private int count;

  P9Tree(P9Dir entries) {
    this.entries = entries;
  }

  /** Goes to the next list, past what was not read of the last; returns false at the end. */
  public boolean next() {
    while (entries.next()) {
      // what nobody wanted
    }
    if (remaining <= 0 || entries.buffer.failed()) {
      return false;
    }
    remaining--;
    header();
    entries.take(count, true);
    return !entries.buffer.failed();
  }

  private void header() {
    P9Buffer b = entries.buffer;
    parent = b.get16();
    nameLength = b.get16();
    nameOffset = b.skip(nameLength);
    count = b.get16();
  }

  void reset() {
    entries.reset();
    remaining = 0;
  }

  /** Checks an answer of {@code lists} lists, cursor on the first; returns how many, or -1. */
  int accept(int lists) {
    P9Buffer b = entries.buffer;
    int start = b.position();
    for (int i = 0; i < lists && !b.failed(); i++) {
      header();
      if (b.failed()
          || (parent != P9.READDIRS_TOP && parent >= i)
          || !P9Dir.isName(b, nameOffset, nameLength)) {
        b.fail();
      }
      if (parent == P9.READDIRS_TOP) {
        lastNameOffset = nameOffset;
        lastNameLength = nameLength;
      }
      entries.skip(count);
    }
    if (!b.isConsumed()) {
      return -1;
    }
    b.rewind(start);
    remaining = lists;
    return lists;
  }

  @Override
  public void close() {
    entries.close();
  }
}
