// Programs for the platform's own tests: no libc, one binary, the program chosen by a number in rdi.
// The kernel below them is the test's own (MiniKernel): write, exit, fork, wait4, mmap, threads.
typedef unsigned long u64;
typedef unsigned int u32;

static inline long sys6(long nr, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long r;
  __asm__ volatile("syscall"
                   : "=a"(r)
                   : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return r;
}
#define sys(nr, a, b, c) sys6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)

__attribute__((noreturn)) static void done(long code) {
  sys(231, code, 0, 0);
  __builtin_unreachable();
}

static char bss[64 * 4096];
static volatile u32 shared_word;

static void say(const char *s) {
  u64 n = 0;
  while (s[n]) n++;
  sys(1, 1, s, n);
}

// 1: write and exit
static void hello(void) {
  say("hello from the guest\n");
  done(42);
}

// 2: n forks, each child touches `pages` pages and exits; the parent waits
static void forks(u64 n, u64 pages) {
  for (u64 i = 0; i < n; i++) {
    bss[0] = 1;
    long pid = sys(57, 0, 0, 0);
    if (pid < 0) done(101);
    if (pid == 0) {
      for (u64 p = 0; p < pages; p++) bss[p * 4096] += 1;
      if (bss[0] != (pages ? 2 : 1)) done(9);
      done(7);
    }
    int status = 0;
    if (sys6(61, pid, (long)&status, 0, 0, 0, 0) != pid) done(102);
    if (status != 7 << 8) done(103);
    if (bss[0] != 1) done(104);
  }
  done(0);
}

// 3: getppid n times
static void getppids(u64 n) {
  for (u64 i = 0; i < n; i++) sys(110, 0, 0, 0);
  done(0);
}

// 4: mmap, touch, munmap of `bytes`, n times
static void maps(u64 n, u64 bytes) {
  for (u64 i = 0; i < n; i++) {
    char *p = (char *)sys6(9, 0, bytes, 3, 0x22, -1, 0);
    if ((u64)p > -4096UL) done(101);
    for (u64 at = 0; at < bytes; at += 4096) p[at] = 1;
    if (sys(11, p, bytes, 0) != 0) done(102);
  }
  done(0);
}

static long thread(void) {
  __atomic_add_fetch(&shared_word, 1, __ATOMIC_SEQ_CST);
  for (int i = 0; i < 100; i++) sys(110, 0, 0, 0);
  __atomic_add_fetch(&shared_word, 1, __ATOMIC_SEQ_CST);
  sys(60, 0, 0, 0);
  return 0;
}

// 5: n threads
static void threads(u64 n) {
  for (u64 i = 0; i < n; i++) {
    u64 *stack = (u64 *)(bss + 4096 * (i % 60 + 1));
    *--stack = (u64)thread;
    long r;
    __asm__ volatile(
        "syscall\n test %%eax, %%eax\n jnz 1f\n pop %%rax\n call *%%rax\n ud2\n 1:"
        : "=a"(r)
        : "a"(56L), "D"(0x50f00L), "S"(stack), "d"(0L)
        : "rcx", "r11", "memory");
    if (r < 0) done(101);
  }
  while (shared_word != 2 * n) sys(24, 0, 0, 0);
  done(0);
}

// 6: faults, each reported by the kernel, which skips `rcx` bytes
static void faults(void) {
  __asm__ volatile("mov $2, %%ecx\n movb (%%rax), %%al" ::"a"(0x1234L) : "rcx", "memory"); // 8a 00
  __asm__ volatile("mov $2, %%ecx\n ud2" ::: "rcx");
  __asm__ volatile("mov $2, %%ecx\n xor %%edx, %%edx\n xor %%esi, %%esi\n mov $1, %%eax\n div %%esi" ::
                       : "rcx", "rax", "rdx", "rsi");
  __asm__ volatile("mov $0, %%ecx\n int3" ::: "rcx");
  __asm__ volatile("mov $1, %%ecx\n hlt" ::: "rcx");
  __asm__ volatile("mov $2, %%ecx\n movb %%al, (%%rdx)" ::"d"(faults), "a"(1) : "rcx", "memory");
  done(0);
}

// 7: spins until the kernel sets the word
static void spin(void) {
  while (!shared_word) {
  }
  done(5);
}

// 8: vector and x87 state, FS base, flags and all registers survive system calls
static void state(u64 n) {
  static u64 in[8] = {1, 2, 3, 4, 5, 6, 7, 8}, out[8];
  for (u64 i = 0; i < n; i++) {
    in[0] = i;
    u64 bx, bp = i * 3, r12 = i * 5, r13 = i * 7, r14 = i * 11, r15 = i * 13, r9v = i * 17;
    register u64 r9 __asm__("r9") = r9v;
    __asm__ volatile(
        "movdqu (%[in]), %%xmm0\n movdqu 16(%[in]), %%xmm15\n fld1\n"
        "mov %[i], %%rbx\n mov %[r12], %%r12\n stc\n mov $110, %%eax\n syscall\n"
        "mov %%rbx, %[bx]\n mov %%r12, %[r12]\n"
        "movdqu %%xmm0, (%[out])\n movdqu %%xmm15, 16(%[out])\n fstpl 32(%[out])\n"
        : [bx] "=r"(bx), [r12] "+r"(r12), "+r"(r9)
        : [in] "r"(in), [out] "r"(out), [i] "r"(i)
        : "rax", "rcx", "r11", "rbx", "r12", "memory", "cc");
    if (bx != i || r12 != i * 5 || r9 != r9v) done(101);
    if (out[0] != i || out[1] != 2 || out[2] != 3 || out[3] != 4) done(102);
    if (out[4] != 0x3ff0000000000000) done(103);
    (void)bp, (void)r13, (void)r14, (void)r15;
  }
  u64 fs = 0x12345000;
  __asm__ volatile("wrfsbase %0" ::"r"(fs));
  sys(110, 0, 0, 0);
  u64 now;
  __asm__ volatile("rdfsbase %0" : "=r"(now));
  if (now != fs) done(104);
  done(0);
}

// 9: system calls with bad pointers, and copies across a page that is not there
static void badcopies(void) {
  char *p = (char *)sys6(9, 0, 8192, 3, 0x22, -1, 0);
  if (sys(11, p + 4096, 4096, 0)) done(101);
  if (sys(1, 1, 0x10, 5) != -14) done(102);
  if (sys(1, 1, p + 4090, 20) != 6) done(103); // short
  if (sys(1, 1, 0x7fff10000000, 5) != -14) done(104);
  if (sys(1, 1, 0x800000000000, 5) != -14) done(105);
  if (sys(1, 1, -1L, 5) != -14) done(106);
  if (sys(1, 1, p + 4096, 5) != -14) done(107);
  for (int i = 0; i < 4096; i++) p[i] = 'a';
  p[4095] = 0;
  if (sys(80, p, 0, 0) != 4095) done(108); // "chdir" gives the string's length here
  p[4095] = 'a';
  if (sys(80, p, 0, 0) != -14) done(109);
  if (sys(79, 0x10, 100, 0) != -14) done(110); // "getcwd" copies out when it resumes
  if (sys(79, p, 100, 0) != 100 || p[0] != 'c' || p[99] != 'c' || p[100] != 'a') done(111);
  p[0] = 5, p[1] = p[2] = p[3] = 0;
  if (sys(10000, p, 4, 9) != 5 || p[0] != 5) done(112); // cas
  if (sys(10000, p, 5, 9) != 5 || p[0] != 9) done(113);
  if (sys(10000, 0x10, 5, 9) != -14) done(114);
  done(0);
}

// 10: forks with vector state; the child must have the parent's
static void forkstate(void) {
  u64 in[2] = {0x1111222233334444, 0x5555666677778888}, out[2];
  long pid;
  __asm__ volatile(
      "movdqu (%[in]), %%xmm7\n mov $57, %%eax\n syscall\n movdqu %%xmm7, (%[out])\n"
      : "=&a"(pid)
      : [in] "r"(in), [out] "r"(out)
      : "rcx", "r11", "memory");
  if (out[0] != in[0] || out[1] != in[1]) done(101);
  if (pid == 0) done(7);
  int status = 0;
  if (sys6(61, pid, (long)&status, 0, 0, 0, 0) != pid) done(102);
  done(status == 7 << 8 ? 0 : 103);
}

static inline long call_mov(void) {
  long r;
  __asm__ volatile("mov $110, %%eax\n syscall" : "=a"(r) : : "rcx", "r11", "memory");
  return r;
}

static inline long call_moved(void) {
  long r;
  __asm__ volatile("syscall\n cmp $-4096, %%rax" : "=a"(r) : "a"(110L) : "rcx", "r11", "memory", "cc");
  return r;
}

// 11: getppid n times at a site of the mov form; 12: at one whose neighbour is moved
static void movs(u64 n) {
  for (u64 i = 0; i < n; i++) call_mov();
  done(0);
}

static void moveds(u64 n) {
  for (u64 i = 0; i < n; i++) call_moved();
  done(0);
}

// 13: the red zone, all registers, flags and rcx/r11 over both kinds of site
static void redzone(u64 n) {
  for (u64 i = 0; i < n; i++) {
    u64 bad;
    __asm__ volatile(
        "mov %%rsp, %%r8\n movq $0x1111, -8(%%rsp)\n movq $0x2222, -128(%%rsp)\n"
        "mov $3, %%r9d\n mov $4, %%r10d\n mov $5, %%edx\n mov $6, %%esi\n mov $7, %%edi\n mov $8, %%r12d\n"
        "stc\n mov $110, %%eax\n syscall\n jnc 9f\n"
        "lea -2(%%rip), %%rax\n cmp %%rax, %%rcx\n nop\n"
        "cmpq $0x1111, -8(%%rsp)\n jne 9f\n cmpq $0x2222, -128(%%rsp)\n jne 9f\n cmp %%rsp, %%r8\n jne 9f\n"
        "cmp $3, %%r9d\n jne 9f\n cmp $4, %%r10d\n jne 9f\n cmp $5, %%edx\n jne 9f\n cmp $6, %%esi\n jne 9f\n"
        "cmp $7, %%edi\n jne 9f\n cmp $8, %%r12d\n jne 9f\n test $1, %%r11b\n jz 9f\n"
        "std\n mov $110, %%eax\n syscall\n mov $0, %%edx\n cld\n test $0x400, %%r11d\n jz 9f\n"
        "xor %%eax, %%eax\n jmp 8f\n 9: mov $1, %%eax\n 8:\n"
        : "=a"(bad)
        :
        : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "memory", "cc");
    if (bad) done(101);
  }
  done(0);
}

// 14: a loop of calls from both kinds of site, to be interrupted at any point
static void busy(void) {
  u64 i = 0;
  while (!shared_word) {
    u64 a = i * 0x9e3779b97f4a7c15, b = a ^ 0x5555;
    register u64 r12 __asm__("r12") = a;
    register u64 rbx __asm__("rbx") = b;
    long r;
    __asm__ volatile("mov $110, %%eax\n syscall" : "=a"(r), "+r"(r12), "+r"(rbx) : : "rcx", "r11", "memory");
    if (r != 1 || r12 != a || rbx != b) done(101);
    __asm__ volatile("syscall\n cmp $-4096, %%rax"
                     : "=a"(r), "+r"(r12), "+r"(rbx)
                     : "0"(110L)
                     : "rcx", "r11", "memory", "cc");
    if (r != 1 || r12 != a || rbx != b) done(102);
    i++;
  }
  done(5);
}

// 15: sets GS, by arch_prctl and by itself, and goes on calling
static void gs(u64 how) {
  static u64 area[64];
  area[0] = 77;
  call_mov();
  if (how == 0) {
    if (sys(158, 0x1001, area, 0) != 0) done(101);
  } else {
    __asm__ volatile("wrgsbase %0" ::"r"(area));
  }
  u64 v;
  for (int i = 0; i < 1000; i++) {
    if (call_mov() != 1 || call_moved() != 1) done(102);
    __asm__ volatile("mov %%gs:0, %0" : "=r"(v));
    if (v != 77) done(103);
  }
  done(0);
}

// 16: jumps to `address` with registers that suit the map thread's code, or none
static void jump(u64 address, u64 how) {
  if (how == 1) {
    __asm__ volatile(
        "mov %0, %%rax\n mov $0x7fff00010000, %%rbx\n mov $0x7fff00011000, %%rsp\n mov $0x7fff00010040, %%r12\n"
        "mov $1, %%r13d\n mov $9, %%edi\n xor %%r14d, %%r14d\n mov $1, %%r15d\n mov $0x7fff00010000, %%rdi\n"
        "mov $4096, %%esi\n mov $7, %%edx\n mov $0x32, %%r10d\n mov $-1, %%r8\n xor %%r9d, %%r9d\n jmp *%%rax" ::"r"(address));
  } else if (how == 2) {
    __asm__ volatile(
        "mov %0, %%rcx\n xor %%edi, %%edi\n xor %%esi, %%esi\n xor %%edx, %%edx\n mov $231, %%eax\n jmp *%%rcx" ::"r"(address));
  }
  __asm__ volatile(
      "mov %0, %%rax\n xor %%ebx, %%ebx\n xor %%edi, %%edi\n xor %%esi, %%esi\n xor %%edx, %%edx\n"
      "xor %%r8d, %%r8d\n xor %%r9d, %%r9d\n xor %%r10d, %%r10d\n jmp *%%rax" ::"r"(address));
  done(101);
}

// uretprobe and uprobe: the host lets them past every filter (kernel/seccomp.c); outside of its own trampolines
// they fail.
static int host_only(u64 nr) {
  return nr == 335 || nr == 336;
}

// 17: every system call number with arguments that would do harm if the host saw it
static void numbers(u64 from) {
  for (u64 nr = from; nr < 1100; nr++) {
    if (nr == 60 || nr == 231 || nr == 1 || nr == 9 || nr == 11 || nr == 24 || nr == 110 || nr == 56 || nr == 57
        || nr == 61 || nr == 79 || nr == 80 || nr == 158 || host_only(nr)) continue;
    long r = sys6(nr, 1002, (long)bss, 64, 0, 0, 0);
    if (r != -38) done(101);
    r = sys6(nr | 0x40000000, 1002, (long)bss, 64, 0, 0, 0); // x32
    if (r != -38) done(102);
  }
  long r;
  __asm__ volatile("int $0x80" : "=a"(r) : "0"(20L) : "memory"); // getpid of the 32-bit table
  if (r != -38) done(103);
  done(0);
}

static u64 context_base;

static long scribbler(void) {
  u64 x = 88172645463325252;
  u64 *p = (u64 *)context_base;
  for (u64 round = 0; round < 400; round++) {
    for (u64 i = 0; i < 0x38000 / 8; i++) {
      x ^= x << 13, x ^= x >> 7, x ^= x << 17;
      p[i] = round & 1 ? x : x & 0x1ff;
    }
  }
  done(5);
}

static long small_scribbler(void) {
  u64 x = 88172645463325252;
  u32 *p = (u32 *)context_base;
  for (u64 round = 0; round < 20000; round++) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    p[(x >> 40) % 0x1c0] = (u32)(x >> 8) & ((x & 7) == 0 ? 0xffffffff : 0x1ff);
    for (volatile int i = 0; i < 50; i++) {
    }
  }
  done(5);
}

