/**
 * The kernel written in Java: tasks, memory, files and system calls over an exchangeable platform.
 */
module redoubt.sentry {
  requires transitive redoubt.abi;
  requires transitive redoubt.host;
  requires redoubt.net;
  requires redoubt.p9;
  requires static org.jspecify;
  requires static com.google.errorprone.annotations;

  exports redoubt.sentry.control;
  exports redoubt.sentry.fs;
  exports redoubt.sentry.kernel;
  exports redoubt.sentry.mm;
  exports redoubt.sentry.platform;
  exports redoubt.sentry.vfs;
}
