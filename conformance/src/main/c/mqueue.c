/* POSIX message queues: names, attributes, priorities, timeouts, notices and errors. */
#include "check.h"
#include <mqueue.h>
#include <poll.h>
#include <sys/resource.h>
#include <time.h>

static void rcv(const char *name, mqd_t q, size_t len, const struct timespec *ts) {
  char b[9000] = {0};
  unsigned p = 0;
  errno = 0;
  long r = mq_timedreceive(q, b, len, &p, ts);
  if (r < 0) report(name, r);
  else printf("%s: %ld prio %u text %.20s\n", name, r, p, b);
}
static struct timespec in_ms(long ms) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += ms * 1000000;
  t.tv_sec += t.tv_nsec / 1000000000, t.tv_nsec %= 1000000000;
  return t;
}
static volatile int got, code, value;
static void on(int s, siginfo_t *i, void *c) { got++, code = i->si_code, value = i->si_value.sival_int; }

static volatile int by_thread;
static void threaded(union sigval v) { by_thread = v.sival_int; }

int main(void) {
  scratch_dir();
  setvbuf(stdout, NULL, _IONBF, 0);
  R("missing", mq_open("/nope", O_RDWR));
  R("slash", mq_open("/a/b", O_RDWR | O_CREAT, 0600, NULL));
  R("dot", syscall(SYS_mq_open, ".", O_RDWR | O_CREAT, 0600, NULL));
  R("empty", syscall(SYS_mq_open, "", O_RDWR | O_CREAT, 0600, NULL));
  struct mq_attr at = {.mq_maxmsg = 0, .mq_msgsize = 10};
  R("no room", mq_open("/q", O_RDWR | O_CREAT, 0600, &at));
  at.mq_maxmsg = 70000;
  R("too many", mq_open("/q", O_RDWR | O_CREAT, 0600, &at));
  at.mq_maxmsg = 3, at.mq_msgsize = 20;
  mqd_t q = mq_open("/q", O_RDWR | O_CREAT | O_EXCL, 0640, &at);
  OK("create", q);
  R("exclusive", mq_open("/q", O_RDWR | O_CREAT | O_EXCL, 0640, &at));
  mqd_t ro = mq_open("/q", O_RDONLY | O_NONBLOCK), wo = mq_open("/q", O_WRONLY);
  R("cloexec", fcntl(q, F_GETFD));
  R("getattr", mq_getattr(ro, &at));
  printf("attr: %ld %ld %ld %ld\n", at.mq_flags, at.mq_maxmsg, at.mq_msgsize, at.mq_curmsgs);
  R("send to reader", mq_send(ro, "x", 1, 0));
  R("receive from writer", mq_receive(wo, (char[64]){0}, 64, NULL));
  rcv("empty nonblock", ro, 20, NULL);
  rcv("buffer too small", q, 19, NULL);
  R("too long", mq_send(q, "123456789012345678901", 21, 0));
  R("prio", mq_send(q, "x", 1, 32768));
  R("not a queue", mq_send(0, "x", 1, 0));
  struct pollfd pf = {q, POLLIN | POLLOUT, 0};
  poll(&pf, 1, 0);
  R("poll empty", pf.revents);
  R("send", mq_send(q, "low", 3, 1));
  mq_send(q, "high", 4, 9), mq_send(q, "low2", 4, 1);
  poll(&pf, 1, 0);
  R("poll full", pf.revents);
  struct timespec ts = in_ms(30), bad = {0, 1000000000};
  R("full", mq_timedsend(q, "x", 1, 0, &ts));
  R("bad timeout", mq_timedsend(q, "x", 1, 0, &bad));
  char b[200] = {0};
  R("read", read(q, b, sizeof b - 1));
  printf("text: %s", b);
  rcv("first", q, 20, NULL), rcv("second", q, 20, NULL), rcv("third", q, 20, NULL);
  ts = in_ms(30);
  rcv("timeout", q, 20, &ts);
  at.mq_flags = O_NONBLOCK;
  R("setattr", mq_setattr(q, &at, NULL));
  rcv("nonblock now", q, 20, NULL);
  at.mq_flags = 1;
  R("setattr bad", syscall(SYS_mq_getsetattr, q, &at, NULL));
  at.mq_flags = 0;
  mq_setattr(q, &at, NULL);
  struct sigaction sa = {.sa_sigaction = on, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &sa, NULL);
  struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  ev.sigev_value.sival_int = 42;
  R("notify", mq_notify(q, &ev));
  R("notify again", mq_notify(ro, &ev));
  mq_send(q, "a", 1, 0), mq_send(q, "b", 1, 0);
  printf("noticed: %d %d %d\n", got, code, value);
  rcv("a", q, 20, NULL), rcv("b", q, 20, NULL);
  mq_send(q, "c", 1, 0);
  R("only once", got);
  rcv("c", q, 20, NULL);
  R("notify none", mq_notify(q, &(struct sigevent){.sigev_notify = SIGEV_NONE}));
  R("drop", mq_notify(q, NULL));
  R("drop again", mq_notify(q, NULL));
  R("notify bad", mq_notify(q, &(struct sigevent){.sigev_notify = 77}));
  R("notify bad signal", mq_notify(q, &(struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 99}));
  struct sigevent te = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = threaded, .sigev_value.sival_int = 43};
  R("notify by thread", mq_notify(q, &te));
  R("notify by thread again", mq_notify(q, &te));
  mq_send(q, "t", 1, 0);
  for (int i = 0; i < 100 && !by_thread; i++) usleep(10000);
  R("noticed by thread", by_thread);
  rcv("t", q, 20, NULL);
  R("thread, then dropped", mq_notify(q, &te));
  R("dropped", mq_notify(q, NULL));
  struct sigevent none_ = {.sigev_notify = SIGEV_THREAD, .sigev_signo = 999};
  char cookie[32];
  none_.sigev_value.sival_ptr = cookie;
  R("notify no socket", syscall(SYS_mq_notify, q, &none_));
  none_.sigev_signo = 0;
  R("notify not a socket", syscall(SYS_mq_notify, q, &none_));
  none_.sigev_value.sival_ptr = BAD;
  R("notify bad cookie", syscall(SYS_mq_notify, q, &none_));
  pid_t p = fork();
  int st;
  if (!p) {
    rcv("waited", q, 20, NULL);
    _exit(0);
  }
  usleep(50000);
  R("notify with reader", mq_notify(q, &ev));
  mq_send(q, "late", 4, 3);
  waitpid(p, &st, 0);
  R("reader comes first", got);
  mq_send(q, "d", 1, 0);
  R("noticed then", got);
  R("unlink", mq_unlink("/q"));
  R("unlink again", mq_unlink("/q"));
  rcv("nameless", q, 20, NULL);
  R("close", mq_close(q));
  q = mq_open("/r", O_RDWR | O_CREAT, 0600, NULL);
  mq_getattr(q, &at);
  printf("default: %ld %ld\n", at.mq_maxmsg, at.mq_msgsize);
  if (!(p = fork())) {
    setresuid(1000, 1000, 1000);
    R("other open", mq_open("/r", O_RDWR));
    R("other unlink", syscall(SYS_mq_unlink, "r"));
    at.mq_maxmsg = 11, at.mq_msgsize = 10;
    R("other too many", mq_open("/s", O_RDWR | O_CREAT, 0600, &at));
    _exit(0);
  }
  waitpid(p, &st, 0);
  mq_unlink("/r");
  return 0;
}
