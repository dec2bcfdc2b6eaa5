/** The gofer: the process that opens files for a sandbox, and the only one that can. */
module redoubt.gofer {
  requires transitive redoubt.p9;
  requires static org.jspecify;
  requires static com.google.errorprone.annotations;

  exports redoubt.gofer;
}
