package redoubt.sandbox.warden;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import redoubt.host.FileSystemCalls;
import redoubt.p9.P9Attr;
import redoubt.p9.P9Client;

/**
 * The files of one attach point that the guest's kernel knows: node ids with their fids and how
 * often the guest has looked them up, and open files. One node for each host file, so that hard
 * links share the guest's cached pages. Node 1 is the root.
 */
final class FuseTree {
  /** A file: its fid pins the host's inode, so device and inode number stay its own. */
  static final class Node {
    final long id;
    final int fid;
    final int mode;
    private final Key key;
    private long lookups;

    private Node(long id, int fid, int mode, Key key) {
      this.id = id;
      this.fid = fid;
      this.mode = mode;
      this.key = key;
    }
  }

  private record Key(long dev, long ino) {}

  /** Most files that a guest may hold open here. */
  private static final int OPEN_LIMIT = 1 << 16;

  private final P9Client gofer;
  private final Object mu = new Object();
  private final ArrayList<@Nullable Node> nodes = new ArrayList<>(); // guarded by mu
  private final ArrayList<Integer> freeIds = new ArrayList<>(); // guarded by mu
  private final Map<Key, Node> byKey = new HashMap<>(); // guarded by mu
  private final ArrayList<Integer> files = new ArrayList<>(); // host fds, -1 free; guarded by mu
  private final ArrayList<Integer> freeFiles = new ArrayList<>(); // guarded by mu

  FuseTree(P9Client gofer, int rootFid, P9Attr root) {
    this.gofer = gofer;
    nodes.add(null);
    var key = new Key(root.dev, root.ino);
    var node = new Node(1, rootFid, root.mode, key);
    node.lookups = 1;
    nodes.add(node);
    byKey.put(key, node);
  }

  /** {@return the node, or null for an id that the guest made up} */
  @Nullable Node node(long id) {
    synchronized (mu) {
      return id > 0 && id < nodes.size() ? nodes.get((int) id) : null;
    }
  }

  /**
   * Counts a look-up of the file that {@code fid} was got for; the fid is the tree's from now on.
   */
  Node lookedUp(int fid, P9Attr attr) {
    var key = new Key(attr.dev, attr.ino);
    synchronized (mu) {
      Node known = byKey.get(key);
      if (known != null && (known.mode ^ attr.mode) >>> 12 == 0) {
        known.lookups++;
        gofer.clunk(fid);
        return known;
      }
      int id = freeIds.isEmpty() ? nodes.size() : freeIds.removeLast();
      var node = new Node(id, fid, attr.mode, key);
      node.lookups = 1;
      if (id == nodes.size()) {
        nodes.add(node);
      } else {
        nodes.set(id, node);
      }
      byKey.put(key, node);
      return node;
    }
  }

  void forget(long id, long count) {
    synchronized (mu) {
      Node node = id > 1 && id < nodes.size() ? nodes.get((int) id) : null;
      if (node == null) {
        return;
      }
      node.lookups -= Math.min(Math.max(count, 0), node.lookups);
      if (node.lookups == 0) {
        nodes.set((int) id, null);
        freeIds.add((int) id);
        byKey.remove(node.key, node);
        gofer.clunk(node.fid);
      }
    }
  }

  /** Keeps an open host descriptor; returns its handle, or -1 if there are too many. */
  long opened(int hostFd) {
    synchronized (mu) {
      if (!freeFiles.isEmpty()) {
        int handle = freeFiles.removeLast();
        files.set(handle, hostFd);
        return handle;
      }
      if (files.size() == OPEN_LIMIT) {
        return -1;
      }
      files.add(hostFd);
      return files.size() - 1;
    }
  }

  /** Gives up every file. What is under way may still answer. */
  void close() {
    synchronized (mu) {
      for (Node node : nodes) {
        if (node != null) {
          gofer.clunk(node.fid);
        }
      }
      nodes.clear();
      byKey.clear();
      freeIds.clear();
      for (int handle = 0; handle < files.size(); handle++) {
        if (files.get(handle) >= 0) {
          FileSystemCalls.close(files.get(handle));
        }
      }
      files.clear();
      freeFiles.clear();
    }
  }

  /** {@return the host descriptor, or -1} */
  int file(long handle) {
    synchronized (mu) {
      return handle >= 0 && handle < files.size() ? files.get((int) handle) : -1;
    }
  }

  /** Gives a handle up; returns its descriptor, which the caller closes. */
  int released(long handle) {
    synchronized (mu) {
      int hostFd = handle >= 0 && handle < files.size() ? files.get((int) handle) : -1;
      if (hostFd >= 0) {
        files.set((int) handle, -1);
        freeFiles.add((int) handle);
      }
      return hostFd;
    }
  }
}
