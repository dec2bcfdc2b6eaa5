#include "container.h"

enum { PATH = 4096 };

static int sync_fd;

__attribute__((noreturn, format(printf, 2, 3))) static void fail(long error, const char *form, ...) {
  struct sync_message m = {.kind = 'E', .number = -error};
  va_list args;
  va_start(args, form);
  vformat(m.text, sizeof m.text, form, args);
  va_end(args);
  send_sync(sync_fd, &m, -1);
  sys(exit_group, 127);
  __builtin_unreachable();
}

// ---- the sync socket ----------------------------------------------------------------------------

struct message_header {
  void *name;
  int name_length;
  struct iovec *iov;
  size_t iov_length;
  void *control;
  size_t control_length;
  int flags;
};

struct control {
  size_t length;
  int level, type;
  int fd, padding;
};

long send_sync(int socket, struct sync_message *m, int fd) {
  struct iovec iov = {m, sizeof *m};
  struct control c = {sizeof(size_t) + 12, SOL_SOCKET, SCM_RIGHTS, fd, 0};
  struct message_header h = {0, 0, &iov, 1, fd < 0 ? 0 : &c, fd < 0 ? 0 : sizeof c, 0};
  return sys(sendmsg, socket, &h, MSG_NOSIGNAL);
}

long receive_sync(int socket, struct sync_message *m, int *fd) {
  struct iovec iov = {m, sizeof *m};
  struct control c = {0};
  struct message_header h = {0, 0, &iov, 1, &c, sizeof c, 0};
  long n = sys(recvmsg, socket, &h, MSG_DONTWAIT | 0x40000000 /* MSG_CMSG_CLOEXEC */);
  *fd = n > 0 && h.control_length >= sizeof(size_t) + 12 && c.type == SCM_RIGHTS ? c.fd : -1;
  if (n > 0 && n != sizeof *m) return -EPROTO;
  if (n > 0) m->text[sizeof m->text - 1] = 0;
  return n;
}

static void wait_byte(void) {
  char byte;
  long n;
  while ((n = sys(read, sync_fd, &byte, 1)) == -EINTR) {}
  if (n != 1) sys(exit_group, 127);
}

// ---- paths below the new root -------------------------------------------------------------------

static int root_fd;

static long open_inside(const char *path, int flags) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  return sys(openat2, root_fd, path, &how, sizeof how);
}

