// What runs in every stub: the map thread (registers only), the start of guest threads, the copy
// routines and the only system call instructions that the filter lets through.
#include "layout.h"

#define TOKEN %r14

// ---- privileged text: a system call from here needs the token, or the process is killed ----
  .section .stub.priv, "ax", @progbits
  .globl stub_priv_start, stub_priv_end, stub_spawn
stub_priv_start:

// int stub_spawn(u64 token, u64 request_offset): for the keeper. Forks a stub.
stub_spawn:
  mov %rsi, %rdx
  push %r14
  mov %rdi, TOKEN
  mov $0x411, %edi                // CLONE_FILES | SIGCHLD
  xor %esi, %esi
  xor %r10d, %r10d
  xor %r8d, %r8d
  mov TOKEN, %r9
  mov $56, %eax
  syscall
  test %eax, %eax
  jz stub_child
  pop %r14
  xor %r9d, %r9d
  ret

// A new stub's first thread: rdx = offset of its request page, r14 = token. No memory of its own yet.
stub_child:
  mov $REQUEST_VA, %rbx
  mov $REPLY_VA, %rsp
  mov %rdx, %r9
  mov %rbx, %rdi
  mov $4096, %esi
  mov $1, %edx                    // PROT_READ
  mov TOKEN, %r10
  shr $32, %r10
  shl $32, %r10
  or $0x11, %r10                  // MAP_SHARED | MAP_FIXED
  mov TOKEN, %r8
  shl $32, %r8
  or $FD_CONTROL, %r8
  mov $9, %eax
  syscall
  cmp %rbx, %rax
  jne die
  xor %r15d, %r15d

// rbx = request page, rsp = reply page (there is no stack), ebp = kind of the operation,
// r12 = operation, r13d = operations left, r15d = sequence done.
map_loop:
  mov 12(%rbx), %ecx              // request.spin
1:
  mov (%rbx), %eax
  cmp %r15d, %eax
  jne 3f
  sub $1, %ecx
  jbe 2f
  pause
  jmp 1b
2:
  mov $1, %eax                    // reply.sleeping = 1, then look once more
  xchg %eax, 4(%rsp)
  mov (%rbx), %eax
  cmp %r15d, %eax
  jne 4f
  mov %rbx, %rdi
  xor %esi, %esi                  // FUTEX_WAIT
  mov %r15d, %edx
  xor %r10d, %r10d
  xor %r8d, %r8d
  mov TOKEN, %r9
  mov $202, %eax
  syscall
  movl $0, 4(%rsp)
  jmp map_loop
4:
  movl $0, 4(%rsp)
3:
  mov %eax, %r15d
  mov 4(%rbx), %r13d
  lea 64(%rbx), %r12
  xor %eax, %eax

map_next:
  test %r13d, %r13d
  jz map_done
  cmp %r15d, 60(%r12)             // each operation says which sequence it belongs to
  jne die
  mov 8(%r12), %rdi
  mov 16(%r12), %rsi
  mov 24(%r12), %rdx
  mov 32(%r12), %r10
  mov 40(%r12), %r8
  mov 56(%r12), %ebp
  cmp $KIND_GUEST, %ebp
  jne 2f
  mov $REGION, %rcx               // arg0 + arg1 <= REGION, without overflow
  mov %rdi, %r9
  add %rsi, %r9
  jc map_bad
  cmp %rcx, %r9
  ja map_bad
  cmpl $25, (%r12)                // mremap: the new range too
  jne 2f
  mov %r8, %r9
  add %rdx, %r9
  jc map_bad
  cmp %rcx, %r9
  ja map_bad
2:
  mov (%r12), %eax
  cmp $9, %eax
  jne 3f
  mov TOKEN, %rcx                 // mmap ignores the upper halves of flags and fd
  shr $32, %rcx
  shl $32, %rcx
  mov %r10d, %r10d
  or %rcx, %r10
  mov TOKEN, %rcx
  shl $32, %rcx
  mov %r8d, %r8d
  or %rcx, %r8
  mov 48(%r12), %r9
  jmp 4f
3:
  mov TOKEN, %r9
4:
  cmp %r15d, 60(%r12)             // the sentry has not begun to write the next one meanwhile, because
  jne die                         // a guest forged our reply
  syscall
  cmp $KIND_THREAD, %ebp
  jae 5f
6:
  cmp $-4096, %rax
  ja map_done
  add $64, %r12
  dec %r13d
  jmp map_next

