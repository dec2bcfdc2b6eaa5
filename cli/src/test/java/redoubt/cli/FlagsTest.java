package redoubt.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

final class FlagsTest {
  private static Flags parse(String... words) {
    var flags = new Flags().flag("batch|b", "a switch").value("count|n", "N", "a number");
    flags.parse(List.of(words), 0, true);
    return flags;
  }

  @Test
  void shouldTakeAValueRightBehindALetter() {
    Flags flags = parse("-b", "-n1", "c1");
    assertEquals(1, flags.number("count", 0));
    assertTrue(flags.is("batch"));
    assertEquals(List.of("c1"), flags.rest());
  }

  @Test
  void shouldTakeAValueInTheNextWordOrAfterAnEqualsSign() {
    assertEquals(2, parse("-n", "2").number("count", 0));
    assertEquals(3, parse("--count=3").number("count", 0));
    assertEquals(4, parse("-n=4").number("count", 0));
  }

  @Test
  void shouldRefuseWhatItDoesNotKnow() {
    assertFalse(parse().is("batch"));
    assertThrows(UsageException.class, () -> parse("-bx"));
    assertThrows(UsageException.class, () -> parse("--n1"));
    assertThrows(UsageException.class, () -> parse("-n"));
  }
}
