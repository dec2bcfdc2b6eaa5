package redoubt.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import redoubt.abi.Errno;

class LandlockTest {
  private static String open(String path, int flags) {
    try (Arena arena = Arena.ofConfined()) {
      long fd = FileSystemCalls.openat(-100, Memory.cString(arena, path).address(), flags, 0600);
      if (fd < 0) {
        return Errno.name((int) -fd);
      }
      FileSystemCalls.close((int) fd);
      return "open";
    }
  }

  /** Landlock binds a thread and its children for ever: so a thread of its own. */
  @Test
  void shouldForbidAllButWhatIsAllowed() throws Exception {
    int abi = Landlock.abi();
    assumeTrue(abi >= 2, "the host has no Landlock");
    Path inside = Files.createTempDirectory("landlock");
    Files.writeString(inside.resolve("f"), "x");
    Path readable = Files.createTempDirectory("landlock-ro");
    Files.writeString(readable.resolve("f"), "x");
    Errno.name(1); // Loads the class while that is allowed.
    StringBuilder said = new StringBuilder();
    Thread thread =
        new Thread(() -> {
          try (Landlock rules = Landlock.forbidAll(abi);
              Fd rw = dir(inside);
              Fd ro = dir(readable)) {
            rules.allowBeneath(rw.number(), true, true);
            rules.allowBeneath(ro.number(), true, false);
            rules.enforce();
          }
          said.append(open("/etc/passwd", 0)).append(' ');
          said.append(open("/etc/passwd", 0x200000)).append(' ');
          said.append(open(inside + "/f", 2)).append(' ');
          said.append(open(inside + "/new", 0x42)).append(' ');
          said.append(open(readable + "/f", 0)).append(' ');
          said.append(open(readable + "/f", 1)).append(' ');
          said.append(open(readable + "/new", 0x42));
        });
    thread.start();
    thread.join();
    assertEquals("EACCES open open open open EACCES EACCES", said.toString());
    assertEquals("open", open("/etc/passwd", 0));
    Files.delete(inside.resolve("f"));
    Files.delete(inside.resolve("new"));
    Files.delete(inside);
    Files.delete(readable.resolve("f"));
    Files.delete(readable);
  }

  private static Fd dir(Path path) {
    try (Arena arena = Arena.ofConfined()) {
      return new Fd(
          (int)
              HostException.check(
                  "open",
                  FileSystemCalls.openat(
                      -100, Memory.cString(arena, path.toString()).address(), 0x200000, 0)));
    }
  }
}
