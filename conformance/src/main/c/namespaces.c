/* namespaces(7): made by unshare, clone and clone3, named by /proc/PID/ns, entered by setns. */
#include "conf.h"
#include <linux/nsfs.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <linux/sched.h>

static ino_t ns_of(const char *kind) {
  char p[64];
  struct stat s;
  snprintf(p, sizeof p, "/proc/self/ns/%s", kind);
  return stat(p, &s) < 0 ? 0 : s.st_ino;
}

static int write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY);
  if (fd < 0) return -1;
  long n = write(fd, text, strlen(text));
  int e = errno;
  close(fd);
  errno = e;
  return n == (long)strlen(text) ? 0 : -1;
}

static void one(const char *kind, int flag) {
  char name[64];
  ino_t before = ns_of(kind);
  snprintf(name, sizeof name, "unshare %s", kind);
  R(name, unshare(flag));
  snprintf(name, sizeof name, "unshare %s: another", kind);
  T(name, ns_of(kind) != before);
  snprintf(name, sizeof name, "setns %s back to parent's", kind);
  char p[64];
  snprintf(p, sizeof p, "/proc/%d/ns/%s", getppid(), kind);
  int fd = open(p, O_RDONLY);
  R(name, setns(fd, flag));
  snprintf(name, sizeof name, "setns %s: the same", kind);
  T(name, ns_of(kind) == before);
  snprintf(name, sizeof name, "setns %s wrong type", kind);
  R(name, setns(fd, flag == CLONE_NEWUTS ? CLONE_NEWIPC : CLONE_NEWUTS));
  snprintf(name, sizeof name, "type of %s", kind);
  H(name, ioctl(fd, NS_GET_NSTYPE));
  snprintf(name, sizeof name, "parent of %s", kind);
  OK(name, ioctl(fd, NS_GET_PARENT));
  snprintf(name, sizeof name, "owner of %s", kind);
  uid_t u = 77;
  R(name, ioctl(fd, NS_GET_OWNER_UID, &u));
  char text[128];
  long n = readlink(p, text, sizeof text - 1);
  text[n < 0 ? 0 : n] = 0;
  snprintf(name, sizeof name, "link of %s", kind);
  T(name, !strncmp(text, kind, strlen(kind)) && text[strlen(kind)] == ':' && text[strlen(kind) + 1] == '[');
  snprintf(name, sizeof name, "read of %s", kind);
  char c;
  R(name, read(fd, &c, 1));
  snprintf(name, sizeof name, "open for writing %s", kind);
  R(name, open(p, O_RDWR));
  close(fd);
}

static void uts(void) {
  struct utsname u;
  R("unshare uts", unshare(CLONE_NEWUTS));
  R("sethostname", sethostname("other", 5));
  uname(&u);
  S("nodename", u.nodename);
  S("proc hostname", get_file("/proc/sys/kernel/hostname"));
}

static void polled(const char *name, int fd, int change) {
  char what[64];
  struct pollfd p = {fd, POLLPRI, 0};
  snprintf(what, sizeof what, "poll %s before", name);
  R(what, poll(&p, 1, 0));
  if (change) sethostname("third", 5);
  else mount("none", "/mnt", "tmpfs", 0, NULL);
  snprintf(what, sizeof what, "poll %s after", name);
  R(what, poll(&p, 1, 1000));
  snprintf(what, sizeof what, "revents %s", name);
  H(what, p.revents);
  snprintf(what, sizeof what, "poll %s again", name);
  R(what, poll(&p, 1, 0));
  p.events = POLLIN | POLLOUT;
  poll(&p, 1, 0);
  snprintf(what, sizeof what, "readable %s", name);
  H(what, p.revents);
  int e = epoll_create1(0);
  struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
  snprintf(what, sizeof what, "epoll_ctl %s", name);
  R(what, epoll_ctl(e, EPOLL_CTL_ADD, fd, &ev));
  epoll_wait(e, &ev, 1, 0);
  snprintf(what, sizeof what, "epoll %s edge", name);
  R(what, epoll_wait(e, &ev, 1, 0));
  if (change) sethostname("fourth", 6);
  else umount("/mnt");
  snprintf(what, sizeof what, "epoll %s after", name);
  R(what, epoll_wait(e, &ev, 1, 1000));
  close(e);
  close(fd);
}

