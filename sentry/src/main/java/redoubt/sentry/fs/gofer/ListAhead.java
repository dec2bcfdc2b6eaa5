package redoubt.sentry.fs.gofer;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import redoubt.p9.P9;
import redoubt.p9.P9Tree;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Latin1;

/**
 * Lists directories before they are asked for, in exclusive mode. Who lists a second directory of
 * one that is listed walks a tree: the directories that follow, in the order of the list, and those
 * below them come in the same message, and when that has gone on for a while, the gofer looks for
 * the next message's while this one's are entered.
 *
 * <p>One task at a time; others list what they want by itself. Locks: {@code mu}, then a
 * directory's list, then {@link GoferFs#mu}.
 */
final class ListAhead {
  private final GoferFs gofer;
  private final ReentrantLock mu = new ReentrantLock();

  @GuardedBy("mu")
  private @Nullable P9Tree spare;

  /** What was asked for and nobody wanted yet. */
  @GuardedBy("mu")
  private @Nullable P9Tree next;

  /** Where that is; its fid is pinned. */
  @GuardedBy("mu")
  private @Nullable GoferDir nextDir;

  /** Changes of names when it was asked. */
  @GuardedBy("mu")
  private long nextBefore;

  ListAhead(GoferFs gofer) {
    this.gofer = gofer;
  }

  /**
   * {@code first}, a directory in {@code above}, is to be listed.
   *
   * @return whether it may have its list now
   */
  boolean list(GoferDir above, GoferDir first) {
    if (!mu.tryLock()) {
      return false;
    }
    try {
      if (nextDir == above) {
        takeNext(true);
        if (first.isListed()) {
          return true;
        }
      }
      return ask(above, first);
    } finally {
      mu.unlock();
    }
  }

  @GuardedBy("mu")
  private boolean ask(GoferDir above, GoferDir first) {
    List<byte[]> names = above.listedWith(first);
    int f = names.isEmpty() ? -1 : above.pinnedFid();
    if (f < 0) {
      return false;
    }
    P9Tree tree = takeSpare();
    try {
      long before = gofer.changes();
      if (gofer.client.readdirs(f, names, tree) > 0) {
        keep(above, tree, before, true);
      }
    } finally {
      above.unpinFid();
      giveSpare(tree);
    }
    if (!first.isListed()) {
      above.restFromListing();
    }
    return true;
  }

  /** Enters what was asked for in advance. */
  @GuardedBy("mu")
  private void takeNext(boolean goOn) {
    P9Tree tree = next;
    GoferDir above = nextDir;
    if (tree == null || above == null) {
      return;
    }
    next = null;
    nextDir = null;
    try {
      if (gofer.client.awaitReaddirs(tree) > 0) {
        keep(above, tree, nextBefore, goOn);
      }
    } finally {
      above.unpinFid();
      giveSpare(tree);
    }
  }

  @GuardedBy("mu")
  private void askNext(GoferDir above, String last) {
    List<byte[]> names = above.listedAfter(last);
    if (names.isEmpty()) {
      return;
    }
    takeNext(false); // somewhere else
    int f = above.pinnedFid();
    if (f < 0) {
      return;
    }
    P9Tree tree = takeSpare();
    nextBefore = gofer.changes();
    if (gofer.client.beginReaddirs(f, names, tree) < 0) {
      above.unpinFid();
      giveSpare(tree);
      return;
    }
    next = tree;
    nextDir = above;
  }

  @GuardedBy("mu")
  private void keep(GoferDir top, P9Tree tree, long before, boolean goOn) {
    if (goOn) {
      askNext(top, name(tree, tree.lastNameOffset, tree.lastNameLength));
    }
    List<@Nullable GoferDir> dirs = new ArrayList<>();
    while (tree.next()) {
      GoferDir above = tree.parent == P9.READDIRS_TOP ? top : dirs.get(tree.parent);
      GoferDir dir =
          above == null ? null : above.listedDir(name(tree, tree.nameOffset, tree.nameLength));
      dirs.add(dir);
      if (dir != null) {
        dir.keepEntries(tree.entries, before);
      }
    }
    ErrnoException.check(gofer.client.check(tree.entries));
  }

  private static String name(P9Tree tree, int offset, int length) {
    return Latin1.string(tree.entries.memory(), offset, length);
  }

  @GuardedBy("mu")
  private P9Tree takeSpare() {
    P9Tree tree = spare;
    spare = null;
    return tree == null ? gofer.client.newTree() : tree;
  }

  @GuardedBy("mu")
  private void giveSpare(P9Tree tree) {
    if (spare == null) {
      spare = tree;
    } else {
      tree.close();
    }
  }

  /** Takes the answer that is under way, and gives memory back. */
  void close() {
    mu.lock();
    try {
      takeNext(false);
      if (spare != null) {
        spare.close();
        spare = null;
      }
    } finally {
      mu.unlock();
    }
  }
}
