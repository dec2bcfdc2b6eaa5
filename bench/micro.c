/*
 * What system calls cost. Prints "name nanoseconds" lines: the median of several batches, each long enough to be timed.
 * Runs natively, under runc and in the sandbox; tools/bench makes the table.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BATCHES 7
static long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}
static int compare(const void *a, const void *b) { return *(long *)a < *(long *)b ? -1 : 1; }

static int fd, zero, pp[2], ep;
static char buf[65536];
static struct stat st;
/* An instruction of its own that nothing else in this text looks like, and a jump into its neighbours. */
static long raw(void) {
  long r;
  __asm__ volatile("jmp 1f; 0: nop; 1: syscall; jmp 2f; jmp 0b; 2:" : "=a"(r) : "a"(SYS_getppid) : "rcx", "r11", "memory");
  return r;
}
static void f_getppid(void) { getppid(); }
static void f_raw(void) { raw(); }
static void f_clock(void) { now(); }
static void f_pread(void) { pread(fd, buf, 4096, 0); }
static void f_pwrite(void) { pwrite(fd, buf, 4096, 0); }
static void f_fstat(void) { fstat(fd, &st); }
static void f_pipe(void) { write(pp[1], buf, 1), read(pp[0], buf, 1); }
static void f_zero(void) { read(zero, buf, 1); }
static void f_epoll(void) { struct epoll_event e; epoll_wait(ep, &e, 1, 0); }
static void f_stat(void) { stat("/etc/passwd", &st); }
static void f_open(void) { close(open("/etc/passwd", O_RDONLY)); }
static void f_mmap(void) {
  char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 65536; i += 4096) p[i] = 1;
  munmap(p, 65536);
}
static void f_fork(void) {
  pid_t p = fork();
  if (p == 0) _exit(0);
  waitpid(p, NULL, 0);
}
static char *args[] = {"true", NULL};
static void f_exec(void) {
  pid_t p = fork();
  if (p == 0) execv("/bin/true", args), _exit(1);
  waitpid(p, NULL, 0);
}
static void f_spawn(void) {
  pid_t p;
  posix_spawn(&p, "/bin/true", NULL, NULL, args, args + 1);
  waitpid(p, NULL, 0);
}
static void touch(void) {
  long t[BATCHES];
  for (int k = 0; k < BATCHES; k++) {
    char *p = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(p, 8 << 20, MADV_NOHUGEPAGE);
    long a = now();
    for (int i = 0; i < 8 << 20; i += 4096) p[i] = 1;
    t[k] = (now() - a) / 2048;
    munmap(p, 8 << 20);
  }
  qsort(t, BATCHES, sizeof *t, compare);
  printf("first-touch %ld\n", t[BATCHES / 2]);
}
static void measure(const char *name, void (*f)(void), long budgetNs) {
  long t[BATCHES], n = 1;
  for (;;) { /* warm up, and learn how many fill a batch */
    long a = now();
    for (long i = 0; i < n; i++) f();
    long d = now() - a;
    if (d > budgetNs / 2 || n > 1 << 24) break;
    n *= 2;
  }
  for (int k = 0; k < BATCHES; k++) {
    long a = now();
    for (long i = 0; i < n; i++) f();
    t[k] = (now() - a) / n;
  }
  qsort(t, BATCHES, sizeof *t, compare);
  printf("%s %ld\n", name, t[BATCHES / 2]);
  fflush(stdout);
}

int main(void) {
  fd = open("/tmp/bench-file", O_CREAT | O_RDWR, 0600);
  write(fd, buf, sizeof buf);
  zero = open("/dev/zero", O_RDONLY), pipe(pp), ep = epoll_create1(0);
  long ms = 1000000;
  measure("getppid", f_getppid, 30 * ms), measure("getppid-unpatched", f_raw, 30 * ms), measure("clock_gettime", f_clock, 30 * ms);
  measure("pread-4k", f_pread, 30 * ms), measure("pwrite-4k", f_pwrite, 30 * ms), measure("fstat", f_fstat, 30 * ms), measure("pipe-1", f_pipe, 30 * ms);
  measure("read-zero-1", f_zero, 30 * ms), measure("epoll_wait-0", f_epoll, 30 * ms), measure("stat", f_stat, 30 * ms), measure("open-close", f_open, 30 * ms);
  measure("mmap-touch-64k", f_mmap, 50 * ms), touch();
  measure("fork-wait", f_fork, 100 * ms), measure("fork-exec-wait", f_exec, 150 * ms), measure("vfork-exec-wait", f_spawn, 150 * ms);
  return 0;
}