static void start(long (*f)(void)) {
  u64 *stack = (u64 *)(bss + 4096 * 40);
  *--stack = (u64)f;
  long r;
  __asm__ volatile("syscall\n test %%eax, %%eax\n jnz 1f\n pop %%rax\n call *%%rax\n ud2\n 1:"
                   : "=a"(r)
                   : "a"(56L), "D"(0x50f00L), "S"(stack), "d"(0L)
                   : "rcx", "r11", "memory");
}

// 18: one thread calls, another scribbles over the context of the first (its address: gs holds it), as a
// whole (0) or single words (1); 2: over the reply page while the map changes
static void scribble(u64 how) {
  u64 gs;
  __asm__ volatile("rdgsbase %0" : "=r"(gs));
  context_base = how == 2 ? 0x7fff00011000 : gs;
  if (how == 2) {
    // Not the first thread's business: the map thread must not be led astray.
    for (int i = 0; i < 2000; i++) {
      volatile u64 *reply = (u64 *)context_base;
      reply[0] = i * 0x100000001, reply[1] = -1, reply[2] = i & 1 ? -12 : 0x7000;
      long r = sys6(9, 0, 8192, 3, 0x22, -1, 0);
      reply[0] = -1;
      if (r > 0) sys(11, r, 8192, 0);
    }
    done(5);
  }
  start(how ? small_scribbler : scribbler);
  for (;;) {
    sys(110, 0, 0, 0);
    sys(1, 1, "", 0);
    sys(80, "a path", 0, 0);
    call_mov();
  }
}

