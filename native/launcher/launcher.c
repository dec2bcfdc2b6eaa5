// The launcher: the stage between the redoubt command and the JVMs of a sandbox. A JVM is never
// single-threaded, so it cannot enter namespaces or give rights up reliably; this program does it
// and then becomes the JVM. docs/design/boot.md has the picture.
//
//   launcher          boots a sandbox by the plan on descriptor 3, answers on descriptor 4
//   launcher kvm      says why KVM does not work here, or nothing
//   launcher hold FD  stands for a process of a sandbox by the plan on FD: exits with its code
//   launcher warden FD  waits for a sandbox's end and gives its network namespace the addresses back
//
// The plan is read to the end of file: records ended by NUL, each "key value".
//   log FD            where log lines and the JVMs' standard error go
//   owner FD          owner connection of the sentry
//   listener FD       control listener of the sentry
//   attach FD TO      attach point of the gofer and its number there; may repeat
//   root PATH         existing directory; the new roots are mounted on it, in namespaces of their own
//   bind PATH         file or directory that the JVMs need, mounted read-only at the same path; repeats
//   cgroup PATH       cgroup.procs file to join; repeats
//   rlimit N S H      resource limit of all processes of the sandbox; repeats
//   oom N             oom_score_adj
//   uid N, gid N      host ids of sentry, keeper and stubs
//   keeper PATH       keeper's program
//   gofer-type N      socket type between sentry and gofer
//   sentry ARG        argument vector of the sentry; repeats. gofer ARG alike
//   vmm ARG           argument vector of a VMM, in place of the keeper; repeats. The sentry is then a warden
//   vmm-bind PATH     file or directory that the VMM needs, mounted read-only; repeats
//   vmm-env NAME=VALUE  its environment; repeats
//   vmm-uid N         its host user and group
//   vmm-memory N      size of a tmpfs at /guest-memory (not /tmp: our own files may lie there), for a VMM that keeps the guest's memory in a file
//   vmm-device PATH   device node that it needs; repeats
//   vmm-cpu N         pin it to one processor of those it may use; the N-th, counted round
//   vmm-link N        socket type of the link between warden and guest
//   vmm-tap N         N network devices in the sandbox's network namespace, named redoubt0 and so on, whose other ends it gets
//   vmm-tap-header 1  with a virtio_net_hdr before each frame
//   vmm-disk FD       file that it gets as its disk
//   vmm-ptrace 1      its filter allows ptrace(2): it traces its own children
//   join FD, gofer-socket FD  no sandbox: one more gofer, for one that runs, whose pid namespace and gofer's end these are
//   train 1           no confinement at all: the JVMs write AOT caches when they end
//   watch FD          stay; when the other end closes, kill the sandbox, then
//   remove PATH       unlink or rmdir this, in the order given; repeats
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/landlock.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "kvm.h"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

enum { PLAN_FD = 3, STATUS_FD = 4, PLAN_LIMIT = 4 << 20, LIST_LIMIT = 512, TASK_LIMIT = 20000 };

// The sentry's and the gofer's descriptors: redoubt.sentry.control.BootFds.
enum {
  SENTRY_OWNER = 3,
  SENTRY_LISTENER = 4,
  SENTRY_GOFER = 5,
  SENTRY_KEEPER = 6,
  SENTRY_LOG = 7,
  SENTRY_READY = 8,
  WARDEN_CONSOLE = 9,
  WARDEN_MONITOR = 10,
  VMM_LINK = 3,
  VMM_MONITOR = 4,
  VMM_FIRST_TAP = 5,
  TAP_LIMIT = 8,
  VMM_DISK = VMM_FIRST_TAP + TAP_LIMIT,
  GOFER_SOCKET = 3,
  GOFER_LOG = 4,
  GOFER_READY = 5,
  KEEPER_SOCKET = 3
};

struct list {
  int count;
  char *item[LIST_LIMIT + 1];
};

static struct {
  int log, owner, listener, watch, oom, oom_set, gofer_type, train;
  unsigned uid, gid;
  char *root, *keeper;
  struct list attach, bind, cgroup, rlimit, sentry, gofer, remove, vmm, vmm_bind, vmm_env, vmm_device;
  unsigned vmm_uid;
  int vmm_link, vmm_ptrace, vmm_cpu, vmm_tap, vmm_tap_header, vmm_disk;
  long vmm_memory;
  int join, gofer_socket;
} plan = {.join = -1, .gofer_socket = -1, .log = 2, .owner = -1, .listener = -1, .watch = -1, .gofer_type = SOCK_SEQPACKET,
          .uid = 65534, .gid = 65534, .vmm_uid = 65533, .vmm_link = SOCK_STREAM, .vmm_cpu = -1, .vmm_disk = -1};

static struct {
  int control, child, tty, proxy, done, netns, sandbox;
  long pid;
  char *id, *log;
  struct list remove, finish, order;
} hold_plan = {.control = -1, .tty = -1, .proxy = -1, .done = -1, .netns = -1, .sandbox = -1};

static int status_fd = STATUS_FD;

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
  char text[1024];
  int error = errno;
  int n = snprintf(text, sizeof text, "error ");
  va_list args;
  va_start(args, format);
  n += vsnprintf(text + n, sizeof text - n, format, args);
  va_end(args);
  if (n > (int)sizeof text - 200) n = sizeof text - 200;
  if (error) n += snprintf(text + n, sizeof text - n, ": %s", strerror(error));
  for (int i = 0; i < n; i++)
    if (text[i] == '\n') text[i] = ' ';
  text[n++] = '\n';
  if (write(status_fd, text, n) < 0) _exit(127);
  _exit(126);
}

static void add(struct list *list, char *value, const char *key) {
  errno = 0;
  if (list->count == LIST_LIMIT) fail("the plan has more than %d '%s' records", LIST_LIMIT, key);
  list->item[list->count++] = value;
}

