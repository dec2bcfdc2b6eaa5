/* The mount API in steps: open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr, statmount, listmount. */
#include "conf.h"
#include <sys/mount.h>
#include <sys/inotify.h>
#include <sys/statvfs.h>
#include <poll.h>

#define open_tree(d, p, f) syscall(428, d, p, f)
#define move_mount(d, p, e, q, f) syscall(429, d, p, e, q, f)
#define fsopen(n, f) syscall(430, n, f)
#define fsconfig(d, c, k, v, a) syscall(431, d, c, k, v, a)
#define fsmount(d, f, a) syscall(432, d, f, a)
#define fspick(d, p, f) syscall(433, d, p, f)
#define mount_setattr(d, p, f, a, s) syscall(442, d, p, f, a, s)
#define statmount(q, b, s, f) syscall(457, q, b, s, f)
#define listmount(q, b, n, f) syscall(458, q, b, n, f)
struct mount_attr_ { uint64_t set, clr, propagation, userns; };
struct req { uint32_t size, spare; uint64_t id, param, ns; };

static long flags(const char *p) {
  struct statvfs s;
  return statvfs(p, &s) < 0 ? -1 : (long)(s.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_NOATIME | ST_NODIRATIME | ST_RELATIME));
}

static void steps(void) {
  R("fsopen unknown", fsopen("nosuchfs", 0));
  R("fsopen flags", fsopen("tmpfs", 2));
  R("fsopen bad", fsopen(BAD, 0));
  int f = fsopen("tmpfs", 1);
  OK("fsopen", f);
  V("cloexec", fcntl(f, F_GETFD));
  char b[256];
  R("no message", read(f, b, sizeof b));
  R("flag with a value", fsconfig(f, 0, "ro", "x", 0));
  R("string without a value", fsconfig(f, 1, "size", NULL, 0));
  R("unknown command", fsconfig(f, 99, NULL, NULL, 0));
  R("unknown key", fsconfig(f, 1, "nosuch", "x", 0));
  R("create with a key", fsconfig(f, 6, "x", NULL, 0));
  R("source", fsconfig(f, 1, "source", "name", 0));
  R("source again", fsconfig(f, 1, "source", "name", 0));
  R("size", fsconfig(f, 1, "size", "64k", 0));
  R("mode", fsconfig(f, 1, "mode", "711", 0));
  R("bad mode", fsconfig(f, 1, "mode", "9", 0));
  R("mount too early", fsmount(f, 0, 0));
  R("bad fd", fsconfig(NOFD, 6, NULL, NULL, 0));
  R("other fd", fsconfig(0, 6, NULL, NULL, 0));
  R("reconfigure too early", fsconfig(f, 7, NULL, NULL, 0));
  R("create", fsconfig(f, 6, NULL, NULL, 0));
  R("create again", fsconfig(f, 6, NULL, NULL, 0));
  R("late option", fsconfig(f, 1, "size", "1k", 0));
  R("fsmount flags", fsmount(f, 4, 0));
  R("fsmount attributes", fsmount(f, 0, 0x40000000));
  R("fsmount atime", fsmount(f, 0, 0x30));
  int m = fsmount(f, 1, 2 | 4);
  OK("fsmount", m);
  R("fsmount again", fsmount(f, 0, 0));
  int d = openat(m, ".", O_RDONLY);
  OK("inside", d);
  OK("make", openat(m, "file", O_CREAT | O_RDWR, 0600));
  R("move flags", move_mount(m, "", AT_FDCWD, "a", 0x1000));
  R("move to a file", move_mount(m, "", AT_FDCWD, "file", 4));
  R("move without empty path", move_mount(m, "", AT_FDCWD, "a", 0));
  R("move", move_mount(m, "", AT_FDCWD, "a", 4));
  R("there", access("a/file", F_OK));
  H("flags", flags("a"));
  struct stat s;
  stat("a", &s);
  O("mode is", s.st_mode & 07777);
  R("move elsewhere", move_mount(AT_FDCWD, "a", AT_FDCWD, "b", 0));
  R("there now", access("b/file", F_OK));
  R("gone", access("a/file", F_OK));
  R("busy", umount("b"));
  close(d);
  close(m);
}

