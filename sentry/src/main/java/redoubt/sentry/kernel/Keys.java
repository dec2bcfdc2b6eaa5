package redoubt.sentry.kernel;

import static redoubt.abi.Errno.*;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Keys and keyrings that the kernel keeps for programs: <a
 * href="https://man7.org/linux/man-pages/man7/keyrings.7.html">keyrings(7)</a>, security/keys. Of
 * the types there are "user", "logon", "keyring" and "big_key"; nobody is asked for keys that are
 * not there (no /sbin/request-key). A subsystem of the kernel, guarded by its monitor.
 */
public final class Keys {
  public static final int SPEC_THREAD = -1;
  public static final int SPEC_PROCESS = -2;
  public static final int SPEC_SESSION = -3;
  public static final int SPEC_USER = -4;
  public static final int SPEC_USER_SESSION = -5;

  public static final int VIEW = 1;
  public static final int READ = 2;
  public static final int WRITE = 4;
  public static final int SEARCH = 8;
  public static final int LINK = 0x10;
  public static final int SETATTR = 0x20;

  /** Possessor and owner: all and view, as for new keys. */
  private static final int DEFAULT_PERM = 0x3f010000;

  /** /proc/sys/kernel/keys/maxkeys and maxbytes, for all users alike. */
  private static final int MAX_KEYS = 200;

  private static final int MAX_BYTES = 20000;
  private static final int ROOT_MAX_KEYS = 100_000;
  private static final int ROOT_MAX_BYTES = 8_000_000;
  private static final int MAX_DEPTH = 6;

  /** For all users together: a guest's root can be any user. */
  private static final int ALL_KEYS = 50_000;

  private static final int ALL_BYTES = 16_000_000;

  /** One key. */
  public static final class Key {
    public final int serial;
    public final String type;
    public String description;
    public int uid;
    public int gid;
    public int perm;
    byte[] payload = {};
    final Set<Key> links = new LinkedHashSet<>();
    int holders;
    boolean revoked;
    boolean dead;
    long expiresNs;
    private final int chargedTo;
    private int chargedBytes;

    Key(int serial, String type, String description, Credentials c, int perm) {
      this.serial = serial;
      this.type = type;
      this.description = description;
      this.uid = c.fsuid;
      this.gid = c.fsgid;
      this.perm = perm;
      this.chargedTo = c.fsuid;
    }

    public boolean isKeyring() {
      return type.equals("keyring");
    }
  }

  private final Map<Integer, Key> bySerial = new HashMap<>();
  private final Map<Integer, Key> userRings = new HashMap<>();
  private final Map<Integer, Key> userSessions = new HashMap<>();
  private final Map<Integer, int[]> usage = new HashMap<>();
  private int nextSerial = 0x10000001;
  private long allBytes;

  /** {@return the kernel's keys} */
  public static Keys of(Kernel k) {
    return k.subsystemOrNew(Keys.class, Keys::new);
  }

  /** The keyrings of a task: Linux keeps them in its credentials. */
  static final class Rings {
    @Nullable Key thread;
    @Nullable Key process;
    @Nullable Key session;
  }

  private Key make(Credentials c, String type, String description, int perm, int bytes) {
    int[] u = usage.computeIfAbsent(c.fsuid, x -> new int[2]);
    boolean root = c.fsuid == 0;
    int charge = description.length() + 1 + bytes;
    if (bySerial.size() >= ALL_KEYS || allBytes + charge > ALL_BYTES) {
      throw ErrnoException.of(EDQUOT);
    }
    if (u[0] + 1 > (root ? ROOT_MAX_KEYS : MAX_KEYS)
        || u[1] + charge > (root ? ROOT_MAX_BYTES : MAX_BYTES)) {
      throw ErrnoException.of(EDQUOT);
    }
    u[0]++;
    u[1] += charge;
    allBytes += charge;
    nextSerial = nextSerial + 7 & 0x3fffffff;
    while (bySerial.containsKey(nextSerial) || nextSerial < 3) {
      nextSerial++;
    }
    Key k = new Key(nextSerial, type, description, c, perm);
    k.chargedBytes = charge;
    bySerial.put(k.serial, k);
    return k;
  }

