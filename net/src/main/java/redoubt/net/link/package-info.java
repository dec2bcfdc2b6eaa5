/** Where frames come from and go to. Read {@link redoubt.net.link.Link} first. */
@NullMarked
package redoubt.net.link;

import org.jspecify.annotations.NullMarked;
