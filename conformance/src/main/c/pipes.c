/* pipe(7), pipe2(2), fifo(7), eventfd(2): sizes, atomicity, poll bits, errors. */
#include "conf.h"
#include <poll.h>
#include <sys/eventfd.h>

static void bits(const char *name, int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0};
  poll(&p, 1, 0);
  H(name, p.revents);
}

static void *late_writer(void *a) {
  msleep(30);
  return (void *)(long)write(*(int *)a, "late", 4);
}
static void *late_closer(void *a) {
  msleep(30);
  close(*(int *)a);
  return NULL;
}
static void *late_reader(void *a) {
  static char b[4096];
  msleep(30);
  return (void *)(long)read(*(int *)a, b, sizeof b);
}
static void nothing(int s) { (void)s; }

static void fifo(void) {
  char b[64];
  R("mkfifo", mkfifo("f", 0600));
  R("mkfifo-exists", mkfifo("f", 0600));
  R("fifo-open-write-nonblock-no-reader", open("f", O_WRONLY | O_NONBLOCK));
  int r = open("f", O_RDONLY | O_NONBLOCK);
  T("fifo-open-read-nonblock", r >= 0);
  bits("fifo-poll-before-writer", r);
  R("fifo-read-no-writer", read(r, b, 1));
  int w = open("f", O_WRONLY | O_NONBLOCK);
  T("fifo-open-write", w >= 0);
  R("fifo-read-empty", read(r, b, 1));
  bits("fifo-poll-empty", r);
  R("fifo-write", write(w, "abc", 3));
  bits("fifo-poll-data", r);
  close(w);
  bits("fifo-poll-data-hup", r);
  R("fifo-read", read(r, b, 64));
  bits("fifo-poll-hup", r);
  R("fifo-read-eof", read(r, b, 64));
  w = open("f", O_WRONLY);
  bits("fifo-poll-new-writer", r);
  close(w);
  close(r);
  int rw = open("f", O_RDWR);
  T("fifo-open-rdwr", rw >= 0);
  R("fifo-rdwr-write", write(rw, "x", 1));
  R("fifo-rdwr-read", read(rw, b, 1));
  bits("fifo-rdwr-poll", rw);
  close(rw);
  pid_t p = SPAWN({
    int f = open("f", O_WRONLY);
    msleep(20);
    if (write(f, "hello", 5) != 5) _exit(1);
  });
  r = open("f", O_RDONLY);
  R("fifo-rendezvous-read", read(r, b, 64));
  R("fifo-rendezvous-eof", read(r, b, 64));
  close(r);
  waitpid(p, NULL, 0);
  struct stat st;
  stat("f", &st);
  O("fifo-mode", st.st_mode);
  R("fifo-lseek", lseek(open("f", O_RDWR), 0, SEEK_CUR));
  struct sigaction sa = {.sa_handler = nothing};
  sigaction(SIGALRM, &sa, NULL);
  struct itimerval it = {{0, 0}, {0, 30000}};
  mkfifo("g", 0600);
  setitimer(ITIMER_REAL, &it, NULL);
  R("fifo-open-interrupted", open("g", O_RDONLY));
}

