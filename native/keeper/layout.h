// Addresses and shared structures of keeper, stubs and sentry. The Java side is
// redoubt.sentry.platform.systrap.Layout; the test LayoutTest compares the two.
//
// Everything at or above REGION belongs to the stub; guests map below it.
#pragma once

#define REGION 0x7fff00000000
#define REQUEST_VA 0x7fff00010000 // the map thread's requests: mapped read-only, written by the sentry
#define REPLY_VA 0x7fff00011000   // its reply: guests can write it, so it is never trusted
#define VIEW_VA 0x7fff01000000    // views: pages of files that calls are answered from
#define VIEW_END 0x7fff0f000000
#define CONTEXT_VA 0x7fff10000000 // contexts, CONTEXT_STRIDE apart
#define TEXT_VA 0x7fff80000000    // this binary

// Descriptor numbers in the one table that keeper and stubs share.
#define FD_CONTROL 1000  // memory file of request and reply pages
#define FD_CONTEXTS 1001 // memory file of contexts
#define FD_ACK 1002      // where map threads acknowledge
#define FD_SENTRY 1003   // the keeper's socket
#define FD_SIGNAL 1004
#define FD_TEXT 1005 // memory file of patched text
#define FD_PROC 1006 // /proc of the sandbox's own pid namespace, or closed
#define FD_FREE 1008     // imported files are numbered from here

// A context: one guest thread's slot in the contexts file.
//
//   0x00000  struct control (one page)
//   0x01000  FP state
//   0x02000  alternate signal stack, up to 0x10000
//   0x10000  window, 64 KiB
//   0x20000  synchronous copies, 32 KiB
//   0x28000  copies queued for the next resume, 32 KiB
//   0x30000  prefetched arguments, 32 KiB
#define CONTEXT_STRIDE 0x40000
#define CONTEXT_BYTES 0x38000
#define CONTEXT_FP 0x1000 // FP state that a patched clone or fork brings along, one page
#define CONTEXT_STACK 0x2000
#define CONTEXT_STACK_END 0x10000
#define CONTEXT_WINDOW 0x10000
#define CONTEXT_COPY 0x20000
#define CONTEXT_QUEUE 0x28000
#define CONTEXT_PREFETCH 0x30000

// The turn word: whose move it is. It is given away by a plain store, the last to its line, since a locked one
// would fetch the line twice. Each side says in a word of its own that it sleeps, before it looks at the turn for
// the last time; the other looks there after it has given the turn away, with a fence between.
#define TURN_GONE 0  // the kernel wrote it (CLONE_CHILD_CLEARTID): the thread has exited
#define TURN_SENTRY 1
#define TURN_STUB 2
#define TURN_DEAD 3  // the sentry wrote it: the process is dead

// Events, as in GuestContext.
#define EVENT_SYSCALL 1
#define EVENT_FAULT 2
#define EVENT_INTERRUPTED 3
#define EVENT_COPY_FAULT 5
#define EVENT_DONE 6 // a command other than RUN has been carried out
#define EVENT_MASK 0x7f
// With SYSCALL: 1 + the number of an argument that is an empty string; or whose bytes are in the line, behind the
// arguments that the call has: from which word of call[] on, and how many bytes.
#define EVENT_ARGUMENT_SHIFT 16
#define EVENT_INLINE_SHIFT 20
#define EVENT_BYTES_SHIFT 24
#define INLINE_FROM 4 // the first word that may hold such bytes: commands use those before
#define EVENT_PATCHED 0x80 // with SYSCALL: from a patched site, whose GS base is ours

// Commands of the sentry.
#define CMD_RUN 1
#define CMD_COPY_IN 2  // guest arg0, offset arg1 in the context, length arg2; result: bytes copied
#define CMD_COPY_OUT 3
#define CMD_STRING 4 // as COPY_IN up to a NUL; result: bytes with the NUL, ~bytes when a fault came first
#define CMD_CAS 5    // guest arg0, expected arg1, value arg2; result: old, or -14
#define CMD_EXIT 6
#define CMD_RETRAP 8 // make a signal frame, so that the FP state is in memory
#define CMD_FLUSH 7 // the queued copies of RUN, without running
#define CMD_MASK 0x7f
#define CMD_RAX 0x80 // with RUN: rax is in call[0]
// With RUN and FLUSH: a copy before the queued ones is in the call's line: where to in call[1], the offset in the
// context << 32 | length in call[2]; with offset 0 its bytes, at most 32, are in call[3] on.
#define CMD_FIRST 0x10000

