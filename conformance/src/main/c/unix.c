/* unix(7): streams, datagrams, packets, names, rights, credentials. */
#include "conf.h"
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

static char b[1 << 20];

static void bits(const char *name, int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0};
  poll(&p, 1, 0);
  H(name, p.revents);
}
static socklen_t path_name(struct sockaddr_un *a, const char *path) {
  memset(a, 0, sizeof *a);
  a->sun_family = AF_UNIX;
  strcpy(a->sun_path, path);
  return offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1;
}
static socklen_t abs_name(struct sockaddr_un *a, const char *name) {
  memset(a, 0, sizeof *a);
  a->sun_family = AF_UNIX;
  strcpy(a->sun_path + 1, name);
  return offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name);
}
static void show_name(const char *what, struct sockaddr_un *a, socklen_t n) {
  printf("%s: len %d", what, (int)n);
  if (n >= 2) printf(" family %d", a->sun_family);
  if (n > 2) {
    printf(" ");
    for (int i = 0; i < (int)n - 2; i++) printf("%c", a->sun_path[i] ? a->sun_path[i] : '@');
  }
  printf("\n");
}
static void sockname(const char *what, int fd, int peer) {
  struct sockaddr_un a;
  socklen_t n = sizeof a;
  memset(&a, 0, sizeof a);
  if ((peer ? getpeername : getsockname)(fd, (void *)&a, &n))
    S(what, err_name(errno));
  else
    show_name(what, &a, n);
}
static int opt(int fd, int o) {
  int v = -99;
  socklen_t n = sizeof v;
  if (getsockopt(fd, SOL_SOCKET, o, &v, &n)) return -errno;
  return v;
}

static ssize_t send_fds(int s, const void *data, size_t n, int *fds, int count) {
  char c[CMSG_SPACE(260 * sizeof(int))];
  memset(c, 0, sizeof c);
  struct iovec v = {(void *)data, n};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  struct cmsghdr *h = CMSG_FIRSTHDR(&m);
  h->cmsg_level = SOL_SOCKET;
  h->cmsg_type = SCM_RIGHTS;
  h->cmsg_len = CMSG_LEN(count * sizeof(int));
  memcpy(CMSG_DATA(h), fds, count * sizeof(int));
  m.msg_controllen = h->cmsg_len;
  return sendmsg(s, &m, 0);
}
static ssize_t recv_fds(const char *name, int s, size_t n, size_t room, int flags, int *out, int *count) {
  char c[1024];
  memset(c, 0, sizeof c);
  struct iovec v = {b, n};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room ? c : NULL, .msg_controllen = room};
  ssize_t r = recvmsg(s, &m, flags);
  printf("%s: %s", name, r < 0 ? err_name(errno) : "");
  *count = 0;
  if (r >= 0) {
    printf("%d flags %x controllen %d", (int)r, m.msg_flags, (int)m.msg_controllen);
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
      printf(" [%d %d len %d", h->cmsg_level, h->cmsg_type, (int)h->cmsg_len);
      if (h->cmsg_type == SCM_RIGHTS) {
        int k = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(out, CMSG_DATA(h), k * sizeof(int));
        *count = k;
        printf(" fds %d", k);
      } else if (h->cmsg_type == SCM_CREDENTIALS) {
        struct ucred u;
        memcpy(&u, CMSG_DATA(h), sizeof u);
        printf(" pid %s uid %d gid %d", u.pid == getpid() ? "me" : u.pid ? "other" : "0", (int)u.uid, (int)u.gid);
      }
      printf("]");
    }
  }
  printf("\n");
  return r;
}

