#include "link.h"

#include <linux/if_packet.h>
#include <linux/sockios.h>

enum {
  ETHERTYPE = 0x88b5,  // IEEE 802 local experimental
  PACKET_HEADER = 14 + 12,
  PACKET_BYTES = 16384,
  PACKET_DATA = PACKET_BYTES - PACKET_HEADER,
  ACK_EVERY = 8,
  WINDOW_PACKETS = 32,  // kept until the host has taken them: the device loses some
  REPEAT_MS = 200,
  MISSING = 1,          // flag of a packet: one after those taken has come
};

static int fd = -1, packet, missing, left_over;
static uint32_t sent, taken, received, acknowledged;
static int64_t waiting_ms;  // since when the first that the host has not taken is under way
static uint8_t kept[WINDOW_PACKETS][PACKET_BYTES];
static uint16_t kept_bytes[WINDOW_PACKETS];
static uint8_t in[FRAME_HEADER + FRAME_LIMIT + 16384];  // a whole frame, and what comes with its end
static size_t have;

static int open_port(const char *name) {
  char path[64], text[64];
  for (int round = 0; round < 3000; round++) {
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

static int64_t now_ms(void) {
  int64_t now[2] = {0, 0};
  sys(clock_gettime, 1 /* CLOCK_MONOTONIC */, now);
  return now[0] * 1000 + now[1] / 1000000;
}

static void send_frame(const uint8_t *frame, size_t size) {
  long r;
  while ((r = sys(sendto, fd, frame, size, 0, 0, 0)) < 0) {
    if (r == -EAGAIN || r == -ENOBUFS) {
      struct { long s, ns; } pause = {0, 1000000};
      sys(nanosleep, &pause, 0);
    } else if (r != -EINTR) {
      return;
    }
  }
}

// Puts the header before a packet's bytes; returns the packet's size.
static size_t head(uint8_t *frame, uint32_t number, uint16_t n, uint16_t flags) {
  static const uint8_t ethernet[14] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 2, ETHERTYPE >> 8, ETHERTYPE & 0xff};
  memcpy(frame, ethernet, 14);
  memcpy(frame + 14, &number, 4);
  memcpy(frame + 18, &received, 4);
  memcpy(frame + 22, &n, 2);
  memcpy(frame + 24, &flags, 2);
  acknowledged = received;
  return PACKET_HEADER + n < 60 ? 60 : PACKET_HEADER + n;
}

// A packet without bytes has no number of its own.
static void acknowledge(uint16_t flags) {
  static uint8_t frame[64];
  send_frame(frame, head(frame, sent, 0, flags));
}

static void repeat(void) {
  for (uint32_t n = taken; n != sent; n++) {
    uint8_t *frame = kept[n % WINDOW_PACKETS];
    memcpy(frame + 18, &received, 4);
    send_frame(frame, kept_bytes[n % WINDOW_PACKETS]);
  }
  acknowledged = received;
  waiting_ms = now_ms();
}

static long receive_packet(void);

// Waits until the host has room for one packet more. What comes meanwhile is kept for link_receive().
static long await_room(void) {
  while (sent - taken >= WINDOW_PACKETS) {
    struct pollfd p = {fd, POLLIN, 0};
    long r = sys(poll, &p, 1, REPEAT_MS);
    if (r > 0 && (r = receive_packet()) > 0) left_over = 1;
    else if (r == 0) repeat();
    if (r < 0 && r != -EAGAIN && r != -EINTR) return r;
  }
  return 0;
}

static void send_packet(const uint8_t *at, uint16_t n) {
  if (await_room() < 0) return;  // the receiving side sees it, too
  uint8_t *frame = kept[sent % WINDOW_PACKETS];
  memcpy(frame + PACKET_HEADER, at, n);
  size_t size = kept_bytes[sent % WINDOW_PACKETS] = head(frame, sent, n, 0);
  if (sent == taken) waiting_ms = now_ms();
  sent++;
  send_frame(frame, size);
}

int link_waits(void) { return left_over; }

int link_idle(void) {
  if (!packet) return -1;
  if (left_over) return 0;
  if (received != acknowledged) acknowledge(0);
  if (sent == taken) return -1;
  int64_t left = waiting_ms + REPEAT_MS - now_ms();
  if (left > 0) return left;
  repeat();
  return REPEAT_MS;
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

// One frame of the network device: its bytes are appended to `in`. Without room they are left to be sent again.
static long receive_packet(void) {
  static uint8_t frame[PACKET_BYTES + 64];
  uint32_t number, says;
  uint16_t length, flags;
  long n = sys(recvfrom, fd, frame, sizeof frame, MSG_DONTWAIT, 0, 0);
  if (n < 0) return n;
  if (n < PACKET_HEADER) return -EAGAIN;
  memcpy(&number, frame + 14, 4);
  memcpy(&says, frame + 18, 4);
  memcpy(&length, frame + 22, 2);
  memcpy(&flags, frame + 24, 2);
  if (length > n - PACKET_HEADER) return -EPROTO;
  if ((int32_t)(sent - says) < 0) return -EPROTO;
  if ((int32_t)(says - taken) > 0) {
    taken = says;
    waiting_ms = now_ms();
  }
  if (flags & MISSING && says == taken && sent != taken) repeat();
  if (!length) return -EAGAIN;
  if (number != received) {
    int late = (int32_t)(number - received) < 0;
    if (late || !missing) acknowledge(late ? 0 : MISSING);
    missing = !late;
    return -EAGAIN;
  }
  if (length > sizeof in - have) return -EAGAIN;
  missing = 0;
  received++;
  memcpy(in + have, frame + PACKET_HEADER, length);
  have += length;
  if (received - acknowledged >= ACK_EVERY) acknowledge(0);
  return length;
}

long link_receive(void (*frame)(int, uint32_t, uint8_t *, uint32_t)) {
  long n;
  if (packet) {
    n = receive_packet();
    if (n == -EAGAIN && left_over) n = 0;
    left_over = 0;
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
