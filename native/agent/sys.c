#include "sys.h"

void *memcpy(void *to, const void *from, size_t n) {
  void *start = to;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
  return start;
}

void *memset(void *to, int value, size_t n) {
  void *start = to;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
  return start;
}

void *memmove(void *to, const void *from, size_t n) {
  char *t = to;
  const char *f = from;
  if (t <= f || t >= f + n) return memcpy(to, from, n);
  while (n--) {
    t[n] = f[n];
    __asm__ volatile("" ::: "memory");  // not to be turned into a call of itself
  }
  return to;
}

int memcmp(const void *a, const void *b, size_t n) {
  const unsigned char *x = a, *y = b;
  for (; n; n--, x++, y++)
    if (*x != *y) return *x - *y;
  return 0;
}

size_t strlen(const char *s) {
  size_t n = 0;
  while (s[n]) {
    n++;
    __asm__ volatile("" ::: "memory");
  }
  return n;
}

int streq(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

int starts(const char *s, const char *prefix) {
  while (*prefix)
    if (*s++ != *prefix++) return 0;
  return 1;
}

char *find(char *s, char c) {
  for (; *s; s++)
    if (*s == c) return s;
  return 0;
}

int vformat(char *to, size_t size, const char *form, va_list args) {
  size_t n = 0;
#define PUT(c) do { if (n + 1 < size) to[n++] = (c); } while (0)
  for (; *form; form++) {
    if (*form != '%') {
      PUT(*form);
      continue;
    }
    form++;
    if (*form == 's') {
      for (const char *s = va_arg(args, const char *); *s; s++) PUT(*s);
    } else if (*form == 'd' || *form == 'l') {
      long v = *form == 'd' ? va_arg(args, int) : va_arg(args, long);
      unsigned long u = v < 0 ? -(unsigned long)v : (unsigned long)v;
      char digits[24];
      int k = 0;
      if (v < 0) PUT('-');
      do digits[k++] = '0' + u % 10;
      while (u /= 10);
      while (k) {  // PUT leaves its argument alone when the text is full
        k--;
        PUT(digits[k]);
      }
    } else if (*form) {
      PUT(*form);
    } else {
      break;
    }
  }
  if (size) to[n] = 0;
  return n;
}

int format(char *to, size_t size, const char *form, ...) {
  va_list args;
  va_start(args, form);
  int n = vformat(to, size, form, args);
  va_end(args);
  return n;
}

long parse_number(const char *s) {
  long v = 0;
  for (; *s >= '0' && *s <= '9' && v < 1L << 56; s++) v = 10 * v + (*s - '0');
  return v;
}

void say(const char *form, ...) {
  char text[512];
  va_list args;
  va_start(args, form);
  int n = format(text, sizeof text, "redoubt-agent: ");
  n += vformat(text + n, sizeof text - n - 1, form, args);
  va_end(args);
  text[n++] = '\n';
  // The kernel's log: it goes to whatever console there is.
  long fd = open_file("/dev/kmsg", O_WRONLY);
  if (fd < 0) fd = 2;
  sys(write, fd, text, n);
  if (fd > 2) sys(close, fd);
}

long read_file(const char *path, char *to, size_t size) {
  long fd = open_file(path, O_RDONLY), n = 0;
  if (fd < 0) return fd;
  while (n < (long)size - 1) {
    long r = sys(read, fd, to + n, size - 1 - n);
    if (r == -EINTR) continue;
    if (r <= 0) break;
    n += r;
  }
  sys(close, fd);
  to[n] = 0;
  return n;
}

long write_file(const char *path, const char *text) {
  long fd = open_file(path, O_WRONLY);
  if (fd < 0) return fd;
  long r = sys(write, fd, text, strlen(text));
  sys(close, fd);
  return r < 0 ? r : 0;
}

void *allocate(size_t bytes) {
  long r = sys(mmap, 0, bytes, PROT_RW, MAP_PRIVATE_ANONYMOUS, -1, 0);
  return r < 0 && r > -4096 ? 0 : (void *)r;
}

void release(void *at, size_t bytes) {
  if (at) sys(munmap, at, bytes);
}
