#include "check.h"
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

static volatile int hits, last, nested, code;
static volatile long value;
static void *volatile where;
static sigjmp_buf jump;
static void handler(int s) { hits++; last = s; }
static void info(int s, siginfo_t *i, void *u) { hits++; last = s; code = i->si_code; value = i->si_value.sival_int; where = i->si_addr; (void)u; }
static void leave(int s, siginfo_t *i, void *u) { code = i->si_code; where = i->si_addr; (void)u; siglongjmp(jump, s); }
static void skip(int s, siginfo_t *i, void *u) { ((ucontext_t *)u)->uc_mcontext.gregs[REG_RIP] += 2; hits++; (void)s; (void)i; }
static void masked(int s) { sigset_t m; sigprocmask(SIG_BLOCK, NULL, &m); nested = sigismember(&m, s) * 10 + sigismember(&m, SIGUSR2); }
static void onstack(int s) { char c; stack_t st; sigaltstack(NULL, &st); nested = (char *)st.ss_sp <= &c && &c < (char *)st.ss_sp + st.ss_size; hits = st.ss_flags; (void)s; }
static void set(int s, void (*h)(int), int flags) { struct sigaction a = {.sa_handler = h, .sa_flags = flags}; sigemptyset(&a.sa_mask); sigaction(s, &a, NULL); }
static void seti(int s, void (*h)(int, siginfo_t *, void *), int flags) { struct sigaction a = {.sa_sigaction = h, .sa_flags = flags | SA_SIGINFO}; sigemptyset(&a.sa_mask); sigaction(s, &a, NULL); }
static void later(int us) { struct itimerval t = {{0, 0}, {0, us}}; setitimer(ITIMER_REAL, &t, NULL); }
static void soon(pid_t p, int s, int ms) { struct timespec t = {0, ms * 1000000L}; nanosleep(&t, NULL); kill(p, s); }

