package redoubt.cli;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.HostFiles;
import redoubt.oci.Json;
import redoubt.oci.JsonException;
import redoubt.oci.Spec;
import redoubt.oci.SpecException;
import redoubt.sandbox.SandboxException;
import redoubt.sentry.control.ControlException;

/** The redoubt command. */
public final class Main {
  static final String VERSION = "0.1.0";

  private static final List<String> VERBS =
      List.of(
          "do",
          "run",
          "create",
          "start",
          "exec",
          "kill",
          "delete",
          "state",
          "list",
          "ps",
          "top",
          "pause",
          "resume",
          "events",
          "spec",
          "features",
          "debug",
          "net",
          "port-forward",
          "install",
          "doctor",
          "kernel",
          "help");

  private Main() {}

  public static void main(String[] args) {
    int code;
    var flags = new Flags();
    try {
      code = run(List.of(args), flags);
    } catch (UsageException e) {
      code = fail(flags, e.getMessage());
    } catch (SandboxException | SpecException | HostException | ControlException e) {
      code = fail(flags, e.getMessage());
    } catch (JsonException e) {
      code = fail(flags, "config.json: " + e.getMessage());
    } catch (StackOverflowError | OutOfMemoryError e) {
      code = fail(flags, "out of memory: " + e);
    }
    Runtime.getRuntime().halt(code);
  }

  private static int run(List<String> words, Flags global) {
    Context.declare(global);
    global.parse(words, 0, false);
    if (System.getProperty("redoubt.train") != null) {
      overview(global); // puts every verb into the AOT cache, besides the one that is run
      new redoubt.oci.Json.Obj().put("train", "yes").compact();
    }
    if (global.is("version")) {
      Context.print("redoubt version " + VERSION + "\nspec: " + Spec.VERSION + "\n");
      return 0;
    }
    if (global.is("help") || global.rest().isEmpty()) {
      Context.print(overview(global));
      return global.is("help") ? 0 : 2;
    }
    String name = global.rest().get(0);
    Verb verb = verb(name);
    if (verb == null) {
      throw new UsageException("unknown command '" + name + "'; redoubt --help lists them");
    }
    var flags = new Flags();
    verb.declare(flags);
    flags.flag("help|h", "print this help");
    flags.parse(global.rest(), 1, verb.interleaved());
    if (flags.is("help")) {
      Context.print(help(name, verb, flags));
      return 0;
    }
    return verb.run(new Context(global), flags);
  }

  static @Nullable Verb verb(String name) {
    return switch (name) {
      case "do" -> new Do();
      case "run" -> new Run();
      case "create" -> new Create();
      case "start" -> new Start();
      case "exec" -> new Exec();
      case "kill" -> new Kill();
      case "delete" -> new Delete();
      case "state" -> new State();
      case "list" -> new ListContainers();
      case "ps" -> new Ps();
      case "top" -> new Top();
      case "pause" -> new Pause();
      case "resume" -> new Resume();
      case "events" -> new Events();
      case "spec" -> new WriteSpec();
      case "features" -> new Features();
      case "debug" -> new Debug();
      case "net" -> new Net();
      case "port-forward" -> new PortForward();
      case "install" -> new Install();
      case "doctor" -> new Doctor();
      case "kernel" -> new KernelImages();
      case "help" -> new Help();
      default -> null;
    };
  }

  static String overview(Flags global) {
    var out =
        new StringBuilder(
            """
            redoubt runs containers, each on a kernel of its own.

            Usage: redoubt [global flags] COMMAND [flags] [arguments]

            Examples:
              redoubt do dmesg                    any program of this host, its files read-only
              redoubt run --bundle /my/bundle c1  an OCI container, in the foreground
              redoubt exec --tty c1 bash          a shell in it
              redoubt install                     register with Docker and containerd

            Commands:
            """);
    for (String name : VERBS) {
      Verb verb = verb(name);
      if (verb != null) {
        out.append("  ").append(name).repeat(' ', Math.max(2, 12 - name.length()));
        out.append(verb.summary()).append('\n');
      }
    }
    out.append("\nGlobal flags:\n");
    global.describe(out);
    return out.append("\n'redoubt COMMAND --help' tells more of each.\n").toString();
  }

  static String help(String name, Verb verb, Flags flags) {
    var out = new StringBuilder(verb.summary()).append("\n\nUsage: redoubt [global flags] ");
    out.append(name).append(" [flags] ").append(verb.arguments()).append("\n\nFlags:\n");
    flags.describe(out);
    if (!verb.examples().isEmpty()) {
      out.append("\nExamples:\n").append(verb.examples());
    }
    return out.toString();
  }

  /** Tells the cause in one line, on standard error and in the file of --log. */
  private static int fail(Flags global, @Nullable String cause) {
    String message = Context.safe(cause == null ? "failed" : cause);
    Context.warn(message);
    String path = global.get("log", "");
    if (!path.isEmpty()) {
      int flags = HostFiles.O_WRONLY | HostFiles.O_CREAT | HostFiles.O_APPEND;
      try (Fd fd = HostFiles.open(path, flags, 0600)) {
        String line =
            global.get("log-format", "text").equals("json")
                ? new Json.Obj()
                    .put("level", "error")
                    .put("msg", message)
                    .put("time", java.time.Instant.now().toString())
                    .compact()
                : "level=error msg=" + new Json.Str(message).compact();
        HostFiles.write(fd, (line + "\n").getBytes(StandardCharsets.UTF_8));
      } catch (HostException e) {
        Context.warn("--log: " + e.getMessage());
      }
    }
    return 1;
  }
}
