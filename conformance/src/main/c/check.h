/*
 * Each program is a family of checks and prints one line a check, "name: result". What differs from run to
 * run (addresses, times, process numbers) is never printed: the same program's output on Linux and in the
 * sandbox must be equal, byte for byte.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static inline void report(const char *name, long r) {
  if (r < 0 && errno != 0)
    printf("%s: -%s\n", name, strerrorname_np(errno) ? strerrorname_np(errno) : "E?");
  else
    printf("%s: %ld\n", name, r);
}

/* The value, or the error's name. */
#define R(name, expr)        \
  do {                       \
    errno = 0;               \
    long r_ = (long)(expr);  \
    report(name, r_);        \
  } while (0)

/* "ok" for any value of 0 or more, or the error's name. */
#define OK(name, expr)                    \
  do {                                    \
    errno = 0;                            \
    long r_ = (long)(expr);               \
    if (r_ >= 0) printf("%s: ok\n", name); \
    else report(name, r_);                \
  } while (0)

#define YES(name, condition) printf("%s: %s\n", name, (condition) ? "yes" : "no")
#define STR(name, text) printf("%s: %s\n", name, text)
#define NUM(name, value) printf("%s: %ld\n", name, (long)(value))
#define OCT(name, value) printf("%s: %lo\n", name, (unsigned long)(value))

/* An address that no process has mapped. */
#define BAD ((void *)8)

/* A directory of our own, empty, with umask 022. */
static inline void scratch_dir(void) {
  setvbuf(stdout, NULL, _IOLBF, 4096);
  mkdir("/tmp", 01777);
  static char dir[] = "/tmp/conformance-XXXXXX";
  if (!mkdtemp(dir) || chdir(dir) < 0) {
    perror("scratch directory");
    exit(2);
  }
  umask(022);
}

/* Runs `body` in a child and gives its exit status, or 1000 + signal. */
#define CHILD(name, ...)                                                   \
  do {                                                                     \
    fflush(stdout);                                                        \
    pid_t p_ = fork();                                                     \
    if (p_ == 0) {                                                         \
      __VA_ARGS__;                                                              \
      fflush(stdout);                                                      \
      _exit(0);                                                            \
    }                                                                      \
    int s_ = 0;                                                            \
    while (waitpid(p_, &s_, 0) < 0 && errno == EINTR) {}                    \
    printf("%s: %d\n", name, WIFEXITED(s_) ? WEXITSTATUS(s_) : 1000 + WTERMSIG(s_)); \
  } while (0)

static inline int file(const char *path, const char *text) {
  int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0644);
  if (fd >= 0 && text && write(fd, text, strlen(text)) < 0) perror(path);
  return fd;
}
