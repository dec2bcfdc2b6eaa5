/* futex(2), set_robust_list(2), pthread mutexes of each kind. */
#include "conf.h"
#include <linux/futex.h>

static uint32_t word, word2;
static long fu(uint32_t *u, int op, uint32_t v, void *ts, uint32_t *u2, uint32_t v3) { return syscall(SYS_futex, u, op, v, ts, u2, v3); }
static void *waiter(void *a) {
  long r = fu(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
  return (void *)(r == 0 ? 0L : (long)errno);
}
static void *waiter_bits(void *a) { return (void *)fu(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (uint32_t)(long)a); }
static pthread_mutex_t *mx;
static void *dies_with_lock(void *a) {
  pthread_mutex_lock(a);
  return NULL;
}
static volatile int counter;
static void *count(void *a) {
  for (int i = 0; i < 5000; i++) {
    pthread_mutex_lock(a);
    counter++;
    pthread_mutex_unlock(a);
  }
  return NULL;
}

int main(void) {
  struct timespec ts = {0, 20000000}, bad = {0, 1000000000}, neg = {-1, 0};
  R("wait-value-differs", fu(&word, FUTEX_WAIT, 1, NULL, NULL, 0));
  long t0 = now_ms();
  R("wait-timeout", fu(&word, FUTEX_WAIT, 0, &ts, NULL, 0));
  T("waited", now_ms() - t0 >= 20);
  R("wait-bad-timespec", fu(&word, FUTEX_WAIT, 0, &bad, NULL, 0));
  R("wait-negative-timespec", fu(&word, FUTEX_WAIT, 0, &neg, NULL, 0));
  R("wait-timespec-efault", fu(&word, FUTEX_WAIT, 0, BAD, NULL, 0));
  R("wait-unaligned", fu((uint32_t *)((char *)&word + 1), FUTEX_WAIT, 0, NULL, NULL, 0));
  R("wait-efault", fu((uint32_t *)BAD, FUTEX_WAIT, 0, NULL, NULL, 0));
  R("wait-null", fu(NULL, FUTEX_WAIT, 0, NULL, NULL, 0));
  R("wake-nobody", fu(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
  R("wake-unaligned", fu((uint32_t *)((char *)&word + 2), FUTEX_WAKE, 1, NULL, NULL, 0));
  R("bad-op", fu(&word, 99, 0, NULL, NULL, 0));
  R("bitset-0", fu(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
  R("wake-bitset-0", fu(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
  struct timespec past = {1, 0};
  R("wait-bitset-past-deadline", fu(&word, FUTEX_WAIT_BITSET, 0, &past, NULL, ~0u));
  R("wait-bitset-realtime-past", fu(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &past, NULL, ~0u));
  R("wake-with-realtime", fu(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0));
  pthread_t t[4];
  void *ret;
  for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, waiter, NULL);
  msleep(50);
  R("wake-1", fu(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
  R("wake-rest", fu(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0));
  long sum = 0;
  for (int i = 0; i < 4; i++) pthread_join(t[i], &ret), sum += (long)ret;
  V("waiters-all-ok", sum);
  for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, waiter_bits, (void *)(1L << i));
  msleep(50);
  R("wake-bitset-match", fu(&word, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 5));
  R("wake-bitset-other", fu(&word, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 16));
  R("wake-bitset-rest", fu(&word, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 10));
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, waiter, NULL);
  msleep(50);
  R("requeue", fu(&word, FUTEX_REQUEUE_PRIVATE, 1, (void *)2L, &word2, 0));
  R("cmp-requeue-differs", fu(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2L, &word2, 5));
  R("wake-requeued", fu(&word2, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0));
  R("cmp-requeue", fu(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2L, &word2, 0));
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  R("requeue-negative", fu(&word, FUTEX_REQUEUE, -1, (void *)2L, &word2, 0));
  pthread_create(&t[0], NULL, waiter, NULL);
  msleep(30);
  word2 = 5;
  R("wake-op", fu(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1L, &word2, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)));
  V("wake-op-stored", word2);
  pthread_join(t[0], NULL);
  word2 = 0;

  /* shared between processes */
  uint32_t *sh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t p = SPAWN(_exit(fu(sh, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 5 : 6));
  msleep(50);
  R("wake-shared-private-flag-misses", fu(sh, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
  R("wake-shared", fu(sh, FUTEX_WAKE, 1, NULL, NULL, 0));
  int s;
  waitpid(p, &s, 0);
  S("shared-waiter", status_name(s));
  int fd = open("f", O_CREAT | O_RDWR, 0600);
  ftruncate(fd, 4096);
  uint32_t *f1 = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *f2 = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  p = SPAWN(_exit(fu(f1, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 5 : 6));
  msleep(50);
  R("wake-by-other-mapping", fu(f2, FUTEX_WAKE, 1, NULL, NULL, 0));
  waitpid(p, &s, 0);
  S("file-waiter", status_name(s));
  R("wait-read-only-page", ({ uint32_t *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); fu(ro, FUTEX_WAIT, 1, NULL, NULL, 0); }));

  /* PI */
  word = 0;
  R("lock-pi", fu(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  T("lock-pi-owner", word == (uint32_t)gettid());
  R("lock-pi-deadlock", fu(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  R("trylock-pi", fu(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
  R("unlock-pi", fu(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  V("unlock-pi-word", word);
  R("unlock-pi-not-owner", fu(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  word = 999999;
  R("lock-pi-owner-gone", fu(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  word = 0;

  /* robust list */
  struct robust_list_head *head = NULL, mine;
  size_t len = 0;
  R("get-robust-list", syscall(SYS_get_robust_list, 0, &head, &len));
  V("robust-list-size", len);
  R("set-robust-list-bad-size", syscall(SYS_set_robust_list, &mine, 8));
  R("get-robust-list-nobody", syscall(SYS_get_robust_list, 999999, &head, &len));
  for (int kind = 0; kind < 4; kind++) {
    pthread_mutexattr_t at;
    pthread_mutexattr_init(&at);
    if (kind & 1) pthread_mutexattr_setprotocol(&at, PTHREAD_PRIO_INHERIT);
    pthread_mutexattr_setrobust(&at, PTHREAD_MUTEX_ROBUST);
    if (kind & 2) pthread_mutexattr_setpshared(&at, PTHREAD_PROCESS_SHARED);
    mx = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutex_init(mx, &at);
    char n[64];
    if (kind & 2) {
      p = SPAWN(pthread_mutex_lock(mx); _exit(0));
      waitpid(p, &s, 0);
    } else {
      pthread_create(&t[0], NULL, dies_with_lock, mx);
      pthread_join(t[0], NULL);
    }
    snprintf(n, sizeof n, "robust-%d-owner-died", kind);
    E(n, pthread_mutex_lock(mx));
    snprintf(n, sizeof n, "robust-%d-consistent", kind);
    E(n, pthread_mutex_consistent(mx));
    snprintf(n, sizeof n, "robust-%d-unlock", kind);
    E(n, pthread_mutex_unlock(mx));
    counter = 0;
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, count, mx);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    snprintf(n, sizeof n, "robust-%d-contended", kind);
    V(n, counter);
  }
  return 0;
}
