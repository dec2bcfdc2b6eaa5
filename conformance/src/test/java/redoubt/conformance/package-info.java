/**
 * The same programs on Linux and in the sandbox: {@code conformance/run} compares their outputs.
 */
@NullMarked
package redoubt.conformance;

import org.jspecify.annotations.NullMarked;
