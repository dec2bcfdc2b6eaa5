package redoubt.sentry.ipc;

import org.jspecify.annotations.Nullable;
import redoubt.sentry.kernel.WaitQueue;
import redoubt.sentry.vfs.FileDescription;

/**
 * One registration in an epoll instance: Linux's epitem. It is the entry in the file's wait queue.
 */
final class EpollItem extends WaitQueue.Entry {
  final Epoll epoll;
  final FileDescription file;
  final int fd;
  final @Nullable WaitQueue queue;

  /** The next registration with the same descriptor number; guarded by {@code epoll.mu}. */
  @Nullable EpollItem nextSameFd;

  /** Events asked for, with the EPOLLET kind of bits; written under {@code epoll.mu}. */
  volatile int events;

  /** epoll_data; guarded by {@code epoll.mu}. */
  long data;

  /** No longer registered; guarded by {@code epoll.mu}. */
  boolean removed;

  // The ready list; guarded by epoll.readyMu.
  boolean ready;
  @Nullable EpollItem nextReady;

  EpollItem(Epoll epoll, FileDescription file, int fd, @Nullable WaitQueue queue) {
    this.epoll = epoll;
    this.file = file;
    this.fd = fd;
    this.queue = queue;
  }

  @Override
  protected void onEvent(int happened) {
    if (wants(happened)) {
      epoll.becameReady(this);
    }
  }

  @Override
  protected boolean onExclusiveEvent(int happened) {
    return wants(happened) && epoll.becameReady(this);
  }

  /** A one-shot that has fired asks for nothing, not even errors, until it is armed again. */
  private boolean wants(int happened) {
    return (events & happened & ~Epoll.PRIVATE_BITS) != 0;
  }
}
