package redoubt.sandbox;

import java.io.File;
import java.util.ArrayList;
import java.util.List;
import redoubt.host.HostFiles;

/**
 * Where this product's parts are, and how its JVMs are started.
 *
 * @param javaHome the JDK
 * @param modulePath entries of the module path
 * @param nativeDirectory directory of libredoubthost.so, launcher and keeper
 * @param cacheDirectory directory of the AOT caches, or empty
 * @param sentryMain module and main class of the sentry
 */
public record Installation(
    String javaHome,
    List<String> modulePath,
    String nativeDirectory,
    String cacheDirectory,
    String sentryMain) {
  /** Gives back what the compilers took: 6 MB of 23 in a gofer, for 0.01 % of a core. */
  private static final String TRIM = "-XX:TrimNativeHeapInterval=5000";

  private static final List<String> LIBRARY_DIRECTORIES =
      List.of("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64");

  /** What java, libjvm and libjava are linked with. */
  private static final List<String> LIBRARIES =
      List.of("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libz.so.1");

  private static final String LOADER = "/lib64/ld-linux-x86-64.so.2";

  /** {@return the installation that this JVM runs from} */
  public static Installation current() {
    return new Installation(
        property("java.home"),
        List.of(property("jdk.module.path").split(":")),
        property("redoubt.native"),
        System.getProperty("redoubt.aot", ""),
        System.getProperty("redoubt.sentry", "redoubt.sentry/redoubt.sentry.boot.SentryMain"));
  }

  private static String property(String name) {
    String value = System.getProperty(name);
    if (value == null || value.isEmpty()) {
      throw new SandboxException(
          "system property " + name + " is not set; start redoubt by its script ./redoubt");
    }
    return value;
  }

  /**
   * {@return whether this run only makes the AOT caches} Its processes are not confined, since they
   * write the caches when they end.
   */
  public boolean isTraining() {
    return System.getProperty("redoubt.train") != null;
  }

  public String launcher() {
    return nativeDirectory + "/launcher";
  }

  public String keeper() {
    return nativeDirectory + "/keeper";
  }

  /** {@return the init of a guest} */
  public String agent() {
    return nativeDirectory + "/agent";
  }

  /** {@return what is preloaded into User Mode Linux} */
  public String umlShim() {
    return nativeDirectory + "/libumlptrace.so";
  }

  /** {@return the argument vector of a warden} */
  public List<String> wardenCommand(String link, int bootSeconds, String rootDisk) {
    var flags =
        new ArrayList<String>(
            List.of("-XX:TieredStopAtLevel=1", "-Xms4m", "-Xmx128m", "-Xss256k", TRIM));
    String lose = System.getProperty("redoubt.lose");
    if (lose != null) {
      flags.add("-Dredoubt.lose=" + lose); // tests of the link to a guest
    }
    var command =
        new ArrayList<String>(
            command("warden", flags, "redoubt.sandbox/redoubt.sandbox.warden.WardenMain"));
    command.add("--link=" + link);
    command.add("--boot-seconds=" + bootSeconds);
    command.add("--root-disk=" + rootDisk);
    return command;
  }

  /** {@return the sentry's argument vector} */
  public List<String> sentryCommand() {
    return command(
        "sentry",
        List.of(
            "-Xms16m",
            "-Xmx512m",
            "-Xss512k",
            // One compiler thread a tier: the optimizing one is made nice by the sentry.
            "-XX:CICompilerCount=2",
            // The optimizing compiler has a twentieth of a core while guests want both: to inline
            // less halves what it has to do, and costs nothing later (ADR 0006).
            "-XX:FreqInlineSize=180",
            "-XX:InlineSmallCode=800",
            TRIM,
            // Where a call crosses from platform to kernel to handler nothing is inlined: else C2
            // compiles all of it again for each handler that gets warm (ADR 0006).
            "-XX:CompileCommand=dontinline,redoubt.sentry.platform.systrap.StubContext::runOnce",
            "-XX:CompileCommand=dontinline,redoubt.sentry.syscalls.Amd64Syscalls*::call",
            // And what java.lang.foreign does is compiled once, not into each of its callers.
            "-XX:CompileCommand=dontinline,redoubt.host.Natives::syscall",
            "-XX:CompileCommand=dontinline,java.lang.foreign.MemorySegment::copy",
            "-XX:CompileCommand=dontinline,jdk.internal.foreign.AbstractMemorySegmentImpl::get",
            "-XX:CompileCommand=dontinline,jdk.internal.foreign.AbstractMemorySegmentImpl::set"),
        sentryMain);
  }

  /** {@return the gofer's argument vector, without its attach points} */
  public List<String> goferCommand() {
    return command(
        "gofer",
        List.of("-XX:TieredStopAtLevel=1", "-Xms4m", "-Xmx64m", "-Xss256k", TRIM),
        "redoubt.gofer/redoubt.gofer.GoferMain");
  }

  /** {@return whether this run makes the cache of {@code kind}}, or only another one's */
  private static boolean isTraining(String kind) {
    return System.getProperty("redoubt.train.only", kind).equals(kind);
  }

  private List<String> command(String kind, List<String> flags, String main) {
    var command = new ArrayList<String>();
    command.add(javaHome + "/bin/java");
    command.addAll(jvmFlags());
    command.addAll(flags);
    String cache = cacheDirectory + "/" + kind + ".aot";
    if (isTraining() && isTraining(kind)) {
      command.add("-XX:AOTCacheOutput=" + cache);
      command.add("-Dredoubt.train=true");
    } else if (!cacheDirectory.isEmpty() && HostFiles.isFile(cache)) {
      command.add("-XX:AOTCache=" + cache);
    }
    command.add("-Dredoubt.native=" + nativeDirectory);
    command.add("-p");
    command.add(String.join(":", modulePath));
    command.add("-m");
    command.add(main);
    return command;
  }

  private static List<String> jvmFlags() {
    return List.of(
        "-XX:+UseSerialGC",
        "-XX:-UsePerfData",
        // The supervisor's signals are not the JVM's, and nobody attaches to a confined process.
        "-Xrs",
        "-XX:+DisableAttachMechanism",
        "-XX:-UseContainerSupport",
        "-XX:+ErrorFileToStderr",
        "-XX:-CreateCoredumpOnCrash",
        // Else every page of the AOT cache is moved, and becomes the process's own: 9 MiB that
        // several sandboxes can share. What then lies at a known address is no code.
        "-XX:+UnlockDiagnosticVMOptions",
        "-XX:ArchiveRelocationMode=0",
        // For this one method, which runs while the JVM makes its downcalls, C1 needs 6 MiB.
        "-XX:CompileCommand=quiet",
        "-XX:CompileCommand=exclude,jdk.internal.classfile.impl.StackMapGenerator::processBlock",
        // An idle JVM looks for idle monitors every 2 s, not four times a second.
        "-XX:AsyncDeflationInterval=2000",
        "--enable-native-access=redoubt.host",
        "--add-exports=java.base/jdk.internal.misc=redoubt.host");
  }

  /**
   * {@return the host paths that the JVMs need until they are confined} None lies below another.
   */
  public List<String> binds() {
    var binds = new ArrayList<String>();
    add(binds, javaHome);
    add(binds, nativeDirectory);
    if (!cacheDirectory.isEmpty()) {
      add(binds, cacheDirectory);
    }
    for (String entry : modulePath) {
      add(binds, new File(entry).getAbsolutePath());
    }
    for (String path : libraries(LIBRARIES)) {
      add(binds, path);
    }
    return binds;
  }

  /** {@return the paths of the dynamic loader and of these libraries} */
  static List<String> libraries(List<String> names) {
    var paths = new ArrayList<String>();
    paths.add(LOADER);
    for (String library : names) {
      for (String directory : LIBRARY_DIRECTORIES) {
        if (HostFiles.isFile(directory + "/" + library)) {
          paths.add(directory + "/" + library);
          break;
        }
      }
    }
    return paths;
  }

  private static void add(List<String> binds, String path) {
    for (String bind : binds) {
      if (path.equals(bind) || path.startsWith(bind + "/")) {
        return;
      }
    }
    binds.removeIf(bind -> bind.startsWith(path + "/"));
    binds.add(path);
  }
}