/* What waits for changes of names and mounts: systemd, findmnt --poll. */
static void polls(void) {
  unshare(CLONE_NEWUTS | CLONE_NEWNS);
  mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
  mkdir("/mnt", 0755);
  polled("hostname", open("/proc/sys/kernel/hostname", O_RDONLY), 1);
  polled("mountinfo", open("/proc/self/mountinfo", O_RDONLY), 0);
  polled("mounts", open("/proc/self/mounts", O_RDONLY), 0);
}

static void ipc(void) {
  int id = msgget(4711, IPC_CREAT | 0600);
  OK("msgget", id);
  R("unshare ipc", unshare(CLONE_NEWIPC));
  R("msgget elsewhere", msgget(4711, 0600));
  R("msgctl elsewhere", msgctl(id, IPC_RMID, NULL));
}

static int in_pid(void *arg) {
  (void)arg;
  V("pid of init", getpid());
  V("ppid of init", getppid());
  V("pgid of init", getpgrp());
  V("sid of init", getsid(0));
  R("kill own init", kill(1, SIGKILL));
  R("kill outer", kill(2, 0));
  pid_t p = fork();
  if (p == 0) {
    V("pid of child", getpid());
    pid_t q = fork();
    if (q == 0) {
      msleep(50);
      V("orphan's parent", getppid());
      _exit(9);
    }
    _exit(5);
  }
  int s;
  V("waited", waitpid(p, &s, 0));
  S("child", status_name(s));
  V("waited orphan", waitpid(-1, &s, 0));
  S("orphan", status_name(s));
  R("setsid", setsid());
  V("sid", getsid(0));
  p = fork();
  if (p == 0) {
    for (;;) pause();
  }
  _exit(3);
}

static void clone_pid(void) {
  static char stack[65536];
  pid_t p = clone(in_pid, stack + sizeof stack, CLONE_NEWPID | SIGCHLD, NULL);
  T("clone pid", p > 1);
  int s;
  T("wait", waitpid(p, &s, 0) == p);
  S("init ended", status_name(s));
}

static void unshare_pid(void) {
  R("unshare pid", unshare(CLONE_NEWPID));
  T("own pid stays", getpid() != 1);
  R("thread is refused", syscall(SYS_clone, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, 0, 0, 0, 0));
  struct stat a, b;
  R("no pid_for_children yet", stat("/proc/self/ns/pid_for_children", &a));
  CHILD("first child", V("its pid", getpid()); _exit(4));
  R("after init", fork());
}

static void signals_between(void) {
  int p[2];
  pipe(p);
  static char stack[65536];
  int body(void *x) {
    (void)x;
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    write(p[1], "x", 1);
    siginfo_t i;
    sigwaitinfo(&set, &i);
    V("signal from outside: pid", i.si_pid);
    V("signal", i.si_signo);
    for (;;) pause();
    return 0;
  }
  pid_t c = clone(body, stack + sizeof stack, CLONE_NEWPID | SIGCHLD, NULL);
  char ch;
  read(p[0], &ch, 1);
  kill(c, SIGUSR2);
  msleep(30);
  R("sigterm to init with default action", kill(c, SIGTERM));
  msleep(30);
  R("still there", kill(c, 0));
  R("sigkill", kill(c, SIGKILL));
  int s;
  waitpid(c, &s, 0);
  S("ended", status_name(s));
}

static void status_line(const char *name, const char *key) {
  FILE *f = fopen("/proc/self/status", "r");
  char line[512];
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, key, strlen(key))) {
      int words = 0;
      for (char *w = strtok(line, " \t\n"); w; w = strtok(NULL, " \t\n")) words++;
      V(name, words - 1);
    }
  if (f) fclose(f);
}

