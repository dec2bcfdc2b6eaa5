// Starts a program from a multithreaded process, cheaply: clone(CLONE_VM | CLONE_VFORK) on a stack of
// its own, no libc. The JDK's ProcessBuilder costs 20 ms more and passes no descriptors.

typedef unsigned long u64;

extern long redoubt_raw_syscall(long nr, long a0, long a1, long a2, long a3, long a4, long a5);

enum {
  SYS_RT_SIGACTION = 13,
  SYS_RT_SIGPROCMASK = 14,
  SYS_DUP2 = 33,
  SYS_EXECVE = 59,
  SYS_EXIT = 60,
  SYS_FCNTL = 72,
  SYS_CLOSE_RANGE = 436,
  F_DUPFD = 0,
  SIG_SETMASK = 2
};

struct request {
  const char *path;
  char **argv;
  char **envp;
  const int *fds;  // fds[i] becomes descriptor i of the program; -1 leaves i closed
  long count;
  volatile long error;
};

// Runs in the child, which shares our memory until it executes the program.
__attribute__((used)) static void redoubt_spawn_child(struct request *r) {
  u64 none = 0, defaults[4] = {0, 0, 0, 0};
  long base = 512;
  for (long i = 0; i < r->count; i++)
    if (r->fds[i] >= 0) {
      long n = redoubt_raw_syscall(SYS_FCNTL, r->fds[i], F_DUPFD, base + i, 0, 0, 0);
      if (n != base + i) {
        r->error = n < 0 ? n : -24;
        redoubt_raw_syscall(SYS_EXIT, 127, 0, 0, 0, 0, 0);
      }
    }
  redoubt_raw_syscall(SYS_CLOSE_RANGE, 0, base - 1, 0, 0, 0, 0);
  for (long i = 0; i < r->count; i++)
    if (r->fds[i] >= 0) redoubt_raw_syscall(SYS_DUP2, base + i, i, 0, 0, 0, 0);
  redoubt_raw_syscall(SYS_CLOSE_RANGE, base, ~0u, 0, 0, 0, 0);
  // No handler of the JVM's may run here once signals are let in: this is its memory.
  for (long signal = 1; signal <= 64; signal++)
    redoubt_raw_syscall(SYS_RT_SIGACTION, signal, (long)defaults, 0, 8, 0, 0);
  redoubt_raw_syscall(SYS_RT_SIGPROCMASK, SIG_SETMASK, (long)&none, 0, 8, 0, 0);
  r->error =
      redoubt_raw_syscall(SYS_EXECVE, (long)r->path, (long)r->argv, (long)r->envp, 0, 0, 0);
  redoubt_raw_syscall(SYS_EXIT, 127, 0, 0, 0, 0, 0);
}

// clone(flags, stack): the child calls redoubt_spawn_child(request) on that stack.
long redoubt_clone_child(u64 flags, void *stack, struct request *r);
__asm__(
    ".text\n"
    ".type redoubt_clone_child, @function\n"
    "redoubt_clone_child:\n"
    "  mov %rdx, %r8\n"
    "  xor %edx, %edx\n"
    "  xor %r10d, %r10d\n"
    "  mov $56, %eax\n"
    "  syscall\n"
    "  test %rax, %rax\n"
    "  jnz 1f\n"
    "  xor %ebp, %ebp\n"
    "  mov %r8, %rdi\n"
    "  call redoubt_spawn_child\n"
    "1: ret\n");

// The pid of the new process, or -errno. Same C type as redoubt_raw_syscall: one downcall shape.
long redoubt_spawn(long path, long argv, long envp, long fds, long count, long stack, long stack_size) {
  struct request r = {(const char *)path, (char **)argv, (char **)envp, (const int *)fds, count, 0};
  u64 all = ~0ul, old = 0;
  redoubt_raw_syscall(SYS_RT_SIGPROCMASK, SIG_SETMASK, (long)&all, (long)&old, 8, 0, 0);
  long pid = redoubt_clone_child(0x100 | 0x4000 | 17, (void *)(stack + stack_size), &r);
  redoubt_raw_syscall(SYS_RT_SIGPROCMASK, SIG_SETMASK, (long)&old, 0, 8, 0, 0);
  if (pid > 0 && r.error) {
    redoubt_raw_syscall(61, pid, 0, 0, 0, 0, 0);  // wait4: it never became the program
    return r.error;
  }
  return pid;
}
