// Fields of a message: tag u8, length u32, bytes; little-endian (redoubt.sentry.control.WireWriter).
// The reader checks every length against the message; the writer drops what does not fit and remembers.
#pragma once
#include "sys.h"

struct wire {
  const uint8_t *at, *end;
  int tag, bad;
  const uint8_t *value;
  uint32_t length;
};

void wire_open(struct wire *w, const void *bytes, size_t length);
int wire_next(struct wire *w);              // 1 while there is a field; 0 at the end or when malformed (bad)
int64_t wire_number(struct wire *w);        // 0 and bad unless 8 bytes
struct wire wire_record(struct wire *w);    // the field as a message of its own
const char *wire_text(struct wire *w, char *to, size_t size);  // copy ended by NUL; "" and bad if it does not fit or holds NUL

struct wire_out {
  uint8_t *bytes;
  size_t size, used;
  int full;
};

void put_field(struct wire_out *w, int tag, const void *value, size_t length);
void put_number(struct wire_out *w, int tag, int64_t value);
void put_text(struct wire_out *w, int tag, const char *text);
