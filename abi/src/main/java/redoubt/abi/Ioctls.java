package redoubt.abi;

/** Numbers of ioctl(2) that are not a terminal's: files, block devices, network interfaces. */
public final class Ioctls {
  // Any descriptor.
  public static final int FIOCLEX = 0x5451;
  public static final int FIONCLEX = 0x5450;
  public static final int FIONBIO = 0x5421;
  public static final int FIOASYNC = 0x5452;
  public static final int FIOQSIZE = 0x5460;
  public static final int FIONREAD = 0x541b;

  // Files.
  public static final int FIBMAP = 1;
  public static final int FIGETBSZ = 2;
  public static final int FICLONE = 0x40049409;
  public static final int FICLONERANGE = 0x4020940d;
  public static final int FIDEDUPERANGE = 0xc0189436;
  public static final int FIFREEZE = 0xc0045877;
  public static final int FITHAW = 0xc0045878;
  public static final int FITRIM = 0xc0185879;
  public static final int FS_IOC_GETFLAGS = 0x80086601;
  public static final int FS_IOC_SETFLAGS = 0x40086602;
  public static final int FS_IOC_GETVERSION = 0x80087601;
  public static final int FS_IOC_SETVERSION = 0x40087602;
  public static final int FS_IOC_FSGETXATTR = 0x801c581f;
  public static final int FS_IOC_FSSETXATTR = 0x401c5820;
  public static final int FS_IOC_GETFSLABEL = 0x81009431;
  public static final int FS_IOC_SETFSLABEL = 0x41009432;
  public static final int FS_IOC_FIEMAP = 0xc020660b;

  // Block devices.
  public static final int BLKROSET = 0x125d;
  public static final int BLKROGET = 0x125e;
  public static final int BLKRRPART = 0x125f;
  public static final int BLKGETSIZE = 0x1260;
  public static final int BLKFLSBUF = 0x1261;
  public static final int BLKRASET = 0x1262;
  public static final int BLKRAGET = 0x1263;
  public static final int BLKFRASET = 0x1264;
  public static final int BLKFRAGET = 0x1265;
  public static final int BLKSECTSET = 0x1266;
  public static final int BLKSECTGET = 0x1267;
  public static final int BLKSSZGET = 0x1268;
  public static final int BLKTRACESTART = 0x1274;
  public static final int BLKTRACESTOP = 0x1275;
  public static final int BLKTRACETEARDOWN = 0x1276;
  public static final int BLKDISCARD = 0x1277;
  public static final int BLKIOMIN = 0x1278;
  public static final int BLKIOOPT = 0x1279;
  public static final int BLKALIGNOFF = 0x127a;
  public static final int BLKPBSZGET = 0x127b;
  public static final int BLKDISCARDZEROES = 0x127c;
  public static final int BLKSECDISCARD = 0x127d;
  public static final int BLKROTATIONAL = 0x127e;
  public static final int BLKZEROOUT = 0x127f;
  public static final int BLKBSZSET = 0x40081271;
  public static final int BLKBSZGET = 0x80081270;
  public static final int BLKGETSIZE64 = 0x80081272;
  public static final int BLKGETDISKSEQ = 0x80081280;