static void read_plan(void) {
  char *text = malloc(PLAN_LIMIT + 1);
  size_t size = 0;
  ssize_t n;
  if (!text) fail("plan");
  while ((n = read(PLAN_FD, text + size, PLAN_LIMIT - size)) != 0) {
    if (n < 0 && errno != EINTR) fail("reading the plan");
    if (n > 0) size += n;
  }
  close(PLAN_FD);
  text[size] = 0;
  for (char *at = text; at < text + size; at += strlen(at) + 1) {
    // The value follows in place, so that the loop still steps over the whole record.
    char *space = strchr(at, ' ');
    errno = 0;
    if (!space) fail("plan record '%s' has no value", at);
    size_t key = space - at;
    char *value = space + 1;
#define KEY(name) (key == strlen(name) && !memcmp(at, name, key))
    if (KEY("log")) plan.log = atoi(value);
    else if (KEY("owner")) plan.owner = atoi(value);
    else if (KEY("listener")) plan.listener = atoi(value);
    else if (KEY("watch")) plan.watch = atoi(value);
    else if (KEY("oom")) plan.oom = atoi(value), plan.oom_set = 1;
    else if (KEY("uid")) plan.uid = strtoul(value, 0, 10);
    else if (KEY("gid")) plan.gid = strtoul(value, 0, 10);
    else if (KEY("gofer-type")) plan.gofer_type = atoi(value);
    else if (KEY("join")) plan.join = atoi(value);
    else if (KEY("gofer-socket")) plan.gofer_socket = atoi(value);
    else if (KEY("train")) plan.train = atoi(value);
    else if (KEY("root")) plan.root = value;
    else if (KEY("keeper")) plan.keeper = value;
    else if (KEY("attach")) add(&plan.attach, value, "attach");
    else if (KEY("bind")) add(&plan.bind, value, "bind");
    else if (KEY("cgroup")) add(&plan.cgroup, value, "cgroup");
    else if (KEY("rlimit")) add(&plan.rlimit, value, "rlimit");
    else if (KEY("sentry")) add(&plan.sentry, value, "sentry");
    else if (KEY("gofer")) add(&plan.gofer, value, "gofer");
    else if (KEY("remove")) add(&plan.remove, value, "remove");
    else if (KEY("vmm")) add(&plan.vmm, value, "vmm");
    else if (KEY("vmm-bind")) add(&plan.vmm_bind, value, "vmm-bind");
    else if (KEY("vmm-env")) add(&plan.vmm_env, value, "vmm-env");
    else if (KEY("vmm-device")) add(&plan.vmm_device, value, "vmm-device");
    else if (KEY("vmm-uid")) plan.vmm_uid = strtoul(value, 0, 10);
    else if (KEY("vmm-memory")) plan.vmm_memory = atol(value);
    else if (KEY("vmm-link")) plan.vmm_link = atoi(value);
    else if (KEY("vmm-cpu")) plan.vmm_cpu = atoi(value);
    else if (KEY("vmm-disk")) plan.vmm_disk = atoi(value);
    else if (KEY("vmm-tap")) plan.vmm_tap = atoi(value);
    else if (KEY("vmm-tap-header")) plan.vmm_tap_header = atoi(value);
    else if (KEY("vmm-ptrace")) plan.vmm_ptrace = atoi(value);
    else fail("plan record '%.40s' is not known", at);
#undef KEY
  }
  errno = 0;
  if (plan.join >= 0 ? !plan.root || plan.gofer_socket < 0 || !plan.gofer.count : 0)
    fail("the plan lacks root, gofer-socket or gofer");
  if (plan.join >= 0) return;
  if (!plan.root || plan.owner < 0 || plan.listener < 0 || !plan.sentry.count || !plan.gofer.count)
    fail("the plan lacks root, owner, listener, sentry or gofer");
}

static void write_file(const char *path, const char *text, const char *what) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) fail("%s (%s)", what, path);
  close(fd);
}

// ---- the root directory -------------------------------------------------------------------------

// Makes the parents of a path below the current directory, then the leaf as directory or file.
static void make_path(char *path, int directory) {
  for (char *p = path + 1; *p; p++)
    if (*p == '/') {
      *p = 0;
      if (mkdir(path, 0755) && errno != EEXIST) fail("mkdir %s in the new root", path);
      *p = '/';
    }
  if (directory) {
    if (mkdir(path, 0755) && errno != EEXIST) fail("mkdir %s in the new root", path);
  } else {
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0444);
    if (fd < 0) fail("create %s in the new root", path);
    close(fd);
  }
}

// Gives this process a root that holds the plan's binds and /proc only. Needs its own mount namespace.
// What a VMM has beside the binds: a writable directory and devices.
static void add_vmm_files(void) {
  char path[4200], options[64];
  if (mkdir("dev", 0755) && errno != EEXIST) fail("mkdir dev");
  for (int i = 0; i < plan.vmm_device.count; i++) {
    const char *device = plan.vmm_device.item[i];
    snprintf(path, sizeof path, ".%s", device);
    make_path(path, 0);
    if (mount(device, path, 0, MS_BIND, 0)) fail("bind %s", device);
  }
  if (plan.vmm_memory) {
    if (mkdir("guest-memory", 0755) && errno != EEXIST) fail("mkdir guest-memory");
    snprintf(options, sizeof options, "size=%ld,nr_inodes=64,mode=700,uid=%u,gid=%u", plan.vmm_memory, plan.vmm_uid,
             plan.vmm_uid);
    if (mount("memory", "guest-memory", "tmpfs", MS_NOSUID | MS_NODEV, options)) fail("mount a tmpfs for the guest's memory");
  }
}

static void build_root(struct list *binds) {
  char path[4200];
  if (mount(0, "/", 0, MS_REC | MS_PRIVATE, 0)) fail("making the mounts private");
  if (mount("none", plan.root, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,nr_inodes=4096,mode=755"))
    fail("mount a tmpfs on %s", plan.root);
  if (chdir(plan.root)) fail("chdir %s", plan.root);
  for (int i = 0; i < binds->count; i++) {
    const char *source = binds->item[i];
    struct stat st;
    errno = 0;
    if (source[0] != '/' || snprintf(path, sizeof path, ".%s", source) >= (int)sizeof path)
      fail("bad path to bind: %s", source);
    if (stat(source, &st)) fail("%s, which the sandbox needs", source);
    make_path(path, S_ISDIR(st.st_mode));
    if (mount(source, path, 0, MS_BIND, 0)) fail("bind %s", source);
    if (mount(0, path, 0, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, 0))
      fail("bind %s read-only", source);
  }
  if (binds == &plan.vmm_bind) add_vmm_files();
  if (mkdir("proc", 0555) && errno != EEXIST) fail("mkdir proc");
  if (mount("proc", "proc", "proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, 0))
    fail("mount proc");
  if (syscall(SYS_pivot_root, ".", ".")) fail("pivot_root");
  if (umount2(".", MNT_DETACH)) fail("unmount the old root");
  if (chdir("/")) fail("chdir /");
  if (mount(0, "/", 0, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, 0)) fail("read-only root");
}

// Empties such a root from outside. The caller is a process of its own: it moves into the mount
// namespace for good.
static int empty_root(int namespace_fd) {
  int bad = 0;
  if (setns(namespace_fd, CLONE_NEWNS)) return -1;
  for (int i = plan.bind.count - 1; i >= 0; i--) bad |= umount2(plan.bind.item[i], MNT_DETACH);
  bad |= umount2("/proc", MNT_DETACH);
  if (bad) return -1;
  if (mount(0, "/", 0, MS_REMOUNT | MS_NOSUID | MS_NODEV, 0)) return -1;
  rmdir("/proc");
  for (int i = 0; i < plan.bind.count; i++) {
    char path[4200];
    snprintf(path, sizeof path, "%s", plan.bind.item[i]);
    if (unlink(path)) rmdir(path);
    for (char *slash; (slash = strrchr(path, '/')) && slash != path;) {
      *slash = 0;
      if (rmdir(path)) break;
    }
  }
  return mount(0, "/", 0, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, 0);
}

// ---- rights -------------------------------------------------------------------------------------

static void drop_capabilities(uint64_t keep) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)) fail("clearing ambient capabilities");
  for (int cap = 0; cap < 64; cap++)
    if (!(keep >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) && errno != EINVAL)
      fail("dropping capability %d", cap);
  for (int i = 0; i < 2; i++) {
    data[i].effective = data[i].permitted = keep >> (32 * i);
    data[i].inheritable = 0;
  }
  if (syscall(SYS_capset, &header, data)) fail("capset");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) fail("no_new_privs");
}

