/* landlock(7): rulesets, rules, and what a task may do once it has restricted itself. */
#include "conf.h"
#include <linux/landlock.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#define create(a, s, f) syscall(444, a, s, f)
#define add(r, t, a, f) syscall(445, r, t, a, f)
#define restrict_self(r, f) syscall(446, r, f)
#define ABI1 ((1ULL << 13) - 1)

static int ruleset(uint64_t handled) {
  struct landlock_ruleset_attr a = {.handled_access_fs = handled};
  return create(&a, 8, 0);
}
static long allow(int r, const char *path, uint64_t access) {
  int fd = open(path, O_PATH);
  struct landlock_path_beneath_attr b = {.allowed_access = access, .parent_fd = fd};
  long e = add(r, LANDLOCK_RULE_PATH_BENEATH, &b, 0);
  int n = errno;
  close(fd);
  errno = n;
  return e;
}

static void errors(void) {
  T("version", create(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 3);
  R("version with attr", create(BAD, 8, LANDLOCK_CREATE_RULESET_VERSION));
  R("flags", create(NULL, 0, 64));
  struct landlock_ruleset_attr a = {.handled_access_fs = ABI1};
  R("small", create(&a, 4, 0));
  R("fault", create(BAD, 8, 0));
  R("large", create(&a, 5000, 0));
  a.handled_access_fs = 1ULL << 60;
  R("unknown right", create(&a, 8, 0));
  a.handled_access_fs = 0;
  R("nothing", create(&a, 8, 0));
  int r = ruleset(ABI1);
  OK("create", r);
  V("cloexec", fcntl(r, F_GETFD));
  struct landlock_path_beneath_attr b = {.allowed_access = 1, .parent_fd = NOFD};
  R("flags", add(r, 1, &b, 1));
  R("no ruleset", add(NOFD, 1, &b, 0));
  R("another file", add(0, 1, &b, 0));
  R("rule type", add(r, 99, &b, 0));
  R("fault", add(r, 1, BAD, 0));
  R("no parent", add(r, 1, &b, 0));
  b.parent_fd = open(".", O_PATH);
  b.allowed_access = 0;
  R("no access", add(r, 1, &b, 0));
  b.allowed_access = 1 << 13;
  R("not handled", add(r, 1, &b, 0));
  b.allowed_access = LANDLOCK_ACCESS_FS_READ_DIR;
  b.parent_fd = open("in/f", O_PATH);
  R("directory right on a file", add(r, 1, &b, 0));
  b.parent_fd = r;
  R("ruleset as parent", add(r, 1, &b, 0));
  R("restrict flags", restrict_self(r, 1 << 14));
  R("restrict nothing", restrict_self(NOFD, 0));
  R("restrict other", restrict_self(0, 0));
  setresuid(7, 7, 7);
  R("without rights", restrict_self(r, 0));
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  R("with no_new_privs", restrict_self(r, 0));
}

static void files(void) {
  int r = ruleset(ABI1);
  R("read in", allow(r, "in", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR));
  R("write in/w", allow(r, "in/w", LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR));
  R("restrict", restrict_self(r, 0));
  OK("read allowed", open("in/f", O_RDONLY));
  R("write refused", open("in/f", O_WRONLY));
  R("read refused", open("out/f", O_RDONLY));
  OK("path only", open("out/f", O_PATH));
  R("stat", access("out/f", F_OK));
  OK("list allowed", open("in", O_RDONLY | O_DIRECTORY));
  R("list refused", open("out", O_RDONLY | O_DIRECTORY));
  OK("create allowed", open("in/w/new", O_CREAT | O_RDWR, 0600));
  R("create refused", open("in/new", O_CREAT | O_RDWR, 0600));
  R("mkdir allowed", mkdir("in/w/d", 0700));
  R("mkdir refused", mkdir("out/d", 0700));
  R("unlink allowed", unlink("in/w/new"));
  R("unlink refused", unlink("in/f"));
  R("rmdir refused", rmdir("in/w/d"));
  R("symlink refused", symlink("x", "in/w/s"));
  R("mkfifo refused", mknod("in/w/p", S_IFIFO | 0600, 0));
  R("rename within", (close(open("in/w/a", O_CREAT | O_RDWR, 0600)), rename("in/w/a", "in/w/b")));
  R("rename across", rename("in/w/b", "in/b"));
  R("rename out", rename("in/w/b", "out/b"));
  R("link within", link("in/w/b", "in/w/c"));
  R("link across", link("in/w/b", "in/c"));
  R("truncate not handled", truncate("in/f", 1));
  R("mount", mount("none", "in", "tmpfs", 0, NULL));
  R("exec refused", execl("/bin/true", "true", NULL));
  CHILD("child", R("read refused", open("out/f", O_RDONLY)));
  int r2 = ruleset(LANDLOCK_ACCESS_FS_READ_FILE);
  R("another layer", restrict_self(r2, 0));
  R("read refused now", open("in/f", O_RDONLY));
  OK("write still", open("in/w/b", O_WRONLY));
}

static void refer(void) {
  int r = ruleset(ABI1 | LANDLOCK_ACCESS_FS_REFER | (1 << 14));
  allow(r, ".", ABI1 | LANDLOCK_ACCESS_FS_REFER);
  R("restrict", restrict_self(r, 0));
  R("rename across", rename("in/w/b", "out/b"));
  R("link across", link("out/b", "in/z"));
  R("truncate refused", truncate("in/f", 1));
  R("open with O_TRUNC", open("in/f", O_WRONLY | O_TRUNC));
  R("without", open("in/f", O_WRONLY) < 0);
}

static void layers(void) {
  int n = 0;
  int r = ruleset(1);
  while (restrict_self(r, 0) == 0) n++;
  V("layers", n);
  S("then", err_name(errno));
}

int main(void) {
  mkdir("in", 0755);
  mkdir("in/w", 0755);
  mkdir("out", 0755);
  put_file("in/f", "text");
  put_file("out/f", "text");
  CHILD("errors", errors());
  CHILD("files", files());
  CHILD("refer", refer());
  CHILD("layers", layers());
  return 0;
}
