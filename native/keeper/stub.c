// The signal handler of guest threads: saves the machine state in the context, hands the event to
// the sentry and serves its commands until it says run.
//
// Everything here runs with a guest's rights in a guest's address space: nothing that it does or
// writes is trusted by the sentry. Only general registers are touched (-mgeneral-regs-only), so
// that the FP state is only ever in the signal frame.
#include "layout.h"

#define STUB __attribute__((section(".stub.text")))
#define STUB_DATA __attribute__((section(".stub.rodata")))
#define SIGILL 4
#define SIGTRAP 5
#define SIGBUS 7
#define SIGFPE 8
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGSYS 31
#define AUDIT_ARCH_X86_64 0xc000003e

struct siginfo {
  int signo;
  int error;
  int code;
  int pad;
  u64 address; // of SIGSYS: the instruction after the call
  int syscall;
  u32 arch;
};

// struct ucontext of the x86-64 kernel ABI.
struct ucontext {
  u64 flags;
  u64 link;
  u64 stack[3];
  u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
  unsigned short cs, gs, fs, ss;
  u64 err, trapno, oldmask, cr2;
  u64 fpstate;
  u64 reserved[8];
  u64 mask;
};

extern long stub_futex(u32 *word, int op, u32 value);
extern long stub_yield(void);
extern void stub_exit(void) __attribute__((noreturn));
extern void stub_retrap(void) __attribute__((noreturn));
extern char stub_leave[], stub_leave_end[], stub_text_end[];
extern char stub_answers[], stub_answers_end[];
extern u64 stub_copy(void *to, const void *from, u64 length);
extern u64 stub_fill(void *to, u64 length);
extern s64 stub_string(void *to, const void *from, u64 limit);
extern s64 stub_cas(u32 *word, u32 expected, u32 value);
extern char stub_access_start[], stub_access_end[], stub_copy_words[], stub_copy_tail[];
extern char stub_copy_fault[], stub_string_fault[], stub_cas_fault[];

static inline u64 read_fs(void) {
  u64 v;
  __asm__ volatile("rdfsbase %0" : "=r"(v));
  return v;
}

static inline u64 read_gs(void) {
  u64 v;
  __asm__ volatile("rdgsbase %0" : "=r"(v));
  return v;
}

// The number of the CPU that we run on (the kernel keeps it in the limit of this segment).
static inline u32 read_cpu(void) {
  u32 v = 0;
  __asm__ volatile("lsl %1, %0" : "+r"(v) : "r"(0x7b));
  return v & 0xfff;
}

static inline void write_fs(u64 v) {
  __asm__ volatile("wrfsbase %0" ::"r"(v));
}

static inline void write_gs(u64 v) {
  __asm__ volatile("wrgsbase %0" ::"r"(v));
}

#define LOAD(p) __atomic_load_n(&(p), __ATOMIC_ACQUIRE)

#define FENCE() __atomic_thread_fence(__ATOMIC_SEQ_CST)

// Gives the turn to the sentry.
STUB static void hand_over(struct control *c) {
  u32 sleeps = LOAD(c->spin) == 0;
  if (c->stub_sleeps != sleeps) {
    c->stub_sleeps = sleeps;
  }
  __atomic_store_n(&c->turn, TURN_SENTRY, __ATOMIC_RELEASE);
  FENCE();
  if (LOAD(c->sentry_sleeps)) {
    stub_futex(&c->turn, 1, 1);
  }
}

STUB static void await_turn(struct control *c) {
  u32 left = c->spin;
  for (;;) {
    u32 now = LOAD(c->turn);
    if (now == TURN_STUB) {
      return;
    }
    // The sentry may set spin to 0 meanwhile: somebody else needs this core.
    if (left != 0 && LOAD(c->spin) != 0) {
      left--;
      for (u32 i = c->pauses; i != 0; i--) {
        __builtin_ia32_pause();
      }
    } else if (!c->stub_sleeps) {
      c->stub_sleeps = 1;
      FENCE();
    } else {
      stub_futex(&c->turn, 0, now);
    }
  }
}