// Files: read and execute below the plan's binds and /proc; nothing else, where the host has Landlock.
static void landlock(void) {
  struct landlock_ruleset_attr attr = {.handled_access_fs = (1ull << 13) - 1};
  int abi = syscall(SYS_landlock_create_ruleset, 0, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) return;
  if (abi >= 2) attr.handled_access_fs |= 1ull << 13;  // refer
  if (abi >= 3) attr.handled_access_fs |= 1ull << 14;  // truncate
  int rules = syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
  if (rules < 0) fail("Landlock ruleset");
  for (int i = -1; i < plan.bind.count; i++) {
    const char *path = i < 0 ? "/proc" : plan.bind.item[i];
    struct stat st;
    struct landlock_path_beneath_attr rule = {
        .allowed_access = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE};
    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0 || fstat(rule.parent_fd, &st)) fail("Landlock: %s", path);
    if (S_ISDIR(st.st_mode)) rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
      fail("Landlock rule for %s", path);
    close(rule.parent_fd);
  }
  if (syscall(SYS_landlock_restrict_self, rules, 0)) fail("Landlock");
  close(rules);
}

// ---- descriptors --------------------------------------------------------------------------------

struct move {
  int from, to;
};

// Puts descriptors where the next program expects them and closes all others; the status pipe stays
// until the exec succeeds.
static void arrange(const struct move *moves, int count) {
  int high[LIST_LIMIT + 16], top = 3;
  for (int i = 0; i < count; i++)
    if ((high[i] = fcntl(moves[i].from, F_DUPFD, 512)) < 0)
      fail("descriptor %d for the sandbox", moves[i].from);
  for (int i = 0; i < count; i++)
    if (moves[i].to >= top) top = moves[i].to + 1;
  int status = fcntl(status_fd, F_DUPFD_CLOEXEC, 512);
  int null = open("/dev/null", O_RDWR);
  if (null < 0) null = fcntl(0, F_DUPFD, 512);
  dup2(null, 0);
  dup2(null, 1);
  for (int i = 0; i < count; i++) dup2(high[i], moves[i].to);
  dup2(status, top);
  status_fd = top;
  fcntl(status_fd, F_SETFD, FD_CLOEXEC);
  // Holes below the top stay closed.
  for (int fd = 3; fd < top; fd++) {
    int used = 0;
    for (int i = 0; i < count; i++) used |= moves[i].to == fd;
    if (!used) close(fd);
  }
  syscall(SYS_close_range, top + 1, ~0u, 0);
}

static char *environment[] = {"LANG=C.UTF-8", 0};

// ---- the processes ------------------------------------------------------------------------------

static void block_signals(void) {
  static const int supervised[] = {SIGTERM, SIGINT,  SIGHUP,  SIGQUIT, SIGUSR1, SIGWINCH, SIGALRM,
                                   SIGPIPE, SIGCHLD, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU};
  sigset_t set;
  sigemptyset(&set);
  for (unsigned i = 0; i < sizeof supervised / sizeof *supervised; i++)
    sigaddset(&set, supervised[i]);
  sigprocmask(SIG_SETMASK, &set, 0);
}

static pid_t raw_clone(unsigned long flags, int *pidfd) {
  return syscall(SYS_clone, flags, 0, pidfd, 0, 0);
}

enum { NAMESPACES = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS };

struct sockets {
  int gofer[2], keeper[2], sentry_ready[2], gofer_ready[2], map[2], monitor[2], console[2], tap[TAP_LIMIT];
};

__attribute__((noreturn)) static void run_gofer(struct sockets *s) {
  struct move moves[LIST_LIMIT + 8] = {{plan.log, 2},
                                       {plan.log, GOFER_LOG},
                                       {s->gofer[1], GOFER_SOCKET},
                                       {s->gofer_ready[1], GOFER_READY}};
  int count = 4;
  for (int i = 0; i < plan.attach.count; i++, count++)
    if (sscanf(plan.attach.item[i], "%d %d", &moves[count].from, &moves[count].to) != 2)
      fail("plan: attach %s", plan.attach.item[i]);
  umask(0);
  if (!plan.train) {
    build_root(&plan.bind);
    if (setgroups(0, 0)) fail("setgroups");
    drop_capabilities(1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_DAC_READ_SEARCH |
                      1ull << CAP_FOWNER | 1ull << CAP_FSETID | 1ull << CAP_MKNOD);
  }
  arrange(moves, count);
  execve(plan.gofer.item[0], plan.gofer.item, environment);
  fail("start of the gofer: %s", plan.gofer.item[0]);
}

__attribute__((noreturn)) static void run_keeper(struct sockets *s) {
  struct move moves[] = {{plan.log, 2}, {s->keeper[1], KEEPER_SOCKET}};
  char *argv[] = {"keeper", "3", 0};
  struct rlimit stack = {8 << 20, 8 << 20};
  // Guest addresses below the stub's region must be free of the host's random placement.
  setrlimit(RLIMIT_STACK, &stack);
  personality(ADDR_NO_RANDOMIZE);
  arrange(moves, 2);
  execve(plan.keeper, argv, environment);
  fail("start of the keeper: %s", plan.keeper);
}

