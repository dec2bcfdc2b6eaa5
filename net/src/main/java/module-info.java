/** A TCP/IP stack that knows nothing of tasks or file descriptors. */
module redoubt.net {
  requires transitive redoubt.abi;
  requires transitive redoubt.host;
  requires static org.jspecify;
  requires static com.google.errorprone.annotations;

  exports redoubt.net.buffer;
  exports redoubt.net.header;
  exports redoubt.net.link;
  exports redoubt.net.network;
  exports redoubt.net.stack;
  exports redoubt.net.transport;
  exports redoubt.net.transport.tcp;
}
