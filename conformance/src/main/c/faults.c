/* What siginfo and ucontext say about SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP; sigaltstack(2); returning with changed registers. */
#include "conf.h"
#include <setjmp.h>
#include <ucontext.h>

static sigjmp_buf jb;
static volatile int sig, code, trapno, errbits, onstack;
static void *volatile addr;
static char *alt;
static void h(int s, siginfo_t *si, void *u) {
  ucontext_t *uc = u;
  sig = s, code = si->si_code, addr = si->si_addr;
  trapno = uc->uc_mcontext.gregs[REG_TRAPNO];
  errbits = uc->uc_mcontext.gregs[REG_ERR];
  char x;
  onstack = &x > alt && &x < alt + 65536;
  siglongjmp(jb, 1);
}
static void on(int s, int flags) {
  struct sigaction sa = {.sa_sigaction = h, .sa_flags = SA_SIGINFO | flags};
  sigaction(s, &sa, NULL);
}
#define TRY(name, base, ...)                                                                                                  \
  do {                                                                                                                        \
    sig = code = 0;                                                                                                           \
    if (!sigsetjmp(jb, 1)) { __VA_ARGS__; }                                                                                   \
    printf("%s: %s code %d offset %#lx trap %d err %#x\n", name, sig_name(sig), code, (long)((char *)addr - (char *)(base)), trapno, errbits); \
  } while (0)

static void step(int s, siginfo_t *si, void *u) {
  ucontext_t *uc = u;
  uc->uc_mcontext.gregs[REG_RIP] += 2; /* skips ud2 */
  uc->uc_mcontext.gregs[REG_RAX] = 4711;
}
static volatile int depth;
static void deep(int s) {
  if (++depth < 5) raise(s);
}
static int recurse(int n) {
  volatile char pad[4096];
  pad[0] = n;
  return recurse(n + 1) + pad[0];
}