// Gives up everything: root directory, user, capabilities, files.
static void confine_sentry(struct sockets *s) {
  char byte = 'U';
  build_root(&plan.bind);

  if (unshare(CLONE_NEWUSER)) {
    if (errno == EPERM || errno == ENOSPC || errno == EUSERS)
      fail("the host allows no user namespaces; raise user.max_user_namespaces (sysctl) or lift the "
           "policy that forbids them");
    fail("user namespace");
  }
  if (write(s->map[1], &byte, 1) != 1 || read(s->map[1], &byte, 1) != 1 || byte != 'M') {
    errno = 0;
    fail("the launcher could not map the sandbox's user");
  }
  // More threads than a full sandbox has (Systrap.MAX_CONTEXTS twice, MAX_SPACES once) nobody honest needs. Counted
  // from this user namespace on, so that sandboxes do not share it.
  struct rlimit tasks = {TASK_LIMIT, TASK_LIMIT}, now;
  if (!getrlimit(RLIMIT_NPROC, &now) && now.rlim_max < TASK_LIMIT) tasks = now;
  if (setrlimit(RLIMIT_NPROC, &tasks)) fail("rlimit of processes");
  if (setresgid(plan.gid, plan.gid, plan.gid)) fail("setresgid %u", plan.gid);
  // Keep the capabilities over the change of user until the bounding set is empty.
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)) fail("keepcaps");
  if (setresuid(plan.uid, plan.uid, plan.uid)) fail("setresuid %u", plan.uid);
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{1u << CAP_SETPCAP, 1u << CAP_SETPCAP, 0}, {0, 0, 0}};
  if (syscall(SYS_capset, &header, data)) fail("capset");
  drop_capabilities(0);
  landlock();
}

// ---- the VMM ------------------------------------------------------------------------------------

// A VMM's filter: what QEMU and User Mode Linux were seen to need, and nothing that reaches beyond their descriptors.
// Everything else fails with EPERM; what only an attacker calls kills.
static void filter_vmm(void) {
  static const short allowed[] = {
      SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_preadv, SYS_pwritev, SYS_lseek, SYS_close,
      SYS_openat, SYS_open, SYS_stat, SYS_fstat, SYS_lstat, SYS_newfstatat, SYS_statx, SYS_access, SYS_faccessat,
      SYS_readlink, SYS_readlinkat, SYS_getcwd, SYS_getdents64, SYS_unlink, SYS_mkdir, SYS_rmdir, SYS_chmod, SYS_fchmod,
      SYS_ftruncate, SYS_fallocate, SYS_fsync, SYS_fdatasync, SYS_flock, SYS_fstatfs, SYS_statfs, SYS_fcntl, SYS_dup,
      SYS_dup2, SYS_dup3, SYS_pipe, SYS_pipe2, SYS_poll, SYS_ppoll, SYS_select, SYS_pselect6, SYS_epoll_create1,
      SYS_epoll_create, SYS_epoll_ctl, SYS_epoll_wait, SYS_epoll_pwait, SYS_eventfd2, SYS_signalfd4, SYS_timerfd_create,
      SYS_timerfd_settime, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_madvise, SYS_brk, SYS_msync, SYS_mlock,
      SYS_munlock, SYS_mincore, SYS_memfd_create, SYS_membarrier, SYS_futex, SYS_set_robust_list, SYS_rseq,
      SYS_set_tid_address, SYS_arch_prctl, SYS_prctl, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn,
      SYS_rt_sigsuspend, SYS_rt_sigtimedwait, SYS_rt_sigpending, SYS_rt_sigqueueinfo, SYS_sigaltstack, SYS_kill, SYS_tkill, SYS_tgkill,
      SYS_timer_create, SYS_timer_settime, SYS_timer_gettime, SYS_timer_delete, SYS_setitimer, SYS_getitimer,
      SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday, SYS_time, SYS_pause,
      SYS_getpid, SYS_getppid, SYS_gettid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getresuid, SYS_getresgid,
      SYS_getpgrp, SYS_setpgid, SYS_setsid, SYS_getrandom, SYS_uname, SYS_sysinfo, SYS_getrusage, SYS_getrlimit,
      SYS_setrlimit, SYS_prlimit64, SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_sched_getparam,
      SYS_sched_getscheduler, SYS_getcpu, SYS_personality, SYS_wait4, SYS_waitid, SYS_exit, SYS_exit_group,
      SYS_restart_syscall, SYS_sendmsg, SYS_recvmsg, SYS_sendto, SYS_recvfrom, SYS_sendmmsg, SYS_recvmmsg,
      SYS_socketpair /* UML's disk thread; it reaches nobody */, SYS_getsockname, SYS_getpeername, SYS_getsockopt, SYS_setsockopt, SYS_shutdown, SYS_ioctl, SYS_execve, SYS_vfork,
      SYS_fork};
  enum { COUNT = sizeof allowed / sizeof *allowed };
  struct sock_filter code[COUNT * 2 + 32];
  int n = 0;
  const unsigned allow = SECCOMP_RET_ALLOW, kill = SECCOMP_RET_KILL_PROCESS, refuse = SECCOMP_RET_ERRNO | EPERM;
#define OP(c, jt, jf, k) code[n++] = (struct sock_filter)BPF_JUMP(c, k, jt, jf)
  OP(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
  OP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, AUDIT_ARCH_X86_64);
  OP(BPF_RET | BPF_K, 0, 0, kill);
  OP(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
  for (int i = 0; i < COUNT; i++) {
    OP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (unsigned)allowed[i]);
    OP(BPF_RET | BPF_K, 0, 0, allow);
  }
  if (plan.vmm_ptrace) {
    OP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_ptrace);
    OP(BPF_RET | BPF_K, 0, 0, allow);
  }
  // Threads and processes, but no namespaces; clone3's flags lie in memory, so libc has to do without.
  OP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_clone3);
  OP(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS);
  OP(BPF_JMP | BPF_JEQ | BPF_K, 0, 4, SYS_clone);
  OP(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, args[0]));
  OP(BPF_JMP | BPF_JSET | BPF_K, 0, 1,
     CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP);
  OP(BPF_RET | BPF_K, 0, 0, refuse);
  OP(BPF_RET | BPF_K, 0, 0, allow);
  OP(BPF_RET | BPF_K, 0, 0, refuse);
#undef OP
  struct sock_fprog program = {n, code};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0)) fail("seccomp filter of the VMM");
}

// The processor that the VMM keeps to: one that this sandbox may use.
static void pin_vmm(void) {
  cpu_set_t all, one;
  if (plan.vmm_cpu < 0 || sched_getaffinity(0, sizeof all, &all)) return;
  int wanted = plan.vmm_cpu % CPU_COUNT(&all);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, &all) && !wanted--) {
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      sched_setaffinity(0, sizeof one, &one);
      return;
    }
}

// Network devices whose frames the VMM reads and writes. They end with its descriptors. They wait in this process's
// network namespace until the sandbox is started, and are then moved to the pod's if that is another.
static void make_taps(struct sockets *s) {
  if (plan.vmm_tap > TAP_LIMIT) fail("more than %d network devices", TAP_LIMIT);
  for (int i = 0; i < plan.vmm_tap; i++) {
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof request.ifr_name, "redoubt%d", i);
    request.ifr_flags = IFF_TAP | IFF_NO_PI | (plan.vmm_tap_header ? IFF_VNET_HDR : 0);
    s->tap[i] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (s->tap[i] < 0) fail("/dev/net/tun, which the guest's network needs (kernel module tun; or give --network=none)");
    if (ioctl(s->tap[i], TUNSETIFF, &request)) fail("a network device for the guest");
  }
}

