/* cgroups(7), version 2, without controllers: the tree, its members, freezing, killing, threads, namespaces. */
#include "conf.h"
#include <linux/sched.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>

static char top[64];

static const char *at(const char *path) {
  static char b[4][256];
  static int i;
  i = (i + 1) % 4;
  snprintf(b[i], sizeof b[i], "%s/%s", top, path);
  return b[i];
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

static int write_pid(const char *path, pid_t pid) {
  char b[32];
  snprintf(b, sizeof b, "%d", pid);
  return write_file(path, b);
}

/* One line, so that a check is one line. */
static const char *flat(const char *path) {
  static char b[4096];
  snprintf(b, sizeof b, "%s", get_file(path));
  for (char *p = b; *p; p++)
    if (*p == '\n') *p = p[1] ? ',' : 0;
  return b;
}

static int holds(const char *path, pid_t pid) {
  char b[32];
  snprintf(b, sizeof b, "%d\n", pid);
  const char *text = get_file(path);
  const char *p = strstr(text, b);
  return p && (p == text || p[-1] == '\n');
}

static void wait_for(const char *path, const char *text) {
  for (int i = 0; i < 300 && !strstr(get_file(path), text); i++) msleep(10);
}

static pid_t sleeper(void) {
  return SPAWN(prctl(PR_SET_PDEATHSIG, SIGKILL); for (;;) pause());
}

static void end(pid_t p) {
  kill(p, SIGKILL);
  waitpid(p, NULL, 0);
}

static void tree(void) {
  struct stat st;
  R("mkdir", mkdir(at("a"), 0755));
  R("mkdir again", mkdir(at("a"), 0755));
  R("mkdir below", mkdir(at("a/b"), 0700));
  stat(at("a/b"), &st);
  O("mode of a group", st.st_mode);
  V("links of a group", st.st_nlink);
  stat(at("a"), &st);
  V("links with a group below", st.st_nlink);
  R("mkdir with a newline", mkdir(at("a/x\ny"), 0755));
  R("creat", open(at("a/file"), O_CREAT | O_RDWR, 0644));
  R("symlink", symlink("b", at("a/c")));
  R("unlink a file", unlink(at("a/cgroup.procs")));
  R("rmdir a file", rmdir(at("a/cgroup.procs")));
  R("unlink a group", unlink(at("a/b")));
  R("rmdir with a group below", rmdir(at("a")));
  R("rename", rename(at("a/b"), at("a/c")));
  S("type", flat(at("a/cgroup.type")));
  S("events", flat(at("a/cgroup.events")));
  T("stat", !strncmp(flat(at("a/cgroup.stat")), "nr_descendants 1,", 17));
  S("subtree_control", flat(at("a/cgroup.subtree_control")));
  S("max.depth", flat(at("a/cgroup.max.depth")));
  S("max.descendants", flat(at("a/cgroup.max.descendants")));
  S("freeze", flat(at("a/cgroup.freeze")));
  S("procs", flat(at("a/cgroup.procs")));
  S("threads", flat(at("a/cgroup.threads")));
  R("read kill", open(at("a/cgroup.kill"), O_RDONLY) < 0 ? -1 : 0);
  static const char *files[] = {"cgroup.procs", "cgroup.threads", "cgroup.kill", "cgroup.events", "cgroup.type",
                                "cgroup.freeze", "cgroup.subtree_control", "cgroup.controllers", "cgroup.stat", "cpu.stat"};
  for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
    char name[64], path[64];
    snprintf(path, sizeof path, "a/%s", files[i]);
    snprintf(name, sizeof name, "mode of %s", files[i]);
    O(name, stat(at(path), &st) < 0 ? 0 : st.st_mode);
  }
  R("chmod of a file", chmod(at("a/cgroup.procs"), 0664));
  stat(at("a/cgroup.procs"), &st);
  O("mode after chmod", st.st_mode);
  R("chown of a group", chown(at("a/b"), 1000, 1000));
  stat(at("a/b"), &st);
  V("owner after chown", st.st_uid);
  R("max.descendants 1", write_file(at("a/cgroup.max.descendants"), "1"));
  R("mkdir one too many", mkdir(at("a/d"), 0755));
  R("max.descendants max", write_file(at("a/cgroup.max.descendants"), "max"));
  R("max.depth 1", write_file(at("a/cgroup.max.depth"), "1\n"));
  R("mkdir too deep", mkdir(at("a/b/d"), 0755));
  R("max.depth bad", write_file(at("a/cgroup.max.depth"), "x"));
  R("max.depth negative", write_file(at("a/cgroup.max.depth"), "-1"));
  R("max.depth max", write_file(at("a/cgroup.max.depth"), "max"));
  R("subtree_control unknown", write_file(at("a/cgroup.subtree_control"), "+nothing"));
  R("subtree_control without sign", write_file(at("a/cgroup.subtree_control"), "cpu"));
  R("subtree_control nothing", write_file(at("a/cgroup.subtree_control"), "\n"));
  R("write events", write_file(at("a/cgroup.events"), "1"));
  R("rmdir below", rmdir(at("a/b")));
  R("rmdir", rmdir(at("a")));
  R("rmdir again", rmdir(at("a")));
}

