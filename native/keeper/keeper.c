// The keeper: parent of all stubs of a sandbox. It holds their one descriptor table, installs the one
// seccomp filter that they inherit, forks fresh stubs, takes descriptors from the sentry and tells
// it of each stub's death.
//
//   keeper FD              FD is a SOCK_SEQPACKET socket to the sentry
//   keeper --listen PATH   for tests: waits for one connection at a Unix socket of that name
//
// Its data and its own text are not inherited by stubs (MADV_DONTFORK); the token is in its data,
// in the map threads' registers and in the kernel's copy of the filter, nowhere else.
#include "layout.h"

typedef unsigned short u16;
typedef unsigned char u8;

enum {
  NR_read = 0, NR_write = 1, NR_close = 3, NR_poll = 7, NR_mmap = 9, NR_mprotect = 10, NR_munmap = 11,
  NR_rt_sigaction = 13, NR_rt_sigprocmask = 14, NR_rt_sigreturn = 15, NR_mremap = 25, NR_msync = 26,
  NR_madvise = 28, NR_socket = 41, NR_accept = 43, NR_sendmsg = 46, NR_recvmsg = 47, NR_bind = 49,
  NR_listen = 50, NR_clone = 56, NR_execve = 59, NR_exit = 60, NR_wait4 = 61, NR_kill = 62, NR_fcntl = 72,
  NR_unlink = 87, NR_getppid = 110, NR_personality = 135, NR_mlock = 149, NR_munlock = 150,
  NR_openat = 257, NR_prctl = 157, NR_arch_prctl = 158, NR_setrlimit = 160, NR_futex = 202, NR_sched_yield = 24, NR_clock_gettime = 228, NR_exit_group = 231,
  NR_signalfd4 = 289, NR_dup3 = 292, NR_seccomp = 317, NR_getrandom = 318, NR_close_range = 436, NR_mseal = 462,
};

extern char stub_priv_start[], stub_priv_end[], stub_sigreturn_end[], stub_futex_end[], stub_yield_end[], stub_exit_end[];
extern char stub_arch_prctl_end[], stub_restorer[];
extern char keeper_private_start[], keeper_private_end[], keeper_syscall_end[];
extern char stub_thread_start[], stub_entry[], stub_answers[];
extern void stub_handler(void);
extern long stub_spawn(u64 token, u64 request_offset);
extern long keeper_syscall(long nr, long a0, long a1, long a2, long a3, long a4, u64 token);

// Where the kernel puts the initial stack of a program that is not randomised.
#define STACK_LOW 0x7fffff000000
#define STACK_HIGH 0x7ffffffff000

static u64 token;

static long sys(long nr, long a0, long a1, long a2, long a3, long a4) {
  return keeper_syscall(nr, a0, a1, a2, a3, a4, token);
}

static u64 length(const char *s) {
  u64 n = 0;
  while (s[n]) {
    n++;
  }
  return n;
}

static int same(const char *a, const char *b) {
  while (*a && *a == *b) {
    a++, b++;
  }
  return *a == *b;
}

__attribute__((noreturn)) static void fail(const char *what, long result) {
  char line[128];
  const char *prefix = "keeper: ";
  u32 n = 0;
  while (*prefix) {
    line[n++] = *prefix++;
  }
  while (*what && n < 100) {
    line[n++] = *what++;
  }
  line[n++] = ':', line[n++] = ' ';
  line[n++] = 'e', line[n++] = 'r', line[n++] = 'r', line[n++] = 'n', line[n++] = 'o', line[n++] = ' ';
  long e = -result;
  if (e >= 100) {
    line[n++] = '0' + e / 100 % 10;
  }
  if (e >= 10) {
    line[n++] = '0' + e / 10 % 10;
  }
  line[n++] = '0' + e % 10;
  line[n++] = '\n';
  sys(NR_write, 2, (long)line, n, 0, 0);
  sys(NR_exit_group, 1, 0, 0, 0, 0);
  __builtin_unreachable();
}

