/* System V semaphores and message queues: values, waiting, undo, permissions, limits and errors. */
#include "check.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <time.h>

#ifndef BAD
#define BAD ((void *)-4096L)
#endif
union semun { int val; struct semid_ds *buf; unsigned short *array; struct seminfo *info; };

static long op(int id, int n, int o, int f) {
  struct sembuf b = {n, o, f};
  return semop(id, &b, 1);
}
static long timed(int id, int n, int o, long ms) {
  struct sembuf b = {n, o, 0};
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  return semtimedop(id, &b, 1, &t);
}
static void nap(int ms) { usleep(ms * 1000); }
static void on(int s) { (void)s; }
struct m { long type; char text[9000]; };
static long snd(int id, long type, const char *s, int len, int f) {
  struct m m = {type};
  memcpy(m.text, s, strlen(s) < len ? strlen(s) : len);
  return msgsnd(id, &m, len, f);
}
static void rcv(const char *name, int id, long type, int len, int f) {
  struct m m = {0};
  errno = 0;
  long r = msgrcv(id, &m, len, type, f);
  if (r < 0) report(name, r);
  else printf("%s: %ld type %ld text %.20s\n", name, r, m.type, m.text);
}

static void proc(const char *file, int key) {
  char b[4096];
  FILE *f = fopen(file, "r");
  int k, id;
  while (f && fgets(b, sizeof b, f))
    if (sscanf(b, "%d %d", &k, &id) == 2 && k == key) {
      b[22] = 0;
      int perms, n, at = 0;
      sscanf(b + 23, "%o %d", &perms, &n);
      printf("%s: width %zu perms %o first %d\n", file, strlen(b + 23), perms, n);
    }
  if (f) fclose(f);
}

