/* fanotify(7): errors, events by descriptor and by handle, ignore masks, questions and their answers. */
#include "check.h"
#include <linux/fanotify.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/wait.h>

static char base[4096];

static int init(unsigned flags, unsigned file) { return syscall(SYS_fanotify_init, flags, file); }
static int mark(int fd, unsigned flags, uint64_t mask, int dirfd, const char *path) {
  return syscall(SYS_fanotify_mark, fd, flags, mask, dirfd, path);
}

static const char *tail(const char *p) { return strncmp(p, base, strlen(base)) ? "elsewhere" : p + strlen(base); }

/* Handles seen, to print equal ones equally. */
static struct { unsigned char h[128]; int n; const char *name; } known[64];
static int nknown;
static const char *handle(const struct file_handle *fh) {
  for (int i = 0; i < nknown; i++)
    if (known[i].n == (int)fh->handle_bytes && !memcmp(known[i].h, fh->f_handle, fh->handle_bytes)) return known[i].name;
  return "unknown";
}
static void learn(const char *path) {
  struct { struct file_handle h; unsigned char b[128]; } f = {.h.handle_bytes = 128};
  int id;
  if (name_to_handle_at(AT_FDCWD, path, &f.h, &id, 0) < 0) { report("name_to_handle_at", -1); return; }
  known[nknown].n = f.h.handle_bytes;
  memcpy(known[nknown].h, f.h.f_handle, f.h.handle_bytes);
  known[nknown++].name = path;
}

static void drain(const char *what, int fan) {
  char b[65536] __attribute__((aligned(8)));
  struct statfs sf;
  statfs(".", &sf);
  for (;;) {
    ssize_t n = read(fan, b, sizeof b);
    if (n < 0) {
      if (errno != EAGAIN) report(what, -1);
      break;
    }
    for (char *p = b; p < b + n;) {
      struct fanotify_event_metadata *e = (void *)p;
      char link[64], path[4096] = "-";
      if (e->fd >= 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", e->fd);
        ssize_t l = readlink(link, path, sizeof path - 1);
        path[l < 0 ? 0 : l] = 0;
        close(e->fd);
      }
      printf("%s: mask %llx fd %s pid %s v%d %d", what, (unsigned long long)e->mask, e->fd >= 0 ? tail(path) : "none",
             e->pid == getpid() ? "self" : e->pid ? "other" : "0", e->vers, e->metadata_len);
      char *q = p + e->metadata_len;
      while (q < p + e->event_len) {
        struct fanotify_event_info_header *h = (void *)q;
        if (h->info_type == FAN_EVENT_INFO_TYPE_PIDFD) {
          int pfd = *(int *)(q + 4);
          printf(" pidfd %s", pfd >= 0 ? "open" : "none");
          if (pfd >= 0) close(pfd);
        } else {
          struct fanotify_event_info_fid *f = (void *)q;
          struct file_handle *fh = (void *)f->handle;
          printf(" [%d %s fs %s", h->info_type, handle(fh), memcmp(&f->fsid, &sf.f_fsid, 8) ? "other" : "same");
          char *name = (char *)fh->f_handle + fh->handle_bytes;
          if (h->info_type == FAN_EVENT_INFO_TYPE_DFID_NAME || h->info_type == 10 || h->info_type == 12) printf(" %s", name);
          printf("]");
        }
        q += h->len;
      }
      printf("\n");
      p += e->event_len;
    }
  }
  printf("%s: end\n", what);
}

static void touch_all(void) {
  int fd = open("d/f", O_RDWR);
  char c[4];
  if (read(fd, c, 1) != 1 || write(fd, "x", 1) != 1) perror("touch");
  close(fd);
}

