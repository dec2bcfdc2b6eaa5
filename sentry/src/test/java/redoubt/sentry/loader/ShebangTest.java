package redoubt.sentry.loader;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import redoubt.abi.Errno;

class ShebangTest {
  private static Shebang parse(String text) {
    byte[] b = text.getBytes(StandardCharsets.ISO_8859_1);
    assertTrue(Shebang.isScript(b, b.length));
    return Shebang.parse(b, b.length);
  }

  private static void assertNoExec(String text) {
    assertEquals(Errno.ENOEXEC, assertThrows(ExecException.class, () -> parse(text), text).errno());
  }

  @Test
  void shouldFindInterpreterAndArgument() {
    assertEquals(new Shebang("/bin/sh", null), parse("#!/bin/sh\necho\n"));
    assertEquals(new Shebang("/bin/sh", null), parse("#! \t/bin/sh \t \n"));
    assertEquals(new Shebang("/bin/sh", null), parse("#!/bin/sh"));
    assertEquals(new Shebang("/usr/bin/env", "a b"), parse("#!/usr/bin/env  a b \n"));
    assertEquals(new Shebang("/bin/sh", "-e"), parse("#!/bin/sh -e"));
    assertEquals(new Shebang("/bin/sh", "-e\r"), parse("#!/bin/sh -e\r\n"));
  }

  @Test
  void shouldRefuseALineWithoutInterpreter() {
    assertNoExec("#!\n");
    assertNoExec("#! \t \n/bin/sh\n");
    assertNoExec("#!" + " ".repeat(300));
  }

  @Test
  void shouldCutTheArgumentButNotThePathAt256Bytes() {
    Shebang s = parse("#!/bin/sh " + "a".repeat(300) + "\n");
    assertEquals("a".repeat(245), s.argument());
    assertNoExec("#!/" + "a".repeat(300) + "\n");
    assertNull(parse("#!/" + "a".repeat(252) + " b\n").argument());
  }

  @Test
  void shouldEndStringsAtNul() {
    assertEquals(new Shebang("/bin/sh", null), parse("#!/bin/sh\0x y\n"));
    assertEquals(new Shebang("/bin/sh", "x"), parse("#!/bin/sh x\0y\n"));
  }

  /** Each line was tried on Linux 6.18. */
  @Test
  void shouldDoAsLinuxWithOddLines() {
    assertEquals(new Shebang("/bin/sh", "arg  "), parse("#!/bin/sh arg  "));
    assertEquals(new Shebang("/bin/sh", ""), parse("#!/bin/sh  "));
    assertNoExec("#!" + " ".repeat(247) + "/bin/sh q\n");
    assertEquals(new Shebang("/bin/sh", null), parse("#!" + " ".repeat(246) + "/bin/sh q\n"));
    for (String empty : new String[] {"#!", "#! ", "#!\0\n"}) {
      assertEquals(Errno.EACCES, assertThrows(ExecException.class, () -> parse(empty)).errno());
    }
  }

  @Test
  void shouldKnowScriptsByTwoBytes() {
    assertFalse(Shebang.isScript(new byte[] {'#'}, 1));
    assertFalse(Shebang.isScript(new byte[] {'#', ' '}, 2));
  }
}
