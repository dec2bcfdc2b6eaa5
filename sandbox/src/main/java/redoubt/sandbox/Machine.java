package redoubt.sandbox;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.sandbox.guest.OwnKernel;

/**
 * What a guest's machine has.
 *
 * @param cpus processors
 * @param memoryLimit of the container in bytes, 0 for none
 * @param interfaces network devices, beside a link to its warden
 * @param mtu the longest packet that these take
 * @param block whether a disk has the root file system
 * @param own its kernel, null for Debian's
 */
record Machine(
    int cpus, long memoryLimit, int interfaces, int mtu, boolean block, @Nullable OwnKernel own) {
  /** {@return the parts of the initramfs that not every guest needs} */
  List<String> extras() {
    var extras = new ArrayList<String>();
    if (interfaces > 0) {
      extras.add("network");
    }
    if (block) {
      extras.add("block");
    }
    return extras;
  }

  /** What the agent knows the {@code n}-th network device by. */
  static String mac(int n) {
    return "02:52:44:42:00:0" + n;
  }
}
