// Preloaded into linux.uml. UML up to 6.9 sets its processes' vector registers with a buffer of 2,696 bytes
// (arch/x86/um/user-offsets.c, FP_SIZE); where the host's registers are larger (AMX: 11,008 bytes) the host refuses a
// short buffer with EFAULT (arch/x86/kernel/fpu/regset.c, xstateregs_set) and no process starts. Here the buffer is
// made as long as the host wants it. What lies beyond UML's buffer is put in its initial state: the state bits
// of the XSAVE header say so (Intel SDM volume 1, 13.4). A guest cannot ask for AMX, so nothing is lost.
#include <asm/unistd.h>
#include <cpuid.h>
#include <linux/elf.h>
#include <linux/ptrace.h>
#include <linux/uio.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif

enum { XSTATE_LIMIT = 64 << 10, HEADER = 512, STATES = 19 };

extern int *__errno_location(void);

static long call(long request, long pid, long address, long data) {
  register long r10 __asm__("r10") = data;
  long r;
  __asm__ volatile("syscall" : "=a"(r) : "a"(__NR_ptrace), "D"(request), "S"(pid), "d"(address), "r"(r10)
                   : "rcx", "r11", "memory");
  return r;
}

static uint64_t states_within(size_t length) {
  uint64_t states = 3;  // x87 and SSE lie in the legacy part
  for (int i = 2; i < STATES; i++) {
    uint32_t size, offset, c, d;
    __cpuid_count(0xd, i, size, offset, c, d);
    if (size && !(c & 1) && offset + (size_t)size <= length) states |= 1ull << i;
  }
  return states;
}

static long set_vector_registers(long pid, const struct iovec *given) {
  static uint8_t whole[XSTATE_LIMIT] __attribute__((aligned(64)));
  static uint64_t states;
  static size_t known_length;
  uint32_t a, size, c, d;
  __cpuid_count(0xd, 0, a, size, c, d);
  if (given->iov_len >= size || given->iov_len < HEADER + 64 || size > sizeof whole)
    return call(PTRACE_SETREGSET, pid, NT_X86_XSTATE, (long)given);
  if (known_length != given->iov_len) {
    known_length = given->iov_len;
    states = states_within(known_length);
  }
  __builtin_memcpy(whole, given->iov_base, given->iov_len);
  *(uint64_t *)(whole + HEADER) &= states;
  struct iovec iov = {whole, size};
  return call(PTRACE_SETREGSET, pid, NT_X86_XSTATE, (long)&iov);
}

__attribute__((visibility("default"))) long ptrace(int request, ...) {
  va_list args;
  long value = 0, r;
  va_start(args, request);
  long pid = va_arg(args, int), address = va_arg(args, long), data = va_arg(args, long);
  va_end(args);
  int peek = request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSR;
  if (request == PTRACE_SETREGSET && address == NT_X86_XSTATE) r = set_vector_registers(pid, (struct iovec *)data);
  else r = call(request, pid, address, peek ? (long)&value : data);
  if (r < 0) {
    *__errno_location() = -r;
    return -1;
  }
  if (peek) *__errno_location() = 0;
  return peek ? value : r;
}

// A kernel that panics ends itself with SIGABRT, again and again: as the first process of its pid namespace it gets no
// signal that it does not handle (pid_namespaces(7)), and would turn for ever. It exits as if the signal had come.
__attribute__((visibility("default"))) int kill(int pid, int signal) {
  long r;
  if (signal == 6 && pid == 1) {
    for (;;) __asm__ volatile("syscall" : "=a"(r) : "a"(__NR_exit_group), "D"(134) : "rcx", "r11", "memory");
  }
  __asm__ volatile("syscall" : "=a"(r) : "a"(__NR_kill), "D"((long)pid), "S"((long)signal) : "rcx", "r11", "memory");
  if (r < 0) {
    *__errno_location() = -r;
    return -1;
  }
  return 0;
}
