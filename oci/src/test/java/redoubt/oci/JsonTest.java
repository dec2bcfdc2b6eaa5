package redoubt.oci;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "[]",
        "\"\"",
        "0",
        "-0",
        "1.5e-3",
        "18446744073709551615",
        "true",
        "false",
        "null",
        "{\"a\":[1,{\"b\":null}],\"c\":\"d\"}",
        "\"\\u0000\\n\\t\\\\\\\"\"",
        "[[[[]]]]"
      })
  void shouldWriteWhatItRead(String text) {
    assertEquals(text, Json.parse(text).compact());
  }

  @Test
  void shouldReadWhatItIndented() {
    Json json = Json.parse("{\"a\":[1,2,{\"b\":\"\\u00e9\"}],\"c\":{}}");
    assertEquals(json.compact(), Json.parse(json.indented(2)).compact());
  }

  @Test
  void shouldKeepTheOrderOfMembers() {
    assertEquals("{\"z\":1,\"a\":2}", Json.parse(" { \"z\" : 1 , \"a\" : 2 } ").compact());
  }

  @Test
  void shouldDecodeEscapes() {
    assertEquals(
        new Json.Str("a/\b\f\r\u20ac\ud83d\ude00"),
        Json.parse("\"a\\/\\b\\f\\r\\u20ac\\ud83d\\ude00\""));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "{                | line 1, column 2: expected a member's name in quotes, found the end of the text",
        "{\"a\" 1}        | line 1, column 6: expected ':' after the member's name, found '1'",
        "{\"a\":1,}       | line 1, column 8: expected a member's name in quotes, found '}'",
        "[1 2]            | line 1, column 4: expected ',' or ']' in an array, found '2'",
        "{\"a\":1,\"a\":2}| line 1, column 8: member \"a\" is given twice",
        "\"abc            | line 1, column 1: string without an end",
        "01               | line 1, column 2: a number may not begin with 0",
        "1.               | line 1, column 3: expected a digit, found the end of the text",
        "tru              | line 1, column 1: expected a value, found 't'",
        "1 1              | line 1, column 3: expected the end of the text, found '1'",
        "\"\\x\"          | line 1, column 3: unknown escape \\x",
        "'a'              | line 1, column 1: expected a value, found '''",
      })
  void shouldSayWhereAMistakeIs(String text, String message) {
    var e = assertThrows(JsonException.class, () -> Json.parse(text));
    assertEquals(message, e.getMessage());
  }

  @Test
  void shouldCountLines() {
    var e = assertThrows(JsonException.class, () -> Json.parse("{\n  \"a\": 1,\n  b\n}"));
    assertTrue(e.getMessage().startsWith("line 3, column 3:"), e.getMessage());
  }

  @Test
  void shouldRefuseDeepNesting() {
    String deep = "[".repeat(100_000);
    var e = assertThrows(JsonException.class, () -> Json.parse(deep));
    assertTrue(e.getMessage().contains("nested more than 100 deep"), e.getMessage());
  }

  @Test
  void shouldSurviveDamagedText() {
    String good = "{\"a\":[1,-2.5e3,true,null,\"x\\u0041\\n\"],\"b\":{\"c\":\"d\"}}";
    var random = new Random(7);
    for (int i = 0; i < 20_000; i++) {
      var text = new StringBuilder(good);
      for (int j = random.nextInt(3); j >= 0; j--) {
        text.setCharAt(random.nextInt(text.length()), (char) random.nextInt(0x100));
      }
      try {
        Json json = Json.parse(text.substring(random.nextInt(2)));
        assertInstanceOf(Json.class, Json.parse(json.compact()));
      } catch (JsonException e) {
        assertTrue(e.getMessage().startsWith("line "));
      }
    }
  }
}