// Hostile as soon as the guest has broken out of it: own namespaces and user, a root with its files only, no
// capabilities, a filter.
__attribute__((noreturn)) static void run_vmm(struct sockets *s) {
  int count = 4;
  struct move moves[5 + TAP_LIMIT] = {
      {s->console[1], 1}, {s->console[1], 2}, {s->keeper[1], VMM_LINK}, {s->monitor[1], VMM_MONITOR}};
  for (int i = 0; i < plan.vmm_tap; i++) moves[count++] = (struct move){s->tap[i], VMM_FIRST_TAP + i};
  if (plan.vmm_disk >= 0) moves[count++] = (struct move){plan.vmm_disk, VMM_DISK};
  char *env[LIST_LIMIT + 1];
  memcpy(env, plan.vmm_env.item, sizeof env);
  build_root(&plan.vmm_bind);
  pin_vmm();
  // Huge pages make the host pay for 2 MiB wherever the guest touches one page.
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  if (setgroups(0, 0)) fail("setgroups");
  if (setresgid(plan.vmm_uid, plan.vmm_uid, plan.vmm_uid)) fail("setresgid of the VMM");
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)) fail("keepcaps");
  if (setresuid(plan.vmm_uid, plan.vmm_uid, plan.vmm_uid)) fail("setresuid of the VMM");
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{1u << CAP_SETPCAP, 1u << CAP_SETPCAP, 0}, {0, 0, 0}};
  if (syscall(SYS_capset, &header, data)) fail("capset");
  drop_capabilities(0);
  // Without a warden nobody owns the guest. After setresuid, which would take the signal back.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)) fail("PR_SET_PDEATHSIG");
  arrange(moves, count);
  filter_vmm();
  execve(plan.vmm.item[0], plan.vmm.item, env);
  fail("start of %s", plan.vmm.item[0]);
}

static void join_cgroups_and_limits(void) {
  for (int i = 0; i < plan.cgroup.count; i++)
    write_file(plan.cgroup.item[i], "0", "joining the cgroup");
  for (int i = 0; i < plan.rlimit.count; i++) {
    int resource;
    struct rlimit limit, now;
    if (sscanf(plan.rlimit.item[i], "%d %lu %lu", &resource, &limit.rlim_cur, &limit.rlim_max) != 3)
      fail("plan: rlimit %s", plan.rlimit.item[i]);
    // Where we may not raise a limit, the highest that we may set will do.
    if (setrlimit(resource, &limit) && !getrlimit(resource, &now)) {
      limit.rlim_max = limit.rlim_max < now.rlim_max ? limit.rlim_max : now.rlim_max;
      limit.rlim_cur = limit.rlim_cur < limit.rlim_max ? limit.rlim_cur : limit.rlim_max;
      if (setrlimit(resource, &limit)) fail("rlimit %s", plan.rlimit.item[i]);
    }
  }
}

// Pid 1 of the sandbox: prepares, starts gofer and keeper, becomes the sentry.
__attribute__((noreturn)) static void run_stage(struct sockets *s) {
  char text[32];
  setsid();
  block_signals();
  if (!plan.train && sethostname("redoubt", 7)) fail("sethostname");
  join_cgroups_and_limits();
  if (plan.oom_set) {
    snprintf(text, sizeof text, "%d", plan.oom);
    write_file("/proc/self/oom_score_adj", text, "oom_score_adj");
  }
  pid_t gofer = raw_clone((plan.train ? 0 : NAMESPACES) | SIGCHLD, 0);
  if (gofer < 0) fail("namespaces of the gofer");
  if (!gofer) run_gofer(s);
  static char vmm_argument[32];
  if (plan.vmm.count) {
    make_taps(s);
    pid_t vmm = raw_clone(NAMESPACES | SIGCHLD, 0);
    if (vmm < 0) fail("namespaces of the VMM");
    if (!vmm) run_vmm(s);
    snprintf(vmm_argument, sizeof vmm_argument, "--vmm=%d", vmm);
    add(&plan.sentry, vmm_argument, "sentry");
  }
  if (!plan.train) confine_sentry(s);
  if (plan.keeper) {
    pid_t keeper = fork();
    if (keeper < 0) fail("fork of the keeper");
    if (!keeper) run_keeper(s);
  }
  struct move moves[] = {{plan.log, 2},
                         {plan.owner, SENTRY_OWNER},
                         {plan.listener, SENTRY_LISTENER},
                         {s->gofer[0], SENTRY_GOFER},
                         {s->keeper[0], SENTRY_KEEPER},
                         {plan.log, SENTRY_LOG},
                         {s->sentry_ready[1], SENTRY_READY},
                         {s->console[0], WARDEN_CONSOLE},
                         {s->monitor[0], WARDEN_MONITOR}};
  arrange(moves, plan.vmm.count ? 9 : 7);
  execve(plan.sentry.item[0], plan.sentry.item, environment);
  fail("start of the sentry: %s", plan.sentry.item[0]);
}

static void pair(int type, int fds[2]) {
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds)) fail("socketpair");
}

static void map_ids(pid_t pid) {
  char path[64], text[64];
  snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
  snprintf(text, sizeof text, "%u %u 1\n", plan.uid, plan.uid);
  write_file(path, text, "user map of the sandbox");
  snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
  snprintf(text, sizeof text, "%u %u 1\n", plan.gid, plan.gid);
  write_file(path, text, "group map of the sandbox");
}

// Answers one READY handshake: a child enters the mount namespace and empties its root.
static void serve_ready(int socket, int namespace_fd) {
  char byte = 0;
  int status = 1;
  if (read(socket, &byte, 1) == 1 && byte == 'R' && namespace_fd >= 0) {
    pid_t child = fork();
    if (!child) _exit(!plan.train && empty_root(namespace_fd) ? 1 : 0);
    if (child > 0)
      while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    byte = status ? 'E' : 'D';
    if (write(socket, &byte, 1) != 1) status = 1;
  }
  close(namespace_fd);
  close(socket);
}

// The gofer's pid is known in the sandbox's pid namespace only; its R carries credentials.
static int gofer_namespace(int socket) {
  struct ucred peer;
  char data, control[CMSG_SPACE(sizeof peer)], path[64];
  struct iovec iov = {&data, 1};
  struct msghdr message = {
      .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(socket, &message, MSG_PEEK) != 1) return -1;
  struct cmsghdr *c = CMSG_FIRSTHDR(&message);
  if (!c || c->cmsg_type != SCM_CREDENTIALS) return -1;
  memcpy(&peer, CMSG_DATA(c), sizeof peer);
  snprintf(path, sizeof path, "/proc/%d/ns/mnt", peer.pid);
  return open(path, O_RDONLY | O_CLOEXEC);
}

