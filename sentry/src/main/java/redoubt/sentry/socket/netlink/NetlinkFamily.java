package redoubt.sentry.socket.netlink;

import static redoubt.abi.Errno.EPROTONOSUPPORT;
import static redoubt.abi.Errno.ESOCKTNOSUPPORT;
import static redoubt.abi.Netlink.NETLINK_KOBJECT_UEVENT;
import static redoubt.abi.Netlink.NETLINK_ROUTE;
import static redoubt.abi.Netlink.NETLINK_SOCK_DIAG;
import static redoubt.abi.Socket.SOCK_DGRAM;
import static redoubt.abi.Socket.SOCK_RAW;

import java.util.concurrent.atomic.AtomicInteger;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.Socket;
import redoubt.sentry.socket.SocketFamily;

/** Netlink sockets of one sandbox. */
public final class NetlinkFamily implements SocketFamily {
  /** Port ids for sockets whose process has its own pid in use already: negative, as Linux's. */
  final AtomicInteger nextPort = new AtomicInteger(-4097);

  final java.util.Set<Integer> ports = java.util.concurrent.ConcurrentHashMap.newKeySet();

  /** Those who have joined a group of NETLINK_ROUTE. */
  private final java.util.Set<NetlinkSocket> listeners =
      java.util.concurrent.ConcurrentHashMap.newKeySet();

  void listen(NetlinkSocket s, boolean does) {
    if (does) {
      listeners.add(s);
    } else {
      listeners.remove(s);
    }
  }

  /** Sends messages to those who have joined {@code group}, an RTNLGRP_*. */
  void announce(int group, java.util.List<MessageBuilder> messages) {
    for (NetlinkSocket s : listeners) {
      for (MessageBuilder m : messages) {
        s.hear(group, m);
      }
    }
  }

  @Override
  public Socket create(Task t, int type, int protocol, int flags) {
    if (type != SOCK_RAW && type != SOCK_DGRAM) {
      throw ErrnoException.of(ESOCKTNOSUPPORT);
    }
    if (protocol != NETLINK_ROUTE
        && protocol != NETLINK_SOCK_DIAG
        && protocol != NETLINK_KOBJECT_UEVENT) {
      throw ErrnoException.of(EPROTONOSUPPORT);
    }
    return new NetlinkSocket(t, this, type, protocol, flags);
  }
}
