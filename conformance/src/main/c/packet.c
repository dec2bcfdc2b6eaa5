/* Packet sockets on the loopback: packet(7), and filters of classic BPF on them. */
#include "conf.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

static int lo;
static char b[70000];

static struct sockaddr_ll ll(int protocol, int index) {
  struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = index};
  return a;
}

static int on_lo(int type, int protocol) {
  int s = socket(AF_PACKET, type, 0);
  struct sockaddr_ll a = ll(protocol, lo);
  if (bind(s, (void *)&a, sizeof a) == -1)
    perror("bind");
  return s;
}

static int udp_to(int port, const char *text, int len) {
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int r = sendto(s, text, len, 0, (void *)&a, sizeof a);
  close(s);
  return r;
}

static int listener(int port) {
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  bind(s, (void *)&a, sizeof a);
  return s;
}

/* What was seen, in words. */
static void seen(const char *name, int s, int ip_at) {
  struct sockaddr_ll a;
  socklen_t n = sizeof a;
  memset(&a, 0x55, sizeof a);
  struct pollfd p = {s, POLLIN, 0};
  poll(&p, 1, 1000);
  int r = recvfrom(s, b, sizeof b, MSG_DONTWAIT, (void *)&a, &n);
  if (r < 0) {
    printf("%s: %s\n", name, err_name(errno));
    return;
  }
  struct iphdr *ip = (void *)(b + ip_at);
  int port = ip->version == 4 ? ntohs(((struct udphdr *)(b + ip_at + 20))->dest) : 0;
  printf("%s: %d bytes, address %d, family %d, protocol %#x, if %s, hatype %d, kind %d, halen %d, mac %d%d, ip %d, port %d\n", name, r, (int)n,
         a.sll_family, ntohs(a.sll_protocol), a.sll_ifindex == lo ? "lo" : "other", a.sll_hatype, a.sll_pkttype, a.sll_halen, a.sll_addr[0],
         a.sll_addr[5], ip->version, port);
}

static void making(void) {
  R("make-stream", socket(AF_PACKET, SOCK_STREAM, 0));
  R("make-seqpacket", socket(AF_PACKET, SOCK_SEQPACKET, 0));
  int p[2];
  R("pair", socketpair(AF_PACKET, SOCK_RAW, 0, p));
  CHILD("make-unprivileged", if (setresuid(1000, 1000, 1000)) _exit(9); _exit(socket(AF_PACKET, SOCK_RAW, 0) == -1 ? errno : 0));
  int s = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP)), v;
  socklen_t n = sizeof v;
  getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &n), V("type", v);
  getsockopt(s, SOL_SOCKET, SO_DOMAIN, &v, &n), V("domain", v);
  getsockopt(s, SOL_SOCKET, SO_PROTOCOL, &v, &n), V("protocol", ntohs(v));
  R("listen", listen(s, 1));
  R("accept", accept(s, NULL, NULL));
  R("shutdown", shutdown(s, SHUT_RD));
  struct sockaddr_ll a = ll(ETH_P_ALL, lo);
  R("connect", connect(s, (void *)&a, sizeof a));
  R("peer", getpeername(s, (void *)&a, &n));
  a = ll(ETH_P_ALL, lo);
  R("bind-short", bind(s, (void *)&a, sizeof a - 1));
  a.sll_family = AF_INET;
  R("bind-inet", bind(s, (void *)&a, sizeof a));
  a = ll(ETH_P_ALL, 9999);
  R("bind-nowhere", bind(s, (void *)&a, sizeof a));
  memset(&a, 0x55, sizeof a), n = sizeof a;
  R("name", getsockname(s, (void *)&a, &n));
  printf("name-is: %d %d %#x %d %d %d\n", (int)n, a.sll_family, ntohs(a.sll_protocol), a.sll_ifindex, a.sll_halen, a.sll_hatype);
  a = ll(ETH_P_IPV6, lo);
  R("bind-lo", bind(s, (void *)&a, sizeof a));
  memset(&a, 0x55, sizeof a), n = sizeof a;
  R("name-bound", getsockname(s, (void *)&a, &n));
  printf("name-bound-is: %d %d %#x %d %d %d %d\n", (int)n, a.sll_family, ntohs(a.sll_protocol), a.sll_ifindex == lo, a.sll_halen, a.sll_hatype,
         a.sll_pkttype);
  a = ll(0, 0);
  R("bind-again", bind(s, (void *)&a, sizeof a));
  n = sizeof a, getsockname(s, (void *)&a, &n);
  printf("name-again-is: %d %#x %d\n", (int)n, ntohs(a.sll_protocol), a.sll_ifindex);
  close(s);
}

