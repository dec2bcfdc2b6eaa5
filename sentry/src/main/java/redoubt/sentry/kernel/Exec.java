package redoubt.sentry.kernel;

import static redoubt.abi.Errno.E2BIG;
import static redoubt.abi.Errno.EACCES;
import static redoubt.abi.Errno.ELOOP;
import static redoubt.abi.Errno.ENOEXEC;
import static redoubt.abi.Errno.ETXTBSY;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Elf;
import redoubt.abi.Nr;
import redoubt.abi.Resource;
import redoubt.abi.Signal;
import redoubt.host.Memory;
import redoubt.host.RawSyscall;
import redoubt.sentry.loader.ElfImage;
import redoubt.sentry.loader.ExecException;
import redoubt.sentry.loader.ProgramReader;
import redoubt.sentry.loader.Shebang;
import redoubt.sentry.loader.StackBuilder;
import redoubt.sentry.mm.Mappable;
import redoubt.sentry.mm.MemoryManager;
import redoubt.sentry.platform.GuestContext;
import redoubt.sentry.platform.Platform;
import redoubt.sentry.platform.PlatformException;
import redoubt.sentry.vfs.FileDescription;
import redoubt.sentry.vfs.FsNotify;
import redoubt.sentry.vfs.Mount;
import redoubt.sentry.vfs.Vfs;
import redoubt.sentry.vfs.VfsPath;

/**
 * A new program in a task: <a
 * href="https://man7.org/linux/man-pages/man2/execve.2.html">execve(2)</a>, fs/exec.c.
 */
public final class Exec {
  private static final int MAX_INTERPRETERS = 5;
  private static final long PAGE = 4096;
  private static final int S_ISUID = 04000;
  private static final int S_ISGID = 02000;

  /**
   * Where an interpreter or a PIE goes when nothing else decides: ELF_ET_DYN_BASE, two thirds of
   * the space.
   */
  private static final long DYN_BASE = 0x555555554000L;

  private static final int SECBIT_NOROOT = 1;
  private static final int SECBIT_KEEP_CAPS = 16;

  private final Kernel kernel;
  private final Task walker;
  private final MemorySegment scratch = Arena.ofAuto().allocate(ElfImage.SCRATCH_BYTES, 16);
  private final KernelIo io = new KernelIo(scratch, 0, 0);

  private String fileName;
  private List<byte[]> argv;
  private final List<byte[]> envp;

  /**
   * A program ready to run: an address space with one guest thread, and what the task takes over.
   */
  record Program(
      MemoryManager mm, GuestContext context, Credentials creds, VfsPath executable, String comm) {}

  private Exec(Task walker, String fileName, List<byte[]> argv, List<byte[]> envp) {
    this.kernel = walker.kernel();
    this.walker = walker;
    this.fileName = fileName;
    this.argv = argv;
    this.envp = envp;
  }

  /**
   * Replaces the program of {@code t}.
   *
   * @param file the place of the program, already found and checked
   * @param fileName what AT_EXECFN and a script's interpreter see
   * @return 0 with the new registers set, or -errno
   */
  public static long exec(
      Task t, VfsPath file, String fileName, List<byte[]> argv, List<byte[]> envp) {
    Program p;
    try {
      p = new Exec(t, fileName, argv, envp).load(file, t.creds(), () -> GroupExit.killOthers(t));
    } catch (ExecException e) {
      kernelNote(t, e.getMessage());
      return -e.errno();
    } catch (PlatformException e) {
      kernelNote(t, e.getMessage());
      return -e.errno();
    }
    become(t, p);
    return 0;
  }

  private static void kernelNote(Task t, @Nullable String why) {
    t.kernel().log().log(6, "exec by " + t + ": " + why);
  }

  private interface PointOfNoReturn {
    long pass();
  }

  private Program load(VfsPath file, Credentials creds, PointOfNoReturn point) {
    VfsPath program = file;
    byte[] head = new byte[Shebang.HEAD_BYTES];
    for (int i = 0; ; i++) {
      FileDescription f = openProgram(program);
      try {
        if (program.inode().hasWriters()) {
          throw ErrnoException.of(ETXTBSY);
        }
        int n = readHead(f, head);
        if (Shebang.isScript(head, n)) {
          if (i == MAX_INTERPRETERS) {
            throw ErrnoException.of(ELOOP);
          }
          program = interpreterOf(Shebang.parse(head, n));
          continue;
        }
        return loadElf(f, program, creds, point);
      } finally {
        f.decRef();
      }
    }
  }

  private FileDescription openProgram(VfsPath p) {
    FsNotify.askToExecute(walker, p);
    return p.inode().open(walker, p, FileDescription.O_RDONLY).openedForExec();
  }

