/* io_uring(7) by its bare calls: setup, requests of each kind, chains, time limits, registration. Wants --io-uring. */
#include "check.h"
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

static int setup(unsigned n, struct io_uring_params *p) { return syscall(SYS_io_uring_setup, n, p); }
static int enter(int fd, unsigned n, unsigned least, unsigned flags, void *arg, size_t size) {
  return syscall(SYS_io_uring_enter, fd, n, least, flags, arg, size);
}
static int reg(int fd, unsigned op, void *arg, unsigned n) { return syscall(SYS_io_uring_register, fd, op, arg, n); }

static struct ring {
  int fd;
  char *ring;
  struct io_uring_sqe *sqes;
  struct io_uring_params p;
} r;

#define SQ(field) (*(volatile unsigned *)(r.ring + r.p.sq_off.field))
#define CQ(field) (*(volatile unsigned *)(r.ring + r.p.cq_off.field))

static int open_ring(unsigned n, unsigned flags, unsigned cq) {
  memset(&r.p, 0, sizeof r.p);
  r.p.flags = flags;
  r.p.cq_entries = cq;
  r.fd = setup(n, &r.p);
  if (r.fd < 0) return -1;
  size_t size = r.p.sq_off.array + r.p.sq_entries * 4, cqsize = r.p.cq_off.cqes + r.p.cq_entries * 16;
  if (cqsize > size) size = cqsize;
  r.ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r.fd, IORING_OFF_SQ_RING);
  r.sqes = mmap(NULL, r.p.sq_entries * 64, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r.fd, IORING_OFF_SQES);
  return r.ring == MAP_FAILED || r.sqes == MAP_FAILED ? -1 : 0;
}
static void close_ring(void) {
  munmap(r.ring, 4096);
  munmap(r.sqes, 4096);
  close(r.fd);
}

static struct io_uring_sqe *sqe(int op, int fd, const void *addr, unsigned len, uint64_t off, uint64_t data) {
  unsigned i = SQ(tail) & (r.p.sq_entries - 1);
  struct io_uring_sqe *s = &r.sqes[i];
  memset(s, 0, sizeof *s);
  s->opcode = op;
  s->fd = fd;
  s->addr = (uintptr_t)addr;
  s->len = len;
  s->off = off;
  s->user_data = data;
  ((volatile unsigned *)(r.ring + r.p.sq_off.array))[i] = i;
  __atomic_store_n((unsigned *)(r.ring + r.p.sq_off.tail), SQ(tail) + 1, __ATOMIC_RELEASE);
  return s;
}
static int submit(unsigned least) {
  unsigned n = SQ(tail) - SQ(head);
  return enter(r.fd, n, least, least ? IORING_ENTER_GETEVENTS : 0, NULL, 0);
}
/* Takes `n` completions, in order. */
static void reap(const char *what, int n) {
  for (int i = 0; i < n; i++) {
    for (int k = 0; CQ(tail) == CQ(head) && k < 2000; k++)
      if (enter(r.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0 && errno != EINTR) break;
    if (CQ(tail) == CQ(head)) { printf("%s: nothing\n", what); return; }
    struct io_uring_cqe *c = (struct io_uring_cqe *)(r.ring + r.p.cq_off.cqes) + (CQ(head) & (r.p.cq_entries - 1));
    if (c->res < 0) printf("%s: data %llu -%s flags %x\n", what, (unsigned long long)c->user_data, strerrorname_np(-c->res), c->flags);
    else printf("%s: data %llu res %d flags %x\n", what, (unsigned long long)c->user_data, c->res, c->flags);
    __atomic_store_n((unsigned *)(r.ring + r.p.cq_off.head), CQ(head) + 1, __ATOMIC_RELEASE);
  }
}
static void one(const char *what) { submit(1); reap(what, 1); }

static void errors(void) {
  struct io_uring_params p = {0};
  R("no entries", setup(0, &p));
  R("too many", setup(40000, &p));
  R("bad address", setup(4, BAD));
  p.flags = 1u << 30;
  R("unknown flag", setup(4, &p));
  p.flags = IORING_SETUP_CQSIZE;
  R("no cq entries", setup(4, &p));
  memset(&p, 0, sizeof p);
  p.resv[0] = 1;
  R("reserved", setup(4, &p));
  memset(&p, 0, sizeof p);
  int fd = setup(5, &p);
  NUM("sq", p.sq_entries);
  NUM("cq", p.cq_entries);
  R("getfd", fcntl(fd, F_GETFD));
  YES("features", (p.features & 0x6f) == 0x6f);
  R("bad enter flag", enter(fd, 0, 0, 1 << 20, NULL, 0));
  R("enter on a file", enter(0, 0, 0, 0, NULL, 0));
  R("enter on nothing", enter(99, 0, 0, 0, NULL, 0));
  R("nothing to submit", enter(fd, 3, 0, 0, NULL, 0));
  R("register on a file", reg(0, IORING_REGISTER_BUFFERS, NULL, 0));
  R("register nothing", reg(fd, 1000, NULL, 0));
  R("unregister buffers", reg(fd, IORING_UNREGISTER_BUFFERS, NULL, 0));
  R("unregister files", reg(fd, IORING_UNREGISTER_FILES, NULL, 0));
  R("unregister eventfd", reg(fd, IORING_UNREGISTER_EVENTFD, NULL, 0));
  YES("mmap elsewhere", mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0x7000000000) == MAP_FAILED);
  R("read", read(fd, &p, 8));
  close(fd);
}

