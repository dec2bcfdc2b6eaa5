/** Sandboxes as the command line and the shim see them, whatever kernel is inside. */
module redoubt.sandbox {
  requires transitive redoubt.host;
  requires transitive redoubt.oci;
  requires redoubt.p9;
  requires transitive redoubt.sentry;
  requires static org.jspecify;
  requires static com.google.errorprone.annotations;

  exports redoubt.sandbox;
  exports redoubt.sandbox.guest;
}
