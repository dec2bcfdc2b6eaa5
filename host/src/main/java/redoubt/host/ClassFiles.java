package redoubt.host;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.module.ResolvedModule;
import java.net.URI;

/** The class files of this process, before its root directory is taken away. */
public final class ClassFiles {
  private ClassFiles() {}

  /**
   * Makes our classes loadable without a path: opens each of our jars (the loader keeps them open).
   * From a directory of class files, as developers run it, loads every class instead. The JDK's own
   * classes are mapped and need nothing.
   */
  public static void keepReachable() {
    for (ResolvedModule resolved : ModuleLayer.boot().configuration().modules()) {
      if (!resolved.name().startsWith("redoubt.")) {
        continue;
      }
      Module module = ModuleLayer.boot().findModule(resolved.name()).orElseThrow();
      URI location = resolved.reference().location().orElse(null);
      File file = location == null ? null : new File(location.getPath());
      if (file != null && file.isDirectory()) {
        loadAll(module, file, "");
        continue;
      }
      try (InputStream in = module.getResourceAsStream("module-info.class")) {
        if (in == null) {
          throw new IllegalStateException(resolved.name() + " has no module-info.class");
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private static void loadAll(Module module, File directory, String prefix) {
    File[] files = directory.listFiles();
    for (File file : files == null ? new File[0] : files) {
      String name = file.getName();
      if (file.isDirectory()) {
        loadAll(module, file, prefix + name + ".");
      } else if (name.endsWith(".class") && !name.equals("module-info.class")) {
        // Loads without initialising; null would mean a file that is not a class.
        Class.forName(module, prefix + name.substring(0, name.length() - ".class".length()));
      }
    }
  }
}