static void pairs(void) {
  int s[2];
  R("socket-bad-family", socket(99, SOCK_STREAM, 0));
  R("socket-bad-type", socket(AF_UNIX, 11, 0));
  R("socket-rdm", socket(AF_UNIX, SOCK_RDM, 0));
  R("socket-bad-protocol", socket(AF_UNIX, SOCK_STREAM, 7));
  R("socket-bad-flags", socket(AF_UNIX, SOCK_STREAM | 0x100, 0));
  R("socketpair-fault", socketpair(AF_UNIX, SOCK_STREAM, 0, BAD));
  R("socketpair-inet", socketpair(AF_INET, SOCK_STREAM, 0, s));
  R("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s));
  H("getfl", fcntl(s[0], F_GETFL));
  H("getfd", fcntl(s[0], F_GETFD));
  struct stat st;
  fstat(s[0], &st);
  O("fstat-mode", st.st_mode);
  R("lseek", lseek(s[0], 0, SEEK_SET));
  V("type", opt(s[0], SO_TYPE));
  V("domain", opt(s[0], SO_DOMAIN));
  V("protocol", opt(s[0], SO_PROTOCOL));
  V("acceptconn", opt(s[0], SO_ACCEPTCONN));
  V("sndbuf", opt(s[0], SO_SNDBUF));
  V("rcvbuf", opt(s[0], SO_RCVBUF));
  V("error", opt(s[0], SO_ERROR));
  V("opt-unknown", opt(s[0], 9999));
  sockname("pair-name", s[0], 0);
  sockname("pair-peer", s[0], 1);
  bits("pair-poll", s[0]);
  R("recv-empty", recv(s[0], b, 1, 0));
  R("send", send(s[1], "hello", 5, 0));
  int n = -1;
  R("fionread", ioctl(s[0], FIONREAD, &n));
  V("fionread-value", n);
  bits("pair-poll-data", s[0]);
  R("peek", recv(s[0], b, 3, MSG_PEEK));
  R("recv-dontwait", recv(s[0], b, 100, MSG_DONTWAIT));
  R("send-fault", send(s[1], BAD, 5, 0));
  send(s[1], "abc", 3, 0);
  R("recv-fault", recv(s[0], BAD, 3, 0));
  recv(s[0], b, 9, 0);
  send(s[1], "abc", 3, 0);
  send(s[1], "def", 3, 0);
  R("stream-joins", recv(s[0], b, 100, 0));
  R("send-to-connected", sendto(s[1], "x", 1, 0, (void *)"\1\0", 2));
  R("sendmsg-iovlen", ({ struct msghdr m = {.msg_iovlen = 2000}; sendmsg(s[1], &m, 0); }));
  R("sendmsg-fault", sendmsg(s[1], BAD, 0));
  R("shutdown-bad", shutdown(s[0], 5));
  R("shutdown-wr", shutdown(s[1], SHUT_WR));
  bits("poll-shut-peer", s[0]);
  bits("poll-shut-self", s[1]);
  while (recv(s[0], b, 100, 0) > 0) {
  }
  R("recv-eof", recv(s[0], b, 100, 0));
  R("send-after-shutdown", send(s[1], "x", 1, MSG_NOSIGNAL));
  R("send-other-way", send(s[0], "y", 1, 0));
  R("recv-other-way", recv(s[1], b, 1, 0));
  close(s[1]);
  bits("poll-closed-peer", s[0]);
  R("recv-closed", recv(s[0], b, 1, 0));
  R("send-closed", send(s[0], "x", 1, MSG_NOSIGNAL));
  close(s[0]);
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  send(s[0], "unread", 6, 0);
  close(s[1]);
  bits("poll-reset", s[0]);
  R("recv-reset", recv(s[0], b, 1, 0));
  R("recv-after-reset", recv(s[0], b, 1, 0));
  close(s[0]);
  CHILD("sigpipe", {
    signal(SIGPIPE, SIG_DFL);
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    close(s[1]);
    write(s[0], "x", 1);
  });
  /* Flow control. */
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s);
  long total = 0, r;
  while ((r = send(s[0], b, 10000, 0)) > 0) total += r;
  T("stream-limit", total > 100000 && total < 400000);
  S("stream-full", err_name(errno));
  bits("poll-stream-full", s[0]);
  while (recv(s[1], b, sizeof b, 0) > 0) {
  }
  bits("poll-stream-drained", s[0]);
  close(s[0]), close(s[1]);
  /* Waiting. */
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  pid_t p = SPAWN({
    msleep(20);
    send(s[1], "ab", 2, 0);
    msleep(20);
    send(s[1], "cd", 2, 0);
    msleep(20);
    exit(0);
  });
  R("recv-blocking", recv(s[0], b, 1, 0));
  R("recv-waitall", recv(s[0], b, 3, MSG_WAITALL));
  T("waitall-data", !memcmp(b, "bcd", 3));
  waitpid(p, NULL, 0);
  struct timeval tv = {0, 20000};
  R("set-rcvtimeo", setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
  R("recv-timeout", recv(s[0], b, 1, 0));
  tv.tv_usec = 1000000;
  R("set-rcvtimeo-invalid", setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
  R("set-rcvtimeo-short", setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, 4));
  socklen_t len = sizeof tv;
  getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, &len);
  V("get-rcvtimeo", tv.tv_usec);
  int v = 1000;
  setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &v, sizeof v);
  V("sndbuf-min", opt(s[0], SO_SNDBUF));
  v = 50000;
  setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &v, sizeof v);
  V("sndbuf-doubled", opt(s[0], SO_SNDBUF));
  struct linger l = {1, 5};
  setsockopt(s[0], SOL_SOCKET, SO_LINGER, &l, sizeof l);
  l.l_linger = 0;
  len = sizeof l;
  getsockopt(s[0], SOL_SOCKET, SO_LINGER, &l, &len);
  V("linger", l.l_linger);
  R("setsockopt-fault", setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, BAD, 4));
  R("setsockopt-short", setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, &v, 2));
  R("setsockopt-unknown", setsockopt(s[0], SOL_SOCKET, 9999, &v, 4));
  R("setsockopt-readonly", setsockopt(s[0], SOL_SOCKET, SO_TYPE, &v, 4));
  R("setsockopt-tcp", setsockopt(s[0], 6, 1, &v, 4));
  struct ucred u = {0};
  len = sizeof u;
  R("peercred", getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &u, &len));
  T("peercred-me", u.pid == getpid() && u.uid == getuid() && len == sizeof u);
  close(s[0]), close(s[1]);
}

