/* wait4(2), waitid(2): which child, which event, what is told. */
#include "conf.h"

static void info(const char *name, siginfo_t *si, pid_t p) {
  printf("%s: code %d status %d pid %s uid %d signo %d\n", name, si->si_code, si->si_status, si->si_pid == p ? "ok" : si->si_pid ? "other" : "0", (int)si->si_uid, si->si_signo);
}

static void caught(int n) { (void)n; }

int main(void) {
  int s = 0x55;
  siginfo_t si;
  R("wait-no-child", wait(&s));
  R("waitpid-nohang-no-child", waitpid(-1, &s, WNOHANG));
  R("waitpid-not-a-child", waitpid(1, &s, 0));
  R("waitpid-bad-options", waitpid(-1, &s, 0x1000));
  R("waitid-no-options", waitid(P_ALL, 0, &si, 0));
  R("waitid-bad-idtype", waitid(99, 0, &si, WEXITED));
  R("waitid-pid-zero", waitid(P_PID, 0, &si, WEXITED));
  R("waitid-pidfd-bad", waitid(P_PIDFD, NOFD, &si, WEXITED));
  R("waitid-pidfd-not-a-pidfd", waitid(P_PIDFD, 0, &si, WEXITED));
  R("wait4-int-min", wait4(INT_MIN, &s, 0, NULL));

  pid_t p = SPAWN(pause());
  R("nohang-running", waitpid(p, &s, WNOHANG));
  kill(p, SIGSTOP);
  memset(&si, 0, sizeof si);
  R("waitid-stopped", waitid(P_PID, p, &si, WSTOPPED | WNOWAIT));
  info("stopped-info", &si, p);
  T("waitpid-untraced", waitpid(p, &s, WUNTRACED) == p);
  S("untraced-status", status_name(s));
  R("stop-is-reported-once", waitpid(p, &s, WUNTRACED | WNOHANG));
  kill(p, SIGCONT);
  memset(&si, 0, sizeof si);
  R("waitid-continued", waitid(P_PID, p, &si, WCONTINUED));
  info("continued-info", &si, p);
  kill(p, SIGTERM);
  memset(&si, 0, sizeof si);
  R("waitid-nowait", waitid(P_PID, p, &si, WEXITED | WNOWAIT));
  info("killed-info", &si, p);
  struct rusage ru;
  T("wait4-after-nowait", wait4(p, &s, 0, &ru) == p);
  S("wait4-status", status_name(s));
  R("wait4-again", wait4(p, &s, 0, NULL));

  p = SPAWN(_exit(42));
  memset(&si, 0, sizeof si);
  R("waitid-exited", waitid(P_PID, p, &si, WEXITED));
  info("exited-info", &si, p);
  p = SPAWN(abort());
  waitpid(p, &s, 0);
  S("abort-status", status_name(s));
  memset(&si, 0x11, sizeof si);
  p = SPAWN(pause());
  R("waitid-nohang-nothing", waitid(P_ALL, 0, &si, WEXITED | WNOHANG));
  printf("waitid-nohang-info: pid %d signo %d\n", si.si_pid, si.si_signo);
  kill(p, SIGKILL);
  T("wait4-null-status", wait4(p, NULL, 0, NULL) == p);
  p = SPAWN(_exit(1));
  msleep(30);
  R("wait4-efault", wait4(p, BAD, 0, NULL));
  R("wait4-efault-reaped", wait4(p, &s, WNOHANG, NULL));

  /* process groups */
  p = SPAWN(setpgid(0, 0); _exit(5));
  setpgid(p, p);
  T("wait-group", waitpid(-p, &s, 0) == p);
  S("wait-group-status", status_name(s));
  R("wait-empty-group", waitpid(-p, &s, 0));
  p = SPAWN(_exit(6));
  T("wait-own-group", waitpid(0, &s, 0) == p);

  /* SIGCHLD ignored: children vanish */
  signal(SIGCHLD, SIG_IGN);
  p = SPAWN(_exit(0));
  R("ignored-sigchld", waitpid(p, &s, 0));
  struct sigaction sa = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
  sigaction(SIGCHLD, &sa, NULL);
  p = SPAWN(_exit(0));
  R("nocldwait", wait(&s));
  signal(SIGCHLD, SIG_DFL);
  p = SPAWN(_exit(0));
  T("default-again", wait(&s) == p);

  /* order and many children */
  int sum = 0;
  for (int i = 0; i < 20; i++) SPAWN(_exit(i));
  for (int i = 0; i < 20; i++) {
    wait(&s);
    sum += WEXITSTATUS(s);
  }
  V("twenty-children", sum);
  /* a grandchild is not ours */
  int pp[2];
  pipe(pp);
  p = SPAWN(pid_t g = fork(); if (g == 0) { pause(); } write(pp[1], &g, sizeof g); _exit(0));
  pid_t g;
  read(pp[0], &g, sizeof g);
  R("grandchild", waitpid(g, &s, WNOHANG));
  kill(g, SIGKILL);
  waitpid(p, &s, 0);
  /* a child's own signal does not interrupt the wait for it */
  struct sigaction count = {.sa_handler = caught};
  sigaction(SIGCHLD, &count, NULL);
  int whole = 0;
  for (int i = 0; i < 50; i++) {
    p = SPAWN(usleep(500); _exit(0));
    whole += waitpid(p, &s, 0) == p;
    while (waitpid(p, &s, 0) == p) continue;
  }
  V("waits-not-interrupted", whole);
  signal(SIGCHLD, SIG_DFL);
  struct rusage self, kids;
  R("getrusage-self", getrusage(RUSAGE_SELF, &self));
  R("getrusage-children", getrusage(RUSAGE_CHILDREN, &kids));
  R("getrusage-bad", getrusage(99, &kids));
  R("getrusage-efault", getrusage(RUSAGE_SELF, BAD));
  T("maxrss", self.ru_maxrss > 100);
  return 0;
}