static void members(void) {
  mkdir(at("m"), 0755);
  mkdir(at("m/n"), 0755);
  pid_t p = sleeper();
  R("move", write_pid(at("m/n/cgroup.procs"), p));
  T("is there", holds(at("m/n/cgroup.procs"), p));
  T("is not above", !holds(at("m/cgroup.procs"), p));
  T("its thread", holds(at("m/n/cgroup.threads"), p));
  S("events of the group", flat(at("m/n/cgroup.events")));
  S("events above", flat(at("m/cgroup.events")));
  R("rmdir with members", rmdir(at("m/n")));
  R("move nobody", write_pid(at("m/cgroup.procs"), 4000000));
  R("move a bad number", write_file(at("m/cgroup.procs"), "-5"));
  R("move no number", write_file(at("m/cgroup.procs"), "x"));
  R("move with a newline", write_file(at("m/cgroup.procs"), "0\n"));
  T("0 is the writer", holds(at("m/cgroup.procs"), getpid()));
  pid_t c = sleeper();
  T("a child is where its parent is", holds(at("m/cgroup.procs"), c));
  end(c);
  R("back to the top", write_file(at("cgroup.procs"), "0"));
  char b[128];
  snprintf(b, sizeof b, "/proc/%d/cgroup", p);
  const char *line = strstr(get_file(b), "0::");
  T("/proc/PID/cgroup", line && !strcmp(strrchr(line, 'm') ? strrchr(line, 'm') : "", "m/n\n"));
  int fd = open(at("m/n/cgroup.events"), O_RDONLY);
  struct pollfd pf = {fd, POLLPRI, 0};
  char text[128];
  R("poll of an unread file", poll(&pf, 1, 0));
  H("revents of an unread file", pf.revents);
  pread(fd, text, sizeof text, 0);
  R("poll after a read", poll(&pf, 1, 0));
  pf.events = POLLIN | POLLOUT;
  R("poll for reading", poll(&pf, 1, 0));
  H("revents for reading", pf.revents);
  int in = inotify_init1(IN_NONBLOCK);
  int w = inotify_add_watch(in, at("m/n/cgroup.events"), IN_MODIFY);
  pf.events = POLLPRI;
  pid_t killer = SPAWN(msleep(50); kill(p, SIGKILL));
  waitpid(killer, NULL, 0);
  R("poll until it is empty", poll(&pf, 1, 3000));
  H("revents when it is empty", pf.revents);
  ssize_t n = pread(fd, text, sizeof text - 1, 0);
  text[n < 0 ? 0 : n] = 0;
  S("populated 0", strstr(text, "populated 0") ? "yes" : text);
  struct inotify_event ev[8];
  for (int i = 0; i < 100 && (n = read(in, ev, sizeof ev)) < 0; i++) msleep(10);
  T("inotify", n >= (ssize_t)sizeof ev[0] && ev[0].wd == w && ev[0].mask == IN_MODIFY);
  close(in);
  close(fd);
  T("a zombie is no member", !holds(at("m/n/cgroup.procs"), p));
  R("rmdir with a zombie", rmdir(at("m/n")));
  line = strstr(get_file(b), "0::");
  T("a zombie's group was deleted", line && strstr(line, " (deleted)"));
  waitpid(p, NULL, 0);
  R("rmdir", rmdir(at("m")));
}

