// The keeper's entry and its one system call instruction, in text that stubs do not inherit.
  .section .keeper.text, "ax", @progbits
  .globl _start, keeper_syscall, keeper_syscall_end
// The initial stack lies outside the keeper's private range: leave it, so that it can go.
_start:
  mov %rsp, %rdi
  lea keeper_stack_top(%rip), %rsp
  xor %ebp, %ebp
  call keeper_main
  ud2

// long keeper_syscall(nr, a0, a1, a2, a3, a4, token): the token is the sixth argument
keeper_syscall:
  mov %rdi, %rax
  mov %rsi, %rdi
  mov %rdx, %rsi
  mov %rcx, %rdx
  mov %r8, %r10
  mov %r9, %r8
  mov 8(%rsp), %r9
  syscall
keeper_syscall_end:
  ret

  .section .keeper.bss, "aw", @nobits
  .balign 4096
  .skip 65536
keeper_stack_top:
  .section .note.GNU-stack, "", @progbits
