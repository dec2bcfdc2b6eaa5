package redoubt.sentry.platform.systrap;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import redoubt.abi.Nr;
import redoubt.host.Fd;
import redoubt.host.HostException;
import redoubt.host.Memory;
import redoubt.host.RawSyscall;
import redoubt.sentry.platform.AddressSpace;
import redoubt.sentry.platform.GuestContext;
import redoubt.sentry.platform.MapBatch;
import redoubt.sentry.platform.Platform;

/** A kernel of some dozen calls, enough to prove and measure a platform alone. */
final class MiniKernel {
  final Platform platform;
  final ByteArrayOutputStream output = new ByteArrayOutputStream();
  final List<String> faults = new ArrayList<>();
  final AtomicLong calls = new AtomicLong();
  private final AtomicInteger nextPid = new AtomicInteger(1);
  private final Map<Integer, Proc> procs = new HashMap<>();
  volatile Proc init;

  /** What to do with a system call that this kernel does not know. */
  interface Extra {
    long call(Task t, long nr);
  }

  /** Whether the guest's text is a mapping of its file, which the platform may patch. */
  boolean mapText = true;

  /** Whether getppid is answered by the platform. */
  boolean answerGetppid;

  boolean quiet;

  /** Whether this kernel knows no call but exit and those of {@link #extra}. */
  boolean refuse;

  private int imported;

  Extra extra = (t, nr) -> -38;

  MiniKernel(Platform platform) {
    this.platform = platform;
  }

  final class Proc {
    final int pid;
    final AddressSpace space;
    final AtomicInteger threads = new AtomicInteger();
    final List<Task> tasks = new ArrayList<>();
    long mmapTop = 0x7000_0000_0000L;
    volatile int status = -1;
    volatile boolean exiting;

    Proc(int pid, AddressSpace space) {
      this.pid = pid;
      this.space = space;
    }
  }

  final class Task implements Runnable {
    final Proc proc;
    final GuestContext c;
    final MapBatch batch = new MapBatch();
    final MemorySegment buffer = Arena.ofAuto().allocate(65536, 8);
    volatile int interrupts;

    Task(Proc proc, GuestContext c) {
      this.proc = proc;
      this.c = c;
      proc.threads.incrementAndGet();
      synchronized (proc.tasks) {
        proc.tasks.add(this);
      }
    }

    @Override
    public void run() {
      try {
        loop();
      } catch (Throwable t) {
        t.printStackTrace();
        proc.status = 0xdead;
      }
      c.release();
      if (proc.threads.decrementAndGet() == 0) {
        proc.space.release();
        if (proc.status == -1) {
          proc.status = 9;
        }
        synchronized (procs) {
          procs.notifyAll();
        }
      }
    }

    private void loop() {
      while (true) {
        int event = c.run();
        switch (event) {
          case GuestContext.SYSCALL -> {
            calls.incrementAndGet();
            long nr = c.reg(GuestContext.RAX);
            if (nr == 60) {
              return;
            }
            if (nr == 231) {
              exitGroup((int) c.reg(GuestContext.RDI) << 8);
              return;
            }
            c.setReg(GuestContext.RAX, call(nr));
            if (proc.exiting) {
              return;
            }
          }
          case GuestContext.FAULT -> {
            if (c.reg(GuestContext.RCX) > 15 || faults.size() > 20) {
              if (!quiet)
                System.err.printf(
                    "fault %d code %d at %x rip %x rsp %x%n",
                    c.faultSignal(),
                    c.faultCode(),
                    c.faultAddress(),
                    c.reg(GuestContext.RIP),
                    c.reg(GuestContext.RSP));
              exitGroup(c.faultSignal());
              return;
            }
            faults.add(
                c.faultSignal()
                    + " "
                    + c.faultCode()
                    + " "
                    + c.faultTrap()
                    + " "
                    + c.faultErrorCode()
                    + " "
                    + Long.toHexString(c.faultAddress()));
            c.setReg(GuestContext.RIP, c.reg(GuestContext.RIP) + c.reg(GuestContext.RCX));
          }
          case GuestContext.INTERRUPTED -> {
            interrupts++;
            if (proc.exiting) {
              return;
            }
          }
          case GuestContext.SYSCALL_COPY_FAULT -> c.setReg(GuestContext.RAX, -14);
          default -> {
            return;
          }
        }
      }
    }