int main(void) {
  int p[2], q[2];
  static char b[1 << 20];
  signal(SIGPIPE, SIG_IGN);
  R("pipe2-bad-flags", syscall(SYS_pipe2, p, 1));
  R("pipe2-fault", syscall(SYS_pipe2, BAD, 0));
  R("pipe-fault-leaks-nothing", dup(0));
  close(3);
  R("pipe", pipe(p));
  V("pipe-fd-0", p[0]);
  V("pipe-fd-1", p[1]);
  H("getfl-read-end", fcntl(p[0], F_GETFL));
  H("getfl-write-end", fcntl(p[1], F_GETFL));
  R("read-from-write-end", read(p[1], b, 1));
  R("write-to-read-end", write(p[0], b, 1));
  R("lseek", lseek(p[0], 0, SEEK_SET));
  R("pread", pread(p[0], b, 1, 0));
  R("ftruncate", ftruncate(p[1], 0));
  R("fsync", fsync(p[1]));
  R("fallocate", fallocate(p[1], 0, 0, 10));
  OK("mmap", mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, p[0], 0));
  struct stat st;
  fstat(p[0], &st);
  O("fstat-mode", st.st_mode);
  V("fstat-size", st.st_size);
  V("fstat-nlink", st.st_nlink);
  V("fstat-blksize", st.st_blksize);
  struct stat st2;
  fstat(p[1], &st2);
  T("same-inode", st.st_ino == st2.st_ino && st.st_dev == st2.st_dev);
  bits("poll-empty-read-end", p[0]);
  bits("poll-empty-write-end", p[1]);
  V("getpipe-sz", fcntl(p[0], F_GETPIPE_SZ));
  R("read-zero-of-empty", read(p[0], b, 0));
  R("write-zero", write(p[1], b, 0));
  R("write-fault", write(p[1], BAD, 1));
  R("write", write(p[1], "hello", 5));
  int n = -1;
  R("fionread", ioctl(p[0], FIONREAD, &n));
  V("fionread-value", n);
  R("fionread-write-end", ioctl(p[1], FIONREAD, &n));
  R("ioctl-unknown", ioctl(p[0], 0x1234567, &n));
  bits("poll-data", p[0]);
  R("read-fault", read(p[0], BAD, 5));
  R("read-short", read(p[0], b, 2));
  R("read-rest", read(p[0], b, 100));
  T("data", !memcmp(b, "llo", 3));
  fcntl(p[0], F_SETFL, O_NONBLOCK);
  fcntl(p[1], F_SETFL, O_NONBLOCK);
  H("getfl-nonblock", fcntl(p[0], F_GETFL));
  R("read-empty-nonblock", read(p[0], b, 1));
  /* How much fits. */
  long total = 0, r;
  while ((r = write(p[1], b, 1)) > 0) total += r;
  V("fill-by-1", total);
  R("fill-by-1-then", write(p[1], b, 1));
  bits("poll-full", p[1]);
  R("full-read-1", read(p[0], b, 1));
  bits("poll-after-read-1", p[1]);
  R("write-after-read-1", write(p[1], b, 1));
  R("full-read-4095", read(p[0], b, 4095));
  bits("poll-after-read-page", p[1]);
  R("write-4097-with-one-page-free", write(p[1], b, 4097));
  while (read(p[0], b, sizeof b) > 0) {
  }
  total = 0;
  while ((r = write(p[1], b, 3000)) > 0) total += r;
  V("fill-by-3000", total);
  n = 0;
  ioctl(p[0], FIONREAD, &n);
  V("fill-by-3000-fionread", n);
  while (read(p[0], b, sizeof b) > 0) {
  }
  R("write-all-64k", write(p[1], b, 65536));
  R("write-more", write(p[1], b, 1));
  R("read-all", read(p[0], b, sizeof b));
  R("write-100000-nonblock", write(p[1], b, 100000));
  R("read-1000-of-it", read(p[0], b, 1000));
  R("atomic-write-does-not-fit", write(p[1], b, 4096));
  R("read-the-rest", read(p[0], b, sizeof b));
  R("odd-write-1", write(p[1], b, 4000));
  R("odd-write-2", write(p[1], b, 5000));
  R("odd-read", read(p[0], b, sizeof b));
  /* Sizes. */
  R("setpipe-sz-1", fcntl(p[0], F_SETPIPE_SZ, 1));
  R("setpipe-sz-4097", fcntl(p[0], F_SETPIPE_SZ, 4097));
  R("setpipe-sz-1m", fcntl(p[0], F_SETPIPE_SZ, 1 << 20));
  R("fill-1m", write(p[1], b, 1 << 20));
  R("setpipe-sz-busy", fcntl(p[0], F_SETPIPE_SZ, 4096));
  R("setpipe-sz-0", fcntl(p[0], F_SETPIPE_SZ, 0));
  R("drain-1m", read(p[0], b, 1 << 20));
  R("setpipe-sz-64k", fcntl(p[0], F_SETPIPE_SZ, 65536));
  R("setpipe-sz-of-file", fcntl(0, F_GETPIPE_SZ) < 0 ? -1 : 0);
  R("setpipe-sz-negative", fcntl(p[0], F_SETPIPE_SZ, -1));
  /* Vectors. */
  struct iovec v[3] = {{"abc", 3}, {"", 0}, {"defg", 4}};
  R("writev", writev(p[1], v, 3));
  char c1[2], c2[10];
  struct iovec rv[2] = {{c1, 2}, {c2, 10}};
  R("readv", readv(p[0], rv, 2));
  T("readv-data", !memcmp(c1, "ab", 2) && !memcmp(c2, "cdefg", 5));
  /* Packets. */
  R("pipe2-direct", pipe2(q, O_DIRECT | O_NONBLOCK | O_CLOEXEC));
  H("getfd", fcntl(q[0], F_GETFD));
  H("getfl-direct", fcntl(q[1], F_GETFL));
  write(q[1], "one", 3);
  write(q[1], "three", 5);
  R("packet-1", read(q[0], b, 100));
  R("packet-2-cut", read(q[0], b, 2));
  R("packet-rest-lost", read(q[0], b, 100));
  R("packet-big", write(q[1], b, 5000));
  R("packet-big-1", read(q[0], b, 10000));
  R("packet-big-2", read(q[0], b, 10000));
  close(q[0]);
  close(q[1]);
  /* Ends. */
  close(p[1]);
  bits("poll-no-writer", p[0]);
  R("read-no-writer", read(p[0], b, 1));
  close(p[0]);
  pipe(p);
  write(p[1], "xy", 2);
  close(p[1]);
  bits("poll-data-no-writer", p[0]);
  R("read-left", read(p[0], b, 10));
  R("read-eof", read(p[0], b, 10));
  close(p[0]);
  pipe(p);
  close(p[0]);
  bits("poll-no-reader", p[1]);
  R("write-no-reader", write(p[1], "x", 1));
  R("write-zero-no-reader", write(p[1], "x", 0));
  close(p[1]);
  CHILD("sigpipe", {
    signal(SIGPIPE, SIG_DFL);
    pipe(p);
    close(p[0]);
    write(p[1], "x", 1);
  });
  /* Blocking. */
  pthread_t t;
  pipe(p);
  pthread_create(&t, NULL, late_writer, &p[1]);
  R("blocking-read", read(p[0], b, 100));
  pthread_join(t, NULL);
  pthread_create(&t, NULL, late_closer, &p[1]);
  R("blocking-read-eof", read(p[0], b, 100));
  pthread_join(t, NULL);
  close(p[0]);
  pipe(p);
  write(p[1], b, 65536);
  pthread_create(&t, NULL, late_reader, &p[0]);
  R("blocking-write", write(p[1], b, 10));
  pthread_join(t, NULL);
  pthread_create(&t, NULL, late_closer, &p[0]);
  R("blocking-write-epipe", write(p[1], b, 65536));
  pthread_join(t, NULL);
  close(p[1]);
  pipe(p);
  struct sigaction sa = {.sa_handler = nothing};
  sigaction(SIGALRM, &sa, NULL);
  struct itimerval it = {{0, 0}, {0, 30000}};
  setitimer(ITIMER_REAL, &it, NULL);
  R("read-interrupted", read(p[0], b, 1));
  sa.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &sa, NULL);
  setitimer(ITIMER_REAL, &it, NULL);
  pthread_t t2;
  pthread_create(&t2, NULL, late_writer, &p[1]);
  R("read-restarted", read(p[0], b, 100));
  pthread_join(t2, NULL);
  /* eventfd. */
  int e = eventfd(3, EFD_NONBLOCK);
  uint64_t x;
  bits("eventfd-poll", e);
  R("eventfd-read-short", read(e, &x, 7));
  R("eventfd-read", read(e, &x, 8));
  V("eventfd-value", x);
  R("eventfd-read-zero", read(e, &x, 8));
  bits("eventfd-poll-zero", e);
  x = -1;
  R("eventfd-write-max", write(e, &x, 8));
  x = -2;
  R("eventfd-write-max-1", write(e, &x, 8));
  bits("eventfd-poll-full", e);
  x = 1;
  R("eventfd-write-overflow", write(e, &x, 8));
  R("eventfd-write-short", write(e, &x, 4));
  R("eventfd-write-long", write(e, b, 16));
  x = 0;
  R("eventfd-write-0", write(e, &x, 8));
  R("eventfd-pread", pread(e, &x, 8, 0));
  R("eventfd-lseek", lseek(e, 0, SEEK_SET));
  close(e);
  e = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
  read(e, &x, 8);
  V("semaphore-1", x);
  read(e, &x, 8);
  V("semaphore-2", x);
  R("semaphore-3", read(e, &x, 8));
  R("eventfd-bad-flags", eventfd(0, 0x40));
  /* a writer that is gone as soon as the reader's open has let it in */
  mkfifo("quick", 0600);
  int met = 0;
  for (int i = 0; i < 50; i++) {
    pid_t w = fork();
    if (w == 0) {
      int q = open("quick", O_WRONLY);
      write(q, "x", 1);
      _exit(0);
    }
    if (i & 1) usleep(2000);
    int q = open("quick", O_RDONLY);
    met += read(q, b, 10) == 1;
    close(q);
    waitpid(w, NULL, 0);
  }
  V("quick-writers", met);
  /* a pipe opened again by its name in /proc waits for no other end, even when there is none left */
  int again[2];
  char name[64];
  pipe(again);
  write(again[1], "abc", 3);
  close(again[1]);
  snprintf(name, sizeof name, "/proc/self/fd/%d", again[0]);
  int reopened = open(name, O_RDONLY);
  R("reopened-pipe-read", read(reopened, b, 10));
  R("reopened-pipe-end", read(reopened, b, 10));
  close(again[0]);
  close(reopened);
  fifo();
  return 0;
}
