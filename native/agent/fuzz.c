// Random frames for the agent's parsers, on a kernel of our own that answers at random and does nothing.
//   agent-fuzz [FRAMES [SEED]]     built with the address and undefined-behaviour sanitizers, which end it
// The whole agent but container.c (its child, which the host's words reach by the same readers) in one unit.
#include "sys.h"

int printf(const char *form, ...);
void *calloc(size_t n, size_t size);
void free(void *at);
long strtol(const char *text, char **end, int base);
__attribute__((noreturn)) void abort(void);

static uint64_t state;

static uint64_t random_number(void) {  // splitmix64
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

static uint32_t below(uint32_t n) { return n ? random_number() % n : 0; }

static void scribble(uint8_t *at, size_t n) {
  for (size_t i = 0; i < n; i++) at[i] = random_number();
}

// ---- the kernel ---------------------------------------------------------------------------------

static long fake(long nr, ...) {
  va_list args;
  long a[6];
  va_start(args, nr);
  for (int i = 0; i < 6; i++) a[i] = va_arg(args, long);
  va_end(args);
  switch (nr) {
    case __NR_mmap: return (long)calloc(1, a[1]);
    case __NR_munmap: free((void *)a[0]); return 0;
    case __NR_clone: return below(8) ? 1000 + (long)below(1000) : -EAGAIN;  // never the child
    case __NR_read: case __NR_recvfrom: {
      if (!below(3)) return -EAGAIN;
      long n = below(below(3) ? 64 : below(50) ? 1200 : a[2] + 1);
      if (n > a[2]) n = a[2];
      scribble((uint8_t *)a[1], n);
      return n;
    }
    case __NR_write: case __NR_sendto: return below(4) ? (long)below(a[2] + 1) : -(long)EAGAIN;
    case __NR_pipe2: ((int *)a[0])[0] = 10 + below(90), ((int *)a[0])[1] = 10 + below(90); return 0;
    case __NR_socketpair: ((int *)a[3])[0] = 10 + below(90), ((int *)a[3])[1] = 10 + below(90); return below(9) ? 0 : -EMFILE;
    case __NR_openat: case __NR_open: case __NR_socket: return below(6) ? (long)(10 + below(90)) : -ENOENT;
    case __NR_poll: case __NR_wait4: return 0;
    case __NR_exit_group: case __NR_reboot: abort();
    default: return below(5) ? 0 : -(long)below(120);
  }
}

#undef sys
#define LONG(x) ((long)(x))
#define FAKE_0(n) fake(n, 0L, 0L, 0L, 0L, 0L, 0L)
#define FAKE_1(n, a) fake(n, LONG(a), 0L, 0L, 0L, 0L, 0L)
#define FAKE_2(n, a, b) fake(n, LONG(a), LONG(b), 0L, 0L, 0L, 0L)
#define FAKE_3(n, a, b, c) fake(n, LONG(a), LONG(b), LONG(c), 0L, 0L, 0L)
#define FAKE_4(n, a, b, c, d) fake(n, LONG(a), LONG(b), LONG(c), LONG(d), 0L, 0L)
#define FAKE_5(n, a, b, c, d, e) fake(n, LONG(a), LONG(b), LONG(c), LONG(d), LONG(e), 0L)
#define FAKE_6(n, a, b, c, d, e, f) fake(n, LONG(a), LONG(b), LONG(c), LONG(d), LONG(e), LONG(f))
#define FAKE_N(_0, _1, _2, _3, _4, _5, _6, name, ...) name
#define sys(name, ...) FAKE_N(0, ##__VA_ARGS__, FAKE_6, FAKE_5, FAKE_4, FAKE_3, FAKE_2, FAKE_1, FAKE_0)(__NR_##name, ##__VA_ARGS__)

// libc's, which the sanitizers watch, in the place of the agent's own.
#define memcpy unused_memcpy
#define memset unused_memset
#define memmove unused_memmove
#define memcmp unused_memcmp
#define strlen unused_strlen
#define say unused_say
#include "sys.c"
#undef memcpy
#undef memset
#undef memmove
#undef memcmp
#undef strlen
#undef say
#include "wire.c"
#define begin network_begin
#define order network_order
#include "network.c"
#undef begin
#undef order
#include "agent.c"

void say(const char *form, ...) {
  char text[512];
  va_list args;
  va_start(args, form);
  vformat(text, sizeof text, form, args);
  va_end(args);
}

// ---- what is left out ---------------------------------------------------------------------------

static volatile uint8_t seen;

void link_send(int type, uint32_t id, void *payload, uint32_t length) {
  (void)type, (void)id;
  if (length > FRAME_LIMIT) abort();
  for (uint32_t i = 0; i < length; i += 997) seen += ((uint8_t *)payload)[i];
}

int link_open(const char *name) { return name[0]; }
int link_idle(void) { return -1; }
int link_waits(void) { return 0; }
long link_receive(void (*to)(int, uint32_t, uint8_t *, uint32_t)) { return to != 0; }
void container_init(struct child_orders *o) { (void)o, abort(); }
void container_exec(struct child_orders *o, int pid) { (void)o, (void)pid, abort(); }

long receive_sync(int socket, struct sync_message *m, int *fd) {
  (void)socket;
  *fd = below(4) ? -1 : (int)(10 + below(90));
  if (!below(3)) return below(2) ? 0 : -EAGAIN;
  scribble((uint8_t *)m, sizeof *m);
  m->kind = "TPREX"[below(5)];
  m->text[sizeof m->text - 1] = 0;
  return sizeof *m;
}

// ---- frames -------------------------------------------------------------------------------------

static uint32_t make_fields(uint8_t *at, uint32_t room, int depth) {
  uint32_t used = 0;
  for (int fields = below(10); fields > 0 && room - used > 24; fields--) {
    uint8_t *value = at + used + 5;
    uint32_t length, most = room - used - 5;
    switch (below(depth > 3 ? 3 : 4)) {
      case 0: {
        int64_t n = below(3) ? (int64_t)below(12) : (int64_t)random_number();
        length = 8;
        memcpy(value, &n, 8);
        break;
      }
      case 1:
        length = below(2) ? 1u : below(most > 300 ? 300 : most);
        for (uint32_t i = 0; i < length; i++) value[i] = below(20) ? 'a' + below(3) : below(256);
        break;
      case 2: length = below(most > 64 ? 64 : most), scribble(value, length); break;
      default: length = make_fields(value, most, depth + 1);
    }
    at[used] = below(14);
    memcpy(at + used + 1, &length, 4);
    used += 5 + length;
  }
  return used;
}

// A request that names a container well; what else it says is random.
static uint32_t make_request(int type, uint8_t *at, uint32_t room) {
  static uint8_t inner[8192], config[4096];
  struct wire_out w = {at, room, 0, 0}, c = {config, sizeof config, 0, 0};
  char id[8];
  format(id, sizeof id, "c%d", (int)below(6));
  if (type == CREATE) {
    put_text(&c, 1, id);
    put_field(&c, below(20), inner, make_fields(inner, 1000, 1));
    put_field(&c, 6, inner, make_fields(inner, 1000, 1));
    put_field(&w, 1, c.bytes, c.used);
    put_number(&w, 3, below(64));
    for (int i = below(4); i > 0; i--) put_field(&w, 4, inner, make_fields(inner, 500, 2));
  } else if (type == NETWORK) {
    for (int i = below(10); i > 0; i--) put_field(&c, 1 + below(3), inner, make_fields(inner, 300, 1));
    put_field(&w, 1, c.bytes, c.used);
  } else {
    put_text(&w, 1, id);
    if (type == EXEC) put_field(&w, 2, inner, make_fields(inner, 2000, 1));
    else put_number(&w, 2, (int64_t)below(5) - 2);
    put_number(&w, 3, below(64));
    put_number(&w, 4, below(300));
  }
  return w.used;
}

static void forget(void) {
  for (int i = 0; i < PROCESSES; i++)
    if (processes[i].used) drop_process(&processes[i]);
  memset(containers, 0, sizeof containers);
  memset(mounts, 0, sizeof mounts);
  devices = 0;
}

int main(int argc, char **argv) {
  static const uint8_t types[] = {HELLO, CREATE, CREATE, START, EXEC, SIGNAL, PS, PAUSE, RESUME, RESIZE, STATS, REMOVE,
                                  NETWORK, NETWORK, DATA, END, CREDIT, FUSE, 99};
  long frames = argc > 1 ? strtol(argv[1], 0, 10) : 50000;
  state = argc > 2 ? strtol(argv[2], 0, 10) : 1;
  long created = 0;
  for (long i = 0; i < frames; i++) {
    uint32_t room = below(40) ? 2000 : FRAME_LIMIT;
    // Exactly as long as the payload, so that a byte too many is seen.
    uint8_t *draft = calloc(1, room);
    int type = types[below(sizeof types)];
    uint32_t length = below(8) ? make_fields(draft, room, 0) : below(room);
    if (type < DATA && below(3)) memset(draft, 0, room), length = make_request(type, draft, room);
    for (int flips = below(4) ? 0 : below(6); flips > 0 && length; flips--) draft[below(length)] = random_number();
    if (!below(10)) length = below(length + 1);
    uint8_t *payload = calloc(1, length ? length : 1);
    memcpy(payload, draft, length);
    free(draft);
    uint32_t id = below(2) ? below(64) : (uint32_t)random_number();
    frame(type, id, payload, length);
    free(payload);
    if (type == CREATE)
      for (int c = 0; c < CONTAINERS; c++) created += containers[c].used;
    if (!below(50)) reap();
    for (int k = 0; k < 4; k++) {
      struct process *p = &processes[below(PROCESSES / 64)];
      if (p->used && p->sync >= 0) sync_readable(p);
      if (p->used && p->fd[STDOUT] >= 0) output_readable(p, STDOUT);
      if (p->used && !below(20)) p->exited = 1, report_exit(p);
    }
    if (!below(2000)) forget();
  }
  forget();
  printf("%ld frames, %ld times a container was there; nothing broke\n", frames, created);
  return 0;
}
