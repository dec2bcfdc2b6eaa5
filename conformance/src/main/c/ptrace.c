/* ptrace(2): stops, events, memory, registers, PTRACE_SEIZE and what wait(2) tells of it all. */
#include "conf.h"
#include <elf.h>
#include <linux/ptrace.h>
#include <sys/user.h>
#include <sys/prctl.h>
#define P(r, p, a, d) syscall(SYS_ptrace, (long)(r), (long)(p), (long)(a), (long)(d))

static pid_t child;
static const char *waited(pid_t p) {
  static char b[128];
  int s;
  pid_t r = waitpid(p, &s, __WALL);
  if (r < 0) return err_name(errno);
  if (WIFSTOPPED(s)) {
    snprintf(b, sizeof b, "stopped %s event %d%s", WSTOPSIG(s) & 0x80 ? "syscall" : sig_name(WSTOPSIG(s)), s >> 16, p == -1 || r == p ? "" : " other");
    return b;
  }
  return status_name(s);
}
static long volatile word = 0x1122334455667788;

static void basics(void) {
  R("cont of a stranger", P(PTRACE_CONT, 1, 0, 0));
  R("attach nobody", P(PTRACE_ATTACH, 99999, 0, 0));
  R("attach self", P(PTRACE_ATTACH, getpid(), 0, 0));
  R("seize with an address", P(PTRACE_SEIZE, getppid(), 1, 0));
  child = SPAWN({
    R("traceme", P(PTRACE_TRACEME, 0, 0, 0));
    R("traceme again", P(PTRACE_TRACEME, 0, 0, 0));
    raise(SIGSTOP);
    syscall(SYS_getppid);
    raise(SIGUSR1);
    _exit(7);
  });
  S("first", waited(child));
  R("attach again", P(PTRACE_ATTACH, child, 0, 0));
  siginfo_t si;
  R("siginfo", P(PTRACE_GETSIGINFO, child, 0, &si));
  S("signo", sig_name(si.si_signo));
  V("code", si.si_code);
  R("bad options", P(PTRACE_SETOPTIONS, child, 0, 0x40000000));
  R("options", P(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD));
  long v = 0;
  R("peek", P(PTRACE_PEEKDATA, child, &word, &v));
  H("peeked", v);
  R("poke", P(PTRACE_POKEDATA, child, &word, 0x99));
  P(PTRACE_PEEKDATA, child, &word, &v);
  H("poked", v);
  H("ours", word);
  R("peek nowhere", P(PTRACE_PEEKDATA, child, 8, &v));
  R("poke nowhere", P(PTRACE_POKEDATA, child, 8, 1));
  R("poke text", P(PTRACE_POKETEXT, child, (long)waited & ~7L, 0x1234));
  P(PTRACE_PEEKTEXT, child, (long)waited & ~7L, &v);
  H("text", v);
  R("odd user offset", P(PTRACE_PEEKUSR, child, 3, &v));
  R("far user offset", P(PTRACE_PEEKUSR, child, 100000, &v));
  R("unknown request", P(0x4300, child, 0, 0));
  R("bad signal", P(PTRACE_CONT, child, 0, 100));
  R("listen without seize", P(PTRACE_LISTEN, child, 0, 0));
  R("interrupt without seize", P(PTRACE_INTERRUPT, child, 0, 0));
  R("to the next call", P(PTRACE_SYSCALL, child, 0, 0));
  S("entry or exit", waited(child));
  for (int i = 0; i < 12; i++) {
    struct ptrace_syscall_info x;
    memset(&x, 0, sizeof x);
    long n = P(PTRACE_GET_SYSCALL_INFO, child, sizeof x, &x);
    if (x.op == 1 && x.entry.nr == SYS_getppid) {
      V("info size at entry", n);
      H("arch", x.arch);
      struct user_regs_struct r;
      R("getregs", P(PTRACE_GETREGS, child, 0, &r));
      V("orig_rax", r.orig_rax);
      V("rax", (long)r.rax);
      H("cs", r.cs);
      H("ss", r.ss);
      T("rip", r.rip == x.instruction_pointer);
      r.orig_rax = SYS_getpid;
      R("setregs", P(PTRACE_SETREGS, child, 0, &r));
      P(PTRACE_SYSCALL, child, 0, 0);
      S("exit", waited(child));
      n = P(PTRACE_GET_SYSCALL_INFO, child, sizeof x, &x);
      V("info size at exit", n);
      V("op", x.op);
      T("another call was made", x.exit.rval == child);
      V("is error", x.exit.is_error);
      break;
    }
    P(PTRACE_SYSCALL, child, 0, 0);
    waited(child);
  }
  P(PTRACE_CONT, child, 0, 0);
  S("signal", waited(child));
  R("suppressed", P(PTRACE_CONT, child, 0, 0));
  S("ended", waited(child));
  R("after the end", P(PTRACE_CONT, child, 0, 0));
}

