package redoubt.abi;

/** userfaultfd(2), ioctl_userfaultfd(2). */
public final class Userfaultfd {
  public static final int UFFD_USER_MODE_ONLY = 1;
  public static final int UFFD_API = 0xaa;
  public static final int UFFDIO_API = 0xc018aa3f;
  public static final int UFFDIO_REGISTER = 0xc020aa00;
  public static final int UFFDIO_UNREGISTER = 0x8010aa01;
  public static final int UFFDIO_WAKE = 0x8010aa02;
  public static final int UFFDIO_COPY = 0xc028aa03;
  public static final int UFFDIO_ZEROPAGE = 0xc020aa04;
  public static final int UFFD_FEATURE_SIGBUS = 0x80;
  public static final int UFFD_FEATURE_THREAD_ID = 0x100;
  public static final int UFFD_FEATURE_EXACT_ADDRESS = 0x800;
  public static final int UFFDIO_REGISTER_MODE_MISSING = 1;
  public static final int UFFDIO_COPY_MODE_DONTWAKE = 1;
  public static final int UFFDIO_ZEROPAGE_MODE_DONTWAKE = 1;
  public static final int UFFD_EVENT_PAGEFAULT = 0x12;
  public static final int UFFD_PAGEFAULT_FLAG_WRITE = 1;
  public static final int UFFD_MSG_FLAGS = 8;
  public static final int UFFD_MSG_ADDRESS = 16;
  public static final int UFFD_MSG_PTID = 24;
  public static final int SIZEOF_UFFD_MSG = 32;

  private Userfaultfd() {}
}
