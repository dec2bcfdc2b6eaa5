/*
 * What every conformance program shares. A program prints lines "check-name: value"; the runner compares them between
 * Linux and the sandbox, so a value must not depend on pids, addresses, times or the machine. Each program starts in an
 * empty directory of its own (on a tmpfs), as root, with descriptors 0 to 2 only.
 */
#ifndef CONF_H
#define CONF_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* An address that no mapping can have, for EFAULT. */
#define BAD ((void *)-4096L)
/* A descriptor that is not open. */
#define NOFD 77

__attribute__((constructor)) static void conf_start(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  umask(022);
}

__attribute__((unused)) static const char *err_name(int e) {
  const char *n = strerrorname_np(e);
  return n ? n : "E?";
}

__attribute__((unused)) static const char *sig_name(int s) {
  static char b[32];
  const char *n = sigabbrev_np(s);
  if (n)
    snprintf(b, sizeof b, "SIG%s", n);
  else
    snprintf(b, sizeof b, "SIG%d", s);
  return b;
}

/* A wait status in words. */
__attribute__((unused)) static const char *status_name(int s) {
  static char b[64];
  if (WIFEXITED(s))
    snprintf(b, sizeof b, "exit %d", WEXITSTATUS(s));
  else if (WIFSIGNALED(s))
    snprintf(b, sizeof b, "killed %s", sig_name(WTERMSIG(s)));
  else if (WIFSTOPPED(s))
    snprintf(b, sizeof b, "stopped %s", sig_name(WSTOPSIG(s)));
  else if (WIFCONTINUED(s))
    snprintf(b, sizeof b, "continued");
  else
    snprintf(b, sizeof b, "status %x", s);
  return b;
}

/* The result of a call: the number, or the name of its errno. */
#define R(name, expr)                              \
  do {                                             \
    errno = 0;                                     \
    long r_ = (long)(expr);                        \
    if (r_ == -1)                                  \
      printf("%s: %s\n", name, err_name(errno));   \
    else                                           \
      printf("%s: %ld\n", name, r_);               \
  } while (0)

/* The same for a result whose number means nothing (an address, a pid): ok, or the name of its errno. */
#define OK(name, expr)                             \
  do {                                             \
    errno = 0;                                     \
    long r_ = (long)(expr);                        \
    if (r_ == -1)                                  \
      printf("%s: %s\n", name, err_name(errno));   \
    else                                           \
      printf("%s: ok\n", name);                    \
  } while (0)

/* A call that returns an errno instead of setting it (pthread_…, posix_…). */
#define E(name, expr)                                             \
  do {                                                            \
    int r_ = (expr);                                              \
    printf("%s: %s\n", name, r_ ? err_name(r_) : "0");            \
  } while (0)

#define V(name, expr) printf("%s: %ld\n", name, (long)(expr))
#define H(name, expr) printf("%s: %#lx\n", name, (unsigned long)(expr))
#define O(name, expr) printf("%s: %#lo\n", name, (unsigned long)(expr))
#define S(name, str) printf("%s: %s\n", name, (str))
#define T(name, cond) printf("%s: %s\n", name, (cond) ? "yes" : "no")

/* Runs statements in a child and prints how it ended. */
#define CHILD(name, ...)                            \
  do {                                              \
    fflush(stdout);                                 \
    pid_t p_ = fork();                              \
    if (p_ == 0) {                                  \
      __VA_ARGS__;                                  \
      _exit(0);                                     \
    }                                               \
    int s_ = 0;                                     \
    while (waitpid(p_, &s_, 0) == -1 && errno == EINTR) { \
    }                                               \
    printf("%s: %s\n", name, status_name(s_));      \
  } while (0)

/* Runs statements in a child without waiting; the value is its pid. */
#define SPAWN(...)          \
  ({                        \
    fflush(stdout);         \
    pid_t p_ = fork();      \
    if (p_ == 0) {          \
      __VA_ARGS__;          \
      _exit(0);             \
    }                       \
    p_;                     \
  })

__attribute__((unused)) static void msleep(long ms) {
  struct timespec ts = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&ts, &ts) == -1 && errno == EINTR) {
  }
}

__attribute__((unused)) static long now_ms(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Makes a file with the given text. */
__attribute__((unused)) static void put_file(const char *path, const char *text) {
  int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
  if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) printf("put_file %s: %s\n", path, err_name(errno));
  close(fd);
}

/* A file's text, at most 4095 bytes, in a static buffer. */
__attribute__((unused)) static const char *get_file(const char *path) {
  static char b[4096];
  int fd = open(path, O_RDONLY);
  if (fd < 0) return err_name(errno);
  ssize_t n = read(fd, b, sizeof b - 1);
  close(fd);
  if (n < 0) return err_name(errno);
  b[n] = 0;
  return b;
}
#endif