5:
  ja 7f
  test %rax, %rax
  jnz 6b
// A new guest thread. Its stack pointer is at a ucontext that the sentry wrote; nothing that the map
// thread had in its registers may stay.
  xor %ebx, %ebx
  xor %ecx, %ecx
  xor %edx, %edx
  xor %esi, %esi
  xor %edi, %edi
  xor %ebp, %ebp
  xor %r8d, %r8d
  xor %r9d, %r9d
  xor %r10d, %r10d
  xor %r11d, %r11d
  xor %r12d, %r12d
  xor %r13d, %r13d
  xor %r14d, %r14d
  xor %r15d, %r15d
  jmp stub_restorer

7:
  cmp $KIND_FORK, %ebp
  ja 8f
  test %rax, %rax                 // in the child even the request page is not mapped
  jz stub_child
  jns 6b
  mov %rax, %rbp                  // failed: say so where guests cannot, so that the slots are free
  mov $FD_ACK, %edi
  lea 32(%rbx), %rsi
  mov $16, %edx
  mov TOKEN, %r9
  mov $1, %eax
  syscall
  mov %rbp, %rax
  jmp map_done
8:
  cmp 48(%r12), %rax              // KIND_EXPECT
  jne die
  jmp 6b

map_bad:
  mov $-22, %rax
map_done:
  mov 4(%rbx), %ecx
  sub %r13d, %ecx
  mov %ecx, 8(%rsp)
  mov %rax, 16(%rsp)
  mov %r15d, %ecx
  xchg %ecx, (%rsp)               // reply.done: a full barrier
  cmpl $0, 8(%rbx)
  je map_loop
  mov %rsp, %rdi
  mov $1, %esi                    // FUTEX_WAKE
  mov $1, %edx
  xor %r10d, %r10d
  xor %r8d, %r8d
  mov TOKEN, %r9
  mov $202, %eax
  syscall
  jmp map_loop

die:
  mov $127, %edi
  mov TOKEN, %r9
  mov $231, %eax
  syscall
  ud2
stub_priv_end:

// ---- guest text: what a guest thread may call; whoever jumps here gets no more than that ----
  .section .stub.text, "ax", @progbits
  .globl stub_restorer, stub_sigreturn_end, stub_futex, stub_futex_end, stub_exit, stub_exit_end
  .globl stub_arch_prctl, stub_arch_prctl_end, stub_thread_start, stub_yield, stub_yield_end
stub_restorer:
  mov $15, %eax
  syscall
stub_sigreturn_end:
  ud2

// long stub_futex(u32 *word, int op, u32 value)
stub_futex:
  xor %r10d, %r10d
  mov $202, %eax
  syscall
stub_futex_end:
  ret

stub_exit:
  xor %edi, %edi
  mov $60, %eax
  syscall
stub_exit_end:
  ud2

// long stub_yield(void)
stub_yield:
  mov $24, %eax
  syscall
stub_yield_end:
  ret

// long stub_arch_prctl(int code, u64 address)
stub_arch_prctl:
  mov $158, %eax
  syscall
stub_arch_prctl_end:
  ret

// The first instruction of a guest thread: rsp = its stack, rbx = the ucontext to resume in the end.
stub_thread_start:
  mov %rbx, %rdi
  call stub_first
  mov %rbx, %rsp
  jmp stub_restorer

// Patched call sites come here by `jmp *%gs:CONTROL_ENTRY` with rcx = where to go on and rax = the
// number. A real system call leaves rcx and r11 as we do; the guest's stack (red zone!) is not touched.
  .globl stub_entry, stub_leave, stub_leave_end, stub_retrap
stub_entry:
  mov %gs:CONTROL_SELF, %r11
  mov %r15, REG(0)(%r11)
  mov %r14, REG(1)(%r11)
  mov %r13, REG(2)(%r11)
  mov %r12, REG(3)(%r11)
  mov %rbp, REG(4)(%r11)
  mov %rbx, REG(5)(%r11)
  mov %r10, REG(7)(%r11)
  mov %r9, REG(8)(%r11)
  mov %r8, REG(9)(%r11)
  mov %rax, REG(10)(%r11)
  mov %rcx, REG(11)(%r11)
  mov %rdx, REG(12)(%r11)
  mov %rsi, REG(13)(%r11)
  mov %rdi, REG(14)(%r11)
  mov %rcx, REG(15)(%r11)
  mov %rsp, REG(17)(%r11)
  lea ENTRY_STACK(%r11), %rsp
  pushfq
  pop %rax
  mov %rax, REG(16)(%r11)
  mov %rax, REG(6)(%r11)
  cld
  mov %r11, %rdi
  call stub_syscall

