#include "check.h"
#include <sys/resource.h>
#include <sys/time.h>
#include <grp.h>
#include <utime.h>

static void mode(const char *name, const char *p) {
  struct stat s;
  if (stat(p, &s) < 0) perror(p);
  printf("%s: %o %d:%d\n", name, s.st_mode & 07777, s.st_uid, s.st_gid);
}
static void times_(const char *name, const char *p) {
  struct stat s;
  lstat(p, &s);
  printf("%s: %ld.%09ld %ld.%09ld\n", name, (long)s.st_atim.tv_sec, s.st_atim.tv_nsec, (long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
}
static int uta(const char *p, long as, long an, long ms, long mn, int f) {
  struct timespec t[2] = {{as, an}, {ms, mn}};
  return utimensat(AT_FDCWD, p, t, f);
}

int main(void) {
  scratch_dir();
  chmod(".", 0777);
  int fd = file("f", "0123456789");
  mkdir("d", 0755);
  symlink("f", "l");
  symlink("none", "broken");
  R("chmod", chmod("f", 06751));
  mode("mode", "f");
  R("chmod link", chmod("l", 0640));
  mode("followed", "f");
  R("chmod broken", chmod("broken", 0600));
  R("chmod missing", chmod("nope", 0600));
  R("fchmod", fchmod(fd, 0777));
  R("fchmod bad", fchmod(99, 0777));
  R("fchmodat2 bad flag", syscall(452, AT_FDCWD, "f", 0644, 1) < 0 ? -1 : 0);
  R("chown", chown("f", 10, 20));
  mode("owner", "f");
  R("chown keep", chown("f", -1, 30));
  mode("kept", "f");
  chmod("f", 06777);
  R("chown drops", chown("f", -1, -1));
  mode("dropped", "f");
  chmod("f", 06767);
  chown("f", 11, 21);
  mode("no group x", "f");
  chmod("d", 06777);
  chown("d", 11, 21);
  mode("directory keeps", "d");
  R("lchown", lchown("l", 40, 50));
  struct stat s;
  lstat("l", &s);
  printf("link owner: %d:%d\n", s.st_uid, s.st_gid);
  mode("target unchanged", "f");
  R("fchownat bad flag", fchownat(AT_FDCWD, "f", 1, 1, 0x10000));
  R("fchownat empty", fchownat(fd, "", 12, 22, AT_EMPTY_PATH));
  R("fchown O_PATH", fchown(open("f", O_PATH), 1, 1));
  mode("by fd", "f");
  CHILD("owner's rights", {
    chown("f", 1000, 1000);
    close(file("other", "x"));
    chmod("other", 0666);
    gid_t g = 2000;
    setgroups(1, &g);
    setresgid(1000, 1000, 1000);
    setresuid(1000, 1000, 1000);
    R("  chmod own", chmod("f", 0755));
    R("  chmod other", chmod("other", 0755));
    R("  chown away", chown("f", 1001, -1));
    R("  chown same", chown("f", 1000, -1));
    R("  chgrp member", chown("f", -1, 2000));
    R("  chgrp foreign", chown("f", -1, 3000));
    R("  setgid in group", chmod("f", 02755));
    mode("  kept", "f");
    int w = open("f", O_WRONLY);
    write(w, "x", 1);
    mode("  write drops", "f");
    chmod("f", 04755);
    R("  truncate", truncate("f", 5));
    mode("  truncate drops", "f");
    chmod("f", 06755);
    ftruncate(w, 3);
    mode("  ftruncate drops", "f");
    R("  utime own", uta("f", 1, 2, 3, 4, 0));
    R("  utime other", uta("other", 1, 2, 3, 4, 0));
    R("  touch writable", utimensat(AT_FDCWD, "other", NULL, 0));
    R("  now+omit other", uta("other", 0, UTIME_NOW, 0, UTIME_OMIT, 0));
    R("  now+now other", uta("other", 0, UTIME_NOW, 0, UTIME_NOW, 0));
  });
  CHILD("setgid of foreign group", {
    chown("f", 1000, 3000);
    setgroups(0, NULL);
    setresgid(1000, 1000, 1000);
    setresuid(1000, 1000, 1000);
    R("  chmod", chmod("f", 02755));
    mode("  cleared", "f");
  });
  CHILD("touch unwritable", {
    chmod("other", 0644);
    setresuid(1000, 1000, 1000);
    R("  touch", utimensat(AT_FDCWD, "other", NULL, 0));
  });

  R("utimensat", uta("f", 1000000000, 123456789, -5, 999999999, 0));
  times_("times", "f");
  R("omit", uta("f", 0, UTIME_OMIT, 7, 8, 0));
  times_("times", "f");
  R("bad nsec", uta("f", 0, 1000000000, 0, 0, 0));
  R("both omit of nothing", uta("nope", 0, UTIME_OMIT, 0, UTIME_OMIT, 0));
  R("missing", uta("nope", 0, 0, 0, 0, 0));
  R("bad flag", uta("f", 0, 0, 0, 0, 0x10000));
  R("nofollow", uta("l", 11, 0, 12, 0, AT_SYMLINK_NOFOLLOW));
  times_("link's", "l");
  times_("target's", "f");
  struct timespec two[2] = {{21, 1}, {22, 2}};
  R("futimens", futimens(fd, two));
  times_("times", "f");
  R("null path bad fd", syscall(SYS_utimensat, 99, NULL, two, 0));
  R("null path with flag", syscall(SYS_utimensat, fd, NULL, two, AT_SYMLINK_NOFOLLOW));
  R("bad times", syscall(SYS_utimensat, AT_FDCWD, "f", BAD, 0));
  struct timeval tv[2] = {{31, 5}, {32, 6}};
  R("utimes", utimes("f", tv));
  times_("times", "f");
  tv[0].tv_usec = 1000000;
  R("utimes bad", utimes("f", tv));
  struct utimbuf ub = {41, 42};
  R("utime", utime("f", &ub));
  times_("times", "f");
  R("utime now", utime("f", NULL));
  stat("f", &s);
  YES("recent", s.st_mtime > 1600000000);

  R("truncate", truncate("f", 4));
  stat("f", &s);
  NUM("size", s.st_size);
  R("extend", truncate("f", 10000));
  stat("f", &s);
  NUM("size", s.st_size);
  R("truncate negative", truncate("f", -1));
  R("truncate directory", truncate("d", 0));
  R("truncate missing", truncate("nope", 0));
  mkfifo("p", 0600);
  R("truncate fifo", truncate("p", 0));
  R("ftruncate", ftruncate(fd, 100));
  R("ftruncate negative", ftruncate(fd, -1));
  R("ftruncate read-only", ftruncate(open("f", O_RDONLY), 1));
  R("ftruncate directory", ftruncate(open("d", O_RDONLY), 1));
  int p[2];
  pipe(p);
  R("ftruncate pipe", ftruncate(p[1], 0));
  R("fallocate", fallocate(fd, 0, 0, 5000));
  fstat(fd, &s);
  NUM("size", s.st_size);
  R("fallocate keep", fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 50000));
  fstat(fd, &s);
  NUM("size", s.st_size);
  R("fallocate zero length", fallocate(fd, 0, 0, 0));
  R("fallocate negative", fallocate(fd, 0, -1, 5));
  R("fallocate pipe", fallocate(p[1], 0, 0, 5));
  R("fallocate read-only", fallocate(open("f", O_RDONLY), 0, 0, 5));
  R("fallocate bad mode", fallocate(fd, 0x1000, 0, 5));
  pwrite(fd, "abcdefgh", 8, 4094);
  R("punch", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4));
  char b[9] = {0};
  pread(fd, b, 8, 4094);
  for (int i = 0; i < 8; i++) if (!b[i]) b[i] = '.';
  STR("punched", b);
  R("punch without keep", fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4));
  R("fsync", fsync(fd));
  R("fdatasync", fdatasync(fd));
  R("fsync pipe", fsync(p[0]));
  R("fsync dir", fsync(open("d", O_RDONLY)));
  R("fsync bad", fsync(99));
  R("syncfs", syncfs(fd));
  R("fadvise", posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
  R("fadvise bad", posix_fadvise(fd, 0, 0, 99));
  R("fadvise pipe", posix_fadvise(p[0], 0, 0, 0));
  R("readahead", readahead(fd, 0, 100));
  R("readahead pipe", readahead(p[0], 0, 100));
  R("sync_file_range", sync_file_range(fd, 0, 10, SYNC_FILE_RANGE_WRITE));
  R("sync_file_range bad flag", sync_file_range(fd, 0, 10, 64));
  R("sync_file_range pipe", sync_file_range(p[0], 0, 10, 0));
  return 0;
}