static void errors(void) {
  R("unknown init flag", init(0x80000000, 0));
  R("two classes", init(FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT, 0));
  R("bad access mode", init(0, 3));
  R("bad file flag", init(0, O_CREAT));
  R("fid and content", init(FAN_CLASS_CONTENT | FAN_REPORT_FID | FAN_REPORT_TARGET_FID, 0));
  R("name alone", init(FAN_REPORT_NAME, 0));
  R("target alone", init(FAN_REPORT_TARGET_FID, 0));
  R("pidfd and tid", init(FAN_REPORT_PIDFD | FAN_REPORT_TID, 0));
  int fan = init(FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY);
  R("getfl", fcntl(fan, F_GETFL) & (O_NONBLOCK | O_ACCMODE));
  R("getfd", fcntl(fan, F_GETFD));
  R("no mask", mark(fan, FAN_MARK_ADD, 0, AT_FDCWD, "d"));
  R("no command", mark(fan, 0, FAN_OPEN, AT_FDCWD, "d"));
  R("two commands", mark(fan, FAN_MARK_ADD | FAN_MARK_REMOVE, FAN_OPEN, AT_FDCWD, "d"));
  R("two types", mark(fan, FAN_MARK_ADD | FAN_MARK_MOUNT | FAN_MARK_FILESYSTEM, FAN_OPEN, AT_FDCWD, "d"));
  R("high mask", mark(fan, FAN_MARK_ADD, 1ull << 40, AT_FDCWD, "d"));
  R("unknown mask", mark(fan, FAN_MARK_ADD, 1 << 21, AT_FDCWD, "d"));
  R("flush with more", mark(fan, FAN_MARK_FLUSH | FAN_MARK_ONLYDIR, 0, AT_FDCWD, "d"));
  R("bad fd", mark(99, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "d"));
  R("not fanotify", mark(0, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "d"));
  R("perm in notif", mark(fan, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, "d"));
  R("create without fid", mark(fan, FAN_MARK_ADD, FAN_CREATE, AT_FDCWD, "d"));
  R("missing", mark(fan, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "nope"));
  R("only dir", mark(fan, FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_OPEN, AT_FDCWD, "d/f"));
  R("null path bad fd", mark(fan, FAN_MARK_ADD, FAN_OPEN, 99, NULL));
  R("remove none", mark(fan, FAN_MARK_REMOVE, FAN_OPEN, AT_FDCWD, "d"));
  R("both ignores", mark(fan, FAN_MARK_ADD | FAN_MARK_IGNORE | FAN_MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "d"));
  R("ignore dir", mark(fan, FAN_MARK_ADD | FAN_MARK_IGNORE, FAN_OPEN, AT_FDCWD, "d"));
  R("ignore mount", mark(fan, FAN_MARK_ADD | FAN_MARK_IGNORE | FAN_MARK_MOUNT, FAN_OPEN, AT_FDCWD, "d"));
  R("evictable mount", mark(fan, FAN_MARK_ADD | FAN_MARK_EVICTABLE | FAN_MARK_MOUNT, FAN_OPEN, AT_FDCWD, "d"));
  R("fs error", mark(fan, FAN_MARK_ADD, FAN_FS_ERROR, AT_FDCWD, "d"));
  R("rename", mark(fan, FAN_MARK_ADD, FAN_RENAME, AT_FDCWD, "d"));
  int p[2];
  if (pipe(p) == 0) R("mount of a pipe", mark(fan, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, p[0], NULL));
  char b[8] = {0};
  R("read empty", read(fan, b, sizeof b));
  R("read small", read(fan, b, 8));
  R("write short", write(fan, b, 4));
  R("write nothing", write(fan, b, 8));
  R("lseek", lseek(fan, 0, SEEK_SET));
  close(fan);
}