#define QUEUE_LIMIT 64
#define ANSWERS 8
#define CONTROL_ANSWERS 0x600

// As in GuestContext.
#define STANDING_READS_ZEROS 1
#define STANDING_READS_NOTHING 2
#define STANDING_DISCARDS 4
#define STANDING_NEVER_READY 8
#define STANDING_READS_VIEW 0x10
#define STANDING_WRITES_VIEW 0x20
#define STANDING_STATUS 0x40
#define STANDING_VIEW_SHIFT 8    // which of views[]
#define STANDING_STATUS_SHIFT 16 // which of statuses[]
#define VIEWS 8
#define STATUSES 4
#define STATUS_BYTES 144 // struct stat
#define STANDING_FDS 64

// What the stub brings along at most.
#define PREFETCH_NUMBERS 480
#define PREFETCH_STRING_BYTES 512
#define PREFETCH_COUNTED_BYTES 1024
#define PREFETCH_WINDOW_BYTES 8192
#define CONTROL_BESIDE 0x590 // behind fetched[0], up to the answers
#define BESIDE_BYTES 112
#define PREFETCH_STRING 1
#define PREFETCH_FIXED 2
#define PREFETCH_COUNTED 3
#define PREFETCH_WINDOW 4

// Offsets in struct control for assembly; regs as in GuestContext.
#define CONTROL_INTERRUPT 0x40
#define CONTROL_SELF 0x48
#define CONTROL_ENTRY 0x50
#define REG(i) (0xc0 + 8 * (i))
#define ENTRY_STACK (CONTEXT_STACK_END - 64)

#ifndef __ASSEMBLER__
#pragma GCC visibility push(hidden)
typedef unsigned int u32;
typedef unsigned long u64;
typedef long s64;

struct queued {
  u64 guest;
  u32 offset;
  u32 length;
};

struct control {
  // 0x000, one cache line carries a whole call: who has the turn may write it
  u32 turn;
  u32 word;    // the stub's: EVENT | arguments brought along << 8; the sentry's: CMD | queued copies << 8 (both of 8 bits)
  u64 call[7]; // the stub's: rax, rdi, rsi, rdx, r10, r8, r9; the sentry's: rax, or a command's arguments
  // 0x040, the sentry writes, seldom
  u32 interrupt; // an interrupt is wanted
  u32 spin;      // how often to look at the turn word before sleeping; 0: sleep at once
  u64 self;      // this context in the stub; the GS base points here while patched text may run
  u64 entry;     // stub_entry: patched call sites jump through this word
  u32 patched;   // GS is ours
  u32 fp_mask;   // what XSAVE may write there; 0: nothing
  u32 sentry_sleeps;
  u32 pauses; // between two looks at the turn word
  char pad0[24];
  // 0x080, the stub writes; the sentry reads it seldom
  u32 fault_signal;
  u32 fault_code;
  u32 fault_error;
  u32 fault_trap;
  u64 fault_address;
  u32 tid; // by the kernel (CLONE_PARENT_SETTID)
  u32 stub_sleeps;
  char pad2[32];
  // 0x0c0, the stub writes, and the sentry where it changes a register other than rax; it does not look
  // at them in a call from a patched site that needs no more than the arguments
  u64 regs[20];
  u32 fp_offset; // of the FP state in the context, 0: none
  u32 fp_saved;  // the FP state is at CONTEXT_FP, without a signal frame
  u32 cpu;       // where the event happened
  char pad4[20];
  // 0x180, the sentry writes
  struct queued queue[QUEUE_LIMIT];
  // 0x580, the stub writes: guest memory that it brought along with a system call. A call's only argument, if it is
  // short, lies behind its description: those two lines arrive together.
  struct queued fetched[4];
  char pad5[64];
  // 0x600, the sentry writes: calls that need no kernel; where their sites jump, and the result
  struct answer {
    u64 entry;
    u64 value;
  } answers[ANSWERS];
  // 0x680, the sentry writes: what calls on a descriptor answer without it, bits of STANDING_
  u32 standing[STANDING_FDS];
  u32 delegated; // 0x780, the sentry writes: calls that the host may take are its
  char pad6[60];
  // 0x7c0, the sentry writes: where bytes [offset, offset + length) of a file are mapped here
  struct view {
    u64 offset;
    u64 length;
    u64 address;
  } views[VIEWS];
  // 0x880, the sentry writes: what fstat gives
  unsigned char statuses[STATUSES][STATUS_BYTES];
};

