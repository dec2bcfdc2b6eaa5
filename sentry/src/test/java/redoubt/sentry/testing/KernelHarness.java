package redoubt.sentry.testing;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import redoubt.host.Memory;
import redoubt.sentry.fs.FileSystems;
import redoubt.sentry.fs.tmpfs.TmpFs;
import redoubt.sentry.fs.tmpfs.TmpFsOptions;
import redoubt.sentry.kernel.Container;
import redoubt.sentry.kernel.Credentials;
import redoubt.sentry.kernel.FdTable;
import redoubt.sentry.kernel.FsContext;
import redoubt.sentry.kernel.IoBuffer;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.KernelIo;
import redoubt.sentry.kernel.KernelLog;
import redoubt.sentry.kernel.PidNamespace;
import redoubt.sentry.kernel.Processes;
import redoubt.sentry.kernel.ResourceLimits;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.UtsNamespace;
import redoubt.sentry.mm.MemoryFile;
import redoubt.sentry.platform.systrap.KeeperProcess;
import redoubt.sentry.platform.systrap.Systrap;
import redoubt.sentry.strace.Strace;
import redoubt.sentry.strace.StraceObserver;
import redoubt.sentry.syscalls.Amd64Syscalls;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.MountNamespace;
import redoubt.sentry.vfs.Vfs;
import redoubt.sentry.vfs.VfsPath;

/**
 * A kernel on the real platform with a tmpfs root, without gofer, launcher or confinement: for
 * tests of the kernel.
 */
public final class KernelHarness implements AutoCloseable {
  private final KeeperProcess keeper = KeeperProcess.start();
  private final Systrap platform = new Systrap(keeper.socket());
  public final Kernel kernel =
      new Kernel(platform, MemoryFile.create("memory"), Amd64Syscalls::dispatch);
  public final Container container;
  private final VfsPath root;
  private final List<Path> hostFiles = new ArrayList<>();

  public KernelHarness() {
    kernel.register(FileSystems.class, new FileSystems());
    redoubt.sentry.ipc.Ipc.install(kernel);
    TmpFs fs = new TmpFs(kernel.memoryFile(), platform, new TmpFsOptions());
    Mount mount = new Mount(fs, new Dentry(fs.root()), "tmpfs", 0);
    container =
        new Container(
            "test", new PidNamespace(), new UtsNamespace("box"), c -> new MountNamespace(mount));
    root = new VfsPath(mount, mount.root);
  }

  /** Copies a host file or tree to the same path inside, with the next {@link #run}. */
  public KernelHarness with(String... paths) {
    for (String p : paths) {
      hostFiles.add(Path.of(p));
    }
    return this;
  }

  public void strace() {
    kernel.observer = new StraceObserver(new Strace(Strace.toFd(new redoubt.host.Fd(2)), 64, null));
  }

  /** What a program left. */
  public record Result(int status, String output) {}

  /** Runs a program to its end; its 1 and 2 are captured, its 0 is empty. */
  public Result run(String... args) throws Exception {
    FdTable fds = new FdTable();
    Task t =
        Processes.create(
            kernel,
            container,
            new FsContext(root, root, 022),
            fds,
            Credentials.root(),
            new ResourceLimits());
    for (Path p : hostFiles) {
      copyTree(t, p);
    }
    hostFiles.clear();
    Console out = new Console(new VfsPath(root.mount, Dentry.anonymous(root.inode(), "console")));
    for (int i = 0; i < 3; i++) {
      if (i > 0) {
        out.incRef();
      }
      fds.install(out, i, false, 1024);
    }
    List<byte[]> argv = Stream.of(args).map(s -> s.getBytes(StandardCharsets.ISO_8859_1)).toList();
    List<byte[]> env =
        List.of(
            "PATH=/usr/bin:/bin".getBytes(StandardCharsets.ISO_8859_1),
            "HOME=/".getBytes(StandardCharsets.ISO_8859_1));
    long r = Processes.load(t, argv, env);
    if (r < 0) {
      throw new IllegalStateException(
          "load " + args[0] + ": " + redoubt.abi.Errno.name((int) -r) + "\n" + log());
    }
    CompletableFuture<Integer> done = new CompletableFuture<>();
    Processes.onExit(t.threadGroup(), done::complete);
    Processes.start(t);
    try {
      return new Result(
          done.get(Integer.getInteger("harness.seconds", 60), TimeUnit.SECONDS), out.text());
    } catch (java.util.concurrent.TimeoutException e) {
      StringBuilder b =
          new StringBuilder(
              "no end of " + args[0] + "; output so far: " + out.text() + "\n" + log());
      for (Task x : container.pids.tasks()) {
        b.append(x).append(" nr ").append(x.currentSyscall()).append('\n');
        if (x.javaThread() != null) {
          for (StackTraceElement f : x.javaThread().getStackTrace()) {
            b.append("   ").append(f).append('\n');
          }
        }
      }
      throw new IllegalStateException(b.toString());
    }
  }

