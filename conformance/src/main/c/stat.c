#include "check.h"
#include <sys/statfs.h>
#include <sys/sysmacros.h>

static void show(const char *name, struct stat *s) {
  printf("%s: mode %o nlink %ld uid %d gid %d size %ld\n", name, s->st_mode, (long)s->st_nlink, s->st_uid, s->st_gid,
         S_ISDIR(s->st_mode) ? 0L : (long)s->st_size);
}

int main(void) {
  scratch_dir();
  struct stat s, t;
  int fd = file("f", "12345");
  mkdir("d", 0750);
  mkdir("d/e", 0700);
  symlink("f", "l");
  symlink("nowhere", "broken");
  mkfifo("p", 0640);
  mknod("null", S_IFCHR | 0666, makedev(1, 3));
  R("stat", stat("f", &s));
  show("file", &s);
  R("stat link", stat("l", &s));
  show("followed", &s);
  R("lstat", lstat("l", &s));
  show("link", &s);
  R("stat broken", stat("broken", &s));
  R("lstat broken", lstat("broken", &s));
  R("stat dir", stat("d", &s));
  show("dir", &s);
  R("stat fifo", stat("p", &s));
  show("fifo", &s);
  R("stat device", stat("null", &s));
  show("device", &s);
  NUM("rdev major", major(s.st_rdev));
  NUM("rdev minor", minor(s.st_rdev));
  R("missing", stat("none", &s));
  R("empty path", stat("", &s));
  R("bad path", stat(BAD, &s));
  R("bad buffer", syscall(SYS_stat, "f", BAD));
  R("not a directory", stat("f/x", &s));
  R("fstat", fstat(fd, &s));
  fstatat(fd, "", &t, AT_EMPTY_PATH);
  YES("same inode", s.st_ino == t.st_ino && s.st_dev == t.st_dev);
  R("fstatat empty without flag", fstatat(fd, "", &t, 0));
  R("fstatat bad flag", syscall(SYS_newfstatat, AT_FDCWD, "f", &s, 0x80000));
  R("fstatat nofollow", fstatat(AT_FDCWD, "l", &s, AT_SYMLINK_NOFOLLOW));
  YES("is link", S_ISLNK(s.st_mode));
  R("fstatat bad dirfd", fstatat(77, "f", &s, 0));
  R("fstatat file as dirfd", fstatat(fd, "f", &s, 0));
  R("fstatat cwd empty", fstatat(AT_FDCWD, "", &s, AT_EMPTY_PATH));
  YES("cwd is directory", S_ISDIR(s.st_mode));
  link("f", "hard");
  stat("f", &s);
  NUM("links", s.st_nlink);
  NUM("blksize", s.st_blksize);
  YES("times in order", s.st_ctime >= s.st_mtime);
  struct statx x;
  R("statx", statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x));
  NUM("statx size", x.stx_size);
  OCT("statx mode", x.stx_mode);
  YES("statx has basic", (x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
  YES("statx same inode", x.stx_ino == s.st_ino);
  YES("statx same device", makedev(x.stx_dev_major, x.stx_dev_minor) == s.st_dev);
  R("statx device", statx(AT_FDCWD, "null", 0, STATX_BASIC_STATS, &x));
  NUM("statx major", x.stx_rdev_major);
  NUM("statx minor", x.stx_rdev_minor);
  R("statx reserved", statx(AT_FDCWD, "f", 0, 0x80000000, &x));
  R("statx both syncs", statx(AT_FDCWD, "f", AT_STATX_SYNC_TYPE, 0, &x));
  R("statx bad flag", statx(AT_FDCWD, "f", 0x100000, 0, &x));
  R("statx empty path", statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x));
  R("statx bad buffer", syscall(SYS_statx, AT_FDCWD, "f", 0, 0, BAD));
  char b[16];
  memset(b, '.', 16);
  R("readlink", readlink("l", b, 16));
  YES("not terminated", b[0] == 'f' && b[1] == '.');
  R("readlink short", readlink("broken", b, 3));
  R("readlink zero", readlink("l", b, 0));
  R("readlink file", readlink("f", b, 16));
  R("readlink missing", readlink("none", b, 16));
  int lfd = open("l", O_PATH | O_NOFOLLOW);
  R("readlinkat empty", readlinkat(lfd, "", b, 16));
  R("readlinkat empty file", readlinkat(fd, "", b, 16));
  R("access", access("f", R_OK | W_OK));
  R("access x", access("f", X_OK));
  R("access dir x", access("d", X_OK));
  R("access missing", access("none", F_OK));
  R("access bad mode", access("f", 8));
  R("faccessat2 bad flag", syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, 0x1));
  R("faccessat2 empty", syscall(SYS_faccessat2, fd, "", R_OK, AT_EMPTY_PATH));
  chmod("f", 0600);
  CHILD("real ids", {
    setresgid(1000, 0, 0);
    setresuid(1000, 0, 0);
    R("  access", access("f", R_OK));
    R("  eaccess", faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
    OK("  open", open("f", O_RDONLY));
  });
  struct statfs q;
  R("statfs", statfs(".", &q));
  NUM("namelen", q.f_namelen);
  YES("frsize", q.f_frsize == q.f_bsize);
  R("statfs missing", statfs("none", &q));
  R("fstatfs", fstatfs(fd, &q));
  R("fstatfs bad", fstatfs(99, &q));
  R("statfs bad buffer", syscall(SYS_statfs, ".", BAD));
  return 0;
}
