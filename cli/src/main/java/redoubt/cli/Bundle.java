package redoubt.cli;

import java.io.File;
import redoubt.host.HostFiles;
import redoubt.oci.JsonException;
import redoubt.oci.Spec;
import redoubt.oci.SpecException;

/** A directory with a config.json. */
record Bundle(String path, Spec spec) {
  private static final int CONFIG_LIMIT = 16 << 20;

  /**
   * Reads the bundle that --bundle names, the current directory by default.
   *
   * @throws SpecException naming the file and the mistake
   */
  static Bundle read(Flags flags) {
    String path = new File(flags.get("bundle", System.getProperty("user.dir"))).getAbsolutePath();
    if (!HostFiles.isDirectory(path)) {
      throw new SpecException(
          "bundle " + path + (HostFiles.exists(path) ? " is not a directory" : " does not exist"));
    }
    String config = path + "/config.json";
    String text = HostFiles.readText(config, CONFIG_LIMIT);
    if (text == null) {
      throw new SpecException(
          config + " cannot be read; 'redoubt spec --bundle " + path + "' writes one");
    }
    try {
      return new Bundle(path, Spec.parse(text));
    } catch (SpecException | JsonException e) {
      throw new SpecException(config + ": " + e.getMessage());
    }
  }
}