  // Sockets and interfaces.
  public static final int SIOCOUTQ = 0x5411;
  public static final int SIOCINQ = 0x541b;
  public static final int SIOCSPGRP = 0x8902;
  public static final int SIOCGPGRP = 0x8904;
  public static final int SIOCATMARK = 0x8905;
  public static final int SIOCGSTAMP = 0x8906;
  public static final int SIOCGSTAMP_OLD = 0x8906;
  public static final int SIOCGSTAMPNS = 0x8907;
  public static final int SIOCGSTAMPNS_OLD = 0x8907;
  public static final int SIOCADDRT = 0x890b;
  public static final int SIOCDELRT = 0x890c;
  public static final int SIOCRTMSG = 0x890d;
  public static final int SIOCGIFNAME = 0x8910;
  public static final int SIOCSIFLINK = 0x8911;
  public static final int SIOCGIFCONF = 0x8912;
  public static final int SIOCGIFFLAGS = 0x8913;
  public static final int SIOCSIFFLAGS = 0x8914;
  public static final int SIOCGIFADDR = 0x8915;
  public static final int SIOCSIFADDR = 0x8916;
  public static final int SIOCGIFDSTADDR = 0x8917;
  public static final int SIOCSIFDSTADDR = 0x8918;
  public static final int SIOCGIFBRDADDR = 0x8919;
  public static final int SIOCSIFBRDADDR = 0x891a;
  public static final int SIOCGIFNETMASK = 0x891b;
  public static final int SIOCSIFNETMASK = 0x891c;
  public static final int SIOCGIFMETRIC = 0x891d;
  public static final int SIOCSIFMETRIC = 0x891e;
  public static final int SIOCGIFMEM = 0x891f;
  public static final int SIOCSIFMEM = 0x8920;
  public static final int SIOCGIFMTU = 0x8921;
  public static final int SIOCSIFMTU = 0x8922;
  public static final int SIOCSIFNAME = 0x8923;
  public static final int SIOCSIFHWADDR = 0x8924;
  public static final int SIOCGIFENCAP = 0x8925;
  public static final int SIOCSIFENCAP = 0x8926;
  public static final int SIOCGIFHWADDR = 0x8927;
  public static final int SIOCGIFSLAVE = 0x8929;
  public static final int SIOCSIFSLAVE = 0x8930;
  public static final int SIOCADDMULTI = 0x8931;
  public static final int SIOCDELMULTI = 0x8932;
  public static final int SIOCGIFINDEX = 0x8933;
  public static final int SIOCSIFPFLAGS = 0x8934;
  public static final int SIOCGIFPFLAGS = 0x8935;
  public static final int SIOCDIFADDR = 0x8936;
  public static final int SIOCSIFHWBROADCAST = 0x8937;
  public static final int SIOCGIFCOUNT = 0x8938;
  public static final int SIOCGIFBR = 0x8940;
  public static final int SIOCSIFBR = 0x8941;
  public static final int SIOCGIFTXQLEN = 0x8942;
  public static final int SIOCSIFTXQLEN = 0x8943;
  public static final int SIOCETHTOOL = 0x8946;
  public static final int SIOCGMIIPHY = 0x8947;
  public static final int SIOCGMIIREG = 0x8948;
  public static final int SIOCSMIIREG = 0x8949;
  public static final int SIOCWANDEV = 0x894a;
  public static final int SIOCOUTQNSD = 0x894b;
  public static final int SIOCGSKNS = 0x894c;
  public static final int SIOCDARP = 0x8953;
  public static final int SIOCGARP = 0x8954;
  public static final int SIOCSARP = 0x8955;
  public static final int SIOCDRARP = 0x8960;
  public static final int SIOCGRARP = 0x8961;
  public static final int SIOCSRARP = 0x8962;
  public static final int SIOCGIFMAP = 0x8970;
  public static final int SIOCSIFMAP = 0x8971;
  public static final int SIOCADDDLCI = 0x8980;
  public static final int SIOCDELDLCI = 0x8981;
  public static final int SIOCGIFVLAN = 0x8982;
  public static final int SIOCSIFVLAN = 0x8983;
  public static final int SIOCBONDENSLAVE = 0x8990;
  public static final int SIOCBONDRELEASE = 0x8991;
  public static final int SIOCBONDSETHWADDR = 0x8992;
  public static final int SIOCBONDSLAVEINFOQUERY = 0x8993;
  public static final int SIOCBONDINFOQUERY = 0x8994;
  public static final int SIOCBONDCHANGEACTIVE = 0x8995;
  public static final int SIOCBRADDBR = 0x89a0;
  public static final int SIOCBRDELBR = 0x89a1;
  public static final int SIOCBRADDIF = 0x89a2;
  public static final int SIOCBRDELIF = 0x89a3;
  public static final int SIOCSHWTSTAMP = 0x89b0;
  public static final int SIOCGHWTSTAMP = 0x89b1;
  public static final int SIOCPROTOPRIVATE = 0x89e0;
  public static final int SIOCDEVPRIVATE = 0x89f0;
  public static final int SIOCGSTAMP_NEW = 0x80108906;
  public static final int SIOCGSTAMPNS_NEW = 0x80108907;
  public static final int FIOSETOWN = 0x8901;
  public static final int FIOGETOWN = 0x8903;

  // /dev/random.
  public static final int RNDGETENTCNT = 0x80045200;
  public static final int RNDADDTOENTCNT = 0x40045201;
  public static final int RNDGETPOOL = 0x80085202;
  public static final int RNDADDENTROPY = 0x40085203;
  public static final int RNDZAPENTCNT = 0x5204;
  public static final int RNDCLEARPOOL = 0x5206;
  public static final int RNDRESEEDCRNG = 0x5207;

  // Namespace files.
  public static final int NS_GET_USERNS = 0xb701;
  public static final int NS_GET_PARENT = 0xb702;
  public static final int NS_GET_NSTYPE = 0xb703;
  public static final int NS_GET_OWNER_UID = 0xb704;

  // TUN and TAP.
  public static final int TUNSETIFF = 0x400454ca;
  public static final int TUNGETIFF = 0x800454d2;
  public static final int TUNSETOFFLOAD = 0x400454d0;
  public static final int TUNSETVNETHDRSZ = 0x400454d8;
  public static final int TUNGETFEATURES = 0x800454cf;
  public static final int IFF_TUN = 1;
  public static final int IFF_TAP = 2;
  public static final int IFF_NO_PI = 0x1000;
  public static final int IFF_VNET_HDR = 0x4000;
  public static final int IFF_MULTI_QUEUE = 0x100;

  private Ioctls() {}
}