static long must(const char *what, long result) {
  if (result < 0 && result > -4096) {
    fail(what, result);
  }
  return result;
}

// ---- the filter ----

struct insn {
  u16 code;
  u8 jt, jf;
  u32 k;
};

static struct insn program[128];
static u32 program_length;

static void emit(u16 code, u32 k, u8 jt, u8 jf) {
  if (program_length == sizeof program / sizeof program[0]) {
    fail("the filter is too long", -7);
  }
  program[program_length++] = (struct insn){code, jt, jf, k};
}

#define ALLOW 0x7fff0000u
#define TRAP 0x00030000u
#define KILL 0x80000000u
#define LD(offset) emit(0x20, (offset), 0, 0)
#define RET(what) emit(0x06, (what), 0, 0)
#define JEQ(k, t, f) emit(0x15, (k), (t), (f))
#define JGT(k, t, f) emit(0x25, (k), (t), (f))
#define ARG_LO(i) (16 + 8 * (i))
#define ARG_HI(i) (20 + 8 * (i))

// At a guest site: `nr` with `check` already emitted by the caller ends in ALLOW, all else traps.
static void build_filter(void) {
  u32 low = (u32)token, high = (u32)(token >> 32);
  LD(4);
  JEQ(0xc000003e, 1, 0);
  RET(TRAP);
  LD(12);
  JEQ((u32)(TEXT_VA >> 32), 1, 0);
  RET(TRAP);
  LD(8);

  // futex(word, WAIT or WAKE)
  JEQ((u32)(u64)stub_futex_end, 0, 6);
  LD(0);
  JEQ(NR_futex, 0, 3);
  LD(ARG_LO(1));
  JGT(1, 1, 0);
  RET(ALLOW);
  RET(TRAP);

  // rt_sigreturn()
  JEQ((u32)(u64)stub_sigreturn_end, 0, 4);
  LD(0);
  JEQ(NR_rt_sigreturn, 0, 1);
  RET(ALLOW);
  RET(TRAP);

  // sched_yield(): no kernel of ours knows better who else would run
  JEQ((u32)(u64)stub_yield_end, 0, 4);
  LD(0);
  JEQ(NR_sched_yield, 0, 1);
  RET(ALLOW);
  RET(TRAP);

  // exit(): of the calling thread
  JEQ((u32)(u64)stub_exit_end, 0, 4);
  LD(0);
  JEQ(NR_exit, 0, 1);
  RET(ALLOW);
  RET(TRAP);

  // arch_prctl(ARCH_SET_GS or ARCH_SET_FS, address)
  JEQ((u32)(u64)stub_arch_prctl_end, 0, 7);
  LD(0);
  JEQ(NR_arch_prctl, 0, 4);
  LD(ARG_LO(0));
  JEQ(0x1001, 1, 0);
  JEQ(0x1002, 0, 1);
  RET(ALLOW);
  RET(TRAP);

  // The keeper's own site: not mapped in stubs, and the token besides.
  JEQ((u32)(u64)keeper_syscall_end, 0, 6);
  LD(ARG_LO(5));
  JEQ(low, 0, 3);
  LD(ARG_HI(5));
  JEQ(high, 0, 1);
  RET(ALLOW);
  RET(KILL);

  // Privileged text: anywhere else traps.
  JGT((u32)(u64)stub_priv_start, 1, 0);
  RET(TRAP);
  JGT((u32)(u64)stub_priv_end, 0, 1);
  RET(TRAP);
  LD(0);
  JEQ(NR_mmap, 0, 6);
  LD(ARG_HI(4)); // fd
  JEQ(low, 0, 3);
  LD(ARG_HI(3)); // flags
  JEQ(high, 0, 1);
  RET(ALLOW);
  RET(KILL);
  LD(ARG_LO(5));
  JEQ(low, 1, 0);
  RET(KILL);
  LD(ARG_HI(5));
  JEQ(high, 1, 0);
  RET(KILL);
  LD(0);
  static const u16 plain[] = {NR_munmap, NR_mprotect, NR_madvise, NR_mremap, NR_futex, NR_clone,
                              NR_msync, NR_mlock, NR_munlock, NR_getppid, NR_exit_group};
  for (u32 i = 0; i < sizeof plain / sizeof plain[0]; i++) {
    JEQ(plain[i], 0, 1);
    RET(ALLOW);
  }
  // write(FD_ACK, …)
  JEQ(NR_write, 0, 3);
  LD(ARG_LO(0));
  JEQ(FD_ACK, 0, 1);
  RET(ALLOW);
  // prctl(PR_SET_PDEATHSIG, …)
  LD(0);
  JEQ(NR_prctl, 0, 3);
  LD(ARG_LO(0));
  JEQ(1, 0, 1);
  RET(ALLOW);
  RET(KILL);
}