struct request {
  u32 sequence; // the map thread starts when it changes
  u32 count;
  u32 sentry_sleeping;
  u32 spin;
  char ack[16];    // bytes that a map thread writes to FD_ACK
  char failed[16]; // what it writes there when a fork failed
  char done[16];   // what a batch whose end the sentry must be sure of writes there
  struct op {
    u64 nr;
    u64 arg[6];
    u32 kind;
    u32 tag; // the sequence; 0 while the sentry writes the rest
  } ops[63];
};

struct reply {
  u32 done;     // the sequence that was carried out
  u32 sleeping; // the map thread sleeps on request.sequence
  u32 index;    // operations done without error
  u32 pad;
  s64 result;   // of the last operation
};

_Static_assert(sizeof(struct control) <= 4096, "control is one page");
_Static_assert(__builtin_offsetof(struct control, fetched) == 0x580, "fetched");
_Static_assert(__builtin_offsetof(struct control, answers) == CONTROL_ANSWERS, "answers");
_Static_assert(__builtin_offsetof(struct control, standing) == 0x680, "standing");
_Static_assert(__builtin_offsetof(struct control, views) == 0x7c0, "views");
_Static_assert(__builtin_offsetof(struct control, statuses) == 0x880, "statuses");
_Static_assert(__builtin_offsetof(struct control, fault_signal) == 0x80, "fault");
_Static_assert(__builtin_offsetof(struct control, interrupt) == CONTROL_INTERRUPT, "interrupt");
_Static_assert(__builtin_offsetof(struct control, self) == CONTROL_SELF, "self");
_Static_assert(__builtin_offsetof(struct control, entry) == CONTROL_ENTRY, "entry");
_Static_assert(__builtin_offsetof(struct control, regs) == REG(0), "regs");
_Static_assert(sizeof(struct request) == 4096, "request is one page");
#endif

// Kinds of operation.
#define KIND_GUEST 0  // its ranges must lie below REGION
#define KIND_STUB 1   // may touch the stub's region
#define KIND_THREAD 2 // clone: the child is a guest thread
#define KIND_FORK 3   // clone: the child is a stub, whose request page is at file offset arg[2]
#define KIND_EXPECT 4 // the process ends if the result is not arg[5]

// Messages between sentry and keeper.
#define MSG_INIT 1     // + 4 fds: control, contexts, acknowledgements, text
#define MSG_SPAWN 2    // id, a = offset of the request page
#define MSG_IMPORT 3   // id, + 1 fd
#define MSG_CLOSE 4    // a = fd
#define MSG_KILL 5     // a = pid
#define MSG_STATM 7    // id, a = pid
#define MSG_CPU 8      // id, a = pid, b = tid
#define MSG_READY 1    // id = ns of 1000 pauses, a = vDSO address, b = bytes of FP state, c = first instruction of guest threads
#define MSG_SPAWNED 2  // id, a = pid or -errno
#define MSG_IMPORTED 3 // id, a = fd or -errno
#define MSG_DEATH 5    // a = pid, b = wait status
#define MSG_ANSWER 7   // id, a = resident pages, ns of CPU time, or -errno; b = those of them that are files' or shared
#define MSG_ENTRY 6    // a = stub_entry, b = stub_answers (16 bytes each); follows READY

#ifndef __ASSEMBLER__
struct message {
  u32 type;
  u32 id;
  s64 a;
  s64 b;
  s64 c;
};
#endif
