package redoubt.sandbox;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.HostFiles;
import redoubt.oci.Json;
import redoubt.oci.JsonException;
import redoubt.sentry.control.ControlClient;

/**
 * The directory {@code ROOT/ID} of a container: {@code state.json} (replaced atomically), {@code
 * control.sock}, {@code lock}, {@code log}. Removing it is the end of the container.
 */
public final class StateDirectory {
  private static final String STATE = "state.json";
  private static final String LOCK = "lock";
  private static final String LOG = "log";
  private static final int ID_LIMIT = 1024;
  private static final int STATE_LIMIT = 16 << 20;

  private final String root;
  private final String id;

  public StateDirectory(String root, String id) {
    this.root = root;
    this.id = id;
    checkId(id);
  }

  /** Where containers are kept unless --root says otherwise. */
  public static String defaultRoot() {
    String runtime = System.getenv("XDG_RUNTIME_DIR");
    return HostFiles.effectiveUid() != 0 && runtime != null && !runtime.isEmpty()
        ? runtime + "/redoubt"
        : "/run/redoubt";
  }

  public String id() {
    return id;
  }

  String root() {
    return root;
  }

  /** {@return another container's directory} */
  StateDirectory sibling(String other) {
    return new StateDirectory(root, other);
  }

  public String path() {
    return root + "/" + id;
  }

  public String logPath() {
    return path() + "/" + LOG;
  }

  /**
   * Makes the directory.
   *
   * @throws SandboxException if the container exists
   */
  public void create() {
    makeRoot(root);
    long r = HostFiles.mkdir(path(), 0700);
    if (r == -Errno.EEXIST) {
      throw new SandboxException(
          "container '" + id + "' exists already; choose another id, or delete it first");
    }
    check("mkdir " + path(), r);
  }

  /** Says what to do where the directory of states has no room, or is not ours. */
  private static void check(String what, long r) {
    String remedy =
        switch ((int) -r) {
          case Errno.ENOSPC, Errno.EDQUOT -> "; free some space there, or give another --root";
          case Errno.EACCES, Errno.EPERM, Errno.EROFS ->
              "; be root, or give a --root that can be written";
          default -> "";
        };
    if (r < 0) {
      throw new SandboxException(new HostException(what, r).getMessage() + remedy);
    }
  }

  private static void makeRoot(String path) {
    long r = HostFiles.mkdir(path, 0711);
    if (r == -Errno.ENOENT && path.lastIndexOf('/') > 0) {
      makeRoot(path.substring(0, path.lastIndexOf('/')));
      r = HostFiles.mkdir(path, 0711);
    }
    if (r != -Errno.EEXIST) {
      check("mkdir " + path, r);
    }
  }

  /** Takes the container's lock; it ends with the descriptor. */
  public Fd lock() {
    long n = HostFiles.tryOpen(path() + "/" + LOCK, HostFiles.O_RDWR | HostFiles.O_CREAT, 0600);
    if (n == -Errno.ENOENT) {
      throw absent();
    }
    check("open " + path() + "/" + LOCK, n);
    var fd = new Fd((int) n);
    HostFiles.lock(fd);
    return fd;
  }

  /**
   * @throws SandboxException if there is no such container
   */
  public ContainerState load() {
    String text = HostFiles.readText(path() + "/" + STATE, STATE_LIMIT);
    if (text == null) {
      throw absent();
    }
    try {
      return ContainerState.fromJson(Json.parse(text));
    } catch (JsonException | NumberFormatException e) {
      throw new SandboxException(
          path() + "/" + STATE + " is damaged (" + e.getMessage() + "); use delete --force");
    }
  }

  /** Replaces the state: the old one or the new one is there at any moment. */
  public void save(ContainerState state) {
    String temporary = path() + "/." + STATE;
    byte[] text = state.toJson().compact().getBytes(StandardCharsets.UTF_8);
    int flags = HostFiles.O_WRONLY | HostFiles.O_CREAT | HostFiles.O_TRUNC;
    long n = HostFiles.tryOpen(temporary, flags, 0600);
    check("open " + temporary, n);
    try (Fd fd = new Fd((int) n)) {
      check("write " + temporary, HostFiles.write(fd, text));
    }
    check("rename to " + STATE, HostFiles.rename(temporary, path() + "/" + STATE));
  }

  /** Opens the file that the sandbox's processes write their log to. */
  Fd openLog() {
    int flags = HostFiles.O_WRONLY | HostFiles.O_CREAT | HostFiles.O_APPEND;
    long n = HostFiles.tryOpen(logPath(), flags, 0600);
    check("open " + logPath(), n);
    return new Fd((int) n);
  }

  public boolean exists() {
    return HostFiles.isDirectory(path());
  }

  /** {@return the paths whose removal, in this order, removes the directory} */
  public List<String> removalPaths() {
    var paths = new ArrayList<String>();
    for (String name : List.of(STATE, "." + STATE, ControlClient.SOCKET_NAME, LOG, LOCK)) {
      paths.add(path() + "/" + name);
    }
    paths.add(path());
    return paths;
  }

  /** Removes the directory, whatever of it exists. */
  public void remove() {
    for (String path : removalPaths()) {
      if (HostFiles.unlink(path) < 0) {
        HostFiles.rmdir(path);
      }
    }
  }

  /** {@return the ids of all containers below {@code root}, sorted} */
  public static List<String> list(String root) {
    String[] names = new File(root).list();
    var ids = new ArrayList<String>();
    if (names != null) {
      Arrays.sort(names);
      for (String name : names) {
        if (HostFiles.isFile(root + "/" + name + "/" + STATE)) {
          ids.add(name);
        }
      }
    }
    return ids;
  }

  /** {@return another container that lives and has taken network namespace {@code netns}} */
  @Nullable ContainerState otherWith(String netns) {
    for (String name : list(root)) {
      if (name.equals(id)) {
        continue;
      }
      try {
        ContainerState state = new StateDirectory(root, name).load();
        if (state.netns().equals(netns)
            && !state.restore().isEmpty()
            && !state.status().equals("stopped")) {
          return state;
        }
      } catch (SandboxException e) {
        // It ends just now.
      }
    }
    return null;
  }

  private SandboxException absent() {
    return new SandboxException("container '" + id + "' does not exist (looked in " + root + ")");
  }

  private static void checkId(String id) {
    boolean good = !id.isEmpty() && id.length() <= ID_LIMIT && !id.equals(".") && !id.equals("..");
    for (int i = 0; i < id.length() && good; i++) {
      char c = id.charAt(i);
      good =
          c >= 'a' && c <= 'z'
              || c >= 'A' && c <= 'Z'
              || c >= '0' && c <= '9'
              || "_+-.".indexOf(c) >= 0;
    }
    if (!good) {
      throw new SandboxException(
          "invalid container id '"
              + id.replaceAll("[^\\x20-\\x7e]", "?")
              + "': letters, digits, '_', '+', '-' and '.' only");
    }
  }
}