static long counter_of(volatile long *c) {
  long v = *c;
  msleep(60);
  return *c - v;
}

static void leave_9(int s) {
  _exit(9);
}

static void freezing(void) {
  volatile long *count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  mkdir(at("f"), 0755);
  mkdir(at("f/g"), 0755);
  pid_t p = SPAWN(prctl(PR_SET_PDEATHSIG, SIGKILL); signal(SIGUSR1, leave_9); for (;;) ++*count);
  write_pid(at("f/g/cgroup.procs"), p);
  while (!*count) msleep(1);
  R("freeze 2", write_file(at("f/cgroup.freeze"), "2"));
  R("freeze x", write_file(at("f/cgroup.freeze"), "x"));
  R("freeze", write_file(at("f/cgroup.freeze"), "1"));
  wait_for(at("f/cgroup.events"), "frozen 1");
  S("events when frozen", flat(at("f/cgroup.events")));
  S("events of the group below", flat(at("f/g/cgroup.events")));
  S("freeze of the group below", flat(at("f/g/cgroup.freeze")));
  V("stands still", counter_of(count));
  R("a signal to a frozen task", kill(p, SIGUSR1));
  msleep(30);
  T("still there", waitpid(p, NULL, WNOHANG) == 0);
  R("thaw", write_file(at("f/cgroup.freeze"), "0"));
  int status = 0;
  waitpid(p, &status, 0);
  S("the signal was delivered", status_name(status));
  p = SPAWN(prctl(PR_SET_PDEATHSIG, SIGKILL); for (;;) ++*count);
  write_file(at("f/g/cgroup.freeze"), "1");
  S("an empty group is frozen", flat(at("f/g/cgroup.events")));
  write_pid(at("f/g/cgroup.procs"), p);
  wait_for(at("f/g/cgroup.events"), "frozen 1");
  V("who comes stands still", counter_of(count));
  write_pid(at("f/cgroup.procs"), p);
  T("who leaves goes on", counter_of(count) > 0);
  write_pid(at("f/g/cgroup.procs"), p);
  wait_for(at("f/g/cgroup.events"), "frozen 1");
  R("kill a frozen one", kill(p, SIGKILL));
  waitpid(p, &status, 0);
  S("it dies", status_name(status));
  S("events at last", flat(at("f/g/cgroup.events")));
  int fd[2];
  pipe(fd);
  p = SPAWN(char c = 'x'; close(fd[1]); read(fd[0], &c, 1); _exit(c));
  close(fd[0]);
  write_file(at("f/g/cgroup.freeze"), "0");
  write_pid(at("f/cgroup.procs"), p);
  msleep(30);
  write_file(at("f/cgroup.freeze"), "1");
  wait_for(at("f/cgroup.events"), "frozen 1");
  S("a sleeper is frozen", flat(at("f/cgroup.events")));
  write(fd[1], "y", 1);
  msleep(30);
  T("and does not wake", waitpid(p, NULL, WNOHANG) == 0);
  write_file(at("f/cgroup.freeze"), "0");
  waitpid(p, &status, 0);
  S("until it is thawed", status_name(status));
  close(fd[1]);
  rmdir(at("f/g"));
  R("rmdir", rmdir(at("f")));
}