// Whether another path of the list lies below this one: then it is a cgroup that other sandboxes may be in, too.
static int is_parent(struct list *paths, int index) {
  size_t length = strlen(paths->item[index]);
  for (int i = 0; i < paths->count; i++)
    if (!strncmp(paths->item[i], paths->item[index], length) && paths->item[i][length] == '/') return 1;
  return 0;
}

// Ten seconds at most: on a busy machine what was killed may need seconds to leave its cgroup.
static void remove_all(struct list *paths) {
  for (int round = 0; round < 1000; round++) {
    int busy = 0;
    for (int i = 0; i < paths->count; i++)
      if (unlink(paths->item[i]) && errno != ENOENT && rmdir(paths->item[i]))
        busy |= errno == EBUSY && !is_parent(paths, i);
    if (!busy) return;
    usleep(10000);
  }
}

// Stays after the boot: when the owner is gone, ends the sandbox and removes its traces.
static void watch(int sentry) {
  char byte = 0;
  ssize_t n;
  while ((n = read(plan.watch, &byte, 1)) < 0 && errno == EINTR) {}
  if (n == 1) return;  // the owner has cleaned up itself
  syscall(SYS_pidfd_send_signal, sentry, SIGKILL, 0, 0);
  struct pollfd ended = {sentry, POLLIN, 0};
  while (poll(&ended, 1, 10000) < 0 && errno == EINTR) {}
  remove_all(&plan.remove);
}

