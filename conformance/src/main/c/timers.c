/* Clocks, sleeping, interval and POSIX timers, timerfd, signalfd. */
#include "conf.h"
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>

static volatile int hits;
static void handler(int s) {
  (void)s;
  hits++;
}
static void burn(long ms) {
  struct timespec a, b;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
  do clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
  while ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < ms);
}
static void *late_kill(void *a) {
  msleep(30);
  pthread_kill(*(pthread_t *)a, SIGUSR1);
  return NULL;
}

static void clocks(void) {
  struct timespec ts, t2;
  int ids[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 16, -1, -6};
  for (unsigned i = 0; i < sizeof ids / sizeof *ids; i++) {
    char n[40];
    snprintf(n, sizeof n, "gettime-%d", ids[i]);
    R(n, syscall(SYS_clock_gettime, ids[i], &ts));
    snprintf(n, sizeof n, "getres-%d", ids[i]);
    R(n, syscall(SYS_clock_getres, ids[i], &ts));
    if (ids[i] < 2 || ids[i] == 5) printf("res-%d: %ld\n", ids[i], (long)ts.tv_nsec);
  }
  R("gettime-fault", syscall(SYS_clock_gettime, 0, BAD));
  R("getres-null", syscall(SYS_clock_getres, 0, NULL));
  R("settimeofday-usec", settimeofday(&(struct timeval){1, 1000000}, NULL));
  R("settimeofday-negative", settimeofday(&(struct timeval){-1, 0}, NULL));
  R("settimeofday-fault", syscall(SYS_settimeofday, BAD, NULL));
  R("settime-nsec", clock_settime(CLOCK_REALTIME, &(struct timespec){1, 1000000000}));
  R("settime-monotonic", clock_settime(CLOCK_MONOTONIC, &(struct timespec){1, 0}));
  R("settime-fault", syscall(SYS_clock_settime, CLOCK_REALTIME, BAD));
  long timex[26] = {0x8000};
  R("adjtimex-adjtime", syscall(SYS_adjtimex, timex));
  R("settime-bad-clock", syscall(SYS_clock_settime, 99, &ts) == -1 ? 0 : 1);
  struct timeval tv;
  R("gettimeofday", syscall(SYS_gettimeofday, &tv, NULL));
  R("gettimeofday-fault", syscall(SYS_gettimeofday, BAD, NULL));
  T("time-close", labs(time(NULL) - tv.tv_sec) <= 1);
  R("time-fault", syscall(SYS_time, BAD));
  struct tms tm;
  T("times", times(&tm) > 0);
  clock_gettime(CLOCK_MONOTONIC, &ts);
  clock_gettime(CLOCK_MONOTONIC, &t2);
  T("monotonic", t2.tv_sec > ts.tv_sec || t2.tv_nsec >= ts.tv_nsec);
  struct timespec vd, sc;
  clock_gettime(CLOCK_REALTIME, &vd);
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &sc);
  T("vdso-agrees", labs((sc.tv_sec - vd.tv_sec) * 1000 + (sc.tv_nsec - vd.tv_nsec) / 1000000) < 100);
}

