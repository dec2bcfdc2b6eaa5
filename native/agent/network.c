#include "network.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

enum { AF_INET6 = 10, IFF_IS_UP = 1, INTERFACES = 8, REQUEST = 512, ANSWER = 16 << 10 };

static int outside = -1, inside = -1;  // route sockets of the namespace of the boot, and of our own

// ---- messages -----------------------------------------------------------------------------------

struct message {
  union {
    struct nlmsghdr header;
    uint8_t bytes[REQUEST];
  };
};

static void *begin(struct message *m, int type, int flags, size_t body) {
  memset(m, 0, sizeof *m);
  m->header = (struct nlmsghdr){NLMSG_HDRLEN + body, type, NLM_F_REQUEST | flags, 0, 0};
  return m->bytes + NLMSG_HDRLEN;
}

// Only short values are put: REQUEST has room for all attributes that we ever give.
static void put(struct message *m, int type, const void *value, size_t length) {
  struct nlattr a = {NLA_HDRLEN + length, type};
  size_t at = NLMSG_ALIGN(m->header.nlmsg_len);
  if (at + NLA_HDRLEN + length > sizeof m->bytes) return;
  memcpy(m->bytes + at, &a, sizeof a);
  memcpy(m->bytes + at + NLA_HDRLEN, value, length);
  m->header.nlmsg_len = at + NLA_HDRLEN + length;
}

static void put32(struct message *m, int type, uint32_t value) { put(m, type, &value, 4); }

static long order(int socket, struct message *m) {
  union {
    struct nlmsghdr header;
    uint8_t bytes[1024];
  } answer;
  int32_t error = 0;
  m->header.nlmsg_flags |= NLM_F_ACK;
  long n = sys(sendto, socket, m, m->header.nlmsg_len, 0, 0, 0);
  if (n < 0) return n;
  while ((n = sys(recvfrom, socket, &answer, sizeof answer, 0, 0, 0)) == -EINTR) {}
  if (n < 0) return n;
  if (n < NLMSG_HDRLEN + 4 || answer.header.nlmsg_type != NLMSG_ERROR) return -EBADMSG;
  memcpy(&error, answer.bytes + NLMSG_HDRLEN, 4);
  return error;
}

// The number of the device with this address, or -ENODEV.
static long find_device(int socket, const uint8_t *address) {
  static uint8_t answer[ANSWER];
  struct message m;
  long found = -ENODEV;
  begin(&m, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
  long n = sys(sendto, socket, &m, m.header.nlmsg_len, 0, 0, 0);
  if (n < 0) return n;
  while ((n = sys(recvfrom, socket, answer, sizeof answer, 0, 0, 0)) > 0)
    for (long at = 0; at + NLMSG_HDRLEN <= n;) {
      struct nlmsghdr h;
      struct ifinfomsg info;
      memcpy(&h, answer + at, sizeof h);
      if (h.nlmsg_type == NLMSG_DONE || h.nlmsg_type == NLMSG_ERROR) return found;
      if (h.nlmsg_len < NLMSG_HDRLEN + sizeof info || at + (long)h.nlmsg_len > n) return -EBADMSG;
      memcpy(&info, answer + at + NLMSG_HDRLEN, sizeof info);
      for (size_t k = NLMSG_HDRLEN + sizeof info; k + NLA_HDRLEN <= h.nlmsg_len;) {
        struct nlattr a;
        memcpy(&a, answer + at + k, sizeof a);
        if (a.nla_len < NLA_HDRLEN || k + a.nla_len > h.nlmsg_len) break;
        if (a.nla_type == IFLA_ADDRESS && a.nla_len == NLA_HDRLEN + 6 && !memcmp(answer + at + k + NLA_HDRLEN, address, 6))
          found = info.ifi_index;
        k += NLA_ALIGN(a.nla_len);
      }
      at += NLMSG_ALIGN(h.nlmsg_len);
    }
  return n < 0 ? n : found;
}

// ---- what the host says -------------------------------------------------------------------------

struct ip {
  int family, length;  // 0 for none
  uint8_t bytes[16];
};

// {1 high, 2 low}, as numbers; IPv4 in its mapped form.
static struct ip read_ip(struct wire w) {
  uint64_t half[2] = {0, 0};
  struct ip ip = {0};
  while (wire_next(&w))
    if (w.tag == 1 || w.tag == 2) half[w.tag - 1] = wire_number(&w);
  if (!half[0] && !half[1]) return ip;
  for (int i = 0; i < 16; i++) ip.bytes[i] = half[i / 8] >> (56 - i % 8 * 8);
  ip.family = AF_INET6, ip.length = 16;
  if (!half[0] && half[1] >> 32 == 0xffff) {
    memmove(ip.bytes, ip.bytes + 12, 4);
    ip.family = AF_INET, ip.length = 4;
  }
  return ip;
}

static void to_mac(uint64_t number, uint8_t *mac) {
  for (int i = 0; i < 6; i++) mac[i] = number >> (40 - 8 * i);
}

static struct {
  int64_t given;  // the pod's number of it
  int ours;
} device[INTERFACES];
static int devices;

static int device_of(int64_t given) {
  for (int i = 0; i < devices; i++)
    if (device[i].given == given) return device[i].ours;
  return 0;
}

static long add_address(int index, struct wire w) {
  struct message m;
  struct ip ip = {0};
  int64_t prefix = 0;
  while (wire_next(&w)) {
    if (w.tag == 1) ip = read_ip(wire_record(&w));
    if (w.tag == 2) prefix = wire_number(&w);
  }
  if (w.bad || !ip.family || prefix < 0 || prefix > ip.length * 8) return -EPROTO;
  struct ifaddrmsg *a = begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof *a);
  int local = ip.family == AF_INET6 && ip.bytes[0] == 0xfe && (ip.bytes[1] & 0xc0) == 0x80;
  *a = (struct ifaddrmsg){ip.family, prefix, ip.family == AF_INET6 ? IFA_F_NODAD : 0, local ? RT_SCOPE_LINK : 0, index};
  put(&m, IFA_LOCAL, ip.bytes, ip.length);
  put(&m, IFA_ADDRESS, ip.bytes, ip.length);
  if (ip.family == AF_INET && prefix < 31) {
    for (int i = prefix; i < 32; i++) ip.bytes[i / 8] |= 0x80 >> i % 8;
    put(&m, IFA_BROADCAST, ip.bytes, 4);
  }
  return order(inside, &m);
}

