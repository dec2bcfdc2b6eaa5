#include "link.h"

#include <linux/if_packet.h>
#include <linux/sockios.h>

enum {
  ETHERTYPE = 0x88b5,  // IEEE 802 local experimental
  PACKET_HEADER = 14 + 12,
  PACKET_DATA = 16384 - PACKET_HEADER,
  ACK_EVERY = 8,
};

static int fd = -1, packet;
static uint32_t sent, received, acknowledged;
static uint8_t in[FRAME_HEADER + FRAME_LIMIT + 16384];  // a whole frame, and what comes with its end
static size_t have;
static uint8_t frame_out[16384];

static int open_port(const char *name) {
  char path[64], text[64];
  for (int round = 0; round < 500; round++) {
    for (int device = 0; device < 8; device++)
      for (int port = 0; port < 8; port++) {
        format(path, sizeof path, "/sys/class/virtio-ports/vport%dp%d/name", device, port);
        long n = read_file(path, text, sizeof text);
        if (n <= 0) continue;
        if (text[n - 1] == '\n') text[n - 1] = 0;
        if (!streq(text, name)) continue;
        format(path, sizeof path, "/dev/vport%dp%d", device, port);
        return open_file(path, O_RDWR);
      }
    struct { long s, ns; } pause = {0, 10000000};
    sys(nanosleep, &pause, 0);
  }
  return -ENODEV;
}

// struct ifreq of netdevice(7); libc's header cannot be had beside the kernel's.
struct interface_request {
  char name[16];
  union { int index; short flags; char bytes[24]; };
};

static int open_packet(const char *name) {
  struct interface_request request;
  long s = sys(socket, AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, (ETHERTYPE >> 8) | (ETHERTYPE & 0xff) << 8);
  if (s < 0) return s;
  memset(&request, 0, sizeof request);
  format(request.name, sizeof request.name, "%s", name);
  long r = sys(ioctl, s, SIOCGIFINDEX, &request);
  if (r < 0) return r;
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = (ETHERTYPE >> 8) | (ETHERTYPE & 0xff) << 8,
                                .sll_ifindex = request.index};
  request.flags = 1 | 0x80  /* IFF_UP, IFF_NOARP */;
  if ((r = sys(ioctl, s, SIOCSIFFLAGS, &request)) < 0) return r;
  if ((r = sys(bind, s, &address, sizeof address)) < 0) return r;
  int bytes = 4 << 20;
  sys(setsockopt, s, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
  packet = 1;
  return s;
}

static int open_vsock(long port) {
  // struct sockaddr_vm of vsock(7); any context id.
  struct { uint16_t family, zero; uint32_t port, cid, flags; } address = {AF_VSOCK, 0, port, -1u, 0};
  long s = sys(socket, AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (s < 0) return s;
  long r = sys(bind, s, &address, sizeof address);
  if (r >= 0) r = sys(listen, s, 1);
  if (r >= 0) r = sys(accept4, s, 0, 0, SOCK_CLOEXEC);
  sys(close, s);
  return r;
}

static int open_tty(const char *path) {
  long s = open_file(path, O_RDWR | O_NOCTTY);
  if (s < 0) return s;
  // struct termios of the kernel: four flag words, line, 19 characters. Raw, as cfmakeraw(3).
  struct { uint32_t iflag, oflag, cflag, lflag; uint8_t line, cc[19]; } raw;
  if (sys(ioctl, s, 0x5401 /* TCGETS */, &raw) >= 0) {
    raw.iflag = raw.oflag = raw.lflag = 0;
    raw.cc[6] = 1;  // VMIN
    sys(ioctl, s, 0x5402 /* TCSETS */, &raw);
  }
  return s;
}

int link_open(const char *name) {
  if (starts(name, "port:")) fd = open_port(name + 5);
  else if (starts(name, "packet:")) fd = open_packet(name + 7);
  else if (starts(name, "vsock:")) fd = open_vsock(parse_number(name + 6));
  else if (starts(name, "tty:")) fd = open_tty(name + 4);
  else fd = -EINVAL;
  return fd;
}

static void wait_for(short events) {
  struct pollfd p = {fd, events, 0};
  sys(poll, &p, 1, -1);
}

static void send_stream(const uint8_t *at, size_t n) {
  while (n) {
    long r = sys(write, fd, at, n);
    if (r == -EAGAIN) wait_for(POLLOUT);
    else if (r < 0 && r != -EINTR) return;  // the receiving side sees the end
    else if (r > 0) at += r, n -= r;
  }
}

static void send_packet(const uint8_t *at, uint16_t n) {
  static const uint8_t ethernet[14] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 2, ETHERTYPE >> 8, ETHERTYPE & 0xff};
  uint16_t zero = 0;
  memcpy(frame_out, ethernet, 14);
  memcpy(frame_out + 14, &sent, 4);
  memcpy(frame_out + 18, &received, 4);
  memcpy(frame_out + 22, &n, 2);
  memcpy(frame_out + 24, &zero, 2);
  memcpy(frame_out + PACKET_HEADER, at, n);
  size_t size = PACKET_HEADER + n < 60 ? 60 : PACKET_HEADER + n;
  sent++;
  acknowledged = received;
  long r;
  while ((r = sys(sendto, fd, frame_out, size, 0, 0, 0)) < 0) {
    if (r == -EAGAIN || r == -ENOBUFS) {
      struct { long s, ns; } pause = {0, 1000000};
      sys(nanosleep, &pause, 0);
    } else if (r != -EINTR) {
      return;
    }
  }
}

