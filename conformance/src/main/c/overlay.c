/* Overlays that a guest mounts, on a tmpfs: Documentation/filesystems/overlayfs.rst. */
#include "check.h"
#include <dirent.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

static int over(const char *options) { return mount("overlay", "m", "overlay", 0, options); }
static void text(const char *label, const char *path) {
  char b[200];
  int fd = open(path, O_RDONLY);
  if (fd < 0) { R(label, -1); return; }
  long n = read(fd, b, sizeof b - 1);
  b[n < 0 ? 0 : n] = 0;
  close(fd);
  STR(label, b);
}
static int by_name(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }
static void names(const char *label, const char *path) {
  char *all[100], out[1000] = "";
  int n = 0;
  DIR *d = opendir(path);
  if (!d) { R(label, -1); return; }
  for (struct dirent *e; (e = readdir(d)) && n < 100;)
    if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) all[n++] = strdup(e->d_name);
  closedir(d);
  qsort(all, n, sizeof *all, by_name);
  for (int i = 0; i < n; i++) sprintf(out + strlen(out), "%s%s", i ? " " : "", all[i]);
  STR(label, out);
}
static void kind(const char *label, const char *path) {
  struct stat s;
  if (lstat(path, &s) < 0) { R(label, -1); return; }
  printf("%s: %o %d %d rdev %d\n", label, s.st_mode, s.st_uid, s.st_gid, (int)s.st_rdev);
}
static void put(const char *path, const char *t) { close(file(path, t)); }

static void refusals(void) {
  R("no options", over(""));
  R("one lower", over("lowerdir=l1"));
  R("no lower", over("upperdir=u,workdir=w"));
  R("no work", over("lowerdir=l1,upperdir=u"));
  R("no upper", over("lowerdir=l1:l2,workdir=w") ? -1 : umount("m"));
  R("missing", over("lowerdir=none:l2"));
  R("missing upper", over("lowerdir=l1,upperdir=none,workdir=w"));
  R("a file", over("lowerdir=l1/f:l2"));
  R("a file as upper", over("lowerdir=l1,upperdir=l1/f,workdir=w"));
  R("work is upper", over("lowerdir=l1,upperdir=u,workdir=u"));
  R("work in upper", over("lowerdir=l1,upperdir=u,workdir=u/w"));
  R("work elsewhere", over("lowerdir=l1,upperdir=u,workdir=/dev/shm"));
  R("unknown", over("lowerdir=l1,upperdir=u,workdir=w,foo"));
  R("upper is lower", over("lowerdir=u,upperdir=u,workdir=w"));
  R("lower twice", over("lowerdir=l1:l1,upperdir=u,workdir=w"));
  R("lower in lower", over("lowerdir=l1:l1/d,upperdir=u,workdir=w"));
  R("upper in lower", over("lowerdir=l1,upperdir=l1/d,workdir=w"));
  R("of proc", over("lowerdir=/proc,upperdir=u,workdir=w"));
  R("empty name", over("lowerdir=:l1,upperdir=u,workdir=w"));
  CHILD("without rights", setresuid(1000, 1000, 1000); R("no", over("lowerdir=l1,upperdir=u,workdir=w")));
}

static void merged(void) {
  R("mount", over("lowerdir=l1:l2,upperdir=u,workdir=w"));
  struct statfs fs;
  statfs("m", &fs);
  printf("type: %lx\n", (long)fs.f_type);
  names("root", "m");
  names("merged", "m/d");
  text("top wins", "m/f");
  text("from below", "m/g");
  text("in merged", "m/d/two");
  kind("work", "w/work");
  names("upper", "u");
  R("append", write(open("m/g", O_WRONLY | O_APPEND), "+more", 5));
  text("changed", "m/g");
  text("in upper", "u/g");
  text("below", "l2/g");
  kind("copied up", "u/g");
  R("chmod", chmod("m/h", 0600));
  kind("changed", "u/h");
  R("unlink", unlink("m/f"));
  text("gone", "m/f");
  kind("whiteout", "u/f");
  text("still below", "l1/f");
  R("remove dir", rmdir("m/d"));
  unlink("m/d/one"), unlink("m/d/two"), unlink("m/d/both");
  names("emptied", "m/d");
  names("whiteouts", "u/d");
  R("remove dir", rmdir("m/d"));
  kind("whiteout of dir", "u/d");
  R("make again", mkdir("m/d", 0750));
  names("opaque", "m/d");
  char b[10] = "";
  R("marked", getxattr("u/d", "trusted.overlay.opaque", b, sizeof b));
  STR("mark", b);
  R("mark is hidden", getxattr("m/d", "trusted.overlay.opaque", b, sizeof b));
  R("make", mkdir("m/new", 0755));
  R("not marked", getxattr("u/new", "trusted.overlay.opaque", b, sizeof b));
  put("m/new/file", "text");
  text("seen above", "m/new/file");
  text("seen in upper", "u/new/file");
  R("rename", rename("m/new/file", "m/new/moved"));
  text("seen there", "u/new/moved");
  text("not there", "u/new/file");
  R("rename lower dir", rename("m/e", "m/e2"));
  R("rename new dir", rename("m/new", "m/newer"));
  names("seen there", "u/newer");
  R("rename lower file", rename("m/i", "m/newer/i"));
  kind("whiteout", "u/i");
  text("moved", "u/newer/i");
  R("link", link("m/j", "m/newer/j"));
  struct stat s;
  stat("m/j", &s);
  NUM("links", s.st_nlink);
  symlink("newer/i", "m/l");
  text("through a link", "m/l");
  int fd = open("m/k", O_RDONLY);
  char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  STR("mapped", p);
  munmap(p, 4096);
  close(fd);
  R("truncate", truncate("m/k", 2));
  text("cut", "m/k");
  text("uncut", "l1/k");
  R("whiteout by hand", mknod("m/node", S_IFCHR | 0600, 0));
  R("exchange", renameat2(AT_FDCWD, "m/g", AT_FDCWD, "m/h", RENAME_EXCHANGE));
  text("exchanged", "m/g");
  R("over a whiteout", rename("m/newer/moved", "m/f"));
  text("taken", "m/f");
  R("dir over a name below", (unlink("m/x"), mkdir("m/y", 0755), rename("m/y", "m/x")));
  R("marked", getxattr("u/x", "trusted.overlay.opaque", b, sizeof b));
  names("root", "m");
}

