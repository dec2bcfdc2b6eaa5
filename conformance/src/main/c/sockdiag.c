/* sock_diag(7): what the kernel tells of TCP, UDP and unix sockets; rtnetlink(7)'s groups. */
#include "conf.h"
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char answer[1 << 16];

/* Sends a request and gives the answer's length, all of a dump's datagrams one behind the other. */
static int ask(int nl, void *body, int bytes, int flags) {
  struct {
    struct nlmsghdr h;
    char body[128];
  } q = {.h = {NLMSG_LENGTH(bytes), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | flags, 7, 0}};
  memcpy(q.body, body, bytes);
  if (send(nl, &q, q.h.nlmsg_len, 0) < 0) return -errno;
  int n = 0;
  for (;;) {
    int r = recv(nl, answer + n, sizeof answer - n, 0);
    if (r <= 0) return -errno;
    int done = flags == 0;
    for (struct nlmsghdr *h = (void *)(answer + n); (char *)h < answer + n + r; h = (void *)((char *)h + NLMSG_ALIGN(h->nlmsg_len)))
      done |= h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR;
    n += NLMSG_ALIGN(r);
    if (done) return n;
  }
}
static ino_t ino(int fd) {
  struct stat s;
  fstat(fd, &s);
  return s.st_ino;
}
static struct rtattr *find(struct nlmsghdr *h, int head, int type) {
  for (char *p = (char *)h + NLMSG_LENGTH(head); p + sizeof(struct rtattr) <= (char *)h + h->nlmsg_len;) {
    struct rtattr *a = (void *)p;
    if (a->rta_type == type) return a;
    p += RTA_ALIGN(a->rta_len);
  }
  return 0;
}
static struct nlmsghdr *of(int n, ino_t i, int offset) {
  for (struct nlmsghdr *h = (void *)answer; (char *)h < answer + n; h = (void *)((char *)h + NLMSG_ALIGN(h->nlmsg_len)))
    if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY && *(unsigned *)((char *)NLMSG_DATA(h) + offset) == (unsigned)i) return h;
  return 0;
}
static int error_of(int n) {
  struct nlmsghdr *h = (void *)answer;
  return n > 0 && h->nlmsg_type == NLMSG_ERROR ? ((struct nlmsgerr *)NLMSG_DATA(h))->error : 0;
}

static void inet_one(const char *name, int n, int fd) {
  struct nlmsghdr *h = of(n, ino(fd), offsetof(struct inet_diag_msg, idiag_inode));
  if (!h) {
    S(name, "not there");
    return;
  }
  struct inet_diag_msg *m = NLMSG_DATA(h);
  struct rtattr *info = find(h, sizeof *m, INET_DIAG_INFO), *shut = find(h, sizeof *m, INET_DIAG_SHUTDOWN), *v6 = find(h, sizeof *m, INET_DIAG_SKV6ONLY);
  printf("%s: family %d state %d rq %u wq %u uid %u sport %s dport %s src %08x dst %08x info state %d shutdown %s v6only %d multi %d\n", name, m->idiag_family,
         m->idiag_state, m->idiag_rqueue, m->idiag_wqueue, m->idiag_uid, m->id.idiag_sport ? "yes" : "0", m->id.idiag_dport ? "yes" : "0",
         ntohl(m->id.idiag_src[0]), ntohl(m->id.idiag_dst[0]), info ? ((struct tcp_info *)RTA_DATA(info))->tcpi_state : -1, shut ? "given" : "none",
         v6 ? *(unsigned char *)RTA_DATA(v6) : -1, !!(h->nlmsg_flags & NLM_F_MULTI));
}
static void inet(int nl) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 a6 = {.sin6_family = AF_INET6};
  socklen_t len = sizeof a;
  int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), d = socket(AF_INET, SOCK_STREAM, 0), l6 = socket(AF_INET6, SOCK_STREAM, 0),
      u = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
  bind(l, (void *)&a, sizeof a);
  listen(l, 9);
  getsockname(l, (void *)&a, &len);
  connect(c, (void *)&a, sizeof a);
  int s = accept(l, 0, 0);
  send(c, "abcd", 4, 0);
  connect(d, (void *)&a, sizeof a);
  setsockopt(l6, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  bind(l6, (void *)&a6, sizeof a6);
  listen(l6, 3);
  struct sockaddr_in ua = {.sin_family = AF_INET};
  bind(u, (void *)&ua, sizeof ua);
  struct inet_diag_req_v2 q = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_ext = 1 << (INET_DIAG_INFO - 1), .idiag_states = -1};
  int n = ask(nl, &q, sizeof q, NLM_F_DUMP);
  inet_one("listener", n, l);
  inet_one("client", n, c);
  inet_one("server", n, s);
  inet_one("not accepted", n, d);
  inet_one("v6 among v4", n, l6);
  q.idiag_states = 1 << TCP_LISTEN;
  n = ask(nl, &q, sizeof q, NLM_F_DUMP);
  inet_one("listener by state", n, l);
  inet_one("client by state", n, c);
  q.sdiag_family = AF_INET6;
  inet_one("v6", ask(nl, &q, sizeof q, NLM_F_DUMP), l6);
  q = (struct inet_diag_req_v2){.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_UDP, .idiag_states = -1};
  inet_one("udp", ask(nl, &q, sizeof q, NLM_F_DUMP), u);

  /* One socket, by its name. */
  struct sockaddr_in from;
  len = sizeof from;
  getsockname(c, (void *)&from, &len);
  q = (struct inet_diag_req_v2){.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = -1};
  q.id.idiag_sport = from.sin_port;
  q.id.idiag_dport = a.sin_port;
  q.id.idiag_src[0] = from.sin_addr.s_addr;
  q.id.idiag_dst[0] = a.sin_addr.s_addr;
  q.id.idiag_cookie[0] = q.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  inet_one("by name", ask(nl, &q, sizeof q, 0), c);
  q.id.idiag_dport = htons(1);
  V("no such socket", error_of(ask(nl, &q, sizeof q, 0)));
  char shorter[8] = {AF_INET, IPPROTO_TCP};
  V("short request", error_of(ask(nl, shorter, sizeof shorter, 0)));
  char other[64] = {AF_X25};
  V("other family", error_of(ask(nl, other, sizeof other, 0)));
  close(l), close(c), close(s), close(d), close(l6), close(u);
}

