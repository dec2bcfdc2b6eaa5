/*
 * pread, pwrite and fstat on one file, again and again (a kernel may then answer them by itself), and whatever must be
 * seen at once all the same: sizes, holes, times, other descriptors, other processes, limits, seals, watches.
 */
#include "conf.h"
#include <sys/inotify.h>

enum { HOT = 100, PAGE = 4096 };

static char page[PAGE];

/* Makes the calls on `fd` hot. */
static void warm(int fd) {
  char b[PAGE];
  struct stat s;
  for (int i = 0; i < HOT; i++) {
    if (pread(fd, b, PAGE, i % 4 * PAGE) < 0) {}
    fstat(fd, &s);
  }
}

static void warm_writes(int fd) {
  for (int i = 0; i < HOT; i++)
    if (pwrite(fd, page, PAGE, i % 4 * PAGE) < 0) {}
}

static int fresh(const char *name, int flags) {
  int fd = open(name, flags | O_CREAT | O_TRUNC, 0644);
  memset(page, 'a', PAGE);
  for (int i = 0; i < 4; i++)
    if (write(fd, page, PAGE) < 0) perror("write");
  return fd;
}

static int byte_at(int fd, long at) {
  unsigned char c = 0;
  return pread(fd, &c, 1, at) == 1 ? c : -1;
}

static long size_of(int fd) {
  struct stat s;
  return fstat(fd, &s) ? -1 : s.st_size;
}

static void ends(void) {
  int fd = fresh("ends", O_RDWR);
  warm(fd);
  warm_writes(fd);
  char b[2 * PAGE];
  R("across the end", pread(fd, b, sizeof b, 3 * PAGE));
  R("at the end", pread(fd, b, 1, 4 * PAGE));
  R("past the end", pread(fd, b, 1, 9 * PAGE));
  R("nothing", pread(fd, b, 0, 0));
  R("before the start", pread(fd, b, 1, -1));
  R("far", pread(fd, b, 1, LONG_MAX));
  R("to nowhere", pread(fd, BAD, 16, 0));
  R("to null", pread(fd, NULL, 16, 0));
  R("from nowhere", pwrite(fd, BAD, 16, 0));
  R("status to nowhere", fstat(fd, BAD));
  R("write across the end", pwrite(fd, page, PAGE, 4 * PAGE - 10));
  V("size then", size_of(fd));
  R("write far", pwrite(fd, "x", 1, 9 * PAGE));
  V("size far", size_of(fd));
  V("hole", byte_at(fd, 8 * PAGE));
  R("read the hole and more", pread(fd, b, sizeof b, 8 * PAGE));
  char *m = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(m + PAGE, PAGE);
  R("to the brink", pread(fd, m + PAGE - 100, 200, 0));
  R("from the brink", pwrite(fd, m + PAGE - 100, 200, 0));
  mprotect(m, PAGE, PROT_READ);
  R("to read-only memory", pread(fd, m, 10, 0));
  R("from read-only memory", pwrite(fd, m, 10, 0));
  mprotect(m, PAGE, PROT_NONE);
  R("from forbidden memory", pwrite(fd, m, 10, 0));
  close(fd);
}

static void sizes(void) {
  int fd = fresh("sizes", O_RDWR), other = open("sizes", O_RDWR);
  char b[PAGE];
  warm(fd);
  R("shrink", ftruncate(other, PAGE + 10));
  V("size", size_of(fd));
  R("what is gone", pread(fd, b, PAGE, 2 * PAGE));
  R("what is left", pread(fd, b, PAGE, PAGE));
  R("grow", ftruncate(other, 4 * PAGE));
  V("zeros", byte_at(fd, PAGE + 10));
  V("kept", byte_at(fd, PAGE + 9));
  warm(fd);
  warm_writes(fd);
  R("punch", fallocate(other, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, 2 * PAGE));
  V("in the hole", byte_at(fd, PAGE));
  V("behind it", byte_at(fd, 3 * PAGE));
  warm(fd);
  R("to nothing", truncate("sizes", 0));
  V("empty", size_of(fd));
  R("read empty", pread(fd, b, 1, 0));
  R("write again", pwrite(fd, "q", 1, 2 * PAGE));
  V("zero before it", byte_at(fd, 100));
  V("there", byte_at(fd, 2 * PAGE));
  warm(fd);
  R("append", write(open("sizes", O_WRONLY | O_APPEND), "tail", 4));
  V("appended", size_of(fd));
  V("its first", byte_at(fd, 2 * PAGE + 1));
  close(fd);
  close(other);
}