// 21: writes to every page of the stub's region that it can find
static void pages(u64 from, u64 to) {
  for (u64 p = from; p < to; p += 4096) {
    __asm__ volatile("mov $7, %%ecx\n movq $0x41, (%%rax)" ::"a"(p) : "rcx", "memory"); // 48 c7 00 41 00 00 00
  }
  done(0);
}

// 22: blocks the interrupt signal by a forged frame for rt_sigreturn and spins
static void forge(u64 sigreturn) {
  static u64 frame[64];
  frame[0] = 7;
  frame[160 / 8] = (u64)(bss + 4096 * 20);
  frame[168 / 8] = (u64)spin;
  frame[176 / 8] = 0x202;
  frame[184 / 8] = 0x002b000000000033;
  frame[296 / 8] = -1;
  __asm__ volatile("mov %0, %%rsp\n jmp *%1" ::"r"(frame), "r"(sigreturn));
  done(101);
}

// One call site for the hostile programs: how many of this program's sites are patched is another test's business.
__attribute__((noinline)) static long call(long nr, long a, long b, long c) {
  return sys6(nr, a, b, c, 0x22, -1, 0);
}

__attribute__((noinline, noreturn)) static void finish(long code) {
  done(code);
}

static const u32 nasty[] = {0,       1,       2,          3,          4,          6,          7,         0x7f,
                            0x80,    0x81,    0xff,       0x101,      0x3f01,     0x4001,     0xffff01,  0xffffff01,
                            0xfff,   0x1000,  0x10000,    0x28000,    0x37fff,    0x38000,    0x3ffff,   0x40000,
                            0x10010, 0x10011, 0x7fff0000, 0x7fffffff, 0x80000000, 0xfffffff2, 0xfffff000, 0xffffffff};