  private int readHead(FileDescription f, byte[] head) {
    Arrays.fill(head, (byte) 0);
    long n = ErrnoException.check(reader(f).read(scratch, 0, head.length, 0));
    MemorySegment.copy(scratch, Memory.BYTE, 0, head, 0, (int) n);
    return (int) n;
  }

  private ProgramReader reader(FileDescription f) {
    return (dst, dstOffset, length, fileOffset) -> {
      io.reset(dst, dstOffset, length);
      return f.read(walker, io, fileOffset);
    };
  }

  private VfsPath interpreterOf(Shebang s) {
    List<byte[]> args = new ArrayList<>();
    args.add(Latin1.bytes(s.interpreter()));
    String argument = s.argument();
    if (argument != null) {
      args.add(Latin1.bytes(argument));
    }
    args.add(Latin1.bytes(fileName));
    for (int i = 1; i < argv.size(); i++) {
      args.add(argv.get(i));
    }
    argv = args;
    return Vfs.executable(
        walker, walker.startAt(redoubt.abi.Fcntl.AT_FDCWD, s.interpreter()), s.interpreter(), true);
  }

  private Program loadElf(
      FileDescription f, VfsPath program, Credentials creds, PointOfNoReturn point) {
    ElfImage image = ElfImage.parse(reader(f), scratch);
    String interp = image.interpreter();
    FileDescription interpFile = null;
    ElfImage interpImage = null;
    MemoryManager mm = null;
    try {
      if (interp != null) {
        VfsPath p =
            Vfs.executable(
                walker, walker.startAt(redoubt.abi.Fcntl.AT_FDCWD, interp), interp, true);
        interpFile = openProgram(p);
        interpImage = ElfImage.parseInterpreter(reader(interpFile), scratch);
      }
      long stackLimit = walker.threadGroup().limits.bound(Resource.RLIMIT_STACK);
      if (StackBuilder.check(argv, envp, Latin1.bytes(fileName), stackLimit) < 0) {
        throw ErrnoException.of(E2BIG);
      }
      ErrnoException.check(point.pass());
      mm = new MemoryManager(kernel.platform(), kernel.memoryFile());
      if (walker.tracing() != null) {
        mm.space().unpatch();
      }
      Credentials after = credentialsAfter(creds, program);
      GuestContext c = map(mm, f, image, interpFile, interpImage, after, stackLimit);
      MemoryManager done = mm;
      mm = null;
      String base = fileName.substring(fileName.lastIndexOf('/') + 1);
      return new Program(done, c, after, program, base);
    } finally {
      if (interpFile != null) {
        interpFile.decRef();
      }
      if (mm != null) {
        mm.leave();
      }
    }
  }

  private GuestContext map(
      MemoryManager mm,
      FileDescription f,
      ElfImage image,
      @Nullable FileDescription interpFile,
      @Nullable ElfImage interp,
      Credentials creds,
      long stackLimit) {
    Platform platform = kernel.platform();
    byte[] random = new byte[48];
    fillRandom(random);
    long max = platform.maxUserAddress();
    long stackTop = max - PAGE - (bits(random, 0) % (16L << 30)) / PAGE * PAGE;
    long gap = Math.min(Math.max(stackLimit, 128L << 20), max / 6 * 5);
    long mmapTop =
        stackTop
            - (gap + PAGE - 1) / PAGE * PAGE
            - (bits(random, 6) % (1L << 40)) / PAGE * PAGE
            - (256 * PAGE);
    long bias =
        image.isDynamic()
            ? alignUp(DYN_BASE + (bits(random, 12) % (1L << 40)) / PAGE * PAGE, image.align())
                - image.low()
            : 0;
    if (image.isDynamic() && interp == null) {
      // A static PIE or a directly run ld.so: below mmap's area, as Linux does for an interpreter.
      bias = alignUp(mmapTop - image.size() - (1L << 30), image.align()) - image.low();
    }
    mapImage(mm, f, image, bias);
    long entry = image.entry() + bias;
    long interpBase = 0;
    if (interp != null && interpFile != null) {
      interpBase =
          interp.isDynamic()
              ? (mmapTop - interp.size()) / interp.align() * interp.align() - interp.low()
              : 0;
      mapImage(mm, interpFile, interp, interpBase);
      entry = interp.entry() + interpBase;
    }
    long brk = alignUp(image.brk() + bias, PAGE) + (bits(random, 18) % (32L << 20)) / PAGE * PAGE;
    mm.setLayout(mmapTop, brk);
    mm.isStatic = interp == null;
    mm.codeStart = image.low() + bias;
    mm.codeEnd = image.high() + bias;
    mm.dataEnd = image.brk() + bias;
    int stackProt = image.execStack() ? 7 : 3;
    StackBuilder.Image stack =
        StackBuilder.build(
            stackTop,
            argv,
            envp,
            Latin1.bytes(fileName),
            auxv(image, bias, interpBase, image.entry() + bias, creds),
            Arrays.copyOfRange(random, 24, 40),
            (int) (bits(random, 40) & 0x1ff0));
    long stackBytes = Math.max(alignUp(stack.bytes().length, PAGE) + 128 * 1024, 132 * 1024);
    ErrnoException.check(
        mm.mapFixed(stackTop - stackBytes, stackBytes, stackProt, true, null, 0, null, "[stack]"));
    mm.stackTop = stackTop;
    mm.argStart = stack.argStart();
    mm.argEnd = stack.argEnd();
    mm.envStart = stack.argEnd();
    mm.envEnd = stack.envEnd();
    int argAt = (int) (stack.argStart() - stack.sp());
    mm.arguments = Arrays.copyOfRange(stack.bytes(), argAt, (int) (stack.envEnd() - stack.sp()));
    mm.auxv =
        Arrays.copyOfRange(
            stack.bytes(), stack.auxvOffset(), stack.auxvOffset() + stack.auxvBytes());
    GuestContext c = mm.space().newContext();
    try (Arena a = Arena.ofConfined()) {
      zeroTails(c, a, image, bias);
      if (interp != null) {
        zeroTails(c, a, interp, interpBase);
      }
      MemorySegment bytes = a.allocate(stack.bytes().length);
      MemorySegment.copy(stack.bytes(), 0, bytes, Memory.BYTE, 0, stack.bytes().length);
      if (c.copyOut(stack.sp(), bytes, 0, bytes.byteSize()) != bytes.byteSize()) {
        c.release();
        throw ErrnoException.of(ENOEXEC);
      }
    }
    c.setReg(GuestContext.RIP, entry);
    c.setReg(GuestContext.RSP, stack.sp());
    c.setReg(GuestContext.RFLAGS, 0x202);
    return c;
  }

