package redoubt.sentry.control;

import java.util.ArrayList;
import java.util.List;

/**
 * A mount of a container, made in the order given, after the root.
 *
 * @param destination absolute path in the container; missing directories (or the file, when the
 *     attach point is a file) are created
 * @param type {@code gofer} for what the host serves, else the file system's name: {@code tmpfs},
 *     {@code proc}, {@code sysfs}, {@code devtmpfs}, {@code devpts}, {@code mqueue}, {@code cgroup}
 * @param source what /proc/mounts shows as the device
 * @param attach the gofer's attach name (Tattach aname) of a {@code gofer} mount, else empty
 * @param flags MS_* of mount(2): MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME, …
 * @param data file-system options that are not flags, as {@code mode=755}
 * @param overlay put a writable upper in memory over it, discarded with the container
 */
public record MountConfig(
    String destination,
    String type,
    String source,
    String attach,
    long flags,
    List<String> data,
    boolean overlay) {

  WireWriter write() {
    var w = new WireWriter().string(1, destination).string(2, type).string(3, source);
    return w.string(4, attach).number(5, flags).strings(6, data).flag(7, overlay);
  }

  static MountConfig read(WireReader r) {
    String destination = "";
    String type = "";
    String source = "";
    String attach = "";
    long flags = 0;
    var data = new ArrayList<String>();
    boolean overlay = false;
    while (r.next()) {
      switch (r.tag()) {
        case 1 -> destination = r.string();
        case 2 -> type = r.string();
        case 3 -> source = r.string();
        case 4 -> attach = r.string();
        case 5 -> flags = r.number();
        case 6 -> data.add(r.string());
        case 7 -> overlay = r.flag();
        default -> {}
      }
    }
    return new MountConfig(destination, type, source, attach, flags, data, overlay);
  }
}