// Back to the guest. An interrupt signal that arrives in here starts it again (see stub_handler), so
// that it is not lost: everything is loaded from the context, nothing is consumed.
stub_leave:
  cmpl $0, %gs:CONTROL_INTERRUPT
  mov %gs:CONTROL_SELF, %r11
  lea ENTRY_STACK(%r11), %rsp
  jne 1f
  push REG(16)(%r11)
  popfq
  mov %gs:REG(0), %r15
  mov %gs:REG(1), %r14
  mov %gs:REG(2), %r13
  mov %gs:REG(3), %r12
  mov %gs:REG(4), %rbp
  mov %gs:REG(5), %rbx
  mov %gs:REG(6), %r11
  mov %gs:REG(7), %r10
  mov %gs:REG(8), %r9
  mov %gs:REG(9), %r8
  mov %gs:REG(10), %rax
  mov %gs:REG(11), %rcx
  mov %gs:REG(12), %rdx
  mov %gs:REG(13), %rsi
  mov %gs:REG(14), %rdi
  mov %gs:REG(17), %rsp
  jmp *%gs:REG(15)
stub_leave_end:
1:
  mov %r11, %rdi
  call stub_interrupted
  jmp stub_leave

// Calls whose answer the sentry has left in the context: rcx = where to go on, flags untouched.
  .globl stub_answers, stub_answers_end
  .balign 16
stub_answers:
  .irp i, 0, 1, 2, 3, 4, 5, 6, 7
  mov %gs:(CONTROL_ANSWERS + 16 * \i + 8), %rax
  jmp *%rcx
  .balign 16
  .endr
stub_answers_end:

// Faults, so that the host builds a signal frame with the FP state; the handler goes on from there.
stub_retrap:
  ud2

// Copy routines. When an access faults between _start and _end, the signal handler continues at
// the routine's fault label; the registers are those of the faulting instruction.
  .globl stub_copy, stub_fill, stub_string, stub_cas
  .globl stub_access_start, stub_access_end, stub_access_fault

stub_access_start:
// u64 stub_copy(void *to, const void *from, u64 length): bytes copied
stub_copy:
  mov %rdx, %rax
  mov %rdx, %rcx
  cmp $256, %rdx                  // starting a string move takes longer than some words
  jb 1f
  rep movsb
  ret
1:
  sub $8, %rcx
  jb stub_copy_tail
stub_copy_words:
2:
  mov (%rsi), %r8
  mov %r8, (%rdi)
  add $8, %rsi
  add $8, %rdi
  sub $8, %rcx
  jae 2b
stub_copy_tail:                   // also where a fault in the words goes on, byte by byte
  add $8, %rcx
  jz 4f
3:
  movzbl (%rsi), %r8d
  mov %r8b, (%rdi)
  inc %rsi
  inc %rdi
  dec %rcx
  jnz 3b
4:
  ret

// u64 stub_fill(void *to, u64 length): zeros it; length, or anything else after a fault
stub_fill:
  mov %rsi, %rcx
  xor %eax, %eax
  rep stosb
  mov %rsi, %rax
  ret

// s64 stub_string(void *to, const void *from, u64 limit): bytes copied with the NUL, or ~bytes
stub_string:
  xor %eax, %eax
  mov %rdx, %rcx
  test %rcx, %rcx
  jz 2f
1:
  movzbl (%rsi,%rax), %r8d
  mov %r8b, (%rdi,%rax)
  inc %rax
  test %r8b, %r8b
  jz 2f
  dec %rcx
  jnz 1b
2:
  ret

// s64 stub_cas(u32 *word, u32 expected, u32 value): the old value, or -14
stub_cas:
  mov %esi, %eax
  lock cmpxchg %edx, (%rdi)
  mov %eax, %eax
  ret
stub_access_end:

// The handler sends a faulting copy to one of these.
  .globl stub_copy_words, stub_copy_tail, stub_copy_fault, stub_string_fault, stub_cas_fault
stub_access_fault:
stub_copy_fault:
  sub %rcx, %rax
  ret
stub_string_fault:
  not %rax
  ret
stub_cas_fault:
  mov $-14, %rax
  ret
  .section .note.GNU-stack, "", @progbits