  private void mapImage(MemoryManager mm, FileDescription f, ElfImage image, long bias) {
    Mappable file = f.mappable();
    if (file == null) {
      throw ErrnoException.of(EACCES);
    }
    for (ElfImage.Segment s : image.segments()) {
      if (s.fileLength() > 0) {
        ErrnoException.check(
            mm.mapFixed(
                s.start() + bias,
                s.fileLength(),
                s.prot(),
                false,
                file,
                s.fileOffset(),
                f.path(),
                null));
      }
      if (s.anonymousLength() > 0) {
        ErrnoException.check(
            mm.mapFixed(
                s.anonymousStart() + bias,
                s.anonymousLength(),
                s.prot(),
                false,
                null,
                0,
                null,
                null));
      }
    }
  }

  private static void zeroTails(GuestContext c, Arena a, ElfImage image, long bias) {
    for (ElfImage.Segment s : image.segments()) {
      if (s.zeroLength() > 0 && (s.prot() & 2) != 0) {
        c.copyOut(s.zeroStart() + bias, a.allocate(s.zeroLength()), 0, s.zeroLength());
      }
    }
  }

  private long[] auxv(ElfImage image, long bias, long interpBase, long entry, Credentials c) {
    List<Long> v = new ArrayList<>();
    if (kernel.platform().vdsoAddress() != 0 && !walker.namespaces().timeForChildren.hasOffsets()) {
      add(v, Elf.AT_SYSINFO_EHDR, kernel.platform().vdsoAddress());
    }
    add(v, Elf.AT_HWCAP, kernel.hwcap);
    add(v, Elf.AT_PAGESZ, PAGE);
    add(v, Elf.AT_CLKTCK, 100);
    add(v, Elf.AT_PHDR, image.phdrAddress() + bias);
    add(v, Elf.AT_PHENT, 56);
    add(v, Elf.AT_PHNUM, image.phdrCount());
    add(v, Elf.AT_BASE, interpBase);
    add(v, Elf.AT_FLAGS, 0);
    add(v, Elf.AT_ENTRY, entry);
    add(v, Elf.AT_UID, c.userNs.uidShown(c.ruid));
    add(v, Elf.AT_EUID, c.userNs.uidShown(c.euid));
    add(v, Elf.AT_GID, c.userNs.gidShown(c.rgid));
    add(v, Elf.AT_EGID, c.userNs.gidShown(c.egid));
    add(v, Elf.AT_SECURE, c.ruid != c.euid || c.rgid != c.egid ? 1 : 0);
    add(v, Elf.AT_HWCAP2, kernel.hwcap2);
    add(v, Elf.AT_MINSIGSTKSZ, Signal.SIZEOF_RT_SIGFRAME + kernel.platform().fpStateBytes() + 64);
    long[] out = new long[v.size()];
    for (int i = 0; i < out.length; i++) {
      out[i] = v.get(i);
    }
    return out;
  }

  private static void add(List<Long> v, long type, long value) {
    v.add(type);
    v.add(value);
  }