// ---- set-up ----

static void cpuid(u32 leaf, u32 sub, u32 *a, u32 *b, u32 *c, u32 *d) {
  __asm__ volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "a"(leaf), "c"(sub));
}

// Bytes that the kernel's signal frame needs for the FP state: all features of XCR0 but those
// that a process must ask for (AMX tile data), and the closing magic word.
static u32 fp_bytes(void) {
  u32 a, b, c, d;
  cpuid(1, 0, &a, &b, &c, &d);
  if (!(c & (1u << 27))) {
    return 512;
  }
  u32 lo, hi;
  __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
  u32 most = 576;
  for (u32 i = 2; i < 32; i++) {
    if (i == 18 || !(lo & (1u << i))) {
      continue;
    }
    cpuid(0xd, i, &a, &b, &c, &d);
    if (!(c & 1) && a + b > most) {
      most = a + b;
    }
  }
  return most + 4;
}

// Nanoseconds of 1000 PAUSE instructions: from 10 to 140 cycles each, by CPU.
static u32 pause_ns(void) {
  u64 best = 1000000;
  for (int round = 0; round < 3; round++) {
    u64 before[2], after[2];
    sys(NR_clock_gettime, 1, (long)before, 0, 0, 0);
    for (int i = 0; i < 256; i++) {
      __builtin_ia32_pause();
    }
    sys(NR_clock_gettime, 1, (long)after, 0, 0, 0);
    u64 ns = (after[0] - before[0]) * 1000000000 + after[1] - before[1];
    if (ns < best) {
      best = ns;
    }
  }
  return best * 1000 / 256 + 1;
}

struct sigaction {
  void (*handler)(void);
  u64 flags;
  void *restorer;
  u64 mask;
};

static void install_handlers(void) {
  static const int signals[] = {4, 5, 7, 8, 10, 11, 31};
  for (u32 i = 0; i < sizeof signals / sizeof signals[0]; i++) {
    struct sigaction action = {
        .handler = stub_handler,
        .flags = 4 | 0x04000000 | 0x08000000 | 0x40000000, // SIGINFO RESTORER ONSTACK NODEFER
        .restorer = stub_restorer,
        .mask = 1UL << (10 - 1), // SIGUSR1 waits until the handler is through
    };
    must("rt_sigaction", sys(NR_rt_sigaction, signals[i], (long)&action, 0, 8, 0));
  }
  u64 all = ~0UL;
  must("rt_sigprocmask", sys(NR_rt_sigprocmask, 2, (long)&all, 0, 8, 0));
}

struct iov {
  void *base;
  u64 length;
};

struct msghdr {
  void *name;
  u32 name_length;
  u32 pad;
  struct iov *iov;
  u64 iov_count;
  void *control;
  u64 control_length;
  u64 flags;
};

struct rights {
  u64 length;
  int level;
  int type;
  int fds[4];
};