// Serves commands until RUN; then the registers to go on with are in c->regs.
STUB static void serve(struct control *c) {
  char *base = (char *)c;
  for (;;) {
    await_turn(c);
    u32 word = c->word;
    u64 *arg = c->call;
    switch (word & CMD_MASK) {
      case CMD_RUN:
      case CMD_FLUSH: {
        u32 n = word >> 8 & 0xff;
        u32 i = 0;
        if (word & CMD_FIRST) {
          u64 length = (u32)arg[2];
          u64 offset = arg[2] >> 32;
          char *from = offset ? base + offset : (char *)&arg[3];
          if (stub_copy((void *)arg[1], from, length) != length) {
            c->word = EVENT_COPY_FAULT;
            break;
          }
        }
        if (word & CMD_RAX) {
          c->regs[10] = arg[0];
        }
        if (n != 0) {
          __builtin_prefetch(base + CONTEXT_QUEUE);
          __builtin_prefetch(base + CONTEXT_QUEUE + 64);
          __builtin_prefetch(base + CONTEXT_QUEUE + 128);
        }
        for (; i < n && i < QUEUE_LIMIT; i++) {
          struct queued *q = &c->queue[i];
          if (stub_copy((void *)q->guest, base + q->offset, q->length) != q->length) {
            break;
          }
        }
        if (i == n && (word & CMD_MASK) == CMD_RUN) {
          return;
        }
        c->word = i == n ? EVENT_DONE : EVENT_COPY_FAULT;
        break;
      }
      case CMD_COPY_IN:
        arg[0] = stub_copy(base + arg[1], (void *)arg[0], arg[2]);
        c->word = EVENT_DONE;
        break;
      case CMD_COPY_OUT:
        arg[0] = stub_copy((void *)arg[0], base + arg[1], arg[2]);
        c->word = EVENT_DONE;
        break;
      case CMD_STRING:
        arg[0] = stub_string(base + arg[1], (void *)arg[0], arg[2]);
        c->word = EVENT_DONE;
        break;
      case CMD_CAS:
        arg[0] = stub_cas((u32 *)arg[0], arg[1], arg[2]);
        c->word = EVENT_DONE;
        break;
      case CMD_RETRAP:
        stub_retrap();
      case CMD_EXIT:
        stub_exit();
      default:
        c->word = EVENT_DONE;
        break;
    }
    hand_over(c);
  }
}

STUB static void save(struct control *c, struct ucontext *u) {
  u64 *r = c->regs;
  r[0] = u->r15;
  r[1] = u->r14;
  r[2] = u->r13;
  r[3] = u->r12;
  r[4] = u->rbp;
  r[5] = u->rbx;
  r[6] = u->r11;
  r[7] = u->r10;
  r[8] = u->r9;
  r[9] = u->r8;
  r[10] = u->rax;
  r[11] = u->rcx;
  r[12] = u->rdx;
  r[13] = u->rsi;
  r[14] = u->rdi;
  r[15] = u->rip;
  r[16] = u->rflags;
  r[17] = u->rsp;
  r[18] = read_fs();
  u64 gs = read_gs();
  if (gs != (u64)c) {
    r[19] = gs;
  }
  c->cpu = read_cpu();
}

STUB static void restore(struct control *c, struct ucontext *u) {
  u64 *r = c->regs;
  u->r15 = r[0];
  u->r14 = r[1];
  u->r13 = r[2];
  u->r12 = r[3];
  u->rbp = r[4];
  u->rbx = r[5];
  u->r11 = r[6];
  u->r10 = r[7];
  u->r9 = r[8];
  u->r8 = r[9];
  u->rax = r[10];
  u->rcx = r[11];
  u->rdx = r[12];
  u->rsi = r[13];
  u->rdi = r[14];
  u->rip = r[15];
  u->rflags = r[16];
  u->rsp = r[17];
  u->cs = 0x33;
  u->ss = 0x2b;
  if (r[18] != read_fs()) {
    write_fs(r[18]);
  }
  u64 gs = c->patched ? (u64)c : r[19];
  if (gs != read_gs()) {
    write_gs(gs);
  }
}