static void files(void) {
  static char buf[4096], b2[64];
  int fd = file("f", "0123456789");
  sqe(IORING_OP_NOP, -1, NULL, 0, 0, 1);
  one("nop");
  sqe(IORING_OP_READ, fd, buf, 4, 2, 2);
  one("read");
  STR("bytes", buf);
  sqe(IORING_OP_READ, fd, buf, 4, -1, 3);
  one("read at position");
  NUM("position", lseek(fd, 0, SEEK_CUR));
  sqe(IORING_OP_WRITE, fd, "ab", 2, 8, 4);
  one("write");
  struct iovec v[2] = {{buf, 3}, {b2, 5}};
  sqe(IORING_OP_READV, fd, v, 2, 0, 5);
  one("readv");
  sqe(IORING_OP_WRITEV, fd, v, 2, 10, 6);
  one("writev");
  sqe(IORING_OP_FSYNC, fd, NULL, 0, 0, 7)->fsync_flags = IORING_FSYNC_DATASYNC;
  one("fsync");
  sqe(IORING_OP_FALLOCATE, fd, (void *)100, 0, 0, 8);
  one("fallocate");
  NUM("size", lseek(fd, 0, SEEK_END));
  sqe(IORING_OP_FADVISE, fd, NULL, 0, 0, 9);
  one("fadvise");
  sqe(IORING_OP_READ, 99, buf, 4, 0, 10);
  one("bad fd");
  sqe(IORING_OP_READ, fd, BAD, 4, 0, 11);
  one("bad buffer");
  sqe(200, fd, buf, 4, 0, 12);
  one("bad op");
  sqe(IORING_OP_READ, fd, buf, 4, 0, 13)->flags = 0x80;
  one("bad flag");
  sqe(IORING_OP_READ, fd, buf, 4, 0, 14)->flags = IOSQE_ASYNC;
  one("async");
  sqe(IORING_OP_OPENAT, AT_FDCWD, "g", 0600, 0, 15)->open_flags = O_CREAT | O_RDWR;
  submit(1);
  struct io_uring_cqe *c = (struct io_uring_cqe *)(r.ring + r.p.cq_off.cqes) + (CQ(head) & (r.p.cq_entries - 1));
  int g = c->res;
  YES("openat", g > 2);
  CQ(head) = CQ(head) + 1;
  static char stx[256];
  struct io_uring_sqe *s = sqe(IORING_OP_STATX, AT_FDCWD, "f", 0x7ff, (uintptr_t)stx, 16);
  (void)s;
  one("statx");
  sqe(IORING_OP_CLOSE, g, NULL, 0, 0, 17);
  one("close");
  sqe(IORING_OP_CLOSE, g, NULL, 0, 0, 18);
  one("close again");
  sqe(IORING_OP_MKDIRAT, AT_FDCWD, "d", 0755, 0, 19);
  one("mkdirat");
  sqe(IORING_OP_RENAMEAT, AT_FDCWD, "g", AT_FDCWD, (uintptr_t) "d/h", 20);
  one("renameat");
  sqe(IORING_OP_UNLINKAT, AT_FDCWD, "d/h", 0, 0, 21);
  one("unlinkat");
  sqe(IORING_OP_UNLINKAT, AT_FDCWD, "d", 0, 0, 22)->unlink_flags = AT_REMOVEDIR;
  one("rmdir");
  sqe(IORING_OP_MADVISE, -1, mmap(NULL, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096, 0, 23)->fadvise_advice = MADV_DONTNEED;
  one("madvise");
  struct iovec regd = {buf, sizeof buf};
  R("register buffers", reg(r.fd, IORING_REGISTER_BUFFERS, &regd, 1));
  R("register buffers again", reg(r.fd, IORING_REGISTER_BUFFERS, &regd, 1));
  sqe(IORING_OP_READ_FIXED, fd, buf + 10, 6, 0, 24);
  one("read fixed");
  sqe(IORING_OP_READ_FIXED, fd, buf + sizeof buf - 2, 6, 0, 25);
  one("read fixed outside");
  sqe(IORING_OP_READ_FIXED, fd, buf, 6, 0, 26)->buf_index = 3;
  one("read fixed elsewhere");
  sqe(IORING_OP_WRITE_FIXED, fd, buf + 10, 6, 3, 27);
  one("write fixed");
  R("unregister buffers", reg(r.fd, IORING_UNREGISTER_BUFFERS, NULL, 0));
  int fds[3] = {fd, -1, 99};
  R("register bad files", reg(r.fd, IORING_REGISTER_FILES, fds, 3));
  fds[2] = 1;
  R("register files", reg(r.fd, IORING_REGISTER_FILES, fds, 3));
  close(fd);
  sqe(IORING_OP_READ, 0, buf, 5, 0, 28)->flags = IOSQE_FIXED_FILE;
  one("fixed file");
  sqe(IORING_OP_READ, 1, buf, 5, 0, 29)->flags = IOSQE_FIXED_FILE;
  one("empty slot");
  sqe(IORING_OP_READ, 9, buf, 5, 0, 30)->flags = IOSQE_FIXED_FILE;
  one("no slot");
  R("unregister files", reg(r.fd, IORING_UNREGISTER_FILES, NULL, 0));
}

static void chains(void) {
  int fd = file("c", "0123456789");
  static char buf[64];
  sqe(IORING_OP_READ, fd, buf, 4, 0, 1)->flags = IOSQE_IO_LINK;
  sqe(IORING_OP_NOP, -1, NULL, 0, 0, 2);
  R("submit", submit(2));
  reap("chain", 2);
  sqe(IORING_OP_READ, fd, buf, 40, 0, 3)->flags = IOSQE_IO_LINK;
  sqe(IORING_OP_NOP, -1, NULL, 0, 0, 4)->flags = IOSQE_IO_LINK;
  sqe(IORING_OP_NOP, -1, NULL, 0, 0, 5);
  R("submit", submit(3));
  reap("short chain", 3);
  sqe(IORING_OP_READ, fd, buf, 40, 0, 6)->flags = IOSQE_IO_HARDLINK;
  sqe(IORING_OP_NOP, -1, NULL, 0, 0, 7);
  R("submit", submit(2));
  reap("hard chain", 2);
  sqe(IORING_OP_NOP, -1, NULL, 0, 0, 8)->flags = IOSQE_IO_LINK;
  sqe(250, -1, NULL, 0, 0, 9);
  R("submit", submit(2));
  reap("bad in chain", 2);
  int p[2];
  if (pipe(p)) return;
  sqe(IORING_OP_READ, p[0], buf, 4, 0, 10);
  sqe(IORING_OP_NOP, -1, NULL, 0, 0, 11)->flags = IOSQE_IO_DRAIN;
  sqe(IORING_OP_NOP, -1, NULL, 0, 0, 12);
  R("submit", submit(0));
  NUM("held back", CQ(tail) - CQ(head));
  if (write(p[1], "abcd", 4) != 4) return;
  reap("drained", 3);
  sqe(IORING_OP_NOP, -1, NULL, 0, 0, 13)->flags = IOSQE_CQE_SKIP_SUCCESS;
  sqe(IORING_OP_NOP, -1, NULL, 0, 0, 14);
  R("submit", submit(1));
  reap("skipped", 1);
}

static void waiting(void) {
  static char buf[64];
  int p[2];
  if (pipe(p)) return;
  sqe(IORING_OP_READ, p[0], buf, 10, 0, 1);
  R("submit", submit(0));
  NUM("none yet", CQ(tail) - CQ(head));
  if (write(p[1], "hello", 5) != 5) return;
  reap("pipe", 1);
  sqe(IORING_OP_POLL_ADD, p[0], NULL, 0, 0, 2)->poll32_events = POLLIN;
  submit(0);
  sqe(IORING_OP_POLL_REMOVE, -1, (void *)2, 0, 0, 3);
  submit(2);
  reap("poll removed", 2);
  sqe(IORING_OP_POLL_REMOVE, -1, (void *)77, 0, 0, 4);
  one("poll remove none");
  sqe(IORING_OP_POLL_ADD, p[0], NULL, 0, 0, 5)->poll32_events = POLLIN;
  submit(0);
  if (write(p[1], "x", 1) != 1) return;
  reap("poll", 1);
  sqe(IORING_OP_POLL_ADD, p[1], NULL, 0, 0, 6)->poll32_events = POLLOUT;
  one("poll at once");
  if (read(p[0], buf, 1) != 1) return;
  sqe(IORING_OP_READ, p[0], buf, 10, 0, 7);
  submit(0);
  sqe(IORING_OP_ASYNC_CANCEL, -1, (void *)7, 0, 0, 8);
  submit(2);
  reap("cancelled", 2);
  sqe(IORING_OP_ASYNC_CANCEL, -1, (void *)70, 0, 0, 9);
  one("cancel none");
  struct __kernel_timespec ts = {0, 20000000};
  sqe(IORING_OP_TIMEOUT, -1, &ts, 1, 0, 10);
  one("timeout");
  ts.tv_sec = 100;
  sqe(IORING_OP_TIMEOUT, -1, &ts, 1, 0, 11);
  submit(0);
  sqe(IORING_OP_TIMEOUT_REMOVE, -1, (void *)11, 0, 0, 12);
  submit(2);
  reap("timeout removed", 2);
  sqe(IORING_OP_TIMEOUT_REMOVE, -1, (void *)110, 0, 0, 13);
  one("timeout remove none");
  sqe(IORING_OP_TIMEOUT, -1, &ts, 1, 1, 14);
  submit(0);
  sqe(IORING_OP_NOP, -1, NULL, 0, 0, 15);
  submit(2);
  reap("counted timeout", 2);
  sqe(IORING_OP_TIMEOUT, -1, &ts, 2, 0, 16);
  one("bad timeout");
  ts = (struct __kernel_timespec){0, 20000000};
  sqe(IORING_OP_READ, p[0], buf, 10, 0, 17)->flags = IOSQE_IO_LINK;
  sqe(IORING_OP_LINK_TIMEOUT, -1, &ts, 1, 0, 18);
  submit(2);
  reap("link timeout", 2);
  ts.tv_sec = 100;
  sqe(IORING_OP_NOP, -1, NULL, 0, 0, 19)->flags = IOSQE_IO_LINK;
  sqe(IORING_OP_LINK_TIMEOUT, -1, &ts, 1, 0, 20);
  submit(2);
  reap("link timeout unused", 2);
  sqe(IORING_OP_LINK_TIMEOUT, -1, &ts, 1, 0, 21);
  one("link timeout alone");
  struct io_uring_getevents_arg ga = {.ts = (uintptr_t) & (struct __kernel_timespec){0, 10000000}};
  R("wait with a limit", enter(r.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &ga, sizeof ga));
  int q[2];
  if (pipe(q)) return;
  if (write(p[1], "spliced", 7) != 7) return;
  struct io_uring_sqe *s = sqe(IORING_OP_SPLICE, q[1], NULL, 7, -1, 22);
  s->splice_off_in = -1;
  s->splice_fd_in = p[0];
  one("splice");
  NUM("arrived", read(q[0], buf, sizeof buf));
  fcntl(p[0], F_SETFL, O_NONBLOCK);
  sqe(IORING_OP_READ, p[0], buf, 10, 0, 23);
  R("submit", submit(0));
  if (write(p[1], "waited", 6) != 6) return;
  reap("nonblocking", 1);
}

static void *client(void *arg) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, arg, sizeof(struct sockaddr_in)) == 0 && write(fd, "ping", 4) == 4) {
    char b[16];
    ssize_t n = read(fd, b, sizeof b);
    printf("client: %zd %.4s\n", n, b);
  }
  close(fd);
  return NULL;
}