static void semaphores(void) {
  R("no key", semget(0x1234, 1, 0));
  R("zero", semget(IPC_PRIVATE, 0, 0600));
  R("negative", semget(IPC_PRIVATE, -1, 0600));
  R("too many", semget(IPC_PRIVATE, 40000, 0600));
  int id = semget(0x1234, 3, IPC_CREAT | 0640);
  OK("create", id);
  R("exclusive", semget(0x1234, 3, IPC_CREAT | IPC_EXCL));
  YES("again", semget(0x1234, 2, 0) == id);
  R("larger", semget(0x1234, 4, 0));
  union semun u = {.val = 5};
  R("setval", semctl(id, 1, SETVAL, u));
  R("getval", semctl(id, 1, GETVAL));
  R("getval range", semctl(id, 3, GETVAL));
  u.val = 40000;
  R("setval range", semctl(id, 1, SETVAL, u));
  YES("getpid", semctl(id, 1, GETPID) == getpid());
  unsigned short a[3] = {1, 2, 3}, b[3];
  u.array = a;
  R("setall", semctl(id, 0, SETALL, u));
  u.array = b;
  R("getall", semctl(id, 0, GETALL, u));
  printf("values: %d %d %d\n", b[0], b[1], b[2]);
  proc("/proc/sysvipc/sem", 0x1234);
  struct semid_ds ds;
  u.buf = &ds;
  R("stat", semctl(id, 0, IPC_STAT, u));
  printf("stat: %o %d %d %d\n", ds.sem_perm.mode, ds.sem_perm.uid, (int)ds.sem_nsems, ds.sem_perm.__key);
  YES("otime", ds.sem_otime == 0 && ds.sem_ctime > 0);
  ds.sem_perm.mode = 0666;
  R("set", semctl(id, 0, IPC_SET, u));
  semctl(id, 0, IPC_STAT, u);
  printf("mode: %o\n", ds.sem_perm.mode);
  struct seminfo si;
  u.info = &si;
  OK("info", semctl(0, 0, IPC_INFO, u));
  printf("info: %d %d %d %d %d %d %d %d %d\n", si.semmap, si.semmni, si.semmns, si.semmnu, si.semmsl, si.semopm, si.semume, si.semusz, si.semvmx);
  OK("sem_info", semctl(0, 0, SEM_INFO, u));
  printf("use: %d %d\n", si.semusz, si.semaem);
  u.buf = BAD;
  R("stat fault", semctl(id, 0, IPC_STAT, u));
  R("bad command", semctl(id, 0, 99, u));
  R("bad id", semctl(-1, 0, GETVAL));
  R("no id", semctl(0x7ffffff0, 0, GETVAL));
  R("add", op(id, 0, 4, 0));
  R("take", op(id, 0, -5, 0));
  R("take nowait", op(id, 0, -1, IPC_NOWAIT));
  R("zero", op(id, 0, 0, 0));
  R("not zero", op(id, 1, 0, IPC_NOWAIT));
  R("timeout", timed(id, 0, -1, 20));
  R("range", op(id, 1, 32767, 0));
  R("no sem", op(id, 3, 1, 0));
  R("no ops", semop(id, (void *)a, 0));
  static struct sembuf many[501];
  R("too many ops", semop(id, many, 501));
  R("fault", semop(id, BAD, 1));
  struct timespec bad = {0, 1000000000};
  R("bad timeout", semtimedop(id, many, 1, &bad));
  struct sembuf two[2] = {{1, 5, 0}, {0, -1, IPC_NOWAIT}};
  R("all or nothing", semop(id, two, 2));
  R("untouched", semctl(id, 1, GETVAL));
  pid_t p = fork();
  if (!p) _exit(op(id, 0, -2, 0) == 0 ? 7 : 8);
  nap(60);
  R("ncnt", semctl(id, 0, GETNCNT));
  R("zcnt", semctl(id, 0, GETZCNT));
  op(id, 0, 1, 0);
  R("still", semctl(id, 0, GETNCNT));
  op(id, 0, 2, 0);
  R("left", semctl(id, 0, GETVAL));
  R("ncnt after", semctl(id, 0, GETNCNT));
  int st;
  waitpid(p, &st, 0);
  R("child", WEXITSTATUS(st));
  YES("last pid", semctl(id, 0, GETPID) == getpid());
  if (!(p = fork())) {
    op(id, 1, 7, SEM_UNDO), op(id, 0, -1, SEM_UNDO);
    printf("in child: %d %d\n", semctl(id, 0, GETVAL), semctl(id, 1, GETVAL));
    _exit(0);
  }
  waitpid(p, &st, 0);
  printf("undone: %d %d\n", semctl(id, 0, GETVAL), semctl(id, 1, GETVAL));
  struct sigaction sa = {.sa_handler = on, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &sa, NULL);
  ualarm(30000, 0);
  R("interrupted", op(id, 0, -20, 0));
  if (!(p = fork())) _exit(op(id, 0, -20, 0) < 0 ? errno : 0);
  nap(60);
  R("rmid", semctl(id, 0, IPC_RMID));
  waitpid(p, &st, 0);
  R("removed while waiting", WEXITSTATUS(st) == EIDRM);
  R("after rmid", semctl(id, 0, GETVAL));
  R("key free", semget(0x1234, 1, 0));
  id = semget(IPC_PRIVATE, 1, 0600);
  if (!(p = fork())) {
    setresuid(1000, 1000, 1000);
    R("other getval", semctl(id, 0, GETVAL));
    R("other op", op(id, 0, 1, 0));
    R("other rmid", semctl(id, 0, IPC_RMID));
    u.val = 1;
    R("other setval", semctl(id, 0, SETVAL, u));
    _exit(0);
  }
  waitpid(p, &st, 0);
  semctl(id, 0, IPC_RMID);
}