static void killing(void) {
  mkdir(at("k"), 0755);
  mkdir(at("k/l"), 0755);
  pid_t p = sleeper(), q = sleeper();
  write_pid(at("k/cgroup.procs"), p);
  write_pid(at("k/l/cgroup.procs"), q);
  R("kill 0", write_file(at("k/cgroup.kill"), "0"));
  R("kill x", write_file(at("k/cgroup.kill"), "x"));
  R("kill", write_file(at("k/cgroup.kill"), "1"));
  int status = 0;
  waitpid(p, &status, 0);
  S("member", status_name(status));
  waitpid(q, &status, 0);
  S("member below", status_name(status));
  R("rmdir below", rmdir(at("k/l")));
  R("rmdir", rmdir(at("k")));
}

static pid_t other_tid;
static void *other(void *a) {
  other_tid = syscall(SYS_gettid);
  for (;;) pause();
}

static void threads(void) {
  mkdir(at("t"), 0755);
  mkdir(at("t/u"), 0755);
  mkdir(at("t/v"), 0755);
  R("type domain", write_file(at("t/u/cgroup.type"), "domain"));
  R("type nonsense", write_file(at("t/u/cgroup.type"), "x"));
  R("type threaded", write_file(at("t/u/cgroup.type"), "threaded"));
  S("type of it", flat(at("t/u/cgroup.type")));
  S("type of its parent", flat(at("t/cgroup.type")));
  S("type of its sibling", flat(at("t/v/cgroup.type")));
  R("a process into an invalid domain", write_file(at("t/v/cgroup.procs"), "0"));
  R("threaded again", write_file(at("t/u/cgroup.type"), "threaded"));
  S("procs of a threaded group", flat(at("t/u/cgroup.procs")));
  CHILD("threads move", {
    write_file(at("t/cgroup.procs"), "0");
    pthread_t th;
    pthread_create(&th, NULL, other, NULL);
    while (!other_tid) msleep(5);
    R("move a thread", write_pid(at("t/u/cgroup.threads"), other_tid));
    T("thread is there", holds(at("t/u/cgroup.threads"), other_tid));
    T("leader is not", !holds(at("t/u/cgroup.threads"), getpid()));
    T("leader's process is in the domain", holds(at("t/cgroup.procs"), getpid()));
    R("move a thread out of the domain", write_pid(at("cgroup.threads"), other_tid));
    R("kill in a threaded group", write_file(at("t/u/cgroup.kill"), "1"));
    R("events of the threaded group", strstr(get_file(at("t/u/cgroup.events")), "populated 1") ? 1 : 0);
    R("move all", write_file(at("t/u/cgroup.procs"), "0"));
    T("leader is there now", holds(at("t/u/cgroup.threads"), getpid()));
  });
  R("rmdir threaded", rmdir(at("t/u")));
  S("type of the parent afterwards", flat(at("t/cgroup.type")));
  S("type of the sibling afterwards", flat(at("t/v/cgroup.type")));
  rmdir(at("t/v"));
  R("rmdir", rmdir(at("t")));
}

static long clone3_(struct clone_args *a) {
  a->exit_signal = SIGCHLD;
  long r = syscall(SYS_clone3, a, sizeof *a);
  if (r == 0) {
    for (int i = 0; i < 500; i++) msleep(10);
    _exit(7);
  }
  return r;
}

static void into(void) {
  mkdir(at("i"), 0755);
  int fd = open(at("i"), O_RDONLY | O_DIRECTORY);
  int path = open(at("i"), O_PATH | O_DIRECTORY);
  struct clone_args a = {.flags = CLONE_INTO_CGROUP, .cgroup = fd};
  long p = clone3_(&a);
  OK("clone3 into a group", p);
  T("is there", holds(at("i/cgroup.procs"), p));
  end(p);
  a.cgroup = path;
  p = clone3_(&a);
  OK("clone3 by O_PATH", p);
  if (p > 0) end(p);
  a.cgroup = NOFD;
  R("clone3 without a descriptor", clone3_(&a));
  a.cgroup = open("/", O_RDONLY);
  R("clone3 into another directory", clone3_(&a));
  a.cgroup = open(at("i/cgroup.procs"), O_RDONLY);
  R("clone3 into a file", clone3_(&a));
  a.cgroup = fd;
  R("clone3 with a short struct", syscall(SYS_clone3, &a, 80));
  rmdir(at("i"));
  R("clone3 into a removed group", clone3_(&a));
  R("open in a removed group", openat(fd, "cgroup.procs", O_RDONLY));
  R("mkdir in a removed group", mkdirat(fd, "x", 0755));
  close(fd);
}

