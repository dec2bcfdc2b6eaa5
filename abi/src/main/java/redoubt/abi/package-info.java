/**
 * Linux's numbers for x86-64: one class per header or topic, constants named as in the headers. No
 * behaviour lives here, and every other module may use it.
 */
@NullMarked
package redoubt.abi;

import org.jspecify.annotations.NullMarked;
