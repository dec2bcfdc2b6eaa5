/** The OCI runtime specification as records: bundles, state, features. No Linux calls. */
module redoubt.oci {
  requires transitive redoubt.abi;
  requires static org.jspecify;
  requires static com.google.errorprone.annotations;

  exports redoubt.oci;
}