static void spaces(void) {
  mkdir(at("s"), 0755);
  mkdir(at("s/x"), 0755);
  mkdir(at("y"), 0755);
  pid_t outside = sleeper();
  write_pid(at("y/cgroup.procs"), outside);
  pid_t inside = sleeper();
  write_pid(at("s/x/cgroup.procs"), inside);
  CHILD("namespace", {
    write_file(at("s/cgroup.procs"), "0");
    R("unshare", unshare(CLONE_NEWCGROUP | CLONE_NEWNS));
    const char *l = strstr(get_file("/proc/self/cgroup"), "0::");
    S("own group", l ? l : "?");
    char b[64];
    snprintf(b, sizeof b, "/proc/%d/cgroup", inside);
    l = strstr(get_file(b), "0::");
    S("group below", l ? l : "?");
    snprintf(b, sizeof b, "/proc/%d/cgroup", outside);
    l = strstr(get_file(b), "0::");
    S("group outside", l ? l : "?");
    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
    mkdir("inner", 0755);
    R("mount", mount("cgroup2", "inner", "cgroup2", 0, NULL));
    T("its root is the namespace's", holds("inner/cgroup.procs", getpid()));
    T("and has the group below", holds("inner/x/cgroup.procs", inside));
    R("move one below", write_pid("inner/cgroup.procs", inside));
    R("mkdir", mkdir("inner/z", 0755));
    T("seen outside, too", access(at("s/z"), F_OK) == 0);
    R("rmdir outside", rmdir(at("s/z")));
    R("gone inside, too", access("inner/z", F_OK));
    R("move one from outside", write_pid("inner/cgroup.procs", outside));
    R("move out of the namespace", write_file(at("y/cgroup.procs"), "0"));
  });
  end(outside);
  end(inside);
  rmdir(at("y"));
  rmdir(at("s/x"));
  R("rmdir", rmdir(at("s")));
}

static void rights(void) {
  mkdir(at("r"), 0755);
  mkdir(at("r/s"), 0755);
  chown(at("r/s"), 1000, 1000);
  chown(at("r/s/cgroup.procs"), 1000, 1000);
  CHILD("as a user", {
    setgid(1000);
    setuid(1000);
    R("mkdir in a given group", mkdir(at("r/s/t"), 0755));
    struct stat st;
    stat(at("r/s/t/cgroup.procs"), &st);
    V("its files are the user's", st.st_uid);
    R("mkdir elsewhere", mkdir(at("r/t"), 0755));
    R("move into it from outside", write_file(at("r/s/cgroup.procs"), "0"));
    R("freeze", write_file(at("r/s/t/cgroup.freeze"), "0"));
    R("freeze another's", write_file(at("r/s/cgroup.freeze"), "0"));
    R("rmdir", rmdir(at("r/s/t")));
  });
  rmdir(at("r/s"));
  R("rmdir", rmdir(at("r")));
}

int main(void) {
  mkdir("cg", 0755);
  OK("mount", mount("cgroup2", "cg", "cgroup2", 0, NULL));
  H("magic", ({ struct { long type; char rest[200]; } s; syscall(SYS_statfs, "cg", &s); s.type; }));
  snprintf(top, sizeof top, "cg/conf-%d", getpid());
  R("mkdir top", mkdir(top, 0755));
  R("enter", write_file(at("cgroup.procs"), "0"));
  tree();
  members();
  freezing();
  killing();
  threads();
  into();
  spaces();
  rights();
  R("leave", write_file("cg/cgroup.procs", "0"));
  R("rmdir top", rmdir(top));
  return 0;
}
