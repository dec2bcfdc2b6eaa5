/** The redoubt command: one class per verb. */
module redoubt.cli {
  requires redoubt.host;
  requires redoubt.oci;
  requires redoubt.sandbox;
  requires redoubt.sentry;
  requires redoubt.gofer;
  requires static org.jspecify;
  requires static com.google.errorprone.annotations;
}