enum { NASTY = sizeof nasty / sizeof nasty[0] };

static volatile u32 *target;

static long corrupter(void) {
  for (u64 i = 0;; i++) {
    *target = nasty[i % NASTY];
    for (volatile int wait = 0; wait < 20; wait++) {
    }
  }
  return 0;
}

static void calls(void) {
  static char buffer[4096];
  call(110, 0, 0, 0);
  call_mov();
  call(1, 1, (long)buffer, 100);   // copied in
  call(80, (long)"a path", 0, 0);  // a string
  call(79, (long)buffer, 4096, 0); // copied out
  call(10001, (long)buffer, 4096, 0); // slow
}

// 23: one word of the context is nasty: before each call (0), or all the time (1)
static void corrupt(u64 word, u64 stage) {
  u64 gs;
  __asm__ volatile("rdgsbase %0" : "=r"(gs));
  target = (u32 *)(gs + word);
  if (stage) start(corrupter);
  for (u64 i = 0; i < NASTY; i++) {
    if (!stage) *target = nasty[i];
    calls();
  }
  finish(0);
}

static long forger(void) {
  u64 x = 88172645463325252;
  volatile u32 *reply = (u32 *)0x7fff00011000;
  for (;;) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    reply[(x >> 40) % 6] = x & 1 ? nasty[(x >> 8) % NASTY] : (u32)(x >> 8) % 4000;
  }
  return 0;
}