static void trees(void) {
  mount("none", "a", "tmpfs", 0, NULL);
  mkdir("a/in", 0755);
  mount("none", "a/in", "tmpfs", 0, NULL);
  close(open("a/in/f", O_CREAT | O_RDWR, 0600));
  R("recursive without clone", open_tree(AT_FDCWD, "a", 0x8000));
  R("flags", open_tree(AT_FDCWD, "a", 0x10));
  R("nothing", open_tree(AT_FDCWD, "nothing", 1));
  int t = open_tree(AT_FDCWD, "a", 1);
  OK("clone", t);
  R("without submounts", faccessat(t, "in/f", F_OK, 0));
  close(t);
  t = open_tree(AT_FDCWD, "a", 1 | 0x8000 | O_CLOEXEC);
  OK("deep clone", t);
  V("cloexec", fcntl(t, F_GETFD));
  R("with submounts", faccessat(t, "in/f", F_OK, 0));
  struct mount_attr_ ro = {.set = 1};
  R("attributes of a detached tree", mount_setattr(t, "", 0x1000 | 0x8000, &ro, sizeof ro));
  R("attach", move_mount(t, "", AT_FDCWD, "b", 4));
  H("b", flags("b"));
  H("b/in", flags("b/in"));
  H("a", flags("a"));
  int p = open_tree(AT_FDCWD, "a", 0);
  OK("path only", p);
  H("its flags", fcntl(p, F_GETFL) & O_PATH);
  R("move by it", move_mount(p, "", AT_FDCWD, "c", 4));
  R("in c", access("c/in/f", F_OK));
  close(p);
  close(t);
}

static void attributes(void) {
  mount("none", "a", "tmpfs", 0, NULL);
  mkdir("a/in", 0755);
  mount("none", "a/in", "tmpfs", MS_NOEXEC, NULL);
  struct mount_attr_ x = {0};
  R("nothing", mount_setattr(AT_FDCWD, "a", 0, &x, sizeof x));
  R("small", mount_setattr(AT_FDCWD, "a", 0, &x, 8));
  R("flags", mount_setattr(AT_FDCWD, "a", 1, &x, sizeof x));
  R("null", mount_setattr(AT_FDCWD, "a", 0, NULL, sizeof x));
  char large[64] = {1};
  large[60] = 1;
  R("large", mount_setattr(AT_FDCWD, "a", 0, large, sizeof large));
  x.set = 1 | 2;
  R("set", mount_setattr(AT_FDCWD, "a", 0, &x, sizeof x));
  H("a", flags("a"));
  H("below", flags("a/in"));
  R("write", open("a/f", O_CREAT | O_RDWR, 0600));
  x.set = 4;
  x.clr = 1;
  R("deep", mount_setattr(AT_FDCWD, "a", 0x8000, &x, sizeof x));
  H("a", flags("a"));
  H("below", flags("a/in"));
  x.set = 0x10;
  x.clr = 0;
  R("atime without clear", mount_setattr(AT_FDCWD, "a", 0, &x, sizeof x));
  x.clr = 0x70;
  R("noatime", mount_setattr(AT_FDCWD, "a", 0, &x, sizeof x));
  H("a", flags("a"));
  x.set = 0;
  x.clr = 0x10;
  R("part of atime", mount_setattr(AT_FDCWD, "a", 0, &x, sizeof x));
  x.clr = 0;
  x.set = 0x80000000;
  R("unknown", mount_setattr(AT_FDCWD, "a", 0, &x, sizeof x));
  x.set = 0;
  x.propagation = MS_SHARED | MS_SLAVE;
  R("two propagations", mount_setattr(AT_FDCWD, "a", 0, &x, sizeof x));
  x.propagation = MS_SHARED;
  R("shared", mount_setattr(AT_FDCWD, "a", 0, &x, sizeof x));
  R("not a mount", mount_setattr(AT_FDCWD, "b", 0, &x, sizeof x));
  int fd = open("a/open", O_CREAT | O_RDWR, 0600);
  R("remount with a writer", mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
  close(fd);
  R("remount without", mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
}

static void remounts(void) {
  mount("none", "a", "tmpfs", 0, "size=1m,nr_inodes=10");
  mount("a", "b", NULL, MS_BIND, NULL);
  int fd = open("a/f", O_CREAT | O_RDWR, 0600);
  R("read-only with a writer", mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL));
  static char page[65536];
  R("fill", write(fd, page, sizeof page));
  R("too small", mount(NULL, "a", NULL, MS_REMOUNT, "size=16k"));
  R("smaller", mount(NULL, "a", NULL, MS_REMOUNT, "size=128k"));
  struct statvfs s;
  statvfs("a", &s);
  V("blocks", s.f_blocks);
  V("inodes", s.f_files);
  close(fd);
  R("read-only", mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL));
  R("through the other mount", open("b/g", O_CREAT | O_RDWR, 0600));
  R("unknown option", mount(NULL, "a", NULL, MS_REMOUNT, "nosuch=1"));
  int c = fspick(AT_FDCWD, "a", 1);
  OK("fspick", c);
  R("rw", fsconfig(c, 0, "rw", NULL, 0));
  R("reconfigure", fsconfig(c, 7, NULL, NULL, 0));
  R("create", fsconfig(c, 6, NULL, NULL, 0));
  R("written again", open("b/h", O_CREAT | O_RDWR, 0600) < 0 ? -1 : 0);
  R("fspick a directory", fspick(AT_FDCWD, "c", 0));
  R("fspick flags", fspick(AT_FDCWD, "a", 0x100));
}

