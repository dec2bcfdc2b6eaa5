package redoubt.sentry.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import redoubt.abi.Errno;
import redoubt.host.Memory;
import redoubt.sentry.fs.tmpfs.TmpFs;
import redoubt.sentry.fs.tmpfs.TmpFsOptions;
import redoubt.sentry.ipc.Ipc;
import redoubt.sentry.kernel.Container;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.PidNamespace;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.kernel.TestTasks;
import redoubt.sentry.kernel.UtsNamespace;
import redoubt.sentry.mm.MemoryFile;
import redoubt.sentry.mm.MemoryManager;
import redoubt.sentry.platform.Platform;
import redoubt.sentry.syscalls.Amd64Syscalls;
import redoubt.sentry.vfs.Dentry;
import redoubt.sentry.vfs.FileSystem;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.MountNamespace;
import redoubt.sentry.vfs.VfsPath;

/**
 * A process of a kernel without a platform: calls go straight to the dispatch table on the test's
 * own thread, and arguments are put into guest memory with {@link #text}, {@link #bytes} and {@link
 * #space}.
 *
 * <pre>{@code
 * var g = FakeGuest.create();
 * long fd = g.ok(Nr.OPEN, g.text("/file"), O_CREAT | O_RDWR, 0644);
 * g.fails(EBADF, Nr.READ, 99, g.space(8), 8);
 * }</pre>
 *
 * <p>The root is an empty tmpfs. Root's process number is 2: 1 is an init that does nothing. One
 * guest is used by one thread at a time; {@link #fork} and {@link #thread} make more of them for
 * other threads.
 */
public final class FakeGuest {
  private final Task task;
  private final FakePlatform.Context context;
  private final FakePlatform.Space space;
  private long next = FakePlatform.BASE + 4096;

  private FakeGuest(Task task, FakePlatform.Context context, FakePlatform.Space space) {
    this.task = task;
    this.context = context;
    this.space = space;
  }

  /** Makes a kernel of its own with one process. */
  public static FakeGuest create() {
    return create((memory, platform) -> new TmpFs(memory, platform, new TmpFsOptions()));
  }

  /** Makes the root filesystem. */
  public interface RootMaker {
    FileSystem make(MemoryFile memory, Platform platform);
  }

  /** As {@link #create()}, with another root than a tmpfs. */
  public static FakeGuest create(RootMaker maker) {
    FakePlatform platform = new FakePlatform();
    MemoryFile memory = MemoryFile.create("test");
    Kernel kernel = new Kernel(platform, memory, Amd64Syscalls::dispatch);
    kernel.totalMemoryBytes = 1L << 30;
    Ipc.install(kernel);
    FileSystem fs = maker.make(memory, platform);
    Mount mount = new Mount(fs, new Dentry(fs.root()), "tmpfs", 0);
    Container container =
        new Container(
            "test",
            new PidNamespace(),
            new UtsNamespace("testhost"),
            c -> new MountNamespace(mount));
    VfsPath root = new VfsPath(mount, mount.root);
    kernel.containers().put(container.id, container);
    newProcess(kernel, container, root, platform); // init
    return newProcess(kernel, container, root, platform);
  }

  private static FakeGuest newProcess(
      Kernel kernel, Container container, VfsPath root, FakePlatform platform) {
    MemoryManager mm = new MemoryManager(platform, kernel.memoryFile());
    FakePlatform.Space space = (FakePlatform.Space) mm.space();
    FakePlatform.Context context = new FakePlatform.Context(space);
    return new FakeGuest(
        TestTasks.newProcess(kernel, container, root, mm, context), context, space);
  }

  /** {@return a child process with a copy of this one's descriptors and memory} */
  public FakeGuest fork() {
    MemoryManager mm = task.mm().fork();
    FakePlatform.Space copy = (FakePlatform.Space) mm.space();
    FakePlatform.Context c = new FakePlatform.Context(copy);
    FakeGuest child = new FakeGuest(TestTasks.fork(task, mm, c), c, copy);
    child.next = next;
    return child;
  }

  /** {@return another thread of this process} Its {@link #space} begins 1 MiB further on. */
  public FakeGuest thread() {
    task.mm().share();
    FakePlatform.Context c = new FakePlatform.Context(space);
    FakeGuest t = new FakeGuest(TestTasks.newThread(task, c), c, space);
    t.next = next + (1 << 20);
    return t;
  }

  public Task task() {
    return task;
  }

  public Kernel kernel() {
    return task.kernel();
  }