int main(void) {
  scratch_dir();
  set(SIGUSR1, handler, 0);
  R("kill self", kill(getpid(), SIGUSR1));
  printf("hits %d last %d\n", hits, last);
  R("kill nobody", kill(4000000, SIGUSR1));
  R("kill bad signal", kill(getpid(), 65));
  R("kill probe", kill(getpid(), 0));
  R("tgkill", syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1));
  R("tgkill wrong group", syscall(SYS_tgkill, 1 + getpid(), syscall(SYS_gettid), SIGUSR1) < 0 ? 0 : 1);
  R("tkill bad", syscall(SYS_tkill, -1, SIGUSR1));
  NUM("hits", hits);
  R("sigaction KILL", (int)(intptr_t)signal(SIGKILL, handler));
  struct sigaction a;
  R("sigaction 0", sigaction(0, NULL, &a));
  R("sigaction 65", syscall(SYS_rt_sigaction, 65, NULL, &a, 8));
  R("sigaction bad size", syscall(SYS_rt_sigaction, SIGUSR1, NULL, &a, 4));
  R("sigaction bad address", syscall(SYS_rt_sigaction, SIGUSR1, BAD, NULL, 8));
  R("sigprocmask bad how", sigprocmask(99, &(sigset_t){}, NULL));
  sigset_t s, o, e;
  sigemptyset(&e);
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1);
  sigprocmask(SIG_BLOCK, &s, &o);
  hits = 0;
  kill(getpid(), SIGUSR1);
  kill(getpid(), SIGUSR1);
  NUM("blocked", hits);
  sigpending(&o);
  NUM("pending", sigismember(&o, SIGUSR1));
  sigprocmask(SIG_UNBLOCK, &s, NULL);
  NUM("delivered once", hits);
  set(SIGRTMIN, handler, 0);
  sigemptyset(&s);
  sigaddset(&s, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &s, NULL);
  hits = 0;
  union sigval v = {.sival_int = 42};
  for (int i = 0; i < 3; i++) sigqueue(getpid(), SIGRTMIN, v);
  sigprocmask(SIG_UNBLOCK, &s, NULL);
  NUM("queued", hits);
  seti(SIGRTMIN, info, 0);
  sigqueue(getpid(), SIGRTMIN, v);
  printf("sigqueue: code %d value %ld\n", code, value);
  seti(SIGUSR1, info, 0);
  kill(getpid(), SIGUSR1);
  NUM("kill's code", code);
  raise(SIGUSR1);
  NUM("raise's code", code);

  struct sigaction m = {.sa_handler = masked};
  sigemptyset(&m.sa_mask);
  sigaddset(&m.sa_mask, SIGUSR2);
  sigaction(SIGUSR1, &m, NULL);
  raise(SIGUSR1);
  NUM("masked in handler", nested);
  m.sa_flags = SA_NODEFER;
  sigaction(SIGUSR1, &m, NULL);
  raise(SIGUSR1);
  NUM("nodefer", nested);
  set(SIGUSR1, handler, SA_RESETHAND);
  raise(SIGUSR1);
  sigaction(SIGUSR1, NULL, &a);
  YES("reset", a.sa_handler == SIG_DFL);
  stack_t st = {.ss_sp = malloc(65536), .ss_size = 65536};
  R("sigaltstack", sigaltstack(&st, NULL));
  set(SIGUSR1, onstack, SA_ONSTACK);
  raise(SIGUSR1);
  printf("on alternate stack: %d flags %d\n", nested, hits);
  set(SIGUSR1, onstack, 0);
  raise(SIGUSR1);
  printf("on normal stack: %d flags %d\n", nested, hits);
  st.ss_size = 10;
  R("tiny stack", sigaltstack(&st, NULL));
  st.ss_flags = 77;
  R("bad flags", sigaltstack(&st, NULL));

  int p[2];
  pipe(p);
  char b;
  set(SIGALRM, handler, 0);
  later(30000);
  R("read interrupted", read(p[0], &b, 1));
  set(SIGALRM, handler, SA_RESTART);
  CHILD("read restarted", {
    if (fork() == 0) {
      struct timespec t = {0, 120000000};
      nanosleep(&t, NULL);
      write(p[1], "x", 1);
      _exit(0);
    }
    hits = 0;
    later(30000);
    R("  read", read(p[0], &b, 1));
    NUM("  hits", hits);
  });
  later(30000);
  R("pause", pause());
  later(30000);
  struct timespec ts = {1, 0}, rem = {0, 0};
  R("nanosleep", nanosleep(&ts, &rem));
  YES("remaining", rem.tv_sec == 0 && rem.tv_nsec > 500000000);
  sigemptyset(&s);
  later(30000);
  R("sigsuspend", sigsuspend(&s));
  sigaddset(&s, SIGUSR2);
  sigprocmask(SIG_BLOCK, &s, NULL);
  kill(getpid(), SIGUSR2);
  siginfo_t si;
  R("sigtimedwait", sigtimedwait(&s, &si, NULL));
  NUM("code", si.si_code);
  ts = (struct timespec){0, 20000000};
  R("timeout", sigtimedwait(&s, &si, &ts));
  ts.tv_nsec = 2000000000;
  R("bad timeout", sigtimedwait(&s, &si, &ts));
  sigprocmask(SIG_UNBLOCK, &s, NULL);

  seti(SIGSEGV, leave, SA_NODEFER);
  seti(SIGBUS, leave, SA_NODEFER);
  seti(SIGFPE, leave, SA_NODEFER);
  seti(SIGILL, leave, SA_NODEFER);
  int got;
  if (!(got = sigsetjmp(jump, 1))) *(volatile int *)16 = 1;
  printf("null: %d code %d address %ld\n", got, code, (long)where);
  char *ro = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (!(got = sigsetjmp(jump, 1))) ro[5] = 1;
  printf("read-only: %d code %d offset %ld\n", got, code, (long)((char *)where - ro));
  if (!(got = sigsetjmp(jump, 1))) ((void (*)(void))ro)();
  printf("not executable: %d code %d offset %ld\n", got, code, (long)((char *)where - ro));
  int fd = file("short", "x");
  char *f = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
  if (!(got = sigsetjmp(jump, 1))) got = f[4096];
  printf("past end of file: %d code %d offset %ld\n", got, code, (long)((char *)where - f));
  volatile int zero = 0;
  if (!(got = sigsetjmp(jump, 1))) zero = 1 / zero;
  printf("division: %d code %d\n", got, code);
  if (!(got = sigsetjmp(jump, 1))) __asm__ volatile("ud2");
  printf("ud2: %d code %d\n", got, code);
  if (!(got = sigsetjmp(jump, 1))) *(volatile int *)0x8000000000000000UL = 1;
  printf("non-canonical: %d code %d\n", got, code);
  seti(SIGILL, skip, 0);
  hits = 0;
  __asm__ volatile("ud2");
  NUM("skipped", hits);
  seti(SIGTRAP, info, 0);
  hits = 0;
  __asm__ volatile("int3");
  printf("int3: %d code %d\n", hits, code);

  CHILD("default TERM", kill(getpid(), SIGTERM));
  CHILD("default KILL", kill(getpid(), SIGKILL));
  CHILD("default SEGV", set(SIGSEGV, SIG_DFL, 0); *(volatile int *)16 = 1);
  CHILD("default CHLD is ignored", set(SIGCHLD, SIG_DFL, 0); kill(getpid(), SIGCHLD));
  CHILD("abort", abort());
  CHILD("ignored SEGV kills", set(SIGSEGV, SIG_IGN, 0); *(volatile int *)16 = 1);
  CHILD("blocked SEGV kills", { set(SIGSEGV, handler, 0); sigaddset(&e, SIGSEGV); sigprocmask(SIG_BLOCK, &e, NULL); *(volatile int *)16 = 1; });
  CHILD("alarm kills", set(SIGALRM, SIG_DFL, 0); later(10000); for (;;) pause());
  CHILD("busy loop is interrupted", set(SIGALRM, SIG_DFL, 0); later(10000); for (;;) {});

  fflush(stdout);
  pid_t kid = fork();
  if (kid == 0) for (;;) pause();
  int status;
  kill(kid, SIGSTOP);
  YES("stopped", waitpid(kid, &status, WUNTRACED) == kid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  kill(kid, SIGCONT);
  YES("continued", waitpid(kid, &status, WCONTINUED) == kid && WIFCONTINUED(status));
  kill(kid, SIGSTOP);
  waitid(P_PID, kid, &si, WSTOPPED | WNOWAIT);
  printf("waitid: code %d status %d\n", si.si_code, si.si_status);
  R("not exited", waitpid(kid, &status, WNOHANG));
  kill(kid, SIGKILL);
  waitpid(kid, &status, 0);
  YES("killed while stopped", WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  seti(SIGCHLD, info, 0);
  CHILD("SIGCHLD", _exit(3));
  printf("SIGCHLD code %d\n", code);
  set(SIGCHLD, SIG_IGN, 0);
  if (fork() == 0) _exit(0);
  R("auto-reaped", wait(NULL));
  set(SIGCHLD, SIG_DFL, 0);
  CHILD("groups", {
    setpgid(0, 0);
    set(SIGUSR1, handler, 0);
    hits = 0;
    R("  kill group", kill(0, SIGUSR1));
    NUM("  hits", hits);
    R("  kill -pgid", kill(-getpid(), SIGUSR1));
    NUM("  hits", hits);
    R("  no such group", kill(-4000000, SIGUSR1));
    setresuid(1000, 1000, 1000);
    R("  denied", kill(getppid(), SIGUSR1));
  });
  CHILD("inherited mask", {
    sigaddset(&e, SIGHUP);
    sigprocmask(SIG_BLOCK, &e, NULL);
    if (fork() == 0) {
      sigprocmask(SIG_BLOCK, NULL, &o);
      R("  child's", sigismember(&o, SIGHUP));
      kill(getpid(), SIGHUP);
      sigpending(&o);
      _exit(0);
    }
    wait(NULL);
    sigpending(&o);
    R("  not the parent's", sigismember(&o, SIGHUP));
  });
  struct itimerval iv;
  later(500000);
  getitimer(ITIMER_REAL, &iv);
  YES("itimer", iv.it_value.tv_usec > 100000);
  later(0);
  R("alarm", alarm(10));
  R("alarm left", alarm(0));
  R("setitimer bad", setitimer(9, &iv, NULL));
  return 0;
}
