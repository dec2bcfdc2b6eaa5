/* Calls that a kernel may answer without being asked (null(4), zero(4), epoll_wait(2) at once): each is made often
   enough for that, then what the answer stood on changes. */
#include "conf.h"
#include <sys/epoll.h>

#define OFTEN 200

static int often_read(int fd, char *b, size_t n) {
  int r = 0;
  for (int i = 0; i < OFTEN; i++) r = read(fd, b, n);
  return r;
}
static int often_write(int fd, const void *b, size_t n) {
  int r = 0;
  for (int i = 0; i < OFTEN; i++) r = write(fd, b, n);
  return r;
}
static int often_wait(int ep, struct epoll_event *e) {
  int r = 0;
  for (int i = 0; i < OFTEN; i++) r = epoll_wait(ep, e, 4, 0);
  return r;
}

static void zero(void) {
  char b[70000];
  int z = open("/dev/zero", O_RDWR);
  memset(b, 7, sizeof b);
  R("zero-read", often_read(z, b, 10));
  T("zero-filled", !b[0] && !b[9] && b[10] == 7);
  R("zero-read-0", read(z, b, 0));
  R("zero-read-much", read(z, b, sizeof b));
  T("zero-filled-all", !b[10] && !b[sizeof b - 1]);
  R("zero-read-bad", read(z, BAD, 8));
  R("zero-read-null", read(z, NULL, 8));
  R("zero-read-length", read(z, b, -1L));
  char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(page + 4096, 4096);
  R("zero-read-to-the-end-of-a-page", read(z, page + 4090, 6));
  memset(page, 7, 4096);
  long r = read(z, page + 4090, 20);
  T("zero-read-past-a-page", r == 6 || (r < 0 && errno == EFAULT));
  char *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  R("zero-read-to-read-only", read(z, ro, 8));
  R("zero-pread", pread(z, b, 5, 100));
  R("zero-pread-negative", pread(z, b, 5, -1));
  R("zero-write", often_write(z, b, 100));
  R("zero-pwrite", pwrite(z, b, 100, 7));
  R("zero-pwrite-negative", pwrite(z, b, 100, -7));
  close(z);
  R("zero-closed", read(z, b, 1));
  int f = open("file", O_RDWR | O_CREAT, 0600);
  T("same-descriptor", f == z);
  write(f, "abc", 3);
  lseek(f, 0, SEEK_SET);
  R("file-read", read(f, b, 10));
  T("file-bytes", !memcmp(b, "abc", 3));
  int w = open("/dev/zero", O_WRONLY);
  R("write-only-read", often_read(w, b, 1));
  R("write-only-write", often_write(w, b, 1));
  R("write-only-read-again", read(w, b, 1));
  dup2(w, f);
  R("dup2-write", often_write(f, b, 9));
  int full = open("/dev/full", O_RDWR);
  R("full-read", often_read(full, b, 4));
  R("full-write", often_write(full, b, 4));
  dup2(full, f);
  R("dup2-full", write(f, b, 4));
  close(full), close(f), close(w);
}

static void null(void) {
  char b[16];
  int n = open("/dev/null", O_RDWR);
  R("null-read", often_read(n, b, 10));
  R("null-read-bad", read(n, BAD, 10));
  R("null-write", often_write(n, b, 16));
  R("null-write-bad", write(n, NULL, 16));
  R("null-write-huge", write(n, (void *)0x10000000, 0x7ffff123UL));
  R("null-write-past-the-end", write(n, (void *)0x7fffffffe000, 0x7ffff123UL));
  R("null-write-negative", write(n, b, -1L));
  int r = open("/dev/null", O_RDONLY);
  R("read-only-read", often_read(r, b, 4));
  R("read-only-write", often_write(r, b, 4));
  int p = open("/dev/null", O_PATH);
  R("path-read", often_read(p, b, 4));
  pid_t c = SPAWN({
    int bad = often_write(n, b, 3) != 3;
    close(n);
    bad |= write(n, b, 3) != -1;
    _exit(bad);
  });
  int s;
  waitpid(c, &s, 0);
  V("child", s);
  R("parent-still", write(n, b, 3));
  close(n), close(r), close(p);
}

