package redoubt.sandbox;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import redoubt.oci.Json;
import redoubt.oci.Spec;

/**
 * What {@code state.json} says of a container. The process's start time tells it from a later one
 * with the same pid.
 *
 * @param sandbox id of the sandbox that it is in: its own, or another container's that came first
 * @param kernel the kind: {@code sentry}, {@code vm} or {@code uml}
 * @param started whether {@code start} was called; {@code paused} whether it is paused
 * @param cgroups directories made for it, parents first
 * @param network {@code none} or {@code sandbox}
 * @param netns path of the network namespace that was given, or empty for the sandbox's own
 * @param restore orders that give the namespace its addresses back, in hexadecimal
 */
public record ContainerState(
    String id,
    String sandbox,
    String kernel,
    int pid,
    long pidStartTime,
    String bundle,
    String rootfs,
    String created,
    int owner,
    boolean started,
    boolean paused,
    Map<String, String> annotations,
    List<String> cgroups,
    Spec.Hooks hooks,
    String network,
    String netns,
    List<String> restore) {

  /** {@return whether it came to a sandbox that was there already} */
  public boolean isFurther() {
    return !sandbox.equals(id);
  }

  /** {@return {@code created}, {@code running}, {@code paused} or {@code stopped}} */
  public String status() {
    if (pid <= 0 || !alive()) {
      return "stopped";
    }
    return paused ? "paused" : started ? "running" : "created";
  }

  public ContainerState withStarted(boolean nowStarted, boolean nowPaused) {
    return new ContainerState(
        id,
        sandbox,
        kernel,
        pid,
        pidStartTime,
        bundle,
        rootfs,
        created,
        owner,
        nowStarted,
        nowPaused,
        annotations,
        cgroups,
        hooks,
        network,
        netns,
        restore);
  }

  /** {@return the state with orders that give the network namespace its addresses back} */
  public ContainerState withRestore(List<String> orders) {
    return new ContainerState(
        id,
        sandbox,
        kernel,
        pid,
        pidStartTime,
        bundle,
        rootfs,
        created,
        owner,
        started,
        paused,
        annotations,
        cgroups,
        hooks,
        network,
        netns,
        orders);
  }

  private boolean alive() {
    return HostProcess.startTime(pid) == pidStartTime;
  }

  /** {@return the state as the specification's {@code state} and hooks have it} */
  public Json.Obj toOci() {
    String status = status();
    var json = new Json.Obj().put("ociVersion", Spec.VERSION).put("id", id);
    json.put("pid", status.equals("stopped") ? 0 : pid).put("status", status);
    json.put("bundle", bundle).put("rootfs", rootfs).put("created", created);
    var notes = new Json.Obj();
    annotations.forEach(notes::put);
    if (!annotations.isEmpty()) {
      json.put("annotations", notes);
    }
    return json.put("owner", owner == 0 ? "root" : Integer.toUnsignedString(owner));
  }

  Json.Obj toJson() {
    var json = new Json.Obj().put("id", id).put("kernel", kernel).put("pid", pid);
    json.put("sandbox", sandbox);
    json.put("pidStartTime", pidStartTime);
    json.put("bundle", bundle).put("rootfs", rootfs).put("created", created).put("owner", owner);
    json.put("started", started).put("paused", paused);
    var notes = new Json.Obj();
    annotations.forEach(notes::put);
    json.put("annotations", notes).put("cgroups", Json.Arr.ofStrings(cgroups));
    json.put("startContainer", hooksJson(hooks.startContainer()));
    json.put("poststart", hooksJson(hooks.poststart()));
    json.put("network", network).put("netns", netns);
    json.put("restore", Json.Arr.ofStrings(restore));
    return json.put("poststop", hooksJson(hooks.poststop()));
  }

  static ContainerState fromJson(Json json) {
    if (!(json instanceof Json.Obj o)) {
      throw new SandboxException("state.json is not an object");
    }
    var annotations = new LinkedHashMap<String, String>();
    if (o.get("annotations") instanceof Json.Obj notes) {
      notes.members().forEach((name, value) -> annotations.put(name, string(value)));
    }
    var cgroups = new ArrayList<String>();
    if (o.get("cgroups") instanceof Json.Arr a) {
      a.items().forEach(item -> cgroups.add(string(item)));
    }
    return new ContainerState(
        string(o.get("id")),
        o.get("sandbox") instanceof Json.Str b ? b.value() : string(o.get("id")),
        o.get("kernel") instanceof Json.Str k ? k.value() : "sentry",
        (int) number(o.get("pid")),
        number(o.get("pidStartTime")),
        string(o.get("bundle")),
        string(o.get("rootfs")),
        string(o.get("created")),
        (int) number(o.get("owner")),
        o.get("started") instanceof Json.Bool s && s.value(),
        o.get("paused") instanceof Json.Bool p && p.value(),
        annotations,
        cgroups,
        new Spec.Hooks(
            List.of(),
            List.of(),
            List.of(),
            hooks(o.get("startContainer")),
            hooks(o.get("poststart")),
            hooks(o.get("poststop"))),
        string(o.get("network")),
        string(o.get("netns")),
        strings(o.get("restore")));
  }

  private static Json.Arr hooksJson(List<Spec.Hook> hooks) {
    var array = new Json.Arr();
    for (Spec.Hook hook : hooks) {
      array.add(
          new Json.Obj()
              .put("path", hook.path())
              .put("args", Json.Arr.ofStrings(hook.args()))
              .put("env", Json.Arr.ofStrings(hook.env()))
              .put("timeout", hook.timeout()));
    }
    return array;
  }

  private static List<Spec.Hook> hooks(@org.jspecify.annotations.Nullable Json json) {
    var hooks = new ArrayList<Spec.Hook>();
    if (json instanceof Json.Arr array) {
      for (Json item : array.items()) {
        if (item instanceof Json.Obj o) {
          hooks.add(
              new Spec.Hook(
                  string(o.get("path")),
                  strings(o.get("args")),
                  strings(o.get("env")),
                  (int) number(o.get("timeout"))));
        }
      }
    }
    return hooks;
  }

  private static List<String> strings(@org.jspecify.annotations.Nullable Json json) {
    var strings = new ArrayList<String>();
    if (json instanceof Json.Arr a) {
      a.items().forEach(item -> strings.add(string(item)));
    }
    return strings;
  }

  private static String string(@org.jspecify.annotations.Nullable Json json) {
    return json instanceof Json.Str s ? s.value() : "";
  }

  private static long number(@org.jspecify.annotations.Nullable Json json) {
    return json instanceof Json.Num n ? Long.parseLong(n.text()) : 0;
  }
}
