package redoubt.sentry.syscalls;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.StringReader;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import redoubt.abi.Errno;
import redoubt.abi.Nr;
import redoubt.sentry.syscalls.SyscallTable.Arg;
import redoubt.sentry.syscalls.SyscallTable.Count;
import redoubt.sentry.syscalls.SyscallTable.Direction;
import redoubt.sentry.syscalls.SyscallTable.Entry;
import redoubt.sentry.syscalls.SyscallTable.Level;

class SyscallTableTest {
  private static final SyscallTable TABLE = SyscallTable.get();

  @Test
  void shouldNameEveryNumberAsTheAbiDoes() throws IllegalAccessException {
    for (Field f : Nr.class.getFields()) {
      if (f.getType() == int.class && !f.getName().equals("LIMIT")) {
        assertEquals(f.getName().toLowerCase(Locale.ROOT), TABLE.name(f.getInt(null)));
      }
    }
  }

  @Test
  void shouldHaveALineForEveryNumberOfLinux() {
    for (int nr = 0; nr < Nr.LIMIT; nr++) {
      boolean gap = nr >= 336 && nr < 424;
      assertEquals(gap, TABLE.entry(nr) == null, "number " + nr);
    }
    assertNull(TABLE.entry(-1));
    assertNull(TABLE.entry(1L << 32));
    assertEquals("syscall_400", TABLE.name(400));
  }

  @Test
  void shouldParseArgumentsAndResults() {
    Entry write = TABLE.byName("write");
    assertNotNull(write);
    Arg.Pointer buffer = (Arg.Pointer) write.args().get(1);
    assertEquals(Direction.IN, buffer.direction());
    assertEquals("buf", buffer.type().name());
    assertEquals(new Count.Argument(2), buffer.count());
    assertEquals("size", write.result());
    Entry accept = TABLE.byName("accept");
    assertNotNull(accept);
    assertEquals(new Count.Behind(2), ((Arg.Pointer) accept.args().get(1)).count());
  }

  @Test
  void shouldSayWhyWhenACallIsNeverSupported() {
    for (Entry e : TABLE.all()) {
      if (e.level() == Level.NEVER || e.level() == Level.PARTIAL) {
        assertFalse(e.note().isEmpty(), e.name());
      }
    }
    Entry uselib = TABLE.byName("uselib");
    assertNotNull(uselib);
    assertEquals(Errno.ENOSYS, uselib.errno());
  }

  @Test
  void shouldGiveStructsTheSizesOfTheAbi() throws ReflectiveOperationException {
    Map<String, String> sizes =
        Map.ofEntries(
            Map.entry("stat", "Stat"),
            Map.entry("statx", "Stat"),
            Map.entry("statfs", "Stat"),
            Map.entry("timespec", "Time"),
            Map.entry("timeval", "Time"),
            Map.entry("timezone", "Time"),
            Map.entry("itimerval", "Time"),
            Map.entry("itimerspec", "Time"),
            Map.entry("utimbuf", "Time"),
            Map.entry("timex", "Time"),
            Map.entry("tms", "Time"),
            Map.entry("rlimit", "Resource"),
            Map.entry("rusage", "Resource"),
            Map.entry("sysinfo", "Utsname"),
            Map.entry("utsname", "Utsname"),
            Map.entry("sigaction", "Signal"),
            Map.entry("siginfo", "Signal"),
            Map.entry("sigevent", "Signal"),
            Map.entry("stack", "Signal"),
            Map.entry("pollfd", "Poll"),
            Map.entry("epoll_event", "Epoll"),
            Map.entry("iovec", "Socket"),
            Map.entry("mmsghdr", "Socket"),
            Map.entry("open_how", "Fcntl"),
            Map.entry("file_handle", "Fcntl"),
            Map.entry("clone_args", "Sched"),
            Map.entry("sched_attr", "Sched"),
            Map.entry("cap_header", "Caps"),
            Map.entry("futex_waitv", "Futexes"),
            Map.entry("robust_list_head", "Futexes"),
            Map.entry("sembuf", "Ipc"),
            Map.entry("mq_attr", "Ipc"),
            Map.entry("mount_attr", "Mount"),
            Map.entry("rseq", "Rseq"),
            Map.entry("io_event", "Misc"));
    int found = 0;
    for (Entry e : TABLE.all()) {
      for (Arg a : e.args()) {
        if (a instanceof Arg.Pointer p && sizes.containsKey(p.type().name())) {
          Class<?> c = Class.forName("redoubt.abi." + sizes.get(p.type().name()));
          Field f = c.getField("SIZEOF_" + p.type().name().toUpperCase(Locale.ROOT));
          assertEquals(f.getInt(null), p.type().bytes(), p.type().name());
          found++;
        }
      }
    }
    assertTrue(found > 60, "only " + found);
  }

  @Test
  void shouldNameTheLineWhenItIsMalformed() {
    for (String line :
        List.of(
            "0 read none in(nothing,a1)",
            "0 read perhaps fd",
            "0 read never fd",
            "0 read none:EIO fd",
            "0 read never:ENOTHING fd",
            "0 read none in(buf,b1)",
            "9999 read none",
            "0 read none int int int int int int int",
            "0")) {
      var e =
          assertThrows(
              IllegalArgumentException.class,
              () -> SyscallTable.parse(new BufferedReader(new StringReader("# x\n" + line))),
              line);
      assertTrue(String.valueOf(e.getMessage()).contains("line 2"), e.getMessage());
    }
  }

  @Test
  void shouldMatchTheCommittedPage() throws IOException {
    StringBuilder page = new StringBuilder();
    SyscallDocs.print("markdown", page);
    Path committed = Path.of(System.getProperty("redoubt.root"), "docs/syscalls/table.md");
    assertEquals(Files.readString(committed), page.toString(), "docs/syscalls/README.md says how");
  }

  @Test
  void shouldPrintEveryCallInEachFormat() throws IOException {
    int calls = TABLE.all().size();
    StringBuilder text = new StringBuilder();
    SyscallDocs.print("text", text);
    assertEquals(calls + 3, text.toString().lines().count());
    StringBuilder csv = new StringBuilder();
    SyscallDocs.print("csv", csv);
    assertEquals(calls + 1, csv.toString().lines().count());
    StringBuilder json = new StringBuilder();
    SyscallDocs.print("json", json);
    assertTrue(json.toString().contains("{\"number\": 134, \"name\": \"uselib\""));
    assertThrows(IllegalArgumentException.class, () -> SyscallDocs.print("xml", text));
  }
}