static long set_up_device(int64_t index, const char *name, uint64_t address, int64_t mtu) {
  struct message m;
  uint8_t mac[6];
  struct ifinfomsg *i = begin(&m, RTM_NEWLINK, 0, sizeof *i);
  i->ifi_index = index;
  to_mac(address, mac);
  put(&m, IFLA_ADDRESS, mac, 6);
  if (name[0]) put(&m, IFLA_IFNAME, name, strlen(name) + 1);
  long r = order(inside, &m);
  if (r < 0) return r;
  i = begin(&m, RTM_NEWLINK, 0, sizeof *i);
  i->ifi_index = index;
  put32(&m, IFLA_MTU, mtu);
  r = order(inside, &m);
  if (r < 0) say("network device %s: mtu %l: error %l", name, (long)mtu, -r);
  i = begin(&m, RTM_NEWLINK, 0, sizeof *i);
  i->ifi_index = index;
  i->ifi_flags = i->ifi_change = IFF_IS_UP;
  return order(inside, &m);
}

// {1 name, 2 number, 3 MAC, 4 MTU, repeated 5 {1 address, 2 prefix length}}
static long take_device(int number, struct wire w, char *what, size_t size) {
  const uint8_t ours[6] = {2, 0x52, 0x44, 0x42, 0, number};
  struct message m;
  struct wire all = w;
  char name[16] = "";
  int64_t given = 0, mtu = 1500, mac = 0;
  while (wire_next(&w)) switch (w.tag) {
    case 1: wire_text(&w, name, sizeof name); break;
    case 2: given = wire_number(&w); break;
    case 3: mac = wire_number(&w); break;
    case 4: mtu = wire_number(&w); break;
  }
  format(what, size, "network device %s", name);
  if (w.bad) return -EPROTO;
  long index = find_device(outside, ours);
  if (index < 0) return index;
  struct ifinfomsg *i = begin(&m, RTM_NEWLINK, 0, sizeof *i);
  i->ifi_index = index;
  put(&m, IFLA_IFNAME, "pod%d", 6);
  put32(&m, IFLA_NET_NS_PID, sys(getpid));
  long r = order(outside, &m);
  if (r >= 0) r = index = find_device(inside, ours);
  if (r >= 0) r = set_up_device(index, name, mac, mtu);
  if (r < 0) return r;
  device[devices].given = given;
  device[devices++].ours = index;
  format(what, size, "an address of %s", name);
  for (w = all; wire_next(&w);) {
    if (w.tag != 5) continue;
    r = add_address(index, wire_record(&w));
    if (r == -EOPNOTSUPP) say("%s: the guest's kernel has no IPv6", what);
    else if (r < 0 && r != -EEXIST) return r;
  }
  return w.bad ? -EPROTO : 0;
}

