/* userfaultfd(2): errors, missing pages filled by a thread, faults of system calls, signals, fork, madvise. */
#include "check.h"
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define PAGE 4096
static int uffd;
static char *area;
static int served, quiet;

static int api(int fd, uint64_t features) {
  struct uffdio_api a = {.api = UFFD_API, .features = features};
  return ioctl(fd, UFFDIO_API, &a);
}
static int reg(int fd, void *p, uint64_t len, uint64_t mode, uint64_t *ioctls) {
  struct uffdio_register r = {.range = {(uintptr_t)p, len}, .mode = mode};
  int x = ioctl(fd, UFFDIO_REGISTER, &r);
  if (ioctls) *ioctls = r.ioctls;
  return x;
}
static int unreg(int fd, void *p, uint64_t len) {
  struct uffdio_range r = {(uintptr_t)p, len};
  return ioctl(fd, UFFDIO_UNREGISTER, &r);
}
static int copy(void *dst, void *src, uint64_t len, uint64_t mode, int64_t *done) {
  struct uffdio_copy c = {.dst = (uintptr_t)dst, .src = (uintptr_t)src, .len = len, .mode = mode};
  int x = ioctl(uffd, UFFDIO_COPY, &c);
  if (done) *done = c.copy;
  return x;
}
static int zero(void *dst, uint64_t len, int64_t *done) {
  struct uffdio_zeropage z = {.range = {(uintptr_t)dst, len}};
  int x = ioctl(uffd, UFFDIO_ZEROPAGE, &z);
  if (done) *done = z.zeropage;
  return x;
}

/* Fills page N with the letter 'A' + N, the last one with zeros; stops when told. */
static volatile int stop;
static void *handler(void *arg) {
  (void)arg;
  static char page[PAGE] __attribute__((aligned(PAGE)));
  while (!stop) {
    struct pollfd pf = {uffd, POLLIN, 0};
    if (poll(&pf, 1, 20) <= 0) continue;
    struct uffd_msg m;
    ssize_t n = read(uffd, &m, sizeof m);
    if (n != sizeof m) continue;
    long i = ((char *)(uintptr_t)m.arg.pagefault.address - area) / PAGE;
    if (!quiet)
      printf("fault: event %x flags %llx page %ld aligned %d\n", m.event, (unsigned long long)m.arg.pagefault.flags, i,
             !(m.arg.pagefault.address & (PAGE - 1)));
    __sync_fetch_and_add(&served, 1);
    memset(page, 'A' + i % 26, PAGE);
    if (i == 15) zero(area + i * PAGE, PAGE, NULL);
    else copy(area + i * PAGE, page, PAGE, 0, NULL);
  }
  return NULL;
}

static void errors(void) {
  R("bad flag", syscall(SYS_userfaultfd, 4));
  int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
  R("getfd", fcntl(fd, F_GETFD));
  R("getfl", fcntl(fd, F_GETFL) & (O_NONBLOCK | O_ACCMODE));
  struct uffd_msg m;
  R("read before api", read(fd, &m, sizeof m));
  struct pollfd pf = {fd, POLLIN, 0};
  R("poll before api", poll(&pf, 1, 0) * 100 + pf.revents);
  R("register before api", reg(fd, area, PAGE, UFFDIO_REGISTER_MODE_MISSING, NULL));
  struct uffdio_api a = {.api = 0xab};
  R("bad api", ioctl(fd, UFFDIO_API, &a));
  R("unknown feature", api(fd, 1ull << 40));
  a = (struct uffdio_api){.api = UFFD_API};
  R("api", ioctl(fd, UFFDIO_API, &a));
  YES("ioctls", (a.ioctls & 0x8000000000000003ull) == 0x8000000000000003ull);
  R("api again", api(fd, 0));
  R("read empty", read(fd, &m, sizeof m));
  R("read short", read(fd, &m, 8));
  R("poll empty", poll(&pf, 1, 0));
  R("unknown ioctl", ioctl(fd, 0x1234));
  R("no mode", reg(fd, area, PAGE, 0, NULL));
  R("unknown mode", reg(fd, area, PAGE, 64, NULL));
  R("unaligned", reg(fd, area + 1, PAGE, UFFDIO_REGISTER_MODE_MISSING, NULL));
  R("no length", reg(fd, area, 0, UFFDIO_REGISTER_MODE_MISSING, NULL));
  R("odd length", reg(fd, area, 100, UFFDIO_REGISTER_MODE_MISSING, NULL));
  void *gone = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(gone, PAGE);
  R("unmapped", reg(fd, gone, PAGE, UFFDIO_REGISTER_MODE_MISSING, NULL));
  R("bad address", ioctl(fd, UFFDIO_REGISTER, BAD));
  R("write", write(fd, &m, sizeof m));
  close(fd);
}

static void sig(int s) { (void)s; }

static struct { volatile int v; } *shared;
static void *toucher(void *p) {
  (void)p;
  shared->v = 1;
  long c = area[0];
  shared->v = 2;
  return (void *)c;
}