static void receiving(void) {
  int to = listener(4001), all = on_lo(SOCK_RAW, ETH_P_ALL), ip = on_lo(SOCK_RAW, ETH_P_IP), dg = on_lo(SOCK_DGRAM, ETH_P_ALL),
      six = on_lo(SOCK_RAW, ETH_P_IPV6), none = socket(AF_PACKET, SOCK_RAW, 0);
  R("udp", udp_to(4001, "hello", 5));
  seen("all-1", all, 14), seen("all-2", all, 14);
  R("all-3", recv(all, b, 1, MSG_DONTWAIT));
  seen("ip-1", ip, 14);
  R("ip-2", recv(ip, b, 1, MSG_DONTWAIT));
  seen("dgram-1", dg, 0), seen("dgram-2", dg, 0);
  R("six", recv(six, b, 1, MSG_DONTWAIT));
  R("none", recv(none, b, 1, MSG_DONTWAIT));
  udp_to(4001, "hello, world", 12);
  int v = 0;
  R("fionread", (ioctl(ip, FIONREAD, &v), v));
  R("peek", recv(ip, b, 10, MSG_PEEK));
  R("peek-trunc", recv(ip, b, 10, MSG_PEEK | MSG_TRUNC));
  struct iovec io = {b, 10};
  struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
  R("short", recvmsg(ip, &m, 0));
  H("short-flags", m.msg_flags);
  R("waitall", recv(ip, b, 10, MSG_DONTWAIT | MSG_WAITALL));
  R("oob", recv(ip, b, 10, MSG_DONTWAIT | MSG_OOB));
  R("errqueue", recv(ip, b, 10, MSG_ERRQUEUE));
  int off = 1;
  R("ignore-bad", (v = 2, setsockopt(all, SOL_PACKET, PACKET_IGNORE_OUTGOING, &v, 4)));
  R("ignore", setsockopt(all, SOL_PACKET, PACKET_IGNORE_OUTGOING, &off, 4));
  while (recv(all, b, sizeof b, MSG_DONTWAIT) >= 0)
    ;
  udp_to(4001, "x", 1);
  seen("ignored", all, 14);
  R("ignored-2", recv(all, b, 1, MSG_DONTWAIT));
  int on = 1;
  R("auxdata", setsockopt(ip, SOL_PACKET, PACKET_AUXDATA, &on, 4));
  R("timestamp", setsockopt(ip, SOL_SOCKET, SO_TIMESTAMP, &on, 4));
  while (recv(ip, b, sizeof b, MSG_DONTWAIT) >= 0)
    ;
  udp_to(4001, "12345678", 8);
  char control[200];
  io = (struct iovec){b, 20};
  m = (struct msghdr){.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  R("aux-recv", recvmsg(ip, &m, 0));
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
    printf("cmsg: %d %d %d\n", c->cmsg_level, c->cmsg_type, (int)c->cmsg_len);
    if (c->cmsg_level == SOL_PACKET) {
      struct tpacket_auxdata *x = (void *)CMSG_DATA(c);
      printf("aux: user %d, %d %d, mac %d, net %d, tci %d\n", x->tp_status & 1, x->tp_len, x->tp_snaplen, x->tp_mac, x->tp_net, x->tp_vlan_tci);
    } else {
      struct timeval *tv = (void *)CMSG_DATA(c);
      T("stamp-now", labs(tv->tv_sec - time(NULL)) <= 2);
    }
  }
  struct tpacket_stats st;
  socklen_t n = sizeof st;
  while (recv(none, b, 1, MSG_DONTWAIT) >= 0)
    ;
  R("stats", getsockopt(ip, SOL_PACKET, PACKET_STATISTICS, &st, &n));
  printf("stats-are: %d, %d %d\n", (int)n, st.tp_packets, st.tp_drops);
  getsockopt(ip, SOL_PACKET, PACKET_STATISTICS, &st, &n);
  printf("stats-again: %d %d\n", st.tp_packets, st.tp_drops);
  close(to), close(all), close(ip), close(dg), close(six), close(none);
}