static void by_fd(void) {
  int fan = init(FAN_NONBLOCK, O_RDONLY);
  R("mark file", mark(fan, FAN_MARK_ADD, FAN_OPEN | FAN_ACCESS | FAN_MODIFY | FAN_CLOSE, AT_FDCWD, "d/f"));
  struct pollfd pf = {fan, POLLIN | POLLOUT, 0};
  R("poll empty", poll(&pf, 1, 0));
  touch_all();
  R("poll full", poll(&pf, 1, 0) * 100 + pf.revents);
  int n = 0;
  R("fionread", ioctl(fan, FIONREAD, &n));
  NUM("bytes", n);
  char small[8];
  R("too small", read(fan, small, sizeof small));
  drain("file", fan);
  touch_all();
  int fd = open("d/f", O_RDONLY);
  close(fd);
  drain("merged", fan);
  R("truncate", truncate("d/f", 3));
  drain("truncate", fan);
  R("remove some", mark(fan, FAN_MARK_REMOVE, FAN_OPEN | FAN_CLOSE, AT_FDCWD, "d/f"));
  touch_all();
  drain("less", fan);
  R("remove rest", mark(fan, FAN_MARK_REMOVE, FAN_ACCESS | FAN_MODIFY, AT_FDCWD, "d/f"));
  R("remove again", mark(fan, FAN_MARK_REMOVE, FAN_ACCESS, AT_FDCWD, "d/f"));
  R("mark dir", mark(fan, FAN_MARK_ADD, FAN_OPEN | FAN_CLOSE, AT_FDCWD, "d"));
  touch_all();
  close(open("d", O_RDONLY | O_DIRECTORY));
  drain("dir without children", fan);
  R("children", mark(fan, FAN_MARK_ADD, FAN_OPEN | FAN_EVENT_ON_CHILD, AT_FDCWD, "d"));
  touch_all();
  close(open("d", O_RDONLY | O_DIRECTORY));
  drain("dir with children", fan);
  R("ondir", mark(fan, FAN_MARK_ADD, FAN_ONDIR | FAN_ACCESS, AT_FDCWD, "d"));
  close(open("d", O_RDONLY | O_DIRECTORY));
  close(open("d/sub", O_RDONLY | O_DIRECTORY));
  drain("ondir", fan);
  R("ignored", mark(fan, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN | FAN_CLOSE_WRITE, AT_FDCWD, "d/f"));
  close(open("d/f", O_RDONLY));
  drain("ignored", fan);
  touch_all();
  drain("ignored, modified", fan);
  close(open("d/f", O_RDONLY));
  drain("ignored no more", fan);
  R("survives", mark(fan, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY, FAN_OPEN, AT_FDCWD, "d/f"));
  touch_all();
  drain("survives", fan);
  touch_all();
  drain("survives still", fan);
  fd = open("d/f", O_RDWR);
  R("ignored while written", mark(fan, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "d/f"));
  close(fd);
  R("flush inodes", mark(fan, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL));
  drain("flush", fan);
  touch_all();
  drain("flushed", fan);
  R("mark mount", mark(fan, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN | FAN_OPEN_EXEC | FAN_CLOSE_WRITE, AT_FDCWD, "."));
  touch_all();
  CHILD("child", touch_all());
  drain("mount", fan);
  R("ignore below", mark(fan, FAN_MARK_ADD | FAN_MARK_IGNORE | FAN_MARK_IGNORED_SURV_MODIFY, FAN_OPEN | FAN_EVENT_ON_CHILD, AT_FDCWD, "d"));
  touch_all();
  drain("ignore below", fan);
  R("old ignore after new", mark(fan, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "d"));
  R("flush mounts", mark(fan, FAN_MARK_FLUSH | FAN_MARK_MOUNT, 0, AT_FDCWD, "."));
  R("mark fs", mark(fan, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_CLOSE_NOWRITE, AT_FDCWD, "."));
  close(open("g", O_RDONLY | O_CREAT, 0600));
  drain("fs", fan);
  unlink("g");
  close(fan);
}

static void by_handle(void) {
  nknown = 0;
  learn(".");
  learn("d");
  learn("d/f");
  learn("d/sub");
  static const struct { const char *name; unsigned flags; } modes[] = {
      {"fid", FAN_REPORT_FID}, {"dfid", FAN_REPORT_DIR_FID}, {"dfid name", FAN_REPORT_DIR_FID | FAN_REPORT_NAME},
      {"fid dfid name", FAN_REPORT_FID | FAN_REPORT_DIR_FID | FAN_REPORT_NAME},
      {"pidfd", FAN_REPORT_FID | FAN_REPORT_PIDFD}};
  for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) {
    int fan = init(FAN_NONBLOCK | modes[i].flags, O_RDONLY);
    char name[64];
    snprintf(name, sizeof name, "%s: mark", modes[i].name);
    uint64_t all = FAN_OPEN | FAN_CLOSE | FAN_MODIFY | FAN_ATTRIB | FAN_CREATE | FAN_DELETE | FAN_MOVE | FAN_ONDIR | FAN_EVENT_ON_CHILD | FAN_DELETE_SELF | FAN_MOVE_SELF;
    R(name, mark(fan, FAN_MARK_ADD, all, AT_FDCWD, "d"));
    touch_all();
    drain(modes[i].name, fan);
    close(open("d", O_RDONLY | O_DIRECTORY));
    chmod("d/f", 0600);
    drain(modes[i].name, fan);
    mkdir("d/new", 0700);
    drain(modes[i].name, fan);
    rename("d/new", "d/other");
    drain(modes[i].name, fan);
    rmdir("d/other");
    drain(modes[i].name, fan);
    snprintf(name, sizeof name, "%s: mount", modes[i].name);
    R(name, mark(fan, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_CREATE, AT_FDCWD, "d"));
    close(fan);
  }
  int fan = init(FAN_NONBLOCK | FAN_REPORT_DFID_NAME, O_RDONLY);
  R("rename mark", mark(fan, FAN_MARK_ADD, FAN_RENAME | FAN_ONDIR, AT_FDCWD, "d"));
  R("rename on a file", mark(fan, FAN_MARK_ADD, FAN_RENAME, AT_FDCWD, "d/f"));
  rename("d/f", "d/f2");
  drain("rename", fan);
  rename("d/f2", "d/f");
  drain("rename back", fan);
  close(fan);
  fan = init(FAN_NONBLOCK | FAN_REPORT_FID, O_RDONLY);
  close(open("e", O_CREAT | O_RDONLY, 0600));
  learn("e");
  R("mark e", mark(fan, FAN_MARK_ADD, FAN_DELETE_SELF | FAN_ATTRIB, AT_FDCWD, "e"));
  unlink("e");
  drain("delete self", fan);
  R("proc mark", mark(fan, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN, AT_FDCWD, "/proc/self"));
  close(fan);
}

