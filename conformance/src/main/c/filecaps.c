/* File capabilities and set-id programs at execve, and handles of files. */
#include "conf.h"
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

static void copy_self(const char *to) {
  char b[65536];
  int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_CREAT | O_TRUNC | O_WRONLY, 0755);
  for (long n; (n = read(in, b, sizeof b)) > 0;) write(out, b, n);
  close(in);
  close(out);
}
static void caps(const char *path, unsigned permitted, unsigned inheritable, int effective) {
  struct vfs_cap_data d = {0};
  d.magic_etc = VFS_CAP_REVISION_2 | (effective ? VFS_CAP_FLAGS_EFFECTIVE : 0);
  d.data[0].permitted = permitted;
  d.data[0].inheritable = inheritable;
  R("setxattr", setxattr(path, "security.capability", &d, sizeof d, 0));
}
static void show(void) {
  FILE *f = fopen("/proc/self/status", "r");
  char b[256];
  while (fgets(b, sizeof b, f))
    if (!strncmp(b, "CapPrm", 6) || !strncmp(b, "CapEff", 6) || !strncmp(b, "CapAmb", 6))
      printf("%.6s: %llx\n", b, strtoull(b + 7, NULL, 16) & (1 << CAP_CHOWN | 1 << CAP_KILL | 1 << CAP_NET_RAW)); /* bounding sets differ */
    else if (!strncmp(b, "Uid", 3)) printf("%s", b);
  fclose(f);
}
static void run(const char *name, int nnp) {
  CHILD(name, {
    setresgid(1000, 1000, 1000);
    setresuid(1000, 1000, 1000);
    if (nnp) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    execl("./prog", "prog", "show", NULL);
    printf("exec: %s\n", err_name(errno));
  });
}

int main(int argc, char **argv) {
  if (argc > 1) {
    show();
    return 0;
  }
  unshare(CLONE_NEWNS);
  mkdir("t", 0755);
  R("tmpfs", mount("none", "t", "tmpfs", 0, "mode=755"));
  chdir("t");
  copy_self("prog");
  run("plain", 0);
  caps("prog", 1 << CAP_NET_RAW, 0, 1);
  run("effective", 0);
  run("no new privileges", 1);
  caps("prog", 1 << CAP_NET_RAW | 1 << CAP_CHOWN, 0, 0);
  run("permitted only", 0);
  caps("prog", 0, 1 << CAP_KILL, 1);
  run("inheritable alone", 0);
  CHILD("bounding set", {
    prctl(PR_CAPBSET_DROP, CAP_NET_RAW, 0, 0, 0);
    caps("prog", 1 << CAP_NET_RAW, 0, 1);
    setresuid(1000, 1000, 1000);
    execl("./prog", "prog", "show", NULL);
    printf("exec: %s\n", err_name(errno));
  });
  CHILD("root", execl("./prog", "prog", "show", NULL));
  R("removed", removexattr("prog", "security.capability"));
  chmod("prog", 04755);
  run("set-user-id", 0);
  run("set-user-id without", 1);
  struct {
    struct file_handle h;
    char b[128];
  } h;
  int id;
  put_file("f", "text");
  h.h.handle_bytes = 0;
  R("small handle", name_to_handle_at(AT_FDCWD, "f", &h.h, &id, 0));
  T("says how much", h.h.handle_bytes > 0 && h.h.handle_bytes <= 128);
  h.h.handle_bytes = 200;
  R("large handle", name_to_handle_at(AT_FDCWD, "f", &h.h, &id, 0));
  h.h.handle_bytes = 128;
  R("handle", name_to_handle_at(AT_FDCWD, "f", &h.h, &id, 0));
  R("flags", name_to_handle_at(AT_FDCWD, "f", &h.h, &id, 1 << 20));
  R("of proc", name_to_handle_at(AT_FDCWD, "/proc/self/fd/1", &h.h, &id, 0));
  h.h.handle_bytes = 128;
  name_to_handle_at(AT_FDCWD, "f", &h.h, &id, 0);
  int fd = open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY);
  OK("open", fd);
  char c = 0;
  R("read", read(fd, &c, 1));
  close(fd);
  rename("f", "g");
  OK("after rename", open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY));
  R("bad mount fd", open_by_handle_at(NOFD, &h.h, O_RDONLY));
  h.h.handle_bytes = 0;
  R("no bytes", open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY));
  CHILD("rights", h.h.handle_bytes = 8; setresuid(5, 5, 5); R("open", open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY)));
  return 0;
}
