package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EFAULT;
import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;

import redoubt.abi.Mman;
import redoubt.abi.Nr;
import redoubt.host.Memory;
import redoubt.host.RawSyscall;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;

/**
 * Barriers between threads, and NUMA policies, which are kept and mean nothing: a sandbox has one
 * node, whatever the host has.
 */
final class MemoryPolicies {
  private static final int MODE_FLAGS =
      Mman.MPOL_F_STATIC_NODES | Mman.MPOL_F_RELATIVE_NODES | Mman.MPOL_F_NUMA_BALANCING;
  private static final int MEMBARRIER_COMMANDS =
      Mman.MEMBARRIER_CMD_GLOBAL
          | Mman.MEMBARRIER_CMD_GLOBAL_EXPEDITED
          | Mman.MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
          | Mman.MEMBARRIER_CMD_PRIVATE_EXPEDITED
          | Mman.MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;

  private MemoryPolicies() {}

  /**
   * <a href="https://man7.org/linux/man-pages/man2/membarrier.2.html">membarrier(2)</a>: guest
   * threads are host threads, so the host's barrier across all threads is one across the guest's.
   */
  static long membarrier(Task t, Args a) {
    if (a.int1() != 0) {
      return -EINVAL;
    }
    switch (a.int0()) {
      case Mman.MEMBARRIER_CMD_QUERY -> {
        return MEMBARRIER_COMMANDS;
      }
      case Mman.MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED -> {
        t.mm().membarrierRegistered = true;
        return 0;
      }
      case Mman.MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED -> {
        return 0;
      }
      case Mman.MEMBARRIER_CMD_PRIVATE_EXPEDITED -> {
        if (!t.mm().membarrierRegistered) {
          return -EPERM;
        }
        return barrier();
      }
      case Mman.MEMBARRIER_CMD_GLOBAL, Mman.MEMBARRIER_CMD_GLOBAL_EXPEDITED -> {
        return barrier();
      }
      default -> {
        return -EINVAL;
      }
    }
  }

  private static long barrier() {
    return Math.min(RawSyscall.syscall(Nr.MEMBARRIER, Mman.MEMBARRIER_CMD_GLOBAL, 0, 0), 0);
  }

  /** {@return bit 0 of the node mask, -EFAULT, or -EINVAL for nodes that are not there} */
  static long nodes(Task t, long umask, long maxNode) {
    long bits = maxNode - 1; // mm/mempolicy.c get_nodes counts one less
    if (umask == 0 || bits <= 0) {
      return 0;
    }
    if (bits > 8 * 4096) {
      return -EINVAL;
    }
    long bytes = (bits + 63) / 64 * 8;
    if (t.copyInScratch(umask, bytes) < 0) {
      return -EFAULT;
    }
    for (long i = 0; i < bytes; i++) {
      int b = t.scratch().get(Memory.BYTE, i) & 0xff;
      if ((i == 0 ? b & ~1 : b) != 0) {
        return -EINVAL;
      }
    }
    return t.scratch().get(Memory.BYTE, 0) & 1;
  }

  /** {@return 0 if {@code mode} goes with {@code nodes}, else -EINVAL} */
  private static long check(int mode, long nodes) {
    return switch (mode & ~MODE_FLAGS) {
      case Mman.MPOL_DEFAULT, Mman.MPOL_LOCAL ->
          nodes != 0 || (mode & MODE_FLAGS) != 0 ? -EINVAL : 0;
      case Mman.MPOL_PREFERRED -> 0;
      case Mman.MPOL_BIND,
          Mman.MPOL_INTERLEAVE,
          Mman.MPOL_PREFERRED_MANY,
          Mman.MPOL_WEIGHTED_INTERLEAVE ->
          nodes == 0 ? -EINVAL : 0;
      default -> -EINVAL;
    };
  }

