/* setsid(2), setpgid(2), tcsetpgrp(3), SIGTTIN, SIGTTOU, SIGHUP of orphaned groups: job control on a pseudo terminal. */
#include "conf.h"
#include <termios.h>

static volatile int got;
static void h(int s) { got = s; }

int main(void) {
  int s;
  CHILD("setsid", _exit(setsid() == getpid()));
  CHILD("setsid-leader", setsid(); _exit(setsid() == -1 && errno == EPERM));
  CHILD("setsid-new-ids", setsid(); _exit(getpgrp() == getpid() && getsid(0) == getpid()));
  CHILD("setpgid-self", _exit(setpgid(0, 0) == 0 && getpgrp() == getpid()));
  CHILD("setpgid-session-leader", setsid(); _exit(setpgid(0, 0) == -1 && errno == EPERM));
  CHILD("setpgid-missing-group", _exit(setpgid(0, 999999) == -1 && errno == EPERM));
  R("setpgid-nobody", setpgid(999999, 0));
  pid_t p = SPAWN(setsid(); pause());
  msleep(20);
  R("setpgid-other-session", setpgid(p, p));
  kill(p, SIGKILL);
  waitpid(p, &s, 0);
  CHILD("setpgid-after-exec", pid_t c = fork(); if (!c) { execl("/bin/sleep", "sleep", "5", NULL); _exit(1); } msleep(80); int r = setpgid(c, c); int e = errno; kill(c, SIGKILL); _exit(r == -1 && e == EACCES));

  int m = posix_openpt(O_RDWR | O_NOCTTY);
  T("openpt", m > 0);
  R("grantpt", grantpt(m));
  R("unlockpt", unlockpt(m));
  char name[64];
  R("ptsname", ptsname_r(m, name, sizeof name));
  T("ptsname-prefix", !strncmp(name, "/dev/pts/", 9));
  R("tcgetpgrp-not-a-tty", tcgetpgrp(open("/dev/null", O_RDWR)));
  p = SPAWN({
    setsid();
    int t = open(name, O_RDWR);
    T("slave-opened", t > 0);
    T("is-controlling", tcgetpgrp(t) == getpid());
    T("tcgetsid", tcgetsid(t) == getpid());
    OK("open-dev-tty", open("/dev/tty", O_RDWR));
    dup2(t, 0);
    signal(SIGTTOU, SIG_DFL);
    signal(SIGTTIN, SIG_DFL);
    /* background read stops */
    pid_t c = fork();
    if (c == 0) {
      setpgid(0, 0);
      char b;
      read(t, &b, 1);
      _exit(1);
    }
    setpgid(c, c);
    waitpid(c, &s, WUNTRACED);
    S("background-read", status_name(s));
    kill(c, SIGKILL);
    waitpid(c, &s, 0);
    c = fork();
    if (c == 0) {
      setpgid(0, 0);
      signal(SIGTTIN, SIG_IGN);
      char b;
      _exit(read(t, &b, 1) == -1 && errno == EIO ? 6 : 7);
    }
    waitpid(c, &s, 0);
    S("background-read-ignored", status_name(s));
    c = fork();
    if (c == 0) {
      setpgid(0, 0);
      tcsetpgrp(t, getpid());
      _exit(8);
    }
    setpgid(c, c);
    waitpid(c, &s, WUNTRACED);
    S("background-tcsetpgrp", status_name(s));
    kill(c, SIGKILL);
    waitpid(c, &s, 0);
    c = fork();
    if (c == 0) {
      setpgid(0, 0);
      write(t, "bg\n", 3);
      _exit(9);
    }
    waitpid(c, &s, WUNTRACED);
    S("background-write", status_name(s));
    struct termios tio;
    tcgetattr(t, &tio);
    tio.c_lflag |= TOSTOP;
    tcsetattr(t, TCSANOW, &tio);
    c = fork();
    if (c == 0) {
      setpgid(0, 0);
      write(t, "bg\n", 3);
      _exit(9);
    }
    setpgid(c, c);
    waitpid(c, &s, WUNTRACED);
    S("background-write-tostop", status_name(s));
    kill(c, SIGKILL);
    waitpid(c, &s, 0);
    /* foreground group gets ^C, ^Z, ^\ */
    c = fork();
    if (c == 0) {
      setpgid(0, 0);
      pause();
      _exit(1);
    }
    setpgid(c, c);
    signal(SIGTTOU, SIG_IGN);
    R("tcsetpgrp", tcsetpgrp(t, c));
    T("tcgetpgrp", tcgetpgrp(t) == c);
    write(m, "\032", 1);
    waitpid(c, &s, WUNTRACED);
    S("ctrl-z", status_name(s));
    kill(c, SIGCONT);
    write(m, "\003", 1);
    waitpid(c, &s, 0);
    S("ctrl-c", status_name(s));
    R("tcsetpgrp-empty-group", tcsetpgrp(t, c));
    R("tcsetpgrp-negative", tcsetpgrp(t, -1));
    R("tcsetpgrp-back", tcsetpgrp(t, getpid()));
    c = fork();
    if (c == 0) {
      signal(SIGQUIT, SIG_DFL);
      pause();
    }
    msleep(20);
    signal(SIGQUIT, SIG_IGN);
    write(m, "\034", 1);
    waitpid(c, &s, 0);
    S("ctrl-backslash", status_name(s));
    /* window size */
    signal(SIGWINCH, h);
    struct winsize w = {.ws_row = 40, .ws_col = 132};
    ioctl(m, TIOCSWINSZ, &w);
    V("sigwinch", got);
    memset(&w, 0, sizeof w);
    ioctl(t, TIOCGWINSZ, &w);
    printf("winsize: %d x %d\n", w.ws_row, w.ws_col);
    /* orphaned stopped group: SIGHUP and SIGCONT */
    int pp[2];
    pipe(pp);
    pid_t mid = fork();
    if (mid == 0) {
      setpgid(0, 0);
      pid_t g = fork();
      if (g == 0) {
        signal(SIGHUP, h);
        signal(SIGCONT, SIG_DFL);
        write(pp[1], "r", 1);
        raise(SIGSTOP);
        char b = got == SIGHUP ? 'y' : 'n';
        write(pp[1], &b, 1);
        _exit(0);
      }
      char b;
      read(pp[0], &b, 1);
      msleep(30);
      _exit(0);
    }
    waitpid(mid, &s, 0);
    char b = '?';
    read(pp[0], &b, 1);
    printf("orphaned-group-hup: %c\n", b);
    /* an orphaned group cannot be stopped by SIGTSTP */
    signal(SIGHUP, SIG_DFL);
    _exit(33);
  });
  waitpid(p, &s, 0);
  S("session", status_name(s));
  char buf[100];
  fcntl(m, F_SETFL, O_NONBLOCK);
  T("output-arrives", read(m, buf, sizeof buf) > 0);
  while (read(m, buf, sizeof buf) > 0) {
  }
  msleep(50);
  R("read-after-hangup", read(m, buf, 1));
  /* leader's death hangs up the foreground group */
  int pp[2];
  pipe(pp);
  p = SPAWN({
    setsid();
    int m2 = posix_openpt(O_RDWR | O_NOCTTY);
    grantpt(m2), unlockpt(m2), ptsname_r(m2, name, sizeof name);
    int t = open(name, O_RDWR);
    (void)t;
    pid_t c = fork();
    if (c == 0) {
      signal(SIGHUP, h);
      write(pp[1], "r", 1);
      pause();
      char b = got == SIGHUP ? 'y' : 'n';
      write(pp[1], &b, 1);
      _exit(0);
    }
    char b;
    read(pp[0], &b, 1);
    msleep(20);
    _exit(0);
  });
  waitpid(p, &s, 0);
  char b = '?';
  read(pp[0], &b, 1);
  printf("leader-death-hup: %c\n", b);
  p = SPAWN(setsid(); int t = open(name, O_RDWR | O_NOCTTY); (void)t; _exit(open("/dev/tty", O_RDWR) == -1 && errno == ENXIO));
  waitpid(p, &s, 0);
  S("noctty", status_name(s));
  return 0;
}