static void user(void) {
  R("unshare user", unshare(CLONE_NEWUSER));
  V("uid before map", getuid());
  V("gid before map", getgid());
  S("uid_map", get_file("/proc/self/uid_map"));
  S("setgroups", get_file("/proc/self/setgroups"));
  R("bad map", write_file("/proc/self/uid_map", "0 0"));
  R("negative map", write_file("/proc/self/uid_map", "0 -1 1"));
  R("zero count", write_file("/proc/self/uid_map", "0 0 0"));
  R("overlap", write_file("/proc/self/uid_map", "0 0 10\n5 100 10\n"));
  R("map of others", write_file("/proc/self/uid_map", "0 1000 1"));
  R("uid_map", write_file("/proc/self/uid_map", "0 0 1"));
  R("uid_map again", write_file("/proc/self/uid_map", "0 0 1"));
  R("gid_map with setgroups", write_file("/proc/self/gid_map", "0 0 1"));
  R("setgroups deny", write_file("/proc/self/setgroups", "deny"));
  R("setgroups allow", write_file("/proc/self/setgroups", "allow"));
  R("setgroups nonsense", write_file("/proc/self/setgroups", "perhaps"));
  R("gid_map", write_file("/proc/self/gid_map", "0 0 1"));
  V("uid", getuid());
  V("gid", getgid());
  S("uid_map now", get_file("/proc/self/uid_map"));
  gid_t g = 0;
  R("setgroups(2)", syscall(SYS_setgroups, 1, &g));
  R("setuid unmapped", setuid(1000));
  R("setresuid unmapped", setresuid(0, 5, 0));
  R("chown unmapped", chown("f", 1000, 0));
  R("chown mapped", chown("f", 0, 0));
  struct stat s;
  stat("f", &s);
  V("owner", s.st_uid);
  stat("g", &s);
  V("foreign owner", s.st_uid);
  R("chmod foreign", chmod("g", 0600));
  R("mount without a mount namespace", mount("none", "d", "tmpfs", 0, NULL));
  R("sethostname without uts", sethostname("x", 1));
  R("unshare the rest", unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET));
  R("mount", mount("none", "d", "tmpfs", 0, NULL));
  R("sethostname", sethostname("x", 1));
  R("mount proc elsewhere", mount("none", "d", "devtmpfs", 0, NULL));
  R("mknod", mknod("d/null", S_IFCHR | 0666, 0x103));
  R("umount what came along", umount2("/proc", MNT_DETACH));
  R("settimeofday", settimeofday(&(struct timeval){1, 1}, NULL));
  R("nice", setpriority(PRIO_PROCESS, 0, -5));
  R("raise limit", setrlimit(RLIMIT_NOFILE, &(struct rlimit){2000000, 2000000}));
  int fd = open("/proc/self/ns/user", O_RDONLY);
  uid_t u = 77;
  R("owner uid", ioctl(fd, NS_GET_OWNER_UID, &u));
  V("is", u);
  OK("parent", ioctl(fd, NS_GET_PARENT));
  OK("of uts", ioctl(open("/proc/self/ns/uts", O_RDONLY), NS_GET_USERNS));
  R("setns to itself", setns(fd, CLONE_NEWUSER));
  CHILD("deeper", R("unshare", unshare(CLONE_NEWUSER)); V("uid", getuid()));
}

static void user_from_parent(void) {
  int p[2], q[2];
  pipe(p);
  pipe(q);
  pid_t c = SPAWN({
    R("unshare", unshare(CLONE_NEWUSER));
    write(p[1], "x", 1);
    char ch;
    read(q[0], &ch, 1);
    V("uid as mapped", getuid());
    R("setuid 5", setuid(5));
    V("uid", getuid());
    R("setuid 500", setuid(500));
    struct stat s;
    fstat(open(".", O_RDONLY), &s);
    V("root's file", s.st_uid);
  });
  char ch, path[64];
  read(p[0], &ch, 1);
  snprintf(path, sizeof path, "/proc/%d/uid_map", c);
  R("map written by the parent", write_file(path, "0 100000 10\n10 200000 5\n"));
  snprintf(path, sizeof path, "/proc/%d/gid_map", c);
  R("groups by the parent", write_file(path, "0 100000 10\n"));
  snprintf(path, sizeof path, "/proc/%d/uid_map", c);
  S("seen", get_file(path));
  write(q[1], "x", 1);
  waitpid(c, NULL, 0);
}