static void sleeps(void) {
  struct timespec ts = {0, 20000000}, rem = {9, 9};
  long t0 = now_ms();
  R("nanosleep", nanosleep(&ts, &rem));
  T("nanosleep-long", now_ms() - t0 >= 19);
  V("nanosleep-rem-untouched", rem.tv_sec);
  ts.tv_nsec = 1000000000;
  R("nanosleep-invalid", nanosleep(&ts, NULL));
  ts.tv_sec = -1;
  ts.tv_nsec = 0;
  R("nanosleep-negative", nanosleep(&ts, NULL));
  R("nanosleep-fault", nanosleep(BAD, NULL));
  pthread_t t, self = pthread_self();
  struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &sa, NULL);
  ts.tv_sec = 5;
  pthread_create(&t, NULL, late_kill, &self);
  R("nanosleep-eintr", nanosleep(&ts, &rem));
  pthread_join(t, NULL);
  V("nanosleep-rem", rem.tv_sec);
  signal(SIGUSR2, SIG_IGN);
  ts.tv_sec = 0;
  ts.tv_nsec = 50000000;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  now.tv_nsec += 20000000;
  if (now.tv_nsec >= 1000000000) now.tv_sec++, now.tv_nsec -= 1000000000;
  E("clock-nanosleep-abs", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &now, NULL));
  E("clock-nanosleep-past", clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL));
  R("clock-nanosleep-raw", syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC_RAW, 0, &ts, NULL));
  R("clock-nanosleep-thread", syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL));
  R("clock-nanosleep-bad", syscall(SYS_clock_nanosleep, 99, 0, &ts, NULL));
  R("clock-nanosleep-boottime", syscall(SYS_clock_nanosleep, CLOCK_BOOTTIME, 0, &ts, NULL));
}

static void itimers(void) {
  struct itimerval it = {{0, 0}, {0, 20000}}, old;
  struct sigaction sa = {.sa_handler = handler};
  sigaction(SIGALRM, &sa, NULL);
  sigaction(SIGVTALRM, &sa, NULL);
  sigaction(SIGPROF, &sa, NULL);
  hits = 0;
  R("setitimer", setitimer(ITIMER_REAL, &it, &old));
  V("setitimer-old", old.it_value.tv_sec);
  R("pause", pause());
  V("alarm-hits", hits);
  it.it_interval.tv_usec = 5000;
  setitimer(ITIMER_REAL, &it, NULL);
  for (int i = 0; i < 3; i++) pause();
  R("getitimer", getitimer(ITIMER_REAL, &old));
  V("interval", old.it_interval.tv_usec);
  R("setitimer-null", setitimer(ITIMER_REAL, NULL, &old));
  V("interval-was", old.it_interval.tv_usec);
  hits = 0;
  msleep(20);
  V("disarmed-hits", hits);
  R("setitimer-bad-which", setitimer(5, &it, NULL));
  it.it_value.tv_usec = 1000000;
  R("setitimer-invalid", setitimer(ITIMER_REAL, &it, NULL));
  R("setitimer-fault", setitimer(ITIMER_REAL, BAD, NULL));
  R("getitimer-bad-which", getitimer(-1, &old));
  R("getitimer-fault", getitimer(ITIMER_REAL, BAD));
  it.it_interval.tv_usec = 0;
  it.it_value.tv_usec = 20000;
  setitimer(ITIMER_PROF, &it, NULL);
  // Until the tick that counts CPU time notices: how many ms that takes is the host's business.
  for (int i = 0; i < 40 && hits == 0; i++) burn(50);
  V("prof-hits", hits);
  hits = 0;
  setitimer(ITIMER_VIRTUAL, &it, NULL);
  for (int i = 0; i < 40 && hits == 0; i++) burn(50);
  V("virtual-hits", hits);
  R("alarm", alarm(100));
  R("alarm-left", alarm(0));
  R("alarm-none", alarm(0));
}