// An argument that the sentry will want: which register, and how long it is.
struct prefetch {
  unsigned char kind;
  unsigned char arg;
  unsigned char count; // the argument that says how many
  unsigned char unit;  // bytes of each
};

#include "prefetch.h"

static const unsigned char argument_regs[6] STUB_DATA = {14, 13, 12, 7, 9, 8};

// A string argument into the context; bytes with its NUL, or at most `limit`, or negative after a fault.
STUB static s64 bring_string(struct control *c, u64 from, int alone, u32 *to) {
  if (alone) {
    char *beside = (char *)c + CONTROL_BESIDE;
    s64 r = stub_string(beside, (void *)from, BESIDE_BYTES);
    if (r > 0 && beside[r - 1] == 0) {
      *to = CONTROL_BESIDE;
      return r;
    }
  }
  return stub_string((char *)c + *to, (void *)from, PREFETCH_STRING_BYTES);
}

// Brings along what the table says, and returns what the event's word says of it. A fault is nobody's business yet:
// the sentry asks again.
STUB static u32 prefetch(struct control *c) {
  u64 nr = c->regs[10];
  u32 n = 0;
  u32 empty = 0;
  if (nr < PREFETCH_NUMBERS) {
    u32 offset = CONTEXT_PREFETCH;
    int alone = prefetches[nr][1].kind == 0;
    for (int i = 0; i < 3; i++) {
      const struct prefetch *p = &prefetches[nr][i];
      if (p->kind == 0) {
        break;
      }
      u64 from = c->regs[argument_regs[p->arg]];
      u64 count = c->regs[argument_regs[p->count]];
      u64 bytes;
      u32 to = offset;
      if (from < 4096 || from >= REGION) {
        continue;
      }
      if (p->kind == PREFETCH_STRING) {
        s64 r = bring_string(c, from, alone, &to);
        if (r < 0) {
          continue;
        }
        if (r == 1) {
          empty = (p->arg + 1) << EVENT_ARGUMENT_SHIFT;
          continue;
        }
        bytes = r;
      } else {
        bytes = p->kind == PREFETCH_FIXED ? p->unit : count * p->unit;
        u64 most = PREFETCH_COUNTED_BYTES;
        if (p->kind == PREFETCH_WINDOW) {
          to = CONTEXT_WINDOW;
          most = PREFETCH_WINDOW_BYTES;
        }
        if (count > 0x10000 || bytes > most || bytes == 0) {
          if (p->kind != PREFETCH_FIXED) {
            continue;
          }
        }
        if (alone && bytes <= BESIDE_BYTES) {
          to = CONTROL_BESIDE;
        }
        if (from + bytes > REGION || stub_copy((char *)c + to, (void *)from, bytes) != bytes) {
          continue;
        }
      }
      if (to == CONTROL_BESIDE) {
        u32 word = argument_counts[nr] < INLINE_FROM ? INLINE_FROM : argument_counts[nr] + 1;
        if (bytes <= (7 - word) * 8) {
          return (p->arg + 1) << EVENT_ARGUMENT_SHIFT | word << EVENT_INLINE_SHIFT | (u32)bytes << EVENT_BYTES_SHIFT;
        }
      }
      c->fetched[n].guest = from;
      c->fetched[n].offset = to;
      c->fetched[n].length = bytes;
      n++;
      if (to == offset) {
        offset += (bytes + 15) & ~15UL;
      }
    }
  }
  return empty | n << 8;
}

// Tells the sentry of a call with the one line that it looks at.
STUB static void tell_call(struct control *c, u32 event) {
  u64 *call = c->call;
  u64 *r = c->regs;
  u32 brought = prefetch(c);
  u32 word = brought >> EVENT_INLINE_SHIFT & 0xf;
  call[0] = r[10];
  for (u32 i = 1; i < 7; i++) {
    if (i == word) {
      // From our own line in whole words: the sentry looks at the call's all the time.
      const u64 *from = (const u64 *)((char *)c + CONTROL_BESIDE);
      for (; i < 7; i++) {
        call[i] = *from++;
      }
      break;
    }
    call[i] = r[argument_regs[i - 1]];
  }
  c->word = event | brought;
  hand_over(c);
}

