/* Numbers that issue 4 asks for, and that costs grow as Linux's: the last fifth of each may take no more than six times the second. */
#include "check.h"
#include <dirent.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Does step(i) for all i; says whether all succeeded, and whether the cost grew. */
static void run(const char *name, int n, int (*step)(int)) {
  double at[6];
  int bad = 0;
  for (int part = 0; part < 5; part++) {
    at[part] = now();
    for (int i = n / 5 * part; i < n / 5 * (part + 1); i++)
      if (step(i) < 0) bad++;
  }
  at[5] = now();
  if (bad) NUM(name, n - bad);
  else STR(name, "all");
  double second = at[2] - at[1], last = at[5] - at[4];
  if (last > 6 * second + 0.3) printf("%s: grew from %.3f to %.3f s\n", name, second, last);
  if (getenv("TIMES")) fprintf(stderr, "%s: %.3f s, second fifth %.3f, last %.3f\n", name, at[5] - at[0], second, last);
}

static int *fds, ep;
static int open_one(int i) { return fds[i] = open("f", O_RDONLY); }
static int close_one(int i) { return close(fds[i]); }
static int event_one(int i) { return fds[i] = eventfd(0, 0); }
static int add_one(int i) { return epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &(struct epoll_event){EPOLLIN, {.u32 = i}}); }
static int ready_one(int i) {
  struct epoll_event e;
  uint64_t one = 1;
  if (write(fds[i], &one, 8) != 8 || epoll_wait(ep, &e, 1, 0) != 1 || (int)e.data.u32 != i) return -1;
  return read(fds[i], &one, 8) == 8 ? 0 : -1;
}

static char *area;
static int protect_one(int i) { return mprotect(area + 8192L * i, 4096, PROT_READ); }
static int touch_one(int i) { return area[8192L * i]; }
static int unprotect_one(int i) { return mprotect(area + 8192L * i, 4096, PROT_READ | PROT_WRITE); }

static int create_one(int i) {
  char name[32];
  snprintf(name, sizeof name, "d/file-%06d", i);
  int fd = open(name, O_CREAT | O_WRONLY | O_EXCL, 0600);
  return fd < 0 ? -1 : close(fd);
}
static int stat_one(int i) {
  char name[32];
  struct stat s;
  snprintf(name, sizeof name, "d/file-%06d", i);
  return stat(name, &s);
}
static int unlink_one(int i) {
  char name[32];
  snprintf(name, sizeof name, "d/file-%06d", i);
  return unlink(name);
}

static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static int go, in;
static pthread_t *threads;
static void *wait_for_go(void *a) {
  pthread_mutex_lock(&m);
  in++;
  while (!go) pthread_cond_wait(&c, &m);
  pthread_mutex_unlock(&m);
  return a;
}
static pthread_attr_t small;
static int thread_one(int i) { return pthread_create(&threads[i], &small, wait_for_go, NULL) ? -1 : 0; }
static int join_one(int i) { return pthread_join(threads[i], NULL) ? -1 : 0; }

static pid_t *pids;
static int gate[2];
static int fork_one(int i) {
  pids[i] = fork();
  if (pids[i] == 0) {
    char b;
    close(gate[1]);
    _exit(read(gate[0], &b, 1) == 0 ? 7 : 1);
  }
  return pids[i];
}
static int wait_one(int i) {
  int s;
  return waitpid(pids[i], &s, 0) == pids[i] && WIFEXITED(s) && WEXITSTATUS(s) == 7 ? 0 : -1;
}

static int entries(void) {
  DIR *d = opendir("d");
  int n = 0;
  while (readdir(d)) n++;
  closedir(d);
  return n;
}

static int wants(int argc, char **argv, const char *what) {
  for (int i = 1; i < argc; i++)
    if (!strcmp(argv[i], what)) return 1;
  return argc == 1;
}

int main(int argc, char **argv) {
  scratch_dir();
  setrlimit(RLIMIT_NOFILE, &(struct rlimit){110000, 110000});
  fds = calloc(110000, sizeof *fds);
  threads = calloc(5000, sizeof *threads);
  pids = calloc(2000, sizeof *pids);
  file("f", "x");
  if (wants(argc, argv, "files")) {
    struct rlimit l;
    getrlimit(RLIMIT_NOFILE, &l); /* a Linux that does not let us raise it tries fewer */
    int n = l.rlim_cur > 100010 ? 100000 : ((int)l.rlim_cur - 10) / 5 * 5;
    run("open files", n, open_one);
    run("close files", n, close_one);
  }
  if (wants(argc, argv, "epoll")) {
    ep = epoll_create1(0);
    run("event files", 10000, event_one);
    run("epoll entries", 10000, add_one);
    run("ready one by one", 10000, ready_one);
    run("close event files", 10000, close_one);
    close(ep);
  }
  if (wants(argc, argv, "maps")) {
    area = mmap(NULL, 8192L * 25000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    run("50,000 mappings", 25000, protect_one);
    run("touch them", 25000, touch_one);
    run("merge them", 25000, unprotect_one);
    R("unmap", munmap(area, 8192L * 25000));
    char *sparse = mmap(NULL, 1L << 40, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    YES("1 TiB", sparse != MAP_FAILED);
    for (int i = 0; i < 64; i++) sparse[(1L << 34) * i] = 1;
    R("unmap", munmap(sparse, 1L << 40));
  }
  if (wants(argc, argv, "names")) {
    mkdir("d", 0700);
    run("create names", 100000, create_one);
    NUM("listed", entries());
    run("look names up", 100000, stat_one);
    run("remove names", 100000, unlink_one);
    NUM("listed", entries());
  }
  /* Before the threads: whose stacks libc keeps, and each child would have its own list of them. */
  if (wants(argc, argv, "processes")) {
    if (pipe(gate)) return 1;
    fflush(stdout);
    run("processes", 2000, fork_one);
    close(gate[1]);
    run("wait", 2000, wait_one);
  }
  if (wants(argc, argv, "forks")) {
    area = mmap(NULL, 8192L * 4000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (int i = 0; i < 4000; i++) protect_one(i);
    if (pipe(gate)) return 1;
    fflush(stdout);
    run("processes of 8,000 mappings", 1000, fork_one);
    close(gate[1]);
    run("wait for them", 1000, wait_one);
    munmap(area, 8192L * 4000);
  }
  if (wants(argc, argv, "threads")) {
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    run("threads", 5000, thread_one);
    for (int k = 0; k < 20000; k++) {
      pthread_mutex_lock(&m);
      int all = in == 5000;
      pthread_mutex_unlock(&m);
      if (all) break;
      usleep(1000);
    }
    NUM("waiting", in);
    pthread_mutex_lock(&m);
    go = 1;
    pthread_cond_broadcast(&c);
    pthread_mutex_unlock(&m);
    run("join", 5000, join_one);
  }
  return 0;
}
