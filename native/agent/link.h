// The byte stream to the host and the frames on it: docs/protocol.md.
#pragma once
#include "sys.h"

enum {
  FRAME_HEADER = 12,
  FRAME_LIMIT = 192 << 10,  // most bytes of a payload
  PROTOCOL_VERSION = 3,

  // host to guest; the answer is OK or ERROR with the same id
  HELLO = 1, CREATE = 2, START = 3, EXEC = 4, SIGNAL = 5, PS = 6, PAUSE = 7, RESUME = 8, RESIZE = 9,
  STATS = 10, REMOVE = 11, SHUTDOWN = 12, NETWORK = 13,
  // both ways
  DATA = 0x40, END = 0x41, CREDIT = 0x42, FUSE = 0x50,
  // guest to host
  READY = 0x80, OK = 0x81, ERROR = 0x82, EXITED = 0x83, OOM = 0x84,
};

// Opens what redoubt.link= on the kernel's command line names:
//   port:NAME       virtio-serial port        packet:IFNAME   raw frames on a network device
//   vsock:PORT      listen on vsock           tty:PATH        a serial line
// Returns a descriptor that poll(2) takes, or -errno.
int link_open(const char *name);

// Takes what has arrived. Calls frame() for each whole frame. Negative: the host is gone or broke the protocol.
long link_receive(void (*frame)(int type, uint32_t id, uint8_t *payload, uint32_t length));

// Sends a frame; waits until the host has taken it. `payload` must have FRAME_HEADER bytes of room before it.
void link_send(int type, uint32_t id, void *payload, uint32_t length);

// To be called before the agent sleeps: tells the host what was taken, sends again what was lost. Returns for how many
// milliseconds to sleep at most, -1 for ever.
int link_idle(void);

// Whether frames came while something was sent: link_receive() has something to do.
int link_waits(void);