static void names(void) {
  struct sockaddr_un a, c;
  socklen_t n;
  int l = socket(AF_UNIX, SOCK_STREAM, 0);
  bits("new-poll", l);
  sockname("new-name", l, 0);
  sockname("new-peer", l, 1);
  R("recv-unconnected", recv(l, b, 1, MSG_DONTWAIT));
  R("send-unconnected", send(l, b, 1, MSG_NOSIGNAL));
  R("listen-unbound", listen(l, 1));
  R("accept-not-listening", accept(l, NULL, NULL));
  int sh = socket(AF_UNIX, SOCK_STREAM, 0);
  R("shutdown-unconnected", shutdown(sh, SHUT_RD));
  bits("shutdown-unconnected-poll", sh);
  close(sh);
  n = path_name(&a, "sock");
  a.sun_family = AF_INET;
  R("bind-family", bind(l, (void *)&a, n));
  a.sun_family = AF_UNIX;
  R("bind-short", bind(l, (void *)&a, 1));
  R("bind-long", bind(l, (void *)&a, 200));
  R("bind-fault", bind(l, BAD, n));
  R("bind-no-dir", ({ n = path_name(&c, "no/such"); bind(l, (void *)&c, n); }));
  n = path_name(&a, "sock");
  R("bind", bind(l, (void *)&a, n));
  struct stat st;
  stat("sock", &st);
  O("bind-mode", st.st_mode);
  R("open-socket-file", open("sock", O_RDWR));
  sockname("bound-name", l, 0);
  R("bind-twice", ({ n = path_name(&c, "sock2"); bind(l, (void *)&c, n); }));
  int l2 = socket(AF_UNIX, SOCK_STREAM, 0);
  n = path_name(&a, "sock");
  R("bind-in-use", bind(l2, (void *)&a, n));
  R("connect-not-listening", connect(l2, (void *)&a, n));
  R("listen", listen(l, 1));
  V("listen-acceptconn", opt(l, SO_ACCEPTCONN));
  bits("listen-poll", l);
  R("connect", connect(l2, (void *)&a, n));
  R("connect-again", connect(l2, (void *)&a, n));
  bits("listen-poll-pending", l);
  R("listen-connect", connect(l, (void *)&a, n));
  sockname("client-name", l2, 0);
  sockname("client-peer", l2, 1);
  socklen_t alen = sizeof c;
  memset(&c, 0, sizeof c);
  int s = accept4(l, (void *)&c, &alen, SOCK_CLOEXEC);
  T("accept", s >= 0);
  H("accept-getfd", fcntl(s, F_GETFD));
  show_name("accept-name", &c, alen);
  sockname("server-name", s, 0);
  sockname("server-peer", s, 1);
  R("accept4-bad-flags", accept4(l, NULL, NULL, 1));
  R("send-client", send(l2, "ping", 4, 0));
  R("recv-server", recv(s, b, 10, 0));
  struct ucred u = {0};
  socklen_t ulen = sizeof u;
  getsockopt(s, SOL_SOCKET, SO_PEERCRED, &u, &ulen);
  T("server-peercred", u.pid == getpid());
  close(s);
  close(l2);
  /* backlog */
  int k[8], ok = 0;
  for (int i = 0; i < 8; i++) {
    k[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connect(k[i], (void *)&a, n) == 0) ok++;
    else if (i == ok) S("backlog-full", err_name(errno));
  }
  V("backlog", ok);
  close(l);
  R("orphan-recv", recv(k[0], b, 1, 0));
  for (int i = 0; i < 8; i++) close(k[i]);
  l2 = socket(AF_UNIX, SOCK_STREAM, 0);
  R("connect-stale", connect(l2, (void *)&a, n));
  R("connect-missing", ({ n = path_name(&c, "nothing"); connect(l2, (void *)&c, n); }));
  put_file("plain", "");
  R("connect-plain-file", ({ n = path_name(&c, "plain"); connect(l2, (void *)&c, n); }));
  unlink("sock");
  /* abstract */
  l = socket(AF_UNIX, SOCK_STREAM, 0);
  n = abs_name(&a, "conf-abstract");
  R("bind-abstract", bind(l, (void *)&a, n));
  sockname("abstract-name", l, 0);
  R("bind-abstract-in-use", bind(l2, (void *)&a, n));
  listen(l, 5);
  R("connect-abstract", connect(l2, (void *)&a, n));
  s = accept(l, NULL, NULL);
  T("accept-abstract", s >= 0);
  int d = socket(AF_UNIX, SOCK_DGRAM, 0);
  R("connect-wrong-type", connect(d, (void *)&a, n));
  close(d), close(s), close(l2), close(l);
  l = socket(AF_UNIX, SOCK_STREAM, 0);
  R("connect-abstract-gone", connect(l, (void *)&a, n));
  a.sun_family = AF_UNIX;
  R("autobind", bind(l, (void *)&a, 2));
  alen = sizeof c;
  getsockname(l, (void *)&c, &alen);
  T("autobind-name", alen == 8 && c.sun_path[0] == 0);
  close(l);
  n = path_name(&a, "sp");
  l = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  bind(l, (void *)&a, n);
  listen(l, 3);
  l2 = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  R("seq-connect", connect(l2, (void *)&a, n));
  s = accept(l, NULL, NULL);
  send(l2, "one", 3, 0);
  send(l2, "two22", 5, 0);
  R("seq-1", recv(s, b, 100, 0));
  R("seq-2-cut", recv(s, b, 2, 0));
  R("seq-none", recv(s, b, 2, MSG_DONTWAIT));
  R("seq-empty-send", send(l2, "", 0, 0));
  R("seq-empty-recv", recv(s, b, 2, MSG_DONTWAIT));
  close(l2);
  R("seq-eof", recv(s, b, 2, 0));
  bits("seq-poll-hup", s);
  R("seq-send-closed", send(s, "x", 1, MSG_NOSIGNAL));
  close(s), close(l);
}