static void again(void) {
  R("umount", umount("m"));
  names("upper", "u");
  names("lower 1", "l1");
  names("lower 2", "l2");
  kind("whiteout stays", "u/i");
  put("u/late", "late");
  R("mount again", over("lowerdir=l1:l2,upperdir=u,workdir=w"));
  names("root", "m");
  names("opaque dir", "m/d");
  names("moved dir", "m/x");
  text("changed file", "m/k");
  text("put between", "m/late");
  text("removed", "m/i");
  R("rmdir of opaque", rmdir("m/d"));
  kind("whiteout again", "u/d");
  R("busy", (chdir("m"), umount("../m")));
  chdir("..");
  R("umount", umount("m"));
  R("as a lower", over("lowerdir=u:l1:l2"));
  names("root", "m");
  text("whited out", "m/i");
  R("read-only", open("m/new", O_CREAT | O_WRONLY, 0600));
  R("umount", umount("m"));
}

static void kept(void) {
  mkdir("t", 0755);
  mount("none", "t", "tmpfs", 0, NULL);
  mkdir("t/u", 0755), mkdir("t/w", 0755), mkdir("t/l", 0755);
  put("t/l/f", "below");
  R("mount", over("lowerdir=t/l,upperdir=t/u,workdir=t/w"));
  R("umount layers", umount("t"));
  text("still there", "m/f");
  put("m/g", "new");
  text("and writable", "m/g");
  R("umount", umount("m"));
  mkdir("odd:name", 0755);
  put("odd:name/f", "odd");
  R("escaped colon", over("lowerdir=odd\\:name:l2"));
  text("found", "m/f");
  R("umount", umount("m"));
}

static void users(void) {
  mkdir("ul", 0755), mkdir("uu", 0777), mkdir("uw", 0777), mkdir("um", 0777);
  chown("uu", 1000, 1000), chown("uw", 1000, 1000);
  put("ul/f", "root's");
  chmod("ul/f", 0600);
  CHILD("in a user namespace",
    setresgid(1000, 1000, 1000); setresuid(1000, 1000, 1000);
    prctl(PR_SET_DUMPABLE, 1);
    R("unshare", unshare(CLONE_NEWUSER | CLONE_NEWNS));
    { int fd = open("/proc/self/setgroups", O_WRONLY); OK("setgroups", write(fd, "deny", strlen("deny"))); close(fd); }
    { int fd = open("/proc/self/uid_map", O_WRONLY); OK("uid_map", write(fd, "0 1000 1", strlen("0 1000 1"))); close(fd); }
    { int fd = open("/proc/self/gid_map", O_WRONLY); OK("gid_map", write(fd, "0 1000 1", strlen("0 1000 1"))); close(fd); }
    R("tmpfs", mount("none", "uu", "tmpfs", 0, NULL));
    mkdir("uu/u", 0755), mkdir("uu/w", 0755);
    R("mount", mount("o", "um", "overlay", 0, "lowerdir=ul,upperdir=uu/u,workdir=uu/w,userxattr"));
    R("closed file", open("um/f", O_RDONLY));
    R("new file", open("um/new", O_CREAT | O_WRONLY, 0600)));
}

int main(void) {
  unshare(CLONE_NEWNS);
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  scratch_dir();
  chmod(".", 0755);
  mkdir("top", 0755);
  mount("none", "top", "tmpfs", 0, "mode=755");
  chdir("top");
  const char *dirs[] = {"l1", "l2", "l1/d", "l2/d", "l2/e", "l2/x", "u", "w", "m"};
  for (int i = 0; i < 9; i++) mkdir(dirs[i], 0755);
  put("l1/f", "first"), put("l2/f", "second"), put("l2/g", "only"), put("l2/h", "h"), put("l1/i", "i"), put("l1/j", "j"), put("l1/k", "kkkk");
  put("l1/d/one", "1"), put("l2/d/two", "2"), put("l1/d/both", "a"), put("l2/d/both", "b"), put("l2/e/in", "e"), put("l1/x", "file over dir");
  refusals();
  merged();
  again();
  kept();
  users();
  return 0;
}