static void posix_timers(void) {
  timer_t id;
  struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
  ev.sigev_value.sival_int = 42;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int kid;
  R("timer-create-bad-clock", syscall(SYS_timer_create, 99, NULL, &kid));
  R("timer-create-fault", syscall(SYS_timer_create, CLOCK_MONOTONIC, BAD, &kid));
  R("timer-create-out-fault", syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, BAD));
  ev.sigev_signo = 99;
  R("timer-create-bad-signal", syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &kid));
  ev.sigev_signo = SIGRTMIN;
  R("timer-create", timer_create(CLOCK_MONOTONIC, &ev, &id));
  struct itimerspec its = {{0, 10000000}, {0, 10000000}}, cur;
  R("timer-settime", timer_settime(id, 0, &its, &cur));
  V("timer-old", cur.it_value.tv_nsec);
  siginfo_t si;
  R("sigwaitinfo", sigwaitinfo(&set, &si) == SIGRTMIN ? 0 : 1);
  V("si-code", si.si_code);
  V("si-value", si.si_value.sival_int);
  msleep(45);
  sigwaitinfo(&set, &si);
  T("overrun", si.si_overrun >= 2 && si.si_overrun <= 4);
  T("getoverrun", timer_getoverrun(id) == si.si_overrun);
  R("timer-gettime", timer_gettime(id, &cur));
  T("timer-left", cur.it_value.tv_nsec > 0 && cur.it_value.tv_nsec <= 10000000);
  V("timer-interval", cur.it_interval.tv_nsec);
  its.it_value.tv_nsec = its.it_interval.tv_nsec = 0;
  R("timer-disarm", timer_settime(id, 0, &its, NULL));
  timer_gettime(id, &cur);
  V("timer-disarmed", cur.it_value.tv_nsec);
  its.it_value.tv_nsec = -1;
  R("timer-invalid", timer_settime(id, 0, &its, NULL));
  R("timer-null", syscall(SYS_timer_settime, 0, 0, NULL, NULL));
  R("timer-delete", timer_delete(id));
  R("timer-gone", syscall(SYS_timer_delete, 55));
  R("timer-gettime-gone", syscall(SYS_timer_gettime, 55, &cur));
  ev.sigev_notify = SIGEV_NONE;
  timer_create(CLOCK_REALTIME, &ev, &id);
  its.it_value.tv_nsec = 0;
  its.it_value.tv_sec = 100;
  timer_settime(id, 0, &its, NULL);
  timer_gettime(id, &cur);
  T("none-left", cur.it_value.tv_sec >= 99);
  timer_delete(id);
  R("no-signal-left", sigpending(&set));
}

/* Timers of a thread's own CPU time: one that works is told, one that sleeps is not. */
static volatile int thread_hits[2];
static void thread_handler(int s, siginfo_t *i, void *c) {
  (void)s;
  (void)c;
  thread_hits[i->si_value.sival_int]++;
}
static void *timed(void *works) {
  struct sigevent e = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1, .sigev_value.sival_int = works != NULL};
  e._sigev_un._tid = (int)syscall(SYS_gettid);
  struct itimerspec every = {{0, 10000000}, {0, 10000000}};
  timer_t id;
  timer_create(CLOCK_THREAD_CPUTIME_ID, &e, &id);
  timer_settime(id, 0, &every, NULL);
  struct timespec a, b;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
  do {
    if (!works) msleep(20);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    long used = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
    if (works && used >= 400) break;
  } while (works || !thread_hits[1] || thread_hits[1] < 20);
  timer_delete(id);
  return NULL;
}
static void thread_timers(void) {
  struct sigaction sa = {.sa_sigaction = thread_handler, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGUSR1, &sa, NULL);
  pthread_t works, sleeps;
  pthread_create(&works, NULL, timed, (void *)1);
  pthread_create(&sleeps, NULL, timed, NULL);
  pthread_join(works, NULL);
  T("thread-timer-works", thread_hits[1] >= 20 && thread_hits[1] <= 40);
  thread_hits[1] += 20;
  pthread_join(sleeps, NULL);
  V("thread-timer-sleeps", thread_hits[0]);
}