static void datagrams(void) {
  struct sockaddr_un a, c;
  socklen_t n;
  int r = socket(AF_UNIX, SOCK_DGRAM, 0), w = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  bits("dgram-poll-new", r);
  R("dgram-listen", listen(r, 1));
  R("dgram-accept", accept(r, NULL, NULL));
  R("dgram-send-nowhere", send(w, "x", 1, 0));
  n = path_name(&a, "dg");
  bind(r, (void *)&a, n);
  R("dgram-sendto", sendto(w, "hello", 5, 0, (void *)&a, n));
  socklen_t alen = sizeof c;
  memset(&c, 0, sizeof c);
  R("dgram-recvfrom", recvfrom(r, b, 100, 0, (void *)&c, &alen));
  V("dgram-from-unbound-len", alen);
  n = abs_name(&c, "dgw");
  bind(w, (void *)&c, n);
  n = path_name(&a, "dg");
  R("dgram-connect", connect(w, (void *)&a, n));
  R("dgram-send", send(w, "abcdef", 6, 0));
  alen = sizeof c;
  memset(&c, 0, sizeof c);
  R("dgram-trunc", recvfrom(r, b, 3, MSG_TRUNC, (void *)&c, &alen));
  show_name("dgram-from", &c, alen);
  struct iovec v = {b, 2};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  send(w, "abcdef", 6, 0);
  R("dgram-recvmsg", recvmsg(r, &m, 0));
  H("dgram-recvmsg-flags", m.msg_flags);
  R("dgram-empty", send(w, "", 0, 0));
  R("dgram-empty-recv", recv(r, b, 10, MSG_DONTWAIT));
  R("dgram-none", recv(r, b, 10, MSG_DONTWAIT));
  int sent = 0;
  while (send(w, "x", 1, 0) == 1) sent++;
  S("dgram-full", err_name(errno));
  V("dgram-queue", sent);
  bits("dgram-poll-full", w);
  recv(r, b, 1, 0);
  bits("dgram-poll-room", w);
  R("dgram-too-big", ({ int e = send(w, b, 300000, 0); e; }));
  n = abs_name(&c, "dgw");
  int third = socket(AF_UNIX, SOCK_DGRAM, 0);
  connect(r, (void *)&c, n);
  n = path_name(&a, "dg");
  R("dgram-not-peer", sendto(third, "x", 1, 0, (void *)&a, n));
  R("dgram-connect-not-peer", connect(third, (void *)&a, n));
  close(r);
  R("dgram-refused", send(w, "x", 1, 0));
  R("dgram-refused-again", send(w, "x", 1, 0));
  R("dgram-sendto-stale", sendto(w, "x", 1, 0, (void *)&a, n));
  close(w);
  int s[2];
  socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
  close(s[1]);
  R("dgram-pair-closed", send(s[0], "x", 1, 0));
  bits("dgram-pair-closed-poll", s[0]);
  R("dgram-shutdown-unconnected", shutdown(third, SHUT_RD));
  struct mmsghdr mm[3];
  struct iovec mv[3];
  char mb[3][8];
  socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
  memset(mm, 0, sizeof mm);
  for (int i = 0; i < 3; i++) {
    memset(mb[i], 'a' + i, 8);
    mv[i].iov_base = mb[i];
    mv[i].iov_len = i + 1;
    mm[i].msg_hdr.msg_iov = &mv[i];
    mm[i].msg_hdr.msg_iovlen = 1;
  }
  R("sendmmsg", sendmmsg(s[0], mm, 3, 0));
  V("sendmmsg-len", mm[2].msg_len);
  for (int i = 0; i < 3; i++) mv[i].iov_len = 8, memset(mb[i], 0, 8);
  struct timespec ts = {1, 0};
  R("recvmmsg", recvmmsg(s[1], mm, 3, 0, &ts));
  printf("recvmmsg-data: %s %s %s %d %d %d\n", mb[0], mb[1], mb[2], mm[0].msg_len, mm[1].msg_len, mm[2].msg_len);
  send(s[0], "x", 1, 0);
  R("recvmmsg-waitforone", recvmmsg(s[1], mm, 3, MSG_WAITFORONE, NULL));
  R("recvmmsg-none", recvmmsg(s[1], mm, 3, MSG_DONTWAIT, NULL));
}

