/* pthreads: creation, join, exit, signals to threads, exec and exit of a multi-threaded process, thread-local state. */
#include "conf.h"
#include <semaphore.h>
#include <sys/prctl.h>
#include <linux/capability.h>

static __thread int tls = 5;
static volatile int v;
static volatile pid_t tid;
static void *one(void *a) {
  tid = gettid();
  tls = 9;
  return (void *)((long)a + tls);
}
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cv = PTHREAD_COND_INITIALIZER;
static sem_t sem;
static pthread_barrier_t bar;
static void *pong(void *a) {
  for (int i = 0; i < 500; i++) {
    pthread_mutex_lock(&mu);
    while (v != 1) pthread_cond_wait(&cv, &mu);
    v = 0;
    pthread_cond_broadcast(&cv);
    pthread_mutex_unlock(&mu);
  }
  return NULL;
}
static void *sleeper(void *a) {
  tid = gettid();
  for (;;) pause();
}
static volatile pid_t handled;
static void h(int s) { handled = gettid(); }
static void *blocked_sleeper(void *a) {
  sigset_t m;
  sigfillset(&m);
  pthread_sigmask(SIG_BLOCK, &m, NULL);
  for (;;) pause();
}
static void *exec_it(void *a) {
  execl("/bin/true", "true", NULL);
  return NULL;
}
static void *exit_group(void *a) { _exit(44); }
static void *segv(void *a) { *(volatile int *)0 = 1; return NULL; }
static void *exit_thread(void *a) { syscall(SYS_exit, 0); return NULL; }
static pthread_key_t key;
static volatile int destroyed;
static void destroy(void *a) { destroyed = (int)(long)a; }
static void *with_key(void *a) { pthread_setspecific(key, (void *)12); return NULL; }
static void *at_barrier(void *a) { int r = pthread_barrier_wait(&bar); return (void *)(long)(r == PTHREAD_BARRIER_SERIAL_THREAD); }
static void *named(void *a) {
  prctl(PR_SET_NAME, "a-thread");
  char b[64], path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/comm", gettid());
  strcpy(b, get_file(path));
  printf("task-comm: %s", b);
  return NULL;
}
static void *set_umask(void *a) { umask(0111); chdir("/"); return NULL; }
static void *small(void *a) { __sync_fetch_and_add((int *)a, 1); return NULL; }
static void *spin(void *a) { while (!v) __asm__ volatile("pause"); return NULL; }

