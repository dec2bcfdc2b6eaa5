/* What travels beside datagrams: error queues (ip(7), IP_RECVERR), header fields both ways (RFC 3542), whole headers (IP_HDRINCL). */
#include "conf.h"
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

static char b[4000], control[1000];
static struct iovec io;
static struct sockaddr_storage from;
static struct msghdr m;

static struct sockaddr_in four(int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  return a;
}
static struct sockaddr_in6 six(int port) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
  return a;
}
static int set(int s, int level, int name, int v) { return setsockopt(s, level, name, &v, sizeof v); }
static int error_of(int s) {
  int e = 0;
  socklen_t n = sizeof e;
  getsockopt(s, SOL_SOCKET, SO_ERROR, &e, &n);
  return e;
}
static void events(const char *name, int s) {
  struct pollfd p = {s, POLLIN | POLLOUT, 0};
  poll(&p, 1, 0);
  H(name, p.revents);
}

static const char *address(void *p) {
  static char t[100];
  struct sockaddr_in *a = p;
  struct sockaddr_in6 *a6 = p;
  char x[50] = "-";
  if (a->sin_family == AF_INET)
    inet_ntop(AF_INET, &a->sin_addr, x, sizeof x);
  else if (a->sin_family == AF_INET6)
    inet_ntop(AF_INET6, &a6->sin6_addr, x, sizeof x);
  snprintf(t, sizeof t, "%d %s %d", a->sin_family, x, ntohs(a->sin_port));
  return t;
}

