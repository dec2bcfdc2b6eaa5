/* ip(7), ipv6(7), tcp(7), udp(7) over the loopback; netlink(7) as getifaddrs(3) uses it. */
#include "conf.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static char b[1 << 20];

static void bits(const char *name, int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0};
  poll(&p, 1, 0);
  H(name, p.revents);
}
static struct sockaddr_in v4(const char *ip, int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, ip, &a.sin_addr);
  return a;
}
static struct sockaddr_in6 v6(const char *ip, int port) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  inet_pton(AF_INET6, ip, &a.sin6_addr);
  return a;
}
static int port_of(int fd) {
  struct sockaddr_in6 a;
  socklen_t n = sizeof a;
  getsockname(fd, (void *)&a, &n);
  return ntohs(a.sin6_port);
}
static void show(const char *name, int fd, int peer) {
  struct sockaddr_storage a;
  socklen_t n = sizeof a;
  char ip[100] = "?";
  if ((peer ? getpeername : getsockname)(fd, (void *)&a, &n)) {
    S(name, err_name(errno));
    return;
  }
  if (a.ss_family == AF_INET) inet_ntop(AF_INET, &((struct sockaddr_in *)&a)->sin_addr, ip, sizeof ip);
  else inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&a)->sin6_addr, ip, sizeof ip);
  printf("%s: len %d family %d %s port %s\n", name, (int)n, a.ss_family, ip, ((struct sockaddr_in *)&a)->sin_port ? "yes" : "0");
}
static int iopt(int fd, int level, int o) {
  int v = -99;
  socklen_t n = sizeof v;
  if (getsockopt(fd, level, o, &v, &n)) return -errno;
  return v;
}
static int set(int fd, int level, int o, int v) { return setsockopt(fd, level, o, &v, sizeof v); }
static int C(int s, const void *a, socklen_t n) { return connect(s, a, n); }
#define A(x) (void *)&x, sizeof x

static void pair(int *l, int *c, int *s) {
  struct sockaddr_in a = v4("127.0.0.1", 0);
  socklen_t n = sizeof a;
  *l = socket(AF_INET, SOCK_STREAM, 0);
  bind(*l, A(a));
  listen(*l, 5);
  getsockname(*l, (void *)&a, &n);
  *c = socket(AF_INET, SOCK_STREAM, 0);
  connect(*c, A(a));
  *s = accept(*l, NULL, NULL);
}