static void messages(void) {
  R("q no key", msgget(0x4321, 0));
  int id = msgget(0x4321, IPC_CREAT | 0600);
  OK("q create", id);
  R("q exclusive", msgget(0x4321, IPC_CREAT | IPC_EXCL));
  rcv("q empty", id, 0, 100, IPC_NOWAIT);
  R("q type 0", snd(id, 0, "x", 1, 0));
  R("q too long", snd(id, 1, "x", 8193, 0));
  R("q fault", msgsnd(id, BAD, 1, 0));
  R("q send", snd(id, 3, "three", 5, 0));
  snd(id, 1, "one", 3, 0), snd(id, 2, "two", 3, 0), snd(id, 1, "uno", 3, 0), snd(id, 5, "", 0, 0);
  rcv("q too big", id, 0, 2, 0);
  rcv("q noerror", id, 0, 2, MSG_NOERROR);
  rcv("q type 2", id, 2, 100, 0);
  rcv("q lowest", id, -4, 100, 0);
  rcv("q except", id, 1, 100, MSG_EXCEPT);
  rcv("q copy", id, 0, 100, 040000 | IPC_NOWAIT);
  rcv("q copy wait", id, 0, 100, 040000);
  rcv("q rest", id, 0, 100, 0);
  rcv("q none", id, 9, 100, IPC_NOWAIT);
  proc("/proc/sysvipc/msg", 0x4321);
  struct msqid_ds ds;
  R("q stat", msgctl(id, IPC_STAT, &ds));
  printf("q stat: %o %ld %ld %ld\n", ds.msg_perm.mode, (long)ds.msg_qnum, (long)ds.msg_qbytes, (long)ds.__msg_cbytes);
  YES("q pids", ds.msg_lspid == getpid() && ds.msg_lrpid == getpid() && ds.msg_stime > 0);
  int n = 0;
  while (snd(id, 1, "x", 1000, IPC_NOWAIT) == 0) n++;
  R("q full", n);
  R("q full error", errno == EAGAIN);
  ds.msg_qbytes = 2000;
  R("q set", msgctl(id, IPC_SET, &ds));
  struct msginfo mi;
  OK("q info", msgctl(0, IPC_INFO, (void *)&mi));
  printf("q info: %d %d %d %d %d %d %d %d\n", mi.msgpool, mi.msgmap, mi.msgmax, mi.msgmnb, mi.msgmni, mi.msgssz, mi.msgtql, mi.msgseg);
  OK("q msg_info", msgctl(0, MSG_INFO, (void *)&mi));
  printf("q use: %d %d %d\n", mi.msgpool, mi.msgmap, mi.msgtql);
  while (msgrcv(id, &(struct m){0}, 9000, 0, IPC_NOWAIT) >= 0) n--;
  R("q drained", n);
  pid_t p = fork();
  int st;
  if (!p) {
    rcv("q waited", id, 7, 100, 0);
    _exit(0);
  }
  nap(50);
  snd(id, 6, "six", 3, 0), snd(id, 7, "seven", 5, 0);
  waitpid(p, &st, 0);
  struct sigaction sa = {.sa_handler = on, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &sa, NULL);
  ualarm(30000, 0);
  rcv("q interrupted", id, 99, 10, 0);
  if (!(p = fork())) {
    rcv("q removed", id, 99, 10, 0);
    _exit(0);
  }
  nap(50);
  R("q rmid", msgctl(id, IPC_RMID, NULL));
  waitpid(p, &st, 0);
  R("q gone", msgctl(id, IPC_STAT, &ds));
  R("q gone send", snd(id, 1, "x", 1, 0));
  R("q bad command", msgctl(id, 77, &ds));
}

/* What ipcs(1) reads. */
static void listed(void) {
  int id = shmget(0x5000, 5000, IPC_CREAT | 0640);
  void *at = shmat(id, NULL, 0);
  FILE *f = fopen("/proc/sysvipc/shm", "r");
  char line[400];
  fgets(line, sizeof line, f);
  while (fgets(line, sizeof line, f)) {
    int key, shmid, cpid, lpid;
    unsigned mode, users, uid;
    unsigned long size, rss, swap;
    int n = sscanf(line, "%d %d %o %lu %d %d %u %u %*u %*u %*u %*d %*d %*d %lu %lu", &key, &shmid, &mode, &size, &cpid, &lpid, &users, &uid, &rss, &swap);
    printf("shm line: %d fields key %x mode %o size %lu users %u swap %lu mine %d length %d\n", n, key, mode, size, users, swap, shmid == id && cpid == getpid(), (int)strlen(line));
  }
  fclose(f);
  shmdt(at);
  shmctl(id, IPC_RMID, NULL);
}

int main(void) {
  scratch_dir();
  setvbuf(stdout, NULL, _IONBF, 0);
  listed();
  semaphores();
  messages();
  unsigned long limits[9] = {0}; /* struct shminfo */
  OK("shm info", shmctl(0, IPC_INFO, (void *)limits));
  printf("shm limits: %lx %lx %lx %lx\n", limits[0], limits[1], limits[2], limits[4]);
  return 0;
}
