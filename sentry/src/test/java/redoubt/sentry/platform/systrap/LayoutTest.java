package redoubt.sentry.platform.systrap;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import redoubt.sentry.platform.GuestContext;

/** What Java and C say of the shared structures is the same: gcc is asked for every value. */
class LayoutTest {
  @TempDir Path directory;

  /** A C expression over layout.h for each constant of {@link Layout}. */
  private static Map<String, Long> expressions() {
    var m = new LinkedHashMap<String, Long>();
    m.put("REGION", Layout.REGION);
    m.put("REQUEST_VA", Layout.REQUEST_VA);
    m.put("REPLY_VA", Layout.REPLY_VA);
    m.put("CONTEXT_VA", Layout.CONTEXT_VA);
    m.put("TEXT_VA", Layout.TEXT_VA);
    m.put("CONTEXT_STRIDE", Layout.CONTEXT_STRIDE);
    m.put("CONTEXT_FP", (long) Layout.CONTEXT_FP);
    m.put("CONTEXT_STACK", (long) Layout.CONTEXT_STACK);
    m.put("CONTEXT_STACK_END", (long) Layout.CONTEXT_STACK_END);
    m.put("CONTEXT_WINDOW", (long) Layout.CONTEXT_WINDOW);
    m.put("CONTEXT_COPY", (long) Layout.CONTEXT_COPY);
    m.put("CONTEXT_QUEUE", (long) Layout.CONTEXT_QUEUE);
    m.put("CONTEXT_PREFETCH", (long) Layout.CONTEXT_PREFETCH);
    m.put("TURN_GONE", (long) Layout.TURN_GONE);
    m.put("TURN_SENTRY", (long) Layout.TURN_SENTRY);
    m.put("TURN_STUB", (long) Layout.TURN_STUB);
    m.put("TURN_DEAD", (long) Layout.TURN_DEAD);
    m.put("EVENT_DONE", (long) Layout.EVENT_DONE);
    m.put("EVENT_MASK", (long) Layout.EVENT_MASK);
    m.put("EVENT_PATCHED", (long) Layout.EVENT_PATCHED);
    m.put("EVENT_ARGUMENT_SHIFT", (long) Layout.EVENT_ARGUMENT_SHIFT);
    m.put("EVENT_INLINE_SHIFT", (long) Layout.EVENT_INLINE_SHIFT);
    m.put("EVENT_BYTES_SHIFT", (long) Layout.EVENT_BYTES_SHIFT);
    m.put("INLINE_FROM", (long) Layout.INLINE_FROM);
    m.put("CMD_RUN", (long) Layout.CMD_RUN);
    m.put("CMD_COPY_IN", (long) Layout.CMD_COPY_IN);
    m.put("CMD_COPY_OUT", (long) Layout.CMD_COPY_OUT);
    m.put("CMD_STRING", (long) Layout.CMD_STRING);
    m.put("CMD_CAS", (long) Layout.CMD_CAS);
    m.put("CMD_EXIT", (long) Layout.CMD_EXIT);
    m.put("CMD_FLUSH", (long) Layout.CMD_FLUSH);
    m.put("CMD_RETRAP", (long) Layout.CMD_RETRAP);
    m.put("CMD_RAX", (long) Layout.CMD_RAX);
    m.put("CMD_FIRST", (long) Layout.CMD_FIRST);
    m.put("QUEUE_LIMIT", (long) Layout.QUEUE_LIMIT);
    control(m);
    request(m);
    return m;
  }

