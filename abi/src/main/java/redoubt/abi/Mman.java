package redoubt.abi;

/**
 * Memory mappings: mmap(2), mremap(2), madvise(2), msync(2), mlock(2), memfd_create(2), pkeys and
 * NUMA policy.
 */
public final class Mman {
  // Protection.
  public static final int PROT_NONE = 0;
  public static final int PROT_READ = 1;
  public static final int PROT_WRITE = 2;
  public static final int PROT_EXEC = 4;
  public static final int PROT_SEM = 8;
  public static final int PROT_GROWSDOWN = 0x1000000;
  public static final int PROT_GROWSUP = 0x2000000;

  // mmap(2) flags.
  public static final int MAP_FILE = 0;
  public static final int MAP_SHARED = 1;
  public static final int MAP_PRIVATE = 2;
  public static final int MAP_SHARED_VALIDATE = 3;
  public static final int MAP_TYPE = 0xf;
  public static final int MAP_FIXED = 0x10;
  public static final int MAP_HUGE_SHIFT = 0x1a;
  public static final int MAP_ANONYMOUS = 0x20;
  public static final int MAP_HUGE_MASK = 0x3f;
  public static final int MAP_32BIT = 0x40;
  public static final int MAP_ABOVE4G = 0x80;
  public static final int MAP_GROWSDOWN = 0x100;
  public static final int MAP_DENYWRITE = 0x800;
  public static final int MAP_EXECUTABLE = 0x1000;
  public static final int MAP_LOCKED = 0x2000;
  public static final int MAP_NORESERVE = 0x4000;
  public static final int MAP_POPULATE = 0x8000;
  public static final int MAP_NONBLOCK = 0x10000;
  public static final int MAP_STACK = 0x20000;
  public static final int MAP_HUGETLB = 0x40000;
  public static final int MAP_SYNC = 0x80000;
  public static final int MAP_FIXED_NOREPLACE = 0x100000;
  public static final int MAP_UNINITIALIZED = 0x4000000;
  public static final int MAP_DROPPABLE = 0x08;
  public static final int MAP_HUGE_2MB = 0x54000000;
  public static final int MAP_HUGE_1GB = 0x78000000;

  /** What MAP_SHARED_VALIDATE knows without the file's help: include/linux/mman.h. */
  public static final int LEGACY_MAP_MASK =
      MAP_SHARED
          | MAP_PRIVATE
          | MAP_FIXED
          | MAP_ANONYMOUS
          | MAP_DENYWRITE
          | MAP_EXECUTABLE
          | MAP_UNINITIALIZED
          | MAP_GROWSDOWN
          | MAP_LOCKED
          | MAP_NORESERVE
          | MAP_POPULATE
          | MAP_NONBLOCK
          | MAP_STACK
          | MAP_HUGETLB
          | MAP_32BIT
          | MAP_ABOVE4G
          | MAP_HUGE_2MB
          | MAP_HUGE_1GB;

  // mremap(2), msync(2), mlock2(2), mlockall(2).
  public static final int MREMAP_MAYMOVE = 1;
  public static final int MREMAP_FIXED = 2;
  public static final int MREMAP_DONTUNMAP = 4;
  public static final int MS_ASYNC = 1;
  public static final int MS_INVALIDATE = 2;
  public static final int MS_SYNC = 4;
  public static final int MLOCK_ONFAULT = 1;
  public static final int MCL_CURRENT = 1;
  public static final int MCL_FUTURE = 2;
  public static final int MCL_ONFAULT = 4;

  // madvise(2).
  public static final int MADV_NORMAL = 0;
  public static final int MADV_RANDOM = 1;
  public static final int MADV_SEQUENTIAL = 2;
  public static final int MADV_WILLNEED = 3;
  public static final int MADV_DONTNEED = 4;
  public static final int MADV_FREE = 8;
  public static final int MADV_REMOVE = 9;
  public static final int MADV_DONTFORK = 10;
  public static final int MADV_DOFORK = 11;
  public static final int MADV_MERGEABLE = 12;
  public static final int MADV_UNMERGEABLE = 13;
  public static final int MADV_HUGEPAGE = 14;
  public static final int MADV_NOHUGEPAGE = 15;
  public static final int MADV_DONTDUMP = 16;
  public static final int MADV_DODUMP = 17;
  public static final int MADV_WIPEONFORK = 18;
  public static final int MADV_KEEPONFORK = 19;
  public static final int MADV_COLD = 20;
  public static final int MADV_PAGEOUT = 21;
  public static final int MADV_POPULATE_READ = 22;
  public static final int MADV_POPULATE_WRITE = 23;
  public static final int MADV_DONTNEED_LOCKED = 24;
  public static final int MADV_COLLAPSE = 25;
  public static final int MADV_HWPOISON = 100;
  public static final int MADV_SOFT_OFFLINE = 101;

  // memfd_create(2).
  public static final int MFD_CLOEXEC = 1;
  public static final int MFD_ALLOW_SEALING = 2;
  public static final int MFD_HUGETLB = 4;
  public static final int MFD_NOEXEC_SEAL = 8;
  public static final int MFD_EXEC = 0x10;
  public static final int MFD_HUGE_SHIFT = 0x1a;
  public static final int MFD_HUGE_MASK = 0x3f;

  // Protection keys.
  public static final int PKEY_DISABLE_ACCESS = 1;
  public static final int PKEY_DISABLE_WRITE = 2;
  public static final int PKEY_ACCESS_MASK = 3;

  // NUMA: set_mempolicy(2), mbind(2), get_mempolicy(2).
  public static final int MPOL_DEFAULT = 0;
  public static final int MPOL_PREFERRED = 1;
  public static final int MPOL_BIND = 2;
  public static final int MPOL_INTERLEAVE = 3;
  public static final int MPOL_LOCAL = 4;
  public static final int MPOL_PREFERRED_MANY = 5;
  public static final int MPOL_WEIGHTED_INTERLEAVE = 6;
  public static final int MPOL_F_STATIC_NODES = 0x8000;
  public static final int MPOL_F_RELATIVE_NODES = 0x4000;
  public static final int MPOL_F_NUMA_BALANCING = 0x2000;
  public static final int MPOL_F_NODE = 1;
  public static final int MPOL_F_ADDR = 2;
  public static final int MPOL_F_MEMS_ALLOWED = 4;
  public static final int MPOL_MF_STRICT = 1;
  public static final int MPOL_MF_MOVE = 2;
  public static final int MPOL_MF_MOVE_ALL = 4;

  // x86-64's user half with four levels: TASK_SIZE_MAX, without the guard page.
  public static final long TASK_SIZE = 0x7ffffffff000L;
  public static final int MMAP_MIN_ADDR = 0x10000;
  public static final int PAGE_SIZE = 4096;

  // membarrier(2).
  public static final int MEMBARRIER_CMD_QUERY = 0;
  public static final int MEMBARRIER_CMD_GLOBAL = 1;
  public static final int MEMBARRIER_CMD_GLOBAL_EXPEDITED = 2;
  public static final int MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED = 4;
  public static final int MEMBARRIER_CMD_PRIVATE_EXPEDITED = 8;
  public static final int MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED = 0x10;
  public static final int MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE = 0x20;
  public static final int MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE = 0x40;
  public static final int MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ = 0x80;
  public static final int MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ = 0x100;
  public static final int MEMBARRIER_CMD_SHARED = 1;
  public static final int MEMBARRIER_CMD_FLAG_CPU = 1;
  public static final int MEMBARRIER_CMD_GET_REGISTRATIONS = 0x200;

  private Mman() {}
}
