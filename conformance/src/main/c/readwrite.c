#include "check.h"
#include <limits.h>
#include <sys/resource.h>
#include <sys/uio.h>

static char big[200000];
static volatile int signals;
static void count(int s) { signals++; (void)s; }

int main(void) {
  scratch_dir();
  char b[64];
  int fd = file("f", "hello world");
  R("read at end", read(fd, b, 10));
  R("lseek set", lseek(fd, 6, SEEK_SET));
  R("read rest", read(fd, b, 64));
  R("lseek cur", lseek(fd, -3, SEEK_CUR));
  R("lseek end", lseek(fd, 5, SEEK_END));
  R("read past end", read(fd, b, 4));
  R("lseek negative", lseek(fd, -1, SEEK_SET));
  R("lseek bad whence", lseek(fd, 0, 99));
  R("lseek data", lseek(fd, 3, SEEK_DATA));
  R("lseek hole", lseek(fd, 3, SEEK_HOLE));
  R("lseek data past end", lseek(fd, 11, SEEK_DATA));
  R("pread", pread(fd, b, 5, 6));
  R("pread negative", pread(fd, b, 5, -1));
  R("pread past end", pread(fd, b, 5, 100));
  R("read bad fd", read(-1, b, 1));
  R("read bad address", pread(fd, BAD, 4, 0));
  R("read zero at bad address", pread(fd, BAD, 0, 0));
  R("write bad address", write(fd, BAD, 4));
  R("write hole", pwrite(fd, "x", 1, 100));
  R("size after hole", lseek(fd, 0, SEEK_END));
  R("read in hole", pread(fd, b, 4, 50));
  YES("hole is zero", memcmp(b, "\0\0\0\0", 4) == 0);
  struct iovec v[3] = {{"ab", 2}, {"", 0}, {"cde", 3}};
  R("writev", writev(file("v", ""), v, 3));
  R("writev none", writev(fd, v, 0));
  R("writev negative count", writev(fd, v, -1));
  R("writev too many", writev(fd, v, IOV_MAX + 1));
  struct iovec neg[1] = {{b, (size_t)-1}};
  R("readv negative length", readv(fd, neg, 1));
  R("readv bad iov", readv(fd, (struct iovec *)BAD, 1));
  struct iovec over[2] = {{b, SSIZE_MAX}, {b, 10}};
  R("readv overflow", readv(fd, over, 2) >= -1 ? 0 : 1);
  int vf = open("v", O_RDWR);
  char x[3], y[8];
  struct iovec in[2] = {{x, 3}, {y, 8}};
  R("readv", readv(vf, in, 2));
  YES("readv data", memcmp(x, "abc", 3) == 0 && memcmp(y, "de", 2) == 0);
  R("preadv", preadv(vf, in, 2, 2));
  R("pwritev", pwritev(vf, v, 3, 10));
  R("preadv2 position", preadv2(vf, in, 2, -1, 0));
  R("preadv2 unknown flag", preadv2(vf, in, 2, 0, 0x8000));
  R("pwritev2 append", pwritev2(vf, v, 1, 0, RWF_APPEND));
  R("size after append", lseek(vf, 0, SEEK_END));
  R("pwritev2 sync", pwritev2(vf, v, 1, 0, RWF_SYNC));
  int ro = open("f", O_RDONLY), wo = open("f", O_WRONLY), dir = open(".", O_RDONLY), p = open("f", O_PATH);
  R("write to read-only", write(ro, "x", 1));
  R("read from write-only", read(wo, b, 1));
  R("read a directory", read(dir, b, 1));
  R("pread a directory", pread(dir, b, 1, 0));
  R("write a directory", write(dir, b, 1));
  R("read O_PATH", read(p, b, 1));
  R("lseek O_PATH", lseek(p, 0, SEEK_SET));
  R("pread O_PATH", pread(p, b, 1, 0));
  int ap = open("f", O_WRONLY | O_APPEND);
  R("append", write(ap, "end", 3));
  R("position after append", lseek(ap, 0, SEEK_CUR));
  R("pwrite appends", pwrite(ap, "!", 1, 0));
  R("size", lseek(ap, 0, SEEK_END));
  int fds[2];
  pipe(fds);
  R("pread a pipe", pread(fds[0], b, 1, 0));
  R("lseek a pipe", lseek(fds[0], 0, SEEK_SET));
  R("lseek a pipe badly", lseek(fds[0], 0, 77));
  R("write the read end", write(fds[0], b, 1));
  R("read the write end", read(fds[1], b, 1));
  fcntl(fds[0], F_SETFL, O_NONBLOCK);
  R("read an empty pipe", read(fds[0], b, 1));
  R("write a pipe", write(fds[1], "abc", 3));
  R("read a pipe short", read(fds[0], b, 64));
  fcntl(fds[1], F_SETFL, O_NONBLOCK);
  R("fill a pipe", write(fds[1], big, sizeof big));
  R("write a full pipe", write(fds[1], b, 1));
  R("drain some", read(fds[0], big, 4096));
  R("write a page", write(fds[1], big, 4096));
  R("atomic write without room", write(fds[1], big, 100));
  fcntl(fds[0], F_SETFL, 0);
  fcntl(fds[1], F_SETFL, 0);
  while (read(fds[0], big, 65536) == 65536 && 0) {}
  close(fds[1]);
  R("end of pipe", read(fds[0], b, 1) >= 0 ? 0 : -1);
  close(fds[0]);
  pipe(fds);
  close(fds[0]);
  signal(SIGPIPE, SIG_IGN);
  R("broken pipe ignored", write(fds[1], b, 1));
  signal(SIGPIPE, count);
  R("broken pipe caught", write(fds[1], b, 1));
  NUM("signals", signals);
  CHILD("broken pipe kills", signal(SIGPIPE, SIG_DFL); write(fds[1], b, 1));
  CHILD("big write through a pipe", {
    pipe(fds);
    if (fork() == 0) {
      close(fds[0]);
      _exit(write(fds[1], big, sizeof big) == sizeof big ? 0 : 1);
    }
    close(fds[1]);
    long n, sum = 0;
    while ((n = read(fds[0], big, 7000)) > 0) sum += n;
    int s;
    wait(&s);
    _exit(sum == sizeof big && WEXITSTATUS(s) == 0 ? 7 : 8);
  });
  struct rlimit lim = {4, RLIM_INFINITY};
  CHILD("file size limit", {
    setrlimit(RLIMIT_FSIZE, &lim);
    signal(SIGXFSZ, count);
    int l = file("limited", "");
    R("  write to the limit", write(l, "123456", 6));
    R("  write past the limit", write(l, "7", 1));
    R("  truncate past the limit", ftruncate(l, 5));
    R("  truncate below", ftruncate(l, 2));
    NUM("  signals", signals);
  });
  R("unlink open file", unlink("f"));
  R("read unlinked", pread(fd, b, 5, 0));
  return 0;
}
