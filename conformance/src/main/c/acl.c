/* POSIX access control lists: acl(5), on the scratch directory and on a tmpfs. */
#include "check.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
enum { UO = 1, U = 2, GO = 4, G = 8, M = 16, O = 32 };

struct entry { uint16_t tag, perm; uint32_t id; };
struct acl { uint32_t version; struct entry e[16]; };

/* "u:7 u1000:6 g:5 g1000:4 m:7 o:0", as setfacl would say it. */
static size_t make(struct acl *a, const char *text) {
  int n = 0;
  a->version = 2;
  while (*text) {
    struct entry *e = &a->e[n++];
    char kind = *text++;
    int id = *text != ':';
    e->id = id ? strtoul(text, (char **)&text, 10) : (uint32_t)-1;
    e->tag = kind == 'u' ? (id ? U : UO) : kind == 'g' ? (id ? G : GO) : kind == 'm' ? M : kind == 'o' ? O : 0x40;
    e->perm = strtoul(text + 1, (char **)&text, 8);
    while (*text == ' ') text++;
  }
  return 4 + n * sizeof(struct entry);
}
static int set(const char *path, const char *name, const char *text) {
  struct acl a;
  size_t n = make(&a, text);
  return setxattr(path, name, &a, n, 0);
}
static void show(const char *label, const char *path, const char *name) {
  struct acl a;
  char out[400] = "";
  errno = 0;
  long n = getxattr(path, name, &a, sizeof a);
  if (n < 0) { report(label, n); return; }
  for (int i = 0; i < (n - 4) / 8; i++) {
    struct entry *e = &a.e[i];
    char id[16] = "";
    if (e->tag & (U | G)) sprintf(id, "%u", e->id);
    sprintf(out + strlen(out), "%s%s%s:%o", i ? " " : "", e->tag & (UO | U) ? "u" : e->tag & (GO | G) ? "g" : e->tag == M ? "m" : "o", id, e->perm);
  }
  STR(label, out);
}
static void mode(const char *label, const char *path) {
  struct stat s;
  if (lstat(path, &s) < 0) R(label, -1);
  else OCT(label, s.st_mode);
}
static void become(uid_t uid, gid_t gid, gid_t more) {
  setgroups(more ? 1 : 0, &more);
  setresgid(gid, gid, gid);
  setresuid(uid, uid, uid);
}
/* What a user may do with a file: "rwx". */
static void may(const char *label, const char *path, uid_t uid, gid_t gid, gid_t more) {
  int p[2];
  char b[4] = "---";
  pipe(p);
  pid_t child = fork();
  if (!child) {
    become(uid, gid, more);
    int fd = open(path, O_RDONLY);
    if (fd >= 0) b[0] = 'r';
    fd = open(path, O_WRONLY);
    if (fd >= 0) b[1] = 'w';
    if (!access(path, X_OK)) b[2] = 'x';
    write(p[1], b, 3);
    _exit(0);
  }
  read(p[0], b, 3);
  waitpid(child, NULL, 0);
  close(p[0]);
  close(p[1]);
  STR(label, b);
}