void link_send(int type, uint32_t id, void *payload, uint32_t length) {
  uint8_t *at = (uint8_t *)payload - FRAME_HEADER;
  uint16_t kind = type, zero = 0;
  memcpy(at, &length, 4);
  memcpy(at + 4, &kind, 2);
  memcpy(at + 6, &zero, 2);
  memcpy(at + 8, &id, 4);
  size_t n = FRAME_HEADER + (size_t)length;
  if (!packet) return send_stream(at, n);
  for (size_t part; n; at += part, n -= part) {
    part = n < PACKET_DATA ? n : PACKET_DATA;
    send_packet(at, part);
  }
}

// One frame of the network device: its bytes are appended to `in`, whose room the caller has checked.
static long receive_packet(void) {
  static uint8_t frame[16384 + 64];
  uint32_t sequence;
  uint16_t length;
  long n = sys(recvfrom, fd, frame, sizeof frame, MSG_DONTWAIT, 0, 0);
  if (n < 0) return n;
  if (n < PACKET_HEADER) return -EAGAIN;
  memcpy(&sequence, frame + 14, 4);
  memcpy(&length, frame + 22, 2);
  if (length > n - PACKET_HEADER || length > sizeof in - have) return -EPROTO;
  if (sequence != received) return -EPROTO;  // one was lost
  received++;
  memcpy(in + have, frame + PACKET_HEADER, length);
  have += length;
  if (received - acknowledged >= ACK_EVERY) send_packet(frame, 0);
  return length;
}

long link_receive(void (*frame)(int, uint32_t, uint8_t *, uint32_t)) {
  long n;
  if (packet) {
    n = receive_packet();
  } else {
    n = sys(read, fd, in + have, sizeof in - have);
    if (n == 0) return -EPIPE;
    if (n > 0) have += n;
  }
  if (n == -EAGAIN || n == -EINTR) return 0;
  if (n < 0) return n;
  size_t at = 0;
  while (have - at >= FRAME_HEADER) {
    uint32_t length, id;
    uint16_t type;
    memcpy(&length, in + at, 4);
    memcpy(&type, in + at + 4, 2);
    memcpy(&id, in + at + 8, 4);
    if (length > FRAME_LIMIT) return -EPROTO;
    if (have - at - FRAME_HEADER < length) break;
    frame(type, id, in + at + FRAME_HEADER, length);
    at += FRAME_HEADER + (size_t)length;
  }
  memmove(in, in + at, have - at);
  have -= at;
  return 0;
}
