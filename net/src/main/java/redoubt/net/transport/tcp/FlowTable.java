package redoubt.net.transport.tcp;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.net.network.AddressTable;
import redoubt.net.stack.Secret;

/** All flows by their four-tuple, hashed with a secret so that no peer can make a long chain. */
final class FlowTable {
  private final Secret secret;
  private final AddressTable addresses;
  private @Nullable Flow[] buckets = new Flow[64];
  private int size;

  FlowTable(Secret secret, AddressTable addresses) {
    this.secret = secret;
    this.addresses = addresses;
  }

  int size() {
    return size;
  }

  @Nullable Flow find(int local, int localPort, int remote, int remotePort) {
    Flow f = buckets[slot(local, localPort, remote, remotePort)];
    while (f != null && !f.isBetween(local, localPort, remote, remotePort)) {
      f = f.next;
    }
    return f;
  }

  /** {@return whether one of them {@linkplain Flow#isSending is sending}} */
  boolean isSending() {
    for (Flow head : buckets) {
      for (Flow f = head; f != null; f = f.next) {
        if (f.isSending()) {
          return true;
        }
      }
    }
    return false;
  }

  List<TcpConnection> connections(int most) {
    var all = new ArrayList<TcpConnection>();
    for (Flow head : buckets) {
      for (Flow f = head; f != null && all.size() < most; f = f.next) {
        if (f instanceof TcpConnection c) {
          all.add(c);
        }
      }
    }
    return all;
  }

  void add(Flow f) {
    if (size >= buckets.length) {
      grow();
    }
    insert(f);
    addresses.pin(f.remote);
    size++;
  }

  void remove(Flow f) {
    int slot = slot(f.local, f.localPort, f.remote, f.remotePort);
    Flow before = null;
    for (Flow i = buckets[slot]; i != null; before = i, i = i.next) {
      if (i == f) {
        if (before == null) {
          buckets[slot] = f.next;
        } else {
          before.next = f.next;
        }
        f.next = null;
        addresses.unpin(f.remote);
        size--;
        return;
      }
    }
  }

  private void insert(Flow f) {
    int slot = slot(f.local, f.localPort, f.remote, f.remotePort);
    f.next = buckets[slot];
    buckets[slot] = f;
  }

  private void grow() {
    @Nullable Flow[] old = buckets;
    buckets = new Flow[old.length * 2];
    for (Flow head : old) {
      Flow f = head;
      while (f != null) {
        Flow following = f.next;
        insert(f);
        f = following;
      }
    }
  }

  private int slot(int local, int localPort, int remote, int remotePort) {
    long addresses = (long) local << 32 | (remote & 0xffff_ffffL);
    long h = secret.hash(addresses, (long) localPort << 16 | remotePort, 0);
    return (int) h & (buckets.length - 1);
  }
}
