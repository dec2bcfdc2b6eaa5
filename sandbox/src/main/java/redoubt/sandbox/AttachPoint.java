package redoubt.sandbox;

import redoubt.host.Fd;

/**
 * A directory or file of the host that the gofer serves.
 *
 * @param name what Tattach's aname says
 * @param fd O_PATH descriptor
 */
public record AttachPoint(String name, Fd fd, boolean readonly) {}