static void tcp(void) {
  struct sockaddr_in a, c;
  int l, s, k;
  R("bad-protocol", socket(AF_INET, SOCK_STREAM, 17));
  R("bad-type", socket(AF_INET, SOCK_SEQPACKET, 0));
  l = socket(AF_INET, SOCK_STREAM, 0);
  bits("new-poll", l);
  show("new-name", l, 0);
  show("new-peer", l, 1);
  R("recv-unconnected", recv(l, b, 1, MSG_DONTWAIT));
  R("send-unconnected", send(l, b, 1, MSG_NOSIGNAL));
  R("accept-unconnected", accept(l, NULL, NULL));
  k = socket(AF_INET, SOCK_STREAM, 0);
  R("shutdown-unconnected", shutdown(k, SHUT_WR));
  close(k);
  a = v4("127.0.0.1", 0);
  R("bind-short", bind(l, (void *)&a, 8));
  a.sin_family = AF_INET6;
  R("bind-family", bind(l, A(a)));
  a = v4("8.8.8.8", 0);
  R("bind-foreign", bind(l, A(a)));
  a = v4("127.0.0.1", 0);
  R("bind", bind(l, A(a)));
  show("bound-name", l, 0);
  R("bind-twice", bind(l, A(a)));
  int port = port_of(l);
  a = v4("127.0.0.1", port);
  k = socket(AF_INET, SOCK_STREAM, 0);
  R("bind-in-use", bind(k, A(a)));
  a = v4("0.0.0.0", port);
  R("bind-any-in-use", bind(k, A(a)));
  a = v4("127.0.0.2", port);
  R("bind-other-address", bind(k, A(a)));
  close(k);
  a = v4("127.0.0.1", port);
  k = socket(AF_INET, SOCK_STREAM, 0);
  R("connect-not-listening", connect(k, A(a)));
  R("listen", listen(l, 2));
  bits("listen-poll", l);
  R("listen-again", listen(l, 5));
  R("connect-listener", connect(l, A(a)));
  R("connect-short", connect(k, (void *)&a, 3));
  c = a;
  c.sin_family = AF_UNIX;
  R("connect-family", connect(k, A(c)));
  R("connect", connect(k, A(a)));
  R("connect-again", connect(k, A(a)));
  bits("listen-poll-pending", l);
  show("client-name", k, 0);
  show("client-peer", k, 1);
  socklen_t n = sizeof c;
  s = accept4(l, (void *)&c, &n, SOCK_NONBLOCK);
  T("accept-name", n == sizeof c && c.sin_family == AF_INET && ntohs(c.sin_port) == port_of(k));
  H("accept-getfl", fcntl(s, F_GETFL));
  show("server-name", s, 0);
  show("server-peer", s, 1);
  bits("connected-poll", k);
  R("recv-nonblock", recv(s, b, 1, 0));
  R("send", send(k, "hello", 5, 0));
  int v;
  R("fionread", ioctl(s, FIONREAD, &v));
  V("fionread-value", v);
  R("peek", recv(s, b, 2, MSG_PEEK));
  R("recv", recv(s, b, 10, 0));
  send(k, "0123456789", 10, 0);
  R("recv-trunc-discards", recv(s, NULL, 4, MSG_TRUNC));
  R("recv-rest", recv(s, b, 100, 0));
  T("recv-rest-data", !memcmp(b, "456789", 6));
  n = sizeof c;
  send(k, "x", 1, 0);
  R("recvfrom", recvfrom(s, b, 1, 0, (void *)&c, &n));
  R("sendto-ignores-address", sendto(k, "y", 1, 0, A(a)));
  recv(s, b, 1, 0);
  R("send-fault", send(k, BAD, 4, 0));
  R("recv-oob", recv(s, b, 1, MSG_OOB));
  R("shutdown-wr", shutdown(k, SHUT_WR));
  bits("poll-fin-sent", k);
  bits("poll-fin-received", s);
  R("recv-eof", recv(s, b, 1, 0));
  R("send-after-shutdown", send(k, "x", 1, MSG_NOSIGNAL));
  R("send-back", send(s, "back", 4, 0));
  R("recv-back", recv(k, b, 10, 0));
  close(s);
  R("recv-both-closed", recv(k, b, 1, 0));
  bits("poll-both-closed", k);
  close(k);
  close(l);
  /* A peer that is gone. */
  pair(&l, &k, &s);
  close(s);
  bits("poll-peer-closed", k);
  R("recv-peer-closed", recv(k, b, 1, 0));
  R("send-peer-closed-1", send(k, "x", 1, MSG_NOSIGNAL));
  R("send-peer-closed-2", send(k, "x", 1, MSG_NOSIGNAL));
  bits("poll-peer-closed-end", k);
  close(k), close(l);
  pair(&l, &k, &s);
  send(k, "unread", 6, 0);
  close(s);
  bits("poll-reset", k);
  V("so-error-reset", iopt(k, SOL_SOCKET, SO_ERROR));
  R("recv-after-error", recv(k, b, 1, 0));
  R("send-after-error", send(k, "x", 1, MSG_NOSIGNAL));
  close(k), close(l);
  pair(&l, &k, &s);
  struct linger lg = {1, 0};
  setsockopt(s, SOL_SOCKET, SO_LINGER, &lg, sizeof lg);
  close(s);
  R("recv-linger-reset", recv(k, b, 1, 0));
  R("recv-linger-then", recv(k, b, 1, 0));
  close(k), close(l);
  /* Without blocking. */
  l = socket(AF_INET, SOCK_STREAM, 0);
  a = v4("127.0.0.1", 0);
  bind(l, A(a));
  a = v4("127.0.0.1", port_of(l));
  k = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  R("nb-connect-refused", connect(k, A(a)));
  bits("nb-refused-poll", k);
  V("nb-refused-error", iopt(k, SOL_SOCKET, SO_ERROR));
  V("nb-refused-error-2", iopt(k, SOL_SOCKET, SO_ERROR));
  close(k);
  listen(l, 1);
  k = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  R("nb-connect", connect(k, A(a)));
  bits("nb-connect-poll", k);
  V("nb-connect-error", iopt(k, SOL_SOCKET, SO_ERROR));
  R("nb-connect-2", connect(k, A(a)));
  R("nb-connect-3", connect(k, A(a)));
  fcntl(l, F_SETFL, O_NONBLOCK);
  s = accept(l, NULL, NULL);
  H("accept-inherits-nothing", fcntl(s, F_GETFL));
  R("nb-accept-none", accept(l, NULL, NULL));
  fcntl(s, F_SETFL, O_NONBLOCK);
  long total = 0, r;
  while ((r = send(k, b, 65536, 0)) > 0) total += r;
  S("nb-full", err_name(errno));
  T("nb-full-size", total > 100000);
  bits("nb-full-poll", k);
  long got = 0;
  for (int i = 0; i < 1000 && got < total; i++) {
    r = recv(s, b, sizeof b, 0);
    if (r > 0) got += r;
    else msleep(1);
  }
  T("nb-all-arrives", got == total);
  msleep(10);
  bits("nb-drained-poll", k);
  close(s), close(k), close(l);
  /* A big transfer between processes. */
  pair(&l, &k, &s);
  pid_t p = SPAWN({
    for (int i = 0; i < (int)sizeof b; i++) b[i] = i * 7;
    for (int i = 0; i < 8; i++)
      for (size_t at = 0; at < sizeof b;) {
        r = write(k, b + at, sizeof b - at);
        if (r <= 0) _exit(1);
        at += r;
      }
    _exit(0);
  });
  close(k);
  got = 0;
  int wrong = 0;
  while ((r = read(s, b, 100000)) > 0) {
    for (int i = 0; i < r; i += 97) wrong += b[i] != (char)(((got + i) % sizeof b) * 7);
    got += r;
  }
  V("bulk-bytes", got);
  V("bulk-wrong", wrong);
  int st;
  waitpid(p, &st, 0);
  S("bulk-writer", status_name(st));
  close(s), close(l);
  /* Ports. */
  l = socket(AF_INET, SOCK_STREAM, 0);
  k = socket(AF_INET, SOCK_STREAM, 0);
  set(l, SOL_SOCKET, SO_REUSEADDR, 1);
  set(k, SOL_SOCKET, SO_REUSEADDR, 1);
  a = v4("0.0.0.0", 0);
  bind(l, A(a));
  a = v4("0.0.0.0", port_of(l));
  R("reuseaddr-both", bind(k, A(a)));
  R("reuseaddr-listen", listen(l, 1));
  R("reuseaddr-listen-2", listen(k, 1));
  s = socket(AF_INET, SOCK_STREAM, 0);
  set(s, SOL_SOCKET, SO_REUSEADDR, 1);
  R("reuseaddr-bind-listening", bind(s, A(a)));
  close(l), close(k), close(s);
  l = socket(AF_INET, SOCK_STREAM, 0);
  k = socket(AF_INET, SOCK_STREAM, 0);
  set(l, SOL_SOCKET, SO_REUSEPORT, 1);
  a = v4("0.0.0.0", 0);
  bind(l, A(a));
  listen(l, 1);
  a = v4("0.0.0.0", port_of(l));
  R("reuseport-one", bind(k, A(a)));
  set(k, SOL_SOCKET, SO_REUSEPORT, 1);
  R("reuseport-both", bind(k, A(a)));
  R("reuseport-listen", listen(k, 1));
  close(l), close(k);
  R("unspec-bind", ({ l = socket(AF_INET, SOCK_STREAM, 0); a = v4("0.0.0.0", 0); a.sin_family = AF_UNSPEC; bind(l, A(a)); }));
  R("listen-unbound", ({ k = socket(AF_INET, SOCK_STREAM, 0); listen(k, 1); }));
  T("listen-unbound-port", port_of(k) != 0);
  a = v4("0.0.0.0", port_of(k));
  s = socket(AF_INET, SOCK_STREAM, 0);
  R("connect-any", connect(s, A(a)));
  show("connect-any-peer", s, 1);
  close(l), close(k), close(s);
  /* Disconnect. */
  pair(&l, &k, &s);
  struct sockaddr un = {.sa_family = AF_UNSPEC};
  R("connect-unspec", connect(k, &un, sizeof un));
  show("disconnected-peer", k, 1);
  close(k), close(s), close(l);
  /* Options. */
  pair(&l, &k, &s);
  V("so-type", iopt(k, SOL_SOCKET, SO_TYPE));
  V("so-domain", iopt(k, SOL_SOCKET, SO_DOMAIN));
  V("so-protocol", iopt(k, SOL_SOCKET, SO_PROTOCOL));
  V("nodelay", iopt(k, IPPROTO_TCP, TCP_NODELAY));
  R("set-nodelay", set(k, IPPROTO_TCP, TCP_NODELAY, 5));
  V("nodelay-set", iopt(k, IPPROTO_TCP, TCP_NODELAY));
  V("keepidle", iopt(k, IPPROTO_TCP, TCP_KEEPIDLE));
  R("set-keepidle", set(k, IPPROTO_TCP, TCP_KEEPIDLE, 100));
  R("set-keepidle-bad", set(k, IPPROTO_TCP, TCP_KEEPIDLE, 0));
  R("set-keepcnt-bad", set(k, IPPROTO_TCP, TCP_KEEPCNT, 128));
  R("set-maxseg-bad", set(k, IPPROTO_TCP, TCP_MAXSEG, 5));
  R("set-unknown", set(k, IPPROTO_TCP, 999, 5));
  R("set-short", setsockopt(k, IPPROTO_TCP, TCP_NODELAY, b, 2));
  V("get-unknown", iopt(k, IPPROTO_TCP, 999));
  V("get-other-level", iopt(k, 77, 1));
  V("ttl", iopt(k, IPPROTO_IP, IP_TTL));
  R("set-ttl-bad", set(k, IPPROTO_IP, IP_TTL, 300));
  R("set-tos", set(k, IPPROTO_IP, IP_TOS, 0x10));
  V("tos", iopt(k, IPPROTO_IP, IP_TOS));
  V("v6-on-v4", iopt(k, IPPROTO_IPV6, IPV6_V6ONLY));
  V("keepalive", iopt(k, SOL_SOCKET, SO_KEEPALIVE));
  set(k, SOL_SOCKET, SO_KEEPALIVE, 1);
  V("keepalive-set", iopt(k, SOL_SOCKET, SO_KEEPALIVE));
  struct tcp_info ti;
  n = sizeof ti;
  R("tcp-info", getsockopt(k, IPPROTO_TCP, TCP_INFO, &ti, &n));
  V("tcp-info-state", ti.tcpi_state);
  n = sizeof ti;
  getsockopt(l, IPPROTO_TCP, TCP_INFO, &ti, &n);
  V("tcp-info-listen", ti.tcpi_state);
  char cc[16] = "";
  n = sizeof cc;
  R("congestion", getsockopt(k, IPPROTO_TCP, TCP_CONGESTION, cc, &n));
  V("acceptconn", iopt(l, SOL_SOCKET, SO_ACCEPTCONN));
  close(k), close(s), close(l);
}

