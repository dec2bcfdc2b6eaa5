package redoubt.sentry.platform;

import redoubt.host.Fd;

/** The source of guest address spaces. One per sandbox. */
public interface Platform extends AutoCloseable {
  /** Hears what the host does to guests. Called on a thread of the platform's, without locks. */
  interface Listener {
    /** The host process of {@code space} is gone, though nobody released it. */
    void died(AddressSpace space);

    /** Every guest is gone, and there will be no other. */
    void lost();
  }

  /** Tells {@code listener} from now on. */
  default void listen(Listener listener) {}

  /** {@return the lowest address that a guest may map}, in bytes, page-aligned */
  long minUserAddress();

  /** {@return the first address past what a guest may map}, page-aligned */
  long maxUserAddress();

  /**
   * {@return the guest address of the vDSO's ELF header (AT_SYSINFO_EHDR), or 0 when there is none}
   */
  long vdsoAddress();

  /** {@return bytes of a saved FP state as XSAVE writes it}, up to {@link GuestContext#FP_LIMIT} */
  int fpStateBytes();

  /**
   * {@return an address space with nothing mapped} Taken from a pool where there is one.
   *
   * @throws PlatformException if the host has no process, memory or descriptor for it
   */
  AddressSpace newAddressSpace();

  /**
   * Makes a host file mappable by {@link MapBatch}. The platform duplicates it: the caller keeps
   * {@code fd}. Import each file once and keep the result with the inode.
   *
   * @return a number for {@link MapBatch#mapFile}
   * @throws PlatformException if the host has no descriptor left
   */
  int importFd(Fd fd);

  /** Ends the life of an imported number. Mappings made of it stay. */
  void releaseFd(int imported);

  /** Takes back what all contexts were granted ({@link GuestContext#withdrawGrants}). */
  default void withdrawGrants() {}

  /** Kills every guest thread and address space. Idempotent. */
  @Override
  void close();
}