  private void hold(Key k) {
    k.holders++;
  }

  private void drop(Key k) {
    if (--k.holders > 0 || k.dead) {
      return;
    }
    k.dead = true;
    bySerial.remove(k.serial);
    int[] u = usage.get(k.chargedTo);
    allBytes -= k.chargedBytes;
    if (u != null) {
      u[0]--;
      u[1] -= k.chargedBytes;
      if (u[0] == 0) {
        usage.remove(k.chargedTo);
      }
    }
    List<Key> below = new ArrayList<>(k.links);
    k.links.clear();
    for (Key b : below) {
      drop(b);
    }
  }

  // ---- the rings of a task ----

  private Rings rings(Task t) {
    if (t.keyrings instanceof Rings r) {
      return r;
    }
    Rings r = new Rings();
    t.keyrings = r;
    return r;
  }

  /** A child has its maker's session keyring. */
  static void inherit(Task t, Task child) {
    if (t.keyrings instanceof Rings r && r.session != null) {
      Keys k = of(t.kernel());
      synchronized (k) {
        Rings mine = new Rings();
        mine.session = r.session;
        k.hold(r.session);
        child.keyrings = mine;
        if (child.threadGroup() == t.threadGroup() && r.process != null) {
          mine.process = r.process;
          k.hold(r.process);
        }
      }
    }
  }

  static void taskEnds(Task t) {
    if (t.keyrings instanceof Rings r) {
      Keys k = of(t.kernel());
      synchronized (k) {
        for (Key ring : new @Nullable Key[] {r.thread, r.process, r.session}) {
          if (ring != null) {
            k.drop(ring);
          }
        }
        t.keyrings = null;
      }
    }
  }

  private Key userRing(Credentials c, boolean session) {
    Map<Integer, Key> all = session ? userSessions : userRings;
    Key k = all.get(c.ruid);
    if (k == null) {
      Key user = session ? userRing(c, false) : null;
      k = make(c, "keyring", (session ? "_uid_ses." : "_uid.") + c.ruid, 0x3f3f0000, 0);
      hold(k);
      all.put(c.ruid, k);
      if (user != null) {
        link(k, user);
      }
    }
    return k;
  }

  /** {@return the key that {@code id} names for {@code t}}; ErrnoException ENOKEY and kin */
  private Key find(Task t, int id, boolean create) {
    Rings r = rings(t);
    switch (id) {
      case SPEC_THREAD -> {
        if (r.thread == null) {
          if (!create) {
            throw ErrnoException.of(ENOKEY);
          }
          r.thread = make(t.creds(), "keyring", "_tid", 0x3f3f0000, 0);
          hold(r.thread);
        }
        return r.thread;
      }
      case SPEC_PROCESS -> {
        if (r.process == null) {
          if (!create) {
            throw ErrnoException.of(ENOKEY);
          }
          r.process = make(t.creds(), "keyring", "_pid", 0x3f3f0000, 0);
          hold(r.process);
        }
        return r.process;
      }
      case SPEC_SESSION -> {
        if (r.session == null) {
          if (create) {
            joinSession(t, null);
            return find(t, id, false);
          }
          return userRing(t.creds(), true);
        }
        return r.session;
      }
      case SPEC_USER -> {
        return userRing(t.creds(), false);
      }
      case SPEC_USER_SESSION -> {
        return userRing(t.creds(), true);
      }
      default -> {
        if (id <= 0) {
          throw ErrnoException.of(EINVAL);
        }
        Key k = bySerial.get(id);
        if (k == null) {
          throw ErrnoException.of(ENOKEY);
        }
        return k;
      }
    }
  }

  private boolean possesses(Task t, Key wanted) {
    Rings r = rings(t);
    for (Key ring : new @Nullable Key[] {r.thread, r.process, r.session}) {
      if (ring != null && reaches(ring, wanted, 0)) {
        return true;
      }
    }
    return r.session == null && reaches(userRing(t.creds(), true), wanted, 0);
  }

  private boolean reaches(Key from, Key wanted, int depth) {
    if (from == wanted) {
      return true;
    }
    if (depth > MAX_DEPTH) {
      return false;
    }
    for (Key k : from.links) {
      if (k == wanted || (k.isKeyring() && reaches(k, wanted, depth + 1))) {
        return true;
      }
    }
    return false;
  }