// 24: another thread forges the map thread's replies while the map changes
static void forged(u64 n) {
  start(forger);
  for (u64 i = 0; i < n; i++) {
    long p = call(9, 0, 8192, 3);
    if (p > 0) call(11, p, 8192, 0);
  }
  finish(5);
}

// 28: as 24, while the kernel changes the map by itself
static void forged_meanwhile(u64 n) {
  start(forger);
  for (u64 i = 0; i < n; i++) {
    call(10003, 0, 0, 0);
  }
  finish(5);
}

// 25: system call numbers from `from` on at the instruction `site` of the stub. Before each it says which.
static void from_site(u64 site, u64 from) {
  for (u64 nr = from; nr < 470; nr++) {
    if (nr == 15 || nr == 24 || nr == 60 || nr == 158 || nr == 202 || nr == 231) continue; // what some site may do, and the end
    if (host_only(nr)) continue;
    call(10002, nr, 0, 0);
    register u64 r10 __asm__("r10") = 0x32;
    register u64 r8 __asm__("r8") = -1;
    register u64 r9 __asm__("r9") = 0;
    long r;
    __asm__ volatile("lea 1f(%%rip), %%rcx\n push %%rcx\n jmp *%[site]\n 1:"
                     : "=a"(r), "+r"(r10), "+r"(r8), "+r"(r9)
                     : "0"(nr), "D"(1002L), "S"(bss), "d"(64L), [site] "b"(site)
                     : "rcx", "r11", "memory");
    if (r != -38) finish(101);
  }
  finish(0);
}

