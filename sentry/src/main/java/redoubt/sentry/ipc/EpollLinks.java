package redoubt.sentry.ipc;

import java.util.ArrayList;
import java.util.List;
import redoubt.sentry.vfs.FileDescription;

/** The epoll registrations of one file description; ends them when the description is closed. */
final class EpollLinks implements Runnable {
  private final List<EpollItem> items = new ArrayList<>(1); // guarded by this

  /** {@return the links of {@code file}, made if need be} */
  static EpollLinks of(FileDescription file) {
    if (file.epollLinks instanceof EpollLinks l) {
      return l;
    }
    synchronized (file) {
      if (file.epollLinks instanceof EpollLinks l) {
        return l;
      }
      EpollLinks l = new EpollLinks();
      file.epollLinks = l;
      return l;
    }
  }

  synchronized void add(EpollItem i) {
    items.add(i);
  }

  synchronized void remove(EpollItem i) {
    items.remove(i);
  }

  synchronized List<EpollItem> snapshot() {
    return new ArrayList<>(items);
  }

  @Override
  public void run() {
    for (EpollItem i : snapshot()) {
      i.epoll.fileClosed(i);
    }
  }
}
