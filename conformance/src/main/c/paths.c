/* mkdir(2), rmdir(2), link(2), unlink(2), symlink(2), readlink(2), rename(2), getcwd(2), chdir(2), getdents64(2), chroot(2). */
#include "conf.h"
#include <dirent.h>
#include <linux/fs.h>

static struct stat st;
static int cmp(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }
static void list(const char *check, const char *dir) {
  char *n[1000], out[4000] = "";
  int c = 0;
  DIR *d = opendir(dir);
  if (!d) {
    printf("%s: %s\n", check, err_name(errno));
    return;
  }
  for (struct dirent *e; (e = readdir(d)) && c < 1000;) n[c++] = strdup(e->d_name);
  closedir(d);
  qsort(n, c, sizeof *n, cmp);
  for (int i = 0; i < c; i++) strcat(out, " "), strcat(out, n[i]);
  printf("%s:%s\n", check, out);
}
struct d64 { uint64_t ino; int64_t off; unsigned short len; unsigned char type; char name[]; };

int main(void) {
  char b[300];
  /* mkdir, rmdir */
  R("mkdir", mkdir("d", 0755));
  R("mkdir-exists", mkdir("d", 0755));
  R("mkdir-slash", mkdir("d2/", 0700));
  R("mkdir-dot", mkdir(".", 0700));
  R("mkdir-missing-parent", mkdir("x/y", 0700));
  R("mkdir-mode", ({ mkdir("dm", 07777); stat("dm", &st); st.st_mode & 07777; }));
  R("mkdir-efault", mkdir(BAD, 0));
  stat("d", &st);
  int n0 = st.st_nlink;
  mkdir("d/sub", 0755);
  stat("d", &st);
  V("subdir-adds-link", st.st_nlink - n0);
  R("rmdir-not-empty", rmdir("d"));
  R("rmdir-dot", rmdir("d/sub/."));
  R("rmdir-dotdot", rmdir("d/sub/.."));
  R("rmdir-sub", rmdir("d/sub"));
  stat("d", &st);
  V("rmdir-removes-link", st.st_nlink - n0);
  R("rmdir-missing", rmdir("x"));
  put_file("f", "text");
  R("rmdir-file", rmdir("f"));
  R("rmdir-slash", rmdir("d2/"));
  R("rmdir-root", rmdir("/"));
  R("rmdir-busy-cwd-kept", ({ mkdir("cw", 0755); chdir("cw"); rmdir("../cw"); }));
  R("getcwd-deleted", getcwd(b, sizeof b) ? 0 : -1);
  R("create-in-deleted", open("x", O_CREAT | O_RDWR, 0600));
  R("stat-dot-deleted", stat(".", &st));
  V("deleted-nlink", st.st_nlink);
  R("stat-dotdot-deleted", stat("..", &st));
  R("list-deleted", ({ DIR *q = opendir("."); int c = 0; while (readdir(q)) c++; c; }));
  chdir("..");
  /* link, unlink */
  R("link", link("f", "h"));
  stat("f", &st);
  V("link-count", st.st_nlink);
  R("link-exists", link("f", "h"));
  R("link-dir", link("d", "hd"));
  R("link-missing", link("x", "y"));
  symlink("f", "s");
  R("link-symlink-itself", link("s", "hs"));
  lstat("hs", &st);
  T("link-is-symlink", S_ISLNK(st.st_mode));
  R("linkat-follow", linkat(AT_FDCWD, "s", AT_FDCWD, "hf", AT_SYMLINK_FOLLOW));
  R("linkat-bad-flags", linkat(AT_FDCWD, "f", AT_FDCWD, "q", 1));
  R("linkat-empty-path", linkat(open("f", O_RDONLY), "", AT_FDCWD, "he", AT_EMPTY_PATH));
  R("link-xdev", link("f", "/dev/shm/zz"));
  R("unlink", unlink("hf"));
  R("unlink-missing", unlink("hf"));
  R("unlink-dir", unlink("d"));
  R("unlink-slash-file", unlink("f/"));
  R("unlink-empty", unlink(""));
  R("unlinkat-removedir", unlinkat(AT_FDCWD, "dm", AT_REMOVEDIR));
  R("unlinkat-bad-flags", unlinkat(AT_FDCWD, "f", 1));
  int fd = open("h", O_RDWR);
  unlink("h"), unlink("he");
  R("unlinked-open-file", read(fd, b, 10));
  put_file("gone", "abc");
  fd = open("gone", O_RDWR);
  unlink("gone");
  fstat(fd, &st);
  V("unlinked-nlink", st.st_nlink);
  R("unlinked-write", pwrite(fd, "def", 3, 3));
  R("unlinked-read", pread(fd, b, 10, 0));
  /* symlink, readlink */
  R("symlink-exists", symlink("x", "s"));
  R("symlink-empty", symlink("", "e"));
  R("symlink-efault", symlink(BAD, "e"));
  R("readlink", readlink("s", b, sizeof b));
  R("readlink-short", readlink("s", b, 0));
  symlink("0123456789", "ten");
  R("readlink-truncates", readlink("ten", b, 4));
  R("readlink-file", readlink("f", b, 10));
  R("readlink-missing", readlink("nope", b, 10));
  R("readlink-efault", readlink("s", BAD, 10));
  R("readlink-negative", syscall(SYS_readlink, "s", b, -1));
  char big[4100];
  memset(big, 'b', sizeof big), big[4095] = 0;
  R("symlink-4095", symlink(big, "long"));
  big[4095] = 'b', big[4096] = 0;
  R("symlink-4096", symlink(big, "long2"));
  char from[8], to[8];
  symlink("f", "c0");
  for (int i = 1; i <= 41; i++) snprintf(from, 8, "c%d", i), snprintf(to, 8, "c%d", i - 1), symlink(to, from);
  R("40-links", stat("c39", &st));
  R("41-links", stat("c40", &st));
  symlink("d", "sd");
  put_file("d/in", "1");
  R("through-dir-symlink", stat("sd/in", &st));
  lstat("sd/", &st);
  T("lstat-slash-follows", S_ISDIR(st.st_mode));
  R("mkdir-at-dangling", ({ symlink("nowhere", "dang"); mkdir("dang", 0755); }));
  /* rename */
  R("rename", rename("f", "g"));
  R("rename-missing", rename("f", "x"));
  R("rename-same", rename("g", "g"));
  R("rename-hard-links", ({ link("g", "g2"); rename("g", "g2"); }));
  R("rename-hard-links-both-stay", access("g", F_OK) + access("g2", F_OK));
  put_file("over", "old");
  R("rename-over", rename("g2", "over"));
  S("rename-over-content", get_file("over"));
  R("rename-file-over-dir", rename("over", "d"));
  R("rename-dir-over-file", rename("d", "over"));
  mkdir("e1", 0755), mkdir("e2", 0755);
  R("rename-dir-over-empty-dir", rename("e1", "e2"));
  R("rename-dir-over-full-dir", rename("e2", "d"));
  R("rename-into-itself", rename("d", "d/x"));
  R("rename-over-own-parent", ({ mkdir("d/deep", 0755); rename("d/deep", "d"); }));
  R("rename-dot", rename("d/.", "q"));
  R("rename-dotdot", rename("d/deep/..", "q"));
  R("rename-to-slash-file", rename("over", "over2/"));
  R("rename-dir-slash", rename("d/deep/", "d/deep2/"));
  R("rename-xdev", rename("over", "/dev/shm/zz"));
  R("rename-efault", rename(BAD, "x"));
  R("rename-long-name", ({ memset(b, 'n', 260); b[260] = 0; rename("over", b); }));
  put_file("r1", "one"), put_file("r2", "two");
  R("renameat2-noreplace", syscall(SYS_renameat2, AT_FDCWD, "r1", AT_FDCWD, "r2", RENAME_NOREPLACE));
  R("renameat2-exchange", syscall(SYS_renameat2, AT_FDCWD, "r1", AT_FDCWD, "r2", RENAME_EXCHANGE));
  S("exchanged", get_file("r1"));
  R("renameat2-exchange-missing", syscall(SYS_renameat2, AT_FDCWD, "r1", AT_FDCWD, "nope", RENAME_EXCHANGE));
  R("renameat2-exchange-dir-file", syscall(SYS_renameat2, AT_FDCWD, "r1", AT_FDCWD, "d", RENAME_EXCHANGE));
  S("exchanged-back", ({ syscall(SYS_renameat2, AT_FDCWD, "r1", AT_FDCWD, "d", RENAME_EXCHANGE); get_file("d/in"); }));
  R("renameat2-both-flags", syscall(SYS_renameat2, AT_FDCWD, "r1", AT_FDCWD, "r2", RENAME_EXCHANGE | RENAME_NOREPLACE));
  R("renameat2-bad-flags", syscall(SYS_renameat2, AT_FDCWD, "r1", AT_FDCWD, "r2", 64));
  fd = open("r1", O_RDONLY);
  rename("r1", "r3");
  char pf[64], cwd[200];
  getcwd(cwd, sizeof cwd);
  snprintf(pf, sizeof pf, "/proc/self/fd/%d", fd);
  int n = readlink(pf, b, sizeof b);
  b[n > 0 ? n : 0] = 0;
  S("proc-fd-follows-rename", strrchr(b, '/') ? strrchr(b, '/') : b);
  unlink("r3");
  n = readlink(pf, b, sizeof b);
  b[n > 0 ? n : 0] = 0;
  S("proc-fd-deleted", strrchr(b, '/') ? strrchr(b, '/') : b);
  /* cwd */
  R("getcwd-erange", syscall(SYS_getcwd, b, 2));
  R("getcwd-efault", syscall(SYS_getcwd, BAD, 100));
  R("chdir-file", chdir("over"));
  R("chdir-missing", chdir("nope"));
  R("fchdir-file", fchdir(open("over", O_RDONLY)));
  R("fchdir-bad", fchdir(NOFD));
  chdir("d");
  rename("../d", "../moved");
  getcwd(b, sizeof b);
  S("cwd-follows-rename", strrchr(b, '/'));
  chdir("..");
  R("dotdot-of-root", ({ struct stat r; stat("/", &r); stat("/..", &st); r.st_ino == st.st_ino; }));
  /* directories */
  list("list", ".");
  list("list-sub", "moved");
  mkdir("many", 0755);
  chdir("many");
  for (int i = 0; i < 500; i++) snprintf(b, sizeof b, "file-%03d", i), close(open(b, O_CREAT | O_WRONLY, 0600));
  fd = open(".", O_RDONLY | O_DIRECTORY);
  char buf[1024];
  int entries = 0, dots = 0, calls = 0, regs = 0;
  while ((n = syscall(SYS_getdents64, fd, buf, sizeof buf)) > 0) {
    calls++;
    for (int i = 0; i < n;) {
      struct d64 *e = (void *)(buf + i);
      if (e->name[0] == '.')
        dots++;
      else
        entries++, regs += e->type == DT_REG;
      i += e->len;
    }
  }
  printf("getdents: %d entries, %d dots, %d regular, several calls %s\n", entries, dots, regs, calls > 5 ? "yes" : "no");
  R("getdents-at-end", syscall(SYS_getdents64, fd, buf, sizeof buf));
  R("getdents-small", ({ lseek(fd, 0, SEEK_SET); syscall(SYS_getdents64, fd, buf, 8); }));
  T("getdents-rewound", syscall(SYS_getdents64, fd, buf, sizeof buf) > 0);
  R("getdents-file", syscall(SYS_getdents64, open("file-001", O_RDONLY), buf, sizeof buf));
  R("getdents-efault", ({ lseek(fd, 0, SEEK_SET); syscall(SYS_getdents64, fd, BAD, 1024); }));
  R("getdents-bad-fd", syscall(SYS_getdents64, NOFD, buf, 100));
  DIR *d = opendir(".");
  int removed = 0;
  for (struct dirent *e; (e = readdir(d));)
    if (e->d_name[0] != '.') removed += unlink(e->d_name) == 0;
  V("unlink-while-reading", removed);
  rewinddir(d);
  entries = 0;
  while (readdir(d)) entries++;
  V("left", entries);
  chdir("..");
  R("rmdir-many", rmdir("many"));
  /* chroot */
  mkdir("root", 0755), mkdir("root/in", 0755), put_file("root/x", "inside");
  CHILD("chroot", if (chroot("root")) _exit(errno); chdir("/"); S("chroot-file", get_file("/x")); char c[99]; getcwd(c, 99); S("chroot-cwd", c); S("chroot-dotdot", get_file("/../../x")));
  CHILD("chroot-cwd-outside", chroot("root"); char c[99]; long r = syscall(SYS_getcwd, c, 99); _exit(r > 0 && !strncmp(c, "(unreachable)", 13)));
  R("chroot-file", chroot("over"));
  R("chroot-missing", chroot("nope"));
  CHILD("chroot-unprivileged", setuid(1000); _exit(chroot("root") == -1 && errno == EPERM));
  return 0;
}