int main(void) {
  scratch_dir();
  area = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  errors();
  uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
  R("api", api(uffd, 0));
  memcpy(area + 3 * PAGE, "before", 7);
  uint64_t ioctls = 0;
  R("register", reg(uffd, area, 16 * PAGE, UFFDIO_REGISTER_MODE_MISSING, &ioctls));
  YES("copy, zeropage and wake", (ioctls & 0x1c) == 0x1c);
  R("register again", reg(uffd, area, 16 * PAGE, UFFDIO_REGISTER_MODE_MISSING, NULL));
  int other = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
  api(other, 0);
  R("register by another", reg(other, area, PAGE, UFFDIO_REGISTER_MODE_MISSING, NULL));
  close(other);
  STR("kept", area + 3 * PAGE);
  static char page[2 * PAGE] __attribute__((aligned(PAGE)));
  memset(page, 'z', sizeof page);
  int64_t done;
  R("copy", copy(area + PAGE, page, PAGE, 0, &done));
  NUM("copied", done);
  NUM("content", area[PAGE + 77]);
  R("copy again", copy(area + PAGE, page, PAGE, 0, &done));
  NUM("copied", done);
  R("copy up to what is there", copy(area + 2 * PAGE, page, 2 * PAGE, 0, &done));
  NUM("copied", done);
  R("copy elsewhere", copy(page, page + PAGE, PAGE, 0, &done));
  R("copy from nowhere", copy(area + 4 * PAGE, BAD, PAGE, 0, &done));
  R("copy unaligned", copy(area + 4 * PAGE + 1, page, PAGE, 0, &done));
  R("copy bad mode", copy(area + 4 * PAGE, page, PAGE, 1 << 9, &done));
  R("zero", zero(area + 4 * PAGE, PAGE, &done));
  NUM("zeroed", done);
  NUM("content", area[4 * PAGE]);
  R("zero again", zero(area + 4 * PAGE, PAGE, &done));

  pthread_t th;
  pthread_create(&th, NULL, handler, NULL);
  NUM("read", area[5 * PAGE + 9]);
  area[6 * PAGE] = '!';
  NUM("written", area[6 * PAGE]);
  NUM("beside it", area[6 * PAGE + 1]);
  NUM("zeros", area[15 * PAGE]);
  int fd = file("f", "some bytes that are written");
  R("write from a missing page", write(fd, area + 7 * PAGE, 10));
  lseek(fd, 0, SEEK_SET);
  R("read into a missing page", read(fd, area + 8 * PAGE + 4090, 20)); /* two pages */
  NUM("first", area[8 * PAGE + 4090]);
  NUM("before it", area[8 * PAGE + 4089]);
  NUM("after it", area[9 * PAGE + 100]);
  struct stat st;
  (void)st;
  R("fstat into a missing page", fstat(fd, (void *)(area + 10 * PAGE)));
  R("path in a missing page", open(area + 11 * PAGE, O_RDONLY));
  R("mprotect", mprotect(area, 16 * PAGE, PROT_READ));
  NUM("read only", area[12 * PAGE]);
  R("mprotect back", mprotect(area, 16 * PAGE, PROT_READ | PROT_WRITE));
  R("dontneed", madvise(area + 12 * PAGE, PAGE, MADV_DONTNEED));
  NUM("missing again", area[12 * PAGE]);
  area[13 * PAGE] = 'p';
  CHILD("child", {
    area[13 * PAGE] = 'c';
    NUM("child sees", area[12 * PAGE]);
    NUM("child's zeros", area[14 * PAGE]);
  });
  NUM("parent's", area[13 * PAGE]);
  fflush(stdout);
  R("unregister", unreg(uffd, area, 16 * PAGE));
  NUM("nobody's", area[14 * PAGE]);
  NUM("filled stays", area[5 * PAGE]);
  R("dontneed after", madvise(area, 16 * PAGE, MADV_DONTNEED));
  NUM("zeros after", area[5 * PAGE]);
  NUM("faults", served);

  /* Many pages by many threads' worth of faults, without printing. */
  quiet = 1;
  served = 0;
  char *many = mmap(NULL, 512 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  area = many;
  R("register many", reg(uffd, many, 512 * PAGE, UFFDIO_REGISTER_MODE_MISSING, NULL));
  long sum = 0;
  for (int i = 16; i < 512; i++) sum += many[i * PAGE];
  NUM("sum", sum);
  NUM("faults", served);
  char *moved = mremap(many, 512 * PAGE, 256 * PAGE, 0);
  YES("shrunk in place", moved == many);
  R("unmap", munmap(many, 256 * PAGE));
  stop = 1;
  pthread_join(th, NULL);

  /* A waiting thread takes signals; closing lets it go on with zeros. */
  area = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  R("register last", reg(uffd, area, 4 * PAGE, UFFDIO_REGISTER_MODE_MISSING, NULL));
  fflush(stdout);
  signal(SIGALRM, sig);
  shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  shared->v = 0;
  pthread_t w;
  pthread_create(&w, NULL, toucher, NULL);
  while (shared->v == 0) usleep(1000);
  usleep(30000);
  pthread_kill(w, SIGALRM);
  usleep(30000);
  NUM("still waits", shared->v);
  struct pollfd pf = {uffd, POLLIN, 0};
  R("poll", poll(&pf, 1, 1000));
  close(uffd);
  void *res;
  pthread_join(w, &res);
  NUM("went on with", (long)res);

  uffd = syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY | O_NONBLOCK);
  api(uffd, 0);
  char *u = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  reg(uffd, u, PAGE, UFFDIO_REGISTER_MODE_MISSING, NULL);
  R("kernel fault, user mode only", write(fd, u, 1));
  CHILD("unprivileged", {
    if (setuid(65534) < 0) perror("setuid");
    R("any", syscall(SYS_userfaultfd, 0));
    OK("user mode only", syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY));
  });
  return 0;
}
