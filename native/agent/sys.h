// The agent's own C library: system calls that return -errno, strings, number formats. Nothing of libc.
#pragma once
#include <asm/unistd.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/signal.h>
#include <linux/stat.h>
#include <linux/types.h>
#include <linux/uio.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define MNT_DETACH 2
#define AF_UNIX 1
#define AF_INET 2
#define AF_VSOCK 40
#define AF_PACKET 17
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define SOCK_SEQPACKET 5
#define SOCK_CLOEXEC O_CLOEXEC
#define SOL_SOCKET 1
#define SO_RCVBUFFORCE 33
#define SO_SNDBUFFORCE 32
#define SCM_RIGHTS 1
#define MSG_NOSIGNAL 0x4000
#define MSG_DONTWAIT 0x40
#define WNOHANG 1
#define PROT_RW 3
#define MAP_PRIVATE_ANONYMOUS 0x22

static inline long sys6(long n, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long r;
  __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return r;
}
#define SYS_1(n) sys6(n, 0, 0, 0, 0, 0, 0)
#define SYS_2(n, a) sys6(n, (long)(a), 0, 0, 0, 0, 0)
#define SYS_3(n, a, b) sys6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS_4(n, a, b, c) sys6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS_5(n, a, b, c, d) sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS_6(n, a, b, c, d, e) sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYS_7(n, a, b, c, d, e, f) sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define SYS_N(_1, _2, _3, _4, _5, _6, _7, name, ...) name
// sys(NR_without_prefix, arguments...)
#define sys(name, ...) SYS_N(0, ##__VA_ARGS__, SYS_7, SYS_6, SYS_5, SYS_4, SYS_3, SYS_2, SYS_1)(__NR_##name, ##__VA_ARGS__)

static inline int open_file(const char *path, int flags) { return sys(openat, AT_FDCWD, path, flags | O_CLOEXEC, 0); }

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
void *memmove(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int streq(const char *a, const char *b);
int starts(const char *s, const char *prefix);
char *find(char *s, char c);

// Bounded text: %s, %d (int), %l (long). Always ends with NUL; returns the length written.
int format(char *to, size_t size, const char *form, ...);
int vformat(char *to, size_t size, const char *form, va_list args);
long parse_number(const char *s);
void say(const char *form, ...);  // one line on the console

// Reads a small file whole and ends it with NUL; length or -errno.
long read_file(const char *path, char *to, size_t size);
long write_file(const char *path, const char *text);
void *allocate(size_t bytes);  // zeroed pages
void release(void *at, size_t bytes);