  private void check(Task t, Key k, int want) {
    Credentials c = t.creds();
    int bits = possesses(t, k) ? k.perm >>> 24 : 0;
    if (c.fsuid == k.uid) {
      bits |= k.perm >>> 16;
    } else if (c.inGroup(k.gid)) {
      bits |= k.perm >>> 8;
    } else {
      bits |= k.perm;
    }
    if ((bits & want) != want) {
      throw ErrnoException.of(EACCES);
    }
  }

  private void validate(Key k) {
    if (k.revoked) {
      throw ErrnoException.of(EKEYREVOKED);
    }
    if (k.expiresNs != 0 && Clocks.monotonicNs() >= k.expiresNs) {
      throw ErrnoException.of(EKEYEXPIRED);
    }
  }

  private boolean isValid(Key k) {
    return !k.revoked && (k.expiresNs == 0 || Clocks.monotonicNs() < k.expiresNs);
  }

  private Key lookup(Task t, int id, int want, boolean create) {
    Key k = find(t, id, create);
    validate(k);
    check(t, k, want);
    return k;
  }

  private @Nullable Key child(Key ring, String type, String description) {
    for (Key k : ring.links) {
      if (k.type.equals(type) && k.description.equals(description)) {
        return k;
      }
    }
    return null;
  }

  private void link(Key ring, Key k) {
    Key old = child(ring, k.type, k.description);
    if (old == k) {
      return;
    }
    if (old != null) {
      ring.links.remove(old);
      drop(old);
    }
    ring.links.add(k);
    hold(k);
  }

  // ---- the calls ----

  /** {@return whether keys of {@code type} can be made}: ENODEV if not */
  private static boolean isType(String type) {
    return switch (type) {
      case "user", "logon", "keyring", "big_key" -> true;
      default -> false;
    };
  }

  private static byte[] checkPayload(String type, byte[] payload, String description) {
    switch (type) {
      case "keyring" -> {
        if (payload.length != 0) {
          throw ErrnoException.of(EINVAL);
        }
      }
      case "big_key" -> {
        if (payload.length == 0 || payload.length > 1024 * 1024) {
          throw ErrnoException.of(EINVAL);
        }
      }
      default -> {
        if (payload.length == 0 || payload.length > 32767) {
          throw ErrnoException.of(EINVAL);
        }
        if (type.equals("logon") && description.indexOf(':') <= 0) {
          throw ErrnoException.of(EINVAL);
        }
      }
    }
    return payload;
  }

  /** add_key(2). */
  public synchronized long add(Task t, String type, String description, byte[] payload, int ring) {
    Key into = lookup(t, ring, WRITE, true);
    if (!isType(type)) {
      return -ENODEV;
    }
    if (!into.isKeyring()) {
      return -ENOTDIR;
    }
    checkPayload(type, payload, description);
    Key old = child(into, type, description);
    if (old != null && !old.isKeyring() && isValid(old)) {
      check(t, old, WRITE);
      setPayload(old, payload);
      return old.serial;
    }
    int perm = DEFAULT_PERM;
    if (type.equals("logon")) {
      perm &= ~(READ << 24);
    }
    Key k = make(t.creds(), type, description, perm, payload.length);
    k.payload = payload;
    link(into, k);
    return k.serial;
  }

  private void setPayload(Key k, byte[] payload) {
    int[] u = usage.computeIfAbsent(k.chargedTo, x -> new int[2]);
    int delta = payload.length - k.payload.length;
    if (delta > 0 && allBytes + delta > ALL_BYTES) {
      throw ErrnoException.of(EDQUOT);
    }
    if (delta > 0 && u[1] + delta > (k.chargedTo == 0 ? ROOT_MAX_BYTES : MAX_BYTES)) {
      throw ErrnoException.of(EDQUOT);
    }
    u[1] += delta;
    allBytes += delta;
    k.chargedBytes += delta;
    k.payload = payload;
    k.expiresNs = 0;
  }

