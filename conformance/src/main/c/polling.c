/* epoll(7), poll(2), ppoll(2), select(2), pselect(2). */
#include "conf.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/personality.h>
#include <sys/select.h>
#include <sys/socket.h>

static int ep;
static volatile int hits;
static void handler(int s) {
  (void)s;
  hits++;
}

static void wait_(const char *name, int timeout) {
  struct epoll_event ev[8];
  int n = epoll_wait(ep, ev, 8, timeout);
  printf("%s: %d", name, n);
  for (int i = 0; i < n; i++) printf(" [%x %d]", ev[i].events, (int)ev[i].data.u64);
  printf("\n");
}
static int add(int fd, unsigned events, int id) {
  struct epoll_event e = {events, {.u64 = id}};
  return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}
static int mod(int fd, unsigned events, int id) {
  struct epoll_event e = {events, {.u64 = id}};
  return epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e);
}
static void *late(void *a) {
  msleep(30);
  return (void *)(long)write(*(int *)a, "x", 1);
}
static void *late_kill(void *a) {
  msleep(30);
  pthread_kill(*(pthread_t *)a, SIGUSR1);
  return NULL;
}

static void epolls(void) {
  int p[2];
  char b[8];
  R("create-0", epoll_create(0));
  R("create1-bad", epoll_create1(1));
  ep = epoll_create1(EPOLL_CLOEXEC);
  H("getfd", fcntl(ep, F_GETFD));
  struct epoll_event e = {EPOLLIN, {.u64 = 1}};
  pipe(p);
  R("ctl-fault", epoll_ctl(ep, EPOLL_CTL_ADD, p[0], BAD));
  R("ctl-bad-epfd", epoll_ctl(NOFD, EPOLL_CTL_ADD, p[0], &e));
  R("ctl-bad-fd", epoll_ctl(ep, EPOLL_CTL_ADD, NOFD, &e));
  R("ctl-not-epoll", epoll_ctl(p[1], EPOLL_CTL_ADD, p[0], &e));
  R("ctl-self", epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e));
  R("ctl-bad-op", epoll_ctl(ep, 9, p[0], &e));
  R("ctl-mod-missing", mod(p[0], EPOLLIN, 1));
  R("ctl-del-missing", epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));
  put_file("file", "x");
  int f = open("file", O_RDONLY);
  R("ctl-regular", epoll_ctl(ep, EPOLL_CTL_ADD, f, &e));
  int d = open(".", O_RDONLY);
  R("ctl-directory", epoll_ctl(ep, EPOLL_CTL_ADD, d, &e));
  close(f);
  close(d);
  R("wait-0-events", epoll_wait(ep, &e, 0, 0));
  R("wait-negative", epoll_wait(ep, &e, -1, 0));
  R("wait-not-epoll", epoll_wait(p[0], &e, 1, 0));
  R("wait-bad", epoll_wait(NOFD, &e, 1, 0));
  R("add", add(p[0], EPOLLIN, 1));
  R("add-again", add(p[0], EPOLLIN, 1));
  wait_("empty", 0);
  write(p[1], "ab", 2);
  wait_("level-1", 0);
  wait_("level-2", 0);
  R("wait-fault", epoll_wait(ep, BAD, 1, 0));
  wait_("after-fault", 0);
  mod(p[0], EPOLLIN | EPOLLET, 2);
  wait_("edge-1", 0);
  wait_("edge-2", 0);
  write(p[1], "c", 1);
  wait_("edge-3", 0);
  read(p[0], b, 1);
  wait_("edge-after-read", 0);
  mod(p[0], EPOLLIN | EPOLLONESHOT, 3);
  wait_("oneshot-1", 0);
  write(p[1], "c", 1);
  wait_("oneshot-2", 0);
  mod(p[0], EPOLLIN | EPOLLONESHOT, 3);
  wait_("oneshot-3", 0);
  mod(p[0], EPOLLIN | EPOLLOUT, 4);
  add(p[1], EPOLLOUT, 5);
  wait_("both", 0);
  close(p[1]);
  wait_("hup", 0);
  read(p[0], b, 8);
  wait_("only-hup", 0);
  mod(p[0], 0, 6);
  wait_("hup-unasked", 0);
  close(p[0]);
  wait_("closed", 0);
  /* dup keeps the registration alive. */
  pipe(p);
  add(p[0], EPOLLIN, 7);
  int copy = dup(p[0]);
  write(p[1], "x", 1);
  close(p[0]);
  wait_("dup-alive", 0);
  close(copy);
  wait_("dup-closed", 0);
  close(p[1]);
  /* exclusive */
  int ev = eventfd(0, 0);
  R("exclusive-rdhup", add(ev, EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP, 1));
  R("exclusive", add(ev, EPOLLIN | EPOLLEXCLUSIVE, 1));
  R("exclusive-mod", mod(ev, EPOLLIN, 1));
  uint64_t one = 1;
  write(ev, &one, 8);
  wait_("exclusive-wait", 0);
  close(ev);
  /* nesting */
  int a = epoll_create1(0), c = epoll_create1(0);
  pipe(p);
  struct epoll_event in = {EPOLLIN, {.u64 = 9}};
  R("nest-1", epoll_ctl(a, EPOLL_CTL_ADD, c, &in));
  R("nest-loop", epoll_ctl(c, EPOLL_CTL_ADD, a, &in));
  R("nest-add", epoll_ctl(c, EPOLL_CTL_ADD, p[0], &in));
  struct pollfd pf = {a, POLLIN, 0};
  R("nest-poll-empty", poll(&pf, 1, 0));
  write(p[1], "x", 1);
  R("nest-poll", poll(&pf, 1, 0));
  struct epoll_event out;
  R("nest-wait", epoll_wait(a, &out, 1, 0));
  R("nest-wait-again", epoll_wait(a, &out, 1, 0));
  read(p[0], b, 1);
  R("nest-wait-none", epoll_wait(a, &out, 1, 0));
  int chain[8];
  for (int i = 0; i < 8; i++) chain[i] = epoll_create1(0);
  int deep = 0;
  for (int i = 0; i < 7; i++)
    if (epoll_ctl(chain[i + 1], EPOLL_CTL_ADD, chain[i], &in) == 0) deep++;
    else break;
  V("nest-depth", deep);
  /* blocking */
  pthread_t t;
  pipe(p);
  add(p[0], EPOLLIN, 11);
  pthread_create(&t, NULL, late, &p[1]);
  wait_("blocking", -1);
  pthread_join(t, NULL);
  read(p[0], b, 1);
  long t0 = now_ms();
  wait_("timeout", 30);
  T("timeout-long-enough", now_ms() - t0 >= 29);
  pthread_t self = pthread_self();
  struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &sa, NULL);
  pthread_create(&t, NULL, late_kill, &self);
  R("wait-eintr", epoll_wait(ep, &e, 1, 2000));
  pthread_join(t, NULL);
  V("hits", hits);
  sigset_t set, none;
  sigemptyset(&none);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  raise(SIGUSR1);
  V("blocked-hits", hits);
  R("pwait-eintr", epoll_pwait(ep, &e, 1, 2000, &none));
  V("pwait-hits", hits);
  raise(SIGUSR1);
  write(p[1], "x", 1);
  R("pwait-ready-or-signal", epoll_pwait(ep, &e, 1, 2000, &set));
  V("pwait-blocked-hits", hits);
  sigset_t cur;
  sigprocmask(SIG_BLOCK, NULL, &cur);
  T("mask-restored", sigismember(&cur, SIGUSR1));
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  V("hits-at-end", hits);
  R("pwait-size", syscall(SYS_epoll_pwait, ep, &e, 1, 0, &set, 4));
  struct timespec ts = {0, 1000000};
  read(p[0], b, 1);
  R("pwait2-timeout", syscall(SYS_epoll_pwait2, ep, &e, 1, &ts, NULL, 0));
  ts.tv_nsec = 1000000000;
  R("pwait2-invalid", syscall(SYS_epoll_pwait2, ep, &e, 1, &ts, NULL, 0));
  /* fairness: level-triggered items go round */
  int q[4][2];
  int ep2 = epoll_create1(0);
  for (int i = 0; i < 4; i++) {
    pipe(q[i]);
    struct epoll_event x = {EPOLLIN, {.u64 = i}};
    epoll_ctl(ep2, EPOLL_CTL_ADD, q[i][0], &x);
    write(q[i][1], "x", 1);
  }
  printf("round-robin:");
  for (int i = 0; i < 8; i++) {
    epoll_wait(ep2, &out, 1, 0);
    printf(" %d", (int)out.data.u64);
  }
  printf("\n");
  int s[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  ep = epoll_create1(0);
  add(s[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1);
  wait_("socket-first", 0);
  write(s[1], "x", 1);
  wait_("socket-in", 0);
  shutdown(s[1], SHUT_WR);
  wait_("socket-rdhup", 0);
  close(s[1]);
  wait_("socket-hup", 0);
}

static void polls(void) {
  int p[2];
  char b[8];
  pipe(p);
  struct pollfd f[3] = {{p[0], POLLIN, 99}, {-1, POLLIN, 99}, {NOFD, POLLIN, 0}};
  R("poll-nval", poll(f, 3, 0));
  H("poll-nval-0", f[0].revents);
  H("poll-nval-1", f[1].revents);
  H("poll-nval-2", f[2].revents);
  R("poll-none", poll(f, 2, 0));
  R("poll-no-fds", poll(NULL, 0, 1));
  R("poll-fault", poll(BAD, 1, 0));
  R("poll-too-many", poll(f, 1 << 30, 0));
  write(p[1], "x", 1);
  R("poll-in", poll(f, 2, -1));
  H("poll-in-0", f[0].revents);
  f[0].events = POLLOUT;
  R("poll-wrong-way", poll(f, 1, 0));
  put_file("pf", "x");
  struct pollfd r = {open("pf", O_RDONLY), POLLIN | POLLOUT | POLLPRI, 0};
  R("poll-regular", poll(&r, 1, 0));
  H("poll-regular-bits", r.revents);
  struct pollfd nul = {open("/dev/null", O_RDWR), POLLIN | POLLOUT | POLLPRI, 0};
  poll(&nul, 1, 0);
  H("poll-null-bits", nul.revents);
  read(p[0], b, 1);
  pthread_t t;
  f[0].events = POLLIN;
  pthread_create(&t, NULL, late, &p[1]);
  R("poll-blocking", poll(f, 2, 2000));
  pthread_join(t, NULL);
  read(p[0], b, 1);
  pthread_t self = pthread_self();
  pthread_create(&t, NULL, late_kill, &self);
  R("poll-eintr", poll(f, 1, 2000));
  pthread_join(t, NULL);
  struct timespec ts = {5, 0};
  pthread_create(&t, NULL, late_kill, &self);
  R("ppoll-eintr", syscall(SYS_ppoll, f, 1, &ts, NULL, 0));
  pthread_join(t, NULL);
  T("ppoll-remaining", ts.tv_sec == 4 && ts.tv_nsec > 0);
  ts.tv_sec = 0;
  ts.tv_nsec = 1000000;
  R("ppoll-timeout", syscall(SYS_ppoll, f, 1, &ts, NULL, 0));
  T("ppoll-remaining-0", ts.tv_sec == 0 && ts.tv_nsec == 0);
  ts.tv_nsec = -1;
  R("ppoll-invalid", syscall(SYS_ppoll, f, 1, &ts, NULL, 0));
  R("ppoll-timeout-fault", syscall(SYS_ppoll, f, 1, BAD, NULL, 0));
  ts.tv_nsec = 0;
  R("ppoll-mask-size", syscall(SYS_ppoll, f, 1, &ts, &ts, 3));
  R("ppoll-mask-fault", syscall(SYS_ppoll, f, 1, &ts, BAD, 8));
}

static void selects(void) {
  int p[2];
  char b[8];
  pipe(p);
  fd_set in, out, ex;
  struct timeval tv = {0, 0};
#define SETS()                          \
  do { FD_ZERO(&in); FD_ZERO(&out); FD_ZERO(&ex); FD_SET(p[0], &in); FD_SET(p[1], &out); FD_SET(p[0], &ex); } while (0)
  SETS();
  R("select-negative", select(-1, &in, NULL, NULL, &tv));
  R("select", select(p[1] + 1, &in, &out, &ex, &tv));
  T("select-in", FD_ISSET(p[0], &in));
  T("select-out", FD_ISSET(p[1], &out));
  write(p[1], "x", 1);
  SETS();
  R("select-both", select(p[1] + 1, &in, &out, &ex, &tv));
  SETS();
  R("select-narrow", select(p[0], &in, &out, &ex, &tv));
  FD_ZERO(&in);
  FD_SET(50, &in);
  R("select-badf", select(51, &in, NULL, NULL, &tv));
  T("select-badf-untouched", FD_ISSET(50, &in));
  R("select-fault", select(10, BAD, NULL, NULL, &tv));
  tv.tv_usec = -1;
  R("select-invalid", select(0, NULL, NULL, NULL, &tv));
  tv.tv_sec = 0;
  tv.tv_usec = 2000000;
  SETS();
  R("select-usec-overflow", select(p[1] + 1, &in, NULL, NULL, &tv));
  read(p[0], b, 1);
  tv.tv_sec = 5;
  tv.tv_usec = 0;
  pthread_t t, self = pthread_self();
  pthread_create(&t, NULL, late_kill, &self);
  SETS();
  R("select-eintr", select(p[0] + 1, &in, NULL, NULL, &tv));
  pthread_join(t, NULL);
  T("select-remaining", tv.tv_sec == 4);
  close(p[1]);
  tv.tv_sec = 0;
  FD_ZERO(&in);
  FD_SET(p[0], &in);
  R("select-hup", select(p[0] + 1, &in, NULL, NULL, &tv));
  close(p[0]);
  sigset_t none;
  sigemptyset(&none);
  struct timespec ts = {0, 1000000};
  R("pselect-timeout", pselect(0, NULL, NULL, NULL, &ts, &none));
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  raise(SIGUSR1);
  ts.tv_sec = 2;
  R("pselect-eintr", pselect(0, NULL, NULL, NULL, &ts, &none));
  V("pselect-hits", hits);
}

static int woken[2];

static void sleeper(int fd, unsigned events) {
  if (fork()) return;
  ep = epoll_create1(0);
  add(fd, events, 1);
  struct epoll_event ev;
  if (epoll_wait(ep, &ev, 1, 600) == 1) write(woken[1], "w", 1);
  _exit(0);
}

/* How many of four processes one event wakes. */
static void exclusive(const char *name, unsigned events) {
  int p[2];
  char buf[8];
  pipe(p);
  pipe(woken);
  for (int i = 0; i < 4; i++) sleeper(p[0], events);
  usleep(200000);
  write(p[1], "x", 1);
  while (wait(NULL) > 0) continue;
  close(woken[1]);
  V(name, read(woken[0], buf, 8));
  close(p[0]), close(p[1]), close(woken[0]);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  epolls();
  polls();
  selects();
  exclusive("wakes-all", EPOLLIN);
  exclusive("wakes-one", EPOLLIN | EPOLLEXCLUSIVE);
  exclusive("wakes-one-edge", EPOLLIN | EPOLLET | EPOLLEXCLUSIVE);
  personality(0x4000000); /* STICKY_TIMEOUTS */
  struct timeval tv = {0, 20000};
  R("sticky-select", select(0, NULL, NULL, NULL, &tv));
  V("sticky-left", tv.tv_usec);
  return 0;
}
