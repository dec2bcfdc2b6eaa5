/* mmap(2), munmap(2), mprotect(2), mremap(2), madvise(2), mincore(2), msync(2), brk(2), mlock(2), memfd_create(2). */
#include "conf.h"
#include <setjmp.h>

static sigjmp_buf jb;
static volatile int sig;
static void h(int s) { sig = s, siglongjmp(jb, 1); }
static const char *touch(volatile char *p, int w) {
  sig = 0;
  if (!sigsetjmp(jb, 1)) {
    char c = *p;
    if (w) *p = c;
  }
  return sig ? sig_name(sig) : "ok";
}
#define PG 4096
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)

static long locked_kb(void) {
  char line[256];
  long kb = -1;
  FILE *f = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof line, f))
    if (sscanf(line, "VmLck: %ld", &kb) == 1) break;
  fclose(f);
  return kb;
}

int main(void) {
  signal(SIGSEGV, h), signal(SIGBUS, h);
  R("mmap-length-0", mmap(NULL, 0, RW, ANON, -1, 0));
  R("mmap-no-type", mmap(NULL, PG, RW, MAP_ANONYMOUS, -1, 0));
  R("mmap-bad-offset", mmap(NULL, PG, RW, MAP_PRIVATE, 0, 5));
  R("mmap-bad-fd", mmap(NULL, PG, RW, MAP_PRIVATE, NOFD, 0));
  R("mmap-huge", mmap(NULL, 1UL << 62, RW, ANON, -1, 0));
  R("mmap-length-wraps", mmap(NULL, -1UL, RW, ANON, -1, 0));
  R("mmap-fixed-unaligned", mmap((void *)0x10001, PG, RW, ANON | MAP_FIXED, -1, 0));
  R("mmap-fixed-kernel", mmap((void *)-(16L * PG), PG, RW, ANON | MAP_FIXED, -1, 0));
  R("mmap-directory", mmap(NULL, PG, PROT_READ, MAP_PRIVATE, open(".", O_RDONLY), 0));
  int ro, wo, rw, pp[2];
  put_file("f", "hello world");
  ro = open("f", O_RDONLY), wo = open("f", O_WRONLY), rw = open("f", O_RDWR);
  pipe(pp);
  R("mmap-pipe", mmap(NULL, PG, PROT_READ, MAP_PRIVATE, pp[0], 0));
  R("mmap-write-only-fd", mmap(NULL, PG, PROT_READ, MAP_PRIVATE, wo, 0));
  R("mmap-shared-write-ro-fd", mmap(NULL, PG, RW, MAP_SHARED, ro, 0));
  OK("mmap-private-write-ro-fd", mmap(NULL, PG, RW, MAP_PRIVATE, ro, 0));
  OK("mmap-shared-validate-bad-flag", mmap(NULL, PG, PROT_READ, MAP_SHARED_VALIDATE | 0x40000000, ro, 0));

  char *p = mmap(NULL, 4 * PG, RW, ANON, -1, 0);
  T("anon-is-zero", p[0] == 0 && p[4 * PG - 1] == 0);
  T("page-aligned", ((long)p & (PG - 1)) == 0);
  R("munmap-middle", munmap(p + PG, PG));
  S("after-munmap", touch(p + PG, 0));
  S("neighbour", touch(p + 2 * PG, 1));
  R("munmap-again", munmap(p + PG, PG));
  R("munmap-unaligned", munmap(p + 1, PG));
  R("munmap-length-0", munmap(p, 0));
  R("fixed-noreplace-busy", mmap(p, PG, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
  T("fixed-noreplace-free", mmap(p + PG, PG, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == p + PG);
  p[0] = 'x';
  T("fixed-replaces", mmap(p, PG, RW, ANON | MAP_FIXED, -1, 0) == p && p[0] == 0);
  T("hint-free", ({ munmap(p, PG); mmap(p, PG, RW, ANON, -1, 0) == p; }));

  /* mprotect */
  R("mprotect-ro", mprotect(p, PG, PROT_READ));
  S("write-to-ro", touch(p, 1));
  S("read-of-ro", touch(p, 0));
  R("mprotect-none", mprotect(p, PG, PROT_NONE));
  S("read-of-none", touch(p, 0));
  R("mprotect-unaligned", mprotect(p + 1, PG, PROT_READ));
  R("mprotect-bad-prot", mprotect(p, PG, 0x1000));
  R("mprotect-length-0", mprotect(p, 0, PROT_READ));
  munmap(p + 3 * PG, PG);
  R("mprotect-hole", mprotect(p + 2 * PG, 2 * PG, PROT_READ));
  S("mprotect-hole-first-done", touch(p + 2 * PG, 1));
  char *sh = mmap(NULL, PG, PROT_READ, MAP_SHARED, ro, 0);
  R("mprotect-shared-ro-fd", mprotect(sh, PG, RW));
  R("mprotect-growsdown-not", mprotect(p, PG, PROT_READ | PROT_GROWSDOWN));
  mprotect(p, PG, RW);
  unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};
  memcpy(p, code, sizeof code);
  mprotect(p, PG, PROT_READ | PROT_EXEC);
  V("run-generated-code", ((int (*)(void))p)());

  /* file mappings */
  char *s1 = mmap(NULL, PG, RW, MAP_SHARED, rw, 0), *pr = mmap(NULL, PG, RW, MAP_PRIVATE, rw, 0);
  S("file-content", s1);
  V("past-end-is-zero", s1[100]);
  s1[0] = 'J';
  char b[32] = "";
  pread(rw, b, 11, 0);
  S("shared-write-visible-by-read", b);
  S("private-sees-shared-before-cow", pr);
  pr[1] = 'E';
  pread(rw, b, 11, 0);
  S("private-write-invisible", b);
  pwrite(rw, "YY", 2, 3);
  S("write-visible-in-shared", s1);
  T("private-copy-keeps-own", pr[1] == 'E');
  s1[50] = 'z';
  ftruncate(rw, 60);
  pread(rw, b, 1, 50);
  T("bytes-past-old-end", b[0] == 'z' || b[0] == 0);
  ftruncate(rw, 3 * PG);
  char *big = mmap(NULL, 3 * PG, RW, MAP_SHARED, rw, 0);
  big[2 * PG] = 'q';
  R("msync", msync(big, 3 * PG, MS_SYNC));
  R("msync-both", msync(big, PG, MS_SYNC | MS_ASYNC));
  R("msync-bad-flags", msync(big, PG, 64));
  R("msync-unaligned", msync(big + 1, PG, MS_SYNC));
  R("msync-hole", ({ char *x = mmap(NULL, 2 * PG, RW, ANON, -1, 0); munmap(x + PG, PG); msync(x, 2 * PG, MS_SYNC); }));
  char *off = mmap(NULL, PG, PROT_READ, MAP_SHARED, rw, 2 * PG);
  V("offset-mapping", off[0]);
  ftruncate(rw, PG);
  S("beyond-end-after-truncate", touch(big + 2 * PG, 0));
  S("within-end", touch(big, 1));
  ftruncate(rw, 3 * PG);
  S("grown-again", touch(big + 2 * PG, 0));
  V("grown-again-zero", big[2 * PG]);
  close(rw);
  S("mapping-outlives-fd", touch(big, 1));
  unlink("f");
  S("mapping-outlives-name", touch(big, 1));

  /* sharing over fork */
  char *shared = mmap(NULL, PG, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *priv = mmap(NULL, PG, RW, ANON, -1, 0);
  shared[0] = priv[0] = 1;
  CHILD("fork-write", shared[0] = 2; priv[0] = 2);
  V("shared-anon-after-fork", shared[0]);
  V("private-anon-after-fork", priv[0]);
  CHILD("fork-unmaps-own", munmap(shared, PG));
  S("parent-mapping-stays", touch(shared, 1));
  R("madvise-dontfork", madvise(priv, PG, MADV_DONTFORK));
  CHILD("dontfork-child", _exit(!strcmp(touch(priv, 0), "SIGSEGV")));
  madvise(priv, PG, MADV_DOFORK);
  R("madvise-wipeonfork", madvise(priv, PG, MADV_WIPEONFORK));
  CHILD("wipeonfork-child", _exit(priv[0]));
  R("madvise-wipeonfork-shared", madvise(shared, PG, MADV_WIPEONFORK));

  /* madvise */
  priv[0] = 7;
  R("madvise-dontneed", madvise(priv, PG, MADV_DONTNEED));
  V("dontneed-zeroes", priv[0]);
  shared[0] = 7;
  madvise(shared, PG, MADV_DONTNEED);
  V("dontneed-shared-keeps", shared[0]);
  R("madvise-remove-shared", madvise(shared, PG, MADV_REMOVE));
  V("removed-is-zero", shared[0]);
  R("madvise-remove-private", madvise(priv, PG, MADV_REMOVE));
  R("madvise-bad", madvise(priv, PG, 999));
  R("madvise-unaligned", madvise(priv + 1, PG, MADV_NORMAL));
  R("madvise-hole", ({ char *x = mmap(NULL, 2 * PG, RW, ANON, -1, 0); munmap(x + PG, PG); madvise(x, 2 * PG, MADV_DONTNEED); }));
  R("madvise-length-0", madvise(priv, 0, MADV_NORMAL));
  int adv[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_FREE, MADV_DONTDUMP, MADV_DODUMP, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLD, MADV_PAGEOUT};
  for (int i = 0; i < 11; i++) {
    char n[32];
    snprintf(n, sizeof n, "madvise-%d", adv[i]);
    R(n, madvise(priv, PG, adv[i]));
  }
  /* mincore */
  unsigned char vec[4] = {0};
  char *mc = mmap(NULL, 2 * PG, RW, ANON, -1, 0);
  mc[0] = 1;
  R("mincore", mincore(mc, 2 * PG, vec));
  V("mincore-touched", vec[0] & 1);
  V("mincore-untouched", vec[1] & 1);
  R("mincore-unaligned", mincore(mc + 1, PG, vec));
  munmap(mc + PG, PG);
  R("mincore-hole", mincore(mc, 2 * PG, vec));
  R("mincore-efault", mincore(mc, PG, BAD));

  /* mremap */
  char *m = mmap(NULL, 4 * PG, RW, ANON, -1, 0);
  m[0] = 'a', m[3 * PG] = 'd';
  T("mremap-shrink", mremap(m, 4 * PG, 2 * PG, 0) == m);
  S("mremap-shrunk-off", touch(m + 3 * PG, 0));
  T("mremap-grow-in-place-or-move", ({ m = mremap(m, 2 * PG, 64 * PG, MREMAP_MAYMOVE); m != MAP_FAILED; }));
  V("mremap-keeps", m[0]);
  V("mremap-new-zero", m[50 * PG]);
  char *fx = mmap(NULL, 4 * PG, RW, ANON, -1, 0);
  m[PG] = 'b';
  T("mremap-fixed", mremap(m, 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, fx) == fx);
  printf("mremap-fixed-content: %c%c\n", fx[0], fx[PG]);
  S("mremap-old-place", touch(m, 0));
  R("mremap-fixed-without-maymove", mremap(fx, PG, PG, MREMAP_FIXED, m));
  R("mremap-bad-flags", mremap(fx, PG, PG, 64));
  R("mremap-unaligned", mremap(fx + 1, PG, PG, 0));
  R("mremap-new-size-0", mremap(fx, PG, 0, 0));
  R("mremap-old-unmapped", mremap((void *)0x10000, PG, 2 * PG, MREMAP_MAYMOVE));
  R("mremap-overlap", mremap(fx, 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, fx + PG));
  char *blk = mmap(NULL, 2 * PG, RW, ANON, -1, 0);
  mprotect(blk + PG, PG, PROT_READ);
  R("mremap-no-room", mremap(blk, PG, 2 * PG, 0));
  T("mremap-dontunmap", ({ char *q = mremap(blk, PG, PG, MREMAP_MAYMOVE | 4, 0); q != MAP_FAILED && q != blk; }));
  S("mremap-dontunmap-old-stays", touch(blk, 1));

  /* brk */
  char *b0 = sbrk(0);
  T("sbrk-grow", sbrk(3 * PG) == b0);
  S("heap-usable", touch(b0 + 2 * PG, 1));
  b0[PG] = 'k';
  T("sbrk-shrink", sbrk(-3 * PG) != (void *)-1);
  T("sbrk-again-zero", sbrk(3 * PG) != (void *)-1 && b0[2 * PG] == 0);
  T("brk-too-far", (long)syscall(SYS_brk, -1L) == (long)sbrk(0));
  T("brk-0", (long)syscall(SYS_brk, 0) == (long)sbrk(0));
  struct rlimit rl = {0, 0}, as = {1 << 26, 1 << 26};
  CHILD("brk-rlimit-data", setrlimit(RLIMIT_DATA, &rl); _exit(sbrk(1 << 20) == (void *)-1 && errno == ENOMEM));
  CHILD("mmap-rlimit-as", setrlimit(RLIMIT_AS, &as); _exit(mmap(NULL, 1 << 27, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM));

  /* locking */
  R("mlock", mlock(fx, PG));
  R("mlock-hole", mlock((void *)0x10000, PG));
  R("munlock", munlock(fx, PG));
  R("mlock2-bad-flags", syscall(SYS_mlock2, fx, PG, 4));
  R("mlockall-0", mlockall(0));
  R("mlockall-bad", mlockall(64));
  R("munlockall", munlockall());
  OK("map-locked-populate", mmap(NULL, PG, RW, ANON | MAP_POPULATE | MAP_LOCKED, -1, 0));
  OK("map-noreserve-1g", mmap(NULL, 1 << 30, RW, ANON | MAP_NORESERVE, -1, 0));
  OK("map-stack", mmap(NULL, PG, RW, ANON | MAP_STACK, -1, 0));
  OK("map-32bit", mmap(NULL, PG, RW, ANON | MAP_32BIT, -1, 0));
  char *lo = mmap(NULL, PG, RW, ANON | MAP_32BIT, -1, 0);
  T("map-32bit-is-low", (unsigned long)lo < 1UL << 32);
  char *gd = mmap(NULL, PG, RW, ANON | MAP_GROWSDOWN, -1, 0);
  T("map-growsdown", gd != MAP_FAILED);

  /* memfd */
  int mf = memfd_create("name", MFD_ALLOW_SEALING);
  T("memfd", mf > 2);
  ftruncate(mf, 2 * PG);
  char *mm = mmap(NULL, 2 * PG, RW, MAP_SHARED, mf, 0);
  mm[PG] = 'M';
  char c = 0;
  pread(mf, &c, 1, PG);
  V("memfd-shared", c);
  R("seals-none", fcntl(mf, F_GET_SEALS));
  R("seal-write-while-mapped", fcntl(mf, F_ADD_SEALS, F_SEAL_WRITE));
  R("seal-shrink", fcntl(mf, F_ADD_SEALS, F_SEAL_SHRINK));
  R("shrink-sealed", ftruncate(mf, PG));
  R("grow-unsealed", ftruncate(mf, 3 * PG));
  munmap(mm, 2 * PG);
  R("seal-write", fcntl(mf, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW));
  R("write-sealed", pwrite(mf, "x", 1, 0));
  R("grow-sealed", ftruncate(mf, 4 * PG));
  R("map-shared-write-sealed", mmap(NULL, PG, RW, MAP_SHARED, mf, 0));
  OK("map-private-write-sealed", mmap(NULL, PG, RW, MAP_PRIVATE, mf, 0));
  R("seal-seal", fcntl(mf, F_ADD_SEALS, F_SEAL_SEAL));
  R("seal-after-seal", fcntl(mf, F_ADD_SEALS, F_SEAL_SHRINK));
  R("seals", fcntl(mf, F_GET_SEALS));
  R("memfd-bad-flags", memfd_create("x", 0x8000));
  R("memfd-without-sealing", fcntl(memfd_create("x", MFD_CLOEXEC), F_ADD_SEALS, F_SEAL_WRITE));
  char longname[300];
  memset(longname, 'a', 299), longname[299] = 0;
  R("memfd-long-name", memfd_create(longname, 0));
  R("memfd-efault", memfd_create(BAD, 0));
  R("seals-on-file", fcntl(open("g", O_CREAT | O_RDWR, 0600), F_GET_SEALS) >= 0);
  R("membarrier-query", syscall(SYS_membarrier, 0, 0, 0) > 0);
  unsigned long node0[16] = {1}, node9[16] = {1 << 9}, none[16] = {0}, mask[16] = {7};
  int mode = -1;
  char *area = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  R("mbind", syscall(SYS_mbind, area, 4096, 2 /* BIND */, node0, 64, 0));
  R("policy of it", syscall(SYS_get_mempolicy, &mode, mask, 1024, area, 2 /* ADDR */));
  printf("mempolicy: %d %lx\n", mode, mask[0]);
  R("policy behind it", syscall(SYS_get_mempolicy, &mode, mask, 1024, area + 4096, 2));
  printf("mempolicy: %d %lx\n", mode, mask[0]);
  R("mbind preferred", syscall(SYS_mbind, area, 4096, 1, none, 64, 0));
  R("policy of it", syscall(SYS_get_mempolicy, &mode, NULL, 0, area, 2));
  printf("mempolicy: %d\n", mode);
  R("mbind default", syscall(SYS_mbind, area, 4096, 0, NULL, 0, 0));
  R("policy of it", syscall(SYS_get_mempolicy, &mode, NULL, 0, area, 2));
  printf("mempolicy: %d\n", mode);
  R("migrate", syscall(SYS_migrate_pages, 0, 64, node0, node0));
  R("migrate to nowhere", syscall(SYS_migrate_pages, 0, 64, node0, none));
  R("migrate to an absent node", syscall(SYS_migrate_pages, 0, 64, node0, node9));
  R("migrate with a long mask", syscall(SYS_migrate_pages, 0, 1 << 20, node0, node0));
  R("migrate with a bad mask", syscall(SYS_migrate_pages, 0, 64, BAD, node0));
  R("migrate nobody", syscall(SYS_migrate_pages, 1 << 29, 64, node0, node0));
  R("get-mempolicy", syscall(SYS_get_mempolicy, NULL, NULL, 0, 0, 0));
  R("process-vm-readv-self", ({ char x = 'v', y = 0; struct iovec l = {&y, 1}, r = {&x, 1}; process_vm_readv(getpid(), &l, 1, &r, 1, 0) == 1 && y == 'v'; }));

  /* what MAP_SHARED_VALIDATE refuses */
  int vf = open("validate", O_CREAT | O_RDWR, 0600);
  ftruncate(vf, PG);
  OK("validate", mmap(NULL, PG, RW, MAP_SHARED_VALIDATE, vf, 0));
  R("validate-unknown-flag", mmap(NULL, PG, RW, MAP_SHARED_VALIDATE | 0x200, vf, 0));
  R("validate-noreplace", mmap((void *)0x700000000000, PG, RW, MAP_SHARED_VALIDATE | MAP_FIXED_NOREPLACE, vf, 0));
  R("validate-anonymous", mmap(NULL, PG, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0));

  /* beyond the end of a file */
  char *past = mmap(NULL, 4 * PG, PROT_READ, MAP_SHARED, vf, 0);
  R("mprotect-past-end", mprotect(past + 2 * PG, PG, RW));
  R("mprotect-over-end", mprotect(past, 4 * PG, RW));
  S("past-end-is-bus", touch(past + 2 * PG, 1));
  S("before-end", touch(past, 1));
  ftruncate(vf, 4 * PG);
  R("mprotect-grown", mprotect(past + PG, 2 * PG, PROT_READ));
  S("grown-reads", touch(past + PG, 0));
  S("grown-does-not-write", touch(past + PG, 1));
  S("grown-writes-where-it-may", touch(past + 3 * PG, 1));
  R("madvise-dontneed-grown", madvise(past, 4 * PG, MADV_DONTNEED));
  char *cow = mmap(NULL, 2 * PG, RW, MAP_PRIVATE, vf, 0);
  pwrite(vf, "F", 1, 0);
  cow[0] = 'C';
  R("madvise-dontneed-private", madvise(cow, 2 * PG, MADV_DONTNEED));
  V("private-is-the-file-again", cow[0]);
  ftruncate(vf, PG);
  char *over = mmap(NULL, 2 * PG, RW, ANON, -1, 0);
  over[PG] = 'O';
  OK("short-file-over-another", mmap(over, 2 * PG, RW, MAP_SHARED | MAP_FIXED, vf, 0));
  S("tail-is-gone", touch(over + PG, 0));

  /* locked memory is counted */
  char *lk = mmap(NULL, 4 * PG, RW, ANON, -1, 0);
  V("locked-none", locked_kb());
  R("mlock-two", mlock(lk, 2 * PG));
  V("locked-two", locked_kb());
  R("mlock-again", mlock(lk + PG, 2 * PG));
  V("locked-three", locked_kb());
  R("msync-invalidate-locked", msync(lk, 4 * PG, MS_INVALIDATE));
  R("madvise-dontneed-locked", madvise(lk, PG, MADV_DONTNEED));
  R("munlock-middle", munlock(lk + PG, PG));
  V("locked-ends", locked_kb());
  R("mlock2-onfault", syscall(SYS_mlock2, lk, 4 * PG, 1));
  V("locked-all", locked_kb());
  munmap(lk, PG);
  V("locked-after-munmap", locked_kb());
  CHILD("locked-after-fork", _exit(locked_kb() == 0));
  R("munlockall-too", munlockall());
  V("locked-after-munlockall", locked_kb());
  R("mlock-no-access", mlock(mmap(NULL, PG, PROT_NONE, ANON, -1, 0), PG));
  munlockall();
  char *ten = mmap(NULL, 10 << 20, RW, ANON, -1, 0);
  R("mlock-10-mib", mlock(ten, 10 << 20));
  V("locked-10-mib", locked_kb());
  return 0;
}