static unsigned short sum(void *p, int n) {
  unsigned s = 0;
  for (unsigned short *w = p; n > 1; n -= 2)
    s += *w++;
  while (s >> 16)
    s = (s & 0xffff) + (s >> 16);
  return ~s;
}

static void sending(void) {
  int to = listener(4002), s = on_lo(SOCK_RAW, ETH_P_ALL), o = on_lo(SOCK_RAW, ETH_P_ALL);
  struct {
    struct ether_header e;
    struct iphdr ip;
    struct udphdr u;
    char text[6];
  } __attribute__((packed)) f = {.e = {.ether_type = htons(ETH_P_IP)},
                                 .ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .tot_len = htons(34), .saddr = htonl(INADDR_LOOPBACK), .daddr = htonl(INADDR_LOOPBACK)},
                                 .u = {.source = htons(77), .dest = htons(4002), .len = htons(14)},
                                 .text = "frame"};
  f.ip.check = sum(&f.ip, 20);
  R("send", send(s, &f, sizeof f, 0));
  struct sockaddr_in from;
  socklen_t n = sizeof from;
  struct pollfd p = {to, POLLIN, 0};
  poll(&p, 1, 1000);
  R("sent-arrives", recvfrom(to, b, sizeof b, MSG_DONTWAIT, (void *)&from, &n));
  printf("sent-from: %s port %d: %s\n", inet_ntoa(from.sin_addr), ntohs(from.sin_port), b);
  seen("own", s, 14);
  R("own-once", recv(s, b, 1, MSG_DONTWAIT));
  seen("other-1", o, 14), seen("other-2", o, 14);
  R("send-13", send(s, &f, 13, 0));
  R("send-0", send(s, &f, 0, 0));
  R("send-14", send(s, &f, 14, 0));
  R("send-long", send(s, b, 65536 + 14 + 5, 0));
  R("send-bad", send(s, BAD, 100, 0));
  struct sockaddr_ll a = ll(ETH_P_IP, lo);
  a.sll_halen = 6;
  R("sendto-short", sendto(s, &f, sizeof f, 0, (void *)&a, 19));
  R("sendto", sendto(s, &f, sizeof f, 0, (void *)&a, sizeof a));
  a.sll_ifindex = 9999;
  R("sendto-nowhere", sendto(s, &f, sizeof f, 0, (void *)&a, sizeof a));
  int un = socket(AF_PACKET, SOCK_RAW, 0), d = socket(AF_PACKET, SOCK_DGRAM, 0);
  R("send-unbound", send(un, &f, sizeof f, 0));
  while (recv(o, b, sizeof b, MSG_DONTWAIT) >= 0)
    ;
  while (recv(to, b, sizeof b, MSG_DONTWAIT) >= 0)
    ;
  a = ll(ETH_P_IP, lo), a.sll_halen = 6;
  R("dgram", sendto(d, &f.ip, 34, 0, (void *)&a, sizeof a));
  seen("dgram-out", o, 14), seen("dgram-in", o, 14);
  R("dgram-arrives", recv(to, b, sizeof b, MSG_DONTWAIT));
  a.sll_protocol = htons(0x88b5), memset(a.sll_addr, 0xff, 6);
  R("other-type", sendto(d, "abcdefghijklmnopqrstuvwxyz0123456789", 36, 0, (void *)&a, sizeof a));
  seen("other-type-out", o, 14), seen("other-type-in", o, 14);
  a.sll_addr[0] = 2;
  R("to-other", sendto(d, "abcdefghijklmnopqrstuvwxyz0123456789", 36, 0, (void *)&a, sizeof a));
  seen("to-other-out", o, 14), seen("to-other-in", o, 14);
  close(to), close(s), close(o), close(un), close(d);
}

static void raw_ip(void) {
  int o = on_lo(SOCK_RAW, ETH_P_ALL), s = socket(AF_INET, SOCK_RAW, 200), s6 = socket(AF_INET6, SOCK_RAW, 200);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
  R("raw", sendto(s, "raw", 3, 0, (void *)&a, sizeof a));
  seen("raw-out", o, 14), seen("raw-in", o, 14);
  R("raw6", sendto(s6, "raw", 3, 0, (void *)&a6, sizeof a6));
  seen("raw6-out", o, 14), seen("raw6-in", o, 14);
  close(o), close(s), close(s6);
}