    private void exitGroup(int status) {
      proc.status = status;
      proc.exiting = true;
      synchronized (proc.tasks) {
        for (Task t : proc.tasks) {
          if (t != this) {
            t.c.interrupt();
          }
        }
      }
    }

    private long call(long nr) {
      long a = c.reg(GuestContext.RDI);
      long b = c.reg(GuestContext.RSI);
      long d = c.reg(GuestContext.RDX);
      if (refuse) {
        return extra.call(this, nr);
      }
      switch ((int) nr) {
        case 1 -> {
          long n = c.copyIn(b, buffer, 0, Math.min(d, 65536));
          synchronized (output) {
            output.writeBytes(buffer.asSlice(0, n).toArray(Memory.BYTE));
          }
          return n == 0 && d != 0 ? -14 : n;
        }
        case 9 -> {
          proc.mmapTop -= b;
          batch.clear();
          batch.mapAnonymous(proc.mmapTop, b, (int) d, false);
          long r = proc.space.apply(batch);
          return r < 0 ? r : proc.mmapTop;
        }
        case 11 -> {
          batch.clear();
          batch.unmap(a, b);
          return proc.space.apply(batch);
        }
        case 24, 110 -> {
          return 1;
        }
        case 56 -> {
          GuestContext child = proc.space.newContext();
          copyRegs(c, child);
          child.setReg(GuestContext.RSP, b);
          start(new Task(proc, child));
          return 1000;
        }
        case 57 -> {
          AddressSpace copy = proc.space.fork();
          Proc p = new Proc(nextPid.incrementAndGet(), copy);
          p.mmapTop = proc.mmapTop;
          GuestContext child = copy.newContext();
          copyRegs(c, child);
          int n = c.saveFpState(buffer, 0);
          child.loadFpState(buffer, 0, n);
          synchronized (procs) {
            procs.put(p.pid, p);
          }
          start(new Task(p, child));
          return p.pid;
        }
        case 61 -> {
          Proc p;
          synchronized (procs) {
            p = procs.get((int) a);
            try {
              while (p.status == -1 || p.threads.get() != 0) {
                procs.wait();
              }
            } catch (InterruptedException e) {
              return -4;
            }
            procs.remove(p.pid);
          }
          buffer.set(Memory.INT, 0, p.status);
          return c.copyOut(b, buffer, 0, 4) == 4 ? p.pid : -14;
        }
        case 158 -> {
          c.setReg(a == 0x1001 ? GuestContext.GS_BASE : GuestContext.FS_BASE, b);
          return 0;
        }
        case 79 -> {
          if (b < 0 || b > buffer.byteSize()) {
            return -34;
          }
          buffer.asSlice(0, b).fill((byte) 'c');
          return c.queueCopyOut(a, buffer, 0, b) ? b : -14;
        }
        case 80 -> {
          return c.copyInString(a, buffer, 0, 8192);
        }
        case 10000 -> {
          return c.compareAndSwapInt(a, (int) b, (int) d);
        }
        default -> {
          return extra.call(this, nr);
        }
      }
    }
  }

  static void copyRegs(GuestContext from, GuestContext to) {
    for (int i = 0; i < GuestContext.REGS; i++) {
      to.setReg(i, from.reg(i));
    }
    to.setReg(GuestContext.RAX, 0);
  }

  void start(Task t) {
    Thread.ofPlatform().daemon().name("task").start(t);
  }

