/* Line discipline: canonical and raw input, echo, erase, kill, EOF, output processing, packet and flow control, TIOC… */
#include "conf.h"
#include <termios.h>
#include <poll.h>

static int m, t;
static void show(const char *name, int fd) {
  char b[300], o[1200];
  msleep(15);
  int n = read(fd, b, sizeof b), k = 0;
  if (n < 0) {
    printf("%s: %s\n", name, err_name(errno));
    return;
  }
  for (int i = 0; i < n; i++) k += snprintf(o + k, sizeof o - k, b[i] < 32 || b[i] > 126 ? "\\x%02x" : "%c", (unsigned char)b[i]);
  o[k] = 0;
  printf("%s: %d \"%s\"\n", name, n, o);
}
static void type(const char *s) {
  write(m, s, strlen(s));
  msleep(15); /* Linux hands input to the line discipline from a work queue */
}

int main(void) {
  m = posix_openpt(O_RDWR | O_NOCTTY);
  char name[64];
  int locked = 0;
  R("gptlck", ioctl(m, TIOCGPTLCK, &locked));
  V("locked-at-first", locked);
  ptsname_r(m, name, sizeof name);
  R("open-locked", open(name, O_RDWR | O_NOCTTY));
  grantpt(m), unlockpt(m);
  t = open(name, O_RDWR | O_NOCTTY);
  T("isatty", isatty(t) && isatty(m));
  fcntl(m, F_SETFL, O_NONBLOCK), fcntl(t, F_SETFL, O_NONBLOCK);
  struct termios a, raw;
  R("tcgetattr", tcgetattr(t, &a));
  printf("default: i %x o %x c %x l %x\n", a.c_iflag, a.c_oflag, a.c_cflag, a.c_lflag);
  for (int i = 0; i < 17; i++) printf("default-cc-%d: %d\n", i, a.c_cc[i]);
  T("default-speed", cfgetospeed(&a) == B38400);
  R("tcgetattr-efault", ioctl(t, TCGETS, BAD));
  R("unknown-ioctl", ioctl(t, 0x54ff, 0));
  R("tcgets-on-file", ioctl(open("f", O_CREAT | O_RDWR, 0600), TCGETS, &a));
  struct winsize w;
  memset(&w, 1, sizeof w);
  R("gwinsz", ioctl(t, TIOCGWINSZ, &w));
  printf("default-winsize: %d %d\n", w.ws_row, w.ws_col);
  R("read-empty", read(t, &w, 1));
  type("hello");
  show("echo", m);
  R("incomplete-line", read(t, &w, 1));
  int q = -1;
  ioctl(t, FIONREAD, &q);
  V("fionread-incomplete", q);
  type("\n");
  show("echo-newline", m);
  ioctl(t, FIONREAD, &q);
  V("fionread-line", q);
  show("line", t);
  type("abc\177\177d\n");
  show("erase-echo", m);
  show("erase", t);
  type("a\tb\177\177c\n");
  show("erase-tab-echo", m);
  show("erase-tab", t);
  type("one two\027x\n");
  show("word-erase-echo", m);
  show("word-erase", t);
  type("abc\025def\n");
  show("kill-echo", m);
  show("kill", t);
  type("\001\033[A\n");
  show("ctrl-echo", m);
  show("ctrl", t);
  type("ab\026\003c\n");
  show("lnext-echo", m);
  show("lnext", t);
  type("x\004");
  show("eof-after-text-echo", m);
  show("eof-after-text", t);
  type("\004");
  R("eof", read(t, &w, 1));
  type("cr\r");
  show("cr-echo", m);
  show("cr-is-nl", t);
  type("l1\nl2\n");
  show("two-lines-first", t);
  show("two-lines-second", t);
  type("abcdef\n");
  char b[4];
  R("short-read", read(t, b, 3));
  show("rest-of-line", t);
  show("drain", m);
  write(t, "out\n", 4);
  show("onlcr", m);
  write(t, "a\tb\rc", 5);
  show("tabs-and-cr", m);
  struct pollfd pf = {t, POLLIN | POLLOUT, 0};
  poll(&pf, 1, 0);
  H("poll-slave-idle", pf.revents);
  type("x");
  poll(&pf, 1, 0);
  H("poll-slave-partial", pf.revents);
  type("\n");
  poll(&pf, 1, 0);
  H("poll-slave-line", pf.revents);
  pf.fd = m;
  poll(&pf, 1, 0);
  H("poll-master", pf.revents);
  R("tcflush", tcflush(t, TCIOFLUSH));
  R("after-flush", read(t, b, 1));
  while (read(m, b, 1) > 0) {
  }
  /* raw */
  raw = a;
  cfmakeraw(&raw);
  R("tcsetattr-raw", tcsetattr(t, TCSANOW, &raw));
  type("a\003\r\n");
  R("raw-no-echo", read(m, b, 1));
  show("raw", t);
  write(t, "x\n", 2);
  show("raw-output", m);
  fcntl(t, F_SETFL, 0);
  raw.c_cc[VMIN] = 0, raw.c_cc[VTIME] = 1;
  tcsetattr(t, TCSANOW, &raw);
  long t0 = now_ms();
  R("vtime-timeout", read(t, b, 1));
  T("vtime-waited", now_ms() - t0 >= 90);
  raw.c_cc[VMIN] = 0, raw.c_cc[VTIME] = 0;
  tcsetattr(t, TCSANOW, &raw);
  R("vmin-0", read(t, b, 1));
  raw.c_cc[VMIN] = 3;
  tcsetattr(t, TCSANOW, &raw);
  type("abc");
  R("vmin-3", read(t, b, 4));
  /* ECHO off, ICANON on */
  raw = a;
  raw.c_lflag &= ~ECHO;
  tcsetattr(t, TCSANOW, &raw);
  type("secret\n");
  fcntl(m, F_SETFL, O_NONBLOCK);
  show("no-echo", m);
  show("no-echo-line", t);
  raw.c_iflag |= IUCLC | INLCR;
  raw.c_oflag &= ~OPOST;
  raw.c_lflag |= ECHO;
  tcsetattr(t, TCSANOW, &raw);
  write(t, "p\n", 2);
  show("no-opost", m);
  tcsetattr(t, TCSANOW, &a);
  int one = 1;
  R("packet-mode", ioctl(m, TIOCPKT, &one));
  write(t, "pk", 2);
  show("packet-data", m);
  tcflush(t, TCIFLUSH);
  msleep(15);
  show("packet-flush", m);
  one = 0;
  ioctl(m, TIOCPKT, &one);
  R("tiocsti", ioctl(t, TIOCSTI, "s"));
  R("exclusive", ioctl(t, TIOCEXCL, 0));
  ioctl(t, TIOCNXCL, 0);
  unsigned n = 0;
  T("tiocgptn", ioctl(m, TIOCGPTN, &n) == 0);
  R("tiocgptn-on-slave", ioctl(t, TIOCGPTN, &n));
  OK("tiocgptpeer", ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY));
  struct stat st;
  fstat(t, &st);
  printf("slave-stat: char %d major %d mode %o\n", S_ISCHR(st.st_mode), (int)(st.st_rdev >> 8), st.st_mode & 0777);
  R("tcsendbreak", tcsendbreak(t, 0));
  R("tcdrain", tcdrain(t));
  R("lseek", lseek(t, 0, SEEK_SET));
  close(m);
  msleep(15);
  R("write-after-master-closed", write(t, "x", 1));
  R("read-after-master-closed", read(t, b, 1));
  pf.fd = t;
  poll(&pf, 1, 0);
  H("poll-after-master-closed", pf.revents);
  return 0;
}
