/* inotify(7): which events in which order, for files, directories, renames and removals. */
#include "check.h"
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

static int in;
static int cookies[64], ncookies;

static int cookie_number(int c) {
  if (!c) return 0;
  for (int i = 0; i < ncookies; i++)
    if (cookies[i] == c) return i + 1;
  cookies[ncookies++] = c;
  return ncookies;
}

static void drain(const char *what) {
  char b[65536];
  for (;;) {
    ssize_t n = read(in, b, sizeof b);
    if (n < 0) {
      if (errno != EAGAIN) report(what, -1);
      break;
    }
    for (char *p = b; p < b + n;) {
      struct inotify_event *e = (void *)p;
      printf("%s: wd %d mask %x cookie %d len %u name %s\n", what, e->wd, e->mask, cookie_number(e->cookie), e->len, e->len ? e->name : "-");
      p += sizeof *e + e->len;
    }
  }
  printf("%s: end\n", what);
}

int main(void) {
  scratch_dir();
  R("bad flags", inotify_init1(1));
  in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  R("getfl", fcntl(in, F_GETFL) & (O_NONBLOCK | O_ACCMODE));
  R("getfd", fcntl(in, F_GETFD));
  mkdir("d", 0755);
  file("d/f", "hello");
  R("no mask", inotify_add_watch(in, "d", 0));
  R("unknown bit", inotify_add_watch(in, "d", 1 << 16));
  R("missing", inotify_add_watch(in, "nope", IN_ALL_EVENTS));
  R("only dir", inotify_add_watch(in, "d/f", IN_ALL_EVENTS | IN_ONLYDIR));
  R("not inotify", inotify_add_watch(0, "d", IN_ALL_EVENTS));
  R("bad fd", inotify_add_watch(99, "d", IN_ALL_EVENTS));
  R("add and create", inotify_add_watch(in, "d", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE));
  R("remove none", inotify_rm_watch(in, 5));
  R("watch d", inotify_add_watch(in, "d", IN_ALL_EVENTS));
  R("watch d again", inotify_add_watch(in, "d", IN_ALL_EVENTS));
  R("watch d create", inotify_add_watch(in, "d", IN_ALL_EVENTS | IN_MASK_CREATE));
  R("watch f", inotify_add_watch(in, "d/f", IN_ALL_EVENTS));
  struct pollfd pf = {in, POLLIN | POLLOUT, 0};
  R("poll empty", poll(&pf, 1, 0));
  char c[8];
  R("read empty", read(in, c, sizeof c));
  R("write", write(in, c, sizeof c));
  int fd = open("d/f", O_RDWR);
  R("poll", poll(&pf, 1, 0));
  R("revents", pf.revents);
  int n = -1;
  R("fionread", ioctl(in, FIONREAD, &n));
  R("bytes", n);
  R("read short", read(in, c, sizeof c));
  drain("open");
  read(fd, c, 2);
  drain("read");
  read(fd, c, 8), read(fd, c, 8);
  drain("read end");
  write(fd, "x", 1), write(fd, "y", 1);
  drain("write twice");
  pwrite(fd, "x", 1, 0);
  ftruncate(fd, 2);
  drain("ftruncate");
  truncate("d/f", 1);
  drain("truncate");
  fchmod(fd, 0600);
  drain("chmod");
  chown("d/f", 1, 1);
  drain("chown");
  struct timespec ts[2] = {{1, 0}, {2, 0}};
  utimensat(AT_FDCWD, "d/f", ts, 0);
  drain("utimes");
  ts[0].tv_nsec = UTIME_OMIT;
  utimensat(AT_FDCWD, "d/f", ts, 0);
  drain("mtime");
  close(fd);
  drain("close");
  close(open("d/f", O_RDONLY));
  drain("open close");
  close(open("d/f", O_PATH));
  drain("o_path");
  close(open("d/f", O_WRONLY | O_TRUNC));
  drain("trunc");
  close(open("d/new", O_CREAT | O_RDWR, 0644));
  drain("creat");
  mkdir("d/sub", 0755);
  drain("mkdir");
  mknod("d/fifo", S_IFIFO | 0644, 0);
  symlink("f", "d/link");
  drain("mknod symlink");
  link("d/f", "d/hard");
  drain("link");
  unlink("d/hard");
  drain("unlink hard");
  rename("d/new", "d/newer");
  drain("rename");
  rename("d/f", "d/g");
  drain("rename watched");
  rename("d/g", "moved");
  drain("rename out");
  rename("moved", "d/f");
  drain("rename in");
  R("watch newer", inotify_add_watch(in, "d/newer", IN_ALL_EVENTS));
  rename("d/f", "d/newer");
  drain("rename over");
  rename("d/sub", "d/sub2");
  drain("rename dir");
  syscall(SYS_renameat2, AT_FDCWD, "d/sub2", AT_FDCWD, "d/newer", 2);
  drain("exchange");
  rmdir("d/newer");
  drain("rmdir");
  int dir = open("d", O_RDONLY | O_DIRECTORY);
  char dents[4096];
  syscall(SYS_getdents64, dir, dents, sizeof dents);
  close(dir);
  drain("readdir");
  fd = open("d/sub2", O_RDONLY);
  drain("open sub2");
  unlink("d/sub2");
  drain("unlink open");
  read(fd, c, 1);
  drain("read unlinked");
  close(fd);
  drain("close unlinked");
  R("rm watch", inotify_rm_watch(in, 1));
  drain("rm watch");
  R("rm watch again", inotify_rm_watch(in, 1));
  R("oneshot", inotify_add_watch(in, "d", IN_CREATE | IN_ONESHOT));
  file("d/a", "1"), file("d/b", "1");
  drain("oneshot");
  R("excl unlink", inotify_add_watch(in, "d", IN_ACCESS | IN_CLOSE | IN_EXCL_UNLINK));
  fd = open("d/a", O_RDONLY);
  unlink("d/a");
  read(fd, c, 1);
  close(fd);
  drain("excl unlink");
  R("add mask", inotify_add_watch(in, "d", IN_CREATE | IN_MASK_ADD));
  file("d/c", "1");
  drain("add mask");
  R("dont follow", inotify_add_watch(in, "d/link", IN_ATTRIB | IN_DONT_FOLLOW) > 0);
  unlink("d/link");
  drain("unlink link");
  unlink("d/b"), unlink("d/c"), unlink("d/fifo");
  mkdir("own", 0755);
  R("watch self", inotify_add_watch(in, "own", IN_DELETE_SELF | IN_MOVE_SELF));
  rename("own", "e");
  drain("move self");
  R("rmdir", rmdir("e"));
  drain("delete self");
  mkdir("q", 0755);
  file("q/f", "");
  R("watch q", inotify_add_watch(in, "q", IN_OPEN | IN_CLOSE) > 0);
  for (int i = 0; i < 9000; i++) close(open("q/f", O_RDONLY));
  n = 0;
  int over = 0, events = 0;
  char b[65536];
  ssize_t r;
  while ((r = read(in, b, sizeof b)) > 0)
    for (char *p = b; p < b + r;) {
      struct inotify_event *e = (void *)p;
      events++;
      if (e->mask & IN_Q_OVERFLOW) over++, n = e->wd;
      p += sizeof *e + e->len;
    }
  R("overflow events", events);
  R("overflows", over);
  R("overflow wd", n == -1);
  int all[200], made = 0;
  while (made < 200 && (all[made] = inotify_init()) >= 0) made++;
  YES("instances are bounded", made > 100 && made < 200);
  R("last", errno == EMFILE);
  for (int i = 0; i < made; i++) close(all[i]);
  fd = inotify_init();
  pid_t p = fork();
  if (!p) {
    usleep(50000);
    file("late", "x");
    _exit(0);
  }
  inotify_add_watch(fd, ".", IN_CREATE);
  R("blocking read", read(fd, b, sizeof b));
  waitpid(p, NULL, 0);
  return 0;
}