static int shared;
static void *closer(void *a) {
  (void)a;
  close(shared);
  shared = open("file", O_RDONLY);
  return NULL;
}
static void threads(void) {
  char b[8];
  shared = open("/dev/zero", O_RDONLY);
  int before = shared;
  R("shared-read", often_read(before, b, 8));
  pthread_t t;
  pthread_create(&t, NULL, closer, NULL);
  pthread_join(t, NULL);
  T("shared-same", shared == before);
  R("shared-other-file", read(before, b, 8));
  shared = open("/dev/zero", O_RDONLY);
  before = shared;
  pthread_create(&t, NULL, closer, NULL);
  int zeros = 0, threes = 0, others = 0;
  for (int i = 0; i < 20000; i++) {
    long r = read(before, b, 8);
    zeros += r == 8;
    threes += r == 3;
    others += r != 8 && r != 3 && r != 0 && !(r < 0 && errno == EBADF);
  }
  pthread_join(t, NULL);
  V("shared-others", others);
  T("shared-reads", zeros + threes > 0);
}

static int pipes[2];
static void *late_writer(void *a) {
  (void)a;
  msleep(20);
  return (void *)(long)write(pipes[1], "x", 1);
}
static void epoll(void) {
  struct epoll_event e[4], in = {.events = EPOLLIN, .data.u32 = 5};
  int ep = epoll_create1(0);
  R("idle-empty", often_wait(ep, e));
  pipe(pipes);
  epoll_ctl(ep, EPOLL_CTL_ADD, pipes[0], &in);
  R("idle", often_wait(ep, e));
  R("idle-max-0", epoll_wait(ep, e, 0, 0));
  R("idle-max-negative", epoll_wait(ep, e, -1, 0));
  R("idle-bad-events", epoll_wait(ep, BAD, 4, 0));
  R("idle-pwait", epoll_pwait(ep, e, 4, 0, NULL));
  sigset_t set;
  sigemptyset(&set);
  R("idle-pwait-mask", epoll_pwait(ep, e, 4, 0, &set));
  R("idle-10ms", epoll_wait(ep, e, 4, 10));
  write(pipes[1], "x", 1);
  R("ready", epoll_wait(ep, e, 4, 0));
  V("ready-data", e[0].data.u32);
  R("still-ready", often_wait(ep, e));
  char b[4];
  read(pipes[0], b, 4);
  R("idle-again", often_wait(ep, e));
  pthread_t t;
  pthread_create(&t, NULL, late_writer, NULL);
  long spins = 0;
  while (epoll_wait(ep, e, 4, 0) == 0) spins++;
  pthread_join(t, NULL);
  T("woken-while-spinning", spins > 0);
  read(pipes[0], b, 4);
  R("idle-third", often_wait(ep, e));
  int other[2];
  pipe(other);
  write(other[1], "y", 1);
  epoll_ctl(ep, EPOLL_CTL_ADD, other[0], &in);
  R("added-ready", epoll_wait(ep, e, 4, 0));
  epoll_ctl(ep, EPOLL_CTL_DEL, other[0], NULL);
  R("removed", often_wait(ep, e));
  int outer = epoll_create1(0);
  epoll_ctl(outer, EPOLL_CTL_ADD, ep, &in);
  R("outer-idle", often_wait(outer, e));
  write(pipes[1], "z", 1);
  R("outer-ready", epoll_wait(outer, e, 4, 0));
  close(ep);
  R("closed", epoll_wait(ep, e, 4, 0));
  ep = open("/dev/null", O_RDWR);
  R("not-an-epoll", epoll_wait(ep, e, 4, 0));
}

static volatile int caught;
static void on_alarm(int s) {
  (void)s;
  caught++;
}
static void interrupted(void) {
  /* Signals arrive although no call reaches the kernel. */
  char b[8];
  int z = open("/dev/zero", O_RDONLY);
  signal(SIGALRM, on_alarm);
  struct itimerval v = {{0, 5000}, {0, 5000}};
  setitimer(ITIMER_REAL, &v, NULL);
  for (long i = 0; i < 200000000 && caught < 5; i++) read(z, b, 8);
  v = (struct itimerval){{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &v, NULL);
  V("caught", caught >= 5);
}

int main(void) {
  zero();
  null();
  threads();
  epoll();
  interrupted();
}
