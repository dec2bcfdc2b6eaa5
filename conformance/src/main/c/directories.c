#include "check.h"
#include <dirent.h>

struct linux_dirent64 { uint64_t ino; int64_t off; unsigned short len; unsigned char type; char name[]; };

/* Puts the names in a directory into text, in the order that they come in; returns how many. */
static int names_of(const char *path, char *text) {
  DIR *d = opendir(path);
  int n = 0;
  char *end = text;
  for (struct dirent *e; (e = readdir(d)) && end < text + (1 << 20) - 300; n++) end += sprintf(end, "%s\n", e->d_name);
  closedir(d);
  return n;
}

int main(void) {
  scratch_dir();
  R("mkdir", mkdir("d", 0777));
  R("mkdir exists", mkdir("d", 0777));
  R("mkdir missing parent", mkdir("x/y", 0777));
  R("mkdir empty", mkdir("", 0777));
  R("mkdir slash", mkdir("s/", 0777));
  R("mkdir below file", (file("f", "x"), mkdir("f/d", 0777)));
  R("mkdir .", mkdir(".", 0777));
  R("mkdir ..", mkdir("..", 0777));
  R("mkdir /", mkdir("/", 0777));
  struct stat s;
  stat("d", &s);
  OCT("mode", s.st_mode);
  mkdir("sticky", 01777);
  stat("sticky", &s);
  OCT("sticky mode", s.st_mode);
  mkdir("setgid", 02777);
  stat("setgid", &s);
  OCT("setgid mode", s.st_mode & 07777);
  chmod("setgid", 02775);
  chown("setgid", 0, 77);
  mkdir("setgid/sub", 0777);
  stat("setgid/sub", &s);
  printf("inherited: %o gid %d\n", s.st_mode & 07777, s.st_gid);
  close(file("setgid/file", ""));
  stat("setgid/file", &s);
  printf("inherited file: %o gid %d\n", s.st_mode & 07777, s.st_gid);
  mkdir("d/e", 0700);
  stat("d", &s);
  NUM("nlink", s.st_nlink > 1 ? 3 : 1);
  R("rmdir not empty", rmdir("d"));
  R("rmdir", rmdir("d/e"));
  R("rmdir missing", rmdir("d/e"));
  R("rmdir file", rmdir("f"));
  R("rmdir .", rmdir("d/."));
  R("rmdir ..", rmdir("d/.."));
  R("rmdir /", rmdir("/"));
  symlink("d", "l");
  R("rmdir link", rmdir("l"));
  R("mkdir dangling", (symlink("none", "dl"), mkdir("dl", 0777)));

  for (int i = 0; i < 50; i++) {
    char n[20];
    sprintf(n, "d/file-%02d", i);
    close(file(n, ""));
  }
  mkdir("d/sub", 0700);
  symlink("x", "d/link");
  mkfifo("d/fifo", 0600);
  int fd = open("d", O_RDONLY | O_DIRECTORY);
  char b[512];
  int count = 0, types[16] = {0}, dots = 0, rounds = 0;
  long n;
  while ((n = syscall(SYS_getdents64, fd, b, sizeof b)) > 0) {
    rounds++;
    for (long at = 0; at < n;) {
      struct linux_dirent64 *e = (void *)(b + at);
      count++;
      types[e->type & 15]++;
      if (e->name[0] == '.') dots++;
      at += e->len;
    }
  }
  NUM("entries", count);
  NUM("dots", dots);
  printf("types: fifo %d dir %d reg %d link %d\n", types[DT_FIFO], types[DT_DIR], types[DT_REG], types[DT_LNK]);
  YES("several rounds", rounds > 2);
  R("at end", syscall(SYS_getdents64, fd, b, sizeof b));
  lseek(fd, 0, SEEK_SET);
  R("too small", syscall(SYS_getdents64, fd, b, 10));
  R("bad address", syscall(SYS_getdents64, fd, BAD, 512));
  R("not a directory", syscall(SYS_getdents64, open("f", O_RDONLY), b, 512));
  R("bad fd", syscall(SYS_getdents64, 99, b, 512));
  R("O_PATH", syscall(SYS_getdents64, open("d", O_PATH), b, 512));
  R("old getdents", syscall(SYS_getdents, fd, b, 512) > 0 ? 1 : -1);
  DIR *dir = opendir("d");
  long mark = -1;
  struct dirent *e;
  char marked[64] = "", again[64] = "";
  for (int i = 0; (e = readdir(dir)); i++) {
    if (i == 20) mark = telldir(dir);
    if (i == 21) strcpy(marked, e->d_name);
  }
  seekdir(dir, mark);
  if ((e = readdir(dir))) strcpy(again, e->d_name);
  YES("seekdir", strcmp(marked, again) == 0);
  rewinddir(dir);
  int removed = 0;
  while ((e = readdir(dir)))
    if (strncmp(e->d_name, "file-", 5) == 0 && unlinkat(dirfd(dir), e->d_name, 0) == 0) removed++;
  NUM("removed while reading", removed);
  unlink("d/link");
  unlink("d/fifo");
  rmdir("d/sub");
  R("rmdir open directory", rmdir("d"));
  lseek(fd, 0, SEEK_SET);
  R("read removed directory", syscall(SYS_getdents64, fd, b, 512));
  R("create in removed", openat(fd, "x", O_CREAT | O_WRONLY, 0600));
  R("mkdir in removed", mkdirat(fd, "x", 0700));
  R("fchdir removed", fchdir(fd));
  R("getcwd removed", syscall(SYS_getcwd, b, sizeof b));
  OK("open . in removed", open(".", O_RDONLY));
  R("open .. of removed", open("..", O_RDONLY) >= 0 ? 0 : -1);
  chdir("/tmp");
  mkdir("conformance-cwd", 0755);
  R("chdir", chdir("conformance-cwd"));
  R("getcwd", syscall(SYS_getcwd, b, sizeof b));
  STR("cwd", b);
  R("getcwd small", syscall(SYS_getcwd, b, 5));
  R("getcwd zero", syscall(SYS_getcwd, b, 0));
  R("getcwd bad", syscall(SYS_getcwd, BAD, 100));
  R("chdir ..", chdir(".."));
  R("chdir missing", chdir("conformance-none"));
  R("chdir empty", chdir(""));
  close(file("conformance-cwd/f", ""));
  R("chdir file", chdir("conformance-cwd/f"));
  R("fchdir file", fchdir(open("conformance-cwd/f", O_RDONLY)));
  R("fchdir bad", fchdir(99));
  int pfd = open("conformance-cwd", O_PATH);
  R("fchdir O_PATH", fchdir(pfd));
  CHILD("chroot", {
    R("  chroot", chroot("."));
    R("  ..", chdir("../../.."));
    OK("  f", open("/f", O_RDONLY));
    syscall(SYS_getcwd, b, sizeof b);
    STR("  cwd", b);
    R("  missing", chroot("/none"));
    R("  file", chroot("/f"));
    setresuid(1000, 1000, 1000);
    R("  denied", chroot("/"));
  });
  unlink("f");
  chdir("..");
  rmdir("conformance-cwd");
  CHILD("permissions", {
    mkdir("conformance-locked", 0700);
    setresgid(1000, 1000, 1000);
    setresuid(1000, 1000, 1000);
    R("  chdir", chdir("conformance-locked"));
    R("  mkdir", mkdir("conformance-locked/x", 0700));
    R("  opendir", open("conformance-locked", O_RDONLY));
  });
  rmdir("conformance-locked");
  static char first[1 << 20], second[1 << 20];
  YES("listed again in the same order", names_of("/usr/bin", first) > 10 && names_of("/usr/bin", second) > 10 && !strcmp(first, second));
  return 0;
}
