/* seccomp(2): modes, programs, actions, threads, listeners. */
#include "conf.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#define seccomp(o, f, a) syscall(SYS_seccomp, o, f, a)
#define N(x) (sizeof(x) / sizeof *(x))
#define LD(o) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, o)
#define RET(v) BPF_STMT(BPF_RET | BPF_K, v)
#define EQ(v, t, f) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v, t, f)

static long install(struct sock_filter *f, int n, int flags) {
  struct sock_fprog p = {n, f};
  return seccomp(SECCOMP_SET_MODE_FILTER, flags, &p);
}
/* Returns `action` for call `nr`, and lets the others through. */
static long one(int nr, unsigned action, int flags) {
  struct sock_filter f[] = {LD(offsetof(struct seccomp_data, nr)), EQ(nr, 0, 1), RET(action), RET(SECCOMP_RET_ALLOW)};
  return install(f, N(f), flags);
}
#define NNP prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)

static void line(const char *key) {
  FILE *f = fopen("/proc/self/status", "r");
  char b[256];
  while (fgets(b, sizeof b, f))
    if (!strncmp(b, key, strlen(key))) printf("%s", b);
  fclose(f);
}

static void programs(void) {
  NNP;
  struct sock_filter a[] = {RET(SECCOMP_RET_ALLOW)};
  R("no instructions", install(a, 0, 0));
  R("too many", install(a, 5000, 0));
  R("bad address", install(BAD, 1, 0));
  R("null", seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL));
  R("flags", install(a, 1, 1 << 20));
  R("tsync and listener", install(a, 1, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER));
  R("killable without listener", install(a, 1, 1 << 5));
  R("operation", seccomp(99, 0, NULL));
  struct sock_filter b[] = {LD(0)};
  R("no return", install(b, 1, 0));
  struct sock_filter c[] = {LD(64), RET(0)};
  R("past the data", install(c, 2, 0));
  struct sock_filter d[] = {LD(2), RET(0)};
  R("unaligned", install(d, 2, 0));
  struct sock_filter e[] = {BPF_STMT(BPF_JMP | BPF_JA, 5), RET(0)};
  R("jump out", install(e, 2, 0));
  struct sock_filter g[] = {BPF_STMT(BPF_LD | BPF_MEM, 3), RET(0)};
  R("load before store", install(g, 2, 0));
  struct sock_filter h[] = {BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RET(0)};
  R("division by 0", install(h, 2, 0));
  struct sock_filter i[] = {BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RET(0)};
  R("shift", install(i, 2, 0));
  struct sock_filter j[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RET(0)};
  R("byte load", install(j, 2, 0));
  struct sock_filter k[] = {BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RET(0)};
  R("modulo", install(k, 2, 0));
  /* 3 * 7 - 1 = 20, xor 0x15 = 1, kept in memory and back */
  struct sock_filter m[] = {
      LD(offsetof(struct seccomp_data, nr)), EQ(SYS_getuid, 1, 0), RET(SECCOMP_RET_ALLOW), BPF_STMT(BPF_LD | BPF_IMM, 3), BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 7),
      BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 1), BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 0x15), BPF_STMT(BPF_ST, 2), BPF_STMT(BPF_LDX | BPF_MEM, 2), BPF_STMT(BPF_LD | BPF_IMM, SECCOMP_RET_ERRNO),
      BPF_STMT(BPF_ALU | BPF_OR | BPF_X, 0), BPF_STMT(BPF_RET | BPF_A, 0)};
  R("arithmetic", install(m, N(m), 0));
  R("its errno", syscall(SYS_getuid));
  line("Seccomp");
  for (int z = 0; z < 4; z++) install(a, 1, 0);
  line("Seccomp_filters");
}

