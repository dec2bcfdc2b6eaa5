/* Loop devices: loop(4). Which one is free differs, and is not printed. */
#include "check.h"
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <grp.h>

static char dev[40];
static int number;

static void sys(const char *label, const char *name) {
  char p[200], b[300] = "";
  sprintf(p, "/sys/block/loop%d/%s", number, name);
  int fd = open(p, O_RDONLY);
  if (fd < 0) { R(label, -1); return; }
  long n = read(fd, b, sizeof b - 1);
  close(fd);
  if (n > 0 && b[n - 1] == '\n') b[n - 1] = 0;
  char *slash = strrchr(b, '/');
  STR(label, slash ? slash + 1 : b);
}
static void size(const char *label, int fd) {
  uint64_t n = 0;
  R(label, ioctl(fd, BLKGETSIZE64, &n) ? -1 : (long)n);
}
static void info(const char *label, int fd) {
  struct loop_info64 i;
  memset(&i, 0, sizeof i);
  errno = 0;
  if (ioctl(fd, LOOP_GET_STATUS64, &i) < 0) { report(label, -1); return; }
  printf("%s: offset %ld limit %ld flags %d name %s mine %d\n", label, (long)i.lo_offset, (long)i.lo_sizelimit, i.lo_flags & ~LO_FLAGS_DIRECT_IO, i.lo_file_name, (int)i.lo_number == number);
}
static int attach(int flags, int block, long offset, long limit, int fd, int devfd) {
  struct loop_config c;
  memset(&c, 0, sizeof c);
  c.fd = fd;
  c.block_size = block;
  c.info.lo_flags = flags;
  c.info.lo_offset = offset;
  c.info.lo_sizelimit = limit;
  strcpy((char *)c.info.lo_file_name, "given");
  return ioctl(devfd, LOOP_CONFIGURE, &c);
}
/* Takes the file away, and waits until it is gone. */
static int detach(int fd) {
  R("clear", ioctl(fd, LOOP_CLR_FD, 0));
  close(fd);
  for (int i = 0; i < 100; i++) {
    struct loop_info64 s;
    fd = open(dev, O_RDWR);
    if (ioctl(fd, LOOP_GET_STATUS64, &s) < 0 && errno == ENXIO) return fd;
    close(fd);
    usleep(20000);
  }
  puts("is not gone: 1");
  exit(1);
}

