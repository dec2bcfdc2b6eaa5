#include "check.h"
#include <sched.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <time.h>

static long milliseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int main(void) {
  scratch_dir();
  struct rlimit l, m;
  R("getrlimit bad", getrlimit(16, &l));
  R("getrlimit bad address", syscall(SYS_getrlimit, RLIMIT_NOFILE, BAD));
  CHILD("limits", {
    l.rlim_cur = 100;
    l.rlim_max = 200;
    R("  set", setrlimit(RLIMIT_NOFILE, &l));
    getrlimit(RLIMIT_NOFILE, &m);
    printf("  now %ld %ld\n", (long)m.rlim_cur, (long)m.rlim_max);
    l.rlim_cur = 300;
    R("  soft above hard", setrlimit(RLIMIT_NOFILE, &l));
    R("  prlimit", prlimit(0, RLIMIT_NOFILE, NULL, &m));
    l.rlim_cur = 50;
    R("  prlimit both", prlimit(getpid(), RLIMIT_NOFILE, &l, &m));
    printf("  old %ld %ld\n", (long)m.rlim_cur, (long)m.rlim_max);
    l.rlim_max = 1L << 30;
    R("  above nr_open", setrlimit(RLIMIT_NOFILE, &l));
    R("  nobody", prlimit(4000000, RLIMIT_NOFILE, NULL, &m));
    setresuid(1000, 1000, 1000);
    l.rlim_cur = 10;
    l.rlim_max = 201;
    R("  raise hard", setrlimit(RLIMIT_NOFILE, &l));
    l.rlim_max = 100;
    R("  lower hard", setrlimit(RLIMIT_NOFILE, &l));
    R("  of another", prlimit(getppid(), RLIMIT_NOFILE, NULL, &m));
  });
  struct rusage u;
  R("getrusage self", getrusage(RUSAGE_SELF, &u));
  R("getrusage children", getrusage(RUSAGE_CHILDREN, &u));
  R("getrusage thread", getrusage(RUSAGE_THREAD, &u));
  R("getrusage bad", getrusage(7, &u));
  R("getrusage bad address", syscall(SYS_getrusage, RUSAGE_SELF, BAD));
  for (volatile long i = 0; i < 200000000; i++) {}
  getrusage(RUSAGE_SELF, &u);
  YES("used cpu", u.ru_utime.tv_sec > 0 || u.ru_utime.tv_usec > 20000);
  struct tms t;
  YES("times", times(&t) > 0 && t.tms_utime > 0);
  for (long end = milliseconds() + 400; milliseconds() < end;) close(open("/", O_RDONLY));
  getrusage(RUSAGE_SELF, &u);
  YES("used system time", u.ru_stime.tv_sec > 0 || u.ru_stime.tv_usec > 20000);
  YES("times has it", times(&t) > 0 && t.tms_stime > 0);
  getrusage(RUSAGE_THREAD, &u);
  YES("the thread used it", u.ru_stime.tv_sec > 0 || u.ru_stime.tv_usec > 20000);
  size_t big = 48 << 20;
  char *touched = mmap(NULL, big, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(touched, 1, big);
  getrusage(RUSAGE_SELF, &u);
  YES("maxrss", u.ru_maxrss >= 48 << 10 && u.ru_maxrss < 64 << 10);
  munmap(touched, big);
  getrusage(RUSAGE_SELF, &u);
  YES("maxrss stays", u.ru_maxrss >= 48 << 10);
  CHILD("touches more", memset(mmap(NULL, 2 * big, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 2 * big));
  getrusage(RUSAGE_CHILDREN, &u);
  YES("children's maxrss", u.ru_maxrss >= 96 << 10 && u.ru_maxrss < 128 << 10);
  signal(SIGCHLD, SIG_IGN);
  CHILD("nobody waits for", memset(mmap(NULL, 4 * big, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 4 * big));
  signal(SIGCHLD, SIG_DFL);
  getrusage(RUSAGE_CHILDREN, &u);
  YES("that does not count", u.ru_maxrss < 128 << 10);

  CHILD("nice", {
    R("  get", getpriority(PRIO_PROCESS, 0));
    R("  raise", setpriority(PRIO_PROCESS, 0, 5));
    R("  get", getpriority(PRIO_PROCESS, 0));
    R("  raw", syscall(SYS_getpriority, PRIO_PROCESS, 0));
    R("  clamp", setpriority(PRIO_PROCESS, 0, 100));
    R("  get", getpriority(PRIO_PROCESS, 0));
    R("  lower as root", setpriority(PRIO_PROCESS, 0, -5));
    setresuid(1000, 1000, 1000);
    R("  lower", setpriority(PRIO_PROCESS, 0, -6));
    R("  another's", setpriority(PRIO_PROCESS, getppid(), 10));
    R("  nobody", setpriority(PRIO_PROCESS, 4000000, 1));
    R("  bad which", setpriority(9, 0, 1));
    R("  bad which", getpriority(9, 0));
    R("  user", getpriority(PRIO_USER, 1000));
    R("  nobody", getpriority(PRIO_USER, 31337));
  });
  CHILD("inherits nice", setpriority(PRIO_PROCESS, 0, 7); if (fork() == 0) { R("  child", getpriority(PRIO_PROCESS, 0)); _exit(0); } wait(NULL));

  cpu_set_t set;
  long n = syscall(SYS_sched_getaffinity, 0, sizeof set, &set);
  YES("getaffinity size", n >= 8 && n % 8 == 0);
  YES("some cpu", CPU_ISSET(0, &set) || CPU_ISSET(1, &set));
  R("getaffinity small", syscall(SYS_sched_getaffinity, 0, 0, &set));
  R("getaffinity odd", syscall(SYS_sched_getaffinity, 0, 9, &set));
  R("getaffinity nobody", sched_getaffinity(4000000, sizeof set, &set));
  CHILD("setaffinity", {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    R("  one", sched_setaffinity(0, sizeof one, &one));
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set);
    R("  count", CPU_COUNT(&set));
    CPU_ZERO(&one);
    R("  none", sched_setaffinity(0, sizeof one, &one));
    R("  bad", syscall(SYS_sched_setaffinity, 0, 8, BAD));
    setresuid(1000, 1000, 1000);
    CPU_SET(0, &one);
    R("  another's", sched_setaffinity(getppid(), sizeof one, &one));
  });
  unsigned cpu = 99, node = 99;
  R("getcpu", syscall(SYS_getcpu, &cpu, &node, NULL));
  YES("cpu", cpu < 1024 && node < 64);
  R("getscheduler", sched_getscheduler(0));
  R("getscheduler negative", sched_getscheduler(-1));
  R("getscheduler nobody", sched_getscheduler(4000000));
  struct sched_param p = {0};
  R("getparam", sched_getparam(0, &p));
  R("setscheduler other", sched_setscheduler(0, SCHED_OTHER, &p));
  p.sched_priority = 1;
  R("setscheduler other 1", sched_setscheduler(0, SCHED_OTHER, &p));
  R("setscheduler unknown", sched_setscheduler(0, 77, &p));
  R("setscheduler null", syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, NULL));
  p.sched_priority = 0;
  CHILD("policies", {
    R("  batch", sched_setscheduler(0, SCHED_BATCH, &p));
    R("  get", sched_getscheduler(0));
    R("  fifo 0", sched_setscheduler(0, SCHED_FIFO, &p));
    R("  idle", sched_setscheduler(0, SCHED_IDLE, &p));
    R("  reset on fork", sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &p));
    R("  get", sched_getscheduler(0));
    setresuid(1000, 1000, 1000);
    p.sched_priority = 1;
    R("  fifo denied", sched_setscheduler(0, SCHED_FIFO, &p));
  });
  R("max fifo", sched_get_priority_max(SCHED_FIFO));
  R("min fifo", sched_get_priority_min(SCHED_FIFO));
  R("max other", sched_get_priority_max(SCHED_OTHER));
  R("max bad", sched_get_priority_max(99));
  R("yield", sched_yield());
  struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t a, b, c; uint32_t d, e; } at;
  R("getattr", syscall(SYS_sched_getattr, 0, &at, sizeof at, 0));
  printf("attr: size %d policy %d nice %d\n", at.size, at.policy, at.nice);
  R("getattr small", syscall(SYS_sched_getattr, 0, &at, 40, 0));
  R("getattr flags", syscall(SYS_sched_getattr, 0, &at, sizeof at, 1));
  R("setattr", syscall(SYS_sched_setattr, 0, &at, 0));
  at.size = 10;
  R("setattr small", syscall(SYS_sched_setattr, 0, &at, 0));

  struct utsname un;
  R("uname", uname(&un));
  STR("sysname", un.sysname);
  STR("machine", un.machine);
  R("uname bad", syscall(SYS_uname, BAD));
  struct sysinfo si;
  R("sysinfo", sysinfo(&si));
  YES("memory", si.totalram * si.mem_unit > 1 << 20 && si.procs > 0);
  char b[300];
  R("getrandom", getrandom(b, 300, 0));
  R("getrandom zero", getrandom(b, 0, 0));
  R("getrandom flags", getrandom(b, 1, 0x100));
  R("getrandom both", getrandom(b, 1, GRND_RANDOM | 4));
  R("getrandom bad", syscall(SYS_getrandom, BAD, 10, 0));
  R("sethostname long", sethostname(b, 65));
  R("sethostname negative", syscall(SYS_sethostname, b, -1));
  CHILD("sethostname denied", setresuid(1000, 1000, 1000); R("  set", sethostname("x", 1)));
  R("personality", personality(0xffffffff));
  CHILD("personality", R("  set", personality(ADDR_NO_RANDOMIZE)); R("  get", personality(0xffffffff)));
  CHILD("sessions", {
    YES("  pgid is inherited", getpgid(0) == getpgrp());
    R("  setpgid self", setpgid(0, 0));
    YES("  leader", getpgrp() == getpid());
    R("  setsid of leader", setsid());
    R("  setpgid negative", setpgid(0, -1));
    R("  setpgid nobody", setpgid(4000000, 0));
    R("  setpgid to nothing", setpgid(0, 4000000));
    R("  getsid nobody", getsid(4000000));
    R("  getpgid nobody", getpgid(4000000));
    if (fork() == 0) {
      YES("  setsid", setsid() == getpid());
      YES("  own group", getpgrp() == getpid() && getsid(0) == getpid());
      R("  setpgid of session leader", setpgid(0, 0));
      _exit(0);
    }
    wait(NULL);
  });
  YES("parent", getppid() > 0 || getpid() == 1);
  R("syslog size", syscall(SYS_syslog, 10, NULL, 0) > 0 ? 1 : -1);
  R("syslog null", syscall(SYS_syslog, 3, NULL, 10));
  R("syslog bad action", syscall(SYS_syslog, 99, b, 10));
  CHILD("syslog denied", setresuid(1000, 1000, 1000); R("  clear", syscall(SYS_syslog, 5, NULL, 0)));
  R("ioprio", syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 4));
  R("ioprio get", syscall(SYS_ioprio_get, 1, 0));
  R("ioprio bad", syscall(SYS_ioprio_set, 1, 0, 7 << 13));
  R("ioprio bad who", syscall(SYS_ioprio_get, 9, 0));
  CHILD("host's own", {
    setresuid(1000, 1000, 1000);
    R("  reboot", syscall(SYS_reboot, 1, 2, 3, 0));
    R("  swapon", syscall(SYS_swapon, "/x", 0));
    R("  settimeofday", syscall(SYS_settimeofday, &(long[2]){1, 1}, NULL));
    R("  mount", syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL));
    R("  umount", syscall(SYS_umount2, "/", 0));
    R("  pivot_root", syscall(SYS_pivot_root, "/", "/"));
    R("  vhangup", syscall(SYS_vhangup));
  });
  R("kcmp self", syscall(SYS_kcmp, getpid(), getpid(), 1, 0, 0));
  R("kcmp files", syscall(SYS_kcmp, getpid(), getpid(), 0, 0, dup(0)));
  R("kcmp bad", syscall(SYS_kcmp, getpid(), getpid(), 99, 0, 0));
  R("kcmp nobody", syscall(SYS_kcmp, getpid(), 4000000, 1, 0, 0));
  return 0;
}
