#include "check.h"
#include <sched.h>
#include <spawn.h>
#include <sys/resource.h>

extern char **environ;

static int child_fn(void *arg) { *(int *)arg = 5; return 6; }

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "again") == 0) {
    printf("executed: argc %d arg %s env %s\n", argc, argc > 2 ? argv[2] : "-", getenv("CONF") ? getenv("CONF") : "-");
    for (int fd = 3; fd < 12; fd++)
      if (fcntl(fd, F_GETFD) >= 0) printf("open: %d\n", fd);
    sigset_t s;
    sigprocmask(SIG_BLOCK, NULL, &s);
    printf("mask: %d ignored: %d\n", sigismember(&s, SIGUSR1), signal(SIGUSR2, SIG_DFL) == SIG_IGN);
    return argc > 3 ? atoi(argv[3]) : 0;
  }
  char self[4096];
  long n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n < 0) return 2;
  self[n] = 0;
  for (int fd = 3; fd < 64; fd++) close(fd);
  scratch_dir();
  int st;
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) _exit(258);
  YES("wait", wait(&st) == p);
  NUM("status", WEXITSTATUS(st));
  R("wait none", wait(NULL));
  R("waitpid nobody", waitpid(4000000, &st, 0));
  R("waitpid bad option", waitpid(-1, &st, 0x1000));
  p = fork();
  if (p == 0) for (;;) pause();
  R("nohang", waitpid(p, &st, WNOHANG));
  kill(p, SIGTERM);
  R("bad status address", wait4(p, (int *)BAD, 0, NULL) < 0 ? -1 : 0);
  p = fork();
  if (p == 0) _exit(7);
  siginfo_t si;
  R("waitid", waitid(P_PID, p, &si, WEXITED | WNOWAIT));
  printf("info: signo %d code %d status %d same %d\n", si.si_signo, si.si_code, si.si_status, si.si_pid == p);
  R("again", waitid(P_PID, p, &si, WEXITED));
  R("gone", waitid(P_PID, p, &si, WEXITED));
  R("waitid no option", waitid(P_ALL, 0, &si, 0));
  R("waitid bad type", waitid(77, 0, &si, WEXITED));
  CHILD("group wait", {
    pid_t a = fork();
    if (a == 0) { setpgid(0, 0); _exit(1); }
    setpgid(a, a);
    pid_t b = fork();
    if (b == 0) _exit(2);
    YES("  other group", waitpid(-a, &st, 0) == a);
    YES("  own group", waitpid(0, &st, 0) == b);
  });
  struct rusage ru;
  p = fork();
  if (p == 0) { for (volatile long i = 0; i < 100000000; i++) {} _exit(0); }
  YES("wait4", wait4(p, &st, 0, &ru) == p);
  YES("usage", ru.ru_utime.tv_usec > 0 || ru.ru_utime.tv_sec > 0);

  int shared = 0;
  p = vfork();
  if (p == 0) { shared = 9; _exit(4); }
  waitpid(p, &st, 0);
  printf("vfork: %d shared %d\n", WEXITSTATUS(st), shared);
  char *stack = malloc(65536);
  int v = 0;
  p = clone(child_fn, stack + 65536, CLONE_VM | SIGCHLD, &v);
  waitpid(p, &st, 0);
  printf("clone vm: %d %d\n", WEXITSTATUS(st), v);
  v = 0;
  p = clone(child_fn, stack + 65536, SIGCHLD, &v);
  waitpid(p, &st, 0);
  printf("clone: %d %d\n", WEXITSTATUS(st), v);
  R("clone thread without vm", syscall(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0));
  R("clone sighand without vm", syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0));
  R("clone3 small", syscall(SYS_clone3, &st, 8));
  signal(SIGUSR1, SIG_IGN);
  p = clone(child_fn, stack + 65536, SIGUSR1, &v);
  R("exit signal not SIGCHLD", waitpid(p, &st, WNOHANG) < 0 ? -1 : 0);
  R("with __WALL", waitpid(p, &st, __WALL) == p ? 0 : -1);
  CHILD("files are shared", {
    int fd = -1;
    int q[2];
    pipe(q);
    if (syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0) == 0) {
      fd = dup2(q[0], 77);
      _exit(0);
    }
    wait(NULL);
    R("  seen", fcntl(77, F_GETFD));
  });
  CHILD("cwd is shared", {
    mkdir("sub", 0755);
    if (syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0) == 0) { chdir("sub"); umask(055); _exit(0); }
    wait(NULL);
    char b[300];
    getcwd(b, 300);
    STR("  cwd", strrchr(b, '/'));
    OCT("  umask", umask(0));
  });
  CHILD("orphan", {
    int q[2];
    pipe(q);
    if (fork() == 0) {
      pid_t middle = getpid();
      if (fork() == 0) {
        while (getppid() == middle) usleep(1000);
        write(q[1], "x", 1);
        _exit(0);
      }
      _exit(0);
    }
    wait(NULL);
    char b;
    R("  reparented", read(q[0], &b, 1));
  });

  char *env[] = {"CONF=value", NULL};
  int keep = dup2(1, 8), drop = dup2(1, 9);
  fcntl(drop, F_SETFD, FD_CLOEXEC);
  CHILD("execve", {
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    sigprocmask(SIG_BLOCK, &s, NULL);
    signal(SIGUSR2, SIG_IGN);
    execve(self, (char *[]){self, "again", "argument", "42", NULL}, env);
  });
  CHILD("fexecve", { int fd = open(self, O_RDONLY | O_CLOEXEC); fexecve(fd, (char *[]){"x", "again", "f", NULL}, env); });
  CHILD("execveat", { chdir("/"); syscall(SYS_execveat, AT_FDCWD, self + 1, (char *[]){"x", "again", "at", NULL}, env, 0); });
  R("missing", execve("none", argv, env));
  R("directory", execve(".", argv, env));
  R("empty", execve("", argv, env));
  close(file("plain", "not a program\n"));
  R("not executable", execve("plain", argv, env));
  chmod("plain", 0755);
  R("not a program", execve("plain", argv, env));
  close(file("elf", "\177ELF\2\1\1rubbish rubbish rubbish rubbish rubbish rubbish rubbish rubbish rubbish"));
  chmod("elf", 0755);
  R("broken ELF", execve("elf", argv, env));
  R("bad path", execve(BAD, argv, env));
  R("bad argv", execve(self, (char **)BAD, env));
  char line[5000];
  snprintf(line, sizeof line, "#!%s again\n", self);
  close(file("script", line));
  chmod("script", 0755);
  CHILD("script", execve("./script", (char *[]){"x", "passed", NULL}, env));
  close(file("noint", "#!/none/such\n"));
  chmod("noint", 0755);
  R("missing interpreter", execve("./noint", argv, env));
  close(file("loop", "#!./loop\n"));
  chmod("loop", 0755);
  R("script loop", execve("./loop", argv, env));
  CHILD("setuid is dropped by script", R("  uid", geteuid()));
  int wfd = open("busy", O_CREAT | O_WRONLY, 0755);
  (void)wfd;
  char *huge = malloc(200000);
  memset(huge, 'a', 199999);
  huge[199999] = 0;
  R("argument too long", execve(self, (char *[]){"x", "again", huge, NULL}, env));
  CHILD("long arguments", {
    huge[100000] = 0;
    int out = open("/dev/null", O_WRONLY);
    dup2(out, 1);
    execve(self, (char *[]){"x", "again", huge, "3", NULL}, env);
  });
  posix_spawn_file_actions_t fa;
  posix_spawn_file_actions_init(&fa);
  fflush(stdout);
  int spawned = posix_spawn(&p, self, &fa, NULL, (char *[]){"x", "again", "spawned", "11", NULL}, env);
  waitpid(p, &st, 0);
  R("posix_spawn", spawned);
  NUM("spawned", WEXITSTATUS(st));
  R("posix_spawn missing", posix_spawn(&p, "none", &fa, NULL, (char *[]){"x", NULL}, env));
  R("setpgid of executed child", 0);
  (void)keep;
  FILE *f = popen("echo from a shell; exit 3", "r");
  char b[100] = "";
  if (f) {
    fgets(b, 100, f);
    b[strcspn(b, "\n")] = 0;
    STR("popen", b);
    NUM("pclose", WEXITSTATUS(pclose(f)));
  }
  NUM("system", WEXITSTATUS(system("exit 5")));
  struct rlimit l = {0, 0};
  CHILD("atexit order", { exit(12); });
  (void)l;
  return 0;
}
