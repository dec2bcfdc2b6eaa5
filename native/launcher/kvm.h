// Whether /dev/kvm really runs code: it can be there and refuse, hang, or emulate each instruction.
#pragma once
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { KVM_LOOPS = 65535, KVM_SLOW_US = 3000, KVM_DEADLINE_S = 2 };

static void kvm_hangs(int signal) {
  static const char text[] = "it hangs when it is to run code\n";
  (void)signal;
  if (write(1, text, sizeof text - 1) < 0) _exit(2);
  _exit(1);
}

static int kvm_lacks(const char *what) {
  printf("%s: %m\n", what);
  return 1;
}

// Runs 65,535 turns of a loop in real mode and a HLT. Prints nothing when that worked at a processor's speed.
static int probe_kvm(void) {
  static const unsigned char program[] = {0xb9, 0xff, 0xff, 0xe2, 0xfe, 0xf4};  // mov cx, -1; loop $; hlt
  struct kvm_regs regs = {.rip = 0x1000, .rflags = 2};
  struct kvm_sregs sregs;
  struct timespec begin, end;
  signal(SIGALRM, kvm_hangs);
  alarm(KVM_DEADLINE_S);
  int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm < 0) return kvm_lacks("/dev/kvm");
  int vm = ioctl(kvm, KVM_CREATE_VM, 0);
  if (vm < 0) return kvm_lacks("KVM_CREATE_VM");
  void *memory = mmap(0, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return kvm_lacks("memory");
  memcpy((char *)memory + 0x1000, program, sizeof program);
  struct kvm_userspace_memory_region region = {.memory_size = 0x10000, .userspace_addr = (unsigned long)memory};
  if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region)) return kvm_lacks("KVM_SET_USER_MEMORY_REGION");
  int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0), size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
  if (vcpu < 0 || size < (int)sizeof(struct kvm_run)) return kvm_lacks("KVM_CREATE_VCPU");
  struct kvm_run *run = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
  if (run == MAP_FAILED || ioctl(vcpu, KVM_GET_SREGS, &sregs)) return kvm_lacks("KVM_GET_SREGS");
  sregs.cs.base = sregs.cs.selector = 0;
  if (ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs)) return kvm_lacks("KVM_SET_REGS");
  clock_gettime(CLOCK_MONOTONIC, &begin);
  if (ioctl(vcpu, KVM_RUN, 0)) return kvm_lacks("KVM_RUN");
  clock_gettime(CLOCK_MONOTONIC, &end);
  if (run->exit_reason != KVM_EXIT_HLT) return printf("KVM_RUN ended with reason %u, not at HLT\n", run->exit_reason), 1;
  long us = (end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000;
  if (us > KVM_SLOW_US)
    return printf("it emulates: %ld ns for an instruction of a loop (a processor takes 1)\n", us * 1000 / KVM_LOOPS), 1;
  return 0;
}
