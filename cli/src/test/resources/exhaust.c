// Uses up one thing until the kernel refuses, says how that ended, gives all back and tries again.
//   exhaust WHAT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int limit = 4000000;

static void end(const char *what, int n) {
  int error = errno;
  printf("%s: %s after %d\n", what, n == limit ? "no end" : strerrorname_np(error), n);
  fflush(stdout);
}

static void raise_files(void) {
  struct rlimit r;
  getrlimit(RLIMIT_NOFILE, &r);
  r.rlim_cur = r.rlim_max;
  setrlimit(RLIMIT_NOFILE, &r);
}

static void fds(void) {
  int n = 0;
  while (n < limit && open("/dev/null", O_RDONLY) >= 0) n++;
  end("fds", n);
  closefrom(3);
  if (open("/dev/null", O_RDONLY) < 0) exit(1);
}

// Files of the root, each of which may hold a descriptor of the host.
static void files(void) {
  char line[4096];
  int n = 0, bad = 0;
  FILE *list = popen("find /usr -xdev -type f 2>/dev/null", "r");
  while (fgets(line, sizeof line, list)) {
    line[strcspn(line, "\n")] = 0;
    if (open(line, O_RDONLY) < 0) {
      bad = errno;
      if (bad == EMFILE || bad == ENFILE) break;
    } else {
      n++;
    }
  }
  errno = bad;
  end("files", n);
  closefrom(3);
  if (open("/usr/bin/env", O_RDONLY) < 0) exit(1);
}

// Bytes in pipes that nobody reads.
static void pipes(void) {
  static char data[65536];
  int n = 0, p[2];
  while (n < limit && !pipe2(p, O_NONBLOCK)) {
    if (write(p[1], data, sizeof data) < 0) break;
    n++;
  }
  end("pipes", n);
}

static void *sleeper(void *unused) {
  pause();
  return unused;
}

static void threads(void) {
  pthread_attr_t a;
  pthread_t t;
  int n = 0;
  pthread_attr_init(&a);
  pthread_attr_setstacksize(&a, 65536);
  while (n < limit && !(errno = pthread_create(&t, &a, sleeper, 0))) n++;
  end("threads", n);
}

static void processes(void) {
  static int pids[40000];
  int n = 0, status;
  for (; n < 40000; n++) {
    pids[n] = fork();
    if (!pids[n]) {
      pause();
      _exit(0);
    }
    if (pids[n] < 0) break;
  }
  end("processes", n);
  for (int i = 0; i < n; i++) kill(pids[i], SIGKILL);
  while (wait(&status) > 0) {
  }
}

static void vmas(void) {
  int n = 0;
  char *all = mmap(0, 8192L * 200000, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (all == MAP_FAILED) exit(1);
  while (n < 200000 && !mprotect(all + 8192L * n, 4096, PROT_READ)) n++;
  if (n == 200000) n = limit;
  end("vmas", n);
  munmap(all, 8192L * 200000);
  if (mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) exit(1);
}

static void memory(void) {
  int pid = fork(), status;
  if (!pid) {
    for (long n = 0; n < 1L << 34; n += 1 << 20) memset(malloc(1 << 20), 1, 1 << 20);
    _exit(0);
  }
  waitpid(pid, &status, 0);
  printf("memory: %s %d\n", WIFSIGNALED(status) ? "signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status) : status);
}

static void signals(void) {
  int n = 0;
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, 0);
  while (n < limit && !sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = n})) n++;
  end("signals", n);
}

static void timers(void) {
  int n = 0;
  timer_t t;
  struct sigevent e = {.sigev_notify = SIGEV_NONE};
  while (n < limit && !timer_create(CLOCK_MONOTONIC, &e, &t)) n++;
  end("timers", n);
}

int main(int argc, char **argv) {
  struct {
    const char *name;
    void (*run)(void);
  } all[] = {{"fds", fds}, {"files", files}, {"pipes", pipes}, {"threads", threads}, {"processes", processes},
             {"vmas", vmas}, {"memory", memory}, {"signals", signals}, {"timers", timers}};
  if (argc < 2) return 2;
  raise_files();
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
    if (!strcmp(argv[1], all[i].name)) all[i].run();
  return 0;
}
