/* sigaction(2), sigprocmask(2), sigqueue(3), sigtimedwait(2), sigsuspend(2), pause(2), kill(2), tgkill(2), restart. */
#include "conf.h"

static volatile int hits, last, code, value, order[16], norder;
static void h(int s) { hits++, last = s; }
static void hi(int s, siginfo_t *si, void *u) {
  hits++, last = s, code = si->si_code, value = si->si_value.sival_int;
  if (norder < 16) order[norder++] = s;
}
static volatile int inner_blocked, inner_other;
static void hmask(int s) {
  sigset_t m;
  sigprocmask(SIG_BLOCK, NULL, &m);
  inner_blocked = sigismember(&m, s);
  inner_other = sigismember(&m, SIGUSR2);
}
static void set(int s, void (*f)(int), int flags) {
  struct sigaction sa = {.sa_handler = f, .sa_flags = flags};
  sigaction(s, &sa, NULL);
}
static void seti(int s) {
  struct sigaction sa = {.sa_sigaction = hi, .sa_flags = SA_SIGINFO};
  sigfillset(&sa.sa_mask);
  sigaction(s, &sa, NULL);
}
static void kick(pid_t to, int s, int ms) {
  if (fork() == 0) {
    msleep(ms);
    kill(to, s);
    _exit(0);
  }
}
struct ksig { void *handler; unsigned long flags; void *restorer; unsigned long mask; };

