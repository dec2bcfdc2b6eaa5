#include "check.h"
#include <setjmp.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>

static sigjmp_buf jump;
static void onfault(int s) { siglongjmp(jump, s); }
static int touch(volatile char *p, int write_) {
  int s = sigsetjmp(jump, 1);
  if (s) return s;
  if (write_) *p = 1; else (void)*p;
  return 0;
}
#define MAP(name, ...) do { errno = 0; void *m_ = mmap(__VA_ARGS__); if (m_ == MAP_FAILED) report(name, -1); else printf("%s: ok\n", name); } while (0)
#define P 4096

/* What the kernel puts into each process: the vDSO, where the auxiliary vector says, and its data just before it. */
static void vdso(void) {
  FILE *f = fopen("/proc/self/maps", "r");
  char line[512], prot[8], name[64];
  unsigned long start, end, before = 0;
  while (fgets(line, sizeof line, f)) {
    name[0] = 0;
    sscanf(line, "%lx-%lx %7s %*s %*s %*s %63s", &start, &end, prot, name);
    if (!strcmp(name, "[vdso]")) {
      YES("vdso is where auxv says", start == getauxval(AT_SYSINFO_EHDR));
      YES("its data lies before it", before == start);
      printf("vdso: %s, %lu pages\n", prot, (end - start) / P);
    }
    if (!strncmp(name, "[vv", 3)) printf("%s: %s, %lu pages\n", name, prot, (end - start) / P);
    before = end;
  }
  fclose(f);
}

static void read_maps(char *text, size_t n) {
  int f = open("/proc/self/maps", O_RDONLY);
  size_t at = 0;
  for (ssize_t r; (r = read(f, text + at, n - 1 - at)) > 0;) at += r;
  text[at] = 0;
  close(f);
}