// 26: the ways into the host that are not the `syscall` instruction
static void other_ways(u64 which) {
  if (which == 0) {
    ((long (*)(long, long))0xffffffffff600000)((long)bss, 0); // vsyscall gettimeofday
  } else if (which == 1) {
    __asm__ volatile("sysenter" ::"a"(20L) : "memory");
  } else {
    long r; // i386 write of ours, numbers of the 32-bit table
    for (u64 nr = 0; nr < 470; nr++) {
      __asm__ volatile("int $0x80" : "=a"(r) : "0"(nr), "b"(1002L), "c"(bss), "d"(64L) : "memory");
      if (r != -38) finish(101);
    }
  }
  finish(0);
}

// 27: forks, and both spin
static void forkspin(void) {
  call(57, 0, 0, 0);
  spin();
}

__attribute__((noreturn, used)) void guest_main(u64 which, u64 a, u64 b) {
  switch (which) {
    case 1: hello(); break;
    case 2: forks(a, b); break;
    case 3: getppids(a); break;
    case 4: maps(a, b); break;
    case 5: threads(a); break;
    case 6: faults(); break;
    case 7: spin(); break;
    case 8: state(a); break;
    case 9: badcopies(); break;
    case 10: forkstate(); break;
    case 11: movs(a); break;
    case 12: moveds(a); break;
    case 13: redzone(a); break;
    case 14: busy(); break;
    case 15: gs(a); break;
    case 16: jump(a, b); break;
    case 17: numbers(a); break;
    case 18: scribble(a); break;
    case 21: pages(a, b); break;
    case 22: forge(a); break;
    case 23: corrupt(a, b); break;
    case 24: forged(a); break;
    case 28: forged_meanwhile(a); break;
    case 25: from_site(a, b); break;
    case 26: other_ways(a); break;
    case 27: forkspin(); break;
  }
  done(99);
}

// Run natively (for comparison) the numbers come from argv.
__attribute__((noreturn, used)) void native_main(long *stack) {
  u64 n[4] = {0, 0, 0, 0};
  for (int i = 1; i < stack[0] && i <= 4; i++) {
    for (char *p = (char *)stack[i + 1]; *p; p++) n[i - 1] = n[i - 1] * 10 + *p - '0';
  }
  guest_main(n[0], n[1], n[2]);
}

__asm__(
    ".globl _start\n_start:\n xor %ebp, %ebp\n test %rdi, %rdi\n jz 1f\n and $-16, %rsp\n"
    " call guest_main\n 1: mov %rsp, %rdi\n and $-16, %rsp\n call native_main\n ud2\n");