  // ---- calls ----

  /** Makes system call {@code nr}. Returns its result: 0 or more, or -errno. */
  public long call(int nr, long... arguments) {
    var a = task.args();
    a.nr = nr;
    a.a0 = arguments.length > 0 ? arguments[0] : 0;
    a.a1 = arguments.length > 1 ? arguments[1] : 0;
    a.a2 = arguments.length > 2 ? arguments[2] : 0;
    a.a3 = arguments.length > 3 ? arguments[3] : 0;
    a.a4 = arguments.length > 4 ? arguments[4] : 0;
    a.a5 = arguments.length > 5 ? arguments[5] : 0;
    context.queuedFault = false;
    long r;
    try {
      r = Amd64Syscalls.dispatch(task, a);
    } catch (ErrnoException e) {
      return -e.errno();
    }
    return context.queuedFault ? -Errno.EFAULT : r;
  }

  /** As {@link #call}, for a call that must succeed. */
  public long ok(int nr, long... arguments) {
    long r = call(nr, arguments);
    assertTrue(r >= 0, () -> "call " + nr + " failed with " + Errno.name((int) -r));
    return r;
  }

  /** Makes a call that must fail with {@code errno}. */
  public void fails(int errno, int nr, long... arguments) {
    long r = call(nr, arguments);
    assertEquals(Errno.name(errno), r >= 0 ? "result " + r : Errno.name((int) -r), "call " + nr);
  }

  // ---- memory ----

  /** {@return the address of {@code bytes} zeroed bytes}, never given out again */
  public long space(long bytes) {
    long uaddr = next;
    next += (bytes + 15) & ~15;
    if (next > FakePlatform.BASE + FakePlatform.MEMORY_BYTES) {
      throw new IllegalStateException("the fake guest's memory is used up");
    }
    memory(uaddr, bytes).fill((byte) 0);
    return uaddr;
  }

  /** {@return an address at which nothing is mapped} */
  public static long bad() {
    return 0x1000;
  }

  /** {@return the address of {@code text} with a NUL, one byte a char} */
  public long text(String text) {
    byte[] b = Latin1.bytes(text);
    long uaddr = space(b.length + 1L);
    memory(uaddr, b.length).copyFrom(MemorySegment.ofArray(b));
    return uaddr;
  }

  /** {@return the address of a copy of {@code bytes}} */
  public long bytes(byte... bytes) {
    long uaddr = space(bytes.length);
    memory(uaddr, bytes.length).copyFrom(MemorySegment.ofArray(bytes));
    return uaddr;
  }

  /** {@return the address of these longs, one behind the other}: iovecs, timespecs, … */
  public long longs(long... values) {
    long uaddr = space(values.length * 8L);
    for (int i = 0; i < values.length; i++) {
      setLong(uaddr + i * 8L, values[i]);
    }
    return uaddr;
  }

  public long ints(int... values) {
    long uaddr = space(values.length * 4L);
    for (int i = 0; i < values.length; i++) {
      setInt(uaddr + i * 4L, values[i]);
    }
    return uaddr;
  }

  /** {@return guest memory itself} */
  public MemorySegment memory(long uaddr, long bytes) {
    return space.memory.asSlice(uaddr - FakePlatform.BASE, bytes);
  }

  public int getByte(long uaddr) {
    return memory(uaddr, 1).get(Memory.BYTE, 0) & 0xff;
  }

  public int getShort(long uaddr) {
    return memory(uaddr, 2).get(Memory.SHORT, 0);
  }

  public int getInt(long uaddr) {
    return memory(uaddr, 4).get(Memory.INT, 0);
  }

  public long getLong(long uaddr) {
    return memory(uaddr, 8).get(Memory.LONG, 0);
  }

  public void setShort(long uaddr, int value) {
    memory(uaddr, 2).set(Memory.SHORT, 0, (short) value);
  }

  public void setInt(long uaddr, int value) {
    memory(uaddr, 4).set(Memory.INT, 0, value);
  }

  public void setLong(long uaddr, long value) {
    memory(uaddr, 8).set(Memory.LONG, 0, value);
  }

  /** {@return {@code length} bytes as text} */
  public String string(long uaddr, long length) {
    return Latin1.string(memory(uaddr, length), 0, (int) length);
  }

  /** {@return the text up to a NUL} */
  public String string(long uaddr) {
    int n = 0;
    while (getByte(uaddr + n) != 0) {
      n++;
    }
    return string(uaddr, n);
  }
}
