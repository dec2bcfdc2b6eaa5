#include "check.h"
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <linux/securebits.h>

static void ids(const char *name) {
  uid_t r, e, s;
  gid_t a, b, c;
  getresuid(&r, &e, &s);
  getresgid(&a, &b, &c);
  printf("%s: uid %d %d %d fs %d gid %d %d %d fs %d\n", name, r, e, s, setfsuid(-1), a, b, c, setfsgid(-1));
}
static void caps(const char *name) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2];
  syscall(SYS_capget, &h, d);
  printf("%s: e %d p %d i %d ambient %d keep %d dumpable %d\n", name, d[0].effective >> CAP_CHOWN & 1, d[0].permitted >> CAP_CHOWN & 1,
         d[0].inheritable >> CAP_CHOWN & 1, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0), prctl(PR_GET_KEEPCAPS), prctl(PR_GET_DUMPABLE));
}
static int capset_(unsigned e, unsigned p, unsigned i) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2] = {{e, p, i}, {0, 0, 0}};
  return syscall(SYS_capset, &h, d);
}
#define sres(r, e, s) syscall(SYS_setresuid, r, e, s)
#define BIT(c) (1u << (c))

int main(void) {
  scratch_dir();
  prctl(PR_SET_DUMPABLE, 1);
  ids("start");
  CHILD("setuid as root", R("  setuid", syscall(SYS_setuid, 1000)); ids("  ids"); caps("  caps"); R("  back", syscall(SYS_setuid, 0)));
  CHILD("seteuid", R("  seteuid", sres(-1, 1000, -1)); ids("  ids"); caps("  caps"); R("  back", sres(-1, 0, -1)); ids("  ids"); caps("  caps"));
  CHILD("setreuid", R("  setreuid", syscall(SYS_setreuid, 1000, 1001)); ids("  ids"); R("  swap", syscall(SYS_setreuid, 1001, 1000)); ids("  swapped");
        R("  foreign", syscall(SYS_setreuid, 5, -1)); R("  saved", syscall(SYS_setreuid, -1, 1001)));
  CHILD("setreuid keeps saved", R("  e only", syscall(SYS_setreuid, -1, 1000)); ids("  ids"));
  CHILD("setresuid", R("  set", sres(1, 2, 3)); ids("  ids"); R("  permute", sres(3, 1, 2)); ids("  ids"); R("  foreign", sres(4, -1, -1)); R("  setuid saved", syscall(SYS_setuid, 2)); ids("  ids"));
  CHILD("setgid", R("  setgid", syscall(SYS_setgid, 55)); ids("  ids"); syscall(SYS_setuid, 1000); R("  foreign", syscall(SYS_setgid, 56)); R("  same", syscall(SYS_setgid, 55)));
  CHILD("setregid", R("  set", syscall(SYS_setregid, 7, 8)); ids("  ids"); R("  set", syscall(SYS_setregid, -1, 7)); ids("  ids"));
  CHILD("setresgid", R("  set", syscall(SYS_setresgid, 7, 8, 9)); ids("  ids"));
  CHILD("fsuid", R("  old", setfsuid(1000)); R("  now", setfsuid(-1)); caps("  caps"); R("  back", setfsuid(0)); R("  now", setfsuid(-1)); caps("  caps"));
  CHILD("fsuid denied", sres(1000, 1000, 1000); R("  old", setfsuid(5)); R("  now", setfsuid(-1)));
  R("setuid -1", syscall(SYS_setuid, -1));
  R("setgid -1", syscall(SYS_setgid, -1));
  R("getresuid bad", syscall(SYS_getresuid, BAD, BAD, BAD));
  CHILD("groups", {
    gid_t g[3] = {30, 10, 20}, o[8];
    R("  set", setgroups(3, g));
    R("  count", getgroups(0, NULL));
    R("  get", getgroups(8, o));
    printf("  groups: %d %d %d\n", o[0], o[1], o[2]);
    R("  small", getgroups(2, o));
    R("  negative", getgroups(-1, o));
    R("  too many", setgroups(70000, g));
    R("  bad", syscall(SYS_setgroups, 2, BAD));
    R("  none", setgroups(0, NULL));
    sres(1000, 1000, 1000);
    R("  denied", setgroups(1, g));
  });
  CHILD("keepcaps", prctl(PR_SET_KEEPCAPS, 1); sres(1000, 1000, 1000); caps("  caps"); R("  raise", capset_(BIT(CAP_CHOWN), BIT(CAP_CHOWN), 0)); caps("  caps"));
  CHILD("ambient", {
    R("  raise without inheritable", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
    unsigned all = BIT(CAP_CHOWN) | BIT(CAP_SETUID) | BIT(CAP_SETPCAP);
    R("  inheritable", capset_(all, all, BIT(CAP_CHOWN)));
    R("  raise", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
    caps("  caps");
    R("  lower", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_CHOWN, 0, 0));
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0);
    R("  drop inheritable", capset_(all, all, 0));
    caps("  caps");
    R("  clear", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    R("  bad cap", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 99, 0, 0));
    R("  bad op", prctl(PR_CAP_AMBIENT, 9, 0, 0, 0));
  });
  CHILD("capset", {
    R("  less", capset_(BIT(CAP_CHOWN), BIT(CAP_CHOWN) | BIT(CAP_KILL), 0));
    R("  more permitted", capset_(BIT(CAP_CHOWN), BIT(CAP_CHOWN) | BIT(CAP_FOWNER), 0));
    R("  effective not permitted", capset_(BIT(CAP_FOWNER), BIT(CAP_CHOWN), 0));
    R("  inheritable not permitted", capset_(BIT(CAP_CHOWN), BIT(CAP_CHOWN), BIT(CAP_FOWNER)));
    R("  none", capset_(0, 0, 0));
    R("  back", capset_(BIT(CAP_CHOWN), BIT(CAP_CHOWN), 0));
  });
  struct __user_cap_header_struct h = {0x12345678, 0};
  struct __user_cap_data_struct d[2];
  R("capget bad version", syscall(SYS_capget, &h, d));
  YES("told version 3", h.version == _LINUX_CAPABILITY_VERSION_3);
  h.version = 0;
  R("capget probe", syscall(SYS_capget, &h, NULL));
  h.pid = -1;
  R("capget bad pid", syscall(SYS_capget, &h, d));
  h.pid = 4000000;
  R("capget nobody", syscall(SYS_capget, &h, d));
  h.version = _LINUX_CAPABILITY_VERSION_1;
  h.pid = 0;
  R("capget version 1", syscall(SYS_capget, &h, d));
  h.version = _LINUX_CAPABILITY_VERSION_3;
  h.pid = getppid();
  R("capset other", syscall(SYS_capset, &h, d));
  CHILD("bounding", {
    R("  read", prctl(PR_CAPBSET_READ, CAP_CHOWN));
    R("  drop", prctl(PR_CAPBSET_DROP, CAP_CHOWN));
    R("  read", prctl(PR_CAPBSET_READ, CAP_CHOWN));
    R("  bad", prctl(PR_CAPBSET_READ, 99));
    sres(1000, 1000, 1000);
    R("  denied", prctl(PR_CAPBSET_DROP, CAP_KILL));
  });
  CHILD("securebits", {
    R("  get", prctl(PR_GET_SECUREBITS));
    R("  set", prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED));
    R("  get", prctl(PR_GET_SECUREBITS));
    R("  locked", prctl(PR_SET_SECUREBITS, 0));
    R("  unknown", prctl(PR_SET_SECUREBITS, 0x10000));
    sres(1000, 1000, 1000);
    caps("  no fixup");
  });
  CHILD("prctl", {
    char n[17] = {0};
    R("  name", prctl(PR_SET_NAME, "a-very-long-name-indeed"));
    prctl(PR_GET_NAME, n);
    STR("  name", n);
    R("  bad name", prctl(PR_SET_NAME, BAD));
    int sig = 0;
    R("  pdeathsig", prctl(PR_SET_PDEATHSIG, SIGUSR1));
    prctl(PR_GET_PDEATHSIG, &sig);
    NUM("  signal", sig);
    R("  bad signal", prctl(PR_SET_PDEATHSIG, 99));
    R("  dumpable", prctl(PR_GET_DUMPABLE));
    R("  set", prctl(PR_SET_DUMPABLE, 0));
    R("  dumpable", prctl(PR_GET_DUMPABLE));
    R("  bad", prctl(PR_SET_DUMPABLE, 2));
    R("  subreaper", prctl(PR_SET_CHILD_SUBREAPER, 1));
    prctl(PR_GET_CHILD_SUBREAPER, &sig);
    NUM("  subreaper", sig);
    R("  nnp", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    R("  set", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    R("  nnp", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    R("  unset", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    R("  extra", prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
    R("  slack", prctl(PR_GET_TIMERSLACK));
    R("  set", prctl(PR_SET_TIMERSLACK, 1234));
    R("  slack", prctl(PR_GET_TIMERSLACK));
    R("  default", prctl(PR_SET_TIMERSLACK, 0));
    R("  slack", prctl(PR_GET_TIMERSLACK));
    R("  thp", prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
    R("  thp", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
    R("  timing", prctl(PR_GET_TIMING));
    R("  keepcaps bad", prctl(PR_SET_KEEPCAPS, 2));
    R("  tsc", prctl(PR_GET_TSC, &sig));
    NUM("  tsc", sig);
    R("  mce", prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
    R("  unknown", prctl(99999, 0, 0, 0, 0));
  });
  CHILD("subreaper adopts", {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int p[2];
    pipe(p);
    if (fork() == 0) {
      if (fork() == 0) {
        close(p[1]);
        char b;
        read(p[0], &b, 1);
        _exit(9);
      }
      _exit(0);
    }
    int s;
    wait(&s);
    close(p[1]);
    R("  orphan", wait(&s) > 0 ? WEXITSTATUS(s) : -1);
  });
  CHILD("pdeathsig", {
    int p[2];
    pipe(p);
    if (fork() == 0) {
      if (fork() == 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR2);
        sigprocmask(SIG_BLOCK, &set, NULL);
        prctl(PR_SET_PDEATHSIG, SIGUSR2);
        write(p[1], "x", 1);
        int got;
        sigwait(&set, &got);
        write(p[1], got == SIGUSR2 ? "y" : "n", 1);
        _exit(0);
      }
      char b;
      read(p[0], &b, 1);
      _exit(0);
    }
    wait(NULL);
    close(p[1]);
    char b = 0;
    read(p[0], &b, 1);
    printf("  signalled: %c\n", b);
  });
  return 0;
}
