/**
 * The OCI runtime specification as data: {@link redoubt.oci.Json} reads and writes, {@link
 * redoubt.oci.Spec} is a validated {@code config.json}. Nothing here touches the host; there are no
 * locks. Read {@link redoubt.oci.Spec} first.
 */
@NullMarked
package redoubt.oci;

import org.jspecify.annotations.NullMarked;