static void queries(void) {
  mount("none", "a", "tmpfs", MS_NOSUID, NULL);
  mkdir("a/x", 0755);
  mount("none", "a/x", "tmpfs", 0, NULL);
  struct req q = {.size = 24, .id = 1, .param = 2};
  char buf[4096];
  long e = statmount(&q, buf, sizeof buf, 0);
  S("there", e < 0 && errno == ENOSYS ? "no" : "yes");
}

static void unmounted(void) {
  mount("none", "a", "tmpfs", 0, NULL);
  close(open("a/f", O_CREAT | O_RDWR, 0600));
  int i = inotify_init1(IN_NONBLOCK);
  inotify_add_watch(i, "a", IN_CREATE);
  inotify_add_watch(i, "a/f", IN_OPEN);
  R("umount", umount("a"));
  char b[4096];
  long n = read(i, b, sizeof b);
  unsigned all = 0;
  int count = 0;
  for (long at = 0; at < n;) {
    struct inotify_event *e = (void *)(b + at);
    all |= e->mask;
    count++;
    at += sizeof *e + e->len;
  }
  V("events", count);
  H("masks", all);
}

int main(void) {
  unshare(CLONE_NEWNS);
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  mkdir("a", 0755);
  mkdir("b", 0755);
  mkdir("c", 0755);
  close(open("file", O_CREAT | O_RDWR, 0644));
  CHILD("steps", unshare(CLONE_NEWNS); steps());
  CHILD("trees", unshare(CLONE_NEWNS); trees());
  CHILD("attributes", unshare(CLONE_NEWNS); attributes());
  CHILD("remounts", unshare(CLONE_NEWNS); remounts());
  CHILD("unmounted", unshare(CLONE_NEWNS); unmounted());
  CHILD("rights", unshare(CLONE_NEWNS); setresuid(5, 5, 5); R("fsopen", fsopen("tmpfs", 0)); R("open_tree clone", open_tree(AT_FDCWD, ".", 1));
        OK("open_tree", open_tree(AT_FDCWD, ".", 0)); R("move_mount", move_mount(AT_FDCWD, "a", AT_FDCWD, "b", 0x1000)));
  return 0;
}