/* Changes a mapping in every way that there is, and says whether all went well. */
static int change(char *a, char *shared, char *below) {
  int bad = 0;
  bad += mprotect(a + P, P, PROT_READ) != 0;
  bad += munmap(a + 3 * P, P) != 0;
  bad += madvise(a + 5 * P, P, MADV_DONTFORK) != 0;
  bad += mlock(a + 7 * P, P) != 0;
  bad += mremap(a + 9 * P, P, 3 * P, MREMAP_MAYMOVE) == MAP_FAILED;
  bad += munmap(a + 11 * P, P) != 0;
  bad += mmap(a + 13 * P, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED;
  bad += mremap(shared, P, 2 * P, 0) == MAP_FAILED;
  bad += munmap(a, P) != 0;
  bad += mprotect(below, P, PROT_NONE) != 0;
  bad += sbrk(1 << 20) == (void *)-1;
  return bad;
}

/* What a process changes of its mappings after a fork, the other does not see. */
static void forked(void) {
  static char before[65536], after[65536];
  int there[2], back[2];
  char x = 0;
  if (pipe(there) || pipe(back)) return;
  char *a = mmap(NULL, 16 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *shared = mmap(NULL, 4 * P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  munmap(shared + P, P);
  char *below = mmap(NULL, 2 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  read_maps(before, sizeof before);
  fflush(stdout);
  for (int child_changes = 0; child_changes < 2; child_changes++) {
    pid_t p = fork();
    if (!p) {
      int r = 0;
      if (child_changes) {
        r = change(a, shared, below);
      } else {
        if (write(back[1], &x, 1) != 1 || read(there[0], &x, 1) != 1) _exit(99);
        read_maps(after, sizeof after);
        r = strcmp(before, after) != 0;
      }
      _exit(r);
    }
    if (!child_changes) {
      if (read(back[0], &x, 1) != 1) return;
      pid_t q = fork();
      if (!q) _exit(change(a, shared, below));
      int s;
      waitpid(q, &s, 0);
      NUM("a sibling's changes", s);
      if (write(there[1], &x, 1) != 1) return;
    }
    int s;
    waitpid(p, &s, 0);
    NUM(child_changes ? "child changes" : "child sees none", s);
    read_maps(after, sizeof after);
    YES("parent sees none", !strcmp(before, after));
  }
  pid_t p = fork();
  if (!p) {
    if (read(there[0], &x, 1) != 1) _exit(99);
    read_maps(after, sizeof after);
    _exit(strcmp(before, after) != 0);
  }
  NUM("parent changes", change(a, shared, below));
  if (write(there[1], &x, 1) != 1) return;
  int s;
  waitpid(p, &s, 0);
  NUM("child sees none of it", s);
}

int main(void) {
  scratch_dir();
  vdso();
  forked();
  signal(SIGSEGV, onfault);
  signal(SIGBUS, onfault);
  int A = MAP_PRIVATE | MAP_ANONYMOUS, RW = PROT_READ | PROT_WRITE;
  char *a = mmap(NULL, 10 * P, RW, A, -1, 0);
  YES("zeroed", a[0] == 0 && a[10 * P - 1] == 0);
  NUM("write", touch(a, 1));
  R("mprotect read", mprotect(a + P, P, PROT_READ));
  NUM("write", touch(a + P, 1));
  NUM("read", touch(a + P, 0));
  R("mprotect none", mprotect(a + P, P, PROT_NONE));
  NUM("read", touch(a + P, 0));
  R("mprotect back", mprotect(a + P, P, RW));
  NUM("write", touch(a + P, 1));
  R("mprotect unaligned", mprotect(a + 1, P, RW));
  R("munmap middle", munmap(a + 3 * P, 2 * P));
  NUM("hole", touch(a + 3 * P, 0));
  NUM("after", touch(a + 5 * P, 1));
  R("mprotect over hole", mprotect(a, 10 * P, RW));
  R("munmap nothing", munmap(a + 3 * P, P));
  R("munmap unaligned", munmap(a + 1, P));
  R("munmap zero", munmap(a, 0));
  MAP("zero length", NULL, 0, RW, A, -1, 0);
  MAP("no type", NULL, P, RW, MAP_ANONYMOUS, -1, 0);
  MAP("huge", NULL, 1UL << 62, RW, A, -1, 0);
  MAP("bad fd", NULL, P, RW, MAP_PRIVATE, 99, 0);
  MAP("bad offset", NULL, P, RW, MAP_PRIVATE, 0, 1);
  MAP("fixed unaligned", a + 1, P, RW, A | MAP_FIXED, -1, 0);
  MAP("fixed at 0 noreplace", a, P, RW, A | MAP_FIXED_NOREPLACE, -1, 0);
  YES("fixed", mmap(a + 3 * P, P, RW, A | MAP_FIXED, -1, 0) == a + 3 * P);
  YES("noreplace free", mmap(a + 4 * P, P, RW, A | MAP_FIXED_NOREPLACE, -1, 0) == a + 4 * P);
  char *hint = mmap(a + 20 * P, P, RW, A, -1, 0);
  OK("hint", hint == MAP_FAILED ? -1 : 0);
  MAP("32 bit", NULL, P, RW, A | MAP_32BIT, -1, 0);

  int fd = file("f", "file contents");
  char *s = mmap(NULL, P, RW, MAP_SHARED, fd, 0), *pr = mmap(NULL, P, RW, MAP_PRIVATE, fd, 0);
  YES("mapped", memcmp(s, "file", 4) == 0 && memcmp(pr, "file", 4) == 0);
  s[0] = 'F';
  char b[20] = {0};
  pread(fd, b, 4, 0);
  STR("seen by read", b);
  YES("seen by private", pr[0] == 'F');
  pr[1] = 'I';
  pread(fd, b, 4, 0);
  STR("private is private", b);
  pwrite(fd, "XY", 2, 2);
  YES("write is seen", s[2] == 'X');
  R("msync", msync(s, P, MS_SYNC));
  R("msync bad flags", msync(s, P, MS_SYNC | MS_ASYNC));
  R("msync hole", msync(a + 10 * P + (16UL << 30), P, MS_SYNC));
  NUM("past end", (ftruncate(fd, 3 * P), s[P - 1]));
  char *three = mmap(NULL, 3 * P, RW, MAP_SHARED, fd, 0);
  three[2 * P] = 7;
  ftruncate(fd, P);
  NUM("truncated", touch(three + 2 * P, 0));
  ftruncate(fd, 3 * P);
  NUM("grown again", touch(three + 2 * P, 0));
  NUM("zero", three[2 * P]);
  close(fd);
  YES("after close", s[0] == 'F');
  int ro = open("f", O_RDONLY), wo = open("f", O_WRONLY), dir = open(".", O_RDONLY);
  MAP("shared write of read-only", NULL, P, RW, MAP_SHARED, ro, 0);
  MAP("private write of read-only", NULL, P, RW, MAP_PRIVATE, ro, 0);
  MAP("write-only", NULL, P, PROT_WRITE, MAP_SHARED, wo, 0);
  MAP("directory", NULL, P, PROT_READ, MAP_PRIVATE, dir, 0);
  char *rs = mmap(NULL, P, PROT_READ, MAP_SHARED, ro, 0);
  R("mprotect write of read-only", mprotect(rs, P, RW));
  MAP("O_PATH", NULL, P, PROT_READ, MAP_PRIVATE, open("f", O_PATH), 0);
  int q[2];
  pipe(q);
  MAP("pipe", NULL, P, PROT_READ, MAP_PRIVATE, q[0], 0);
  MAP("offset past end", NULL, P, PROT_READ, MAP_PRIVATE, ro, 100 * P);

  char *sh = mmap(NULL, P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *pv = mmap(NULL, P, RW, A, -1, 0);
  CHILD("fork", sh[0] = 5; pv[0] = 6);
  printf("shared %d private %d\n", sh[0], pv[0]);
  char *z = mmap(NULL, P, RW, MAP_PRIVATE, open("/dev/zero", O_RDWR), 0);
  YES("/dev/zero", z != MAP_FAILED && z[5] == 0 && touch(z, 1) == 0);

  char *m = mmap(NULL, 4 * P, RW, A, -1, 0);
  for (int i = 0; i < 4; i++) m[i * P] = (char)(i + 1);
  char *g = mremap(m, 4 * P, 400 * P, MREMAP_MAYMOVE);
  YES("mremap grow", g != MAP_FAILED && g[0] == 1 && g[3 * P] == 4 && g[399 * P] == 0);
  YES("mremap shrink", mremap(g, 400 * P, 2 * P, 0) == g);
  NUM("cut off", touch(g + 2 * P, 0));
  char *t = mmap(NULL, 2 * P, PROT_NONE, A, -1, 0);
  YES("mremap fixed", mremap(g, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, t) == t && t[P] == 2);
  NUM("old gone", touch(g, 0));
  R("mremap bad flags", mremap(t, P, P, 0x10) == MAP_FAILED ? -1 : 0);
  R("mremap unaligned", mremap(t + 1, P, P, 0) == MAP_FAILED ? -1 : 0);
  R("mremap unmapped", mremap(g, P, 2 * P, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
  R("mremap to zero", mremap(t, P, 0, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);

  t[0] = 9;
  R("dontneed", madvise(t, P, MADV_DONTNEED));
  NUM("zeroed", t[0]);
  R("madvise unaligned", madvise(t + 1, P, MADV_DONTNEED));
  R("madvise bad", madvise(t, P, 9999));
  R("madvise willneed", madvise(t, P, MADV_WILLNEED));
  R("madvise free", madvise(t, P, MADV_FREE));
  R("madvise hole", madvise(g, P, MADV_WILLNEED));
  R("dontfork", madvise(t, P, MADV_DONTFORK));
  CHILD("not forked", signal(SIGSEGV, SIG_DFL); (void)*(volatile char *)t);
  R("wipeonfork", madvise(pv, P, MADV_WIPEONFORK));
  pv[0] = 3;
  CHILD("wiped", R("  value", pv[0]));
  R("mlock", mlock(t, P));
  R("munlock", munlock(t, P));
  R("mlock hole", mlock(g, P));
  R("mlockall bad", mlockall(0));
  unsigned char vec[4];
  R("mincore", mincore(a, P, vec));
  R("mincore unaligned", mincore(a + 1, P, vec));
  char *brk0 = sbrk(0);
  YES("sbrk", sbrk(100000) == brk0 && touch(brk0 + 99999, 1) == 0);
  brk(brk0);
  YES("brk back", sbrk(0) == brk0);
  struct rlimit l = {1 << 28, 1 << 28};
  CHILD("RLIMIT_AS", setrlimit(RLIMIT_AS, &l); MAP("  too much", NULL, 1 << 29, RW, A, -1, 0); MAP("  little", NULL, P, RW, A, -1, 0));
  CHILD("RLIMIT_DATA", l.rlim_cur = 1 << 20; setrlimit(RLIMIT_DATA, &l); R("  brk", sbrk(1 << 22) == (void *)-1 ? -1 : 0));
  char *st = alloca(100000);
  NUM("stack grows", touch(st, 1));
  CHILD("stack overflow", { signal(SIGSEGV, SIG_DFL); struct rlimit sl = {1 << 20, 1 << 20}; setrlimit(RLIMIT_STACK, &sl); volatile char *big = alloca(4 << 20); for (long i = 0; i < 4 << 20; i += 4096) big[(4 << 20) - 1 - i] = 1; });
  unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};
  char *x = mmap(NULL, P, RW, A, -1, 0);
  memcpy(x, code, sizeof code);
  mprotect(x, P, PROT_READ | PROT_EXEC);
  NUM("generated code", ((int (*)(void))x)());
  mprotect(x, P, PROT_READ | PROT_WRITE | PROT_EXEC);
  x[1] = 43;
  NUM("modified code", ((int (*)(void))x)());
  R("read into unmapped", read(open("/dev/zero", O_RDONLY), g, 10));
  R("read into read-only", read(open("/dev/zero", O_RDONLY), rs, 10));
  char *two = mmap(NULL, 2 * P, RW, A, -1, 0);
  munmap(two + P, P);
  R("read partly into a hole", read(open("/dev/zero", O_RDONLY), two, 2 * P) > 0 ? 1 : -1);
  R("write partly from a hole", write(open("w", O_CREAT | O_WRONLY, 0600), two + P - 10, 20));
  return 0;
}
