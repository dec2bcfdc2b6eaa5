/* Small calls that few programs make: memfd_secret, home nodes, /proc/PID as a pidfd, no segments of one's own. */
#include "check.h"
#include <sys/mman.h>
#include <sys/uio.h>

int main(void) {
  scratch_dir();
  char b[256] = {0};
  R("shadow stack", syscall(453, 0, 4096, 0));
  R("secret bad flag", syscall(447, 1));
  int fd = syscall(447, O_CLOEXEC);
  R("getfd", fcntl(fd, F_GETFD));
  R("read", read(fd, b, 4));
  R("write", write(fd, b, 4));
  R("truncate", ftruncate(fd, 8192));
  R("truncate again", ftruncate(fd, 4096));
  R("truncate to the same", ftruncate(fd, 8192));
  R("lseek", lseek(fd, 0, SEEK_END));
  YES("private", mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) == MAP_FAILED);
  char *p = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  YES("shared", p != MAP_FAILED);
  strcpy(p, "secret");
  char *q = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  STR("the same", q);
  int pp[2];
  if (pipe(pp)) return 1;
  R("the owner writes it", write(pp[1], p, 6));
  R("and reads into it", read(pp[0], p + 100, 6));
  struct iovec v = {b, 4}, w = {p, 4};
  R("process_vm_readv", process_vm_readv(getpid(), &v, 1, &w, 1, 0));
  R("process_vm_writev", process_vm_writev(getpid(), &v, 1, &w, 1, 0));
  int m = open("/proc/self/mem", O_RDONLY);
  R("mem", pread(m, b, 4, (long)p));
  char link[64], text[64] = {0};
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  if (readlink(link, text, sizeof text - 1) < 0) perror("readlink");
  STR("name", text);
  R("exec", mprotect(p, 4096, PROT_READ | PROT_EXEC));
  R("fallocate", fallocate(fd, 0, 0, 4096));
  R("seals", fcntl(fd, F_GET_SEALS));
  CHILD("a child", STR("sees", p));

  char *a = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  R("home", syscall(450, a, 8192, 0, 0));
  R("home flags", syscall(450, a, 8192, 0, 1));
  R("home node", syscall(450, a, 8192, 7777, 0));
  R("home unaligned", syscall(450, a + 1, 8192, 0, 0));
  R("home of nothing", syscall(450, a, 0, 0, 0));
  unsigned long mask = 1;
  R("bind", syscall(SYS_mbind, a, 8192, 2, &mask, 64, 0));
  R("home", syscall(450, a, 8192, 0, 0));
  R("prefer", syscall(SYS_mbind, a, 4096, 1, &mask, 64, 0));
  R("home of both", syscall(450, a, 8192, 0, 0));
  R("home of one", syscall(450, a + 4096, 4096, 0, 0));

  static const char *const dirs[] = {"/proc/self", "/proc", "/proc/thread-self", "/proc/self/fd", "/proc/self/status"};
  for (unsigned i = 0; i < sizeof dirs / sizeof *dirs; i++) {
    int d = open(dirs[i], O_RDONLY);
    R(dirs[i], syscall(SYS_pidfd_send_signal, d, 0, 0, 0));
    close(d);
  }
  int o = open("/proc/self", O_PATH);
  R("path only", syscall(SYS_pidfd_send_signal, o, 0, 0, 0));
  pid_t c = fork();
  if (c == 0) {
    pause();
    _exit(0);
  }
  snprintf(link, sizeof link, "/proc/%d", c);
  int d = open(link, O_RDONLY);
  R("kill by directory", syscall(SYS_pidfd_send_signal, d, SIGTERM, 0, 0));
  int st;
  waitpid(c, &st, 0);
  NUM("killed by", WTERMSIG(st));
  R("gone", syscall(SYS_pidfd_send_signal, d, SIGTERM, 0, 0));
  return 0;
}