// {1 destination, 2 prefix length, 3 gateway, 4 source, 5 number of the interface, 6 metric}
static long add_route(struct wire w, int through_gateway) {
  struct message m;
  struct ip to = {0}, gateway = {0}, source = {0};
  int64_t prefix = 0, given = 0, metric = 0;
  while (wire_next(&w)) switch (w.tag) {
    case 1: to = read_ip(wire_record(&w)); break;
    case 2: prefix = wire_number(&w); break;
    case 3: gateway = read_ip(wire_record(&w)); break;
    case 4: source = read_ip(wire_record(&w)); break;
    case 5: given = wire_number(&w); break;
    case 6: metric = wire_number(&w); break;
  }
  if (w.bad || prefix < 0 || prefix > 128) return -EPROTO;
  if (!!gateway.family != through_gateway) return 0;
  // All zero: IPv6's default, as IPv4's has its mapped prefix.
  int family = to.family ? to.family : AF_INET6, onlink = 0;
  for (;;) {
    struct rtmsg *r = begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof *r);
    *r = (struct rtmsg){.rtm_family = family, .rtm_dst_len = prefix, .rtm_table = RT_TABLE_MAIN,
                        .rtm_protocol = RTPROT_BOOT, .rtm_type = RTN_UNICAST, .rtm_flags = onlink,
                        .rtm_scope = gateway.family || family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK};
    if (prefix) put(&m, RTA_DST, to.bytes, to.length);
    if (gateway.family) put(&m, RTA_GATEWAY, gateway.bytes, gateway.length);
    if (source.family) put(&m, RTA_PREFSRC, source.bytes, source.length);
    if (metric) put32(&m, RTA_PRIORITY, metric);
    put32(&m, RTA_OIF, device_of(given));
    long error = order(inside, &m);
    // A gateway outside of all prefixes: the pod has it marked as on the link.
    if (error != -ENETUNREACH || onlink) return error == -EEXIST || error == -EOPNOTSUPP ? 0 : error;
    onlink = RTNH_F_ONLINK;
  }
}

// {1 address, 2 MAC, 3 number of the interface, 4 permanent}; others are found again.
static long add_neighbor(struct wire w) {
  struct message m;
  struct ip ip = {0};
  int64_t mac = 0, given = 0, permanent = 0;
  uint8_t bytes[6];
  while (wire_next(&w)) switch (w.tag) {
    case 1: ip = read_ip(wire_record(&w)); break;
    case 2: mac = wire_number(&w); break;
    case 3: given = wire_number(&w); break;
    case 4: permanent = wire_number(&w); break;
  }
  if (w.bad) return -EPROTO;
  if (!permanent) return 0;
  struct ndmsg *n = begin(&m, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof *n);
  n->ndm_family = ip.family;
  n->ndm_ifindex = device_of(given);
  n->ndm_state = NUD_PERMANENT;
  to_mac(mac, bytes);
  put(&m, NDA_DST, ip.bytes, ip.length);
  put(&m, NDA_LLADDR, bytes, 6);
  return order(inside, &m);
}

long network_configure(struct wire config, char *what, size_t size) {
  struct wire w;
  long r = 0;
  format(what, size, "network configuration");
  if (devices) return -EBUSY;
  for (w = config; r >= 0 && wire_next(&w);)
    if (w.tag == 1) r = devices < INTERFACES ? take_device(devices, wire_record(&w), what, size) : -ENOSPC;
  for (int through_gateway = 0; r >= 0 && through_gateway < 2; through_gateway++) {
    format(what, size, "a route");
    for (w = config; r >= 0 && wire_next(&w);)
      if (w.tag == 2) r = add_route(wire_record(&w), through_gateway);
  }
  for (w = config; r >= 0 && wire_next(&w);) {
    if (w.tag != 3) continue;
    format(what, size, "a neighbour");
    r = add_neighbor(wire_record(&w));
  }
  return r >= 0 && w.bad ? -EPROTO : r;
}

void network_hide(void) {
  struct { char name[16]; short flags; char rest[22]; } request = {"lo", IFF_IS_UP, ""};
  outside = sys(socket, 16 /* AF_NETLINK */, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  long r = sys(unshare, CLONE_NEWNET);
  if (r < 0) say("network namespace: error %l", -r);
  inside = sys(socket, 16, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  sys(ioctl, inside, SIOCSIFFLAGS, &request);
}