// One more gofer, nested in a running sandbox's pid namespace: it dies with the sandbox, whose first process is its
// parent. The process between has that namespace's numbers.
static int join(void) {
  struct sockets s = {.gofer = {-1, plan.gofer_socket}};
  int on = 1, status;
  char text[64];
  pair(SOCK_STREAM, s.gofer_ready);
  if (setsockopt(s.gofer_ready[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on)) fail("SO_PASSCRED");
  join_cgroups_and_limits();
  if (setns(plan.join, CLONE_NEWPID)) fail("the sandbox's pid namespace");
  pid_t between = fork();
  if (between < 0) fail("fork");
  if (!between) {
    setsid();
    block_signals();
    pid_t gofer = raw_clone(NAMESPACES | SIGCHLD, 0);
    if (gofer < 0) fail("namespaces of the gofer");
    if (!gofer) run_gofer(&s);
    int n = snprintf(text, sizeof text, "pid %d\n", gofer);
    _exit(write(status_fd, text, n) != n);
  }
  while (waitpid(between, &status, 0) < 0 && errno == EINTR) {}
  close(status_fd);
  close(plan.gofer_socket), close(s.gofer_ready[1]);
  for (int i = 0; i < plan.attach.count; i++) close(atoi(plan.attach.item[i]));
  // Its end, too, is an end of the wait.
  struct pollfd ready = {s.gofer_ready[0], POLLIN, 0};
  while (poll(&ready, 1, -1) < 0 && errno == EINTR) {}
  serve_ready(s.gofer_ready[0], gofer_namespace(s.gofer_ready[0]));
  return 0;
}

static int boot(void) {
  struct sockets s;
  int sentry = -1;
  int on = 1;
  char text[64], byte = 'M';
  fcntl(STATUS_FD, F_SETFD, FD_CLOEXEC);
  setsid();
  signal(SIGPIPE, SIG_IGN);
  read_plan();
  if (plan.join >= 0) return join();
  pair(plan.gofer_type, s.gofer);
  pair(plan.vmm.count ? plan.vmm_link : SOCK_SEQPACKET, s.keeper);
  if (plan.vmm.count) {
    pair(SOCK_STREAM, s.monitor);
    if (pipe2(s.console, O_CLOEXEC)) fail("console");
  }
  pair(SOCK_STREAM, s.sentry_ready);
  pair(SOCK_STREAM, s.gofer_ready);
  pair(SOCK_STREAM, s.map);
  if (setsockopt(s.gofer_ready[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on)) fail("SO_PASSCRED");
  signal(SIGPIPE, SIG_DFL);
  pid_t pid = raw_clone((plan.train ? 0 : NAMESPACES) | CLONE_PARENT | CLONE_PIDFD | SIGCHLD, &sentry);
  if (pid < 0) {
    if (errno == EPERM) fail("namespaces of the sandbox (root is needed)");
    fail("namespaces of the sandbox");
  }
  if (!pid) run_stage(&s);
  signal(SIGPIPE, SIG_IGN);
  int n = snprintf(text, sizeof text, "pid %d\n", pid);
  if (write(status_fd, text, n) != n) return 1;
  close(s.gofer[0]), close(s.gofer[1]), close(s.keeper[0]), close(s.keeper[1]);
  close(s.sentry_ready[1]), close(s.gofer_ready[1]), close(s.map[1]);
  if (plan.vmm.count) close(s.monitor[0]), close(s.monitor[1]), close(s.console[0]), close(s.console[1]);
  close(plan.owner), close(plan.listener), close(plan.vmm_disk);
  for (int i = 0; i < plan.attach.count; i++) close(atoi(plan.attach.item[i]));

  // The stage asks for its user once it is in its user namespace.
  char request;
  if (read(s.map[0], &request, 1) == 1) {
    map_ids(pid);
    if (write(s.map[0], &byte, 1) != 1) return 1;
  }
  close(s.map[0]);
  snprintf(text, sizeof text, "/proc/%d/ns/mnt", pid);
  int sentry_namespace = open(text, O_RDONLY | O_CLOEXEC);
  close(status_fd);

  // A guest may take long to boot: the owner's end is seen before, too.
  struct pollfd ready[] = {{s.sentry_ready[0], POLLIN, 0}, {s.gofer_ready[0], POLLIN, 0},
                           {sentry, POLLIN, 0}, {plan.watch, POLLIN, 0}};
  while ((ready[0].fd >= 0 || ready[1].fd >= 0) && !(ready[2].revents & POLLIN) && !ready[3].revents) {
    if (poll(ready, 4, -1) < 0 && errno != EINTR) break;
    if (ready[1].fd >= 0 && ready[1].revents) {
      serve_ready(ready[1].fd, gofer_namespace(ready[1].fd));
      ready[1].fd = -1;
    } else if (ready[0].fd >= 0 && ready[0].revents) {
      serve_ready(ready[0].fd, sentry_namespace);
      ready[0].fd = -1;
    }
  }
  close(ready[0].fd), close(ready[1].fd);
  if (plan.watch >= 0) watch(sentry);
  return 0;
}

// ---- hold ---------------------------------------------------------------------------------------

static unsigned char frame[2048];

static void put32(unsigned char *at, uint32_t value) { memcpy(at, &value, 4); }

static int field(int at, int tag, const void *value, uint32_t length) {
  frame[at] = tag;
  put32(frame + at + 1, length);
  memcpy(frame + at + 5, value, length);
  return at + 5 + length;
}

static int request(int socket, int type, uint32_t tag, int end) {
  put32(frame, end - 16);
  put32(frame + 4, type);
  put32(frame + 8, tag);
  put32(frame + 12, 0x31444252);
  return send(socket, frame, end, MSG_NOSIGNAL) == end ? 0 : -1;
}

static int receive_all(int socket, unsigned char *to, size_t size) {
  return recv(socket, to, size, MSG_WAITALL) == (ssize_t)size ? 0 : -1;
}

enum { CALL_SIGNAL = 5, CALL_WAIT = 6, CALL_RESIZE = 10, ANSWER_OK = 0x100, WAIT_TAG = 1 << 20 };

static struct termios before;
static int restore_terminal;

static void make_raw(void) {
  struct termios raw;
  if (tcgetattr(0, &before)) return;
  raw = before;
  cfmakeraw(&raw);
  restore_terminal = !tcsetattr(0, TCSANOW, &raw);
}

static void write_all(int fd, const char *data, ssize_t size) {
  while (size > 0) {
    ssize_t n = write(fd, data, size);
    if (n < 0 && errno == EAGAIN) {
      struct pollfd wait = {fd, POLLOUT, 0};
      poll(&wait, 1, 1000);
    } else if (n < 0 && errno != EINTR) {
      return;
    } else if (n > 0) {
      data += n, size -= n;
    }
  }
}

// Tells the sandbox the window size of a terminal, and the pseudo-terminal between, if there is one.
static void resize(int64_t pid, int from, uint32_t *tag) {
  struct winsize size;
  if (ioctl(from, TIOCGWINSZ, &size)) return;
  if (hold_plan.proxy >= 0) ioctl(hold_plan.proxy, TIOCSWINSZ, &size);
  int64_t rows = size.ws_row, columns = size.ws_col;
  int end = field(field(16, 1, hold_plan.id, strlen(hold_plan.id)), 2, &pid, 8);
  request(hold_plan.control, CALL_RESIZE, ++*tag, field(field(end, 3, &rows, 8), 4, &columns, 8));
}

static int child_signal;

// The code of the host child, or -1 while it runs.
static int child_code(void) {
  int status;
  if (waitpid(hold_plan.child, &status, WNOHANG) != hold_plan.child) return -1;
  if (WIFSIGNALED(status)) child_signal = WTERMSIG(status);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Output that the guest wrote before it ended must not be lost.
static void drain(void) {
  char data[4096];
  struct pollfd more = {hold_plan.proxy, POLLIN, 0};
  while (poll(&more, 1, 50) > 0) {
    ssize_t n = read(hold_plan.proxy, data, sizeof data);
    if (n <= 0) return;
    write_all(1, data, n);
  }
}

// Stands for a process of the sandbox until it ends: forwards signals, window sizes and, with a proxy,
// terminal input and output.
static int hold_process(void) {
  int64_t pid = hold_plan.pid;
  uint32_t tag = WAIT_TAG;
  char pending[4096];
  ssize_t pending_size = 0;
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, 0);
  int signals = signalfd(-1, &all, SFD_CLOEXEC);
  if (hold_plan.tty >= 0) {
    setsid();
    ioctl(hold_plan.tty, TIOCSCTTY, 0);
  }
  int end = field(16, 1, hold_plan.id, strlen(hold_plan.id));
  if (hold_plan.child <= 0 &&
      request(hold_plan.control, CALL_WAIT, WAIT_TAG, field(end, 2, &pid, 8)))
    return 137;
  if (hold_plan.proxy >= 0) {
    fcntl(hold_plan.proxy, F_SETFL, O_RDWR | O_NONBLOCK);
    make_raw();
    resize(pid, 0, &tag);
  }
  int input = hold_plan.proxy >= 0 ? 0 : -1;
  int control = hold_plan.control;
  while (1) {
    struct pollfd wait[] = {{control, POLLIN, 0},
                            {signals, POLLIN, 0},
                            {pending_size ? -1 : input, POLLIN, 0},
                            {hold_plan.proxy, POLLIN | (pending_size ? POLLOUT : 0), 0}};
    if (hold_plan.child > 0) {
      int code = child_code();
      if (code >= 0) return code;
    }
    if (poll(wait, 4, -1) < 0) continue;
    if (wait[0].revents) {
      unsigned char header[16], payload[4096];
      uint32_t length = 0, type = 0, got = 0;
      int bad = receive_all(control, header, sizeof header);
      if (!bad) {
        memcpy(&length, header, 4), memcpy(&type, header + 4, 4), memcpy(&got, header + 8, 4);
        bad = length > sizeof payload || (length && receive_all(control, payload, length));
      }
      if (bad) {
        if (hold_plan.child <= 0) return 137;
        control = -1;  // its end of life comes by SIGCHLD
      } else if (got == WAIT_TAG && hold_plan.child <= 0) {
        return type == ANSWER_OK && length >= 13 ? payload[5] : 137;
      }
    }
    if (wait[1].revents) {
      struct signalfd_siginfo info;
      if (read(signals, &info, sizeof info) != sizeof info) continue;
      int number = info.ssi_signo;
      if (number == SIGCHLD || number == SIGPIPE || number == SIGURG) continue;
      if (number == SIGWINCH) {
        int from = hold_plan.tty >= 0 ? hold_plan.tty : 0;
        if (hold_plan.tty >= 0 || hold_plan.proxy >= 0) resize(pid, from, &tag);
        continue;
      }
      int64_t signal = number;
      end = field(field(16, 1, hold_plan.id, strlen(hold_plan.id)), 2, &pid, 8);
      request(hold_plan.control, CALL_SIGNAL, ++tag, field(end, 3, &signal, 8));
    }
    if (wait[2].revents) {
      pending_size = read(input, pending, sizeof pending);
      if (pending_size <= 0) pending_size = 0, input = -1;
    }
    if (pending_size && (wait[2].revents || wait[3].revents & POLLOUT)) {
      ssize_t n = write(hold_plan.proxy, pending, pending_size);
      if (n > 0) {
        memmove(pending, pending + n, pending_size - n);
        pending_size -= n;
      }
    }
    if (wait[3].revents & (POLLIN | POLLHUP | POLLERR)) {
      char data[4096];
      ssize_t n = read(hold_plan.proxy, data, sizeof data);
      if (n > 0) write_all(1, data, n);
      if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        // Every other end is closed; the code is still to come.
        close(hold_plan.proxy);
        hold_plan.proxy = -1, input = -1, pending_size = 0;
      }
    }
  }
}

// Tells why a sandbox ended that did not end by itself: killed from outside, or by what its last log line says.
static void show_end(int signal) {
  static const char *const fatal[] = {"sentry: fatal: ", "warden: fatal: "};
  char text[2049], why[1200] = "";
  int fd = hold_plan.log ? open(hold_plan.log, O_RDONLY | O_CLOEXEC) : -1;
  off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
  ssize_t n = size <= 0 ? 0 : pread(fd, text, 2048, size > 2048 ? size - 2048 : 0);
  if (fd >= 0) close(fd);
  while (n > 0 && text[n - 1] == '\n') n--;
  text[n > 0 ? n : 0] = 0;
  for (ssize_t i = 0; i < n; i++)
    if (text[i] != '\n' && (text[i] < 0x20 || text[i] > 0x7e)) text[i] = '?';
  char *line = strrchr(text, '\n');
  line = line ? line + 1 : text;
  for (int i = 0; i < 2; i++)
    if (!strncmp(line, fatal[i], strlen(fatal[i]))) snprintf(why, sizeof why, "%s", line + strlen(fatal[i]));
  if (!why[0] && signal)
    snprintf(why, sizeof why, "its kernel was killed by signal %d", signal);
  if (why[0])
    dprintf(2, "redoubt: the sandbox was ended from outside: %s (by hand, or for want of memory: see the host's "
               "dmesg); start it again\n", why);
}

// The plan is on descriptor `file`:
//   control FD, id ID, pid N   connection, container and process (0 the first)
//   child PID                  host child to wait for, instead of asking the sandbox
//   tty FD                     terminal to watch for window sizes
//   proxy FD                   master of a terminal that is to be connected with descriptors 0 and 1
//   done FD                    the watcher's pipe: tell it that nothing is left to do
//   remove PATH                as in the launcher's plan; repeats
//   log PATH                   the sandbox's log: its last line may say why it was ended
//   netns FD, order HEX        network namespace, and netlink messages to it after the end; order repeats
//   sandbox FD                 pidfd of the sandbox, for the warden
//   finish ARG                 program to run after the end; repeats
static int read_hold_plan(int file) {
  char *text = malloc(PLAN_LIMIT + 1);
  size_t size = 0;
  ssize_t n;
  if (!text) return -1;
  while ((n = read(file, text + size, PLAN_LIMIT - size)) > 0) size += n;
  text[size] = 0;
  for (char *at = text; at < text + size; at += strlen(at) + 1) {
    char *value = strchr(at, ' ');
    if (!value) return -1;
    size_t key = value++ - at;
#define KEY(name) (key == strlen(name) && !memcmp(at, name, key))
    if (KEY("netns")) hold_plan.netns = atoi(value);
    else if (KEY("sandbox")) hold_plan.sandbox = atoi(value);
    else if (KEY("order")) add(&hold_plan.order, value, "order");
    else if (KEY("control")) hold_plan.control = atoi(value);
    else if (KEY("id")) hold_plan.id = value;
    else if (KEY("pid")) hold_plan.pid = atol(value);
    else if (KEY("log")) hold_plan.log = value;
    else if (KEY("child")) hold_plan.child = atoi(value);
    else if (KEY("tty")) hold_plan.tty = atoi(value);
    else if (KEY("proxy")) hold_plan.proxy = atoi(value);
    else if (KEY("done")) hold_plan.done = atoi(value);
    else if (KEY("remove")) add(&hold_plan.remove, value, "remove");
    else if (KEY("finish")) add(&hold_plan.finish, value, "finish");
#undef KEY
  }
  return 0;
}

static int digit(char c) { return c >= 'a' ? c - 'a' + 10 : c - '0'; }

// Sends the plan's netlink orders to its network namespace, in a child: the way in is a one-way road.
// What is there already is no error.
static void give_network_back(void) {
  if (hold_plan.netns < 0 || !hold_plan.order.count) return;
  pid_t pid = fork();
  if (pid) {
    while (pid > 0 && waitpid(pid, 0, 0) < 0 && errno == EINTR) {}
    return;
  }
  int socket_fd = setns(hold_plan.netns, CLONE_NEWNET) ? -1 : socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  for (int i = 0; socket_fd >= 0 && i < hold_plan.order.count; i++) {
    char *hex = hold_plan.order.item[i], answer[4096];
    union {
      struct nlmsghdr header;
      char bytes[4096];
    } message;
    size_t size = strlen(hex) / 2;
    if (size < sizeof message.header || size > sizeof message) continue;
    for (size_t k = 0; k < size; k++) message.bytes[k] = digit(hex[2 * k]) << 4 | digit(hex[2 * k + 1]);
    message.header.nlmsg_len = size;
    message.header.nlmsg_pid = 0;
    message.header.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    if (send(socket_fd, &message, size, 0) == (ssize_t)size) recv(socket_fd, answer, sizeof answer, 0);
  }
  _exit(0);
}

// Outlives whoever started it: no signal but KILL ends it before its work is done.
static int warden(int file) {
  sigset_t all;
  if (read_hold_plan(file) || hold_plan.sandbox < 0) return 1;
  setsid();
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, 0);
  struct pollfd ended = {hold_plan.sandbox, POLLIN, 0};
  while (poll(&ended, 1, -1) < 0 && errno == EINTR) {}
  give_network_back();
  return 0;
}

