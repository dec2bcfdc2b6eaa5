package redoubt.abi;

/** Extended attributes: flags, limits and prefixes of xattr(7). */
public final class Xattr {
  public static final int XATTR_CREATE = 1;
  public static final int XATTR_REPLACE = 2;

  private Xattr() {}

  public static final String XATTR_USER_PREFIX = "user.";
  public static final String XATTR_TRUSTED_PREFIX = "trusted.";
  public static final String XATTR_SECURITY_PREFIX = "security.";
  public static final String XATTR_SYSTEM_PREFIX = "system.";
  public static final String XATTR_NAME_CAPS = "security.capability";
  public static final String XATTR_NAME_POSIX_ACL_ACCESS = "system.posix_acl_access";
  public static final String XATTR_NAME_POSIX_ACL_DEFAULT = "system.posix_acl_default";
}