int main(void) {
  pid_t me = getpid();
  sigset_t m, o;
  siginfo_t si;
  struct sigaction sa, old;
  /* sigaction */
  R("sigaction-kill", sigaction(SIGKILL, &(struct sigaction){.sa_handler = h}, NULL));
  R("sigaction-stop", sigaction(SIGSTOP, &(struct sigaction){.sa_handler = h}, NULL));
  R("sigaction-kill-read", syscall(SYS_rt_sigaction, SIGKILL, NULL, &(struct ksig){0}, 8));
  R("sigaction-0", syscall(SYS_rt_sigaction, 0, NULL, NULL, 8));
  R("sigaction-65", syscall(SYS_rt_sigaction, 65, NULL, NULL, 8));
  R("sigaction-64", syscall(SYS_rt_sigaction, 64, NULL, NULL, 8));
  R("sigaction-size", syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
  R("sigaction-efault", syscall(SYS_rt_sigaction, SIGUSR1, BAD, NULL, 8));
  R("sigaction-old-efault", syscall(SYS_rt_sigaction, SIGUSR1, NULL, BAD, 8));
  set(SIGUSR1, h, SA_RESTART);
  sigaction(SIGUSR1, NULL, &old);
  T("sigaction-read-back", old.sa_handler == h && (old.sa_flags & SA_RESTART));
  R("raise", raise(SIGUSR1));
  V("handler-ran", hits);
  set(SIGUSR1, h, SA_RESETHAND);
  raise(SIGUSR1);
  sigaction(SIGUSR1, NULL, &old);
  T("resethand", old.sa_handler == SIG_DFL);
  set(SIGUSR1, hmask, 0);
  raise(SIGUSR1);
  V("own-signal-blocked-in-handler", inner_blocked);
  V("other-not-blocked", inner_other);
  sa = (struct sigaction){.sa_handler = hmask, .sa_flags = SA_NODEFER};
  sigemptyset(&sa.sa_mask);
  sigaddset(&sa.sa_mask, SIGUSR2);
  sigaction(SIGUSR1, &sa, NULL);
  raise(SIGUSR1);
  V("nodefer", inner_blocked);
  V("sa-mask", inner_other);
  sigprocmask(SIG_BLOCK, NULL, &m);
  V("mask-restored", sigismember(&m, SIGUSR1) + sigismember(&m, SIGUSR2));

  /* mask */
  R("procmask-bad-how", syscall(SYS_rt_sigprocmask, 9, &(long){0}, NULL, 8));
  R("procmask-bad-how-null", syscall(SYS_rt_sigprocmask, 9, NULL, NULL, 8));
  R("procmask-size", syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, NULL, 4));
  R("procmask-efault", syscall(SYS_rt_sigprocmask, SIG_BLOCK, BAD, NULL, 8));
  long all = -1, got = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8);
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &(long){0}, &got, 8);
  H("block-all", got);
  hits = 0;
  set(SIGUSR1, h, 0);
  sigemptyset(&m);
  sigaddset(&m, SIGUSR1);
  sigaddset(&m, SIGRTMIN);
  sigaddset(&m, SIGRTMIN + 1);
  sigprocmask(SIG_BLOCK, &m, &o);
  for (int i = 0; i < 5; i++) raise(SIGUSR1);
  V("blocked", hits);
  sigset_t p;
  sigpending(&p);
  T("pending", sigismember(&p, SIGUSR1));
  sigprocmask(SIG_SETMASK, &o, NULL);
  V("standard-signal-does-not-queue", hits);

  /* real-time order */
  seti(SIGRTMIN);
  seti(SIGRTMIN + 1);
  seti(SIGUSR1);
  sigprocmask(SIG_BLOCK, &m, &o);
  hits = 0;
  sigqueue(me, SIGRTMIN + 1, (union sigval){.sival_int = 1});
  sigqueue(me, SIGRTMIN, (union sigval){.sival_int = 2});
  sigqueue(me, SIGRTMIN, (union sigval){.sival_int = 3});
  kill(me, SIGUSR1);
  sigprocmask(SIG_SETMASK, &o, NULL);
  V("rt-queue", hits);
  for (int i = 0; i < norder && i < 4; i++) printf("rt-order-%d: %s\n", i, order[i] == SIGUSR1 ? "USR1" : order[i] == SIGRTMIN ? "RT0" : "RT1");
  sigqueue(me, SIGRTMIN, (union sigval){.sival_int = 1234});
  V("sigqueue-value", value);
  V("sigqueue-code", code);
  kill(me, SIGRTMIN);
  V("kill-code", code);
  syscall(SYS_tgkill, me, gettid(), SIGRTMIN);
  V("tgkill-code", code);
  R("sigqueue-bad-signal", sigqueue(me, 99, (union sigval){0}));
  R("sigqueue-nobody", sigqueue(999999, 0, (union sigval){0}));
  memset(&si, 0, sizeof si);
  si.si_code = 1;
  R("rt-sigqueueinfo-forged-other", syscall(SYS_rt_sigqueueinfo, 1, SIGUSR1, &si));

  /* sigtimedwait */
  sigemptyset(&m);
  sigaddset(&m, SIGUSR1);
  sigaddset(&m, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &m, NULL);
  struct timespec ts = {0, 0};
  R("sigtimedwait-nothing", sigtimedwait(&m, &si, &ts));
  sigqueue(me, SIGRTMIN, (union sigval){.sival_int = 77});
  T("sigtimedwait-rt", sigtimedwait(&m, &si, &ts) == SIGRTMIN);
  printf("sigtimedwait-info: code %d value %d pid %s uid %d\n", si.si_code, si.si_value.sival_int, si.si_pid == me ? "ok" : "other", si.si_uid);
  raise(SIGUSR1);
  int n;
  R("sigwait", sigwait(&m, &n));
  S("sigwait-got", sig_name(n));
  ts.tv_nsec = 1000000000;
  R("sigtimedwait-bad-time", sigtimedwait(&m, &si, &ts));
  R("sigtimedwait-efault", syscall(SYS_rt_sigtimedwait, BAD, &si, NULL, 8));
  R("sigtimedwait-size", syscall(SYS_rt_sigtimedwait, &m, &si, NULL, 4));
  ts = (struct timespec){0, 30000000};
  long t0 = now_ms();
  R("sigtimedwait-timeout", sigtimedwait(&m, &si, &ts));
  T("sigtimedwait-waited", now_ms() - t0 >= 30);
  kick(me, SIGUSR1, 20);
  R("sigwaitinfo", sigwaitinfo(&m, &si) == SIGUSR1);
  wait(NULL);
  set(SIGHUP, h, 0);
  kick(me, SIGHUP, 20);
  R("sigwaitinfo-interrupted", sigwaitinfo(&m, &si));
  wait(NULL);
  sigprocmask(SIG_UNBLOCK, &m, NULL);

  /* pause, sigsuspend, nanosleep, read: interruption and restart */
  kick(me, SIGHUP, 20);
  R("pause", pause());
  wait(NULL);
  sigfillset(&m);
  sigdelset(&m, SIGHUP);
  kick(me, SIGHUP, 20);
  R("sigsuspend", sigsuspend(&m));
  wait(NULL);
  R("sigsuspend-size", syscall(SYS_rt_sigsuspend, &m, 4));
  int pp[2];
  pipe(pp);
  char c;
  kick(me, SIGHUP, 20);
  R("read-interrupted", read(pp[0], &c, 1));
  wait(NULL);
  set(SIGHUP, h, SA_RESTART);
  hits = 0;
  kick(me, SIGHUP, 20);
  if (fork() == 0) {
    msleep(60);
    write(pp[1], "x", 1);
    _exit(0);
  }
  R("read-restarted", read(pp[0], &c, 1));
  V("read-restarted-hits", hits);
  wait(NULL);
  wait(NULL);
  struct timespec rem = {9, 9};
  ts = (struct timespec){1, 0};
  kick(me, SIGHUP, 20);
  R("nanosleep-interrupted-even-with-restart", nanosleep(&ts, &rem));
  T("nanosleep-remaining", rem.tv_sec == 0 && rem.tv_nsec > 500000000);
  wait(NULL);
  signal(SIGHUP, SIG_IGN);
  kick(me, SIGHUP, 10);
  ts = (struct timespec){0, 50000000};
  R("nanosleep-ignored-signal", nanosleep(&ts, &rem));
  wait(NULL);
  pid_t ch = SPAWN(struct timespec t = {0, 80000000}; _exit(nanosleep(&t, NULL) ? 1 : 0));
  msleep(10);
  kill(ch, SIGSTOP);
  msleep(10);
  kill(ch, SIGCONT);
  int s;
  waitpid(ch, &s, 0);
  S("nanosleep-stop-and-continue", status_name(s));

  /* default actions */
  for (int i = 0, sg[] = {SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT, SIGCHLD, SIGCONT, SIGURG, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH, SIGIO, SIGPWR, SIGSYS, 34, 64}; i < 28; i++) {
    char nm[64];
    snprintf(nm, sizeof nm, "default-%s", sig_name(sg[i]));
    CHILD(nm, signal(sg[i], SIG_DFL); kill(getpid(), sg[i]); _exit(0));
  }
  /* kill */
  R("kill-0-self", kill(me, 0));
  R("kill-bad-signal", kill(me, 65));
  R("kill-negative-signal", kill(me, -1));
  R("kill-nobody", kill(999999, 0));
  R("kill-int-min", kill(INT_MIN, 0));
  R("kill-empty-group", kill(-999999, 0));
  R("tkill-negative", syscall(SYS_tkill, -1, 0));
  R("tgkill-negative", syscall(SYS_tgkill, 0, me, 0));
  R("tgkill-wrong-group", syscall(SYS_tgkill, 1, me, 0));
  CHILD("kill-not-permitted", setuid(1000); _exit(kill(getppid(), 0) == -1 && errno == EPERM));
  CHILD("kill-same-uid", setuid(1000); pid_t q = fork(); if (!q) pause(); kill(q, SIGTERM); int st; waitpid(q, &st, 0); _exit(WTERMSIG(st)));
  CHILD("kill-group", setpgid(0, 0); for (int i = 0; i < 3; i++) if (!fork()) { pause(); } signal(SIGTERM, SIG_IGN); msleep(20); kill(0, SIGTERM); int k = 0, st; while (wait(&st) > 0) k += WTERMSIG(st) == SIGTERM; _exit(k));
  R("kill-zombie", ({ pid_t z = SPAWN(_exit(0)); msleep(20); int r = kill(z, SIGTERM); waitpid(z, NULL, 0); r; }));

  /* faults */
  CHILD("segv-null", signal(SIGSEGV, SIG_DFL); *(volatile int *)0 = 1);
  CHILD("segv-blocked-still-kills", sigset_t q; sigfillset(&q); sigprocmask(SIG_BLOCK, &q, NULL); *(volatile int *)0 = 1);
  CHILD("segv-ignored-still-kills", signal(SIGSEGV, SIG_IGN); *(volatile int *)0 = 1);
  CHILD("fpe", volatile int z = 0; _exit(1 / z));
  CHILD("ill", __asm__ volatile("ud2"));
  CHILD("trap", __asm__ volatile("int3"));
  CHILD("privileged", __asm__ volatile("hlt"));
  CHILD("sigpipe", int q[2]; pipe(q); close(q[0]); write(q[1], "x", 1));
  CHILD("sigpipe-ignored", int q[2]; pipe(q); close(q[0]); signal(SIGPIPE, SIG_IGN); _exit(write(q[1], "x", 1) == -1 && errno == EPIPE));
  return 0;
}
