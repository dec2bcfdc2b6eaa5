/** 9P2000.L messages and codec with donation of file descriptors, shared by gofer and sentry. */
module redoubt.p9 {
  requires transitive redoubt.abi;
  requires transitive redoubt.host;
  requires static org.jspecify;
  requires static com.google.errorprone.annotations;

  exports redoubt.p9;
}