static int filter(int s, struct sock_filter *f, int n) {
  struct sock_fprog p = {n, f};
  return setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p);
}
#define F(name, s, ...)                                    \
  do {                                                     \
    struct sock_filter f_[] = {__VA_ARGS__};               \
    R(name, filter(s, f_, sizeof f_ / sizeof *f_));        \
  } while (0)
/* Sends to a port and says how many bytes come through. */
static void through(const char *name, int s, int port) {
  while (recv(s, b, sizeof b, MSG_DONTWAIT) >= 0)
    ;
  udp_to(port, "0123456789", 10);
  R(name, recv(s, b, sizeof b, MSG_DONTWAIT));
}

static void filters(void) {
  int x = listener(4003), y = listener(4004), s = on_lo(SOCK_RAW, ETH_P_IP), d = on_lo(SOCK_DGRAM, ETH_P_IP), v = 1;
  R("detach-none", setsockopt(s, SOL_SOCKET, SO_DETACH_FILTER, &v, 4));
  F("accept-all", s, BPF_STMT(BPF_RET | BPF_K, 0xffffffff));
  through("accept-all-takes", s, 4003);
  F("drop-all", s, BPF_STMT(BPF_RET | BPF_K, 0));
  through("drop-all-takes", s, 4003);
  F("snap", s, BPF_STMT(BPF_RET | BPF_K, 20));
  through("snap-takes", s, 4003);
  F("port", s, BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14), BPF_STMT(BPF_LD | BPF_H | BPF_IND, 16), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 4004, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 100), BPF_STMT(BPF_RET | BPF_K, 0));
  through("port-other", s, 4003), through("port-right", s, 4004);
  F("length", s, BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_RET | BPF_A, 0));
  through("length-takes", s, 4003);
  F("net-off", s, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, SKF_NET_OFF + 9), BPF_STMT(BPF_RET | BPF_A, 0));
  through("net-off-takes", s, 4003);
  F("ll-off-dgram", d, BPF_STMT(BPF_LD | BPF_H | BPF_ABS, SKF_LL_OFF + 12), BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 8), BPF_STMT(BPF_RET | BPF_A, 0));
  through("ll-off-takes", d, 4003);
  F("dgram-abs", d, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), BPF_STMT(BPF_RET | BPF_A, 0));
  through("dgram-abs-takes", d, 4003);
  F("ad-protocol", s, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PROTOCOL), BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 100),
    BPF_STMT(BPF_RET | BPF_A, 0));
  through("ad-protocol-takes", s, 4003);
  F("ad-kind", s, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 3), BPF_STMT(BPF_RET | BPF_A, 0));
  through("ad-kind-takes", s, 4003);
  F("ad-hatype", s, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_HATYPE), BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 50), BPF_STMT(BPF_RET | BPF_A, 0));
  through("ad-hatype-takes", s, 4003);
  F("mod-x", s, BPF_STMT(BPF_LDX | BPF_IMM, 7), BPF_STMT(BPF_LD | BPF_IMM, 40), BPF_STMT(BPF_ALU | BPF_MOD | BPF_X, 0), BPF_STMT(BPF_RET | BPF_A, 0));
  through("mod-x-takes", s, 4003);
  F("mod-x-0", s, BPF_STMT(BPF_LDX | BPF_IMM, 0), BPF_STMT(BPF_LD | BPF_IMM, 40), BPF_STMT(BPF_ALU | BPF_MOD | BPF_X, 0), BPF_STMT(BPF_RET | BPF_A, 0));
  through("mod-x-0-takes", s, 4003);
  F("outside", s, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 5000), BPF_STMT(BPF_RET | BPF_K, 30));
  through("outside-takes", s, 4003);
  F("xor-x", s, BPF_STMT(BPF_LDX | BPF_IMM, 5), BPF_STMT(BPF_LD | BPF_IMM, 3), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_ALU_XOR_X),
    BPF_STMT(BPF_RET | BPF_A, 0));
  through("xor-x-takes", s, 4003);
  F("no-return", s, BPF_STMT(BPF_LD | BPF_IMM, 3));
  F("mod-0", s, BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 0), BPF_STMT(BPF_RET | BPF_A, 0));
  F("bad-code", s, BPF_STMT(0x77, 0), BPF_STMT(BPF_RET | BPF_A, 0));
  F("bad-ancillary", s, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + 1000), BPF_STMT(BPF_RET | BPF_A, 0));
  F("bad-jump", s, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 9, 0), BPF_STMT(BPF_RET | BPF_A, 0));
  R("empty", filter(s, (struct sock_filter[]){{0}}, 0));
  R("bad-program", filter(s, BAD, 3));
  struct sock_fprog p = {1, NULL};
  R("no-program", setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p));
  R("short-fprog", setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p - 1));
  R("detach", setsockopt(s, SOL_SOCKET, SO_DETACH_FILTER, &v, 4));
  through("detached", s, 4003);
  R("lock", setsockopt(s, SOL_SOCKET, SO_LOCK_FILTER, &v, 4));
  F("locked", s, BPF_STMT(BPF_RET | BPF_K, 1));
  R("locked-detach", setsockopt(s, SOL_SOCKET, SO_DETACH_FILTER, &v, 4));
  v = 0;
  R("unlock", setsockopt(s, SOL_SOCKET, SO_LOCK_FILTER, &v, 4));
  close(x), close(y), close(s), close(d);
}

