/*
 * Makes random system calls with random and half-valid arguments until the time is over. Children do it, so that what
 * kills one (a signal, an exec, a closed descriptor) does not end the run. The seed decides everything.
 *
 *   syscalls SECONDS [SEED]
 *
 * Prints a line a second with the number of children; the last line is "fuzz: done".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t state;
static uint64_t rnd(void) { /* xorshift64* */
  state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
  return state * 0x2545F4914F6CDD1DULL;
}
static unsigned below(unsigned n) { return (rnd() >> 32) % n; }

static char *mem, *ro;
static const uint64_t edges[] = {0, 1, 2, 3, 7, 8, 16, 24, 64, 100, 128, 255, 256, 511, 512, 4095, 4096, 4097, 65535, 65536, 1 << 20, 0x7fffffff, 0x80000000, 0xffffffff,
                                 0x100000000, 0x7fffffffffff, 0x7fffffffffffffff, 0x8000000000000000, -1, -2, -4095, -4096, -100, 0xfffffffffffff000};
static const char *const paths[] = {"/", ".", "..", "f", "d", "d/x", "s", "/proc/self/status", "/proc/self/fd", "/proc/self/fd/3", "/proc/self/mem", "/proc/1/maps", "/dev/null",
                                    "/dev/zero", "/dev/ptmx", "/dev/tty", "/tmp", "/etc/passwd", "/sys", "/proc/mounts", "fifo", "", "a/b/c/d/e", "/proc/self/exe", "/dev/full", "/proc/self/task", "sock"};

/* Not called: they end the fuzzer itself, or only wait. */
static int skipped(int nr) {
  switch (nr) {
    case SYS_exit: case SYS_exit_group: case SYS_pause: case SYS_rt_sigsuspend: case SYS_vfork: case SYS_reboot: case SYS_rt_sigreturn:
      return below(200) != 0;
    case SYS_fork: case SYS_clone: case SYS_clone3:
      return below(40) != 0;
    case SYS_kill: case SYS_tgkill: case SYS_tkill: case SYS_rt_sigqueueinfo: case SYS_rt_tgsigqueueinfo:
      return below(5) != 0;
  }
  return 0;
}

static uint64_t pointer(void) {
  switch (below(10)) {
    case 0: return 0;
    case 1: return (uint64_t)ro + below(4096);
    case 2: return (uint64_t)mem + 65536 - below(64); /* the end of what is mapped */
    case 3: return edges[below(sizeof edges / sizeof *edges)];
    case 4: { /* a path */
      char *p = mem + below(60) * 1024;
      strcpy(p, paths[below(sizeof paths / sizeof *paths)]);
      return (uint64_t)p;
    }
    case 5: { /* an array of pointers and lengths, as iovecs and argument lists are */
      uint64_t *v = (uint64_t *)(mem + below(60) * 1024);
      for (int i = 0; i < 16; i++) v[i] = i & 1 ? below(5000) : (uint64_t)mem + below(65536);
      if (below(2)) v[below(16)] = edges[below(sizeof edges / sizeof *edges)];
      if (below(2)) v[15] = 0;
      return (uint64_t)v;
    }
    case 6: { /* a struct of small numbers */
      uint32_t *v = (uint32_t *)(mem + below(60) * 1024);
      for (int i = 0; i < 64; i++) v[i] = below(3) ? below(16) : (uint32_t)rnd();
      return (uint64_t)v;
    }
    default: return (uint64_t)mem + below(65536);
  }
}
static uint64_t argument(void) {
  switch (below(8)) {
    case 0: case 1: case 2: return pointer();
    case 3: return 3 + below(24); /* a descriptor */
    case 4: return edges[below(sizeof edges / sizeof *edges)];
    case 5: return below(4096);
    case 6: return 1ULL << below(64);
    default: return below(4) ? rnd() & 0xff : rnd();
  }
}

static void child(long calls) {
  struct rlimit nproc = {60, 60}, as = {1UL << 31, 1UL << 31}, fsize = {64 << 20, 64 << 20}, core = {0, 0};
  setrlimit(RLIMIT_NPROC, &nproc), setrlimit(RLIMIT_AS, &as), setrlimit(RLIMIT_FSIZE, &fsize), setrlimit(RLIMIT_CORE, &core);
  if (below(2)) setgid(1000), setuid(1000);
  int p[2];
  open("f", O_RDWR | O_CREAT, 0666), open(".", O_RDONLY), open("/dev/zero", O_RDWR), open("/proc/self/status", O_RDONLY);
  pipe2(p, O_NONBLOCK), eventfd(0, EFD_NONBLOCK), epoll_create1(0), timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p), socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, p);
  socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, 0);
  open("/dev/ptmx", O_RDWR | O_NONBLOCK | O_NOCTTY), memfd_create("m", 0), open("f", O_PATH), open(".", O_TMPFILE | O_RDWR, 0600);
  sigset_t m;
  sigfillset(&m);
  signalfd(-1, &m, SFD_NONBLOCK);
  mem = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 65536; i += 8) *(uint64_t *)(mem + i) = rnd();
  for (int i = 1; i < 32; i++)
    if (i != SIGALRM && i != SIGKILL && i != SIGSTOP && i != SIGSEGV && i != SIGCHLD) signal(i, below(2) ? SIG_IGN : SIG_DFL);
  setitimer(ITIMER_REAL, &(struct itimerval){{0}, {0, 250000}}, NULL);
  for (long i = 0; i < calls; i++) {
    int nr = below(20) ? (int)below(470) : (int)argument();
    if (skipped(nr)) continue;
    pid_t me = getpid();
    syscall(nr, argument(), argument(), argument(), argument(), argument(), argument());
    if (getpid() != me) _exit(0);
    if (nr == SYS_munmap || nr == SYS_mprotect || nr == SYS_mremap || nr == SYS_mmap) { /* keep the arena usable */
      if (mmap(mem, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) _exit(0);
    }
  }
  _exit(0);
}

int main(int argc, char **argv) {
  long seconds = argc > 1 ? atol(argv[1]) : 10;
  uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL) * 1000003 + getpid();
  printf("fuzz: seed %llu\n", (unsigned long long)seed);
  fflush(stdout);
  mkdir("d", 0777), symlink("f", "s"), mkfifo("fifo", 0666), chmod(".", 0777);
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  long end = ts.tv_sec + seconds, shown = ts.tv_sec;
  long n = 0;
  setpgid(0, 0);
  for (;;) {
    clock_gettime(CLOCK_MONOTONIC, &ts);
    if (ts.tv_sec >= end) break;
    if (ts.tv_sec != shown) printf("fuzz: %ld children\n", n), fflush(stdout), shown = ts.tv_sec;
    state = seed + (uint64_t)++n * 0x9E3779B97F4A7C15ULL;
    if (!state) state = 1;
    pid_t p = fork();
    if (p == 0) {
      setsid();
      close(0), close(1), close(2);
      open("/dev/null", O_RDWR), dup(0), dup(0);
      child(400);
    }
    if (p < 0) {
      usleep(10000);
      continue;
    }
    for (int i = 0;; i++) { /* five seconds at most, then its whole session's leader is killed */
      int s;
      pid_t w = waitpid(p, &s, WNOHANG | WUNTRACED);
      if (w == p && !WIFSTOPPED(s)) break;
      if (i > 800 || w == p) kill(p, SIGKILL), kill(-p, SIGKILL);
      usleep(i < 50 ? 200 : 2000);
    }
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
  }
  printf("fuzz: %ld children\nfuzz: done\n", n);
  return 0;
}
