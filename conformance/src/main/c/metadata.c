/* stat(2), fstatat(2), statx(2), access(2), chmod(2), chown(2), utimensat(2), statfs(2), umask(2): metadata and permissions. */
#include "conf.h"
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

static struct stat st;
static const char *as(uid_t u, gid_t g, int (*f)(void)) {
  static char b[32];
  int p[2], s, e;
  pipe(p);
  fflush(stdout);
  if (fork() == 0) {
    syscall(SYS_setgroups, 0, NULL);
    setgid(g), setuid(u);
    errno = 0;
    int r = f();
    e = r < 0 ? errno : 0;
    write(p[1], &e, sizeof e);
    _exit(0);
  }
  read(p[0], &e, sizeof e);
  wait(&s);
  close(p[0]), close(p[1]);
  snprintf(b, sizeof b, "%s", e ? err_name(e) : "ok");
  return b;
}
static int rd(void) { return open("p", O_RDONLY); }
static int wr(void) { return open("p", O_WRONLY); }
static int ac(void) { return access("p", R_OK); }
static int sta(void) { return stat("pd/in", &st); }
static int mk(void) { return open("pd/new", O_CREAT | O_WRONLY, 0600); }
static int rm(void) { return unlink("sticky/other"); }
static int mvsticky(void) { return rename("sticky/other", "sticky/mine"); }
static int cm(void) { return chmod("p", 0777); }
static int co(void) { return chown("p", 1000, 1000); }
static int cg(void) { return chown("mine", -1, 1000); }
static int cg2(void) { return chown("mine", -1, 2000); }
static int ut(void) { return utimensat(AT_FDCWD, "p", NULL, 0); }
static int utset(void) { struct timespec t[2] = {{1, 0}, {2, 0}}; return utimensat(AT_FDCWD, "p", t, 0); }
static int ex(void) { char *a[] = {"p", NULL}; return execve("p", a, a); }
static int ls(void) { return open("pd", O_RDONLY); }
static int cd(void) { return chdir("pd"); }
static int noatime(void) { return open("p", O_RDONLY | O_NOATIME); }
static int setid(void) { return chmod("mine", 06755); }
static int lnk(void) { return link("p", "sticky/hard"); }

