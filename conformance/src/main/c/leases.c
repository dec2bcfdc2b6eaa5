/* fcntl(2): leases and their breaking, owners and signals of files, F_NOTIFY. */
#include "conf.h"
#include <sys/prctl.h>
#include <sys/socket.h>

#define WAIT_MS 3000

static volatile sig_atomic_t got, got_code, got_fd;
static volatile long got_band;

static void on_signal(int s, siginfo_t *i, void *c) {
  got = s;
  got_code = i->si_code;
  got_fd = i->si_fd;
  got_band = i->si_band;
}

static void catch(int s) {
  struct sigaction a = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(s, &a, NULL);
  got = got_code = got_fd = got_band = 0;
}

static int await(void) {
  for (int i = 0; i < WAIT_MS / 5 && !got; i++) msleep(5);
  int s = got;
  got = 0;
  return s;
}

static const char *lease(int fd) {
  int r = fcntl(fd, F_GETLEASE);
  return r == F_RDLCK ? "read" : r == F_WRLCK ? "write" : r == F_UNLCK ? "none" : err_name(errno);
}

static void taking(void) {
  put_file("f", "text");
  int rd = open("f", O_RDONLY), dir = open(".", O_RDONLY), p[2];
  pipe(p);
  S("none", lease(rd));
  R("bad type", fcntl(rd, F_SETLEASE, 7));
  R("unlock none", fcntl(rd, F_SETLEASE, F_UNLCK));
  R("directory", fcntl(dir, F_SETLEASE, F_RDLCK));
  R("pipe", fcntl(p[0], F_SETLEASE, F_RDLCK));
  R("read", fcntl(rd, F_SETLEASE, F_RDLCK));
  S("is read", lease(rd));
  R("read again", fcntl(rd, F_SETLEASE, F_RDLCK));
  V("owner", fcntl(rd, F_GETOWN) == getpid());
  int two = open("f", O_RDONLY);
  S("other description", lease(two));
  R("two read leases", fcntl(two, F_SETLEASE, F_RDLCK));
  R("write beside read", fcntl(two, F_SETLEASE, F_WRLCK));
  R("unlock", fcntl(two, F_SETLEASE, F_UNLCK));
  R("unlock again", fcntl(two, F_SETLEASE, F_UNLCK));
  R("write with two readers", fcntl(rd, F_SETLEASE, F_WRLCK));
  close(two);
  R("write alone", fcntl(rd, F_SETLEASE, F_WRLCK));
  S("is write", lease(rd));
  int d = dup(rd);
  S("shared by dup", lease(d));
  close(d);
  S("not gone with the duplicate", lease(rd));
  close(rd);
  int wr = open("f", O_RDWR);
  R("read with a writer", fcntl(wr, F_SETLEASE, F_RDLCK));
  R("write by the writer", fcntl(wr, F_SETLEASE, F_WRLCK));
  close(wr);
  CHILD("as another user", {
    setuid(1000);
    int fd = open("f", O_RDONLY);
    R("of another's file", fcntl(fd, F_SETLEASE, F_RDLCK));
  });
}

/* A child opens; the parent holds a lease. */
static void breaking(void) {
  int rd = open("f", O_RDONLY);
  catch(SIGIO);
  R("lease", fcntl(rd, F_SETLEASE, F_RDLCK));
  R("reader passes", open("f", O_RDONLY | O_NONBLOCK) < 0 ? -1 : 0);
  R("writer is told", open("f", O_WRONLY | O_NONBLOCK));
  S("signal", sig_name(await()));
  S("wanted", lease(rd));
  R("writer again", open("f", O_WRONLY | O_NONBLOCK));
  V("no second signal", got);
  R("O_PATH passes", open("f", O_PATH) < 0 ? -1 : 0);
  pid_t p = SPAWN(int fd = open("f", O_WRONLY); _exit(fd < 0 ? errno : 50));
  msleep(100);
  T("writer waits", waitpid(p, NULL, WNOHANG) == 0);
  R("give up", fcntl(rd, F_SETLEASE, F_UNLCK));
  int status = 0;
  waitpid(p, &status, 0);
  S("writer goes on", status_name(status));
  close(rd);
  rd = open("f", O_RDONLY);
  for (int fd = rd + 1; fd < 64; fd++) close(fd);
  R("write lease", fcntl(rd, F_SETLEASE, F_WRLCK));
  catch(SIGIO);
  p = SPAWN(int fd = open("f", O_RDONLY); _exit(fd < 0 ? errno : 51));
  S("signal for a reader", sig_name(await()));
  S("wanted for a reader", lease(rd));
  R("downgrade", fcntl(rd, F_SETLEASE, F_RDLCK));
  waitpid(p, &status, 0);
  S("reader goes on", status_name(status));
  S("is a read lease", lease(rd));
  p = SPAWN(close(rd); _exit(truncate("f", 2) < 0 ? errno : 52));
  S("signal for truncate", sig_name(await()));
  close(rd);
  waitpid(p, &status, 0);
  S("truncate goes on after close", status_name(status));
  rd = open("f", O_RDONLY);
  R("F_SETSIG", fcntl(rd, F_SETSIG, SIGRTMIN + 1));
  V("F_GETSIG", fcntl(rd, F_GETSIG) - SIGRTMIN);
  catch(SIGRTMIN + 1);
  fcntl(rd, F_SETLEASE, F_RDLCK);
  R("told with a signal of its own", open("f", O_RDWR | O_NONBLOCK));
  V("real-time signal", await() - SIGRTMIN);
  V("si_code", got_code);
  T("si_fd", got_fd == rd);
  H("si_band", got_band);
  catch(SIGALRM);
  p = SPAWN(siginterrupt(SIGALRM, 1); alarm(1); int fd = open("f", O_WRONLY); _exit(fd < 0 ? errno : 53));
  waitpid(p, &status, 0);
  V("a waiting open is interrupted", WEXITSTATUS(status) == EINTR);
  close(rd);
}

