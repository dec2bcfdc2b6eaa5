/* execve(2), execveat(2): errors, scripts, what survives. */
#include "conf.h"
#include <sys/prctl.h>
#include <sys/auxv.h>

static char *self;

static void script(const char *path, const char *text) {
  put_file(path, text);
  chmod(path, 0755);
}

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "stdin")) {
    char c;
    return read(0, &c, 1) != 0;
  }
  self = realpath("/proc/self/exe", NULL);
  if (argc > 1 && !strncmp(argv[1], "args", 4)) {
    printf("argc: %d\n", argc);
    for (int i = 1; i < argc; i++) printf("arg-%d: %s\n", i, argv[i]);
    extern char **environ;
    for (char **e = environ; *e; e++) printf("env: %s\n", *e);
    return 0;
  }
  if (argc > 1 && !strcmp(argv[1], "state")) {
    struct sigaction sa;
    sigaction(SIGUSR1, NULL, &sa);
    T("handler-reset", sa.sa_handler == SIG_DFL);
    sigaction(SIGUSR2, NULL, &sa);
    T("ignored-kept", sa.sa_handler == SIG_IGN);
    sigset_t m;
    sigprocmask(SIG_BLOCK, NULL, &m);
    T("mask-kept", sigismember(&m, SIGHUP));
    sigpending(&m);
    T("pending-kept", sigismember(&m, SIGHUP));
    R("cloexec-closed", fcntl(50, F_GETFD));
    R("other-kept", fcntl(51, F_GETFD));
    char n[20] = "";
    prctl(PR_GET_NAME, n);
    S("comm", n);
    T("alarm-kept", alarm(0) > 0);
    stack_t ss;
    sigaltstack(NULL, &ss);
    V("altstack-reset", ss.ss_flags);
    O("umask-kept", umask(0));
    char cwd[256];
    T("cwd-kept", getcwd(cwd, sizeof cwd) && strstr(cwd, "/sub"));
    V("auxv-pagesz", getauxval(AT_PAGESZ));
    V("auxv-secure", getauxval(AT_SECURE));
    V("auxv-uid", getauxval(AT_UID));
    V("auxv-clktck", getauxval(AT_CLKTCK));
    T("auxv-random", getauxval(AT_RANDOM) != 0);
    T("auxv-vdso", getauxval(AT_SYSINFO_EHDR) != 0);
    T("auxv-execfn", strstr((char *)getauxval(AT_EXECFN), "exec") != NULL);
    T("auxv-phdr", getauxval(AT_PHDR) != 0);
    T("auxv-entry", getauxval(AT_ENTRY) != 0);
    T("auxv-platform", !strcmp((char *)getauxval(AT_PLATFORM), "x86_64"));
    T("tid-is-pid", gettid() == getpid());
    return 0;
  }
  char *a[] = {"x", "args", "one", "two words", NULL}, *e[] = {"A=1", "B=two", NULL}, *none[] = {NULL};
  CHILD("args", execve(self, a, e); _exit(99));
  CHILD("no-env", execve(self, a, none); _exit(99));
  CHILD("null-env", execve(self, a, NULL); _exit(99));
  R("missing", execve("missing", a, e));
  R("empty-path", execve("", a, e));
  R("directory", execve("/", a, e));
  put_file("plain", "hello");
  R("no-x-bit", execve("plain", a, e));
  chmod("plain", 0755);
  R("no-magic", execve("plain", a, e));
  put_file("empty", "");
  chmod("empty", 0755);
  R("empty-file", execve("empty", a, e));
  R("below-a-file", execve("plain/x", a, e));
  R("path-efault", execve(BAD, a, e));
  R("argv-efault", execve(self, BAD, e));
  R("envp-efault", execve(self, a, BAD));
  char *bad[] = {"x", BAD, NULL};
  R("arg-efault", execve(self, bad, e));
  script("elf-short", "\177ELF");
  R("elf-short", execve("elf-short", a, e));
  symlink("loop", "loop");
  R("loop", execve("loop", a, e));
  script("noint", "#!/no/such/interpreter\n");
  R("missing-interpreter", execve("noint", a, e));
  script("blank", "#!\n");
  R("blank-interpreter", execve("blank", a, e));
  script("blank2", "#!   \n");
  R("spaces-interpreter", execve("blank2", a, e));
  char t[600];
  snprintf(t, sizeof t, "#!%s args  with space  \n", self);
  script("s1", t);
  CHILD("script-arg", execve("./s1", a, none));
  snprintf(t, sizeof t, "#! %s\targs\n", self);
  script("s2", t);
  CHILD("script-tab", execve("./s2", a, none));
  char cw[256];
  getcwd(cw, sizeof cw);
  snprintf(t, sizeof t, "#!%s/s1\n", cw);
  script("s3", t);
  CHILD("script-of-script", int fd = open("o", O_CREAT | O_WRONLY, 0600); dup2(fd, 1); execve("./s3", a, none));
  const char *o = get_file("o");
  T("script-of-script-output", strstr(o, "arg-1: args  with space") || strstr(o, "with space"));
  snprintf(t, sizeof t, "#!%s/r\n", cw);
  script("r", t);
  R("script-recursion", execve("r", a, e));
  unlink("r");
  char copy[64];
  snprintf(copy, sizeof copy, "cp %s running", self);
  V("copy", system(copy));
  int held[2], c_;
  pipe(held);
  if (!(c_ = fork())) {
    dup2(held[0], 0);
    close(held[1]);
    execle("./running", "running", "stdin", NULL, none);
    _exit(98);
  }
  close(held[0]);
  usleep(100000);
  R("running-write", open("running", O_WRONLY));
  R("running-rdwr", open("running", O_RDWR));
  R("running-trunc", open("running", O_RDONLY | O_TRUNC));
  R("running-creat", creat("running", 0755));
  R("running-truncate", truncate("running", 1));
  OK("running-read", open("running", O_RDONLY));
  close(held[1]);
  waitpid(c_, NULL, 0);
  usleep(50000);
  OK("ended-write", open("running", O_WRONLY));
  int w = open("busy", O_CREAT | O_RDWR, 0755);
  write(w, "#!/bin/true\n", 12);
  R("text-busy", execve("busy", a, e));
  close(w);

  /* execveat */
  int d = open(".", O_RDONLY | O_DIRECTORY), f = open(self, O_RDONLY);
  R("at-missing", syscall(SYS_execveat, d, "missing", a, e, 0));
  R("at-bad-fd", syscall(SYS_execveat, NOFD, "x", a, e, 0));
  R("at-bad-flags", syscall(SYS_execveat, d, "x", a, e, 1));
  R("at-empty-no-flag", syscall(SYS_execveat, f, "", a, e, 0));
  CHILD("at-empty-path", syscall(SYS_execveat, f, "", a, e, AT_EMPTY_PATH); _exit(errno));
  CHILD("fexecve", fexecve(f, a, e); _exit(errno));
  symlink(self, "link");
  CHILD("at-symlink", syscall(SYS_execveat, d, "link", a, none, 0); _exit(errno));
  R("at-symlink-nofollow", syscall(SYS_execveat, d, "link", a, e, AT_SYMLINK_NOFOLLOW));

  /* what survives */
  mkdir("sub", 0755);
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    chdir("sub");
    umask(0123 & 0777);
    signal(SIGUSR1, (void (*)(int))msleep);
    signal(SIGUSR2, SIG_IGN);
    sigset_t m;
    sigemptyset(&m);
    sigaddset(&m, SIGHUP);
    sigprocmask(SIG_BLOCK, &m, NULL);
    raise(SIGHUP);
    dup2(d, 50);
    dup2(d, 51);
    fcntl(50, F_SETFD, FD_CLOEXEC);
    alarm(100);
    stack_t ss = {.ss_sp = malloc(65536), .ss_size = 65536};
    sigaltstack(&ss, NULL);
    prctl(PR_SET_NAME, "old");
    char *st[] = {"x", "state", NULL};
    execve(self, st, none);
    _exit(99);
  }
  int s;
  waitpid(p, &s, 0);
  S("state", status_name(s));

  /* big argument lists */
  char *big = malloc(200000);
  memset(big, 'a', 199999);
  big[199999] = 0;
  char *ba[] = {"x", big, NULL};
  R("arg-over-128k", execve("/bin/true", ba, none));
  big[131071] = 0;
  CHILD("arg-of-128k-1", execve("/bin/true", ba, none); _exit(errno));
  char **many = calloc(60002, sizeof *many);
  for (int i = 0; i < 60000; i++) many[i] = "0123456789";
  CHILD("60000-args", execve("/bin/true", many, none); _exit(errno));
  struct rlimit rl = {1 << 20, 1 << 20};
  CHILD("args-over-stack-limit", setrlimit(RLIMIT_STACK, &rl); execve("/bin/true", many, none); _exit(errno == E2BIG ? 7 : 8));
  char *nul[] = {NULL};
  CHILD("empty-argv", execve("/bin/true", nul, none); _exit(errno));
  return 0;
}
