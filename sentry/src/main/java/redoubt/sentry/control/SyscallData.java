package redoubt.sentry.control;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** The kernel's table of system calls as text, for the command line's help. */
public final class SyscallData {
  private SyscallData() {}

  /** {@return the content of {@code syscalls.tbl}} Its first lines explain its form. */
  public static String text() {
    try (InputStream in = SyscallData.class.getResourceAsStream("/redoubt/sentry/syscalls.tbl")) {
      return in == null ? "" : new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