static void clone_three(void) {
  struct clone_args a = {.flags = CLONE_NEWUTS | CLONE_NEWPID, .exit_signal = SIGCHLD};
  pid_t want[1] = {1};
  a.set_tid = (uintptr_t)want;
  a.set_tid_size = 1;
  fflush(stdout);
  pid_t p = syscall(SYS_clone3, &a, sizeof a);
  if (p == 0) {
    V("set_tid", getpid());
    _exit(0);
  }
  T("clone3", p > 0);
  waitpid(p, NULL, 0);
  want[0] = 5;
  p = syscall(SYS_clone3, &a, sizeof a);
  if (p == 0) _exit(0);
  R("set_tid of an init", p);
  a.set_tid_size = 40;
  R("set_tid too many", syscall(SYS_clone3, &a, sizeof a));
  a.set_tid_size = 0;
  R("set_tid without size", syscall(SYS_clone3, &a, sizeof a));
  a.set_tid = 0;
  a.flags = CLONE_NEWUSER | CLONE_FS;
  R("user and fs", syscall(SYS_clone3, &a, sizeof a));
  a.flags = CLONE_NEWNS | CLONE_FS;
  R("mnt and fs", syscall(SYS_clone3, &a, sizeof a));
}

static void pidfd(void) {
  int p[2], q[2];
  pipe(p);
  pipe(q);
  pid_t c = SPAWN({
    unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNS);
    sethostname("inside", 6);
    write(p[1], "x", 1);
    char ch;
    read(q[0], &ch, 1);
  });
  char ch;
  read(p[0], &ch, 1);
  int fd = syscall(SYS_pidfd_open, c, 0);
  R("setns pidfd nothing", setns(fd, 0));
  R("setns pidfd", setns(fd, CLONE_NEWUTS | CLONE_NEWNS));
  struct utsname u;
  uname(&u);
  S("nodename", u.nodename);
  write(q[1], "x", 1);
  waitpid(c, NULL, 0);
  R("setns pidfd of a dead one", setns(fd, CLONE_NEWUTS));
  R("setns of no namespace", setns(open("f", O_RDONLY), 0));
  R("setns of nothing", setns(NOFD, 0));
}

static void keeps(void) {
  int fd = open("/proc/self/ns/uts", O_RDONLY);
  R("bind file", mount("/proc/self/ns/uts", "f", NULL, MS_BIND, NULL));
  R("unshare", unshare(CLONE_NEWUTS));
  sethostname("changed", 7);
  int g = open("f", O_RDONLY);
  R("enter by the mount", setns(g, 0));
  struct stat a, b;
  fstat(fd, &a);
  fstat(g, &b);
  T("same file", a.st_ino == b.st_ino && a.st_dev == b.st_dev);
  close(g);
  R("umount", umount("f"));
}

static void times(void) {
  S("offsets", get_file("/proc/self/timens_offsets"));
  R("unshare time", unshare(CLONE_NEWTIME));
  R("set", write_file("/proc/self/timens_offsets", "monotonic 1000 0\nboottime 5000 5\n"));
  S("offsets", get_file("/proc/self/timens_offsets"));
  R("nonsense", write_file("/proc/self/timens_offsets", "realtime 1 0\n"));
  struct timespec t;
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
  long before = t.tv_sec;
  CHILD("child", {
    struct timespec u;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &u);
    T("moved", u.tv_sec - before >= 1000 && u.tv_sec - before < 1010);
    u.tv_sec += 0;
    u.tv_nsec += 1000000;
    if (u.tv_nsec >= 1000000000) u.tv_sec++, u.tv_nsec -= 1000000000;
    R("sleep until", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &u, NULL));
    R("set when inside", write_file("/proc/self/timens_offsets", "monotonic 5 0\n"));
  });
}

static void rights(void) {
  setresuid(1000, 1000, 1000);
  R("unshare uts as user", unshare(CLONE_NEWUTS));
  R("unshare mnt as user", unshare(CLONE_NEWNS));
  R("unshare nothing", unshare(0));
  R("unshare unknown", unshare(1));
  R("user and uts as user", unshare(CLONE_NEWUSER | CLONE_NEWUTS));
  prctl(PR_SET_DUMPABLE, 1);
  R("map self", write_file("/proc/self/uid_map", "0 1000 1"));
  V("uid", getuid());
  R("sethostname", sethostname("mine", 4));
}

