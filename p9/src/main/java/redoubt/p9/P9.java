package redoubt.p9;

/**
 * Numbers of the protocol: message types of 9P2000.L as Linux's {@code include/net/9p/9p.h} has
 * them, and ours from 200 on (docs/design/9p.md).
 *
 * <p>A message is {@code size[4] type[1] tag[2]} and a body, little-endian; a string is {@code
 * length[2]} and bytes. An answer's type is the request's plus one, or {@link #RLERROR}.
 */
public final class P9 {
  /** Bytes before the body. */
  public static final int HEADER = 7;

  public static final int RLERROR = 7;
  public static final int TSTATFS = 8;
  public static final int TLOPEN = 12;
  public static final int TLCREATE = 14;
  public static final int TSYMLINK = 16;
  public static final int TMKNOD = 18;
  public static final int TRENAME = 20;
  public static final int TREADLINK = 22;
  public static final int TGETATTR = 24;
  public static final int TSETATTR = 26;
  public static final int TXATTRWALK = 30;
  public static final int TXATTRCREATE = 32;
  public static final int TREADDIR = 40;
  public static final int TFSYNC = 50;
  public static final int TLOCK = 52;
  public static final int TGETLOCK = 54;
  public static final int TLINK = 70;
  public static final int TMKDIR = 72;
  public static final int TRENAMEAT = 74;
  public static final int TUNLINKAT = 76;
  public static final int TVERSION = 100;
  public static final int TATTACH = 104;
  public static final int TFLUSH = 108;
  public static final int TWALK = 110;
  public static final int TREAD = 116;
  public static final int TWRITE = 118;
  public static final int TCLUNK = 120;
  public static final int TREMOVE = 122;

  /** Walks many names, with a fid and attributes for each, and may open the last. */
  public static final int TWALKATTR = 200;

  /** Opens a regular file and donates its descriptor. */
  public static final int TOPENFD = 202;

  /** Creates a regular file, with owner, and donates its descriptor. */
  public static final int TCREATEFD = 204;

  /** Makes a directory with owner, fid and attributes. */
  public static final int TMKDIRATTR = 206;

  /** Makes a symlink with owner, fid and attributes. */
  public static final int TSYMLINKATTR = 208;

  /** Makes a special file with owner, fid and attributes. */
  public static final int TMKNODATTR = 210;

  /** renameat2(2) with its flags. */
  public static final int TRENAMEAT2 = 212;

  /** Directory entries with types, optionally attributes, and word of the end. */
  public static final int TREADDIRATTR = 214;

  /** setattr that answers with the attributes that result. */
  public static final int TSETATTRATTR = 216;

  public static final int TGETXATTR = 218;
  public static final int TSETXATTR = 220;
  public static final int TLISTXATTR = 222;
  public static final int TREMOVEXATTR = 224;

  /** Clunks many fids. */
  public static final int TCLUNKS = 226;

  /** Makes one more socket, which the gofer answers on one processor. */
  public static final int TLANE = 228;

  /** Lists several directories of one, and those below them, as far as there is room. */
  public static final int TREADDIRS = 230;

  public static final String VERSION_LINUX = "9P2000.L";
  public static final String VERSION_REDOUBT = "9P2000.L.redoubt";

  public static final int NOTAG = 0xffff;
  public static final int NOFID = -1;

  /** The largest message either side takes. */
  public static final int MSIZE_MAX = 256 * 1024;

  /** The smallest message size that a walk of {@link #WALK_MAX} names fits. */
  public static final int MSIZE_MIN = 16 * 1024;

  /** The usual message size: the largest extended attribute (64 KiB) and a header fit. */
  public static final int MSIZE_DEFAULT = 68 * 1024;

  /** Most names in one {@link #TWALKATTR}. */
  public static final int WALK_MAX = 32;

  /** Most names in one {@link #TWALK}: MAXWELEM. */
  public static final int TWALK_MAX = 16;

  /** Most names in one {@link #TREADDIRS}. */
  public static final int READDIRS_MAX = 64;

  /** {@code Rreaddirs}: the list belongs to a name of the request's fid. */
  public static final int READDIRS_TOP = 0xffff;

  /** Most fids in one {@link #TCLUNKS}. */
  public static final int CLUNK_MAX = 64;

  /** NAME_MAX. */
  public static final int NAME_MAX = 255;

  /** PATH_MAX, with the NUL: the bound of a symlink's target. */
  public static final int PATH_MAX = 4096;

  /** XATTR_SIZE_MAX. */
  public static final int XATTR_MAX = 65536;

  /** Fids are below this number, whoever asks. */
  public static final int FID_LIMIT = 1 << 20;

  /** {@link #TWALKATTR}: open the last name with the flags given, as {@link #TOPENFD} does. */
  public static final int WALK_OPEN = 1;

  /** {@code Rwalkattr}: a descriptor comes with the message. */
  public static final int GOT_FD = 1;

  /** {@code Rwalkattr}: the walk stopped at a symlink, whose target follows. */
  public static final int GOT_TARGET = 2;

  /** {@code Rcreatefd}: the file is new. */
  public static final int GOT_CREATED = 4;

  /** {@link #TREADDIRATTR}: add attributes to each entry. */
  public static final int READDIR_ATTR = 1;

  /** {@code Rreaddirattr}: there are no entries after these. */
  public static final int READDIR_END = 1;

  public static final int SETATTR_MODE = 1;
  public static final int SETATTR_UID = 2;
  public static final int SETATTR_GID = 4;
  public static final int SETATTR_SIZE = 8;
  public static final int SETATTR_ATIME = 0x10;
  public static final int SETATTR_MTIME = 0x20;
  public static final int SETATTR_CTIME = 0x40;
  public static final int SETATTR_ATIME_SET = 0x80;
  public static final int SETATTR_MTIME_SET = 0x100;
  public static final int SETATTR_ALL = 0x1ff;

  private P9() {}
}