static void timerfds(void) {
  R("tfd-bad-clock", timerfd_create(3, 0));
  R("tfd-bad-flags", timerfd_create(1, 1));
  int f = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  uint64_t n;
  R("tfd-read-disarmed", read(f, &n, 8));
  R("tfd-read-short", read(f, &n, 4));
  struct itimerspec its = {{0, 10000000}, {0, 10000000}}, cur;
  R("tfd-settime", timerfd_settime(f, 0, &its, &cur));
  struct pollfd p = {f, POLLIN, 0};
  R("tfd-poll", poll(&p, 1, 1000));
  msleep(35);
  R("tfd-read", read(f, &n, 8));
  T("tfd-ticks", n >= 3 && n <= 5);
  R("tfd-read-again", read(f, &n, 8));
  R("tfd-gettime", timerfd_gettime(f, &cur));
  T("tfd-left", cur.it_value.tv_nsec > 0 && cur.it_value.tv_nsec <= 10000000);
  V("tfd-interval", cur.it_interval.tv_nsec);
  its.it_interval.tv_nsec = 0;
  clock_gettime(CLOCK_MONOTONIC, &its.it_value);
  R("tfd-abs-past", timerfd_settime(f, TFD_TIMER_ABSTIME, &its, NULL));
  msleep(5);
  R("tfd-abs-read", read(f, &n, 8));
  V("tfd-abs-ticks", n);
  R("tfd-settime-flags", timerfd_settime(f, 8, &its, NULL));
  its.it_value.tv_nsec = 1000000000;
  R("tfd-settime-invalid", timerfd_settime(f, 0, &its, NULL));
  R("tfd-settime-fault", timerfd_settime(f, 0, BAD, NULL));
  its.it_value.tv_nsec = 0;
  R("tfd-settime-not", timerfd_settime(0, 0, &its, NULL));
  R("tfd-settime-badf", timerfd_settime(NOFD, 0, &its, NULL));
  R("tfd-write", write(f, &n, 8));
  R("tfd-lseek", lseek(f, 0, SEEK_SET));
  int g = timerfd_create(CLOCK_REALTIME, 0);
  its.it_value.tv_sec = 0;
  its.it_value.tv_nsec = 10000000;
  timerfd_settime(g, 0, &its, NULL);
  R("tfd-blocking-read", read(g, &n, 8));
  R("tfd-cancel", timerfd_settime(g, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &its, NULL));
}

static void signalfds(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMIN + 1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  R("sfd-bad-flags", signalfd(-1, &set, 1));
  R("sfd-badf", signalfd(NOFD, &set, 0));
  R("sfd-not", signalfd(0, &set, 0));
  R("sfd-size", syscall(SYS_signalfd4, -1, &set, 4, 0));
  R("sfd-fault", syscall(SYS_signalfd4, -1, BAD, 8, 0));
  int f = signalfd(-1, &set, SFD_NONBLOCK);
  struct signalfd_siginfo si[4];
  R("sfd-empty", read(f, si, sizeof si));
  R("sfd-short", read(f, si, 100));
  kill(getpid(), SIGUSR1);
  union sigval v = {.sival_int = 7};
  sigqueue(getpid(), SIGRTMIN + 1, v);
  pthread_sigqueue(pthread_self(), SIGRTMIN + 1, v);
  struct pollfd p = {f, POLLIN, 0};
  R("sfd-poll", poll(&p, 1, 0));
  R("sfd-read", read(f, si, sizeof si) / (int)sizeof *si);
  for (int i = 0; i < 3; i++)
    printf("sfd-%d: signo %d code %d pid %s int %d\n", i, si[i].ssi_signo, si[i].ssi_code,
           si[i].ssi_pid == (unsigned)getpid() ? "ok" : "?", si[i].ssi_int);
  R("sfd-poll-empty", poll(&p, 1, 0));
  sigaddset(&set, SIGUSR2);
  T("sfd-change", signalfd(f, &set, 0) == f);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGUSR2, SIG_DFL);
  pid_t c = SPAWN({
    msleep(20);
    kill(getppid(), SIGUSR2);
  });
  fcntl(f, F_SETFL, 0);
  R("sfd-blocking", read(f, si, sizeof si));
  V("sfd-blocking-signo", si[0].ssi_signo);
  T("sfd-blocking-pid", si[0].ssi_pid == (unsigned)c);
  waitpid(c, NULL, 0);
}

int main(void) {
  clocks();
  sleeps();
  itimers();
  posix_timers();
  thread_timers();
  timerfds();
  signalfds();
  return 0;
}
