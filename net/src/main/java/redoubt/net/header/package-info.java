/**
 * Header fields as static functions over byte arrays. Nothing here decides anything; a caller
 * checks lengths before it reads.
 */
@NullMarked
package redoubt.net.header;

import org.jspecify.annotations.NullMarked;