int main(void) {
  chmod(".", 0777);
  put_file("f", "12345");
  symlink("f", "s");
  R("stat", stat("f", &st));
  printf("stat-file: mode %o nlink %d uid %d gid %d size %d blksize %d\n", st.st_mode, (int)st.st_nlink, st.st_uid, st.st_gid, (int)st.st_size, (int)st.st_blksize);
  V("blocks", st.st_blocks);
  stat(".", &st);
  T("dir-nlink", st.st_nlink >= 1);
  lstat("s", &st);
  printf("lstat: mode %o size %d\n", st.st_mode, (int)st.st_size);
  R("stat-missing", stat("x", &st));
  R("stat-efault-path", stat(BAD, &st));
  R("stat-efault-buffer", stat("f", BAD));
  R("stat-empty", stat("", &st));
  R("fstat-bad", fstat(NOFD, &st));
  R("fstatat-empty-path", fstatat(open("f", O_RDONLY), "", &st, AT_EMPTY_PATH));
  R("fstatat-empty-without-flag", fstatat(AT_FDCWD, "", &st, 0));
  R("fstatat-bad-flags", fstatat(AT_FDCWD, "f", &st, 0x8000));
  fstatat(AT_FDCWD, "s", &st, AT_SYMLINK_NOFOLLOW);
  T("fstatat-nofollow", S_ISLNK(st.st_mode));
  stat("/dev/null", &st);
  printf("dev-null: mode %o rdev %d:%d\n", st.st_mode, major(st.st_rdev), minor(st.st_rdev));
  stat("/dev/zero", &st);
  printf("dev-zero: rdev %d:%d\n", major(st.st_rdev), minor(st.st_rdev));
  int pp[2];
  pipe(pp);
  fstat(pp[0], &st);
  printf("pipe: mode %o nlink %d size %d\n", st.st_mode, (int)st.st_nlink, (int)st.st_size);
  struct statx x;
  R("statx", statx(AT_FDCWD, "f", 0, STATX_ALL, &x));
  printf("statx-file: mode %o size %d nlink %d basic %d btime %d\n", x.stx_mode, (int)x.stx_size, x.stx_nlink, (x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS, !!(x.stx_mask & STATX_BTIME));
  R("statx-bad-mask", statx(AT_FDCWD, "f", 0, 0x80000000, &x));
  R("statx-bad-flags", statx(AT_FDCWD, "f", 0x40000000, STATX_ALL, &x));
  R("statx-both-sync", statx(AT_FDCWD, "f", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_ALL, &x));
  R("statx-efault", statx(AT_FDCWD, "f", 0, STATX_ALL, BAD));
  R("statx-empty", statx(open("f", O_RDONLY), "", AT_EMPTY_PATH, STATX_ALL, &x));
  /* access */
  R("access", access("f", R_OK | W_OK));
  R("access-x-root", access("f", X_OK));
  R("access-bad-mode", access("f", 8));
  R("access-missing", access("x", F_OK));
  R("faccessat2-eaccess", syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, AT_EACCESS));
  R("faccessat2-bad-flags", syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, 1));
  R("faccessat2-empty-path", syscall(SYS_faccessat2, open("f", O_RDONLY), "", R_OK, AT_EMPTY_PATH));
  /* chmod, chown */
  R("chmod", chmod("f", 04751));
  stat("f", &st);
  O("chmod-mode", st.st_mode);
  R("chmod-extra-bits", chmod("f", 0100000 | 0640));
  stat("f", &st);
  O("chmod-extra-bits-mode", st.st_mode);
  R("chmod-missing", chmod("x", 0));
  R("fchmod-bad", fchmod(NOFD, 0));
  R("fchmodat2-nofollow-link", syscall(452, AT_FDCWD, "s", 0600, AT_SYMLINK_NOFOLLOW));
  R("fchmodat2-bad-flags", syscall(452, AT_FDCWD, "s", 0600, 1));
  chmod("f", 06755);
  R("chown", chown("f", 1, 2));
  stat("f", &st);
  printf("chown-clears-setid: %o %d %d\n", st.st_mode, st.st_uid, st.st_gid);
  R("chown-minus-1", chown("f", -1, -1));
  R("lchown", lchown("s", 5, 6));
  lstat("s", &st);
  printf("lchown-link: %d %d\n", st.st_uid, st.st_gid);
  R("fchownat-empty", fchownat(open("f", O_RDONLY), "", 0, 0, AT_EMPTY_PATH));
  R("fchownat-bad-flags", fchownat(AT_FDCWD, "f", 0, 0, 1));
  chmod("f", 06755);
  R("write-as-root-keeps-setuid", ({ int fd = open("f", O_WRONLY); write(fd, "x", 1); fstat(fd, &st); st.st_mode & 07777; }));
  /* times */
  struct timespec t[2] = {{1000, 123456789}, {2000, 987654321}};
  R("utimensat", utimensat(AT_FDCWD, "f", t, 0));
  stat("f", &st);
  printf("times: %ld.%09ld %ld.%09ld\n", st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
  t[0].tv_nsec = UTIME_OMIT, t[1] = (struct timespec){0, UTIME_OMIT};
  R("utime-omit-both", utimensat(AT_FDCWD, "f", t, 0));
  R("utime-omit-missing", utimensat(AT_FDCWD, "nothere", t, 0));
  t[0].tv_nsec = UTIME_NOW;
  utimensat(AT_FDCWD, "f", t, 0);
  stat("f", &st);
  T("utime-now-one", st.st_atim.tv_sec > 1000000 && st.st_mtim.tv_sec == 2000);
  t[0] = (struct timespec){0, 1000000000};
  R("utime-bad-nsec", utimensat(AT_FDCWD, "f", t, 0));
  t[0] = (struct timespec){-5, 0};
  R("utime-negative", utimensat(AT_FDCWD, "f", t, 0));
  stat("f", &st);
  V("utime-negative-value", st.st_atim.tv_sec);
  R("utime-null-path", syscall(SYS_utimensat, open("f", O_RDONLY), NULL, NULL, 0));
  R("utime-bad-flags", utimensat(AT_FDCWD, "f", NULL, 1));
  R("utime-efault", utimensat(AT_FDCWD, "f", BAD, 0));
  t[0] = t[1] = (struct timespec){7, 0};
  R("utime-symlink", utimensat(AT_FDCWD, "s", t, AT_SYMLINK_NOFOLLOW));
  lstat("s", &st);
  V("utime-symlink-value", st.st_mtime);
  struct timespec before;
  clock_gettime(CLOCK_REALTIME_COARSE, &before);
  R("write-updates-mtime", ({ int fd = open("f", O_WRONLY); write(fd, "1", 1); fstat(fd, &st); st.st_mtime >= before.tv_sec; }));
  utimensat(AT_FDCWD, ".", t, 0);
  put_file("newfile", "");
  stat(".", &st);
  T("create-updates-dir-mtime", st.st_mtime >= before.tv_sec);
  utimensat(AT_FDCWD, "f", t, 0);
  stat("f", &st);
  T("utime-updates-ctime", st.st_ctime >= before.tv_sec);
  chmod("f", 0644);
  stat("f", &st);
  V("chmod-keeps-mtime", st.st_mtime);
  /* permissions */
  put_file("p", "#!/bin/true\n");
  mkdir("pd", 0700), put_file("pd/in", "x");
  mkdir("sticky", 01777), chmod("sticky", 01777), put_file("sticky/other", "x");
  put_file("mine", "x"), chown("mine", 1000, 1000);
  chmod("p", 0600);
  S("other-read-0600", as(1000, 1000, rd));
  chmod("p", 0604);
  S("other-read-0604", as(1000, 1000, rd));
  S("other-write-0604", as(1000, 1000, wr));
  S("other-access-0604", as(1000, 1000, ac));
  chown("p", 0, 1000), chmod("p", 0606);
  S("group-class-wins-over-other", as(1000, 1000, rd));
  chmod("p", 0060);
  S("group-read", as(1000, 1000, rd));
  chown("p", 1000, 0), chmod("p", 0077);
  S("owner-class-wins", as(1000, 1000, rd));
  chown("p", 0, 0);
  chmod("p", 0644);
  S("exec-without-x", as(1000, 1000, ex));
  chmod("p", 0);
  R("root-reads-0000", open("p", O_RDONLY) > 0);
  R("root-exec-0000", ex());
  chmod("p", 0666);
  S("search-denied", as(1000, 1000, sta));
  S("list-denied", as(1000, 1000, ls));
  S("chdir-denied", as(1000, 1000, cd));
  S("create-denied", as(1000, 1000, mk));
  chmod("pd", 0711);
  S("search-allowed", as(1000, 1000, sta));
  S("list-denied-711", as(1000, 1000, ls));
  S("sticky-unlink", as(1000, 1000, rm));
  S("sticky-rename", as(1000, 1000, mvsticky));
  S("chmod-not-owner", as(1000, 1000, cm));
  S("chown-not-owner", as(1000, 1000, co));
  S("chgrp-own-to-own-group", as(1000, 1000, cg));
  S("chgrp-own-to-foreign-group", as(1000, 1000, cg2));
  S("touch-writable", as(1000, 1000, ut));
  S("set-times-not-owner", as(1000, 1000, utset));
  S("noatime-not-owner", as(1000, 1000, noatime));
  S("setid-by-owner", as(1000, 1000, setid));
  stat("mine", &st);
  O("setid-by-owner-mode", st.st_mode);
  S("setgid-foreign-group", as(1000, 2000, setid));
  stat("mine", &st);
  O("setgid-foreign-group-mode", st.st_mode);
  S("hard-link-to-other", as(1000, 1000, lnk));
  mkdir("sg", 0777), chown("sg", 0, 1234), chmod("sg", 02777);
  put_file("sg/file", ""), mkdir("sg/dir", 0755);
  stat("sg/file", &st);
  V("setgid-dir-file-group", st.st_gid);
  stat("sg/dir", &st);
  printf("setgid-dir-dir: %o %d\n", st.st_mode, st.st_gid);
  /* umask, statfs */
  O("umask", umask(0123));
  O("umask-was", umask(022));
  O("umask-extra-bits", ({ umask(07777); umask(022); }));
  struct statfs sf;
  R("statfs", statfs(".", &sf));
  printf("statfs-tmpfs: type %lx bsize %ld namelen %ld\n", (long)sf.f_type, (long)sf.f_bsize, (long)sf.f_namelen);
  R("statfs-missing", statfs("x", &sf));
  R("fstatfs-bad", fstatfs(NOFD, &sf));
  fstatfs(pp[0], &sf);
  H("fstatfs-pipe", sf.f_type);
  statfs("/proc", &sf);
  H("statfs-proc", sf.f_type);
  R("statfs-efault", statfs(".", BAD));
  /* mknod */
  R("mknod-fifo", mknod("fifo", S_IFIFO | 0644, 0));
  R("mknod-file", mknod("reg", S_IFREG | 0644, 0));
  R("mknod-zero-type", mknod("reg2", 0644, 0));
  R("mknod-dir", mknod("mkd", S_IFDIR | 0755, 0));
  R("mknod-bad-type", mknod("mkb", 0170000, 0));
  R("mknod-exists", mknod("reg", S_IFREG | 0644, 0));
  R("mknod-socket", mknod("sock", S_IFSOCK | 0644, 0));
  R("open-socket-file", open("sock", O_RDWR));
  R("mknod-char", mknod("chr", S_IFCHR | 0644, makedev(1, 3)));
  R("name-to-handle-small", ({ struct { struct file_handle h; char b[1]; } fh = {{0}}; int m; fh.h.handle_bytes = 0; name_to_handle_at(AT_FDCWD, "f", &fh.h, &m, 0) == -1 && (errno == EOVERFLOW || errno == EOPNOTSUPP); }));
  return 0;
}