  private static void control(Map<String, Long> m) {
    m.put("C(turn)", Layout.TURN);
    m.put("C(word)", Layout.WORD);
    m.put("C(call)", (long) Layout.CALL);
    m.put("sizeof ((struct control *)0)->call", (long) Layout.CALL_BYTES);
    m.put("C(call[1])", Layout.FIRST_GUEST);
    m.put("C(call[2])", Layout.FIRST_PLACE);
    m.put("C(call[3])", Layout.FIRST_DATA);
    m.put("C(interrupt) - C(call[3])", (long) Layout.FIRST_BYTES);
    m.put("C(interrupt)", Layout.INTERRUPT);
    m.put("C(spin)", Layout.SPIN);
    m.put("C(self)", Layout.SELF);
    m.put("C(entry)", Layout.ENTRY);
    m.put("C(patched)", Layout.PATCHED);
    m.put("C(fp_mask)", Layout.FP_MASK);
    m.put("C(sentry_sleeps)", Layout.SENTRY_SLEEPS);
    m.put("C(pauses)", Layout.PAUSES);
    m.put("C(fault_signal)", Layout.FAULT_SIGNAL);
    m.put("C(fault_code)", Layout.FAULT_CODE);
    m.put("C(fault_error)", Layout.FAULT_ERROR);
    m.put("C(fault_trap)", Layout.FAULT_TRAP);
    m.put("C(fault_address)", Layout.FAULT_ADDRESS);
    m.put("C(tid)", Layout.TID);
    m.put("C(stub_sleeps)", Layout.STUB_SLEEPS);
    m.put("C(regs)", Layout.REGS);
    m.put("C(fp_offset)", Layout.FP_OFFSET);
    m.put("C(fp_saved)", Layout.FP_SAVED);
    m.put("C(cpu)", Layout.CPU);
    m.put("C(queue)", Layout.QUEUE);
    m.put("C(fetched)", Layout.FETCHED);
    m.put("CONTROL_BESIDE", (long) Layout.BESIDE);
    m.put("CONTROL_BESIDE + BESIDE_BYTES", (long) Layout.ANSWERS);
    m.put("C(answers)", (long) Layout.ANSWERS);
    m.put("C(standing)", Layout.STANDING);
    m.put("C(delegated)", Layout.DELEGATED);
    m.put("VIEW_VA", Layout.VIEW_VA);
    m.put("VIEW_END", Layout.VIEW_END);
    m.put("C(views)", Layout.VIEWS);
    m.put("VIEWS", (long) Layout.VIEWS_COUNT);
    m.put("sizeof(struct view)", (long) Layout.VIEW_BYTES);
    m.put("C(statuses)", Layout.STATUSES);
    m.put("STATUSES", (long) Layout.STATUSES_COUNT);
    m.put("STATUS_BYTES", (long) Layout.STATUS_BYTES);
    m.put("STANDING_VIEW_SHIFT", (long) Layout.VIEW_SHIFT);
    m.put("STANDING_STATUS_SHIFT", (long) Layout.STATUS_SHIFT);
    m.put("STANDING_READS_VIEW", (long) GuestContext.READS_VIEW);
    m.put("STANDING_WRITES_VIEW", (long) GuestContext.WRITES_VIEW);
    m.put("STANDING_STATUS", (long) GuestContext.STATUS);
    m.put("STANDING_FDS", (long) GuestContext.STANDING_FDS);
    m.put("STANDING_READS_ZEROS", (long) GuestContext.READS_ZEROS);
    m.put("STANDING_READS_NOTHING", (long) GuestContext.READS_NOTHING);
    m.put("STANDING_DISCARDS", (long) GuestContext.DISCARDS);
    m.put("STANDING_NEVER_READY", (long) GuestContext.NEVER_READY);
    m.put("ANSWERS", (long) Layout.ANSWERS_COUNT);
    m.put("sizeof ((struct control *)0)->fetched / sizeof(struct queued)", 4L);
  }

  private static void request(Map<String, Long> m) {
    m.put("R(sequence)", Layout.SEQUENCE);
    m.put("R(count)", Layout.COUNT);
    m.put("R(sentry_sleeping)", Layout.SENTRY_SLEEPING);
    m.put("R(spin)", Layout.MAP_SPIN);
    m.put("R(ack)", Layout.ACK);
    m.put("R(failed)", Layout.FORK_FAILED);
    m.put("R(done)", Layout.BATCH_DONE);
    m.put("R(ops)", Layout.OPS);
    m.put("R(ops[1]) - R(ops[0])", Layout.OP_BYTES);
    m.put("R(ops[0].kind) - R(ops[0])", Layout.OP_KIND);
    m.put("R(ops[0].tag) - R(ops[0])", Layout.OP_TAG);
    m.put("sizeof ((struct request *)0)->ops / 64", (long) Layout.OPS_LIMIT);
    m.put("offsetof(struct reply, done)", Layout.DONE);
    m.put("offsetof(struct reply, sleeping)", Layout.MAP_SLEEPING);
    m.put("offsetof(struct reply, index)", Layout.INDEX);
    m.put("offsetof(struct reply, result)", Layout.REPLY_RESULT);
    m.put("KIND_GUEST", (long) Layout.KIND_GUEST);
    m.put("KIND_STUB", (long) Layout.KIND_STUB);
    m.put("KIND_THREAD", (long) Layout.KIND_THREAD);
    m.put("KIND_FORK", (long) Layout.KIND_FORK);
    m.put("KIND_EXPECT", (long) Layout.KIND_EXPECT);
    m.put("sizeof(struct message)", (long) Layout.MSG_BYTES);
  }

  @Test
  void shouldAgreeWithC() throws Exception {
    Map<String, Long> expected = expressions();
    Map<String, Long> actual = new TreeMap<>();
    for (String line : ask(expected.keySet()).lines().toList()) {
      int tab = line.indexOf('\t');
      actual.put(line.substring(0, tab), Long.parseLong(line.substring(tab + 1)));
    }
    assertEquals(new TreeMap<>(expected), actual);
  }

  /** {@return a line with a tab between each expression and its value} */
  private String ask(Iterable<String> expressions) throws IOException, InterruptedException {
    var c = new StringBuilder("#include <stddef.h>\n#include <stdio.h>\n#include \"layout.h\"\n");
    c.append(
        "#define C(f) offsetof(struct control, f)\n#define R(f) offsetof(struct request, f)\n");
    c.append("int main(void) {\n");
    for (String e : expressions) {
      c.append("  printf(\"%s\\t%ld\\n\", \"")
          .append(e)
          .append("\", (long)(")
          .append(e)
          .append("));\n");
    }
    Path source = directory.resolve("layout.c");
    Files.writeString(source, c.append("}\n").toString());
    Path program = directory.resolve("layout");
    Path headers = Path.of(System.getProperty("redoubt.root", "..")).resolve("native/keeper");
    run("gcc", "-w", "-I" + headers, "-o", program.toString(), source.toString());
    return run(program.toString());
  }

  private static String run(String... command) throws IOException, InterruptedException {
    Process p = new ProcessBuilder(command).redirectErrorStream(true).start();
    String out = new String(p.getInputStream().readAllBytes());
    assertTrue(p.waitFor() == 0, out);
    return out;
  }
}