// Opens a path of the container, making what is missing of it: directories, and a file at the end on request.
static long make_inside(const char *path, int directory) {
  char part[PATH];
  long fd = open_inside(path, O_PATH);
  if (fd >= 0 || fd != -ENOENT) return fd;
  size_t n = strlen(path);
  if (n >= sizeof part) return -ENAMETOOLONG;
  for (size_t i = 1; i <= n; i++) {
    if (i < n && path[i] != '/') continue;
    memcpy(part, path, i);
    part[i] = 0;
    fd = open_inside(part, O_PATH);
    if (fd == -ENOENT) {
      size_t slash = i;
      while (slash > 0 && part[slash - 1] != '/') slash--;
      if (slash == i) continue;  // "//"
      part[slash ? slash - 1 : 0] = 0;
      long parent = open_inside(slash > 1 ? part : "/", O_PATH | O_DIRECTORY);
      if (parent < 0) return parent;
      long r;
      if (i < n || directory) {
        r = sys(mkdirat, parent, part + slash, 0755);
      } else {
        r = sys(openat, parent, part + slash, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (r >= 0) sys(close, r), r = 0;
      }
      sys(close, parent);
      if (r < 0 && r != -EEXIST) return r;
      memcpy(part, path, i);
      part[i] = 0;
      fd = open_inside(part, O_PATH);
    }
    if (fd < 0) return fd;
    if (i < n) sys(close, fd);
  }
  return fd >= 0 ? fd : open_inside(path, O_PATH);
}

static const char *fd_path(int fd) {
  static char path[32];
  format(path, sizeof path, "/proc/self/fd/%d", fd);
  return path;
}

// ---- mounts -------------------------------------------------------------------------------------

struct mount_config {
  char destination[PATH], type[32], source[PATH], attach[64], data[PATH];
  unsigned long flags;
  int overlay;
};

static void read_mount(struct wire w, struct mount_config *m) {
  memset(m, 0, sizeof *m);
  char option[PATH];
  while (wire_next(&w)) switch (w.tag) {
    case 1: wire_text(&w, m->destination, sizeof m->destination); break;
    case 2: wire_text(&w, m->type, sizeof m->type); break;
    case 3: wire_text(&w, m->source, sizeof m->source); break;
    case 4: wire_text(&w, m->attach, sizeof m->attach); break;
    case 5: m->flags = wire_number(&w); break;
    case 6:
      wire_text(&w, option, sizeof option);
      if (strlen(m->data) + strlen(option) + 2 > sizeof m->data) w.bad = 1;
      else format(m->data + strlen(m->data), sizeof m->data - strlen(m->data), m->data[0] ? ",%s" : "%s", option);
      break;
    case 7: m->overlay = wire_number(&w) != 0; break;
  }
  if (w.bad) fail(-EPROTO, "a mount of the container's configuration is malformed or too long");
}

static struct attach *find_attach(struct child_orders *o, const char *name) {
  for (int i = 0; i < o->attach_count; i++)
    if (streq(o->attaches[i].name, name)) return &o->attaches[i];
  fail(-ENOENT, "attach point %s", name);
}

static void mount_root(struct child_orders *o, struct mount_config *m) {
  char data[256];
  struct attach *a = find_attach(o, m->attach);
  long r = sys(mount, "none", "/", 0, MS_REC | MS_PRIVATE, 0);
  if (r >= 0) r = sys(mkdir, "/run/root", 0755);
  if (r == -EEXIST) r = 0;
  if (r < 0) fail(r, "preparing the container's mounts");
  format(data, sizeof data, "/run/fs/%d", a->index);
  if (m->overlay) {
    if ((r = sys(mount, "upper", "/run/root", "tmpfs", MS_NOSUID | MS_NODEV, "mode=700,size=100%")) < 0)
      fail(r, "mount a tmpfs for what the container writes");
    sys(mkdir, "/run/root/upper", 0755);
    sys(mkdir, "/run/root/work", 0700);
    sys(mkdir, "/run/root/merged", 0755);
    // The upper directory is the root's: it has the root's mode.
    struct stat_mode { uint64_t dev, ino, nlink; uint32_t mode, uid, gid, padding; uint64_t rest[14]; } st;
    if (sys(stat, data, &st) >= 0) {
      sys(chmod, "/run/root/upper", st.mode & 07777);
      sys(chown, "/run/root/upper", st.uid, st.gid);
    }
    format(data, sizeof data, "lowerdir=/run/fs/%d,upperdir=/run/root/upper,workdir=/run/root/work", a->index);
    if ((r = sys(mount, "overlay", "/run/root/merged", "overlay", 0, data)) < 0)
      fail(r, "mount the container's root as overlay");
    r = sys(chdir, "/run/root/merged");
  } else {
    if ((r = sys(mount, data, "/run/root", "", MS_BIND | MS_REC, 0)) < 0) fail(r, "bind the container's root");
    r = sys(chdir, "/run/root");
  }
  if (r < 0) fail(r, "chdir to the container's root");
  root_fd = open_file(".", O_PATH | O_DIRECTORY);
  if (root_fd < 0) fail(root_fd, "open the container's root");
}

static void make_devices(void) {
  static const struct { const char *name; int major, minor; } device[] = {
      {"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
  static const char *const link[][2] = {{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"},
      {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"}, {"/proc/kcore", "core"}, {"pts/ptmx", "ptmx"}};
  long dev = open_inside("/dev", O_PATH | O_DIRECTORY);
  if (dev < 0) return;
  for (unsigned i = 0; i < sizeof device / sizeof *device; i++) {
    sys(mknodat, dev, device[i].name, S_IFCHR | 0666, device[i].major << 8 | device[i].minor);
    sys(fchmodat, dev, device[i].name, 0666);
  }
  for (unsigned i = 0; i < sizeof link / sizeof *link; i++) sys(symlinkat, link[i][0], dev, link[i][1]);
  sys(close, dev);
}

static void mount_one(struct child_orders *o, struct mount_config *m) {
  enum { REMOUNT = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME };
  char source[64];
  long r;
  struct attach *a = streq(m->type, "gofer") ? find_attach(o, m->attach) : 0;
  long target = make_inside(m->destination, !a || a->is_directory);
  if (target < 0) fail(target, "mount point %s", m->destination);
  const char *path = fd_path(target);
  if (a) {
    format(source, sizeof source, "/run/fs/%d", a->index);
    if ((r = sys(mount, source, path, "", MS_BIND | MS_REC, 0)) < 0) fail(r, "bind at %s", m->destination);
    sys(close, target);
    if (m->flags & REMOUNT) {
      target = open_inside(m->destination, O_PATH);
      r = sys(mount, "", fd_path(target), "", MS_REMOUNT | MS_BIND | (m->flags & REMOUNT), 0);
      if (r < 0) fail(r, "remount %s", m->destination);
      sys(close, target);
    }
    return;
  }
  int devices = streq(m->type, "devtmpfs");
  const char *type = devices ? "tmpfs" : streq(m->type, "cgroup") ? "cgroup2" : m->type;
  const char *data = streq(type, "cgroup2") || streq(type, "sysfs") || streq(type, "proc") ? "" : m->data;
  r = sys(mount, m->source, path, type, m->flags, data);
  if (r == -EBUSY && streq(type, "sysfs")) r = 0;
  if (r < 0) fail(r, "mount %s at %s (options '%s')", type, m->destination, data);
  sys(close, target);
  if (devices) make_devices();
}

static void mask(const char *path) {
  long fd = open_inside(path, O_PATH);
  if (fd < 0) return;  // what is not there needs no mask
  long r = sys(mount, "/dev/null", fd_path(fd), "", MS_BIND, 0);
  if (r == -ENOTDIR) r = sys(mount, "tmpfs", fd_path(fd), "tmpfs", MS_RDONLY, "size=0k");
  if (r < 0) fail(r, "mask %s", path);
  sys(close, fd);
}

static void make_readonly(const char *path) {
  long fd = open_inside(path, O_PATH);
  if (fd < 0) return;
  long r = sys(mount, fd_path(fd), fd_path(fd), "", MS_BIND | MS_REC, 0);
  sys(close, fd);
  if (r >= 0) {
    fd = open_inside(path, O_PATH);
    r = sys(mount, "", fd_path(fd), "", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, 0);
    sys(close, fd);
  }
  if (r < 0) fail(r, "read-only path %s", path);
}

static void set_sysctl(char *setting) {
  char path[512];
  char *value = find(setting, '=');
  if (!value) fail(-EINVAL, "sysctl %s", setting);
  *value++ = 0;
  for (char *p = setting; *p; p++) {
    if (*p == '.') *p = '/';
    else if (*p == '/') *p = '.';
  }
  format(path, sizeof path, "/proc/sys/%s", setting);
  long fd = open_inside(path, O_WRONLY);
  long r = fd < 0 ? fd : sys(write, fd, value, strlen(value));
  if (r < 0) fail(r, "sysctl %s", setting);
  sys(close, fd);
}

// ---- the process --------------------------------------------------------------------------------

struct process_config {
  char **args, **env;
  int arg_count, env_count;
  char cwd[PATH];
  uint32_t uid, gid, gids[64];
  int gid_count, umask, no_new_privileges, rows, columns, oom;
  int64_t bounding, effective, permitted, inheritable, ambient;
  struct { int resource; struct rlimit64 limit; } limits[32];
  int limit_count;
};

static struct process_config process;

static void read_limit(struct wire w) {
  if (process.limit_count == 32) fail(-E2BIG, "more than 32 resource limits");
  int i = process.limit_count++;
  while (wire_next(&w)) switch (w.tag) {
    case 1: process.limits[i].resource = wire_number(&w); break;
    case 2: process.limits[i].limit.rlim_cur = wire_number(&w); break;
    case 3: process.limits[i].limit.rlim_max = wire_number(&w); break;
  }
}

static void read_process(struct wire w) {
  struct process_config *p = &process;
  size_t room = (size_t)(w.end - w.at);
  // Each string takes 5 bytes more in the message than here; the vectors take 8 bytes for each.
  char *text = allocate(room + 1);
  p->args = allocate((room / 5 + 2) * 8);
  p->env = allocate((room / 5 + 2) * 8);
  if (!text || !p->args || !p->env) fail(-ENOMEM, "the process's configuration");
  p->umask = -1;
  while (wire_next(&w)) switch (w.tag) {
    case 1: p->args[p->arg_count++] = text; wire_text(&w, text, w.length + 1); text += w.length + 1; break;
    case 2: p->env[p->env_count++] = text; wire_text(&w, text, w.length + 1); text += w.length + 1; break;
    case 3: wire_text(&w, p->cwd, sizeof p->cwd); break;
    case 4: p->uid = wire_number(&w); break;
    case 5: p->gid = wire_number(&w); break;
    case 6:
      if (p->gid_count == 64) fail(-E2BIG, "more than 64 additional groups");
      p->gids[p->gid_count++] = wire_number(&w);
      break;
    case 7: p->umask = wire_number(&w); break;
    case 8: p->bounding = wire_number(&w); break;
    case 9: p->effective = wire_number(&w); break;
    case 10: p->permitted = wire_number(&w); break;
    case 11: p->inheritable = wire_number(&w); break;
    case 12: p->ambient = wire_number(&w); break;
    case 13: read_limit(wire_record(&w)); break;
    case 14: p->no_new_privileges = wire_number(&w) != 0; break;
    case 16: p->rows = wire_number(&w); break;
    case 17: p->columns = wire_number(&w); break;
    case 18: p->oom = wire_number(&w); break;
  }
  if (w.bad || !p->arg_count) fail(-EPROTO, "the process's configuration is malformed");
}

static void open_terminal(void) {
  struct sync_message m = {.kind = 'T'};
  struct { unsigned short rows, columns, x, y; } size = {process.rows, process.columns, 0, 0};
  char name[32];
  int number = 0, unlock = 0;
  long master = open_file("/dev/pts/ptmx", O_RDWR | O_NOCTTY);
  if (master < 0) master = open_file("/dev/ptmx", O_RDWR | O_NOCTTY);
  if (master < 0) fail(master, "a terminal: open /dev/ptmx (mount a devpts at /dev/pts)");
  long r = sys(ioctl, master, 0x40045431 /* TIOCSPTLCK */, &unlock);
  if (r >= 0) r = sys(ioctl, master, 0x80045430 /* TIOCGPTN */, &number);
  if (r < 0) fail(r, "a terminal");
  if (process.rows) sys(ioctl, master, 0x5414 /* TIOCSWINSZ */, &size);
  format(name, sizeof name, "/dev/pts/%d", number);
  long slave = open_file(name, O_RDWR | O_NOCTTY);
  if (slave < 0) fail(slave, "a terminal: open %s", name);
  sys(fchown, slave, process.uid, -1);
  send_sync(sync_fd, &m, master);
  sys(close, master);
  sys(ioctl, slave, 0x540e /* TIOCSCTTY */, 0);
  for (int i = 0; i < 3; i++) sys(dup3, slave, i, 0);
  // What a program knows as the container's console.
  long console = sys(openat, AT_FDCWD, "/dev/console", O_CREAT | O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0620);
  if (console >= 0) {
    sys(close, console);
    sys(mount, name, "/dev/console", "", MS_BIND, 0);
  }
}

static void set_capabilities(void) {
  struct process_config *p = &process;
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  for (int cap = 0; cap < 64; cap++)
    if (!(p->bounding >> cap & 1)) {
      long r = sys(prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
      if (r == -EINVAL) break;
    }
  long r = sys(prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
  if ((r = sys(setgroups, p->gid_count, p->gids)) < 0) fail(r, "additional groups");
  if ((r = sys(setresgid, p->gid, p->gid, p->gid)) < 0) fail(r, "group %d", (int)p->gid);
  if ((r = sys(setresuid, p->uid, p->uid, p->uid)) < 0) fail(r, "user %d", (int)p->uid);
  sys(prctl, PR_SET_KEEPCAPS, 0, 0, 0, 0);
  for (int i = 0; i < 2; i++) {
    data[i].effective = p->effective >> (32 * i);
    data[i].permitted = p->permitted >> (32 * i);
    data[i].inheritable = p->inheritable >> (32 * i);
  }
  // Bits that this kernel does not have are an error of capset.
  for (int cap = 63; cap > 20; cap--) {
    if (sys(prctl, PR_CAPBSET_READ, cap, 0, 0, 0) != -EINVAL) break;
    uint32_t *all[] = {&data[cap / 32].effective, &data[cap / 32].permitted, &data[cap / 32].inheritable};
    for (int i = 0; i < 3; i++) *all[i] &= ~(1u << cap % 32);
  }
  if ((r = sys(capset, &header, data)) < 0) fail(r, "capabilities");
  sys(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (int cap = 0; cap < 64; cap++)
    if (p->ambient >> cap & 1) sys(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
  if (p->no_new_privileges) sys(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static const char *variable(const char *name) {
  for (int i = 0; i < process.env_count; i++)
    if (starts(process.env[i], name)) return process.env[i] + strlen(name);
  return 0;
}

// The program's path, as execvp(3) finds it.
static const char *find_program(void) {
  static char path[PATH];
  const char *name = process.args[0];
  long error = -ENOENT;
  if (find((char *)name, '/')) {
    long r = sys(access, name, 1);
    if (r < 0) fail(r, "exec %s", name);
    return name;
  }
  const char *at = variable("PATH=");
  if (!at) at = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  while (*name && *at) {
    size_t n = 0;
    while (at[n] && at[n] != ':' && n < sizeof path - 1) path[n] = at[n], n++;
    path[n] = 0;
    format(path + n, sizeof path - n, "/%s", name);
    long fd = open_file(path, O_PATH);
    if (fd >= 0) {
      struct { uint64_t dev, ino, nlink; uint32_t mode, uid, gid, padding; uint64_t rest[14]; } st;
      long r = sys(fstat, fd, &st);
      sys(close, fd);
      if (r >= 0 && (st.mode & S_IFMT) == S_IFREG && sys(access, path, 1) >= 0) return path;
      if (r >= 0 && (st.mode & S_IFMT) == S_IFREG) error = -EACCES;
    }
    while (*at && *at != ':') at++;
    if (*at) at++;
  }
  fail(error, "exec %s: no such program in PATH", name);
}

static void make_cwd(const char *path) {
  char part[PATH];
  long r = sys(chdir, path);
  for (size_t i = 1; r == -ENOENT && path[0] == '/' && i <= strlen(path); i++)
    if (path[i] == '/' || !path[i]) {
      memcpy(part, path, i);
      part[i] = 0;
      sys(mkdir, part, 0755);
      if (!path[i]) r = sys(chdir, path);
    }
  if (r < 0) fail(r, "cwd %s", path);
}

// From inside the container's root to its program.
__attribute__((noreturn)) static void become(struct child_orders *o, int wait) {
  struct process_config *p = &process;
  char text[16];
  sys(setsid);
  if (o->terminal) {
    open_terminal();
  } else {
    for (int i = 0; i < 3; i++) {
      sys(fchown, o->stdio[i], p->uid, p->gid);
      sys(dup3, o->stdio[i], i, 0);
    }
  }
  for (int i = 0; i < p->limit_count; i++) {
    long r = sys(prlimit64, 0, p->limits[i].resource, &p->limits[i].limit, 0);
    if (r < 0) fail(r, "resource limit %d", p->limits[i].resource);
  }
  if (p->oom) {
    format(text, sizeof text, "%d", p->oom);
    write_file("/proc/self/oom_score_adj", text);
  }
  make_cwd(p->cwd[0] ? p->cwd : "/");
  sys(umask, p->umask < 0 ? 022 : p->umask & 0777);
  set_capabilities();
  long r = sys(chdir, p->cwd[0] ? p->cwd : "/");  // as the user
  if (r < 0) fail(r, "cwd %s", p->cwd);
  const char *program = find_program();
  if (wait) {
    struct sync_message ready = {.kind = 'R'};
    send_sync(sync_fd, &ready, -1);
    wait_byte();
  }
  uint64_t none = 0;
  sys(rt_sigprocmask, 2 /* SIG_SETMASK */, &none, 0, 8);
  r = sys(execve, program, p->args, p->env);
  fail(r, "exec %s", program);
}

void container_init(struct child_orders *o) {
  struct mount_config m;
  char text[PATH];
  long r;
  sync_fd = o->sync;
  wait_byte();  // the agent has put us into our cgroup
  sys(unshare, CLONE_NEWCGROUP);
  for (int k = 0; k < SHARED; k++)
    if (o->shared[k] >= 0 && (r = sys(setns, o->shared[k], 0)) < 0) fail(r, "joining the pod's namespaces");
  struct wire w = o->config;
  // The root first, whatever the order of the fields.
  while (wire_next(&w))
    if (w.tag == 4) {
      read_mount(wire_record(&w), &m);
      mount_root(o, &m);
    }
  unsigned long root_flags = m.flags;
  for (w = o->config; wire_next(&w);)
    if (w.tag == 5) {
      struct mount_config one;
      read_mount(wire_record(&w), &one);
      mount_one(o, &one);
    }
  for (w = o->config; wire_next(&w);) switch (w.tag) {
    case 2: wire_text(&w, text, sizeof text); if (text[0]) sys(sethostname, text, strlen(text)); break;
    case 3: wire_text(&w, text, sizeof text); if (text[0]) sys(setdomainname, text, strlen(text)); break;
    case 6: read_process(wire_record(&w)); break;
    case 7: mask(wire_text(&w, text, sizeof text)); break;
    case 8: make_readonly(wire_text(&w, text, sizeof text)); break;
    case 9: wire_text(&w, text, sizeof text); set_sysctl(text); break;
  }
  if (w.bad || !process.args) fail(-EPROTO, "the container's configuration is malformed");
  if ((r = sys(fchdir, root_fd)) < 0 || (r = sys(pivot_root, ".", ".")) < 0) fail(r, "pivot_root");
  if ((r = sys(umount2, ".", MNT_DETACH)) < 0 || (r = sys(chdir, "/")) < 0) fail(r, "leaving the agent's root");
  if (root_flags & MS_RDONLY) {
    r = sys(mount, "", "/", "", MS_REMOUNT | MS_BIND | MS_RDONLY, 0);
    if (r < 0) fail(r, "read-only root");
  }
  become(o, 1);
}

void container_exec(struct child_orders *o, int init_pid) {
  sync_fd = o->sync;
  wait_byte();
  long pidfd = sys(pidfd_open, init_pid, 0);
  long r = pidfd < 0 ? pidfd
                     : sys(setns, pidfd, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP);
  if (r < 0) fail(r, "entering the container");
  // The child is in the pid namespace, and the agent's own.
  r = sys(clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
  if (r < 0) fail(r, "fork in the container");
  if (r > 0) {
    struct sync_message m = {.kind = 'P', .number = r};
    send_sync(sync_fd, &m, -1);
    sys(exit_group, 0);
  }
  if ((r = sys(chdir, "/")) < 0) fail(r, "chdir /");
  read_process(o->config);
  become(o, 0);
}