  private @Nullable Key search(
      Task t, Key ring, String type, String description, int depth, int[] error) {
    if (depth > MAX_DEPTH) {
      return null;
    }
    for (Key k : ring.links) {
      if (k.type.equals(type) && k.description.equals(description)) {
        if (k.revoked) {
          error[0] = EKEYREVOKED;
        } else if (!isValid(k)) {
          error[0] = EKEYEXPIRED;
        } else {
          check(t, k, SEARCH);
          return k;
        }
      }
    }
    for (Key k : ring.links) {
      if (k.isKeyring() && isValid(k)) {
        Key found = search(t, k, type, description, depth + 1, error);
        if (found != null) {
          return found;
        }
      }
    }
    return null;
  }

  /** request_key(2): found, or ENOKEY. */
  public synchronized long request(Task t, String type, String description, int into) {
    if (!isType(type)) {
      return -ENODEV;
    }
    Key destination = into == 0 ? null : lookup(t, into, WRITE, true);
    Rings r = rings(t);
    int[] error = {ENOKEY};
    Key session = r.session != null ? r.session : userRing(t.creds(), true);
    for (Key ring : new @Nullable Key[] {r.thread, r.process, session}) {
      Key k = ring == null ? null : search(t, ring, type, description, 0, error);
      if (k != null) {
        if (destination != null) {
          link(destination, k);
        }
        return k.serial;
      }
    }
    return -error[0];
  }

  /** KEYCTL_GET_KEYRING_ID. */
  public synchronized long ringId(Task t, int id, boolean create) {
    return lookup(t, id, SEARCH, create).serial;
  }

  /** KEYCTL_JOIN_SESSION_KEYRING: a new one, or the one with this name. */
  public synchronized long joinSession(Task t, @Nullable String name) {
    Rings r = rings(t);
    Key ring = null;
    if (name != null) {
      for (Key k : bySerial.values()) {
        if (k.isKeyring() && k.description.equals(name) && isValid(k) && k.uid == t.creds().fsuid) {
          check(t, k, SEARCH);
          ring = k;
        }
      }
    }
    if (ring == null) {
      ring = make(t.creds(), "keyring", name == null ? "_ses" : name, 0x3f1b0000, 0);
    }
    hold(ring);
    if (r.session != null) {
      drop(r.session);
    }
    r.session = ring;
    return ring.serial;
  }

  /** KEYCTL_UPDATE. */
  public synchronized long update(Task t, int id, byte[] payload) {
    Key k = lookup(t, id, WRITE, false);
    if (k.isKeyring()) {
      return -EOPNOTSUPP;
    }
    setPayload(k, checkPayload(k.type, payload, k.description));
    return 0;
  }

  /** KEYCTL_REVOKE. */
  public synchronized long revoke(Task t, int id) {
    Key k = find(t, id, false);
    validate(k);
    try {
      check(t, k, WRITE);
    } catch (ErrnoException e) {
      check(t, k, SETATTR);
    }
    k.revoked = true;
    k.payload = new byte[0];
    List<Key> below = new ArrayList<>(k.links);
    k.links.clear();
    for (Key b : below) {
      drop(b);
    }
    return 0;
  }

  /** KEYCTL_INVALIDATE: it goes from every keyring. */
  public synchronized long invalidate(Task t, int id) {
    Key k = lookup(t, id, SEARCH, false);
    k.revoked = true;
    for (Key ring : new ArrayList<>(bySerial.values())) {
      if (ring.links.remove(k)) {
        drop(k);
      }
    }
    return 0;
  }

  /** KEYCTL_CHOWN; ids are the kernel's, -1 to keep. */
  public synchronized long chown(Task t, int id, int uid, int gid) {
    Key k = lookup(t, id, SETATTR, true);
    boolean capable = t.hasCapability(redoubt.abi.Caps.CAP_SYS_ADMIN);
    if ((uid != -1 && uid != k.uid && !capable)
        || (gid != -1 && gid != k.gid && !t.creds().inGroup(gid) && !capable)) {
      return -EACCES;
    }
    k.uid = uid == -1 ? k.uid : uid;
    k.gid = gid == -1 ? k.gid : gid;
    return 0;
  }