static void steps(void) {
  child = SPAWN({
    P(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    for (;;) getppid();
  });
  waited(child);
  struct user_regs_struct a, b;
  for (int i = 0; i < 5; i++) {
    P(PTRACE_SINGLESTEP, child, 0, 0);
    S("step", waited(child));
  }
  siginfo_t si;
  P(PTRACE_GETSIGINFO, child, 0, &si);
  V("code of a step", si.si_code);
  P(PTRACE_GETREGS, child, 0, &a);
  H("trap flag", a.eflags & 0x100);
  struct iovec v = {&b, sizeof b};
  R("prstatus", P(PTRACE_GETREGSET, child, NT_PRSTATUS, &v));
  V("length", v.iov_len);
  T("the same", !memcmp(&a, &b, sizeof a));
  v.iov_len = 12;
  R("odd length", P(PTRACE_GETREGSET, child, NT_PRSTATUS, &v));
  R("unknown set", P(PTRACE_GETREGSET, child, 0x999, &v));
  struct user_fpregs_struct f, g;
  R("fpregs", P(PTRACE_GETFPREGS, child, 0, &f));
  H("cwd", f.cwd);
  H("mxcsr", f.mxcsr);
  f.xmm_space[0] = 0x12345678;
  R("setfpregs", P(PTRACE_SETFPREGS, child, 0, &f));
  P(PTRACE_GETFPREGS, child, 0, &g);
  H("xmm0", g.xmm_space[0]);
  static char x[8192];
  v.iov_base = x;
  v.iov_len = sizeof x;
  R("xstate", P(PTRACE_GETREGSET, child, NT_X86_XSTATE, &v));
  T("has the header", v.iov_len > 576);
  H("xmm0 there", *(unsigned *)(x + 160));
  H("x87 and sse", *(long *)(x + 464) & 3);
  sigset_t set = 0 ? (sigset_t){0} : (sigset_t){{0}};
  R("sigmask size", P(PTRACE_GETSIGMASK, child, 4, &set));
  R("sigmask", P(PTRACE_GETSIGMASK, child, 8, &set));
  R("kill", P(PTRACE_KILL, child, 0, 0));
  S("killed", waited(child));
}

static int thread(void *x) {
  (void)x;
  syscall(SYS_exit, 3);
  return 0;
}

static void events(void) {
  int p[2];
  pipe(p);
  child = SPAWN({
    P(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    pid_t c = fork();
    if (c == 0) _exit(4);
    waitpid(c, NULL, 0);
    if (vfork() == 0) _exit(5);
    static char stack[65536];
    clone(thread, stack + sizeof stack, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, NULL);
    msleep(100);
    execl("/bin/true", "true", NULL);
    _exit(9);
  });
  waited(child);
  P(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT);
  P(PTRACE_CONT, child, 0, 0);
  int forks = 0, vforks = 0, clones = 0, execs = 0, dones = 0, exits = 0, stops = 0, ends = 0, others = 0;
  for (;;) {
    int s;
    pid_t r = waitpid(-1, &s, __WALL);
    if (r < 0) break;
    if (!WIFSTOPPED(s)) {
      ends++;
      if (r == child) S("leader", status_name(s));
      continue;
    }
    int e = s >> 16, sig = WSTOPSIG(s), give = 0;
    unsigned long m = 0;
    P(PTRACE_GETEVENTMSG, r, 0, &m);
    if (e == PTRACE_EVENT_FORK) forks += m > 1;
    else if (e == PTRACE_EVENT_VFORK) vforks += m > 1;
    else if (e == PTRACE_EVENT_CLONE) clones += m > 1;
    else if (e == PTRACE_EVENT_EXEC) execs += (pid_t)m == r;
    else if (e == PTRACE_EVENT_VFORK_DONE) dones += m > 1;
    else if (e == PTRACE_EVENT_EXIT) exits++;
    else if (sig == SIGSTOP) stops++;
    else others++, give = sig;
    P(PTRACE_CONT, r, 0, give);
  }
  V("forks", forks);
  V("vforks", vforks);
  V("clones", clones);
  V("execs", execs);
  V("vfork dones", dones);
  V("exits", exits);
  V("new children stop", stops);
  V("ends", ends);
}

static void attaching(void) {
  int p[2];
  pipe(p);
  child = SPAWN({
    write(p[1], "x", 1);
    char c;
    for (;;) pause();
  });
  char c;
  read(p[0], &c, 1);
  msleep(30);
  R("attach", P(PTRACE_ATTACH, child, 0, 0));
  S("stopped", waited(child));
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/status", child);
  FILE *f = fopen(path, "r");
  while (fgets(line, sizeof line, f)) {
    if (!strncmp(line, "State:", 6)) printf("%s", line);
    if (!strncmp(line, "TracerPid:", 10)) T("tracer", atoi(line + 10) == getpid());
  }
  fclose(f);
  R("detach", P(PTRACE_DETACH, child, 0, 0));
  R("gone", P(PTRACE_CONT, child, 0, 0));
  R("seize", P(PTRACE_SEIZE, child, 0, PTRACE_O_TRACESYSGOOD));
  int s;
  V("not stopped", waitpid(child, &s, WNOHANG | __WALL));
  R("interrupt", P(PTRACE_INTERRUPT, child, 0, 0));
  S("trapped", waited(child));
  R("cont", P(PTRACE_CONT, child, 0, 0));
  kill(child, SIGSTOP);
  S("signal", waited(child));
  P(PTRACE_CONT, child, 0, SIGSTOP);
  S("group stop", waited(child));
  siginfo_t si;
  R("listen", P(PTRACE_LISTEN, child, 0, 0));
  msleep(20);
  V("listening", waitpid(child, &s, WNOHANG | __WALL));
  kill(child, SIGCONT);
  S("notified", waited(child));
  P(PTRACE_CONT, child, 0, 0);
  S("sigcont", waited(child));
  P(PTRACE_CONT, child, 0, SIGKILL);
  S("killed", waited(child));
}

static void onchld(int s) { (void)s; }
static void waitids(void) {
  signal(SIGCHLD, onchld);
  child = SPAWN({
    P(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGUSR2);
    _exit(1);
  });
  siginfo_t si;
  memset(&si, 0, sizeof si);
  while (waitid(P_PID, child, &si, WSTOPPED | WEXITED) < 0) {}
  V("code", si.si_code);
  V("status", si.si_status);
  P(PTRACE_CONT, child, 0, 0);
  while (waitid(P_PID, child, &si, WEXITED) < 0) {}
  V("code", si.si_code);
}

static void exitkill(void) {
  int p[2], q[2];
  pipe(p);
  pipe(q);
  pid_t victim = SPAWN(close(q[0]); for (;;) pause());
  CHILD("tracer", P(PTRACE_SEIZE, victim, 0, PTRACE_O_EXITKILL));
  int s;
  waitpid(victim, &s, 0);
  S("with its tracer", status_name(s));
}

static void restarted(void) {
  int p[2];
  pipe(p);
  child = SPAWN({
    P(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    char c;
    long n = read(p[0], &c, 1);
    _exit(n == 1 ? c : 99);
  });
  waited(child);
  P(PTRACE_CONT, child, 0, 0);
  msleep(50);
  kill(child, SIGWINCH);
  S("ignored signal is seen", waited(child));
  struct user_regs_struct r;
  P(PTRACE_GETREGS, child, 0, &r);
  V("rax", (long)r.rax);
  V("orig_rax", (long)r.orig_rax);
  P(PTRACE_CONT, child, 0, SIGWINCH);
  write(p[1], "\x2a", 1);
  S("restarted", waited(child));
}

static void procmem(void) {
  child = SPAWN({
    P(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    _exit(word == 5 ? 0 : 1);
  });
  waited(child);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", child);
  int fd = open(path, O_RDWR);
  long v = 0;
  R("read", pread(fd, &v, 8, (off_t)&word));
  H("word", v);
  v = 5;
  R("write", pwrite(fd, &v, 8, (off_t)&word));
  unsigned char t[4];
  R("write text", pwrite(fd, "\xcc\xcc", 2, (off_t)status_name));
  R("read text", pread(fd, t, 2, (off_t)status_name));
  H("text", t[0]);
  R("read nowhere", pread(fd, t, 2, 8));
  P(PTRACE_CONT, child, 0, 0);
  S("ended", waited(child));
}

int main(void) {
  CHILD("basics", basics());
  CHILD("steps", steps());
  CHILD("events", events());
  CHILD("attaching", attaching());
  CHILD("waitid", waitids());
  CHILD("exitkill", exitkill());
  CHILD("restarted", restarted());
  CHILD("procmem", procmem());
  return 0;
}
