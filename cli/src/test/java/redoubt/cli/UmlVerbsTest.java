package redoubt.cli;

import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIf;

/** The verbs with {@code --kernel=uml}. */
@Timeout(300)
@EnabledIf(
    value = "redoubt.cli.Product#canRun",
    disabledReason = "no ./redoubt has been built (tools/dist), or the user is not root")
class UmlVerbsTest extends VerbsOfAKernel {
  UmlVerbsTest() {
    super("uml");
  }
}