int main(void) {
  on(SIGSEGV, 0), on(SIGBUS, 0), on(SIGFPE, 0), on(SIGILL, 0), on(SIGTRAP, 0);
  TRY("null-write", 0, *(volatile char *)0 = 1);
  TRY("null-read", 0, (void)*(volatile char *)0);
  TRY("low-read", 0, (void)*(volatile char *)1234);
  char *p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  TRY("read-only-write", p, p[5] = 1);
  mprotect(p, 4096, PROT_NONE);
  TRY("prot-none-read", p, (void)*(volatile char *)(p + 7));
  TRY("exec-nx", p + 4096, ((void (*)(void))(p + 4096))());
  munmap(p, 8192);
  TRY("unmapped-read", p, (void)*(volatile char *)(p + 9));
  TRY("noncanonical", 0, (void)*(volatile char *)0x8000000000000000UL);
  TRY("exec-null", 0, ((void (*)(void))0)());
  int fd = open("f", O_CREAT | O_RDWR, 0644);
  ftruncate(fd, 100);
  p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  TRY("beyond-file", p, (void)*(volatile char *)(p + 5000));
  p[50] = 'x';
  ftruncate(fd, 0);
  TRY("truncated-file", p, (void)*(volatile char *)(p + 50));
  sig = 0;
  if (!sigsetjmp(jb, 1)) __asm__ volatile("xor %%ecx, %%ecx; mov $1, %%eax; cltd; idivl %%ecx" ::: "eax", "ecx", "edx");
  printf("divide: %s code %d trap %d\n", sig_name(sig), code, trapno);
  sig = 0;
  if (!sigsetjmp(jb, 1)) __asm__ volatile("ud2");
  printf("ud2: %s code %d trap %d\n", sig_name(sig), code, trapno);
  if (!sigsetjmp(jb, 1)) __asm__ volatile("int3");
  printf("int3: %s code %d trap %d\n", sig_name(sig), code, trapno);
  if (!sigsetjmp(jb, 1)) __asm__ volatile("hlt");
  printf("hlt: %s code %d trap %d\n", sig_name(sig), code, trapno);
  if (!sigsetjmp(jb, 1)) __asm__ volatile("int $0x81");
  printf("int-81: %s code %d trap %d\n", sig_name(sig), code, trapno);
  if (!sigsetjmp(jb, 1)) __asm__ volatile("pushf; orl $0x100,(%%rsp); popf; nop" ::: "memory");
  printf("single-step: %s code %d trap %d\n", sig_name(sig), code, trapno);
  sig = 0;
  if (!sigsetjmp(jb, 1)) { kill(getpid(), SIGSEGV); }
  printf("kill-segv: %s code %d\n", sig_name(sig), code);

  /* changed registers */
  struct sigaction sa = {.sa_sigaction = step, .sa_flags = SA_SIGINFO};
  sigaction(SIGILL, &sa, NULL);
  long rax;
  __asm__ volatile("ud2" : "=a"(rax) : : "memory");
  V("handler-sets-rax", rax);
  sa.sa_handler = deep;
  sa.sa_flags = SA_NODEFER;
  sigaction(SIGUSR1, &sa, NULL);
  raise(SIGUSR1);
  V("nested-five", depth);

  /* registers and floating point survive a signal */
  double d = 1.5, q;
  __asm__ volatile("movsd %1, %%xmm7; mov $39, %%eax; syscall; movsd %%xmm7, %0" : "=m"(q) : "m"(d) : "rax", "rcx", "r11", "xmm7", "memory");
  T("xmm-survives-syscall", q == d);
  signal(SIGUSR2, (void (*)(int))abs);
  __asm__ volatile("movsd %1, %%xmm7; mov %2, %%edi; mov $12, %%esi; mov $62, %%eax; syscall; movsd %%xmm7, %0"
                   : "=m"(q)
                   : "m"(d), "r"((int)getpid())
                   : "rax", "rcx", "r11", "rdi", "rsi", "xmm7", "memory");
  T("xmm-survives-signal", q == d);
  unsigned long r[6], f;
  __asm__ volatile(
      "mov $0x1111, %%rbx; mov $0x2222, %%r12; mov $0x3333, %%r13; mov $0x4444, %%r14; mov $0x5555, %%r15; mov $0x6666, %%r10; stc; mov $39, %%eax; syscall;"
      "pushf; pop %6; mov %%rbx, %0; mov %%r12, %1; mov %%r13, %2; mov %%r14, %3; mov %%r15, %4; mov %%r10, %5"
      : "=m"(r[0]), "=m"(r[1]), "=m"(r[2]), "=m"(r[3]), "=m"(r[4]), "=m"(r[5]), "=r"(f)
      :
      : "rax", "rbx", "rcx", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
  printf("registers-survive-syscall: %lx %lx %lx %lx %lx %lx carry %lu\n", r[0], r[1], r[2], r[3], r[4], r[5], f & 1);
  unsigned long rcx, r11, rip;
  __asm__ volatile("stc; mov $39, %%eax; lea 1f(%%rip), %%rbx; syscall; 1: mov %%rcx, %0; mov %%r11, %1; mov %%rbx, %2"
                   : "=r"(rcx), "=r"(r11), "=r"(rip)
                   :
                   : "rax", "rbx", "rcx", "r11", "memory", "cc");
  T("rcx-is-next-rip", rcx == rip);
  T("r11-is-flags", (r11 & 1) == 1 && (r11 & 2) == 2);

  /* sigaltstack */
  alt = malloc(65536);
  stack_t ss = {.ss_sp = alt, .ss_size = 1000}, old;
  R("altstack-too-small", sigaltstack(&ss, NULL));
  ss.ss_size = 65536;
  ss.ss_flags = 99;
  R("altstack-bad-flags", sigaltstack(&ss, NULL));
  ss.ss_flags = 0;
  R("altstack-efault", syscall(SYS_sigaltstack, BAD, NULL));
  R("altstack-old-efault", syscall(SYS_sigaltstack, NULL, BAD));
  R("altstack-set", sigaltstack(&ss, &old));
  V("altstack-before", old.ss_flags);
  sigaltstack(NULL, &old);
  T("altstack-read-back", old.ss_sp == alt && old.ss_size == 65536 && old.ss_flags == 0);
  TRY("no-onstack", 0, *(volatile char *)0 = 1);
  V("no-onstack-used", onstack);
  on(SIGSEGV, SA_ONSTACK);
  TRY("onstack", 0, *(volatile char *)0 = 1);
  V("onstack-used", onstack);
  struct rlimit rl = {1 << 20, 1 << 20};
  CHILD("stack-overflow-caught", setrlimit(RLIMIT_STACK, &rl); if (!sigsetjmp(jb, 1)) recurse(0); _exit(onstack && sig == SIGSEGV ? 3 : 4));
  CHILD("stack-overflow", signal(SIGSEGV, SIG_DFL); setrlimit(RLIMIT_STACK, &rl); recurse(0));
  ss.ss_flags = (int)0x80000000; /* SS_AUTODISARM */
  R("altstack-autodisarm", sigaltstack(&ss, NULL));
  sigaltstack(NULL, &old);
  T("altstack-autodisarm-read", old.ss_flags == (int)0x80000000);
  ss.ss_flags = SS_DISABLE;
  R("altstack-disable", sigaltstack(&ss, NULL));
  sigaltstack(NULL, &old);
  V("altstack-disabled", old.ss_flags);
  CHILD("sigreturn-forged", syscall(SYS_rt_sigreturn));
  return 0;
}