static void forms(void) {
  struct acl a;
  close(file("f", "text"));
  R("no list", getxattr("f", ACCESS, NULL, 0));
  R("no default", getxattr("f", DEFAULT, NULL, 0));
  size_t n = make(&a, "u:6 u1000:7 g:4 m:7 o:0");
  R("short", setxattr("f", ACCESS, &a, 3, 0));
  R("odd", setxattr("f", ACCESS, &a, n - 1, 0));
  a.version = 1;
  R("version", setxattr("f", ACCESS, &a, n, 0));
  R("bad order", set("f", ACCESS, "u:6 g:4 u1000:7 m:7 o:0"));
  R("no mask", set("f", ACCESS, "u:6 u1000:7 g:4 o:0"));
  R("no group", set("f", ACCESS, "u:6 m:4 o:0"));
  R("no other", set("f", ACCESS, "u:6 g:4"));
  R("no user", set("f", ACCESS, "g:4 o:4"));
  R("two users", set("f", ACCESS, "u:6 u:6 g:4 o:4"));
  R("behind other", set("f", ACCESS, "u:6 g:4 o:4 o:4"));
  R("bad tag", set("f", ACCESS, "u:6 g:4 x:4 o:4"));
  R("bad bits", set("f", ACCESS, "u:16 g:4 o:4"));
  R("bad id", set("f", ACCESS, "u:6 u4294967295:6 g:4 m:7 o:4"));
  R("users in any order", set("f", ACCESS, "u:6 u1001:5 u1000:7 g:4 m:7 o:0"));
  show("as given", "f", ACCESS);
  R("same user twice", set("f", ACCESS, "u:6 u1000:5 u1000:7 g:4 m:7 o:0"));
  R("set", set("f", ACCESS, "u:6 u1000:7 g:4 g2000:2 m:5 o:0"));
  show("got", "f", ACCESS);
  mode("mode shows mask", "f");
  n = make(&a, "u:6 u1000:7 g:4 m:7 o:0");
  R("create flag", setxattr("f", ACCESS, &a, n, XATTR_CREATE));
  R("remove", removexattr("f", ACCESS));
  R("replace flag", setxattr("f", ACCESS, &a, n, XATTR_REPLACE));
  R("unknown flag", setxattr("f", ACCESS, &a, n, 8));
  char b[200];
  R("size", getxattr("f", ACCESS, NULL, 0));
  R("too small", getxattr("f", ACCESS, b, 10));
  n = listxattr("f", b, sizeof b);
  R("list length", n);
  STR("list", b);
  R("default of a file", set("f", DEFAULT, "u:6 g:4 o:4"));
  R("bad default of a file", set("f", DEFAULT, "u:6 g:4"));
  R("remove default of a file", removexattr("f", DEFAULT));
  R("other name", setxattr("f", "system.posix_acl_other", &a, n, 0));
  symlink("f", "l");
  R("of a link", lsetxattr("l", ACCESS, &a, 44, 0));
  R("get of a link", lgetxattr("l", ACCESS, b, sizeof b));
  R("remove of a link", lremovexattr("l", ACCESS));
  R("through a link", getxattr("l", ACCESS, NULL, 0));
  R("as little as a mode", set("f", ACCESS, "u:7 g:1 o:2"));
  mode("mode", "f");
  show("is none", "f", ACCESS);
  set("f", ACCESS, "u:6 u1000:7 g:4 m:6 o:0");
  R("empty", setxattr("f", ACCESS, NULL, 0, 0));
  show("is gone", "f", ACCESS);
  mode("mode stays", "f");
  R("remove again", removexattr("f", ACCESS));
  n = make(&a, "u:6 g:4 o:4");
  set("f", ACCESS, "u:6 u1000:7 g:4 m:6 o:0");
  R("version alone", setxattr("f", ACCESS, &a, 4, 0));
  show("gone", "f", ACCESS);
  R("on proc", set("/proc/self/status", ACCESS, "u:6 g:4 o:4"));
  R("get on proc", getxattr("/proc/self/status", ACCESS, NULL, 0));
  mkfifo("p", 0640);
  R("of a fifo", set("p", ACCESS, "u:6 u1000:7 g:4 m:7 o:0"));
  mode("its mode", "p");
}

static void modes(void) {
  close(file("m", ""));
  set("m", ACCESS, "u:6 u1000:7 g:4 m:5 o:0");
  R("chmod", chmod("m", 0777));
  show("mask follows", "m", ACCESS);
  mode("mode", "m");
  chmod("m", 0402);
  show("mask goes", "m", ACCESS);
  set("m", ACCESS, "u:7 u1000:7 g:7 m:7 o:7");
  chmod("m", 06755);
  set("m", ACCESS, "u:7 u1000:7 g:7 m:7 o:5");
  mode("root keeps set-group-id", "m");
  chown("m", 1000, 4000);
  mode("chown", "m");
  show("chown leaves it", "m", ACCESS);
  chmod("m", 02755);
  CHILD("owner outside the group", become(1000, 1000, 0); R("sets", set("m", ACCESS, "u:7 u1001:7 g:7 m:7 o:5")));
  mode("loses set-group-id", "m");
  CHILD("not the owner", become(1001, 1001, 0); R("sets", set("m", ACCESS, "u:7 g:7 o:5")); R("bad ones", set("m", ACCESS, "u:7 g:7"));
        R("removes", removexattr("m", ACCESS)); OK("reads", getxattr("m", ACCESS, NULL, 0)));
  struct stat s, t;
  stat("m", &s);
  usleep(20000);
  set("m", ACCESS, "u:7 u1001:6 g:7 m:7 o:5");
  stat("m", &t);
  YES("ctime moves", s.st_ctim.tv_nsec != t.st_ctim.tv_nsec);
  YES("mtime does not", s.st_mtim.tv_nsec == t.st_mtim.tv_nsec);
}