static void options(void) {
  int s = on_lo(SOCK_RAW, ETH_P_ALL), v;
  struct packet_mreq m = {.mr_ifindex = lo, .mr_type = PACKET_MR_PROMISC};
  R("join-short", setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, 15));
  R("join", setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m));
  R("leave", setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof m));
  R("leave-again", setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof m));
  m.mr_ifindex = 9999;
  R("join-nowhere", setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m));
  m.mr_ifindex = lo, m.mr_alen = 7, m.mr_type = PACKET_MR_MULTICAST;
  R("join-long", setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m));
  m.mr_alen = 9;
  R("join-longer", setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof m));
  socklen_t n = 4;
  R("hdrlen-1", (v = TPACKET_V1, getsockopt(s, SOL_PACKET, PACKET_HDRLEN, &v, &n) ? -1 : v));
  R("hdrlen-2", (v = TPACKET_V2, getsockopt(s, SOL_PACKET, PACKET_HDRLEN, &v, &n) ? -1 : v));
  R("hdrlen-9", (v = 9, getsockopt(s, SOL_PACKET, PACKET_HDRLEN, &v, &n) ? -1 : v));
  n = 3;
  R("hdrlen-short", getsockopt(s, SOL_PACKET, PACKET_HDRLEN, &v, &n));
  n = 4;
  R("version", (v = TPACKET_V2, setsockopt(s, SOL_PACKET, PACKET_VERSION, &v, 4)));
  R("version-9", (v = 9, setsockopt(s, SOL_PACKET, PACKET_VERSION, &v, 4)));
  R("version-is", (getsockopt(s, SOL_PACKET, PACKET_VERSION, &v, &n), v));
  R("unknown", setsockopt(s, SOL_PACKET, 99, &v, 4));
  R("unknown-get", getsockopt(s, SOL_PACKET, 99, &v, &n));
  R("other-level", setsockopt(s, SOL_IP, 1, &v, 4));
  struct ifreq r;
  memset(&r, 0, sizeof r), strcpy(r.ifr_name, "lo");
  R("hwaddr", ioctl(s, SIOCGIFHWADDR, &r));
  V("hwaddr-type", r.ifr_hwaddr.sa_family);
  close(s);
}

static void ring(void) {
  int to = listener(4005), s = on_lo(SOCK_RAW, ETH_P_IP), v = TPACKET_V2;
  setsockopt(s, SOL_PACKET, PACKET_VERSION, &v, 4);
  R("mmap-none", mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, s, 0) == MAP_FAILED ? -1 : 0);
  struct tpacket_req q = {.tp_block_size = 4096, .tp_block_nr = 2, .tp_frame_size = 2048, .tp_frame_nr = 4};
