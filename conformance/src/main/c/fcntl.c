#include "check.h"
#include <sys/file.h>
#include <sys/ioctl.h>
#include <time.h>

static struct flock L(short type, off_t start, off_t len) {
  struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
  return l;
}
static int lock(int fd, int cmd, short type, off_t s, off_t n) {
  struct flock l = L(type, s, n);
  return fcntl(fd, cmd, &l);
}
static void getlk(const char *name, int fd, off_t s, off_t n) {
  struct flock l = L(F_WRLCK, s, n);
  errno = 0;
  if (fcntl(fd, F_GETLK, &l) < 0) report(name, -1);
  else if (l.l_type == F_UNLCK) printf("%s: none\n", name);
  else printf("%s: type %d %ld+%ld pid %s\n", name, l.l_type, (long)l.l_start, (long)l.l_len, l.l_pid == getppid() ? "parent" : l.l_pid == -1 ? "-1" : "other");
}
static void nothing(int s) { (void)s; }
static void nap(void) { struct timespec t = {0, 60000000}; nanosleep(&t, NULL); }

int main(void) {
  scratch_dir();
  int fd = file("f", "0123456789"), ro = open("f", O_RDONLY), wo = open("f", O_WRONLY);
  R("dup", dup(fd) - wo);
  R("dup bad", dup(99));
  R("dup2 self", dup2(fd, fd) - fd);
  R("dup2 bad self", dup2(99, 99));
  R("dup2", dup2(fd, 50));
  R("dup2 out of range", dup2(fd, -1));
  R("dup2 too big", dup2(fd, 1 << 30));
  R("dup3 self", dup3(fd, fd, 0));
  R("dup3 flag", dup3(fd, 51, O_NONBLOCK));
  R("dup3 cloexec", dup3(fd, 51, O_CLOEXEC));
  R("getfd", fcntl(51, F_GETFD));
  R("setfd", fcntl(51, F_SETFD, 0));
  R("getfd after", fcntl(51, F_GETFD));
  R("dupfd", fcntl(fd, F_DUPFD, 60));
  R("dupfd cloexec", fcntl(fd, F_DUPFD_CLOEXEC, 60));
  R("dupfd bad", fcntl(fd, F_DUPFD, -1));
  R("dupfd big", fcntl(fd, F_DUPFD, 1 << 30));
  R("unknown command", fcntl(fd, 12345));
  R("bad fd", fcntl(99, F_GETFD));
  R("setfl", fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
  R("getfl", fcntl(fd, F_GETFL) & ~0100000);
  R("shared flags", fcntl(50, F_GETFL) & ~0100000);
  fcntl(fd, F_SETFL, 0);
  R("getown", fcntl(fd, F_GETOWN));
  R("setown self", fcntl(fd, F_SETOWN, getpid()));
  YES("getown self", fcntl(fd, F_GETOWN) == getpid());
  R("setown nobody", fcntl(fd, F_SETOWN, 4000000));
  R("setsig", fcntl(fd, F_SETSIG, SIGUSR1));
  R("getsig", fcntl(fd, F_GETSIG));
  R("setsig bad", fcntl(fd, F_SETSIG, 65));
  R("getlease", fcntl(fd, F_GETLEASE));
  R("getpipe of file", fcntl(fd, F_GETPIPE_SZ));
  int p[2];
  pipe(p);
  R("getpipe", fcntl(p[0], F_GETPIPE_SZ));
  R("setpipe", fcntl(p[0], F_SETPIPE_SZ, 5000));
  R("getpipe after", fcntl(p[1], F_GETPIPE_SZ));
  R("seals of a pipe", fcntl(p[0], F_GET_SEALS));
  int path = open("f", O_PATH);
  R("O_PATH getfd", fcntl(path, F_GETFD));
  R("O_PATH setfl", fcntl(path, F_SETFL, 0));
  R("O_PATH lock", lock(path, F_SETLK, F_RDLCK, 0, 1));

  R("set", lock(fd, F_SETLK, F_WRLCK, 0, 5));
  R("set read on wo", lock(wo, F_SETLK, F_RDLCK, 0, 5));
  R("set write on ro", lock(ro, F_SETLK, F_WRLCK, 0, 5));
  R("bad type", lock(fd, F_SETLK, 7, 0, 5));
  R("bad start", lock(fd, F_SETLK, F_WRLCK, -1, 5));
  R("overflow", lock(fd, F_SETLK, F_WRLCK, 0x7fffffffffffffff, 5));
  struct flock w = L(F_WRLCK, 0, 1);
  w.l_whence = 9;
  R("bad whence", fcntl(fd, F_SETLK, &w));
  R("bad address", fcntl(fd, F_SETLK, BAD));
  getlk("own lock", fd, 0, 10);
  CHILD("other process", {
    getlk("  sees", fd, 0, 10);
    getlk("  not beyond", fd, 5, 10);
    R("  set", lock(fd, F_SETLK, F_RDLCK, 4, 1));
    R("  set beyond", lock(fd, F_SETLK, F_WRLCK, 5, 1));
  });
  getlk("dropped at exit", fd, 5, 1);
  lock(fd, F_SETLK, F_WRLCK, 0, 30);
  lock(fd, F_SETLK, F_UNLCK, 10, 10);
  lock(fd, F_SETLK, F_RDLCK, 25, 5);
  CHILD("split", {
    getlk("  0", fd, 0, 100);
    getlk("  10", fd, 10, 100);
    getlk("  10 short", fd, 10, 10);
    getlk("  26", fd, 26, 100);
  });
  lseek(fd, 5, SEEK_SET);
  struct flock c = L(F_WRLCK, 100, -10);
  R("negative length", fcntl(fd, F_SETLK, &c));
  c = L(F_WRLCK, -2, 0);
  c.l_whence = SEEK_END;
  R("from the end", fcntl(fd, F_SETLK, &c));
  CHILD("far", getlk("  far", fd, 1L << 40, 1));
  lock(fd, F_SETLK, F_UNLCK, 0, 0);
  lock(fd, F_SETLK, F_WRLCK, 0, 1);
  close(open("f", O_RDONLY));
  CHILD("any close drops", getlk("  dropped", fd, 0, 1));

  int sync[2];
  pipe(sync);
  fflush(stdout);
  pid_t kid = fork();
  if (kid == 0) {
    lock(fd, F_SETLK, F_WRLCK, 1, 1);
    write(sync[1], "x", 1);
    nap();
    _exit(lock(fd, F_SETLKW, F_WRLCK, 0, 1) == 0 ? 3 : errno == EDEADLK ? 4 : 5);
  }
  char b;
  lock(fd, F_SETLK, F_WRLCK, 0, 1);
  read(sync[0], &b, 1);
  nap();
  nap();
  nap();
  R("deadlock", lock(fd, F_SETLKW, F_WRLCK, 1, 1));
  lock(fd, F_SETLK, F_UNLCK, 0, 0);
  int st;
  waitpid(kid, &st, 0);
  NUM("waiter got it", WEXITSTATUS(st));
  lock(fd, F_SETLK, F_WRLCK, 0, 1);
  CHILD("interrupted", {
    struct sigaction sa = {.sa_handler = nothing};
    sigaction(SIGALRM, &sa, NULL);
    alarm(1);
    R("  wait", lock(fd, F_SETLKW, F_WRLCK, 0, 1));
  });
  lock(fd, F_SETLK, F_UNLCK, 0, 0);
  int two = open("f", O_RDWR);
  R("ofd", lock(fd, F_OFD_SETLK, F_WRLCK, 0, 1));
  R("ofd other", lock(two, F_OFD_SETLK, F_WRLCK, 0, 1));
  R("ofd against posix", lock(two, F_SETLK, F_WRLCK, 0, 1));
  getlk("ofd holder", two, 0, 1);
  struct flock op = L(F_WRLCK, 5, 1);
  op.l_pid = 1;
  R("ofd with pid", fcntl(fd, F_OFD_SETLK, &op));
  lock(fd, F_OFD_SETLK, F_UNLCK, 0, 0);

  R("flock shared", flock(fd, LOCK_SH));
  R("flock both", flock(two, LOCK_SH | LOCK_NB));
  R("flock upgrade", flock(two, LOCK_EX | LOCK_NB));
  R("flock after lost", flock(fd, LOCK_EX | LOCK_NB));
  R("flock of dup", flock(50, LOCK_EX | LOCK_NB));
  R("flock again", flock(two, LOCK_SH | LOCK_NB));
  R("unlock by dup", flock(50, LOCK_UN));
  R("now", flock(two, LOCK_EX | LOCK_NB));
  R("flock bad op", flock(fd, 0));
  R("flock bad fd", flock(99, LOCK_SH));
  R("flock O_PATH", flock(path, LOCK_SH));
  CHILD("inherited", R("  unlock", flock(two, LOCK_UN)));
  R("freed by child", flock(fd, LOCK_EX | LOCK_NB));

  int on = 1, n = -1;
  R("FIONBIO", ioctl(fd, FIONBIO, &on));
  R("nonblocking", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
  R("FIONBIO bad", ioctl(fd, FIONBIO, BAD));
  R("FIOCLEX", ioctl(fd, FIOCLEX));
  R("cloexec", fcntl(fd, F_GETFD));
  R("FIONCLEX", ioctl(fd, FIONCLEX));
  lseek(fd, 3, SEEK_SET);
  R("FIONREAD", ioctl(fd, FIONREAD, &n));
  NUM("readable", n);
  write(p[1], "abcd", 4);
  R("FIONREAD pipe", ioctl(p[0], FIONREAD, &n));
  NUM("in pipe", n);
  R("TCGETS of file", ioctl(fd, 0x5401, &n));
  R("unknown ioctl", ioctl(fd, 0xdead, &n));
  R("ioctl bad fd", ioctl(99, FIONREAD, &n));
  R("ioctl O_PATH", ioctl(path, FIONREAD, &n));
  int made = open("made", O_CREAT | O_RDWR, 0600);
  R("F_CREATED_QUERY made", fcntl(made, 1028, 0));
  R("F_CREATED_QUERY dup", fcntl(dup(made), 1028, 0));
  R("F_CREATED_QUERY found", fcntl(open("made", O_CREAT | O_RDWR, 0600), 1028, 0));
  R("F_CREATED_QUERY opened", fcntl(open("made", O_RDONLY), 1028, 0));
  R("F_CREATED_QUERY excl", fcntl(open("made2", O_CREAT | O_EXCL | O_RDWR, 0600), 1028, 0));
  R("F_CREATED_QUERY tmpfile", fcntl(open(".", O_TMPFILE | O_RDWR, 0600), 1028, 0));
  R("F_CREATED_QUERY O_PATH", fcntl(open("made", O_PATH), 1028, 0));
  return 0;
}
