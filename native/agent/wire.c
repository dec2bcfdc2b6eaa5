#include "wire.h"

static uint32_t get32(const uint8_t *at) {
  uint32_t v;
  memcpy(&v, at, 4);
  return v;
}

void wire_open(struct wire *w, const void *bytes, size_t length) {
  memset(w, 0, sizeof *w);
  w->at = bytes;
  w->end = w->at + length;
}

int wire_next(struct wire *w) {
  if (w->bad || w->at == w->end) return 0;
  if (w->end - w->at < 5) return w->bad = 1, 0;
  uint32_t length = get32(w->at + 1);
  if (length > (size_t)(w->end - w->at) - 5) return w->bad = 1, 0;
  w->tag = w->at[0];
  w->value = w->at + 5;
  w->length = length;
  w->at += 5 + (size_t)length;
  return 1;
}

int64_t wire_number(struct wire *w) {
  int64_t v = 0;
  if (w->length != 8) return w->bad = 1, 0;
  memcpy(&v, w->value, 8);
  return v;
}

struct wire wire_record(struct wire *w) {
  struct wire inner;
  wire_open(&inner, w->value, w->length);
  return inner;
}

const char *wire_text(struct wire *w, char *to, size_t size) {
  to[0] = 0;
  if (w->length >= size) return w->bad = 1, to;
  for (uint32_t i = 0; i < w->length; i++)
    if (!w->value[i]) return w->bad = 1, to;
  memcpy(to, w->value, w->length);
  to[w->length] = 0;
  return to;
}

void put_field(struct wire_out *w, int tag, const void *value, size_t length) {
  if (w->full || length > w->size || w->size - w->used < 5 + length) {
    w->full = 1;
    return;
  }
  uint32_t n = length;
  w->bytes[w->used] = tag;
  memcpy(w->bytes + w->used + 1, &n, 4);
  memcpy(w->bytes + w->used + 5, value, length);
  w->used += 5 + length;
}

void put_number(struct wire_out *w, int tag, int64_t value) { put_field(w, tag, &value, 8); }
void put_text(struct wire_out *w, int tag, const char *text) { put_field(w, tag, text, strlen(text)); }