static int result(void) {
  for (int k = 0; CQ(tail) == CQ(head) && k < 2000; k++) enter(r.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
  struct io_uring_cqe *c = (struct io_uring_cqe *)(r.ring + r.p.cq_off.cqes) + (CQ(head) & (r.p.cq_entries - 1));
  int res = c->res;
  CQ(head) = CQ(head) + 1;
  return res;
}

static void sockets(void) {
  int l = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  if (bind(l, (void *)&a, n) < 0 || listen(l, 5) < 0 || getsockname(l, (void *)&a, &n) < 0) return;
  sqe(IORING_OP_ACCEPT, l, NULL, 0, 0, 1);
  submit(0);
  pthread_t t;
  pthread_create(&t, NULL, client, &a);
  int c = result();
  YES("accepted", c > 2);
  static char buf[64], pool[4][32];
  sqe(IORING_OP_RECV, c, buf, sizeof buf, 0, 2);
  one("recv");
  sqe(IORING_OP_SEND, c, "pong", 4, 0, 3);
  one("send");
  pthread_join(t, NULL);
  sqe(IORING_OP_RECV, c, buf, sizeof buf, 0, 4);
  one("end");
  close(c);
  int s = socket(AF_INET, SOCK_STREAM, 0);
  sqe(IORING_OP_CONNECT, s, &a, 0, sizeof a, 5);
  one("connect");
  c = accept(l, NULL, NULL);
  sqe(IORING_OP_PROVIDE_BUFFERS, 4, pool, 32, 10, 6)->buf_group = 7;
  one("provide");
  struct io_uring_sqe *q = sqe(IORING_OP_RECV, s, NULL, 32, 0, 7);
  q->flags = IOSQE_BUFFER_SELECT;
  q->buf_group = 7;
  submit(0);
  if (write(c, "selected", 8) != 8) return;
  reap("recv into a buffer", 1);
  STR("buffer", pool[0]);
  sqe(IORING_OP_REMOVE_BUFFERS, 10, NULL, 0, 0, 8)->buf_group = 7;
  one("remove buffers");
  q = sqe(IORING_OP_RECV, s, NULL, 32, 0, 9);
  q->flags = IOSQE_BUFFER_SELECT;
  q->buf_group = 7;
  if (write(c, "more", 4) != 4) return;
  one("no buffer left");
  struct iovec v = {buf, sizeof buf};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  sqe(IORING_OP_RECVMSG, s, &m, 1, 0, 10);
  one("recvmsg");
  v = (struct iovec){"message", 7};
  sqe(IORING_OP_SENDMSG, s, &m, 1, 0, 11);
  one("sendmsg");
  NUM("came", read(c, buf, sizeof buf));
  sqe(IORING_OP_SHUTDOWN, s, NULL, SHUT_WR, 0, 12);
  one("shutdown");
  NUM("ended", read(c, buf, sizeof buf));
}

static volatile int seen;
static void *spinner(void *arg) {
  (void)arg;
  while (CQ(tail) == CQ(head)) usleep(1000); /* no call into the ring: its submitter is interrupted */
  seen = 1;
  return NULL;
}

static void others(void) {
  int e = eventfd(0, EFD_NONBLOCK);
  R("register eventfd", reg(r.fd, IORING_REGISTER_EVENTFD, &e, 1));
  R("register eventfd again", reg(r.fd, IORING_REGISTER_EVENTFD, &e, 1));
  sqe(IORING_OP_NOP, -1, NULL, 0, 0, 1);
  submit(1);
  uint64_t v = 0;
  if (read(e, &v, 8) != 8) v = 99;
  NUM("signalled", v);
  reap("nop", 1);
  R("unregister eventfd", reg(r.fd, IORING_UNREGISTER_EVENTFD, NULL, 0));
  struct pollfd pf = {r.fd, POLLIN | POLLOUT, 0};
  poll(&pf, 1, 0);
  NUM("poll empty", pf.revents);
  sqe(IORING_OP_NOP, -1, NULL, 0, 0, 2);
  submit(1);
  poll(&pf, 1, 0);
  NUM("poll full", pf.revents);
  reap("nop", 1);
  struct { struct io_uring_probe p; struct io_uring_probe_op ops[64]; } pr;
  memset(&pr, 0, sizeof pr);
  R("probe", reg(r.fd, IORING_REGISTER_PROBE, &pr, 64));
  YES("has read", pr.ops[IORING_OP_READ].flags & IO_URING_OP_SUPPORTED);
  int p[2];
  static char buf[16];
  if (pipe(p)) return;
  sqe(IORING_OP_READ, p[0], buf, 10, 0, 3);
  submit(0);
  pthread_t t;
  pthread_create(&t, NULL, spinner, NULL);
  if (write(p[1], "y", 1) != 1) return;
  for (int i = 0; i < 2000 && !seen; i++) usleep(1000);
  YES("completed without a call", seen);
  pthread_join(t, NULL);
  reap("read", 1);
  close_ring();
  open_ring(4, IORING_SETUP_CQSIZE, 4);
  NUM("cq size", r.p.cq_entries);
  for (int k = 0; k < 3; k++) {
    for (int i = 0; i < 4; i++) sqe(IORING_OP_NOP, -1, NULL, 0, 0, 10 * k + i);
    submit(0);
  }
  NUM("full", CQ(tail) - CQ(head));
  YES("overflow flag", SQ(flags) & IORING_SQ_CQ_OVERFLOW);
  reap("all", 4);
  enter(r.fd, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
  reap("flushed", 4);
  enter(r.fd, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
  reap("flushed", 4);
  YES("flag gone", !(SQ(flags) & IORING_SQ_CQ_OVERFLOW));
  close_ring();
  open_ring(4, IORING_SETUP_R_DISABLED, 0);
  sqe(IORING_OP_NOP, -1, NULL, 0, 0, 1);
  R("disabled", submit(1));
  struct io_uring_restriction rs[2] = {{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_NOP},
                                       {.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_REGISTER_ENABLE_RINGS}};
  R("restrict", reg(r.fd, IORING_REGISTER_RESTRICTIONS, rs, 2));
  R("restrict again", reg(r.fd, IORING_REGISTER_RESTRICTIONS, rs, 2));
  R("enable", reg(r.fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0));
  R("enable again", reg(r.fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0));
  one("allowed");
  sqe(IORING_OP_READ, 0, buf, 1, 0, 2);
  one("restricted");
  R("restricted register", reg(r.fd, IORING_REGISTER_EVENTFD, &e, 1));
  close_ring();
}

int main(void) {
  scratch_dir();
  struct io_uring_params p = {0};
  if (setup(4, &p) < 0 && errno == ENOSYS) { printf("no io_uring\n"); return 0; }
  errors();
  if (open_ring(8, 0, 0) < 0) { report("ring", -1); return 1; }
  files();
  chains();
  waiting();
  sockets();
  others();
  return 0;
}