static void rights(void) {
  close(file("r", "text"));
  chown("r", 3000, 3000);
  set("r", ACCESS, "u:6 u1000:7 u1001:2 g:4 g2000:2 g2001:1 m:7 o:1");
  may("owner", "r", 3000, 1, 0);
  may("named", "r", 1000, 1, 0);
  may("named, though in the group", "r", 1001, 3000, 0);
  may("group", "r", 1002, 3000, 0);
  may("named group", "r", 1002, 2000, 0);
  may("two groups", "r", 1002, 2000, 2001);
  may("supplementary", "r", 1002, 1, 2000);
  may("other", "r", 1002, 1, 0);
  may("root", "r", 0, 0, 0);
  set("r", ACCESS, "u:6 u1000:7 g:7 g2000:7 m:4 o:7");
  may("masked", "r", 1000, 1, 0);
  may("masked group", "r", 1002, 3000, 0);
  may("masked named group", "r", 1002, 2000, 0);
  may("other is not masked", "r", 1002, 1, 0);
  chmod("r", 0607);
  may("no bits: named", "r", 1000, 1, 0);
  may("no bits: group", "r", 1002, 3000, 0);
  may("no bits: named group", "r", 1002, 2000, 0);
  may("no bits: other", "r", 1002, 1, 0);
  mkdir("closed", 0700);
  close(file("closed/f", "x"));
  may("behind a closed directory", "closed/f", 1000, 1, 0);
  set("closed", ACCESS, "u:7 u1000:1 g:0 m:1 o:0");
  may("behind an open one", "closed/f", 1000, 1, 0);
  CHILD("making", become(1000, 1, 0); R("no", open("closed/new", O_CREAT | O_WRONLY, 0600)));
  set("closed", ACCESS, "u:7 u1000:3 g:0 m:3 o:0");
  CHILD("making", become(1000, 1, 0); OK("yes", open("closed/new", O_CREAT | O_WRONLY, 0600)));
}

static void heirs(void) {
  mkdir("d", 0755);
  R("default", set("d", DEFAULT, "u:7 u1000:6 g:5 m:7 o:4"));
  mode("mode of d", "d");
  show("access of d", "d", ACCESS);
  show("default of d", "d", DEFAULT);
  umask(077);
  close(open("d/f", O_CREAT | O_WRONLY, 0666));
  mode("file", "d/f");
  show("file's", "d/f", ACCESS);
  show("file's default", "d/f", DEFAULT);
  close(open("d/g", O_CREAT | O_WRONLY, 0600));
  mode("private file", "d/g");
  show("private file's", "d/g", ACCESS);
  mkdir("d/d", 0777);
  mode("directory", "d/d");
  show("directory's", "d/d", ACCESS);
  show("directory's default", "d/d", DEFAULT);
  mkdir("d/d/e", 0711);
  show("below", "d/d/e", ACCESS);
  show("below's default", "d/d/e", DEFAULT);
  mknod("d/p", S_IFIFO | 0666, 0);
  mode("fifo", "d/p");
  show("fifo's", "d/p", ACCESS);
  symlink("f", "d/l");
  mode("link", "d/l");
  R("link's", lgetxattr("d/l", ACCESS, NULL, 0));
  int fd = open("d", O_TMPFILE | O_RDWR, 0660);
  struct stat s;
  fstat(fd, &s);
  OCT("unnamed", s.st_mode);
  R("unnamed's", fgetxattr(fd, ACCESS, NULL, 0));
  link("f", "d/linked");
  show("a linked file's", "d/linked", ACCESS);
  R("moved in", rename("m", "d/m"));
  show("moved file's", "d/m", ACCESS);
  R("default like a mode", set("d", DEFAULT, "u:7 g:5 o:4"));
  close(open("d/h", O_CREAT | O_WRONLY, 0666));
  mode("file of it", "d/h");
  show("its list", "d/h", ACCESS);
  mkdir("d/i", 0777);
  mode("directory of it", "d/i");
  show("its default", "d/i", DEFAULT);
  char b[200];
  NUM("list", listxattr("d", b, sizeof b));
  set("d", ACCESS, "u:7 u1000:7 g:5 m:7 o:0");
  NUM("list of both", listxattr("d", b, sizeof b));
  const char *second = b + strlen(b) + 1; /* in any order */
  YES("both are listed", (!strcmp(b, ACCESS) && !strcmp(second, DEFAULT)) || (!strcmp(b, DEFAULT) && !strcmp(second, ACCESS)));
  R("remove default", removexattr("d", DEFAULT));
  close(open("d/j", O_CREAT | O_WRONLY, 0666));
  mode("umask again", "d/j");
  chmod("d", 02775);
  set("d", DEFAULT, "u:7 u1000:6 g:5 m:7 o:4");
  chown("d", 0, 5000);
  mkdir("d/k", 0777);
  mode("set-group-id", "d/k");
  umask(022);
}

int main(void) {
  unshare(CLONE_NEWNS);
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  scratch_dir();
  chmod(".", 0755);
  forms();
  modes();
  rights();
  heirs();
  puts("(tmpfs): 1");
  mkdir("t", 0755);
  R("mount", mount("none", "t", "tmpfs", 0, "mode=755"));
  chdir("t");
  forms();
  modes();
  rights();
  heirs();
  R("read-only", mount(NULL, ".", NULL, MS_REMOUNT | MS_RDONLY | MS_BIND, NULL));
  return 0;
}
