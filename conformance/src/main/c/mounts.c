#include "check.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#define pivot_root(a, b) syscall(SYS_pivot_root, a, b)

/* How often /proc/self/mounts has the mount point that ends with `name`. */
static int listed(const char *name) {
  FILE *f = fopen("/proc/self/mounts", "r");
  char line[4096], dev[1024], at[1024];
  int n = 0;
  while (f && fgets(line, sizeof line, f))
    if (sscanf(line, "%1023s %1023s", dev, at) == 2 && strlen(at) >= strlen(name) && !strcmp(at + strlen(at) - strlen(name), name)) n++;
  if (f) fclose(f);
  return n;
}
static long flags(const char *p) {
  struct statvfs s;
  return statvfs(p, &s) < 0 ? -1 : (long)(s.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_NOATIME));
}

int main(void) {
  /* Natively a tree of our own; a sandbox has nobody else's. */
  unshare(CLONE_NEWNS);
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  scratch_dir();
  R("mount private", mount("none", ".", "tmpfs", 0, NULL));
  char top[4096];
  getcwd(top, sizeof top);
  chdir("/");
  chdir(top);
  mkdir("a", 0755);
  mkdir("b", 0755);
  close(file("f", "file"));
  close(file("a/under", ""));
  R("tmpfs", mount("dev", "a", "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=711"));
  NUM("listed", listed("/a"));
  struct stat s, t;
  stat("a", &s);
  OCT("mode", s.st_mode & 07777);
  stat(".", &t);
  YES("other device", s.st_dev != t.st_dev);
  R("covered", access("a/under", F_OK));
  NUM("flags", flags("a"));
  struct statfs q;
  statfs("a", &q);
  printf("type %lx blocks %ld bsize %ld\n", (long)q.f_type, (long)q.f_blocks, (long)q.f_bsize);
  static char big[100000];
  int fd = open("a/big", O_CREAT | O_RDWR, 0600);
  R("fills", write(fd, big, sizeof big));
  R("is full", pwrite(fd, big, 4096, 70000));
  R("busy", umount("a"));
  close(fd);
  R("rmdir mount point", rmdir("a"));
  R("rename mount point", rename("a", "c"));
  R("rename over mount point", rename("b", "a"));
  R("rename across", rename("f", "a/f"));
  R("link across", link("f", "a/f"));
  chdir("a");
  R("..", chdir(".."));
  char b[4096];
  getcwd(b, sizeof b);
  YES("back", strcmp(b, top) == 0);
  R("bind", mount("a", "b", NULL, MS_BIND, NULL));
  stat("b/big", &s);
  stat("a/big", &t);
  YES("same file", s.st_ino == t.st_ino && s.st_dev == t.st_dev);
  close(file("b/through", "x"));
  R("seen", access("a/through", F_OK));
  R("read-only bind", mount(NULL, "b", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
  R("create in it", open("b/new", O_CREAT | O_WRONLY, 0600));
  R("write open", open("b/through", O_WRONLY));
  R("unlink in it", unlink("b/through"));
  R("chmod in it", chmod("b/through", 0600));
  R("mkdir in it", mkdir("b/d", 0700));
  R("truncate in it", truncate("b/through", 0));
  R("access write", access("b/through", W_OK));
  R("utime in it", utimensat(AT_FDCWD, "b/through", NULL, 0));
  OK("read", open("b/through", O_RDONLY));
  OK("other still writable", open("a/new", O_CREAT | O_WRONLY, 0600));
  NUM("flags", flags("b") & ST_RDONLY);
  close(file("target", "t"));
  R("bind a file", mount("f", "target", NULL, MS_BIND, NULL));
  stat("target", &s);
  NUM("size", s.st_size);
  R("unlink it", unlink("target"));
  R("bind file on directory", mount("f", "b", NULL, MS_BIND, NULL));
  R("bind directory on file", mount("a", "f", NULL, MS_BIND, NULL));
  R("bind missing", mount("none", "b", NULL, MS_BIND, NULL));
  R("umount file", umount("target"));
  R("umount again", umount("target"));
  R("umount b, opened", umount2("b", MNT_DETACH));
  NUM("listed", listed("/b"));
  R("umount missing", umount("none"));
  R("umount bad flag", umount2("a", 0x1000));
  R("umount no mount point", umount("b"));
  R("unknown type", mount("x", "b", "nosuchfs", 0, NULL));
  R("no type", mount("x", "b", NULL, 0, NULL));
  R("bad target", mount("x", BAD, "tmpfs", 0, NULL));
  R("on a file", mount("x", "f", "tmpfs", 0, NULL));
  R("bad option", mount("x", "b", "tmpfs", 0, "nonsense=1"));
  R("bad size", mount("x", "b", "tmpfs", 0, "size=abc"));
  R("noexec", mount("x", "b", "tmpfs", MS_NOEXEC, NULL));
  close(file("b/sh", "#!/bin/sh\n"));
  chmod("b/sh", 0755);
  R("access x", access("b/sh", X_OK));
  char *argv[] = {"sh", NULL};
  R("execute", execve("b/sh", argv, argv + 1));
  R("remount exec", mount("x", "b", NULL, MS_REMOUNT | MS_BIND, NULL));
  R("access x", access("b/sh", X_OK));
  R("nodev", mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_NODEV, NULL));
  mknod("b/null", S_IFCHR | 0666, 1 << 8 | 3);
  R("open device", open("b/null", O_RDONLY));
  mkdir("b/inner", 0755);
  mount("i", "b/inner", "tmpfs", 0, NULL);
  close(file("b/inner/deep", ""));
  mkdir("r", 0755);
  R("bind without submounts", mount("b", "r", NULL, MS_BIND, NULL));
  R("not there", access("r/inner/deep", F_OK));
  umount("r");
  R("bind with submounts", mount("b", "r", NULL, MS_BIND | MS_REC, NULL));
  R("there", access("r/inner/deep", F_OK));
  R("umount with submounts", umount("r"));
  R("detach", umount2("r", MNT_DETACH));
  NUM("none left", listed("/r/inner"));
  R("move", mount("b", "r", NULL, MS_MOVE, NULL));
  R("moved with submounts", access("r/inner/deep", F_OK));
  R("move below itself", mount("r", "r/inner", NULL, MS_MOVE, NULL));
  R("move no mount", mount("b", "r", NULL, MS_MOVE, NULL));
  R("stacked", mount("s", "r", "tmpfs", 0, NULL));
  R("hidden", access("r/inner", F_OK));
  R("unstacked", umount("r"));
  R("visible", access("r/inner", F_OK));
  R("remount no mount point", mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND, NULL));
  R("make private", mount(NULL, "a", NULL, MS_PRIVATE, NULL));
  R("two propagations", mount(NULL, "a", NULL, MS_PRIVATE | MS_SLAVE, NULL));
  R("propagation of no mount", mount(NULL, "b", NULL, MS_PRIVATE, NULL));
  R("proc", mount("p", "b", "proc", 0, NULL));
  R("self", access("b/self/status", F_OK));
  R("umount proc", umount("b"));
  R("expire", umount2("a", MNT_EXPIRE));
  CHILD("pivot", {
    mkdir("root", 0755);
    R("  no mount", pivot_root("root", "root"));
    mount("root", "root", "tmpfs", 0, NULL);
    mkdir("root/old", 0755);
    close(file("root/mine", ""));
    R("  put_old elsewhere", pivot_root("root", "a"));
    R("  file", pivot_root("f", "f"));
    R("  pivot", pivot_root("root", "root/old"));
    R("  chdir", chdir("/"));
    R("  mine", access("/mine", F_OK));
    R("  old", access("/old/tmp", F_OK));
    R("  detach", umount2("/old", MNT_DETACH));
    R("  gone", access("/old/tmp", F_OK));
    R("  ..", chdir("../.."));
    getcwd(b, sizeof b);
    STR("  cwd", b);
    mkdir("again", 0755);
    mount("n", "again", "tmpfs", 0, NULL);
    R("  chdir", chdir("again"));
    R("  pivot . .", pivot_root(".", "."));
    R("  detach .", umount2(".", MNT_DETACH));
    R("  empty", access("/mine", F_OK));
  });
  return 0;
}