static void actions(void) {
  unsigned known[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO, SECCOMP_RET_USER_NOTIF, SECCOMP_RET_TRACE, SECCOMP_RET_LOG, SECCOMP_RET_ALLOW, 0x12340000};
  for (unsigned i = 0; i < N(known); i++) R("available", seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &known[i]));
  struct seccomp_notif_sizes z;
  R("sizes", seccomp(SECCOMP_GET_NOTIF_SIZES, 0, &z));
  printf("are: %d %d %d\n", z.seccomp_notif, z.seccomp_notif_resp, z.seccomp_data);
  CHILD("errno", NNP; one(SYS_getppid, SECCOMP_RET_ERRNO | 42, 0); R("getppid", syscall(SYS_getppid)); R("getpid is fine", syscall(SYS_getpid) < 0));
  CHILD("errno 0", NNP; one(SYS_getppid, SECCOMP_RET_ERRNO, 0); R("getppid", syscall(SYS_getppid)));
  CHILD("errno large", NNP; one(SYS_getppid, SECCOMP_RET_ERRNO | 0xffff, 0); V("getppid", syscall(SYS_getppid)); V("errno", errno));
  CHILD("strictest counts", NNP; one(SYS_getppid, SECCOMP_RET_ERRNO | 5, 0); one(SYS_getppid, SECCOMP_RET_LOG, 0); one(SYS_getppid, SECCOMP_RET_ERRNO | 6, 0); R("getppid", syscall(SYS_getppid)));
  CHILD("kill process", NNP; one(SYS_getppid, SECCOMP_RET_KILL_PROCESS, 0); syscall(SYS_getppid); _exit(1));
  CHILD("kill thread", NNP; one(SYS_getppid, SECCOMP_RET_KILL_THREAD, 0); syscall(SYS_getppid); _exit(1));
  CHILD("unknown action", NNP; one(SYS_getppid, 0x12340000, 0); syscall(SYS_getppid); _exit(1));
  CHILD("trace without tracer", NNP; one(SYS_getppid, SECCOMP_RET_TRACE, 0); R("getppid", syscall(SYS_getppid)));
  CHILD("log", NNP; one(SYS_getppid, SECCOMP_RET_LOG, 0); R("getppid", syscall(SYS_getppid) > 0));
  CHILD("getpid", NNP; getpid(); one(SYS_getpid, SECCOMP_RET_ERRNO | 7, 0); R("answered by nobody", syscall(SYS_getpid)));
  CHILD("strict", seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL); syscall(SYS_write, 1, "strict: written\n", 16); syscall(SYS_exit, 3));
  CHILD("strict getpid", prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT); syscall(SYS_getpid); syscall(SYS_exit, 3));
  CHILD("strict with flags", R("set", seccomp(SECCOMP_SET_MODE_STRICT, 1, NULL)));
  CHILD("prctl", NNP; R("mode", prctl(PR_GET_SECCOMP)); struct sock_filter a[] = {RET(SECCOMP_RET_ALLOW)}; struct sock_fprog p = {1, a}; R("set", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p)); R("mode", prctl(PR_GET_SECCOMP)); R("back to strict", prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT)); R("nonsense", prctl(PR_SET_SECCOMP, 9)));
  CHILD("rights", setresuid(9, 9, 9); struct sock_filter a[] = {RET(SECCOMP_RET_ALLOW)}; R("without", install(a, 1, 0)); NNP; R("with", install(a, 1, 0)));
  CHILD("by argument", NNP; struct sock_filter f[] = {LD(0), EQ(SYS_dup, 0, 3), LD(offsetof(struct seccomp_data, args[0])), EQ(77, 0, 1), RET(SECCOMP_RET_ERRNO | 9), RET(SECCOMP_RET_ALLOW)};
        install(f, N(f), 0); R("dup 77", syscall(SYS_dup, 77)); OK("dup 1", syscall(SYS_dup, 1)));
  CHILD("arch", NNP; struct sock_filter f[] = {LD(4), EQ(AUDIT_ARCH_X86_64, 1, 0), RET(SECCOMP_RET_KILL_PROCESS), RET(SECCOMP_RET_ALLOW)}; R("set", install(f, N(f), 0)); R("alive", 0));
  CHILD("inherited", NNP; one(SYS_getppid, SECCOMP_RET_ERRNO | 4, 0); CHILD("child", R("getppid", syscall(SYS_getppid))));
}

