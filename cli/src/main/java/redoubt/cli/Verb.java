package redoubt.cli;

/** One command of redoubt. A new object for each command line. */
interface Verb {
  /** {@return the words after the verb, as {@code ID [SIGNAL]}} */
  String arguments();

  /** {@return one sentence} */
  String summary();

  /** {@return lines of examples, or an empty string} */
  default String examples() {
    return "";
  }

  /** Adds the verb's flags. */
  default void declare(Flags flags) {}

  /** {@return whether flags may follow the first argument} */
  default boolean interleaved() {
    return true;
  }

  /** {@return the exit code} */
  int run(Context context, Flags flags);
}