static void propagation(void) {
  unshare(CLONE_NEWNS);
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  mkdir("a", 0755);
  mkdir("b", 0755);
  mkdir("c", 0755);
  mount("none", "a", "tmpfs", 0, NULL);
  mkdir("a/x", 0755);
  mkdir("a/y", 0755);
  R("shared", mount(NULL, "a", NULL, MS_SHARED, NULL));
  R("bind a b", mount("a", "b", NULL, MS_BIND, NULL));
  R("bind a c", mount("a", "c", NULL, MS_BIND, NULL));
  R("slave", mount(NULL, "c", NULL, MS_SLAVE, NULL));
  R("two types", mount(NULL, "c", NULL, MS_SLAVE | MS_SHARED, NULL));
  R("not a mount", mount(NULL, "a/x", NULL, MS_SHARED, NULL));
  R("mount in a", mount("none", "a/x", "tmpfs", 0, NULL));
  close(open("a/x/f", O_CREAT | O_RDWR, 0644));
  R("seen in b", access("b/x/f", F_OK));
  R("seen in c", access("c/x/f", F_OK));
  R("mount in c", mount("none", "c/y", "tmpfs", 0, NULL));
  close(open("c/y/f", O_CREAT | O_RDWR, 0644));
  R("not in a", access("a/y/f", F_OK));
  R("not in b", access("b/y/f", F_OK));
  R("umount in b", umount("b/x"));
  R("gone in a", access("a/x/f", F_OK));
  R("gone in c", access("c/x/f", F_OK));
  R("move out of shared", (mount("none", "a/x", "tmpfs", 0, NULL), mount("a/x", "a/y", NULL, MS_MOVE, NULL)));
  int q[2], p[2];
  pipe(p);
  pipe(q);
  pid_t ch = SPAWN({
    char k;
    unshare(CLONE_NEWNS);
    write(p[1], "x", 1);
    read(q[0], &k, 1);
    R("seen in the other namespace", access("a/y/g", F_OK));
    R("mount there", mount("none", "b/x", "tmpfs", 0, NULL));
    close(open("b/x/h", O_CREAT | O_RDWR, 0644));
    write(p[1], "x", 1);
    read(q[0], &k, 1);
  });
  char k;
  read(p[0], &k, 1);
  mount("none", "a/y", "tmpfs", 0, NULL);
  close(open("a/y/g", O_CREAT | O_RDWR, 0644));
  write(q[1], "x", 1);
  read(p[0], &k, 1);
  R("seen here", access("a/x/h", F_OK));
  write(q[1], "x", 1);
  waitpid(ch, NULL, 0);
  R("unbindable", mount(NULL, "b", NULL, MS_UNBINDABLE, NULL));
  mkdir("d", 0755);
  R("bind unbindable", mount("b", "d", NULL, MS_BIND, NULL));
  R("private", mount(NULL, "a", NULL, MS_PRIVATE, NULL));
  R("detach a", umount2("a", MNT_DETACH));
  R("detach b", umount2("b", MNT_DETACH));
  R("detach c", umount2("c", MNT_DETACH));
  R("pivot on itself", (mount("none", "d", "tmpfs", 0, NULL), chdir("d"), syscall(SYS_pivot_root, ".", ".")));
  R("umount old", umount2(".", MNT_DETACH));
  R("root is empty", access("/proc", F_OK));
}

int main(void) {
  /* bubblewrap asks here whether it may use a user namespace */
  char text[32] = "";
  int most = open("/proc/sys/user/max_user_namespaces", O_RDONLY);
  read(most, text, sizeof text - 1);
  close(most);
  T("max-user-namespaces", atoi(text) > 0);
  close(open("f", O_CREAT | O_RDWR, 0644));
  close(open("g", O_CREAT | O_RDWR, 0644));
  chown("g", 1000, 1000);
  mkdir("d", 0755);
  CHILD("uts", one("uts", CLONE_NEWUTS));
  CHILD("ipc", one("ipc", CLONE_NEWIPC));
  CHILD("net", one("net", CLONE_NEWNET));
  CHILD("mnt", one("mnt", CLONE_NEWNS));
  CHILD("cgroup", one("cgroup", CLONE_NEWCGROUP));
  CHILD("uts names", uts());
  CHILD("polls", polls());
  CHILD("ipc objects", ipc());
  CHILD("pid by clone", clone_pid());
  CHILD("pid by unshare", unshare_pid());
  CHILD("signals", signal(SIGUSR1, SIG_IGN); signals_between());
  CHILD("user", user());
  CHILD("user mapped by parent", user_from_parent());
  CHILD("clone3", clone_three());
  CHILD("pidfd", pidfd());
  CHILD("kept by a mount", keeps());
  CHILD("time", times());
  CHILD("rights", rights());
  CHILD("propagation", propagation());
  status_line("NSpid words", "NSpid:");
  return 0;
}
