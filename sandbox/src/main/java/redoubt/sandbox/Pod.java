package redoubt.sandbox;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What containerd's CRI plugin, CRI-O and Podman say of a container by annotations: whether it is a
 * pod's first container, which makes the sandbox, or a further one in it.
 *
 * @param type {@code sandbox} or {@code container}
 * @param sandboxId the first container's id, or (Podman) what all of the pod's containers name
 *     alike
 */
record Pod(String type, String sandboxId) {
  private static final List<String> TYPES =
      List.of("io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType");
  private static final List<String> IDS =
      List.of("io.kubernetes.cri.sandbox-id", "io.kubernetes.cri-o.SandboxID");

  static Pod of(Map<String, String> annotations) {
    return new Pod(first(annotations, TYPES), first(annotations, IDS));
  }

  private static String first(Map<String, String> annotations, List<String> names) {
    for (String name : names) {
      String value = annotations.get(name);
      if (value != null && !value.isEmpty()) {
        return value;
      }
    }
    return "";
  }

  /**
   * {@return the directory of the sandbox that the container {@code own} belongs to, null if it
   * makes one of its own}
   *
   * @throws SandboxException if that sandbox does not run
   */
  @Nullable StateDirectory sandbox(StateDirectory own) {
    if (!type.equals("container") || sandboxId.isEmpty() || sandboxId.equals(own.id())) {
      return null;
    }
    StateDirectory found = find(own);
    if (found == null || found.load().status().equals("stopped")) {
      throw new SandboxException(
          "the sandbox '"
              + sandboxId
              + "', which the container's annotations name, does not run (looked in "
              + own.root()
              + ")");
    }
    return found;
  }

  private @Nullable StateDirectory find(StateDirectory own) {
    List<String> ids = StateDirectory.list(own.root());
    if (ids.contains(sandboxId)) {
      return own.sibling(sandboxId);
    }
    for (String id : ids) {
      StateDirectory other = own.sibling(id);
      try {
        Pod pod = of(other.load().annotations());
        if (pod.type.equals("sandbox") && pod.sandboxId.equals(sandboxId)) {
          return other;
        }
      } catch (SandboxException e) {
        // It ends just now.
      }
    }
    return null;
  }
}
