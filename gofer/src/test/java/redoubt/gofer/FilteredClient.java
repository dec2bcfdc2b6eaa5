package redoubt.gofer;

import static redoubt.gofer.TestGofer.bytes;

import java.nio.file.Files;
import java.nio.file.Path;
import redoubt.abi.Errno;
import redoubt.abi.Fcntl;
import redoubt.host.Fd;
import redoubt.host.FileSystemCalls;
import redoubt.host.JvmSyscalls;
import redoubt.host.SeccompFilter;
import redoubt.p9.P9;
import redoubt.p9.P9Attr;
import redoubt.p9.P9Client;
import redoubt.p9.P9Syscalls;
import redoubt.p9.P9Walk;

/** A sentry's filter and client in a process of their own; the gofer is at descriptor 0. */
public final class FilteredClient implements P9Client.Listener {
  private FilteredClient() {}

  public static void main(String[] args) throws Exception {
    var f = new SeccompFilter(SeccompFilter.errno(Errno.EPERM));
    JvmSyscalls.addTo(f);
    P9Syscalls.addTo(f);
    JvmSyscalls.killHostile(f);
    // While that is allowed: directories of class files, unlike jars, are not held open.
    loadPackage(P9Client.class);
    loadPackage(SeccompFilter.class);
    Class.forName("redoubt.gofer.TestGofer");
    Errno.name(1);
    f.install();
    P9Client c = new P9Client(new Fd(0), P9.MSIZE_DEFAULT, new FilteredClient());
    c.startWatcher();
    P9Attr attr = new P9Attr();
    P9Walk walk = new P9Walk();
    int rw = (int) c.attach(bytes("rw"), attr);
    Thread[] threads = new Thread[4];
    for (int i = 0; i < threads.length; i++) {
      int me = i;
      threads[i] =
          new Thread(() -> {
            P9Attr a = new P9Attr();
            for (int n = 0; n < 100; n++) {
              long fid = c.mkdir(rw, bytes("d" + me + "-" + n), 0755, 0, 0, a);
              if (fid < 0 || c.clunkNow((int) fid) < 0) {
                System.err.println("mkdir " + fid);
              }
            }
          });
      threads[i].start();
    }
    for (Thread t : threads) {
      t.join();
    }
    long r = c.create(rw, bytes("f"), Fcntl.O_RDWR, 0644, 0, 0, walk);
    FileSystemCalls.close(walk.takeHostFd());
    c.close();
    System.err.println(r == 1 ? "created" : Errno.name((int) -r));
    Runtime.getRuntime().halt(0);
  }

  private static void loadPackage(Class<?> one) throws Exception {
    var root = Path.of(one.getProtectionDomain().getCodeSource().getLocation().toURI());
    if (!Files.isDirectory(root)) {
      return;
    }
    String prefix = one.getPackageName();
    try (var files = Files.list(root.resolve(prefix.replace('.', '/')))) {
      for (Path file : files.toList()) {
        String name = file.getFileName().toString();
        if (name.endsWith(".class") && !name.startsWith("package-info")) {
          Class.forName(prefix + "." + name.substring(0, name.length() - 6));
        }
      }
    }
  }

  @Override
  public void log(String line) {
    System.err.println(line);
  }

  @Override
  public void disconnected() {
    System.err.println("disconnected");
  }
}