static int hold(int file) {
  if (read_hold_plan(file)) return 1;
  if (!hold_plan.id || strlen(hold_plan.id) > 1024 || hold_plan.control < 0) return 1;
  // What the JVM that became this program left open is not ours.
  int keep[] = {hold_plan.control, hold_plan.tty, hold_plan.proxy, hold_plan.done, hold_plan.netns};
  for (int fd = 3; fd < 256; fd++) {
    int used = 0;
    for (unsigned i = 0; i < sizeof keep / sizeof *keep; i++) used |= keep[i] == fd;
    if (!used) close(fd);
  }
  int code = hold_process();
  if (hold_plan.proxy >= 0) drain();
  if (restore_terminal) tcsetattr(0, TCSADRAIN, &before);
  if (hold_plan.child > 0 && code > 128) show_end(child_signal);
  give_network_back();
  remove_all(&hold_plan.remove);
  if (hold_plan.finish.count) {
    pid_t pid = fork();
    if (!pid) {
      sigset_t none;
      sigemptyset(&none);
      sigprocmask(SIG_SETMASK, &none, 0);
      execv(hold_plan.finish.item[0], hold_plan.finish.item);
      _exit(127);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  }
  if (hold_plan.done >= 0 && write(hold_plan.done, "x", 1) < 0) return code;
  return code;
}

int main(int argc, char **argv) {
  if (argc == 2 && !strcmp(argv[1], "kvm")) return probe_kvm();
  if (argc == 3 && !strcmp(argv[1], "hold")) return hold(atoi(argv[2]));
  if (argc == 3 && !strcmp(argv[1], "warden")) return warden(atoi(argv[2]));
  if (argc != 1) {
    fprintf(stderr, "launcher is run by redoubt; it takes its plan from descriptor 3\n");
    return 2;
  }
  return boot();
}