static void six(void) {
  struct sockaddr_in6 a;
  struct sockaddr_in c;
  int l = socket(AF_INET6, SOCK_STREAM, 0), k, s;
  V("v6only", iopt(l, IPPROTO_IPV6, IPV6_V6ONLY));
  show("six-new", l, 0);
  a = v6("::", 0);
  R("six-bind-short", bind(l, (void *)&a, 20));
  R("six-bind", bind(l, A(a)));
  R("six-v6only-late", set(l, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  listen(l, 5);
  int port = port_of(l);
  k = socket(AF_INET, SOCK_STREAM, 0);
  c = v4("127.0.0.1", port);
  R("six-connect-4", connect(k, A(c)));
  s = accept(l, NULL, NULL);
  show("six-mapped-name", s, 0);
  show("six-mapped-peer", s, 1);
  close(k), close(s);
  k = socket(AF_INET6, SOCK_STREAM, 0);
  a = v6("::1", port);
  R("six-connect-6", connect(k, A(a)));
  show("six-peer", k, 1);
  s = accept(l, NULL, NULL);
  show("six-server-peer", s, 1);
  close(k), close(s);
  k = socket(AF_INET6, SOCK_STREAM, 0);
  a = v6("::ffff:127.0.0.1", port);
  R("six-connect-mapped", connect(k, A(a)));
  show("six-connect-mapped-name", k, 0);
  close(k);
  k = socket(AF_INET, SOCK_STREAM, 0);
  c = v4("0.0.0.0", port);
  R("six-4-in-use", bind(k, A(c)));
  close(k), close(l);
  l = socket(AF_INET6, SOCK_STREAM, 0);
  set(l, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  a = v6("::", 0);
  bind(l, A(a));
  listen(l, 1);
  port = port_of(l);
  k = socket(AF_INET, SOCK_STREAM, 0);
  c = v4("127.0.0.1", port);
  R("v6only-connect-4", connect(k, A(c)));
  close(k);
  k = socket(AF_INET, SOCK_STREAM, 0);
  c = v4("0.0.0.0", port);
  R("v6only-4-free", bind(k, A(c)));
  close(k), close(l);
}

static void udp(void) {
  struct sockaddr_in a, f;
  socklen_t n;
  int r = socket(AF_INET, SOCK_DGRAM, 0), w = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  bits("udp-poll-new", r);
  R("udp-send-nowhere", send(w, "x", 1, 0));
  R("udp-listen", listen(r, 1));
  R("udp-accept", accept(r, NULL, NULL));
  R("udp-recv-none", recv(w, b, 1, 0));
  R("udp-shutdown", shutdown(r, SHUT_RD));
  a = v4("127.0.0.1", 0);
  bind(r, A(a));
  int port = port_of(r);
  a = v4("127.0.0.1", port);
  R("udp-sendto", sendto(w, "hello", 5, 0, A(a)));
  n = sizeof f;
  R("udp-recvfrom", recvfrom(r, b, 100, 0, (void *)&f, &n));
  T("udp-from", n == sizeof f && ntohs(f.sin_port) == port_of(w) && f.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
  show("udp-sender-name", w, 0);
  R("udp-empty", sendto(w, "", 0, 0, A(a)));
  R("udp-empty-recv", recv(r, b, 10, MSG_DONTWAIT));
  R("udp-connect", connect(w, A(a)));
  show("udp-connected-name", w, 0);
  show("udp-connected-peer", w, 1);
  R("udp-send", send(w, "abcdef", 6, 0));
  int v;
  ioctl(r, FIONREAD, &v);
  V("udp-fionread", v);
  R("udp-trunc", recv(r, b, 3, MSG_TRUNC));
  R("udp-too-big", send(w, b, 65508, 0));
  R("udp-biggest", send(w, b, 65507, 0));
  R("udp-biggest-recv", recv(r, b, sizeof b, 0));
  R("udp-port-0", ({ f = v4("127.0.0.1", 0); sendto(w, "x", 1, 0, A(f)); }));
  R("udp-short-address", sendto(w, "x", 1, 0, (void *)&a, 4));
  /* Only the peer is heard. */
  int t = socket(AF_INET, SOCK_DGRAM, 0);
  f = v4("127.0.0.1", port_of(w));
  R("udp-stranger", sendto(t, "no", 2, 0, A(f)));
  R("udp-stranger-unheard", recv(w, b, 10, 0));
  R("udp-peer", sendto(r, "yes", 3, 0, A(f)));
  R("udp-peer-heard", recv(w, b, 10, 0));
  close(r);
  R("udp-refused-send-1", send(w, "x", 1, 0));
  bits("udp-refused-poll", w);
  R("udp-refused-send-2", send(w, "x", 1, 0));
  R("udp-refused-recv", recv(w, b, 1, 0));
  V("udp-error-gone", iopt(w, SOL_SOCKET, SO_ERROR));
  struct sockaddr un = {.sa_family = AF_UNSPEC};
  R("udp-disconnect", connect(w, &un, sizeof un));
  R("udp-disconnected-send", send(w, "x", 1, 0));
  R("udp-unconnected-refused", sendto(w, "x", 1, 0, A(a)));
  R("udp-unconnected-refused-2", sendto(w, "x", 1, 0, A(a)));
  close(w);
  r = socket(AF_INET, SOCK_DGRAM, 0);
  t = socket(AF_INET, SOCK_DGRAM, 0);
  a = v4("0.0.0.0", 0);
  bind(r, A(a));
  a = v4("0.0.0.0", port_of(r));
  R("udp-in-use", bind(t, A(a)));
  set(r, SOL_SOCKET, SO_REUSEADDR, 1);
  set(t, SOL_SOCKET, SO_REUSEADDR, 1);
  R("udp-reuse", bind(t, A(a)));
  close(r), close(t);
  /* Packet info and time. */
  r = socket(AF_INET, SOCK_DGRAM, 0);
  w = socket(AF_INET, SOCK_DGRAM, 0);
  set(r, IPPROTO_IP, IP_PKTINFO, 1);
  a = v4("0.0.0.0", 0);
  bind(r, A(a));
  a = v4("127.0.0.1", port_of(r));
  sendto(w, "x", 1, 0, A(a));
  char c[200];
  struct iovec iv = {b, 10};
  struct msghdr m = {.msg_iov = &iv, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
  R("udp-recvmsg", recvmsg(r, &m, 0));
  struct cmsghdr *h = CMSG_FIRSTHDR(&m);
  if (h) {
    struct in_pktinfo *pi = (void *)CMSG_DATA(h);
    printf("udp-pktinfo: %d %d %d if %d %s\n", h->cmsg_level, h->cmsg_type, (int)h->cmsg_len, pi->ipi_ifindex, inet_ntoa(pi->ipi_addr));
  }
  close(r), close(w);
  int s6 = socket(AF_INET6, SOCK_DGRAM, 0);
  struct sockaddr_in6 a6 = v6("::", 0), f6;
  bind(s6, A(a6));
  w = socket(AF_INET, SOCK_DGRAM, 0);
  a = v4("127.0.0.1", port_of(s6));
  R("udp-4-to-6", sendto(w, "x", 1, 0, A(a)));
  n = sizeof f6;
  R("udp-4-to-6-recv", recvfrom(s6, b, 10, 0, (void *)&f6, &n));
  char ip[64];
  S("udp-4-to-6-from", inet_ntop(AF_INET6, &f6.sin6_addr, ip, sizeof ip));
  R("udp-6-back", sendto(s6, "y", 1, 0, A(f6)));
  R("udp-6-back-recv", recv(w, b, 10, 0));
}

static void interfaces(void) {
  struct ifaddrs *i, *p;
  R("getifaddrs", getifaddrs(&i));
  int lo4 = 0, lo6 = 0, link = 0;
  for (p = i; p; p = p->ifa_next) {
    if (strcmp(p->ifa_name, "lo") || !p->ifa_addr) continue;
    lo4 += p->ifa_addr->sa_family == AF_INET;
    lo6 += p->ifa_addr->sa_family == AF_INET6;
    link += p->ifa_addr->sa_family == AF_PACKET;
  }
  V("lo-inet", lo4);
  V("lo-link", link);
  V("lo-index", if_nametoindex("lo"));
  char n[IF_NAMESIZE];
  S("lo-name", if_indextoname(1, n) ? n : err_name(errno));
  V("no-such-interface", if_nametoindex("nope"));
  struct ifreq r;
  strcpy(r.ifr_name, "lo");
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  R("siocgifaddr", ioctl(s, SIOCGIFADDR, &r));
  S("siocgifaddr-value", inet_ntoa(((struct sockaddr_in *)&r.ifr_addr)->sin_addr));
  R("siocgifflags", ioctl(s, SIOCGIFFLAGS, &r));
  H("siocgifflags-value", r.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING));
  R("siocgifmtu", ioctl(s, SIOCGIFMTU, &r));
  V("siocgifmtu-value", r.ifr_mtu);
  strcpy(r.ifr_name, "nope");
  R("siocgifflags-none", ioctl(s, SIOCGIFFLAGS, &r));
}

/* getaddrinfo(3) sorts addresses with one socket that it connects again and again. */
static void reconnecting(void) {
  int u = socket(AF_INET6, SOCK_DGRAM, 0);
  struct sockaddr_in6 six = v6("::1", 53);
  struct sockaddr_in four = v4("127.0.0.1", 53);
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  R("again-six", connect(u, A(six)));
  show("again-six-name", u, 0);
  R("again-none", connect(u, A(none)));
  show("again-none-name", u, 0);
  R("again-four", connect(u, A(four)));
  show("again-four-name", u, 0);
  show("again-four-peer", u, 1);
  int b = socket(AF_INET, SOCK_DGRAM, 0);
  four = v4("127.0.0.2", 0);
  R("again-bind", bind(b, A(four)));
  four = v4("127.0.0.1", 53);
  R("again-bound", connect(b, A(four)));
  R("again-bound-none", connect(b, A(none)));
  show("again-bound-name", b, 0);
}

/* Data for a peer that has closed are taken as far as the send buffer goes. */
static void send_to_nobody(void) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof here;
  int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
  bind(l, (void *)&here, n), listen(l, 1), getsockname(l, (void *)&here, &n);
  connect(c, (void *)&here, n);
  close(accept(l, NULL, NULL));
  usleep(20000);
  long size = 256 << 20, sent = 0, r;
  char *data = calloc(1, size);
  fcntl(c, F_SETFL, O_NONBLOCK);
  while (sent < size && ((r = send(c, data + sent, size - sent, MSG_NOSIGNAL)) > 0 || errno == EAGAIN)) sent += r > 0 ? r : 0;
  printf("send-to-nobody: %s\n", strerrorname_np(errno));
  T("not-all", sent > 0 && sent < size);
  free(data), close(l), close(c);
}

/* udplite(7): ports of its own, coverage of at least its header. */
static void udplite(void) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof here;
  int l = socket(AF_INET, SOCK_DGRAM, 136), u = socket(AF_INET, SOCK_DGRAM, 0), v, who = -1;
  char text[8] = "";
  R("lite-bind", bind(l, (void *)&here, n));
  getsockname(l, (void *)&here, &n);
  R("udp-same-port", bind(u, (void *)&here, n));
  int from = socket(AF_INET, SOCK_DGRAM, 136);
  R("lite-send", sendto(from, "lite", 4, 0, (void *)&here, n));
  R("lite-recv", recv(l, text, sizeof text, 0));
  S("lite-text", text);
  R("udp-nothing", recv(u, text, sizeof text, MSG_DONTWAIT));
  for (int name = 10; name <= 11; name++)
    for (int i = 0; i < 3; i++) {
      v = (int[]){0, 5, 70000}[i];
      R("coverage", setsockopt(l, 136, name, &v, sizeof v));
      n = sizeof v;
      R("coverage-get", getsockopt(l, 136, name, &v, &n));
      V("coverage-is", v);
    }
  R("coverage-on-udp", setsockopt(u, 136, 10, &v, sizeof v));
  n = sizeof who;
  getsockopt(l, SOL_SOCKET, SO_PROTOCOL, &who, &n);
  V("lite-protocol", who);
  close(l), close(u), close(from);
}

/* Ranges that no program can have are refused before the socket is looked at. */
static void bad_ranges(void) {
  int u = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct iovec v = {(void *)-1, 100};
  struct msghdr m = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &v, .msg_iovlen = 1};
  R("bad-sendto", sendto(u, (void *)-1, 100, 0, (void *)&to, sizeof to));
  R("bad-sendto-fd", sendto(99, (void *)-1, 100, 0, (void *)&to, sizeof to));
  R("bad-sendmsg", sendmsg(u, &m, 0));
  R("bad-recv", recv(u, (void *)-1, 100, MSG_DONTWAIT));
  R("bad-recvmsg", recvmsg(u, &m, MSG_DONTWAIT));
  int mark;
  R("mark-udp", ioctl(u, SIOCATMARK, &mark));
  R("mark-tcp", ioctl(socket(AF_INET, SOCK_STREAM, 0), SIOCATMARK, &mark));
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  reconnecting();
  tcp();
  six();
  udp();
  interfaces();
  /* the error queue is never waited for, and a wrong protocol comes before "no pairs here" */
  int q[2], l2 = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t hl = sizeof here;
  bind(l2, (struct sockaddr *)&here, sizeof here), listen(l2, 1), getsockname(l2, (struct sockaddr *)&here, &hl);
  q[0] = socket(AF_INET, SOCK_STREAM, 0);
  connect(q[0], (struct sockaddr *)&here, sizeof here);
  char eq[4];
  R("tcp-error-queue", recv(q[0], eq, 1, MSG_ERRQUEUE));
  R("udp-error-queue", recv(socket(AF_INET, SOCK_DGRAM, 0), eq, 1, MSG_ERRQUEUE));
  R("pair-inet", socketpair(AF_INET, SOCK_STREAM, 0, q));
  R("pair-inet-wrong-protocol", socketpair(AF_INET, SOCK_STREAM, IPPROTO_UDP, q));
  bad_ranges();
  udplite();
  send_to_nobody();
  return 0;
}