  /** Loads the test guest and starts program {@code which}. */
  Proc exec(long... arguments) {
    try {
      byte[] elf = Files.readAllBytes(Path.of(System.getProperty("redoubt.native"), "testguest"));
      ByteBuffer h = ByteBuffer.wrap(elf).order(ByteOrder.LITTLE_ENDIAN);
      AddressSpace space = platform.newAddressSpace();
      MapBatch batch = new MapBatch();
      MapBatch protect = new MapBatch();
      MapBatch text = new MapBatch();
      int n = h.getShort(56);
      List<long[]> loads = new ArrayList<>();
      for (int i = 0; i < n; i++) {
        int at = (int) h.getLong(32) + i * 56;
        if (h.getInt(at) != 1) {
          continue;
        }
        int flags = h.getInt(at + 4);
        long va = h.getLong(at + 16);
        if ((flags & 1) != 0 && mapText) {
          text.mapFile(
              va & -4096,
              h.getLong(at + 32) + 4095 & -4096,
              5,
              false,
              imported(),
              h.getLong(at + 8) & -4096);
          continue;
        }
        long start = va & -4096;
        long end = va + h.getLong(at + 40) + 4095 & -4096;
        batch.mapAnonymous(start, end - start, 3, false);
        protect.protect(start, end - start, (flags & 4) / 4 | (flags & 2) | (flags & 1) * 4);
        loads.add(new long[] {va, h.getLong(at + 8), h.getLong(at + 32)});
      }
      long stack = 0x7ffe_0000_0000L;
      batch.mapAnonymous(stack, 0x10000, 3, false);
      check(space.apply(batch));
      for (long[] l : loads) {
        MemorySegment bytes = MemorySegment.ofArray(elf);
        if (space.copyOut(l[0], bytes, l[1], l[2]) != l[2]) {
          throw new IllegalStateException("cannot load the guest");
        }
      }
      check(space.apply(protect));
      check(space.apply(text));
      GuestContext c = space.newContext();
      c.setReg(GuestContext.RIP, h.getLong(24));
      c.setReg(GuestContext.RSP, stack + 0xff00);
      int[] order = {
        GuestContext.RDI, GuestContext.RSI, GuestContext.RDX, GuestContext.RCX, GuestContext.R8
      };
      for (int i = 0; i < arguments.length; i++) {
        c.setReg(order[i], arguments[i]);
      }
      c.setReg(GuestContext.RFLAGS, 0x202);
      if (answerGetppid) {
        c.setAnswer(110, 1);
      }
      Proc p = new Proc(nextPid.incrementAndGet(), space);
      synchronized (procs) {
        procs.put(p.pid, p);
      }
      init = p;
      start(new Task(p, c));
      return p;
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private int imported() {
    if (imported == 0) {
      try (Arena arena = Arena.ofConfined()) {
        String path = Path.of(System.getProperty("redoubt.native"), "testguest").toString();
        long r = RawSyscall.syscall(Nr.OPEN, Memory.cString(arena, path).address(), 0x80000);
        try (Fd fd = new Fd((int) HostException.check("open " + path, r))) {
          imported = platform.importFd(fd);
        }
      }
    }
    return imported;
  }

  private static void check(long r) {
    if (r != 0) {
      throw new IllegalStateException("map failed: " + r);
    }
  }

  /** Waits for {@code p}; returns its wait status. */
  int await(Proc p) throws InterruptedException {
    long deadline = System.nanoTime() + 60_000_000_000L;
    synchronized (procs) {
      while (p.status == -1 || p.threads.get() != 0) {
        long left = (deadline - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
          throw new IllegalStateException("the guest hangs");
        }
        procs.wait(left);
      }
    }
    return p.status;
  }

  /** Runs a hostile program for at most {@code ms}, then ends it. Returns its status. */
  int runBounded(long ms, long... arguments) throws InterruptedException {
    Proc p = exec(arguments);
    synchronized (procs) {
      long deadline = System.nanoTime() + ms * 1_000_000;
      while (p.status == -1 || p.threads.get() != 0) {
        long left = (deadline - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
          break;
        }
        procs.wait(left);
      }
    }
    if (p.status == -1 || p.threads.get() != 0) {
      p.exiting = true;
      p.space.release();
    }
    return await(p);
  }

  /** {@return the processes that nobody has waited for} */
  List<Proc> all() {
    synchronized (procs) {
      return List.copyOf(procs.values());
    }
  }

  void killAll() throws InterruptedException {
    for (Proc p : all()) {
      p.exiting = true;
      p.space.release();
      await(p);
    }
    synchronized (procs) {
      procs.clear();
    }
  }

  int run(long... arguments) throws InterruptedException {
    return await(exec(arguments));
  }
}