static void tell3(u32 type, u32 id, s64 a, s64 b, s64 c) {
  struct message m = {type, id, a, b, c};
  struct iov iov = {&m, sizeof m};
  struct msghdr h = {0, 0, 0, &iov, 1, 0, 0, 0};
  long r;
  do {
    r = sys(NR_sendmsg, FD_SENTRY, (long)&h, 0x4000, 0, 0); // MSG_NOSIGNAL
  } while (r == -4);
  if (r < 0) {
    sys(NR_exit_group, 0, 0, 0, 0, 0); // the sentry is gone
  }
}

static void tell(u32 type, u32 id, s64 a, s64 b) {
  tell3(type, id, a, b, 0);
}

// Receives one message; returns the number of descriptors with it, or -1 at the end.
static int hear(struct message *m, int *fds) {
  struct rights rights;
  struct iov iov = {m, sizeof *m};
  struct msghdr h = {0, 0, 0, &iov, 1, &rights, sizeof rights, 0};
  long r;
  do {
    r = sys(NR_recvmsg, FD_SENTRY, (long)&h, 0x40000000, 0, 0); // MSG_CMSG_CLOEXEC
  } while (r == -4);
  if (r != sizeof *m) {
    return -1;
  }
  int n = 0;
  if (h.control_length >= 16 && rights.level == 1 && rights.type == 1) {
    n = (int)((rights.length - 16) / 4);
    for (int i = 0; i < n; i++) {
      fds[i] = rights.fds[i];
    }
  }
  return n;
}

static int listen_at(const char *path) {
  struct {
    u16 family;
    char path[108];
  } address = {1, {0}};
  u64 n = length(path);
  if (n > 100) {
    fail("socket path is too long", -36);
  }
  for (u64 i = 0; i < n; i++) {
    address.path[i] = path[i];
  }
  long s = must("socket", sys(NR_socket, 1, 5 | 02000000, 0, 0, 0));
  must("bind", sys(NR_bind, s, (long)&address, 2 + n + 1, 0, 0));
  must("listen", sys(NR_listen, s, 1, 0, 0, 0));
  long c = must("accept", sys(NR_accept, s, 0, 0, 0, 0));
  sys(NR_close, s, 0, 0, 0, 0);
  sys(NR_unlink, (long)path, 0, 0, 0, 0);
  return (int)c;
}

static void reap(void) {
  char info[128];
  sys(NR_read, FD_SIGNAL, (long)info, sizeof info, 0, 0);
  for (;;) {
    int status = 0;
    long pid = sys(NR_wait4, -1, (long)&status, 1 | 0x40000000, 0, 0); // WNOHANG __WALL
    if (pid <= 0) {
      return;
    }
    tell(MSG_DEATH, 0, pid, status);
  }
}

// ---- what the host counts of a stub ----

static char *put(char *at, const char *s) {
  while (*s) {
    *at++ = *s++;
  }
  *at = 0;
  return at;
}

static char *put_number(char *at, u64 v) {
  char digits[20];
  u32 n = 0;
  do {
    digits[n++] = '0' + v % 10;
    v /= 10;
  } while (v);
  while (n) {
    *at++ = digits[--n];
  }
  *at = 0;
  return at;
}

// The first `count` numbers of a file below /proc; 0 or -errno.
static long read_numbers(const char *path, u64 *numbers, u32 count) {
  char text[256];
  long fd = sys(NR_openat, FD_PROC, (long)path, 02000000, 0, 0);
  if (fd < 0) {
    return fd;
  }
  long n = sys(NR_read, fd, (long)text, sizeof text - 1, 0, 0);
  sys(NR_close, fd, 0, 0, 0, 0);
  if (n < 0) {
    return n;
  }
  text[n] = 0;
  char *at = text;
  for (u32 i = 0; i < count; i++) {
    while (*at == ' ') {
      at++;
    }
    for (numbers[i] = 0; *at >= '0' && *at <= '9'; at++) {
      numbers[i] = numbers[i] * 10 + *at - '0';
    }
  }
  return 0;
}

