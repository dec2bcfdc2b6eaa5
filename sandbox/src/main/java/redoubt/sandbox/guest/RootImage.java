package redoubt.sandbox.guest;

import java.util.List;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.HostFiles;
import redoubt.host.Spawn;
import redoubt.sandbox.SandboxException;

/**
 * A root file system as an <a href="https://docs.kernel.org/filesystems/erofs.html">EROFS</a> image
 * in a file without a name: it is gone with the last of its descriptors, whoever is killed.
 */
public final class RootImage {
  private static final String MKFS = "/usr/bin/mkfs.erofs";
  private static final int O_TMPFILE = 0x410000;
  private static final int OUTPUT_LIMIT = 64 << 10;

  private RootImage() {}

  /**
   * {@return a descriptor for reading of an image of a directory} Takes seconds for a gigabyte.
   *
   * @throws SandboxException if it cannot be made
   */
  public static Fd of(String directory) {
    if (directory.equals("/")) {
      throw new SandboxException(
          "--rootfs=block: an image of the host's own root is not made; give a root directory");
    }
    if (!HostFiles.exists(MKFS)) {
      throw new SandboxException(
          "--rootfs=block needs " + MKFS + ": apt-get install erofs-utils (or use --rootfs=9p)");
    }
    HostFiles.mkdir(GuestImages.cache(), 0755);
    try (Fd image = HostFiles.open(GuestImages.cache(), O_TMPFILE | HostFiles.O_RDWR, 0444);
        Fd output = HostFiles.memoryFile("output", new byte[0]);
        Fd nothing = HostFiles.open("/dev/null", HostFiles.O_RDWR, 0)) {
      int[] fds = {nothing.number(), output.number(), output.number(), image.number()};
      List<String> argv = List.of("mkfs.erofs", "--quiet", "/proc/self/fd/3", directory);
      int code = Spawn.waitFor(Spawn.spawn(MKFS, argv, List.of("LC_ALL=C"), fds));
      if (code != 0) {
        String text = HostFiles.readText("/proc/self/fd/" + output.number(), OUTPUT_LIMIT);
        throw new SandboxException(
            "--rootfs=block: mkfs.erofs failed with exit code "
                + code
                + (text == null ? "" : ": " + text.strip().replace('\n', ' ')));
      }
      return HostFiles.open("/proc/self/fd/" + image.number(), HostFiles.O_RDONLY, 0);
    } catch (HostException e) {
      throw new SandboxException("--rootfs=block: " + e.getMessage());
    }
  }
}