#define RING(name, field, value)                                          \
  do {                                                                    \
    struct tpacket_req q_ = q;                                            \
    q_.field = value;                                                     \
    R(name, setsockopt(s, SOL_PACKET, PACKET_RX_RING, &q_, sizeof q_));   \
  } while (0)
  RING("ring-block-0", tp_block_size, 0);
  RING("ring-block-odd", tp_block_size, 5000);
  RING("ring-frame-small", tp_frame_size, 48);
  RING("ring-frame-odd", tp_frame_size, 2047);
  RING("ring-frame-large", tp_frame_size, 8192);
  RING("ring-frames", tp_frame_nr, 5);
  RING("ring-none", tp_block_nr, 0);
  R("ring-short", setsockopt(s, SOL_PACKET, PACKET_RX_RING, &q, 15));
  R("ring", setsockopt(s, SOL_PACKET, PACKET_RX_RING, &q, sizeof q));
  R("ring-twice", setsockopt(s, SOL_PACKET, PACKET_RX_RING, &q, sizeof q));
  R("ring-version", setsockopt(s, SOL_PACKET, PACKET_VERSION, &v, 4));
  R("ring-reserve", setsockopt(s, SOL_PACKET, PACKET_RESERVE, &v, 4));
  char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, s, 0);
  OK("mmap", (long)p);
  struct pollfd pf = {s, POLLIN, 0};
  R("poll-empty", poll(&pf, 1, 0));
  udp_to(4005, "in the ring", 11);
  R("poll", poll(&pf, 1, 1000));
  struct tpacket2_hdr *h = (void *)p;
  printf("slot: user %d, len %d, snap %d, mac %d, net %d\n", h->tp_status & 1, h->tp_len, h->tp_snaplen, h->tp_mac, h->tp_net);
  struct sockaddr_ll *a = (void *)(p + TPACKET_ALIGN(sizeof *h));
  printf("slot-from: %d %#x %d %d %d %d\n", a->sll_family, ntohs(a->sll_protocol), a->sll_ifindex == lo, a->sll_hatype, a->sll_pkttype, a->sll_halen);
  T("slot-time", labs((long)h->tp_sec - time(NULL)) <= 2);
  printf("slot-text: %.11s\n", p + h->tp_net + 28);
  R("recv-with-ring", recv(s, b, 1, MSG_DONTWAIT));
  h->tp_status = 0;
  R("poll-read", poll(&pf, 1, 0));
  for (int i = 0; i < 6; i++)
    udp_to(4005, "more", 4);
  int full = 0;
  for (int i = 0; i < 4; i++)
    full += ((struct tpacket2_hdr *)(p + 2048 * i))->tp_status & 1;
  V("full", full);
  struct tpacket_stats st;
  socklen_t n = sizeof st;
  getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &n);
  printf("ring-stats: %d %d\n", st.tp_packets, st.tp_drops);
  memset(&q, 0, sizeof q);
  R("ring-busy", setsockopt(s, SOL_PACKET, PACKET_RX_RING, &q, sizeof q));
  munmap(p, 8192);
  R("ring-away", setsockopt(s, SOL_PACKET, PACKET_RX_RING, &q, sizeof q));
  udp_to(4005, "queue", 5);
  R("queue-again", recv(s, b, sizeof b, MSG_DONTWAIT));
  /* the ring outlives its socket */
  q = (struct tpacket_req){.tp_block_size = 4096, .tp_block_nr = 1, .tp_frame_size = 4096, .tp_frame_nr = 1};
  setsockopt(s, SOL_PACKET, PACKET_RX_RING, &q, sizeof q);
  p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, s, 0);
  close(s);
  p[100] = 7;
  V("after-close", p[100]);
  close(to);
}

static void proc(void) {
  int s = on_lo(SOCK_DGRAM, ETH_P_ARP);
  FILE *f = fopen("/proc/net/packet", "r");
  char line[200], type[9], proto[9], iface[9], running[9];
  fgets(line, sizeof line, f);
  printf("proc-head: %s", line);
  if (fgets(line, sizeof line, f) && sscanf(line, "%*s %*s %8s %8s %8s %8s", type, proto, iface, running) == 4)
    printf("proc: %s %s %s %s\n", type, proto, iface, running);
  fclose(f), close(s);
}

int main(void) {
  lo = if_nametoindex("lo");
  making();
  receiving();
  sending();
  raw_ip();
  filters();
  options();
  proc();
  ring();
  return 0;
}
