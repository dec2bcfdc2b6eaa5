// Looking through text for call sites (redoubt.host.TextScan): the same shape, so that the Java side
// needs no other kind of downcall. Offsets are written as 32-bit numbers.

// Where `0f 05` stands in [text, text + bytes): how many, at most `max` of them in `out`.
long redoubt_find_syscalls(long text, long bytes, long out, long max, long a4, long a5, long a6) {
  (void)a4, (void)a5, (void)a6;
  const unsigned char *b = (const unsigned char *)text;
  unsigned int *found = (unsigned int *)out;
  long n = 0;
  for (long i = 0; i + 1 < bytes && n < max; i++) {
    if (b[i] == 0x0f && b[i + 1] == 0x05) {
      found[n++] = (unsigned int)i;
    }
  }
  return n;
}

static int read32(const unsigned char *p) {
  return (int)((unsigned int)p[0] | (unsigned int)p[1] << 8 | (unsigned int)p[2] << 16
               | (unsigned int)p[3] << 24);
}

// Where bytes stand that would be a relative branch, if an instruction began there, to an offset whose
// bit is set in `danger`: pairs of offset and target.
long redoubt_find_branches(long text, long bytes, long danger, long out, long max, long a5, long a6) {
  (void)a5, (void)a6;
  const unsigned char *b = (const unsigned char *)text;
  const unsigned char *bits = (const unsigned char *)danger;
  unsigned int *found = (unsigned int *)out;
  long n = 0;
  for (long i = 0; i + 6 < bytes && n < max; i++) {
    unsigned char op = b[i];
    long target;
    if ((op & 0xf0) == 0x70 || op == 0xeb || (op & 0xfc) == 0xe0) {
      target = i + 2 + (signed char)b[i + 1];
    } else if ((op & 0xfe) == 0xe8) {
      target = i + 5 + read32(b + i + 1);
    } else if (op == 0x0f && (b[i + 1] & 0xf0) == 0x80) {
      target = i + 6 + read32(b + i + 2);
    } else {
      continue;
    }
    if (target >= 0 && target < bytes && (bits[target >> 3] >> (target & 7) & 1)) {
      found[2 * n] = (unsigned int)i;
      found[2 * n + 1] = (unsigned int)target;
      n++;
    }
  }
  return n;
}