static void unix_one(const char *name, int n, int fd, int peer) {
  struct nlmsghdr *h = of(n, ino(fd), offsetof(struct unix_diag_msg, udiag_ino));
  if (!h) {
    S(name, "not there");
    return;
  }
  struct unix_diag_msg *m = NLMSG_DATA(h);
  struct rtattr *a = find(h, sizeof *m, UNIX_DIAG_NAME), *p = find(h, sizeof *m, UNIX_DIAG_PEER), *q = find(h, sizeof *m, UNIX_DIAG_RQLEN);
  struct unix_diag_rqlen *r = q ? RTA_DATA(q) : 0;
  printf("%s: type %d state %d name %d bytes '%.*s' peer %s rq %d wq %d\n", name, m->udiag_type, m->udiag_state, a ? (int)RTA_PAYLOAD(a) : -1,
         a && *(char *)RTA_DATA(a) ? (int)RTA_PAYLOAD(a) : 0, a ? (char *)RTA_DATA(a) : "",
         !p ? "none" : peer >= 0 && *(unsigned *)RTA_DATA(p) == (unsigned)ino(peer) ? "right" : "other", r ? (int)r->udiag_rqueue : -1,
         r && m->udiag_state == TCP_LISTEN ? (int)r->udiag_wqueue : -1);
}
static void local(int nl) {
  struct sockaddr_un a = {AF_UNIX, "diag.sock"}, b = {AF_UNIX, "\0diag"};
  int p[2], l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), d = socket(AF_UNIX, SOCK_DGRAM, 0);
  socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p);
  bind(l, (void *)&a, sizeof a);
  listen(l, 5);
  connect(c, (void *)&a, sizeof a);
  bind(d, (void *)&b, offsetof(struct sockaddr_un, sun_path) + 5);
  struct unix_diag_req q = {.sdiag_family = AF_UNIX, .udiag_states = -1, .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN};
  int n = ask(nl, &q, sizeof q, NLM_F_DUMP);
  unix_one("unix listener", n, l, -1);
  unix_one("abstract datagrams", n, d, -1);
  unix_one("pair", n, p[0], p[1]);
  q.udiag_states = 1 << TCP_LISTEN;
  n = ask(nl, &q, sizeof q, NLM_F_DUMP);
  unix_one("unix listener by state", n, l, -1);
  unix_one("pair by state", n, p[0], p[1]);
  q = (struct unix_diag_req){.sdiag_family = AF_UNIX, .udiag_states = -1, .udiag_ino = ino(p[1]), .udiag_show = UDIAG_SHOW_PEER, .udiag_cookie = {-1, -1}};
  unix_one("by inode", ask(nl, &q, sizeof q, 0), p[1], p[0]);
  q.udiag_ino = 0;
  V("inode 0", error_of(ask(nl, &q, sizeof q, 0)));
  q.udiag_ino = 0x7ffffff1;
  V("no such inode", error_of(ask(nl, &q, sizeof q, 0)));
  close(l), close(c), close(d), close(p[0]), close(p[1]);
  unlink("diag.sock");
}

static void groups(void) {
  int nl = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), g = RTNLGRP_IPV4_ROUTE;
  struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR};
  socklen_t n = sizeof a;
  R("bind to groups", bind(nl, (void *)&a, sizeof a));
  R("join", setsockopt(nl, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &g, sizeof g));
  getsockname(nl, (void *)&a, &n);
  H("groups", a.nl_groups);
  g = RTNLGRP_LINK;
  R("leave", setsockopt(nl, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &g, sizeof g));
  getsockname(nl, (void *)&a, &n);
  H("groups left", a.nl_groups);
  g = 0;
  R("group 0", setsockopt(nl, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &g, sizeof g));
  g = 1000;
  R("group 1000", setsockopt(nl, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &g, sizeof g));
  close(nl);
}

int main(void) {
  int nl = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
  R("socket", nl < 0 ? nl : 0);
  inet(nl);
  local(nl);
  groups();
  return 0;
}
