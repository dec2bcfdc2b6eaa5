// The guest's init: alone in the initramfs, started by the kernel, driven by the host (docs/protocol.md).
// One thread, one loop. It answers for the guest's FUSE file systems, so it never waits for a file of a
// container itself: what touches one is done by a child (container.c).
#include <linux/bpf.h>
#include <linux/fuse.h>
#include <linux/reboot.h>
#include <linux/signalfd.h>

#include "container.h"
#include "link.h"
#include "network.h"

enum {
  CONTAINERS = 64,
  PROCESSES = 512,
  MOUNTS = 256,
  WINDOW = 64 << 10,       // bytes that a side may send on a channel before the other takes some
  CHUNK = 16 << 10,
  FUSE_OUTSTANDING = 32,   // requests that the host works on at a time
  ANSWER_LIMIT = 128 << 10,
  TEXT_LIMIT = 4096,
};

struct container {
  int used, init;          // pid of the first process, 0 once it has ended
  char id[ID_LIMIT];
  char cgroup[ID_LIMIT + 32];
  int failed;              // it never stood: its slot is free once its process is gone
  int events, oom_kills;   // its memory.events, and how many kills the host was told of
};

enum { STDIN, STDOUT, STDERR };

struct process {
  int used, container, pid, guest_pid;
  uint32_t handle;
  int is_init, terminal;
  int fd[3];               // the agent's ends; with a terminal all of them are its master
  uint32_t credit[3];      // bytes that may be sent to the host
  uint8_t *input;          // WINDOW bytes for standard input
  uint32_t input_start, input_length;
  int input_ended;
  int sync;                // to the child until its program runs, else -1
  uint32_t answer;         // request that waits for the sync socket, 0 for none
  int ready;               // created, waits for START
  int exited, code, syncing;
};

struct fuse_mount {
  int used, fd, container, writable;
  uint32_t index;
};

static struct container containers[CONTAINERS];
static struct process processes[PROCESSES];
static struct fuse_mount mounts[MOUNTS];
static int fuse_outstanding, signals, link_fd, said_hello, modules_fd;
static uint8_t out[FRAME_HEADER + FRAME_LIMIT];
static uint8_t answer_bytes[FRAME_HEADER + ANSWER_LIMIT];
static struct wire_out answer;

// ---- answers ------------------------------------------------------------------------------------

static struct wire_out *begin(void) {
  answer = (struct wire_out){answer_bytes + FRAME_HEADER, ANSWER_LIMIT, 0, 0};
  return &answer;
}

static void finish(int type, uint32_t id) { link_send(type, id, answer.bytes, answer.used); }

static void ok(uint32_t id) {
  begin();
  finish(OK, id);
}

static void refuse(uint32_t id, long error, const char *form, ...) {
  char text[TEXT_LIMIT];
  va_list args;
  va_start(args, form);
  vformat(text, sizeof text, form, args);
  va_end(args);
  begin();
  put_number(&answer, 1, -error);
  put_text(&answer, 2, text);
  finish(ERROR, id);
}

// ---- tables -------------------------------------------------------------------------------------

static struct container *container_of(const char *id) {
  for (int i = 0; i < CONTAINERS; i++)
    if (containers[i].used && streq(containers[i].id, id)) return &containers[i];
  return 0;
}

static struct process *process_of(uint32_t handle) {
  for (int i = 0; i < PROCESSES; i++)
    if (processes[i].used && processes[i].handle == handle) return &processes[i];
  return 0;
}

static struct process *new_process(int container, uint32_t handle) {
  for (int i = 0; i < PROCESSES; i++) {
    struct process *p = &processes[i];
    if (p->used) continue;
    memset(p, 0, sizeof *p);
    p->input = allocate(WINDOW);
    if (!p->input) return 0;
    p->used = 1;
    p->container = container;
    p->handle = handle;
    p->sync = -1;
    for (int k = 0; k < 3; k++) p->fd[k] = -1, p->credit[k] = WINDOW;
    return p;
  }
  return 0;
}

static void close_channel(struct process *p, int channel) {
  int fd = p->fd[channel];
  if (fd < 0) return;
  p->fd[channel] = -1;
  for (int k = 0; k < 3; k++)
    if (p->fd[k] == fd) return;  // a terminal is closed with its last channel
  sys(close, fd);
}

static void drop_process(struct process *p) {
  for (int k = 0; k < 3; k++) close_channel(p, k);
  if (p->sync >= 0) sys(close, p->sync);
  release(p->input, WINDOW);
  p->used = 0;
}

// ---- cgroups ------------------------------------------------------------------------------------

static long cgroup_write(struct container *c, const char *file, const char *text) {
  char path[256];
  format(path, sizeof path, "%s/%s", c->cgroup, file);
  return write_file(path, text);
}

static long cgroup_read(struct container *c, const char *file, char *to, size_t size) {
  char path[256];
  format(path, sizeof path, "%s/%s", c->cgroup, file);
  return read_file(path, to, size);
}