/* Receives with flags into n bytes and prints all that came along. */
static void receive(const char *name, int s, int flags, int n) {
  struct pollfd p = {s, POLLIN, 0};
  if (!(flags & MSG_ERRQUEUE))
    poll(&p, 1, 1000);
  io = (struct iovec){b, n};
  memset(&from, 0, sizeof from), memset(control, 0, sizeof control), memset(b, 0, sizeof b);
  m = (struct msghdr){.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  int r = recvmsg(s, &m, flags | MSG_DONTWAIT);
  if (r < 0) {
    printf("%s: %s\n", name, err_name(errno));
    return;
  }
  struct sockaddr_in *a = (void *)&from;
  printf("%s: %d, flags %#x, name %d\n", name, r, m.msg_flags, (int)m.msg_namelen);
  if (flags & MSG_ERRQUEUE)
    printf("%s-to: %s\n", name, address(&from));
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
    printf("%s-cmsg: level %d type %d length %d", name, c->cmsg_level, c->cmsg_type, (int)(c->cmsg_len - CMSG_LEN(0)));
    if ((c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) || (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
      struct sock_extended_err *e = (void *)CMSG_DATA(c);
      printf(": %s origin %d type %d code %d info %d data %d by %s", err_name(e->ee_errno), e->ee_origin, e->ee_type, e->ee_code, e->ee_info, e->ee_data,
             address(SO_EE_OFFENDER(e)));
    } else if (c->cmsg_len == CMSG_LEN(4))
      printf(": %d", *(int *)CMSG_DATA(c));
    else if (c->cmsg_len == CMSG_LEN(1))
      printf(": %d", *CMSG_DATA(c));
    printf("\n");
  }
}

static void errors(const char *family, int v6) {
  char n[100];
#define N(x) (snprintf(n, sizeof n, "%s-%s", family, x), n)
  int level = v6 ? SOL_IPV6 : SOL_IP, option = v6 ? IPV6_RECVERR : IP_RECVERR;
  struct sockaddr_in a4 = four(9);
  struct sockaddr_in6 a6 = six(9);
  void *to = v6 ? (void *)&a6 : (void *)&a4;
  int len = v6 ? sizeof a6 : sizeof a4;
  int s = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0), v;
  socklen_t vl = sizeof v;
  R(N("get"), (getsockopt(s, level, option, &v, &vl), v));
  R(N("without"), sendto(s, "x", 1, 0, to, len));
  msleep(20);
  R(N("without-error"), error_of(s));
  receive(N("without-queue"), s, MSG_ERRQUEUE, 100);
  R(N("set"), set(s, level, option, 1));
  R(N("get-1"), (getsockopt(s, level, option, &v, &vl), v));
  R(N("send"), sendto(s, "hello", 5, 0, to, len));
  msleep(20);
  events(N("events"), s);
  R(N("send-again"), sendto(s, "hello", 5, 0, to, len));
  events(N("events-2"), s);
  receive(N("queue"), s, MSG_ERRQUEUE, 100);
  printf("%s-payload: %s\n", family, b);
  events(N("events-3"), s);
  receive(N("queue-empty"), s, MSG_ERRQUEUE, 100);
  R(N("error-after"), error_of(s));
  sendto(s, "first", 5, 0, to, len);
  msleep(20);
  error_of(s);
  sendto(s, "second", 6, 0, to, len);
  msleep(20);
  error_of(s);
  receive(N("short"), s, MSG_ERRQUEUE, 2);
  R(N("error-of-next"), error_of(s));
  receive(N("next"), s, MSG_ERRQUEUE, 100);
  sendto(s, "third", 5, 0, to, len);
  msleep(20);
  receive(N("plain"), s, 0, 100);
  receive(N("plain-queue"), s, MSG_ERRQUEUE, 100);
  /* long payloads are quoted in part */
  memset(b, 'y', sizeof b);
  sendto(s, b, 2000, 0, to, len);
  msleep(20);
  error_of(s);
  receive(N("long"), s, MSG_ERRQUEUE, 3000);
  /* with the header's fields */
  set(s, SOL_IP, IP_RECVTTL, 1);
  if (v6)
    set(s, SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
  sendto(s, "ttl", 3, 0, to, len);
  msleep(20);
  receive(N("with-ttl"), s, MSG_ERRQUEUE, 100);
  connect(s, to, len);
  R(N("connected"), send(s, "c", 1, 0));
  msleep(20);
  receive(N("connected-queue"), s, MSG_ERRQUEUE, 100);
  R(N("connected-2"), send(s, "c", 1, 0));
  msleep(20);
  R(N("connected-3"), send(s, "c", 1, 0));
  R(N("off"), set(s, level, option, 0));
  close(s);
}

/* Too long a datagram is an error of this host's own. */
static void too_long(void) {
  static char much[70000];
  for (int v6 = 0; v6 < 2; v6++) {
    int s = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in a4 = four(9);
    struct sockaddr_in6 a6 = six(9);
    void *to = v6 ? (void *)&a6 : (void *)&a4;
    int len = v6 ? sizeof a6 : sizeof a4;
    set(s, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_RECVERR : IP_RECVERR, 1);
    R("long-70000", sendto(s, much, 70000, 0, to, len));
    receive("long-70000-queue", s, MSG_ERRQUEUE, 100);
    R("long-65530", sendto(s, much, 65530, 0, to, len));
    receive("long-65530-queue", s, MSG_ERRQUEUE, 100);
    R("long-error", error_of(s));
    close(s);
  }
}

static void raw_errors(void) {
  int s = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
  struct sockaddr_in a = four(0);
  struct udphdr u = {.source = htons(1000), .dest = htons(9), .len = htons(8)};
  R("raw-set", set(s, SOL_IP, IP_RECVERR, 1));
  R("raw-send", sendto(s, &u, 8, 0, (void *)&a, sizeof a));
  msleep(20);
  R("raw-error", error_of(s));
  receive("raw-queue", s, MSG_ERRQUEUE, 100);
  printf("raw-payload: port %d\n", ntohs(((struct udphdr *)b)->dest));
  close(s);
}

static void fields4(void) {
  struct sockaddr_in a = four(4100);
  int r = socket(AF_INET, SOCK_DGRAM, 0), s = socket(AF_INET, SOCK_DGRAM, 0);
  bind(r, (void *)&a, sizeof a);
  R("ttl-on", set(r, SOL_IP, IP_RECVTTL, 1));
  R("tos-on", set(r, SOL_IP, IP_RECVTOS, 1));
  sendto(s, "x", 1, 0, (void *)&a, sizeof a);
  receive("fields", r, 0, 10);
  set(s, SOL_IP, IP_TTL, 7), set(s, SOL_IP, IP_TOS, 0x10);
  sendto(s, "x", 1, 0, (void *)&a, sizeof a);
  receive("fields-set", r, 0, 10);
  set(r, SOL_IP, IP_PKTINFO, 1), set(r, SOL_SOCKET, SO_TIMESTAMP, 1);
  sendto(s, "x", 1, 0, (void *)&a, sizeof a);
  io = (struct iovec){b, 10};
  memset(control, 0, sizeof control);
  m = (struct msghdr){.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  recvmsg(r, &m, 0);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
    printf("fields-all: %d %d %d\n", c->cmsg_level, c->cmsg_type, (int)c->cmsg_len);
  set(r, SOL_IP, IP_PKTINFO, 0), set(r, SOL_SOCKET, SO_TIMESTAMP, 0);
  close(s), close(r);
}

static int with(int s, void *to, int len, int level, int type, const void *data, int size) {
  static char c[300];
  memset(c, 0, sizeof c);
  struct cmsghdr *h = (void *)c;
  h->cmsg_level = level, h->cmsg_type = type, h->cmsg_len = CMSG_LEN(size);
  memcpy(CMSG_DATA(h), data, size);
  struct iovec v = {"x", 1};
  struct msghdr x = {.msg_name = to, .msg_namelen = len, .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = CMSG_SPACE(size)};
  return sendmsg(s, &x, 0);
}
static int with_int(int s, void *to, int len, int level, int type, int v) { return with(s, to, len, level, type, &v, 4); }

static void senders4(void) {
  struct sockaddr_in a = four(4101);
  int r = socket(AF_INET, SOCK_DGRAM, 0), s = socket(AF_INET, SOCK_DGRAM, 0);
  bind(r, (void *)&a, sizeof a);
  set(r, SOL_IP, IP_RECVTTL, 1), set(r, SOL_IP, IP_RECVTOS, 1);
  R("send-ttl", with_int(s, &a, sizeof a, SOL_IP, IP_TTL, 33));
  receive("send-ttl-got", r, 0, 10);
  R("send-ttl-0", with_int(s, &a, sizeof a, SOL_IP, IP_TTL, 0));
  R("send-ttl-256", with_int(s, &a, sizeof a, SOL_IP, IP_TTL, 256));
  R("send-ttl-short", with(s, &a, sizeof a, SOL_IP, IP_TTL, "abc", 3));
  R("send-tos", with_int(s, &a, sizeof a, SOL_IP, IP_TOS, 0x28));
  receive("send-tos-got", r, 0, 10);
  R("send-tos-1", with(s, &a, sizeof a, SOL_IP, IP_TOS, "\x08", 1));
  receive("send-tos-1-got", r, 0, 10);
  R("send-tos-256", with_int(s, &a, sizeof a, SOL_IP, IP_TOS, 256));
  struct in_pktinfo p = {.ipi_spec_dst.s_addr = htonl(0x7f000003)};
  R("send-source", with(s, &a, sizeof a, SOL_IP, IP_PKTINFO, &p, sizeof p));
  receive("send-source-got", r, 0, 10);
  printf("send-source-is: %s\n", inet_ntoa(((struct sockaddr_in *)&from)->sin_addr));
  R("send-source-short", with(s, &a, sizeof a, SOL_IP, IP_PKTINFO, &p, sizeof p - 1));
  R("send-unknown", with_int(s, &a, sizeof a, SOL_IP, 99, 1));
  R("send-other-level", with_int(s, &a, sizeof a, 99, 99, 1));
  R("send-socket-level", with_int(s, &a, sizeof a, SOL_SOCKET, 99, 1));
  R("send-six-level", with_int(s, &a, sizeof a, SOL_IPV6, IPV6_HOPLIMIT, 1));
  close(s), close(r);
}

static void fields6(void) {
  struct sockaddr_in6 a = six(4102);
  int r = socket(AF_INET6, SOCK_DGRAM, 0), s = socket(AF_INET6, SOCK_DGRAM, 0), v;
  socklen_t n = 4;
  bind(r, (void *)&a, sizeof a);
  sendto(s, "x", 1, 0, (void *)&a, sizeof a);
  receive("six-none", r, 0, 10);
  int options[] = {IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS, IPV6_RECVPKTINFO, IPV6_RECVHOPOPTS, IPV6_RECVDSTOPTS, IPV6_RECVRTHDR};
  for (int i = 0; i < 6; i++) {
    R("six-get", (getsockopt(r, SOL_IPV6, options[i], &v, &n) ? -1 : v));
    R("six-set", set(r, SOL_IPV6, options[i], 1));
    R("six-get-1", (getsockopt(r, SOL_IPV6, options[i], &v, &n) ? -1 : v));
    R("six-set-short", setsockopt(r, SOL_IPV6, options[i], &v, 3));
  }
  set(r, SOL_IPV6, IPV6_RECVPKTINFO, 0);
  sendto(s, "x", 1, 0, (void *)&a, sizeof a);
  receive("six-all", r, 0, 10);
  R("six-hops", with_int(s, &a, sizeof a, SOL_IPV6, IPV6_HOPLIMIT, 55));
  receive("six-hops-got", r, 0, 10);
  R("six-hops--1", with_int(s, &a, sizeof a, SOL_IPV6, IPV6_HOPLIMIT, -1));
  receive("six-hops--1-got", r, 0, 10);
  R("six-hops-256", with_int(s, &a, sizeof a, SOL_IPV6, IPV6_HOPLIMIT, 256));
  R("six-hops-short", with(s, &a, sizeof a, SOL_IPV6, IPV6_HOPLIMIT, "ab", 2));
  R("six-class", with_int(s, &a, sizeof a, SOL_IPV6, IPV6_TCLASS, 0x44));
  receive("six-class-got", r, 0, 10);
  R("six-class-256", with_int(s, &a, sizeof a, SOL_IPV6, IPV6_TCLASS, 256));
  set(s, SOL_IPV6, IPV6_UNICAST_HOPS, 9), set(s, SOL_IPV6, IPV6_TCLASS, 0x30);
  sendto(s, "x", 1, 0, (void *)&a, sizeof a);
  receive("six-own", r, 0, 10);
  R("six-dontfrag", with_int(s, &a, sizeof a, SOL_IPV6, IPV6_DONTFRAG, 1));
  R("six-dontfrag-2", with_int(s, &a, sizeof a, SOL_IPV6, IPV6_DONTFRAG, 2));
  struct in6_pktinfo p = {.ipi6_addr = in6addr_loopback};
  R("six-source", with(s, &a, sizeof a, SOL_IPV6, IPV6_PKTINFO, &p, sizeof p));
  p.ipi6_addr.s6_addr[0] = 0x20;
  R("six-source-foreign", with(s, &a, sizeof a, SOL_IPV6, IPV6_PKTINFO, &p, sizeof p));
  R("six-source-short", with(s, &a, sizeof a, SOL_IPV6, IPV6_PKTINFO, &p, sizeof p - 1));
  p = (struct in6_pktinfo){.ipi6_ifindex = 9999};
  R("six-source-nowhere", with(s, &a, sizeof a, SOL_IPV6, IPV6_PKTINFO, &p, sizeof p));
  R("six-unknown", with_int(s, &a, sizeof a, SOL_IPV6, 99, 1));
  R("six-options-short", with_int(s, &a, sizeof a, SOL_IPV6, IPV6_HOPOPTS, 1));
  R("six-rthdr-0", with(s, &a, sizeof a, SOL_IPV6, IPV6_RTHDR, "\0\2\0\1\0\0\0\0aaaaaaaaaaaaaaaa", 24));
  while (recv(r, b, sizeof b, MSG_DONTWAIT) >= 0)
    ;
  /* room for part of what there is */
  sendto(s, "x", 1, 0, (void *)&a, sizeof a);
  for (int room = 0; room <= 44; room += 4) {
    io = (struct iovec){b, 10};
    memset(control, 0, sizeof control);
    m = (struct msghdr){.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
    recvmsg(r, &m, MSG_PEEK);
    printf("six-room-%d: %d, flags %#x", room, (int)m.msg_controllen, m.msg_flags);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c)
      printf(", %d %d", (int)c->cmsg_len, c->cmsg_type);
    printf("\n");
  }
  /* IPv4 on a socket of IPv6 */
  close(r);
  r = socket(AF_INET6, SOCK_DGRAM, 0);
  a.sin6_addr = in6addr_any, a.sin6_port = htons(4103);
  bind(r, (void *)&a, sizeof a);
  set(r, SOL_IP, IP_RECVTTL, 1), set(r, SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
  int s4 = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in a4 = four(4103);
  sendto(s4, "x", 1, 0, (void *)&a4, sizeof a4);
  receive("mapped", r, 0, 10);
  close(s), close(r), close(s4);
}

static void included(void) {
  int s = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), r = socket(AF_INET, SOCK_RAW, 201), u = socket(AF_INET, SOCK_DGRAM, 0), v = 9;
  socklen_t n = 4;
  R("hdrincl-raw", (getsockopt(s, SOL_IP, IP_HDRINCL, &v, &n), v));
  R("hdrincl-other", (getsockopt(r, SOL_IP, IP_HDRINCL, &v, &n), v));
  R("hdrincl-udp", set(u, SOL_IP, IP_HDRINCL, 1));
  R("hdrincl-set", set(r, SOL_IP, IP_HDRINCL, 1));
  R("hdrincl-get", (getsockopt(r, SOL_IP, IP_HDRINCL, &v, &n), v));
  struct {
    struct iphdr ip;
    char text[4];
  } __attribute__((packed)) p = {.ip = {.version = 4, .ihl = 5, .ttl = 3, .tos = 8, .protocol = 201, .daddr = htonl(INADDR_LOOPBACK)}, .text = "abc"};
  struct sockaddr_in a = four(0);
  set(r, SOL_IP, IP_RECVTTL, 1);
  R("hdrincl-send", sendto(s, &p, 24, 0, (void *)&a, sizeof a));
  receive("hdrincl-got", r, 0, 100);
  struct iphdr *ip = (void *)b;
  printf("hdrincl-is: len %d ttl %d tos %d proto %d src %#x id %s sum %s text %s\n", ntohs(ip->tot_len), ip->ttl, ip->tos, ip->protocol, ntohl(ip->saddr),
         ip->id ? "set" : "0", ip->check ? "set" : "0", b + 20);
  p.ip.saddr = htonl(0x7f000009), p.ip.id = htons(77), p.ip.tot_len = htons(999), p.ip.check = 5;
  R("hdrincl-send-2", sendto(r, &p, 24, 0, (void *)&a, sizeof a));
  receive("hdrincl-got-2", r, 0, 100);
  printf("hdrincl-is-2: len %d src %#x id %d sum %s\n", ntohs(ip->tot_len), ntohl(ip->saddr), ntohs(ip->id), ip->check == htons(5) ? "kept" : "new");
  R("hdrincl-short", sendto(s, &p, 19, 0, (void *)&a, sizeof a));
  p.ip.ihl = 15;
  R("hdrincl-ihl", sendto(s, &p, 24, 0, (void *)&a, sizeof a));
  R("hdrincl-recv", recv(s, b, 1, MSG_DONTWAIT));
  close(s), close(r), close(u);
}

static void device(void) {
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  char name[20];
  socklen_t n = sizeof name;
  R("device-none", getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &n));
  V("device-none-length", n);
  R("device", setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
  n = sizeof name;
  R("device-get", getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &n));
  printf("device-is: %d %s\n", (int)n, name);
  n = 15;
  R("device-get-short", getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &n));
  R("device-wrong", setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "nowhere", 8));
  R("device-off", setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "", 1));
  close(s);
}

int main(void) {
  errors("udp", 0);
  errors("udp6", 1);
  too_long();
  raw_errors();
  fields4();
  senders4();
  fields6();
  included();
  device();
  return 0;
}