static void rights(void) {
  int s[2], p[2], got[300], n;
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  pipe(p);
  R("send-fd", send_fds(s[0], "x", 1, &p[1], 1));
  recv_fds("recv-fd", s[1], 10, 1024, 0, got, &n);
  if (n) {
    R("use-fd", write(got[0], "via", 3));
    R("read-via", read(p[0], b, 10));
    H("recv-fd-cloexec", fcntl(got[0], F_GETFD));
    close(got[0]);
  }
  send_fds(s[0], "x", 1, &p[1], 1);
  recv_fds("recv-fd-cmsg-cloexec", s[1], 10, 1024, MSG_CMSG_CLOEXEC, got, &n);
  H("cloexec", fcntl(got[0], F_GETFD));
  close(got[0]);
  int three[3] = {p[0], p[1], s[0]};
  send_fds(s[0], "x", 1, three, 3);
  recv_fds("recv-fd-cut", s[1], 10, CMSG_LEN(8), 0, got, &n);
  for (int i = 0; i < n; i++) close(got[i]);
  send_fds(s[0], "x", 1, three, 3);
  recv_fds("recv-fd-no-room", s[1], 10, 0, 0, got, &n);
  send_fds(s[0], "x", 1, three, 3);
  R("plain-read-drops", read(s[1], b, 10));
  send(s[0], "aa", 2, 0);
  send_fds(s[0], "bb", 2, &p[1], 1);
  send(s[0], "cc", 2, 0);
  recv_fds("mixed-1", s[1], 10, 1024, 0, got, &n);
  for (int i = 0; i < n; i++) close(got[i]);
  recv_fds("mixed-2", s[1], 10, 1024, 0, got, &n);
  send_fds(s[0], "bbbb", 4, &p[1], 1);
  recv_fds("partial-peek", s[1], 2, 1024, MSG_PEEK, got, &n);
  for (int i = 0; i < n; i++) close(got[i]);
  recv_fds("partial-1", s[1], 2, 1024, 0, got, &n);
  for (int i = 0; i < n; i++) close(got[i]);
  recv_fds("partial-2", s[1], 2, 1024, 0, got, &n);
  int bad = NOFD;
  R("send-bad-fd", send_fds(s[0], "x", 1, &bad, 1));
  int many[260];
  for (int i = 0; i < 260; i++) many[i] = p[0];
  R("send-253", send_fds(s[0], "x", 1, many, 253));
  recv_fds("recv-10-of-253", s[1], 10, CMSG_SPACE(40), 0, got, &n);
  for (int i = 0; i < n; i++) close(got[i]);
  R("send-254", send_fds(s[0], "x", 1, many, 254));
  /* A pipe stays open while it is under way. */
  int q[2];
  pipe(q);
  send_fds(s[0], "x", 1, &q[1], 1);
  close(q[1]);
  fcntl(q[0], F_SETFL, O_NONBLOCK);
  R("in-flight-keeps-open", read(q[0], b, 1));
  close(s[1]);
  R("dropped-with-queue", read(q[0], b, 1));
  close(s[0]);
  /* A cycle. */
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  pipe(q);
  int both[2] = {s[1], q[1]};
  send_fds(s[0], "x", 1, both, 2);
  both[0] = s[0];
  send_fds(s[1], "x", 1, both, 1);
  close(q[1]);
  close(s[0]), close(s[1]);
  fcntl(q[0], F_SETFL, O_NONBLOCK);
  int t[2];
  for (int i = 0; i < 50; i++) {
    socketpair(AF_UNIX, SOCK_STREAM, 0, t);
    close(t[0]), close(t[1]);
    msleep(2);
  }
  R("cycle-collected", read(q[0], b, 1));
  /* Credentials. */
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  int on = 1;
  setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  V("passcred", opt(s[1], SO_PASSCRED));
  send(s[0], "x", 1, 0);
  recv_fds("passcred-recv", s[1], 10, 1024, 0, got, &n);
  char c[CMSG_SPACE(sizeof(struct ucred))];
  struct iovec v = {"y", 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
  struct cmsghdr *h = CMSG_FIRSTHDR(&m);
  h->cmsg_level = SOL_SOCKET;
  h->cmsg_type = SCM_CREDENTIALS;
  h->cmsg_len = CMSG_LEN(sizeof(struct ucred));
  struct ucred u = {getpid(), 5, 6};
  memcpy(CMSG_DATA(h), &u, sizeof u);
  R("send-cred", sendmsg(s[0], &m, 0));
  recv_fds("recv-cred", s[1], 10, 1024, 0, got, &n);
  h->cmsg_len = 3;
  R("send-bad-cmsg", sendmsg(s[0], &m, 0));
  h->cmsg_len = CMSG_LEN(sizeof(struct ucred));
  h->cmsg_type = 77;
  R("send-unknown-cmsg", sendmsg(s[0], &m, 0));
  CHILD("cred-unprivileged", {
    h->cmsg_type = SCM_CREDENTIALS;
    setresgid(100, 100, 100);
    setresuid(100, 100, 100);
    u.pid = getpid();
    memcpy(CMSG_DATA(h), &u, sizeof u);
    R("cred-foreign-uid", sendmsg(s[0], &m, 0));
    u.uid = 100;
    u.gid = 100;
    memcpy(CMSG_DATA(h), &u, sizeof u);
    R("cred-own", sendmsg(s[0], &m, 0));
    u.pid = 1;
    memcpy(CMSG_DATA(h), &u, sizeof u);
    if (getpid() != 1) R("cred-foreign-pid", sendmsg(s[0], &m, 0));
  });
  recv_fds("recv-child-cred", s[1], 10, 1024, 0, got, &n);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  pairs();
  names();
  datagrams();
  rights();
  return 0;
}