  public String log() {
    StringBuilder b = new StringBuilder();
    for (KernelLog.Entry e : kernel.log().since(0)) {
      b.append(KernelLog.format(e));
    }
    return b.toString();
  }

  private void copyTree(Task t, Path p) throws IOException {
    makeParents(t, p);
    if (Files.isSymbolicLink(p)) {
      try {
        Vfs.symlink(t, Files.readSymbolicLink(p).toString(), root, p.toString());
      } catch (redoubt.sentry.kernel.ErrnoException e) {
        return; // there already
      }
      Path target = p.toRealPath();
      if (!target.equals(p)) {
        copyTree(t, target);
      }
      return;
    }
    if (Files.isDirectory(p, LinkOption.NOFOLLOW_LINKS)) {
      try (Stream<Path> s = Files.list(p)) {
        for (Path c : s.toList()) {
          copyTree(t, c);
        }
      }
      return;
    }
    byte[] data = Files.readAllBytes(p);
    FileDescription f;
    try {
      f =
          Vfs.open(
              t, root, p.toString(), Vfs.O_CREAT | Vfs.O_EXCL | FileDescription.O_WRONLY, 0755, 0);
    } catch (redoubt.sentry.kernel.ErrnoException e) {
      return; // there already
    }
    try (Arena a = Arena.ofConfined()) {
      MemorySegment m = a.allocate(Math.max(1, data.length));
      MemorySegment.copy(data, 0, m, Memory.BYTE, 0, data.length);
      for (long at = 0; at < data.length; ) {
        long n = f.write(t, new KernelIo(m, at, data.length - at), at);
        if (n <= 0) {
          throw new IOException("write " + p + ": " + n);
        }
        at += n;
      }
    }
    f.decRef();
  }

  private void makeParents(Task t, Path p) throws IOException {
    Path parent = p.getParent();
    if (parent == null || parent.getParent() == null && parent.toString().equals("/")) {
      return;
    }
    makeParents(t, parent);
    try {
      if (Files.isSymbolicLink(parent)) {
        Vfs.symlink(t, Files.readSymbolicLink(parent).toString(), root, parent.toString());
        Path target = parent.toRealPath();
        makeParents(t, target.resolve("x"));
      } else {
        Vfs.mkdir(t, root, parent.toString(), 0755);
      }
    } catch (redoubt.sentry.kernel.ErrnoException e) {
      // there already
    }
  }

  @Override
  public void close() {
    platform.close();
    keeper.close();
  }

  private static final class Console extends FileDescription {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    Console(VfsPath path) {
      super(path, O_RDWR, null);
    }

    @Override
    public long read(Task t, IoBuffer dst, long offset) {
      return 0;
    }

    @Override
    public synchronized long write(Task t, IoBuffer src, long offset) {
      byte[] b = new byte[(int) Math.min(src.remaining(), 65536)];
      try (Arena a = Arena.ofConfined()) {
        MemorySegment m = a.allocate(Math.max(1, b.length));
        long n = src.get(m, 0, b.length);
        if (n > 0) {
          MemorySegment.copy(m, Memory.BYTE, 0, b, 0, (int) n);
          bytes.write(b, 0, (int) n);
        }
        return n;
      }
    }

    synchronized String text() {
      return bytes.toString(StandardCharsets.ISO_8859_1);
    }
  }

  /**
   * Runs a program of the host from the command line: {@code KernelHarness [-s] -w PATH… -- ARGS}.
   */
  public static void main(String[] args) throws Exception {
    try (KernelHarness h = new KernelHarness()) {
      int i = 0;
      for (; !args[i].equals("--"); i++) {
        if (args[i].equals("-s")) {
          h.strace();
        } else {
          h.with(args[i]);
        }
      }
      long start = System.nanoTime();
      Result r = h.run(java.util.Arrays.copyOfRange(args, i + 1, args.length));
      System.out.print(r.output());
      System.out.println(
          "status "
              + Integer.toHexString(r.status())
              + " in "
              + (System.nanoTime() - start) / 1000
              + " us");
      System.out.print(h.log());
    }
    System.exit(0);
  }
}