// Devices that a container may use, as runc has it: the guest's own devices, its link to the host among them, are
// not for containers. Nodes may be made of any kind.
static long restrict_devices(struct container *c) {
  enum { LOAD = BPF_LDX | BPF_MEM | BPF_W, MOVE = BPF_ALU64 | BPF_MOV | BPF_K };
  static const struct bpf_insn program[] = {
      {LOAD, 2, 1, 0, 0},                                 // r2 = access << 16 | type
      {LOAD, 3, 1, 4, 0},                                 // r3 = major
      {LOAD, 4, 1, 8, 0},                                 // r4 = minor
      {BPF_ALU64 | BPF_MOV | BPF_X, 5, 2, 0, 0},
      {BPF_ALU64 | BPF_RSH | BPF_K, 5, 0, 0, 16},         // r5 = access
      {BPF_JMP | BPF_JEQ | BPF_K, 5, 0, 14, BPF_DEVCG_ACC_MKNOD},
      {BPF_ALU64 | BPF_AND | BPF_K, 2, 0, 0, 0xffff},
      {BPF_JMP | BPF_JNE | BPF_K, 2, 0, 14, BPF_DEVCG_DEV_CHAR},
      {BPF_JMP | BPF_JGE | BPF_K, 3, 0, 1, 136},          // pseudo-terminals: 136 to 143
      {BPF_JMP | BPF_JA, 0, 0, 1, 0},
      {BPF_JMP | BPF_JLE | BPF_K, 3, 0, 9, 143},
      {BPF_JMP | BPF_JEQ | BPF_K, 3, 0, 2, 1},
      {BPF_JMP | BPF_JEQ | BPF_K, 3, 0, 6, 5},
      {BPF_JMP | BPF_JA, 0, 0, 8, 0},
      {BPF_JMP | BPF_JEQ | BPF_K, 4, 0, 5, 3},            // null
      {BPF_JMP | BPF_JEQ | BPF_K, 4, 0, 4, 5},            // zero
      {BPF_JMP | BPF_JGE | BPF_K, 4, 0, 1, 7},            // full, random, urandom
      {BPF_JMP | BPF_JA, 0, 0, 4, 0},
      {BPF_JMP | BPF_JLE | BPF_K, 4, 0, 1, 9},
      {BPF_JMP | BPF_JGT | BPF_K, 4, 0, 2, 2},            // tty, console, ptmx: 5:0 to 5:2
      {MOVE, 0, 0, 0, 1},
      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
      {MOVE, 0, 0, 0, 0},
      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attr.insns = (uint64_t)program;
  attr.insn_cnt = sizeof program / sizeof *program;
  attr.license = (uint64_t) "GPL";
  long loaded = sys(bpf, BPF_PROG_LOAD, &attr, sizeof attr);
  if (loaded < 0) return loaded;
  long directory = open_file(c->cgroup, O_RDONLY | O_DIRECTORY);
  memset(&attr, 0, sizeof attr);
  attr.target_fd = directory;
  attr.attach_bpf_fd = loaded;
  attr.attach_type = BPF_CGROUP_DEVICE;
  long r = directory < 0 ? directory : sys(bpf, BPF_PROG_ATTACH, &attr, sizeof attr);
  sys(close, directory);
  sys(close, loaded);
  return r;
}

static void close_events(struct container *c) {
  if (c->events >= 0) sys(close, c->events);
  c->events = -1;
}

static void cgroup_add(struct container *c, int pid) {
  char text[16];
  format(text, sizeof text, "%d", pid);
  cgroup_write(c, "cgroup.procs", text);
}

// The number after `key ` in a file of lines.
static int64_t keyed(const char *text, const char *key) {
  size_t n = strlen(key);
  for (const char *at = text; at && *at; at = find((char *)at, '\n'), at = at ? at + 1 : 0)
    if (starts(at, key) && at[n] == ' ') return parse_number(at + n + 1);
  return 0;
}

// Tells the host of processes that were killed for want of memory since it was told last.
static void report_oom(struct container *c, uint32_t handle) {
  char text[512];
  long n = c->events < 0 ? c->events : sys(pread64, c->events, text, sizeof text - 1, 0);
  if (n <= 0) return;
  text[n] = 0;
  int64_t kills = keyed(text, "oom_kill");
  if (kills <= c->oom_kills || kills > 0x7fffffff) return;
  c->oom_kills = kills;
  begin();
  put_number(&answer, 1, kills);
  finish(OOM, handle);
}

// Modules that a list in the initramfs names, in its order.
static void load_modules(const char *list_name) {
  static char list[4096];
  long fd = sys(openat, modules_fd, list_name, O_RDONLY | O_CLOEXEC, 0);
  long n = fd < 0 ? fd : sys(read, fd, list, sizeof list - 1);
  if (fd >= 0) sys(close, fd);
  if (n <= 0) return;
  list[n] = 0;
  for (char *at = list; *at;) {
    char *end = find(at, '\n');
    if (end) *end = 0;
    fd = sys(openat, modules_fd, at, O_RDONLY | O_CLOEXEC, 0);
    long r = fd < 0 ? fd : sys(finit_module, fd, "", 0);
    if (r < 0 && r != -EEXIST) say("module %s: error %l", at, -r);
    sys(close, fd);
    sys(unlinkat, modules_fd, at, 0);  // the initramfs is memory
    if (!end) break;
    at = end + 1;
  }
}

// ---- FUSE ---------------------------------------------------------------------------------------

static long mount_fuse(int container, struct attach *a, int writable) {
  char path[64], data[160];
  int i = 0;
  while (i < MOUNTS && mounts[i].used) i++;
  if (i == MOUNTS) return -ENFILE;
  long fd = open_file("/dev/fuse", O_RDWR | O_NONBLOCK);
  if (fd < 0) return fd;
  format(path, sizeof path, "/run/fs/%d", (int)a->index);
  long r;
  if (a->is_directory) {
    r = sys(mkdir, path, 0755);
  } else {
    r = sys(open, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (r >= 0) sys(close, r), r = 0;
  }
  format(data, sizeof data, "fd=%d,rootmode=%s,user_id=0,group_id=0,allow_other,default_permissions,max_read=131072",
         (int)fd, a->is_directory ? "40000" : "100000");
  if (r >= 0) r = sys(mount, a->name, path, "fuse.gofer", MS_NODEV, data);
  if (r < 0) {
    sys(close, fd);
    return r;
  }
  mounts[i] = (struct fuse_mount){1, fd, container, writable, a->index};
  return 0;
}

// A disk that has an EROFS image, in the place of a file system of the gofer.
static long mount_disk(int container, struct attach *a, const char *disk) {
  char path[64], device[64];
  int i = 0;
  while (i < MOUNTS && mounts[i].used) i++;
  if (i == MOUNTS) return -ENFILE;
  for (const char *c = disk; *c; c++)
    if (*c < '0' || *c > 'z' || *c == '/') return -EINVAL;
  load_modules("block");
  format(path, sizeof path, "/run/fs/%d", (int)a->index);
  format(device, sizeof device, "/dev/%s", disk);
  sys(mkdir, path, 0755);
  long r = sys(mount, device, path, "erofs", MS_RDONLY | MS_NODEV, "");
  if (r < 0) sys(rmdir, path);
  else mounts[i] = (struct fuse_mount){1, -1, container, 0, a->index};
  return r;
}

static void fuse_readable(struct fuse_mount *m) {
  struct fuse_in_header *request = (void *)(out + FRAME_HEADER);
  long n = sys(read, m->fd, request, FRAME_LIMIT);
  if (n == -ENODEV) {  // unmounted
    sys(close, m->fd);
    m->used = 0;
    return;
  }
  if (n < (long)sizeof *request) return;
  int silent = request->opcode == FUSE_FORGET || request->opcode == FUSE_BATCH_FORGET || request->opcode == FUSE_INTERRUPT;
  if (!silent) fuse_outstanding++;
  link_send(FUSE, m->index, request, n);
}

static void fuse_answer(uint32_t index, uint8_t *payload, uint32_t length) {
  struct fuse_out_header header;
  if (length < sizeof header) return;
  memcpy(&header, payload, sizeof header);
  if (header.unique && fuse_outstanding > 0) fuse_outstanding--;
  for (int i = 0; i < MOUNTS; i++)
    if (mounts[i].used && mounts[i].index == index) sys(write, mounts[i].fd, payload, length);
}

static void unmount_all(int container) {
  char path[64];
  for (int i = 0; i < MOUNTS; i++)
    if (mounts[i].used && mounts[i].container == container) {
      format(path, sizeof path, "/run/fs/%d", (int)mounts[i].index);
      sys(umount2, path, MNT_DETACH);
      sys(rmdir, path);
      sys(unlink, path);
      if (mounts[i].fd < 0) mounts[i].used = 0;
    }
}

// ---- processes ----------------------------------------------------------------------------------

static long make_stdio(struct process *p, int child[3]) {
  for (int k = 0; k < 3; k++) {
    int ends[2];
    long r = sys(pipe2, ends, O_CLOEXEC);
    if (r < 0) return r;
    child[k] = k == STDIN ? ends[0] : ends[1];
    p->fd[k] = k == STDIN ? ends[1] : ends[0];
    sys(fcntl, p->fd[k], F_SETFL, O_NONBLOCK);
  }
  return 0;
}

static int is_terminal(struct wire w) {
  int terminal = 0;
  while (wire_next(&w))
    if (w.tag == 15) terminal = wire_number(&w) != 0;
  return terminal;
}

// Forks a process of the container; the answer to `id` follows when its sync socket has spoken.
static void spawn(uint32_t id, struct process *p, struct child_orders *o, struct wire process_config, int init_pid) {
  int pair[2], child[3] = {-1, -1, -1};
  struct container *c = &containers[p->container];
  p->terminal = o->terminal = is_terminal(process_config);
  long r = sys(socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
  if (r >= 0) {
    p->sync = pair[0];
    o->sync = pair[1];
    if (!p->terminal) r = make_stdio(p, child);
    memcpy(o->stdio, child, sizeof child);
  }
  if (r >= 0) {
    long flags = init_pid ? 0 : CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC;
    for (int k = 0; k < SHARED; k++)
      if (o->shared[k] >= 0) flags &= ~(k == SHARED_IPC ? CLONE_NEWIPC : CLONE_NEWUTS);
    r = sys(clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (!r) {
      if (init_pid) container_exec(o, init_pid);
      container_init(o);
    }
    sys(close, pair[1]);
  }
  for (int k = 0; k < 3; k++)
    if (child[k] >= 0) sys(close, child[k]);
  for (int k = 0; k < SHARED; k++)
    if (o->shared[k] >= 0) sys(close, o->shared[k]);
  if (r < 0) {
    drop_process(p);
    refuse(id, r, "starting a process in the guest");
    return;
  }
  p->pid = r;
  p->answer = id;
  cgroup_add(c, p->pid);
  sys(write, p->sync, "G", 1);
}

static void learn_guest_pid(struct process *p) {
  char path[64], text[2048];
  format(path, sizeof path, "/proc/%d/status", p->pid);
  p->guest_pid = p->pid;
  if (read_file(path, text, sizeof text) <= 0) return;
  for (char *at = text; at; at = find(at, '\n'), at = at ? at + 1 : 0)
    if (starts(at, "NSpid:")) {
      char *end = find(at, '\n');
      if (end) *end = 0;
      char *last = at;
      for (char *c = at; *c; c++)
        if (*c == '\t') last = c;
      p->guest_pid = parse_number(last + 1);
      return;
    }
}

static void answer_pid(struct process *p) {
  uint32_t id = p->answer;
  p->answer = 0;
  if (!id) return;
  begin();
  put_number(&answer, 1, p->guest_pid);
  finish(OK, id);
}

// What a child says while it prepares. The end of the socket without an error: its program runs.
static void sync_readable(struct process *p) {
  struct sync_message m;
  int fd;
  long n = receive_sync(p->sync, &m, &fd);
  if (n == -EAGAIN || n == -EINTR) return;
  if (n <= 0) {
    sys(close, p->sync);
    p->sync = -1;
    p->ready = 0;
    answer_pid(p);
    return;
  }
  switch (m.kind) {
    case 'T':
      if (fd >= 0) {
        p->fd[0] = p->fd[1] = fd;
        sys(fcntl, fd, F_SETFL, O_NONBLOCK);
        fd = -1;
      }
      break;
    case 'P':
      p->pid = m.number;
      learn_guest_pid(p);
      break;
    case 'R':
      p->ready = 1;
      p->guest_pid = 1;
      answer_pid(p);
      break;
    case 'E':
      if (p->answer) refuse(p->answer, -m.number, "%s", m.text);
      p->answer = 0;
      if (p->is_init && !p->guest_pid) containers[p->container].failed = 1;
      break;
  }
  if (fd >= 0) sys(close, fd);
}

static void input_writable(struct process *p) {
  while (p->input_length) {
    uint32_t part = p->input_length;
    if (part > WINDOW - p->input_start) part = WINDOW - p->input_start;
    long n = sys(write, p->fd[STDIN], p->input + p->input_start, part);
    if (n == -EAGAIN || n == -EINTR) return;
    if (n < 0) n = p->input_length;  // nobody reads any more: drop it
    uint32_t taken = n;
    p->input_start = (p->input_start + taken) % WINDOW;
    p->input_length -= taken;
    memcpy(out + FRAME_HEADER, &taken, 4);
    link_send(CREDIT, p->handle << 2 | STDIN, out + FRAME_HEADER, 4);
  }
  if (p->input_ended && !p->terminal) close_channel(p, STDIN);
}

// Sends what the process has written; 0 when there is nothing at the moment.
static int output_readable(struct process *p, int channel) {
  uint32_t part = p->credit[channel] < CHUNK ? p->credit[channel] : CHUNK;
  if (!part || p->fd[channel] < 0) return 0;
  long n = sys(read, p->fd[channel], out + FRAME_HEADER, part);
  if (n == -EAGAIN || n == -EINTR) return 0;
  if (n > 0) {
    p->credit[channel] -= n;
    link_send(DATA, p->handle << 2 | channel, out + FRAME_HEADER, n);
    return 1;
  }
  close_channel(p, channel);  // 0, or EIO of a terminal that nobody has open
  if (p->terminal) close_channel(p, STDIN);
  link_send(END, p->handle << 2 | channel, out + FRAME_HEADER, 0);
  return 0;
}

// Reports an exit once all that was written before it has been sent.
static void report_exit(struct process *p) {
  if (!p->exited || p->syncing || p->sync >= 0) return;
  for (int k = STDOUT; k <= STDERR; k++) {
    while (output_readable(p, k)) {}
    struct pollfd more = {p->fd[k], POLLIN, 0};
    if (p->fd[k] >= 0 && sys(poll, &more, 1, 0) > 0 && more.revents & POLLIN) return;  // for want of credit
  }
  if (p->is_init) report_oom(&containers[p->container], p->handle);
  begin();
  put_number(&answer, 1, p->code);
  finish(EXITED, p->handle);
  int is_init = p->is_init, container = p->container;
  // Others may hold its output open; they go on writing to the channel. With the first process all are gone.
  if (is_init || (p->fd[STDOUT] < 0 && p->fd[STDERR] < 0)) drop_process(p);
  else p->exited = 2;
  if (is_init) {
    unmount_all(container);
    close_events(&containers[container]);
    sys(rmdir, containers[container].cgroup);
    if (containers[container].failed) containers[container].used = 0;
  }
}

// Writes dirty pages of the container's shared files back to the host, in a child since they are answered here.
static int start_syncing(struct process *p) {
  int writable = 0;
  for (int i = 0; i < MOUNTS; i++)
    writable |= mounts[i].used && mounts[i].container == p->container && mounts[i].writable;
  if (!writable) return 0;
  long pid = sys(clone, SIGCHLD, 0, 0, 0, 0);
  if (!pid) {
    char path[64];
    for (int i = 0; i < MOUNTS; i++)
      if (mounts[i].used && mounts[i].container == p->container && mounts[i].writable) {
        format(path, sizeof path, "/run/fs/%d", (int)mounts[i].index);
        long fd = open_file(path, O_RDONLY);
        if (fd >= 0) sys(syncfs, fd);
      }
    sys(exit_group, 0);
  }
  return pid > 0 ? pid : 0;
}

static void reap(void) {
  int status;
  long pid;
  // A fork in a container may have ended before its pid was read.
  for (int i = 0; i < PROCESSES; i++)
    if (processes[i].used && processes[i].sync >= 0) sync_readable(&processes[i]);
  while ((pid = sys(wait4, -1, &status, WNOHANG, 0)) > 0) {
    for (int i = 0; i < PROCESSES; i++) {
      struct process *p = &processes[i];
      if (!p->used) continue;
      if (p->syncing == pid) p->syncing = 0;
      if (p->pid != pid || p->exited) continue;
      p->exited = 1;
      p->code = status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
      while (p->sync >= 0) {
        sync_readable(p);
        if (p->pid != pid) p->exited = 0;  // it was the intermediate fork
        if (!p->exited) break;
        if (p->sync >= 0) {
          struct pollfd more = {p->sync, POLLIN, 0};
          if (sys(poll, &more, 1, 0) <= 0) break;
        }
      }
      if (p->exited && p->is_init) {
        containers[p->container].init = 0;
        p->syncing = start_syncing(p);
      }
    }
  }
  for (int i = 0; i < PROCESSES; i++)
    if (processes[i].used && processes[i].exited == 1) report_exit(&processes[i]);
}

// ---- requests -----------------------------------------------------------------------------------

struct request {
  char id[ID_LIMIT];
  struct wire config, attaches[ATTACH_LIMIT];
  int attach_count, has_config, bad;
  int64_t second, third, fourth;
};

static void parse(struct request *r, int type, uint8_t *payload, uint32_t length) {
  struct wire w;
  memset(r, 0, sizeof *r);
  wire_open(&w, payload, length);
  while (wire_next(&w)) {
    int record = ((type == CREATE || type == NETWORK) && w.tag == 1) || (type == EXEC && w.tag == 2);
    if (record) r->config = wire_record(&w), r->has_config = 1;
    else if (w.tag == 1) wire_text(&w, r->id, sizeof r->id);
    else if (type == CREATE && w.tag == 4) {
      if (r->attach_count == ATTACH_LIMIT) w.bad = 1;
      else r->attaches[r->attach_count++] = wire_record(&w);
    }
    else if (w.tag == 2) r->second = wire_number(&w);
    else if (w.tag == 3) r->third = wire_number(&w);
    else if (w.tag == 4) r->fourth = wire_number(&w);
  }
  r->bad = w.bad;
}

static int good_id(const char *id) {
  if (!id[0] || id[0] == '.') return 0;
  for (; *id; id++)
    if (*id == '/' || *id < 0x21 || *id > 0x7e) return 0;
  return 1;
}

// Sets `file=value` of the container's cgroup. A file that this kernel does not have is said, not refused.
static long set_limit(struct container *c, char *setting) {
  char *value = find(setting, '=');
  if (!value) return -EINVAL;
  *value++ = 0;
  if (find(setting, '/')) return -EINVAL;
  long r = cgroup_write(c, setting, value);
  if (r != -ENOENT && r != -EACCES) return r < 0 ? r : 0;
  say("container %s: the guest's kernel has no %s", c->id, setting);
  return 0;
}

static long set_limits(struct container *c, struct wire config) {
  static char setting[512];
  long r = 0;
  while (r >= 0 && wire_next(&config))
    if (config.tag == 10) wire_text(&config, setting, sizeof setting), r = config.bad ? -EPROTO : set_limit(c, setting);
  return r;
}

// Opens what the container shares with the first one, which has slot 0 as long as the guest lives.
static void share_namespaces(struct wire config, struct child_orders *o) {
  char name[16], path[64];
  while (wire_next(&config)) {
    if (config.tag != 11 || !containers[0].init) continue;
    wire_text(&config, name, sizeof name);
    int k = streq(name, "ipc") ? SHARED_IPC : streq(name, "uts") ? SHARED_UTS : SHARED;
    if (k == SHARED || o->shared[k] >= 0) continue;
    format(path, sizeof path, "/proc/%d/ns/%s", containers[0].init, name);
    o->shared[k] = open_file(path, O_RDONLY);
  }
}

// Payload: 1 ContainerConfig, 3 handle, 4 attach points {1 name, 2 index, 3 is a directory, 4 writable}.
static void create(uint32_t id, struct request *q) {
  static struct attach attaches[ATTACH_LIMIT];
  struct child_orders o = {.config = q->config, .attaches = attaches, .attach_count = q->attach_count, .shared = {-1, -1}};
  struct wire process_config = {0}, w = q->config;
  char name[ID_LIMIT] = "", events[ID_LIMIT + 64];
  while (wire_next(&w)) {
    if (w.tag == 1) wire_text(&w, name, sizeof name);
    if (w.tag == 6) process_config = wire_record(&w);
  }
  int i = 0;
  while (i < CONTAINERS && containers[i].used) i++;
  if (w.bad || !good_id(name) || container_of(name)) return refuse(id, -EINVAL, "container id '%s'", name);
  if (i == CONTAINERS) return refuse(id, -ENOSPC, "more than %d containers in a guest", CONTAINERS);
  struct container *c = &containers[i];
  struct process *p = new_process(i, q->third);
  if (!p) return refuse(id, -ENOSPC, "more than %d processes", PROCESSES);
  memset(c, 0, sizeof *c);
  c->used = 1;
  format(c->id, sizeof c->id, "%s", name);
  format(c->cgroup, sizeof c->cgroup, "/sys/fs/cgroup/%s", name);
  sys(mkdir, c->cgroup, 0755);
  format(events, sizeof events, "%s/memory.events", c->cgroup);
  c->events = open_file(events, O_RDONLY);
  long limited = set_limits(c, q->config);
  long restricted = restrict_devices(c);
  if (restricted < 0) say("container %s may use all of the guest's devices: error %l", name, -restricted);
  if (limited < 0) {
    close_events(c);
    drop_process(p);
    sys(rmdir, c->cgroup);
    c->used = 0;
    return refuse(id, limited, "a limit of the container's");
  }
  for (int k = 0; k < q->attach_count; k++) {
    struct wire a = q->attaches[k];
    int writable = 0;
    char disk[16] = "";
    while (wire_next(&a)) switch (a.tag) {
      case 1: wire_text(&a, attaches[k].name, sizeof attaches[k].name); break;
      case 2: attaches[k].index = wire_number(&a); break;
      case 3: attaches[k].is_directory = wire_number(&a) != 0; break;
      case 4: writable = wire_number(&a) != 0; break;
      case 5: wire_text(&a, disk, sizeof disk); break;
    }
    long r = a.bad ? -EPROTO : disk[0] ? mount_disk(i, &attaches[k], disk) : mount_fuse(i, &attaches[k], writable);
    if (r < 0) {
      unmount_all(i);
      close_events(c);
      drop_process(p);
      c->used = 0;
      return refuse(id, r, disk[0] ? "mounting the root disk in the guest" : "mounting the gofer's files in the guest");
    }
  }
  p->is_init = 1;
  share_namespaces(q->config, &o);
  spawn(id, p, &o, process_config, 0);
  c->init = p->used ? p->pid : 0;
}

static void start(uint32_t id, struct container *c) {
  for (int i = 0; i < PROCESSES; i++) {
    struct process *p = &processes[i];
    if (!p->used || !p->is_init || &containers[p->container] != c) continue;
    if (!p->ready) return refuse(id, -EBUSY, "the container is started already");
    p->ready = 0;
    p->answer = id;
    sys(write, p->sync, "S", 1);
    return;
  }
  refuse(id, -ESRCH, "the container has ended");
}

static void exec(uint32_t id, struct container *c, struct request *q) {
  struct child_orders o = {.config = q->config, .shared = {-1, -1}};
  if (!c->init) return refuse(id, -ESRCH, "the container is not running");
  struct process *p = new_process(c - containers, q->third);
  if (!p) return refuse(id, -ENOSPC, "more than %d processes", PROCESSES);
  spawn(id, p, &o, q->config, c->init);
}

// The pid in the agent's namespace of a container's pid; 0 if there is none.
static int host_pid(struct container *c, int guest_pid) {
  static char list[64 << 10];
  if (guest_pid == 0 || guest_pid == 1) return c->init;
  if (cgroup_read(c, "cgroup.procs", list, sizeof list) <= 0) return 0;
  for (char *at = list; at && *at; at = find(at, '\n'), at = at ? at + 1 : 0) {
    struct process probe = {.pid = parse_number(at)};
    learn_guest_pid(&probe);
    if (probe.guest_pid == guest_pid) return probe.pid;
  }
  return 0;
}

static void signal_container(uint32_t id, struct container *c, int pid, int number) {
  static char list[64 << 10];
  if (pid == -1 && number == SIGKILL && cgroup_write(c, "cgroup.kill", "1") >= 0) return ok(id);
  if (pid == -1) {
    if (cgroup_read(c, "cgroup.procs", list, sizeof list) > 0)
      for (char *at = list; at && *at; at = find(at, '\n'), at = at ? at + 1 : 0) sys(kill, parse_number(at), number);
    return ok(id);
  }
  int target = host_pid(c, pid);
  long r = target ? sys(kill, target, number) : -ESRCH;
  if (r < 0) refuse(id, r, "no such process");
  else ok(id);
}

// The n-th field of /proc/PID/stat from the state on, which is field 3.
static const char *stat_field(const char *after_name, int n) {
  for (int i = 3; i < n; i++) {
    after_name = find((char *)after_name, ' ');
    if (!after_name) return "0";
    after_name++;
  }
  return after_name;
}

// ProcessInfo of one process (redoubt.sentry.control.ProcessInfo).
static void describe(struct wire_out *to, int pid) {
  static char stat[1024], status[4096], command[512];
  static uint8_t bytes[2048];
  char path[64], state[2] = "?";
  struct wire_out w = {bytes, sizeof bytes, 0, 0};
  struct process self = {.pid = pid}, parent = {0};
  format(path, sizeof path, "/proc/%d/stat", pid);
  long n = read_file(path, stat, sizeof stat);
  if (n <= 0) return;
  while (n > 0 && stat[n - 1] != ')') n--;
  const char *fields = stat + n + 1;
  format(path, sizeof path, "/proc/%d/status", pid);
  if (read_file(path, status, sizeof status) <= 0) return;
  learn_guest_pid(&self);
  parent.pid = parse_number(stat_field(fields, 4));
  if (self.guest_pid != 1 && parent.pid > 1) learn_guest_pid(&parent);
  uint32_t uid = 0;
  for (char *at = status; at; at = find(at, '\n'), at = at ? at + 1 : 0)
    if (starts(at, "Uid:\t")) uid = parse_number(at + 5);
  format(path, sizeof path, "/proc/%d/cmdline", pid);
  n = read_file(path, command, sizeof command);
  for (long i = 0; i + 1 < n; i++)
    if (!command[i]) command[i] = ' ';
  if (n <= 0) {
    char *name = find(stat, '('), *end = stat;
    for (char *c = stat; *c; c++)
      if (*c == ')') end = c;
    if (name && end > name) *end = 0, format(command, sizeof command, "[%s]", name + 1);
  }
  state[0] = fields[0];
  long tty = parse_number(stat_field(fields, 7));
  char terminal[16] = "?";
  if ((tty >> 8 & 0xff) >= 136) format(terminal, sizeof terminal, "pts/%l", (tty & 0xff) | (tty >> 12 & 0xfff00));
  put_number(&w, 1, self.guest_pid);
  put_number(&w, 2, parent.guest_pid);
  put_number(&w, 3, uid);
  put_text(&w, 4, state);
  put_number(&w, 5, parse_number(stat_field(fields, 20)));
  put_number(&w, 6, (parse_number(stat_field(fields, 14)) + parse_number(stat_field(fields, 15))) * 10000000);
  put_number(&w, 7, parse_number(stat_field(fields, 22)) * 10000000);
  put_number(&w, 8, parse_number(stat_field(fields, 24)) * 4096);
  put_text(&w, 9, terminal);
  put_text(&w, 10, command);
  put_field(to, 1, w.bytes, w.used);
}

static void ps(uint32_t id, struct container *c) {
  static char list[64 << 10];
  begin();
  if (cgroup_read(c, "cgroup.procs", list, sizeof list) > 0)
    for (char *at = list; at && *at; at = find(at, '\n'), at = at ? at + 1 : 0) describe(&answer, parse_number(at));
  finish(OK, id);
}

// SandboxStats, and the guest's own accounting: 7 memory.current, 8 memory.max events of oom_kill.
static void stats(uint32_t id, struct container *c) {
  static uint8_t bytes[256];
  char text[1024];
  struct wire_out w = {bytes, sizeof bytes, 0, 0};
  int64_t tasks = 0, cpu = 0, memory = 0;
  if (cgroup_read(c, "pids.current", text, sizeof text) > 0) tasks = parse_number(text);
  if (cgroup_read(c, "cpu.stat", text, sizeof text) > 0) cpu = keyed(text, "usage_usec") * 1000;
  if (cgroup_read(c, "memory.current", text, sizeof text) > 0) memory = parse_number(text);
  put_number(&w, 1, tasks);
  put_number(&w, 2, tasks);
  put_number(&w, 3, cpu);
  put_number(&w, 4, memory);
  begin();
  put_field(&answer, 1, w.bytes, w.used);
  finish(OK, id);
}

// Kills what is left of a container and forgets it; EBUSY until its first process is gone.
static void remove_container(uint32_t id, struct container *c) {
  int index = c - containers;
  cgroup_write(c, "cgroup.kill", "1");
  for (int i = 0; i < PROCESSES; i++)
    if (processes[i].used && processes[i].container == index && (c->init || processes[i].syncing))
      return refuse(id, -EBUSY, "the container is still ending");
  for (int i = 0; i < PROCESSES; i++)
    if (processes[i].used && processes[i].container == index) drop_process(&processes[i]);
  unmount_all(index);
  close_events(c);
  sys(rmdir, c->cgroup);
  c->used = 0;
  ok(id);
}

static void resize(uint32_t id, struct container *c, struct request *q) {
  for (int i = 0; i < PROCESSES; i++) {
    struct process *p = &processes[i];
    int wanted = q->second == 0 ? p->is_init : p->guest_pid == q->second;
    if (!p->used || &containers[p->container] != c || !wanted || !p->terminal || p->fd[STDIN] < 0) continue;
    struct { unsigned short rows, columns, x, y; } size = {q->third, q->fourth, 0, 0};
    sys(ioctl, p->fd[STDIN], 0x5414 /* TIOCSWINSZ */, &size);
  }
  ok(id);
}

__attribute__((noreturn)) static void shut_down(void) {
  sys(sync);
  sys(reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF, 0);
  sys(exit_group, 0);
  __builtin_unreachable();
}

// ---- the host's frames --------------------------------------------------------------------------

// Payload: 1 version, 2 CLOCK_REALTIME in ns, 3 entropy.
static void hello(uint8_t *payload, uint32_t length) {
  struct wire w;
  struct { int bits, bytes; uint8_t data[256]; } entropy;
  int64_t version = 0;
  char text[512];
  wire_open(&w, payload, length);
  while (wire_next(&w)) switch (w.tag) {
    case 1: version = wire_number(&w); break;
    case 2: {
      int64_t now = wire_number(&w), time[2] = {now / 1000000000, now % 1000000000};
      sys(clock_settime, 0, time);
      break;
    }
    case 3:
      entropy.bytes = w.length > sizeof entropy.data ? sizeof entropy.data : w.length;
      entropy.bits = 8 * entropy.bytes;
      memcpy(entropy.data, w.value, entropy.bytes);
      long fd = open_file("/dev/urandom", O_WRONLY);
      sys(ioctl, fd, 0x40085203 /* RNDADDENTROPY */, &entropy);
      sys(close, fd);
      break;
  }
  if (w.bad || version != PROTOCOL_VERSION) say("the host speaks version %l of the protocol, not %d", version, PROTOCOL_VERSION);
  said_hello = 1;
  int64_t now[2] = {0, 0};
  sys(clock_gettime, 7 /* CLOCK_BOOTTIME */, now);
  begin();
  put_number(&answer, 1, PROTOCOL_VERSION);
  put_number(&answer, 2, now[0] * 1000000000 + now[1]);
  if (read_file("/proc/sys/kernel/osrelease", text, sizeof text) > 0) put_text(&answer, 3, text);
  finish(READY, 0);
}

static void channel_frame(int type, uint32_t id, uint8_t *payload, uint32_t length) {
  struct process *p = process_of(id >> 2);
  int channel = id & 3;
  if (!p || channel > STDERR) return;  // it has ended
  if (type == CREDIT) {
    uint32_t n = 0;
    if (length != 4) return;
    memcpy(&n, payload, 4);
    if (n > WINDOW - p->credit[channel]) n = WINDOW - p->credit[channel];
    p->credit[channel] += n;
  } else if (channel == STDIN && type == END) {
    p->input_ended = 1;
    if (!p->input_length && !p->terminal) close_channel(p, STDIN);
  } else if (channel == STDIN && length <= WINDOW - p->input_length) {
    uint32_t at = (p->input_start + p->input_length) % WINDOW;
    uint32_t part = length < WINDOW - at ? length : WINDOW - at;
    memcpy(p->input + at, payload, part);
    memcpy(p->input, payload + part, length - part);
    p->input_length += length;
    if (p->fd[STDIN] < 0) p->input_length = 0;
    else input_writable(p);
  }
}

static void configure_network(uint32_t id, struct request *q) {
  char what[64];
  if (!q->has_config) return refuse(id, -EPROTO, "no configuration");
  load_modules("network");
  long r = network_configure(q->config, what, sizeof what);
  if (r < 0) refuse(id, r, "%s in the guest", what);
  else ok(id);
}

static void request(int type, uint32_t id, uint8_t *payload, uint32_t length) {
  static struct request q;
  parse(&q, type, payload, length);
  if (q.bad) return refuse(id, -EPROTO, "malformed request %d", type);
  if (type == CREATE) return q.has_config ? create(id, &q) : refuse(id, -EPROTO, "no configuration");
  if (type == SHUTDOWN) {
    ok(id);
    shut_down();
  }
  if (type == NETWORK) return configure_network(id, &q);
  struct container *c = container_of(q.id);
  if (!c) return refuse(id, -ENOENT, "no container '%s' in the guest", q.id);
  switch (type) {
    case START: start(id, c); break;
    case EXEC: q.has_config ? exec(id, c, &q) : refuse(id, -EPROTO, "no configuration"); break;
    case SIGNAL: signal_container(id, c, q.second, q.third); break;
    case PS: ps(id, c); break;
    case PAUSE: case RESUME: {
      long r = cgroup_write(c, "cgroup.freeze", type == PAUSE ? "1" : "0");
      if (r < 0) refuse(id, r, "freezing the container");
      else ok(id);
      break;
    }
    case RESIZE: resize(id, c, &q); break;
    case STATS: stats(id, c); break;
    case REMOVE: remove_container(id, c); break;
    default: refuse(id, -EOPNOTSUPP, "request %d is not known", type);
  }
}

static void frame(int type, uint32_t id, uint8_t *payload, uint32_t length) {
  if (type == HELLO) hello(payload, length);
  else if (type == FUSE) fuse_answer(id, payload, length);
  else if (type == DATA || type == END || type == CREDIT) channel_frame(type, id, payload, length);
  else request(type, id, payload, length);
}

// ---- boot ---------------------------------------------------------------------------------------

static void option(const char *command_line, const char *key, char *to, size_t size) {
  to[0] = 0;
  for (const char *at = command_line; at && *at; at = find((char *)at, ' '), at = at ? at + 1 : 0)
    if (starts(at, key)) {
      size_t n = 0;
      for (at += strlen(key); at[n] && at[n] != ' ' && at[n] != '\n' && n + 1 < size; n++) to[n] = at[n];
      to[n] = 0;
      return;
    }
}

// The kernel's first root cannot be pivoted away from: a tmpfs takes its place.
static void new_root(void) {
  static const char *const move[] = {"proc", "sys", "dev", "run"};
  char path[32], from[32];
  sys(mkdir, "/root", 0700);
  sys(mount, "root", "/root", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=755");
  for (int i = 0; i < 4; i++) {
    format(path, sizeof path, "/root/%s", move[i]);
    format(from, sizeof from, "/%s", move[i]);
    sys(mkdir, path, 0755);
    sys(mount, from, path, "", MS_MOVE, 0);
  }
  sys(chdir, "/root");
  sys(mount, ".", "/", "", MS_MOVE, 0);
  sys(chroot, ".");
  sys(chdir, "/");
}

static void set_up(void) {
  static const struct { const char *path, *type, *data; int flags; } mounts_at_boot[] = {
      {"/proc", "proc", "", MS_NOSUID | MS_NODEV | MS_NOEXEC},
      {"/sys", "sysfs", "", MS_NOSUID | MS_NODEV | MS_NOEXEC},
      {"/dev", "devtmpfs", "mode=755", MS_NOSUID},
      {"/run", "tmpfs", "mode=700", MS_NOSUID | MS_NODEV}};
  for (unsigned i = 0; i < sizeof mounts_at_boot / sizeof *mounts_at_boot; i++) {
    sys(mkdir, mounts_at_boot[i].path, 0755);
    long r = sys(mount, mounts_at_boot[i].type, mounts_at_boot[i].path, mounts_at_boot[i].type, mounts_at_boot[i].flags,
                 mounts_at_boot[i].data);
    if (r < 0 && r != -EBUSY) say("mount %s: error %l", mounts_at_boot[i].path, -r);
  }
  sys(mkdir, "/run/fs", 0700);
  modules_fd = open_file("/modules", O_PATH | O_DIRECTORY);
  load_modules("list");
  // What is free goes back to the host by pages, not by 2 MiB only: the balloon begins 2 s after its module came.
  write_file("/sys/module/page_reporting/parameters/page_reporting_order", "0");
  long r = sys(mount, "cgroup", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, "");
  if (r < 0) say("mount cgroup2: error %l", -r);
  static const char *const controllers[] = {"+cpu", "+memory", "+pids", "+io", "+cpuset"};
  for (int i = 0; i < 5; i++) write_file("/sys/fs/cgroup/cgroup.subtree_control", controllers[i]);
}

static void loop(void) {
  static struct pollfd polls[2 + MOUNTS + PROCESSES * 5];
  while (1) {
    int n = 0;
    polls[n++] = (struct pollfd){link_fd, POLLIN, 0};
    polls[n++] = (struct pollfd){signals, POLLIN, 0};
    if (fuse_outstanding < FUSE_OUTSTANDING)
      for (int i = 0; i < MOUNTS; i++)
        if (mounts[i].used && mounts[i].fd >= 0) polls[n++] = (struct pollfd){mounts[i].fd, POLLIN, 0};
    for (int i = 0; i < PROCESSES; i++) {
      struct process *p = &processes[i];
      if (!p->used) continue;
      int events = p->is_init ? containers[p->container].events : -1;
      if (events >= 0) polls[n++] = (struct pollfd){events, POLLPRI, 0};
      if (p->sync >= 0) polls[n++] = (struct pollfd){p->sync, POLLIN, 0};
      if (p->fd[STDIN] >= 0 && p->input_length) polls[n++] = (struct pollfd){p->fd[STDIN], POLLOUT, 0};
      for (int k = STDOUT; k <= STDERR; k++)
        if (p->fd[k] >= 0 && p->credit[k]) polls[n++] = (struct pollfd){p->fd[k], POLLIN, 0};
    }
    long r = sys(poll, polls, n, link_idle());
    if (r < 0) continue;
    if (polls[0].revents || link_waits()) {
      r = link_receive(frame);
      if (r < 0) {
        say("the host is gone (error %l)", -r);
        shut_down();
      }
    }
    if (polls[1].revents) {
      struct signalfd_siginfo info;
      while (sys(read, signals, &info, sizeof info) > 0) {}
      reap();
    }
    // The tables may have changed: look at all that could have been readable, without waiting.
    for (int i = 0; i < MOUNTS; i++)
      if (mounts[i].used)
        for (int k = 2; k < n; k++)
          if (polls[k].revents && polls[k].fd == mounts[i].fd && fuse_outstanding < FUSE_OUTSTANDING)
            fuse_readable(&mounts[i]);
    for (int i = 0; i < PROCESSES; i++) {
      struct process *p = &processes[i];
      if (!p->used) continue;
      for (int k = 2; k < n && p->used; k++) {
        if (!polls[k].revents) continue;
        if (polls[k].events == POLLPRI) {
          if (p->is_init && polls[k].fd == containers[p->container].events) report_oom(&containers[p->container], p->handle);
        } else if (polls[k].fd == p->sync) sync_readable(p);
        else if (polls[k].fd == p->fd[STDIN] && polls[k].events & POLLOUT) input_writable(p);
        else if (polls[k].fd == p->fd[STDOUT]) output_readable(p, STDOUT);
        else if (polls[k].fd == p->fd[STDERR]) output_readable(p, STDERR);
      }
      if (p->exited == 1) report_exit(p);
      else if (p->exited == 2 && p->fd[STDOUT] < 0 && p->fd[STDERR] < 0) drop_process(p);
    }
  }
}

__attribute__((used)) void agent_main(void) {
  static char command_line[4096];
  char link[64];
  uint64_t mask = 1ull << (SIGCHLD - 1);
  set_up();
  for (int fd; (fd = open_file("/dev/null", O_RDWR)) <= 2;)
    if (fd < 0) break;
  read_file("/proc/cmdline", command_line, sizeof command_line);
  option(command_line, "redoubt.link=", link, sizeof link);
  link_fd = link_open(link);
  if (link_fd < 0) {
    say("link '%s': error %d", link, -link_fd);
    shut_down();
  }
  network_hide();
  new_root();
  sys(rt_sigprocmask, 0 /* SIG_BLOCK */, &mask, 0, 8);
  signals = sys(signalfd4, -1, &mask, 8, O_CLOEXEC | O_NONBLOCK);
  say("ready on %s", link);
  // The host starts to speak when it hears of us.
  begin();
  finish(READY, 1);
  loop();
}

#ifndef FUZZ
__asm__(".globl _start\n_start:\n xor %ebp,%ebp\n and $-16,%rsp\n call agent_main\n");
#endif
