/* fork(2), vfork(2), clone(2), _exit(2), getpid(2), getppid(2): the life of a process. */
#include "conf.h"
#include <linux/sched.h>

static int shared = 1;
static char stack[65536] __attribute__((aligned(16)));
static int clone_fn(void *arg) {
  shared = (int)(long)arg;
  return 7;
}

int main(void) {
  CHILD("exit-0", _exit(0));
  CHILD("exit-255", _exit(255));
  CHILD("exit-256-wraps", _exit(256));
  CHILD("exit-minus-1", _exit(-1));
  CHILD("fork-has-own-memory", shared = 5; _exit(shared));
  V("fork-did-not-touch-parent", shared);
  pid_t me = getpid();
  CHILD("child-ppid", _exit(getppid() == me));
  CHILD("child-pid-differs", _exit(getpid() != me));
  CHILD("child-tid-is-pid", _exit(gettid() == getpid()));

  pid_t p = vfork();
  if (p == 0) {
    shared = 9;
    _exit(3);
  }
  int s;
  waitpid(p, &s, 0);
  S("vfork-status", status_name(s));
  V("vfork-shares-memory", shared);

  p = clone(clone_fn, stack + sizeof stack, CLONE_VM | SIGCHLD, (void *)11);
  waitpid(p, &s, 0);
  S("clone-vm-status", status_name(s));
  V("clone-vm-shares", shared);
  p = clone(clone_fn, stack + sizeof stack, SIGCHLD, (void *)12);
  waitpid(p, &s, 0);
  S("clone-novm-status", status_name(s));
  V("clone-novm-does-not-share", shared);

  p = clone(clone_fn, stack + sizeof stack, 0, (void *)1);
  R("clone-no-signal-plain-wait", waitpid(p, &s, 0));
  T("clone-no-signal-wclone", waitpid(p, &s, __WCLONE) == p);
  S("clone-no-signal-status", status_name(s));

  p = clone(clone_fn, stack + sizeof stack, 127, (void *)1);
  T("clone-signal-127-reaped", waitpid(p, &s, __WALL) == p);
  R("clone-thread-without-sighand", syscall(SYS_clone, CLONE_THREAD | CLONE_VM, stack + sizeof stack, 0, 0, 0));
  R("clone-sighand-without-vm", syscall(SYS_clone, CLONE_SIGHAND, stack + sizeof stack, 0, 0, 0));
  R("clone-newns-and-fs", syscall(SYS_clone, CLONE_NEWNS | CLONE_FS, 0, 0, 0, 0));
  struct clone_args ca;
  memset(&ca, 0, sizeof ca);
  R("clone3-size-too-small", syscall(SYS_clone3, &ca, 8));
  R("clone3-size-too-big", syscall(SYS_clone3, &ca, 8192));
  R("clone3-bad-address", syscall(SYS_clone3, BAD, sizeof ca));
  ca.exit_signal = 300;
  R("clone3-bad-signal", syscall(SYS_clone3, &ca, sizeof ca));
  ca.exit_signal = SIGCHLD;
  ca.stack = 4096;
  R("clone3-stack-without-size", syscall(SYS_clone3, &ca, sizeof ca));
  memset(&ca, 0, sizeof ca);
  ca.exit_signal = SIGCHLD;
  p = syscall(SYS_clone3, &ca, sizeof ca);
  if (p == 0) _exit(21);
  waitpid(p, &s, 0);
  S("clone3-fork", status_name(s));
  int pidfd = -1;
  memset(&ca, 0, sizeof ca);
  ca.flags = CLONE_PIDFD;
  ca.pidfd = (uintptr_t)&pidfd;
  ca.exit_signal = SIGCHLD;
  p = syscall(SYS_clone3, &ca, sizeof ca);
  if (p == 0) _exit(22);
  T("clone3-pidfd-open", pidfd > 2);
  T("clone3-pidfd-cloexec", fcntl(pidfd, F_GETFD) == FD_CLOEXEC);
  siginfo_t si;
  R("waitid-pidfd", waitid(P_PIDFD, pidfd, &si, WEXITED));
  V("waitid-pidfd-status", si.si_status);
  close(pidfd);

  /* descriptors: shared offset after fork, own table */
  put_file("f", "abcdef");
  int fd = open("f", O_RDONLY);
  char c;
  CHILD("child-reads", char d; read(fd, &d, 1); close(fd); _exit(d));
  read(fd, &c, 1);
  V("offset-is-shared", c);
  T("child-close-is-its-own", fcntl(fd, F_GETFD) == 0);
  p = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
  if (p == 0) {
    close(fd);
    _exit(0);
  }
  waitpid(p, &s, 0);
  R("clone-files-shares-table", fcntl(fd, F_GETFD));
  p = syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0);
  if (p == 0) {
    umask(077);
    chdir("/");
    _exit(0);
  }
  waitpid(p, &s, 0);
  char cwd[100];
  getcwd(cwd, sizeof cwd);
  S("clone-fs-shares-cwd", cwd);
  O("clone-fs-shares-umask", umask(022));

  /* orphans go to init (pid 1) or a subreaper */
  int pp[2];
  pipe(pp);
  pid_t mid = fork();
  if (mid == 0) {
    if (fork() == 0) {
      while (getppid() == mid || getppid() == getpid()) msleep(5);
      char b[32];
      pid_t q = getppid();
      int n = snprintf(b, sizeof b, "%d", q == 1 || q == me ? 1 : 0);
      write(pp[1], b, n);
      _exit(0);
    }
    msleep(20);
    _exit(0);
  }
  waitpid(mid, &s, 0);
  char b[8] = "";
  close(pp[1]);
  read(pp[0], b, sizeof b - 1);
  S("orphan-goes-to-init", b);
  R("set-tid-address", syscall(SYS_set_tid_address, NULL) == getpid());
  R("getpgid-of-nobody", getpgid(999999));
  R("getsid-of-nobody", getsid(999999));
  R("setpgid-negative", setpgid(-1, 0));
  R("getpriority", getpriority(PRIO_PROCESS, 0));
  R("sched-yield", sched_yield());
  R("pidfd-open-bad-flags", syscall(SYS_pidfd_open, me, 1));
  R("pidfd-open-nobody", syscall(SYS_pidfd_open, 999999, 0));
  R("pidfd-open-zero", syscall(SYS_pidfd_open, 0, 0));
  return 0;
}