int main(void) {
  pthread_t t, ts[100];
  void *r;
  int s;
  E("create", pthread_create(&t, NULL, one, (void *)10));
  E("join", pthread_join(t, &r));
  V("join-value", (long)r);
  V("tls-is-own", tls);
  T("tid-differs", tid != getpid());
  R("tgkill-dead-thread", syscall(SYS_tgkill, getpid(), tid, 0));
  pthread_create(&t, NULL, pong, NULL);
  for (int i = 0; i < 500; i++) {
    pthread_mutex_lock(&mu);
    v = 1;
    pthread_cond_broadcast(&cv);
    while (v != 0) pthread_cond_wait(&cv, &mu);
    pthread_mutex_unlock(&mu);
  }
  pthread_join(t, NULL);
  S("ping-pong", "500 rounds");
  int n = 0;
  for (int i = 0; i < 100; i++) pthread_create(&ts[i], NULL, small, &n);
  for (int i = 0; i < 100; i++) pthread_join(ts[i], NULL);
  V("100-threads", n);
  for (int k = 0; k < 300; k++) pthread_create(&t, NULL, small, &n), pthread_join(t, NULL);
  V("300-more", n);
  struct timespec d;
  clock_gettime(CLOCK_REALTIME, &d);
  d.tv_nsec += 20000000;
  if (d.tv_nsec >= 1000000000) d.tv_sec++, d.tv_nsec -= 1000000000;
  pthread_mutex_lock(&mu);
  E("cond-timedwait", pthread_cond_timedwait(&cv, &mu, &d));
  E("mutex-timedlock", pthread_mutex_timedlock(&mu, &d));
  pthread_mutex_unlock(&mu);
  sem_init(&sem, 0, 1);
  R("sem-wait", sem_wait(&sem));
  R("sem-trywait", sem_trywait(&sem));
  R("sem-timedwait", sem_timedwait(&sem, &d));
  pthread_barrier_init(&bar, NULL, 4);
  long serial = 0;
  for (int i = 0; i < 4; i++) pthread_create(&ts[i], NULL, at_barrier, NULL);
  for (int i = 0; i < 4; i++) pthread_join(ts[i], &r), serial += (long)r;
  V("barrier-one-serial", serial);
  pthread_key_create(&key, destroy);
  pthread_create(&t, NULL, with_key, NULL);
  pthread_join(t, NULL);
  V("key-destroyed", destroyed);
  pthread_create(&t, NULL, named, NULL);
  pthread_join(t, NULL);
  char b[64];
  strcpy(b, get_file("/proc/self/comm"));
  T("main-comm-unchanged", !strncmp(b, "threads", 7));
  char cwd[64];
  pthread_create(&t, NULL, set_umask, NULL);
  pthread_join(t, NULL);
  O("umask-is-shared", umask(022));
  S("cwd-is-shared", getcwd(cwd, sizeof cwd));

  /* signals and threads */
  signal(SIGUSR1, h);
  pthread_create(&t, NULL, sleeper, NULL);
  msleep(30);
  E("pthread-kill", pthread_kill(t, SIGUSR1));
  msleep(30);
  T("handled-by-target", handled == tid);
  sigset_t m;
  sigemptyset(&m), sigaddset(&m, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &m, NULL);
  handled = 0;
  kill(getpid(), SIGUSR1);
  msleep(30);
  T("process-signal-goes-to-unblocked", handled == tid);
  pthread_cancel(t);
  pthread_join(t, &r);
  T("cancelled", r == PTHREAD_CANCELED);
  kill(getpid(), SIGUSR1);
  sigset_t pend;
  sigpending(&pend);
  T("process-signal-pends", sigismember(&pend, SIGUSR1));
  pthread_sigmask(SIG_UNBLOCK, &m, NULL);

  /* the end of many-threaded processes */
  CHILD("exec-from-thread", pthread_t x; for (int i = 0; i < 5; i++) pthread_create(&x, NULL, sleeper, NULL); pthread_create(&x, NULL, exec_it, NULL); for (;;) pause());
  CHILD("exec-from-main", pthread_t x; for (int i = 0; i < 5; i++) pthread_create(&x, NULL, sleeper, NULL); execl("/bin/true", "true", NULL); _exit(3));
  CHILD("exit-group-from-thread", pthread_t x; pthread_create(&x, NULL, exit_group, NULL); for (;;) pause());
  CHILD("segv-in-thread", pthread_t x; pthread_create(&x, NULL, segv, NULL); for (;;) pause());
  CHILD("main-exits-first", pthread_t x; v = 0; pthread_create(&x, NULL, spin, NULL); alarm(5); pthread_t y; pthread_create(&y, NULL, sleeper, NULL); v = 1; pthread_join(x, NULL); pthread_create(&x, NULL, exit_group, NULL); pthread_exit(NULL));
  CHILD("last-thread-exit", pthread_t x; pthread_create(&x, NULL, exit_thread, NULL); msleep(10); syscall(SYS_exit, 6));
  CHILD("kill-stops-spinning-thread", pthread_t x; v = 0; pthread_create(&x, NULL, spin, NULL); msleep(20); kill(getpid(), SIGKILL));
  CHILD("blocked-threads-killed", pthread_t x; for (int i = 0; i < 5; i++) pthread_create(&x, NULL, blocked_sleeper, NULL); msleep(20); kill(getpid(), SIGTERM); for (;;) pause());
  CHILD("fork-from-threaded", pthread_t x; pthread_create(&x, NULL, sleeper, NULL); pid_t q = fork(); if (!q) _exit(9); waitpid(q, &s, 0); _exit(WEXITSTATUS(s)));
  pid_t p = SPAWN(pthread_t x; v = 0; pthread_create(&x, NULL, spin, NULL); spin(NULL));
  msleep(30);
  kill(p, SIGSTOP);
  T("stop-all-threads", waitpid(p, &s, WUNTRACED) == p && WIFSTOPPED(s));
  kill(p, SIGCONT);
  T("continued", waitpid(p, &s, WCONTINUED) == p && WIFCONTINUED(s));
  kill(p, SIGKILL);
  waitpid(p, &s, 0);
  S("killed", status_name(s));
  int thr = 0;
  char *st = strstr(get_file("/proc/self/status"), "Threads:");
  if (st) sscanf(st, "Threads: %d", &thr);
  V("proc-threads", thr);
  R("sched-getaffinity", syscall(SYS_sched_getaffinity, 0, 128, b) > 0);
  R("sched-getscheduler", sched_getscheduler(0));
  R("sched-getscheduler-nobody", sched_getscheduler(999999));
  R("sched-get-priority-max-fifo", sched_get_priority_max(SCHED_FIFO));
  R("sched-get-priority-bad", sched_get_priority_max(99));
  struct sched_param sp = {1};
  R("sched-setscheduler-other-prio-1", sched_setscheduler(0, SCHED_OTHER, &sp));
  return 0;
}