static void handler(int s, siginfo_t *i, void *u) {
  printf("caught: %s code %d errno %d syscall %d arch %x\n", sig_name(s), i->si_code, i->si_errno, i->si_syscall, i->si_arch);
  T("where", i->si_call_addr != NULL);
}
static void trap(void) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGSYS, &a, NULL);
  NNP;
  one(SYS_getppid, SECCOMP_RET_TRAP | 33, 0);
  V("returns", syscall(SYS_getppid));
  signal(SIGSYS, SIG_DFL);
  syscall(SYS_getppid);
}

static void *sleeper(void *x) {
  while (!*(volatile int *)x) msleep(5);
  return (void *)syscall(SYS_getppid);
}
static void threads(void) {
  volatile int go = 0;
  pthread_t t;
  void *r;
  NNP;
  pthread_create(&t, NULL, sleeper, (void *)&go);
  R("tsync", one(SYS_getppid, SECCOMP_RET_ERRNO | 3, SECCOMP_FILTER_FLAG_TSYNC));
  go = 1;
  pthread_join(t, &r);
  V("other thread", (long)r);
}

static void traced(void) {
  pid_t c = SPAWN({
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    NNP;
    raise(SIGSTOP);
    one(SYS_getppid, SECCOMP_RET_TRACE | 55, 0);
    long r = syscall(SYS_getppid);
    _exit(r == 1234);
  });
  int s;
  waitpid(c, &s, 0);
  ptrace(PTRACE_SETOPTIONS, c, 0, PTRACE_O_TRACESECCOMP);
  ptrace(PTRACE_CONT, c, 0, 0);
  waitpid(c, &s, 0);
  H("event", s);
  unsigned long m;
  ptrace(PTRACE_GETEVENTMSG, c, 0, &m);
  V("message", m);
  V("orig_rax", ptrace(PTRACE_PEEKUSER, c, 15 * 8, 0));
  ptrace(PTRACE_POKEUSER, c, 15 * 8, -1);
  ptrace(PTRACE_POKEUSER, c, 10 * 8, 1234);
  ptrace(PTRACE_CONT, c, 0, 0);
  waitpid(c, &s, 0);
  S("ended", status_name(s));
}

static void listener(void) {
  NNP;
  int fd = one(SYS_getppid, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
  OK("listener", fd);
  R("another", one(SYS_getppid, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER));
  V("cloexec", fcntl(fd, F_GETFD));
  pid_t c = SPAWN({
    V("first", syscall(SYS_getppid));
    errno = 0;
    R("second", syscall(SYS_getppid));
    R("third", syscall(SYS_getppid) > 1);
    int n = syscall(SYS_getppid);
    T("descriptor", fcntl(n, F_GETFD) >= 0);
  });
  struct seccomp_notif q;
  struct seccomp_notif_resp a;
  for (int i = 0; i < 4; i++) {
    struct pollfd p = {fd, POLLIN};
    poll(&p, 1, 2000);
    if (!i) H("poll", p.revents);
    memset(&q, 0, sizeof q);
    if (!i) {
      q.flags = 1;
      R("dirty buffer", ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &q));
      q.flags = 0;
    }
    R("receive", ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &q));
    if (!i) {
      T("pid", q.pid == c);
      V("nr", q.data.nr);
      uint64_t id = q.id + 99;
      R("valid", ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &q.id));
      R("invalid", ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id));
      memset(&a, 0, sizeof a);
      a.id = id;
      R("reply to nobody", ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &a));
    }
    memset(&a, 0, sizeof a);
    a.id = q.id;
    if (i == 0) a.val = 4321;
    if (i == 1) a.error = -EXDEV;
    if (i == 2) a.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    if (i == 3) {
      struct seccomp_notif_addfd d = {.id = q.id, .srcfd = 1, .flags = SECCOMP_ADDFD_FLAG_SEND};
      T("addfd", ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &d) >= 0);
      break;
    }
    R("reply", ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &a));
    msleep(20);
    if (i == 0) R("reply again", ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &a) < 0);
  }
  waitpid(c, NULL, 0);
  R("unknown", ioctl(fd, 0x1234, 0));
  close(fd);
  R("nobody listens", syscall(SYS_getppid));
}

int main(void) {
  CHILD("programs", programs());
  actions();
  CHILD("trap", trap());
  CHILD("threads", threads());
  CHILD("traced", traced());
  CHILD("listener", listener());
  return 0;
}