STUB static void leave(struct control *c) {
  serve(c);
  if (c->regs[18] != read_fs()) {
    write_fs(c->regs[18]);
  }
  if (c->regs[16] & 0x100) {
    stub_retrap(); // single-stepping must begin after the last instruction of ours
  }
}

#define NOT_HERE (-4096)
#define MAX_RW_COUNT 0x7ffff000

// Where `count` bytes at `offset` of the file are mapped, or 0.
STUB static u64 in_view(struct control *c, u32 what, u64 offset, u64 count) {
  struct view *v = &c->views[what >> STANDING_VIEW_SHIFT & (VIEWS - 1)];
  u64 at = offset - v->offset;
  u64 length = v->length;
  return count != 0 && at < length && count <= length - at ? v->address + at : 0;
}

// fstat, from what it gave last.
STUB static s64 status_answer(struct control *c, u64 fd, u32 what, u64 buffer) {
  unsigned char *status = c->statuses[what >> STANDING_STATUS_SHIFT & (STATUSES - 1)];
  if (buffer >= REGION - STATUS_BYTES || stub_copy((void *)buffer, status, STATUS_BYTES) != STATUS_BYTES) {
    return NOT_HERE;
  }
  // Taken back meanwhile: it may be the old one.
  return LOAD(c->standing[fd]) == what ? 0 : NOT_HERE;
}

// Whether the path of newfstatat is null or empty, and the flags say that this names the descriptor.
STUB static int names_descriptor(u64 path, u64 flags) {
  unsigned char first = 0;
  return (u32)flags == 0x1000 && (path == 0 || (path < REGION && stub_copy(&first, (void *)path, 1) == 1 && first == 0));
}

// What the sentry left to be said of a call on the descriptor in rdi; NOT_HERE: it wants to be asked.
STUB static s64 standing_answer(struct control *c, u64 nr, u32 what) {
  u64 *r = c->regs;
  u64 buffer = r[13];
  u64 count = r[12];
  switch (nr) {
    case 17: // pread64
    case 18: // pwrite64
      if ((s64)r[7] < 0) {
        return NOT_HERE;
      }
      __attribute__((fallthrough));
    case 0:  // read
    case 1:  // write
      if (count > MAX_RW_COUNT || buffer >= REGION || count > REGION - buffer) {
        return NOT_HERE;
      }
      if (nr == 17 && what & STANDING_READS_VIEW) {
        u64 from = in_view(c, what, r[7], count);
        return from && stub_copy((void *)buffer, (void *)from, count) == count ? (s64)count : NOT_HERE;
      }
      if (nr == 18 && what & STANDING_WRITES_VIEW) {
        u64 to = in_view(c, what, r[7], count);
        return to && stub_copy((void *)to, (void *)buffer, count) == count ? (s64)count : NOT_HERE;
      }
      if (nr == 0 || nr == 17) {
        if (what & STANDING_READS_ZEROS) {
          return stub_fill((void *)buffer, count) == count ? (s64)count : NOT_HERE;
        }
        return what & STANDING_READS_NOTHING ? 0 : NOT_HERE;
      }
      return what & STANDING_DISCARDS ? (s64)count : NOT_HERE;
    case 5: // fstat
      return what & STANDING_STATUS ? status_answer(c, r[14], what, buffer) : NOT_HERE;
    case 262: // newfstatat
      return what & STANDING_STATUS && names_descriptor(buffer, r[7]) ? status_answer(c, r[14], what, count) : NOT_HERE;
    case 281: // epoll_pwait: without a signal mask it is epoll_wait
      if (r[9] != 0) {
        return NOT_HERE;
      }
      __attribute__((fallthrough));
    case 232: // epoll_wait
      return what & STANDING_NEVER_READY && (int)r[7] == 0 && (int)count > 0 && (int)count < 0x1000 && buffer < REGION
          ? 0
          : NOT_HERE;
    default:
      return NOT_HERE;
  }
}