  /** <a href="https://man7.org/linux/man-pages/man2/set_mempolicy.2.html">set_mempolicy(2)</a>. */
  static long setMempolicy(Task t, Args a) {
    int mode = a.int0();
    long nodes = nodes(t, a.a1, a.a2);
    if (nodes < 0) {
      return nodes;
    }
    long r = check(mode, nodes);
    if (r == 0) {
      t.memoryPolicy = mode;
      t.memoryNodes = nodes;
    }
    return r;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/mbind.2.html">mbind(2)</a>. */
  static long mbind(Task t, Args a) {
    if ((a.a0 & (Memory.PAGE - 1)) != 0 || (a.int5() & ~7) != 0) {
      return -EINVAL;
    }
    long nodes = nodes(t, a.a3, a.a4);
    if (nodes < 0) {
      return nodes;
    }
    long r = check(a.int2(), nodes);
    if (r < 0 || a.a1 == 0) {
      return r;
    }
    long length = (a.a1 + Memory.PAGE - 1) & -Memory.PAGE;
    if (length <= 0 || a.a0 + length < a.a0) {
      return -EINVAL;
    }
    int mode = a.int2() & ~MODE_FLAGS;
    mode = mode == Mman.MPOL_PREFERRED && nodes == 0 ? Mman.MPOL_LOCAL : mode;
    return t.mm().setPolicy(a.a0, length, mode == Mman.MPOL_DEFAULT ? -1 : mode);
  }

  /**
   * <a
   * href="https://man7.org/linux/man-pages/man2/set_mempolicy_home_node.2.html">set_mempolicy_home_node(2)</a>:
   * the one node is every mapping's home.
   */
  static long setMempolicyHomeNode(Task t, Args a) {
    long length = (a.a1 + Memory.PAGE - 1) & -Memory.PAGE;
    if ((a.a0 & (Memory.PAGE - 1)) != 0 || a.a3 != 0 || a.a2 != 0 || a.a0 + length < a.a0) {
      return -EINVAL;
    }
    return length == 0
        ? 0
        : t.mm().checkHomeNode(a.a0, length, Mman.MPOL_BIND, Mman.MPOL_PREFERRED_MANY);
  }

  /** {@return the node mask of a mapping's policy}: the one node, where the mode names any */
  private static int nodesOf(int mode) {
    return mode == Mman.MPOL_DEFAULT || mode == Mman.MPOL_LOCAL ? 0 : 1;
  }

  /** <a href="https://man7.org/linux/man-pages/man2/get_mempolicy.2.html">get_mempolicy(2)</a>. */
  static long getMempolicy(Task t, Args a) {
    long flags = a.a4;
    boolean allowed = flags == Mman.MPOL_F_MEMS_ALLOWED;
    boolean node = (flags & Mman.MPOL_F_NODE) != 0;
    boolean address = (flags & Mman.MPOL_F_ADDR) != 0;
    if ((flags & ~7L) != 0 || (!allowed && (flags & Mman.MPOL_F_MEMS_ALLOWED) != 0)) {
      return -EINVAL;
    }
    if (a.a1 != 0 && a.a2 < 1) {
      return -EINVAL;
    }
    if (address ? t.mm().checkMapped(a.a3 & -Memory.PAGE, Memory.PAGE) < 0 : a.a3 != 0) {
      return address ? -EFAULT : -EINVAL;
    }
    boolean interleaves = (t.memoryPolicy & ~MODE_FLAGS) == Mman.MPOL_INTERLEAVE;
    if (node && !address && !interleaves) {
      return -EINVAL;
    }
    int mode = address ? Math.max(0, t.mm().policyAt(a.a3)) : t.memoryPolicy;
    if (a.a0 != 0) {
      long r = t.copyOutInt(a.a0, allowed || node ? 0 : mode);
      if (r < 0) {
        return r;
      }
    }
    if (a.a1 == 0) {
      return 0;
    }
    int bytes = (int) ((Math.min(a.a2, 8 * 4096) + 63) / 64 * 8);
    t.scratch().asSlice(0, bytes).fill((byte) 0);
    t.scratch().set(Memory.BYTE, 0, (byte) (allowed ? 1 : address ? nodesOf(mode) : t.memoryNodes));
    return t.copyOutScratch(a.a1, bytes);
  }
}