// proc_pid_statm(5): size, resident, shared.
static void answer_statm(struct message *m) {
  char path[64];
  u64 numbers[3] = {0};
  put(put_number(path, m->a), "/statm");
  long r = read_numbers(path, numbers, 3);
  tell(MSG_ANSWER, m->id, r < 0 ? r : (s64)numbers[1], numbers[2]);
}

// The first number of a thread's schedstat is the time that it has run.
static void answer_cpu(struct message *m) {
  char path[64];
  u64 ns = 0;
  put(put_number(put(put_number(path, m->a), "/task/"), m->b), "/schedstat");
  long r = read_numbers(path, &ns, 1);
  tell(MSG_ANSWER, m->id, r < 0 ? r : (s64)ns, 0);
}

static void serve_message(struct message *m, int *fds, int n) {
  switch (m->type) {
    case MSG_SPAWN:
      tell(MSG_SPAWNED, m->id, stub_spawn(token, m->a), 0);
      break;
    case MSG_IMPORT: {
      long r = n == 1 ? fds[0] : -9;
      if (n == 1 && fds[0] < FD_FREE) {
        r = sys(NR_fcntl, fds[0], 1030, FD_FREE, 0, 0); // F_DUPFD_CLOEXEC
        sys(NR_close, fds[0], 0, 0, 0, 0);
      }
      tell(MSG_IMPORTED, m->id, r, 0);
      return;
    }
    case MSG_CLOSE:
      if (m->a >= FD_FREE) {
        sys(NR_close, m->a, 0, 0, 0, 0);
      }
      break;
    case MSG_KILL:
      if (m->a > 1) {
        sys(NR_kill, m->a, 9, 0, 0, 0);
      }
      break;
    case MSG_STATM:
      answer_statm(m);
      break;
    case MSG_CPU:
      answer_cpu(m);
      break;
    default:
      break;
  }
  for (int i = 0; i < n; i++) {
    sys(NR_close, fds[i], 0, 0, 0, 0);
  }
}