static void attributes(void) {
  int fd = fresh("attributes", O_RDWR);
  struct stat s, before;
  warm(fd);
  R("chmod", chmod("attributes", 0600));
  fstat(fd, &s);
  O("mode", s.st_mode);
  warm(fd);
  R("link", link("attributes", "attributes2"));
  fstat(fd, &s);
  V("links", s.st_nlink);
  warm(fd);
  R("unlink", unlink("attributes2"));
  fstat(fd, &s);
  V("links left", s.st_nlink);
  warm(fd);
  R("chown", fchown(fd, 12, 34));
  fstat(fd, &s);
  V("owner", s.st_uid * 1000 + s.st_gid);
  warm(fd);
  struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
  R("utimens", futimens(fd, times));
  fstat(fd, &s);
  V("mtime", s.st_mtime);
  V("atime", s.st_atime);
  warm(fd);
  fstat(fd, &before);
  usleep(30000);
  warm_writes(fd);
  usleep(30000);
  warm_writes(fd);
  fstat(fd, &s);
  T("writes move mtime", s.st_mtim.tv_sec > before.st_mtim.tv_sec || s.st_mtim.tv_nsec > before.st_mtim.tv_nsec + 20000000);
  struct stat by_name;
  stat("attributes", &by_name);
  T("the same by name", by_name.st_mtim.tv_nsec == s.st_mtim.tv_nsec && by_name.st_size == s.st_size);
  R("without a path", fstatat(fd, "", &s, AT_EMPTY_PATH));
  R("with another flag", fstatat(fd, "", &s, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW));
  R("without the flag", fstatat(fd, "", &s, 0));
  R("with a name", fstatat(fd, "x", &s, AT_EMPTY_PATH));
  R("unknown flag", fstatat(fd, "", &s, AT_EMPTY_PATH | 0x40000000));
  R("bad path", fstatat(fd, BAD, &s, AT_EMPTY_PATH));
  close(fd);
}

static void descriptors(void) {
  int fd = fresh("first", O_RDWR), second = fresh("second", O_RDWR);
  if (pwrite(second, "2", 1, 0) != 1) perror("pwrite");
  warm(fd);
  warm_writes(fd);
  R("another file here", dup2(second, fd));
  V("its byte", byte_at(fd, 0));
  R("write to it", pwrite(fd, "3", 1, 0));
  V("there it is", byte_at(second, 0));
  warm(fd);
  close(fd);
  R("closed", pread(fd, page, 1, 0));
  R("closed status", fstat(fd, &(struct stat){0}));
  int again = open("first", O_RDONLY);
  T("lowest number", again == fd);
  V("its own byte", byte_at(again, 0));
  warm(again);
  R("no writing", pwrite(again, "x", 1, 0));
  close(again);
  again = open("first", O_WRONLY);
  warm_writes(again);
  R("no reading", pread(again, page, 1, 0));
  close(again);
  again = open("second", O_RDWR);
  warm_writes(again);
  R("append from now on", fcntl(again, F_SETFL, O_APPEND));
  R("appended", pwrite(again, "z", 1, 0));
  V("size", size_of(again));
  R("not any more", fcntl(again, F_SETFL, 0));
  R("in place", pwrite(again, "y", 1, 0));
  V("size still", size_of(again));
  R("unlinked", unlink("second"));
  V("readable", byte_at(again, 0));
  close(again);
  close(second);
  int path = open("first", O_PATH);
  for (int i = 0; i < HOT; i++) fstat(path, &(struct stat){0});
  R("path only", pread(path, page, 1, 0));
  close(path);
}

static void processes(void) {
  int fd = fresh("processes", O_RDWR);
  warm(fd);
  warm_writes(fd);
  CHILD("child", {
    warm(fd);
    if (pwrite(fd, "c", 1, 5) != 1) _exit(1);
    if (ftruncate(fd, 2 * PAGE)) _exit(2);
    _exit(byte_at(fd, 5) == 'c' ? 0 : 3);
  });
  V("from the child", byte_at(fd, 5));
  V("its size", size_of(fd));
  warm(fd);
  CHILD("child closes", close(fd));
  V("still here", byte_at(fd, 5));
  char *m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  m[7] = 'm';
  V("from a mapping", byte_at(fd, 7));
  R("to a mapping", pwrite(fd, "w", 1, 8));
  V("seen there", m[8]);
  CHILD("child maps", m[9] = 'k');
  V("from its mapping", byte_at(fd, 9));
  munmap(m, PAGE);
  close(fd);
}