int main(void) {
  scratch_dir();
  int c = open("/dev/loop-control", O_RDWR);
  number = ioctl(c, LOOP_CTL_GET_FREE);
  YES("free one", number >= 0);
  R("control knows", ioctl(c, LOOP_SET_FD, 0));
  sprintf(dev, "/dev/loop%d", number);
  struct stat s;
  stat(dev, &s);
  printf("kind: %o %d\n", s.st_mode & S_IFMT, major(s.st_rdev));
  int d = open(dev, O_RDWR);
  size("size of none", d);
  info("status of none", d);
  char b[8192];
  R("read of none", read(d, b, 100));
  R("clear none", ioctl(d, LOOP_CLR_FD, 0));
  R("capacity of none", ioctl(d, LOOP_SET_CAPACITY, 0));
  R("block size of none", ioctl(d, LOOP_SET_BLOCK_SIZE, 1024));
  R("change none", ioctl(d, LOOP_CHANGE_FD, 0));
  int f = open("img", O_CREAT | O_RDWR, 0600);
  ftruncate(f, 1 << 20);
  int odd = open("odd", O_CREAT | O_RDWR, 0600);
  ftruncate(odd, 5000);
  int p[2];
  pipe(p);
  R("no fd", ioctl(d, LOOP_SET_FD, 99));
  R("a pipe", ioctl(d, LOOP_SET_FD, p[0]));
  R("a directory", ioctl(d, LOOP_SET_FD, open(".", O_RDONLY)));
  R("set", ioctl(d, LOOP_SET_FD, f));
  R("again", ioctl(d, LOOP_SET_FD, f));
  size("size", d);
  unsigned long sectors;
  int n;
  ioctl(d, BLKGETSIZE, &sectors);
  NUM("sectors", sectors);
  R("sector size", ioctl(d, BLKSSZGET, &n) ? -1 : n);
  R("read only", ioctl(d, BLKROGET, &n) ? -1 : n);
  info("status", d);
  sys("sys size", "size");
  sys("sys file", "loop/backing_file");
  sys("sys offset", "loop/offset");
  sys("sys autoclear", "loop/autoclear");
  R("write", pwrite(d, "hello", 5, 4096));
  R("sync", fsync(d));
  R("through the file", (pread(f, b, 5, 4096), b[5] = 0, strcmp(b, "hello")));
  R("read at the end", pread(d, b, 100, (1 << 20) - 50));
  R("read past it", pread(d, b, 100, 1 << 20));
  R("write at the end", pwrite(d, b, 100, (1 << 20) - 50));
  R("write past it", pwrite(d, b, 100, 1 << 20));
  R("seek end", lseek(d, 0, SEEK_END));
  R("seek past it", lseek(d, 1, SEEK_END));
  R("seek below", lseek(d, -1, SEEK_SET));
  R("bad argument", ioctl(d, BLKGETSIZE64, 8));
  R("unknown", ioctl(d, 0x1234, 0));
  R("partitions", ioctl(d, BLKRRPART, 0));
  R("mount", mount(dev, ".", "nofs", 0, NULL));
  ftruncate(f, 1 << 19);
  size("before", d);
  R("capacity", ioctl(d, LOOP_SET_CAPACITY, 0));
  size("after", d);
  struct loop_info64 i;
  memset(&i, 0, sizeof i);
  i.lo_offset = 8192;
  i.lo_sizelimit = 10000;
  strcpy((char *)i.lo_file_name, "a name");
  R("status", ioctl(d, LOOP_SET_STATUS64, &i));
  info("is", d);
  size("smaller", d);
  sys("sys limit", "loop/sizelimit");
  R("read", pread(d, b, sizeof b, 4096));
  R("bad block size", ioctl(d, LOOP_SET_BLOCK_SIZE, 1000));
  R("small block size", ioctl(d, LOOP_SET_BLOCK_SIZE, 256));
  R("block size", ioctl(d, LOOP_SET_BLOCK_SIZE, 1024));
  R("sector size", ioctl(d, BLKSSZGET, &n) ? -1 : n);
  R("change", ioctl(d, LOOP_CHANGE_FD, odd));
  struct loop_info old;
  memset(&old, 0, sizeof old);
  R("old status", ioctl(d, LOOP_GET_STATUS, &old));
  printf("old: %d %s\n", old.lo_offset, old.lo_name);
  int e = open(dev, O_RDONLY);
  R("clear in use", ioctl(d, LOOP_CLR_FD, 0));
  info("is to go", d);
  close(e);
  close(d);
  d = open(dev, O_RDWR);
  info("is gone", d);
  R("odd size", attach(0, 0, 0, 0, odd, d));
  size("rounded", d);
  info("configured", d);
  d = detach(d);
  R("bad flags", attach(0x100, 0, 0, 0, f, d));
  R("bad block size", attach(0, 700, 0, 0, f, d));
  R("offset", attach(LO_FLAGS_READ_ONLY, 4096, 4096, 0, f, d));
  size("less", d);
  R("sector size", ioctl(d, BLKSSZGET, &n) ? -1 : n);
  R("read only", ioctl(d, BLKROGET, &n) ? -1 : n);
  sys("sys ro", "ro");
  e = open(dev, O_RDWR);
  YES("opens to write", e >= 0);
  R("write", write(e, b, 512));
  close(e);
  d = detach(d);
  R("clears itself", attach(LO_FLAGS_AUTOCLEAR, 0, 0, 0, f, d));
  sys("sys autoclear", "loop/autoclear");
  close(d);
  d = open(dev, O_RDWR);
  info("cleared", d);
  close(d);
  CHILD("others", setgroups(0, NULL); setresgid(1000, 1000, 1000); setresuid(1000, 1000, 1000); R("open", open(dev, O_RDONLY)); R("control", open("/dev/loop-control", O_RDWR)));
  return 0;
}