  /** Set-user-ID and the capability rules of execve: capabilities(7). */
  private Credentials credentialsAfter(Credentials c, VfsPath program) {
    Credentials.Builder b = c.toBuilder();
    UserNamespace ns = c.userNs;
    int rootUid = ns.kernelUid(0); // -1 is nobody's id
    Tracing tr = walker.tracing();
    boolean mayGain =
        !c.noNewPrivs
            && (tr == null || tr.tracer().hasCapability(ns, redoubt.abi.Caps.CAP_SYS_PTRACE))
            && (program.mount.flags() & Mount.MS_NOSUID) == 0
            && ns.isWithin(program.mount.fs.owner())
            && ns.uid(program.inode().uid()) != -1
            && ns.gid(program.inode().gid()) != -1;
    int mode = program.inode().mode();
    boolean gained = false;
    if (mayGain && (mode & S_ISUID) != 0) {
      b.euid = program.inode().uid();
      gained = b.euid != c.euid;
    }
    if (mayGain && (mode & (S_ISGID | 010)) == (S_ISGID | 010)) {
      b.egid = program.inode().gid();
      gained |= b.egid != c.egid;
    }
    b.suid = b.euid;
    b.fsuid = b.euid;
    b.sgid = b.egid;
    b.fsgid = b.egid;
    boolean root = (c.securebits & SECBIT_NOROOT) == 0 && (b.euid == rootUid || b.ruid == rootUid);
    FileCapabilities file = root || !mayGain ? null : FileCapabilities.of(program.inode(), ns);
    if (gained || file != null) {
      b.ambient = 0;
    }
    if (root) {
      b.permitted = c.inheritable | c.bounding;
      b.effective = b.euid == rootUid ? b.permitted : 0;
    } else if (file != null) {
      b.permitted = (c.inheritable & file.inheritable()) | (file.permitted() & c.bounding);
      if (file.effective() && (file.permitted() & ~b.permitted) != 0) {
        throw ErrnoException.of(redoubt.abi.Errno.EPERM);
      }
      b.effective = file.effective() ? b.permitted : 0;
    } else {
      b.permitted = b.ambient;
      b.effective = b.ambient;
    }
    b.securebits = c.securebits & ~SECBIT_KEEP_CAPS;
    return b.build();
  }

  private static long alignUp(long n, long align) {
    return (n + align - 1) & -align;
  }

  /** {@return 48 random bits at {@code at}} */
  private static long bits(byte[] random, int at) {
    long v = 0;
    for (int i = 0; i < 6; i++) {
      v = v << 8 | (random[at + i] & 0xff);
    }
    return v;
  }

  private void fillRandom(byte[] out) {
    RawSyscall.syscall(Nr.GETRANDOM, scratch.address(), out.length, 0);
    MemorySegment.copy(scratch, Memory.BYTE, 0, out, 0, out.length);
  }

  /** The task leaves its old program and takes over the new one. */
  private static void become(Task t, Program p) {
    ThreadGroup g = t.threadGroup();
    TaskMemory.leaveAtExit(t);
    MemoryManager oldMm = t.mm();
    GuestContext oldContext = t.context();
    becomeLeader(t);
    t.setImage(p.mm(), p.context());
    oldContext.release();
    oldMm.leave();
    t.setCreds(p.creds());
    Namespaces ns = t.namespaces();
    if (ns.time != ns.timeForChildren) {
      t.setNamespaces(ns.forChild()); // exec_task_namespaces
      ns.timeForChildren.enter();
    }
    if (g.handlers.users > 1) {
      g.handlers = g.handlers.copy();
    }
    g.handlers.resetForExec();
    g.timers.releaseForExec();
    t.setAltStack(0, Signal.SS_DISABLE, 0);
    t.clearChildTid = 0;
    t.robustList = 0;
    t.restartBlock = null;
    t.setComm(p.comm());
    g.executable = p.executable();
    p.mm().runs(p.executable().inode());
    g.dumpable = p.creds().euid == p.creds().ruid && p.creds().egid == p.creds().rgid;
    g.execed = true;
    if (t.fds().isShared()) {
      FdTable own = t.fds().copy();
      t.fds().leave(t);
      t.setFds(own);
    }
    t.fds().closeOnExec(t);
    t.execed = true;
    t.registersReplaced = true;
  }

  /** A thread that executes takes the process' number over. */
  private static void becomeLeader(Task t) {
    ThreadGroup g = t.threadGroup();
    if (g.leader == t) {
      return;
    }
    synchronized (t.kernel().tasks().mu) {
      Ptrace.forget(g.leader);
      CgroupMembers.numberFreed(g);
      t.pid().unuse();
      t.takeLeaderPid(g.pid());
      g.leader = t;
      g.pid().task = t;
    }
  }
}