  /** KEYCTL_SETPERM. */
  public synchronized long setPerm(Task t, int id, int perm) {
    if ((perm & ~0x3f3f3f3f) != 0) {
      return -EINVAL;
    }
    Key k = lookup(t, id, SETATTR, true);
    if (t.creds().fsuid != k.uid && !t.hasCapability(redoubt.abi.Caps.CAP_SYS_ADMIN)) {
      return -EACCES;
    }
    k.perm = perm;
    return 0;
  }

  /** KEYCTL_DESCRIBE: {@return "type;uid;gid;perm;description"} */
  public synchronized String describe(Task t, int id) {
    Key k = find(t, id, true);
    check(t, k, VIEW);
    String perm = Integer.toHexString(k.perm);
    UserNamespace ns = t.userNamespace();
    return k.type
        + ";"
        + ns.uidShown(k.uid)
        + ";"
        + ns.gidShown(k.gid)
        + ";"
        + "0".repeat(8 - perm.length())
        + perm
        + ";"
        + k.description;
  }

  /** KEYCTL_CLEAR. */
  public synchronized long clear(Task t, int id) {
    Key k = lookup(t, id, WRITE, true);
    if (!k.isKeyring()) {
      return -ENOTDIR;
    }
    List<Key> below = new ArrayList<>(k.links);
    k.links.clear();
    for (Key b : below) {
      drop(b);
    }
    return 0;
  }

  /** KEYCTL_LINK. */
  public synchronized long link(Task t, int id, int ring) {
    Key r = lookup(t, ring, WRITE, true);
    Key k = lookup(t, id, LINK, true);
    if (!r.isKeyring()) {
      return -ENOTDIR;
    }
    if (k.isKeyring()) {
      if (reaches(k, r, 0)) {
        return -EDEADLK;
      }
      if (depth(k, 0) > MAX_DEPTH) {
        return -ELOOP;
      }
    }
    link(r, k);
    return 0;
  }

  private int depth(Key k, int so) {
    int most = so;
    if (so <= MAX_DEPTH + 1) {
      for (Key b : k.links) {
        most = b.isKeyring() ? Math.max(most, depth(b, so + 1)) : most;
      }
    }
    return most;
  }

  /** KEYCTL_UNLINK. */
  public synchronized long unlink(Task t, int id, int ring) {
    Key r = lookup(t, ring, WRITE, false);
    Key k = find(t, id, false);
    if (!r.isKeyring()) {
      return -ENOTDIR;
    }
    if (!r.links.remove(k)) {
      return -ENOENT;
    }
    drop(k);
    return 0;
  }

  /** KEYCTL_SEARCH. */
  public synchronized long search(Task t, int ring, String type, String description, int into) {
    Key r = lookup(t, ring, SEARCH, false);
    Key destination = into == 0 ? null : lookup(t, into, WRITE, true);
    if (!isType(type)) {
      return -ENODEV;
    }
    int[] error = {ENOKEY};
    Key k = search(t, r, type, description, 0, error);
    if (k == null) {
      return -error[0];
    }
    if (destination != null) {
      check(t, k, LINK);
      link(destination, k);
    }
    return k.serial;
  }

  /** KEYCTL_READ: {@return the payload, or a keyring's serials} */
  public synchronized byte[] read(Task t, int id) {
    Key k = find(t, id, false);
    validate(k);
    try {
      check(t, k, READ);
    } catch (ErrnoException e) {
      if (!possesses(t, k) || (k.perm >>> 24 & SEARCH) == 0) {
        throw e;
      }
    }
    if (k.type.equals("logon")) {
      throw ErrnoException.of(EOPNOTSUPP);
    }
    if (!k.isKeyring()) {
      return k.payload.clone();
    }
    java.nio.ByteBuffer b =
        java.nio.ByteBuffer.allocate(4 * k.links.size()).order(java.nio.ByteOrder.LITTLE_ENDIAN);
    for (Key l : k.links) {
      b.putInt(l.serial);
    }
    return b.array();
  }

  /** KEYCTL_SET_TIMEOUT, in seconds; 0 for none. */
  public synchronized long setTimeout(Task t, int id, int seconds) {
    Key k = lookup(t, id, SETATTR, true);
    k.expiresNs =
        seconds == 0 ? 0 : Clocks.monotonicNs() + (seconds & 0xffffffffL) * 1_000_000_000L;
    return 0;
  }
}