__attribute__((noreturn, used)) void keeper_main(long *stack) {
  long argc = stack[0];
  char **argv = (char **)(stack + 1);
  char **envp = argv + argc + 1;
  long *auxv = (long *)envp;
  while (*auxv) {
    auxv++;
  }
  u64 vdso = 0, hwcap2 = 0;
  for (auxv++; auxv[0]; auxv += 2) {
    if (auxv[0] == 33) {
      vdso = auxv[1];
    } else if (auxv[0] == 26) {
      hwcap2 = auxv[1];
    }
  }
  if (argc < 2) {
    fail("usage: keeper FD | keeper --listen PATH", -22);
  }
  if (!(hwcap2 & 2)) {
    fail("this CPU or kernel has no FSGSBASE (Linux 5.9 or later is needed)", -38);
  }
  // Stack, vvar and vDSO must lie above the guest's limit: no randomisation, a bounded stack.
  long personality = sys(NR_personality, 0xffffffff, 0, 0, 0, 0);
  if (!(personality & 0x0040000) || vdso < REGION) {
    if (personality & 0x0040000) {
      fail("the host's vDSO lies in the guest's range", -12);
    }
    u64 limit[2] = {8 << 20, 8 << 20};
    sys(NR_setrlimit, 3, (long)limit, 0, 0, 0);
    must("personality", sys(NR_personality, personality | 0x0040000, 0, 0, 0, 0));
    must("execve /proc/self/exe", sys(NR_execve, (long)"/proc/self/exe", (long)argv, (long)envp, 0, 0));
  }

  u64 files[2] = {1 << 20, 1 << 20};
  if (sys(NR_setrlimit, 7, (long)files, 0, 0, 0) < 0) {
    files[0] = files[1] = 4096;
    sys(NR_setrlimit, 7, (long)files, 0, 0, 0);
  }
  long sentry = 0;
  if (same(argv[1], "--listen") && argc == 3) {
    sentry = listen_at(argv[2]);
  } else {
    for (char *p = argv[1]; *p >= '0' && *p <= '9'; p++) {
      sentry = sentry * 10 + *p - '0';
    }
  }
  must("the sentry's socket", sys(NR_dup3, sentry, FD_SENTRY, 02000000, 0, 0));
  struct message m;
  int fds[4];
  if (hear(&m, fds) != 4 || m.type != MSG_INIT) {
    fail("no INIT message from the sentry", -71);
  }
  must("dup3", sys(NR_dup3, fds[0], FD_CONTROL, 02000000, 0, 0));
  must("dup3", sys(NR_dup3, fds[1], FD_CONTEXTS, 02000000, 0, 0));
  must("dup3", sys(NR_dup3, fds[2], FD_ACK, 02000000, 0, 0));
  must("dup3", sys(NR_dup3, fds[3], FD_TEXT, 02000000, 0, 0));
  u64 child = 1UL << (17 - 1);
  long signals = must("signalfd", sys(NR_signalfd4, -1, (long)&child, 8, 02004000, 0));
  must("dup3", sys(NR_dup3, signals, FD_SIGNAL, 02000000, 0, 0));
  sys(NR_close_range, 3, FD_CONTROL - 1, 0, 0, 0);
  sys(NR_close_range, FD_TEXT + 1, 0xffffffff, 0, 0, 0);
  // The root directory will be emptied; only this keeper opens anything below, and nothing but two kinds of file.
  long proc = sys(NR_openat, -100, (long)"/proc", 012200000, 0, 0); // O_PATH | O_DIRECTORY | O_CLOEXEC
  if (proc >= 0) {
    sys(NR_dup3, proc, FD_PROC, 02000000, 0, 0);
    sys(NR_close, proc, 0, 0, 0, 0);
  }

  install_handlers();
  // Nobody maps anything else where the stub's text is, whatever goes wrong; hosts before Linux 6.10 cannot.
  sys(NR_mseal, TEXT_VA, (long)keeper_private_start - TEXT_VA, 0, 0, 0);
  must("prctl(PR_SET_DUMPABLE)", sys(NR_prctl, 4, 0, 0, 0, 0));
  must("prctl(PR_SET_NO_NEW_PRIVS)", sys(NR_prctl, 38, 1, 0, 0, 0));
  must("getrandom", sys(NR_getrandom, (long)&token, 8, 0, 0, 0) == 8 ? 0 : -5);
  build_filter();
  struct {
    u16 length;
    struct insn *filter;
  } fprog = {(u16)program_length, program};
  must("seccomp", sys(NR_seccomp, 1, 0, (long)&fprog, 0, 0));
  // From here on each call needs the token, which sys() passes.
  must("madvise(MADV_DONTFORK)", sys(NR_madvise, (long)keeper_private_start,
                                     keeper_private_end - keeper_private_start, 10, 0, 0));
  // The initial stack (arguments, environment, AT_RANDOM) is not for stubs either.
  must("munmap of the stack", sys(NR_munmap, STACK_LOW, STACK_HIGH - STACK_LOW, 0, 0, 0));
  tell3(MSG_READY, pause_ns(), (s64)vdso, fp_bytes(), (s64)stub_thread_start);
  tell(MSG_ENTRY, 0, (s64)stub_entry, (s64)stub_answers);
  for (;;) {
    struct {
      int fd;
      short events, revents;
    } poll[2] = {{FD_SENTRY, 1, 0}, {FD_SIGNAL, 1, 0}};
    long r = sys(NR_poll, (long)poll, 2, -1, 0, 0);
    if (r < 0 && r != -4) {
      fail("poll", r);
    }
    if (poll[1].revents) {
      reap();
    }
    if (poll[0].revents) {
      int n = hear(&m, fds);
      if (n < 0) {
        sys(NR_exit_group, 0, 0, 0, 0, 0);
      }
      serve_message(&m, fds, n);
    }
  }
}