static void limits(void) {
  int fd = fresh("limits", O_RDWR);
  warm_writes(fd);
  CHILD("file size limit", {
    struct rlimit r = {PAGE, PAGE};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &r);
    ssize_t n = pwrite(fd, page, PAGE, 2 * PAGE);
    _exit(n == -1 && errno == EFBIG ? 0 : n == PAGE ? 1 : 2);
  });
  warm_writes(fd);
  R("set-id", fchmod(fd, 06755));
  warm_writes(fd);
  int watch = inotify_init1(IN_NONBLOCK);
  warm(fd);
  warm_writes(fd);
  R("watch", inotify_add_watch(watch, "limits", IN_ACCESS | IN_MODIFY) > 0);
  char b[4096];
  R("read one", pread(fd, b, 1, 0));
  R("write one", pwrite(fd, b, 1, 0));
  ssize_t n = read(watch, b, sizeof b);
  for (ssize_t at = 0; at < n; at += sizeof(struct inotify_event)) V("event", ((struct inotify_event *)(b + at))->mask);
  close(watch);
  close(fd);
  int memory = memfd_create("m", MFD_ALLOW_SEALING);
  if (ftruncate(memory, 4 * PAGE)) perror("ftruncate");
  warm(memory);
  warm_writes(memory);
  R("seal", fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE));
  R("sealed", pwrite(memory, "x", 1, 0));
  V("as it was", byte_at(memory, 0));
  close(memory);
  fd = open("limits", O_RDWR);
  R("seals of a file", fcntl(fd, F_GET_SEALS));
  R("sealing a file", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  close(fd);
}

static void *closes(void *arg) {
  close((int)(long)arg);
  return NULL;
}

static void *hammers(void *arg) {
  char b[64];
  long bad = 0;
  int fd = (int)(long)arg;
  for (int i = 0; i < 20000; i++) {
    ssize_t n = pread(fd, b, sizeof b, i % 200 * 64);
    for (ssize_t k = 1; k < n; k++) bad += b[k] != b[0];
  }
  return (void *)bad;
}

static void threads(void) {
  int fd = fresh("threads", O_RDWR);
  pthread_t t;
  warm(fd);
  pthread_create(&t, NULL, closes, (void *)(long)fd);
  pthread_join(t, NULL);
  R("closed by a thread", pread(fd, page, 1, 0));
  fd = fresh("threads", O_RDWR);
  warm(fd);
  pthread_create(&t, NULL, hammers, (void *)(long)fd);
  for (int i = 0; i < 200; i++) {
    if (ftruncate(fd, i % 3 * PAGE)) perror("ftruncate");
    memset(page, 'a' + i % 26, 64);
    for (int k = 0; k < 50; k++)
      if (pwrite(fd, page, 64, k * 64) != 64) perror("pwrite");
  }
  void *bad;
  pthread_join(t, &bad);
  T("whole pieces", (long)bad >= 0);
  close(fd);
}

/* More and larger files than there is room for views. */
static void many(void) {
  long wrong = 0;
  int fds[24];
  for (int i = 0; i < 24; i++) {
    char name[16];
    snprintf(name, sizeof name, "many%d", i);
    fds[i] = fresh(name, O_RDWR);
    char c = 'A' + i;
    if (pwrite(fds[i], &c, 1, 3) != 1) wrong++;
  }
  for (int round = 0; round < 6; round++)
    for (int i = 0; i < 24; i++) {
      warm(fds[i]);
      wrong += byte_at(fds[i], 3) != 'A' + i;
      warm_writes(fds[i]);
      char c = 'A' + i;
      if (pwrite(fds[i], &c, 1, 3) != 1) wrong++;
    }
  V("wrong bytes", wrong);
  for (int i = 0; i < 24; i++) close(fds[i]);
  int big = open("big", O_RDWR | O_CREAT, 0644);
  for (int i = 0; i < 150; i++)
    if (pwrite(big, &i, sizeof i, i * 1048576L) != sizeof i) wrong++;
  for (int round = 0; round < 80; round++)
    for (int i = 0; i < 150; i++) {
      int v = -1;
      if (pread(big, &v, sizeof v, i * 1048576L) != sizeof v || v != i) wrong++;
    }
  for (int i = 0; i < 150; i++)
    for (int k = 0; k < HOT; k++) {
      int v = -1;
      if (pread(big, &v, sizeof v, i * 1048576L) != sizeof v || v != i) wrong++;
    }
  V("wrong in the large file", wrong);
  close(big);
}

int main(void) {
  ends();
  sizes();
  attributes();
  descriptors();
  processes();
  limits();
  threads();
  many();
  return 0;
}
