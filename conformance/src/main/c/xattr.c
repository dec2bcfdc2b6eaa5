#include "check.h"
#include <sys/xattr.h>

int main(void) {
  scratch_dir();
  int fd = file("f", "x");
  mkdir("d", 0755);
  symlink("f", "l");
  mkfifo("p", 0666);
  char b[64], name[300], *big = malloc(70000);
  R("trusted set", setxattr("f", "trusted.one", "value", 5, 0));
  R("trusted get", getxattr("f", "trusted.one", b, 64));
  R("size only", getxattr("f", "trusted.one", NULL, 0));
  R("too small", getxattr("f", "trusted.one", b, 4));
  R("missing", getxattr("f", "trusted.none", b, 64));
  R("create exists", setxattr("f", "trusted.one", "v", 1, XATTR_CREATE));
  R("replace missing", setxattr("f", "trusted.two", "v", 1, XATTR_REPLACE));
  R("replace", setxattr("f", "trusted.one", "longer value", 12, XATTR_REPLACE));
  R("bad flags", setxattr("f", "trusted.x", "v", 1, 8));
  R("empty name", setxattr("f", "", "v", 1, 0));
  R("no namespace", setxattr("f", "plain", "v", 1, 0));
  R("unknown namespace", setxattr("f", "strange.x", "v", 1, 0));
  memset(name, 'n', 299);
  memcpy(name, "trusted.", 8);
  name[256] = 0;
  R("name too long", setxattr("f", name, "v", 1, 0));
  R("value too big", setxattr("f", "trusted.big", big, 65537, 0));
  R("empty value", setxattr("f", "trusted.empty", "", 0, 0));
  R("get empty", getxattr("f", "trusted.empty", b, 64));
  R("bad value", setxattr("f", "trusted.x", BAD, 10, 0));
  R("bad path", setxattr("none", "trusted.x", "v", 1, 0));
  R("fget", fgetxattr(fd, "trusted.one", b, 64));
  R("fset", fsetxattr(fd, "trusted.three", "3", 1, 0));
  R("bad fd", fsetxattr(99, "trusted.three", "3", 1, 0));
  R("O_PATH", fgetxattr(open("f", O_PATH), "trusted.one", b, 64));
  R("follow", getxattr("l", "trusted.one", b, 64));
  R("lget", lgetxattr("l", "trusted.one", b, 64));
  R("lset on link", lsetxattr("l", "trusted.l", "v", 1, 0));
  R("lget on link", lgetxattr("l", "trusted.l", b, 64));
  R("directory", setxattr("d", "trusted.d", "v", 1, 0));
  R("user on fifo", setxattr("p", "user.x", "v", 1, 0));
  R("get user on fifo", getxattr("p", "user.x", b, 64));
  R("list size", listxattr("f", NULL, 0));
  R("list small", listxattr("f", b, 4));
  R("remove", removexattr("f", "trusted.one"));
  R("remove again", removexattr("f", "trusted.one"));
  R("lremove", lremovexattr("l", "trusted.l"));
  R("fremove", fremovexattr(fd, "trusted.three"));
  R("list after", listxattr("f", b, 64));
  R("flist", flistxattr(fd, b, 64));
  CHILD("unprivileged", {
    chmod("f", 0644);
    setresuid(1000, 1000, 1000);
    R("  trusted set", setxattr("f", "trusted.x", "v", 1, 0));
    R("  trusted get", getxattr("f", "trusted.empty", b, 64));
    R("  security set", setxattr("f", "security.x", "v", 1, 0));
    R("  capability", setxattr("f", "security.capability", "v", 1, 0));
    R("  list", listxattr("f", b, 64));
  });
  return 0;
}