// A system call from a patched site; the registers are in the context.
STUB __attribute__((used)) void stub_syscall(struct control *c) {
  c->fp_offset = 0;
  c->fp_saved = 0;
  u64 nr = c->regs[10];
  if (nr == 24 && c->delegated && !(c->regs[16] & 0x100)) { // sched_yield
    c->regs[10] = stub_yield();
    return;
  }
  u64 fd = c->regs[14];
  if (fd < STANDING_FDS && c->standing[fd] != 0 && !(c->regs[16] & 0x100)) {
    s64 answer = standing_answer(c, nr, c->standing[fd]);
    if (answer != NOT_HERE) {
      c->regs[10] = answer;
      return;
    }
  }
  if ((nr - 56 < 3 || nr == 435) && c->fp_mask != 0) {
    // fork, vfork and clone: the child gets a copy of the FP state, which no frame holds here.
    __asm__ volatile("xsave64 (%0)" ::"r"((char *)c + CONTEXT_FP), "a"(c->fp_mask), "d"(0) : "memory");
    c->fp_saved = 1;
  }
  c->regs[18] = read_fs();
  if (c->spin == 0) {
    c->cpu = read_cpu();
  }
  tell_call(c, EVENT_SYSCALL | EVENT_PATCHED);
  leave(c);
}

// An interrupt that arrived on the way back to the guest.
STUB __attribute__((used)) void stub_interrupted(struct control *c) {
  c->word = EVENT_INTERRUPTED;
  hand_over(c);
  leave(c);
}

// A guest thread's first C: `u` is the ucontext that it will resume from.
STUB __attribute__((used)) void stub_first(struct ucontext *u) {
  struct control *c = (struct control *)((u64)u & ~(CONTEXT_STRIDE - 1UL));
  serve(c);
  restore(c, u);
}

STUB __attribute__((used)) void stub_handler(int sig, struct siginfo *info, struct ucontext *u) {
  struct control *c = (struct control *)((u64)u & ~(CONTEXT_STRIDE - 1UL));
  u64 rip = u->rip;
  if ((sig == SIGSEGV || sig == SIGBUS) && rip >= (u64)stub_access_start
      && rip < (u64)stub_access_end) {
    if (rip >= (u64)stub_cas) {
      u->rip = (u64)stub_cas_fault;
    } else if (rip >= (u64)stub_string) {
      u->rip = (u64)stub_string_fault;
    } else if (rip >= (u64)stub_copy_words && rip < (u64)stub_copy_tail) {
      u->rip = (u64)stub_copy_tail;
    } else {
      u->rip = (u64)stub_copy_fault;
    }
    return;
  }
  if (sig == SIGILL && rip == (u64)stub_retrap) {
    c->fp_offset = (u32)(u->fpstate - (u64)c);
    if ((c->word & CMD_MASK) == CMD_RETRAP) {
      c->word = EVENT_DONE;
      hand_over(c);
      serve(c);
    }
    restore(c, u);
    return;
  }
  u32 event;
  if (sig == SIGUSR1) {
    if (!LOAD(c->interrupt)) {
      return;
    }
    if (rip >= (u64)stub_leave && rip < (u64)stub_leave_end) {
      u->rip = (u64)stub_leave;
      return;
    }
    if (rip >= (u64)stub_answers && rip < (u64)stub_answers_end) {
      // Let the call be over: its answer is there.
      u->rax = c->answers[(rip - (u64)stub_answers) / 16].value;
      u->rip = u->rcx;
    } else if (rip >= TEXT_VA && rip < (u64)stub_text_end) {
      return; // on the way in: the sentry knows; on the way out: stub_leave will look
    }
    event = EVENT_INTERRUPTED;
  } else if (sig == SIGSYS) {
    event = EVENT_SYSCALL;
    if (info->arch != AUDIT_ARCH_X86_64) {
      u->rax = -1UL;
    }
  } else {
    event = EVENT_FAULT;
    c->fault_signal = sig;
    c->fault_code = info->code;
    c->fault_address = info->address;
    c->fault_error = u->err;
    c->fault_trap = u->trapno;
  }
  save(c, u);
  c->fp_offset = (u32)(u->fpstate - (u64)c);
  if (event == EVENT_SYSCALL) {
    tell_call(c, event);
  } else {
    c->word = event;
    hand_over(c);
  }
  serve(c);
  restore(c, u);
}
