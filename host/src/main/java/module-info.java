/** The only module with native access: the host's system calls, memory and descriptors. */
module redoubt.host {
  requires transitive redoubt.abi;
  requires static org.jspecify;
  requires static com.google.errorprone.annotations;

  exports redoubt.host;
}