static void answer(int fan, int n, unsigned how) {
  for (int i = 0; i < n; i++) {
    struct fanotify_event_metadata e;
    if (read(fan, &e, sizeof e) != sizeof e) { report("question", -1); return; }
    printf("question: mask %llx\n", (unsigned long long)e.mask);
    struct fanotify_response r = {.fd = e.fd, .response = 7};
    if (i == 0) {
      R("bad answer", write(fan, &r, sizeof r));
      r.response = FAN_ALLOW | FAN_AUDIT;
      R("audit", write(fan, &r, sizeof r));
      r.fd = 77;
      r.response = how;
      R("bad descriptor", write(fan, &r, sizeof r));
      r.fd = e.fd;
    }
    r.response = how;
    R("answer", write(fan, &r, sizeof r));
    close(e.fd);
  }
}

static void noop(int s) { (void)s; }

static void questions(void) {
  int fan = init(FAN_CLASS_CONTENT, O_RDONLY);
  R("mark perm", mark(fan, FAN_MARK_ADD, FAN_OPEN_PERM | FAN_ACCESS_PERM, AT_FDCWD, "d/f"));
  R("perm on proc", mark(fan, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN_PERM, AT_FDCWD, "/proc"));
  for (int k = 0; k < 2; k++) {
    fflush(stdout);
    pid_t p = fork();
    if (p == 0) {
      int fd = open("d/f", O_RDONLY);
      if (fd < 0) _exit(errno == EPERM ? 1 : 2);
      char c;
      _exit(read(fd, &c, 1) == 1 ? 0 : 3);
    }
    answer(fan, k == 0 ? 2 : 1, k == 0 ? FAN_ALLOW : FAN_DENY);
    int st;
    waitpid(p, &st, 0);
    NUM("reader's end", WIFEXITED(st) ? WEXITSTATUS(st) : 1000 + WTERMSIG(st));
  }
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    signal(SIGUSR1, noop);
    _exit(open("d/f", O_RDONLY) < 0 ? errno : 0);
  }
  struct fanotify_event_metadata e;
  R("question before a signal", read(fan, &e, sizeof e));
  kill(p, SIGUSR1);
  usleep(50000);
  R("still waits", waitpid(p, NULL, WNOHANG));
  kill(p, SIGKILL);
  int st;
  waitpid(p, &st, 0);
  NUM("killed by", WTERMSIG(st));
  close(e.fd);
  p = fork();
  if (p == 0) {
    close(fan);
    _exit(open("d/f", O_RDONLY) < 0 ? errno : 0);
  }
  R("question before the end", read(fan, &e, sizeof e));
  close(fan);
  waitpid(p, &st, 0);
  NUM("allowed by the end", WEXITSTATUS(st));
}

static void rights(void) {
  if (setuid(65534) < 0) perror("setuid");
  R("classic", init(0, O_RDONLY));
  R("content", init(FAN_CLASS_CONTENT, O_RDONLY));
  int fan = init(FAN_REPORT_FID | FAN_NONBLOCK, O_RDONLY);
  YES("handles", fan >= 0);
  R("unlimited", init(FAN_REPORT_FID | FAN_UNLIMITED_QUEUE, O_RDONLY));
  R("mount", mark(fan, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, AT_FDCWD, "d"));
  R("inode", mark(fan, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "d/f"));
}

int main(void) {
  scratch_dir();
  chmod(".", 0755);
  if (getcwd(base, sizeof base) == NULL) return 2;
  mkdir("d", 0755);
  mkdir("d/sub", 0755);
  file("d/f", "hello");
  errors();
  by_fd();
  by_handle();
  chmod("d/f", 0644);
  questions();
  CHILD("rights", rights());
  return 0;
}