static void timing(void) {
  const char *file = "/proc/sys/fs/lease-break-time";
  char old[32];
  snprintf(old, sizeof old, "%s", get_file(file));
  T("break time is a number", atoi(old) > 0);
  int fd = open(file, O_WRONLY);
  write(fd, "1\n", 2);
  close(fd);
  int rd = open("f", O_RDONLY);
  catch(SIGIO);
  fcntl(rd, F_SETLEASE, F_RDLCK);
  long begin = now_ms();
  int wr = open("f", O_WRONLY);
  long ms = now_ms() - begin;
  T("the break is enforced", wr >= 0);
  T("after a second", ms > 800 && ms < 4000);
  S("and the lease gone", lease(rd));
  fd = open(file, O_WRONLY);
  write(fd, old, strlen(old));
  close(fd);
  close(rd);
  close(wr);
}

static void owners(void) {
  int p[2];
  pipe(p);
  V("no owner", fcntl(p[0], F_GETOWN));
  R("F_SETOWN", fcntl(p[0], F_SETOWN, getpid()));
  T("F_GETOWN", fcntl(p[0], F_GETOWN) == getpid());
  R("F_SETOWN group", fcntl(p[0], F_SETOWN, -getpgrp()));
  T("F_GETOWN group", fcntl(p[0], F_GETOWN) == -getpgrp());
  R("F_SETOWN nobody", fcntl(p[0], F_SETOWN, 3999999));
  struct f_owner_ex o = {F_OWNER_TID, syscall(SYS_gettid)};
  R("F_SETOWN_EX", fcntl(p[0], F_SETOWN_EX, &o));
  o.type = 77;
  R("F_GETOWN_EX", fcntl(p[0], F_GETOWN_EX, &o));
  V("type", o.type);
  T("pid", o.pid == syscall(SYS_gettid));
  o.type = 9;
  R("F_SETOWN_EX bad", fcntl(p[0], F_SETOWN_EX, &o));
  R("F_SETOWN 0", fcntl(p[0], F_SETOWN, 0));
  V("none again", fcntl(p[0], F_GETOWN));
}

static void async(const char *name, int fds[2]) {
  char what[64], b[8];
  catch(SIGRTMIN + 3);
  fcntl(fds[0], F_SETOWN, getpid());
  fcntl(fds[0], F_SETSIG, SIGRTMIN + 3);
  snprintf(what, sizeof what, "O_ASYNC on %s", name);
  R(what, fcntl(fds[0], F_SETFL, O_ASYNC | O_NONBLOCK | (fcntl(fds[0], F_GETFL) & O_ACCMODE)));
  write(fds[1], "x", 1);
  snprintf(what, sizeof what, "%s signal", name);
  V(what, await() - SIGRTMIN);
  snprintf(what, sizeof what, "%s si_code", name);
  V(what, got_code);
  snprintf(what, sizeof what, "%s si_band", name);
  H(what, got_band);
  snprintf(what, sizeof what, "%s si_fd", name);
  T(what, got_fd == fds[0]);
  read(fds[0], b, 8);
  msleep(20);
  got = 0;
  fcntl(fds[0], F_SETFL, O_NONBLOCK);
  write(fds[1], "x", 1);
  msleep(50);
  snprintf(what, sizeof what, "%s none without O_ASYNC", name);
  V(what, got);
  close(fds[0]);
  close(fds[1]);
}

static void asyncs(void) {
  int p[2];
  pipe(p);
  async("pipe", p);
  socketpair(AF_UNIX, SOCK_STREAM, 0, p);
  async("socket", p);
}

static void notify(void) {
  mkdir("d", 0755);
  int d = open("d", O_RDONLY), f = open("f", O_RDONLY);
  catch(SIGIO);
  R("of a file", fcntl(f, F_NOTIFY, DN_CREATE));
  R("nothing", fcntl(d, F_NOTIFY, 0));
  R("F_NOTIFY", fcntl(d, F_NOTIFY, DN_CREATE | DN_DELETE));
  put_file("d/x", "1");
  S("create", sig_name(await()));
  put_file("d/y", "1");
  msleep(50);
  V("once only", got);
  R("many times", fcntl(d, F_NOTIFY, DN_CREATE | DN_DELETE | DN_MODIFY | DN_ATTRIB | DN_RENAME | DN_MULTISHOT));
  unlink("d/y");
  S("delete", sig_name(await()));
  chmod("d/x", 0600);
  S("attributes", sig_name(await()));
  fcntl(d, F_SETSIG, SIGRTMIN + 2);
  catch(SIGRTMIN + 2);
  put_file("d/x", "22");
  V("modify", await() - SIGRTMIN);
  T("si_fd", got_fd == d);
  msleep(50);
  got = 0;
  rename("d/x", "d/z");
  V("rename", await() - SIGRTMIN);
  msleep(50);
  got = 0;
  fcntl(d, F_NOTIFY, 0);
  put_file("d/w", "1");
  msleep(50);
  V("none after 0", got);
  close(d);
}

int main(void) {
  taking();
  breaking();
  timing();
  owners();
  asyncs();
  notify();
  return 0;
}
