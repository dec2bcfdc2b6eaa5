package redoubt.sentry.vfs;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * Mounts that tell each other of what is mounted and unmounted on them: <a
 * href="https://man7.org/linux/man-pages/man7/mount_namespaces.7.html">mount_namespaces(7)</a>,
 * shared subtrees. Guarded by {@link Mount#TREE_MU}.
 */
final class PeerGroup {
  private static final BitSet IDS = new BitSet();

  /** The number in {@code shared:N} and {@code master:N}. */
  final int id;

  final List<Mount> members = new ArrayList<>();

  /** Mounts that hear of this group and do not answer. */
  final List<Mount> slaves = new ArrayList<>();

  PeerGroup() {
    id = IDS.nextClearBit(1);
    IDS.set(id);
  }

  void join(Mount m) {
    members.add(m);
    m.group = this;
  }

  /** {@code m} leaves; with the last member the slaves go over to its master. */
  void leave(Mount m) {
    members.remove(m);
    m.group = null;
    if (members.isEmpty()) {
      IDS.clear(id);
      for (Mount s : slaves) {
        s.master = m.master;
        if (m.master != null) {
          m.master.slaves.add(s);
        }
      }
      slaves.clear();
    }
  }
}
