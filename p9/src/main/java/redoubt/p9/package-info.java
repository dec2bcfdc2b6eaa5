/** 9P2000.L. */
@NullMarked
package redoubt.p9;

import org.jspecify.annotations.NullMarked;
