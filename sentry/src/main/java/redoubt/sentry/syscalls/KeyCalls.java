package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EOPNOTSUPP;
import static redoubt.abi.Errno.EPERM;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import redoubt.host.Memory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.ErrnoException;
import redoubt.sentry.kernel.Keys;
import redoubt.sentry.kernel.Latin1;
import redoubt.sentry.kernel.Task;

/**
 * Keys: <a href="https://man7.org/linux/man-pages/man2/keyctl.2.html">keyctl(2)</a>, add_key(2) and
 * request_key(2), security/keys/keyctl.c.
 */
final class KeyCalls {
  private static final int TYPE_MAX = 32;
  private static final int DESCRIPTION_MAX = 4096;
  private static final int PAYLOAD_MAX = 1024 * 1024 - 1;

  private KeyCalls() {}

  private static String type(Task t, long uaddr) {
    String type = t.copyInString(uaddr, TYPE_MAX, EINVAL);
    if (type.isEmpty()) {
      throw ErrnoException.of(EINVAL);
    }
    if (type.charAt(0) == '.') {
      throw ErrnoException.of(EPERM);
    }
    return type;
  }

  private static byte[] payload(Task t, long uaddr, long length) {
    if (length < 0 || length > PAYLOAD_MAX) {
      throw ErrnoException.of(EINVAL);
    }
    if (length == 0) {
      return new byte[0];
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment s = arena.allocate(length);
      ErrnoException.check(t.copyIn(uaddr, s, 0, length));
      return s.toArray(Memory.BYTE);
    }
  }

  /** <a href="https://man7.org/linux/man-pages/man2/add_key.2.html">add_key(2)</a>. */
  static long addKey(Task t, Args a) {
    if (a.a3 < 0 || a.a3 > PAYLOAD_MAX) {
      return -EINVAL;
    }
    String type = type(t, a.a0);
    String description = a.a1 == 0 ? "" : t.copyInString(a.a1, DESCRIPTION_MAX, EINVAL);
    if (type.equals("keyring") && description.startsWith(".")) {
      return -EPERM;
    }
    byte[] payload = payload(t, a.a2, a.a3);
    if (description.isEmpty()) {
      return -EINVAL;
    }
    return Keys.of(t.kernel()).add(t, type, description, payload, a.int4());
  }

  /** <a href="https://man7.org/linux/man-pages/man2/request_key.2.html">request_key(2)</a>. */
  static long requestKey(Task t, Args a) {
    String type = type(t, a.a0);
    String description = t.copyInString(a.a1, DESCRIPTION_MAX, EINVAL);
    if (a.a2 != 0) {
      t.copyInString(a.a2, DESCRIPTION_MAX, EINVAL);
    }
    return Keys.of(t.kernel()).request(t, type, description, a.int3());
  }

  /** <a href="https://man7.org/linux/man-pages/man2/keyctl.2.html">keyctl(2)</a>. */
  static long keyctl(Task t, Args a) {
    Keys keys = Keys.of(t.kernel());
    int id = (int) a.a1;
    return switch (a.int0()) {
      case 0 -> keys.ringId(t, id, a.a2 != 0); // KEYCTL_GET_KEYRING_ID
      case 1 -> { // KEYCTL_JOIN_SESSION_KEYRING
        String name = a.a1 == 0 ? null : t.copyInString(a.a1, DESCRIPTION_MAX, EINVAL);
        yield name != null && name.startsWith(".") ? -EPERM : keys.joinSession(t, name);
      }
      case 2 -> // KEYCTL_UPDATE
          a.a3 < 0 || a.a3 > Memory.PAGE ? -EINVAL : keys.update(t, id, payload(t, a.a2, a.a3));
      case 3 -> keys.revoke(t, id); // KEYCTL_REVOKE
      case 4 -> { // KEYCTL_CHOWN
        var ns = t.userNamespace();
        int uid = (int) a.a2 == -1 ? -1 : ns.kernelUid((int) a.a2);
        int gid = (int) a.a3 == -1 ? -1 : ns.kernelGid((int) a.a3);
        yield (uid == -1 && (int) a.a2 != -1) || (gid == -1 && (int) a.a3 != -1)
            ? -EINVAL
            : keys.chown(t, id, uid, gid);
      }
      case 5 -> keys.setPerm(t, id, (int) a.a2); // KEYCTL_SETPERM
      case 6 ->
          copyOut(t, a.a2, a.a3, Latin1.bytes(keys.describe(t, id) + "\0")); // KEYCTL_DESCRIBE
      case 7 -> keys.clear(t, id); // KEYCTL_CLEAR
      case 8 -> keys.link(t, id, (int) a.a2); // KEYCTL_LINK
      case 9 -> keys.unlink(t, id, (int) a.a2); // KEYCTL_UNLINK
      case 10 -> { // KEYCTL_SEARCH
        String type = type(t, a.a2);
        String description = t.copyInString(a.a3, DESCRIPTION_MAX, EINVAL);
        yield keys.search(t, id, type, description, (int) a.a4);
      }
      case 11 -> copyOut(t, a.a2, a.a3, keys.read(t, id)); // KEYCTL_READ
      case 14 -> 0; // KEYCTL_SET_REQKEY_KEYRING: nobody constructs keys, so it has no effect
      case 15 -> keys.setTimeout(t, id, (int) a.a2); // KEYCTL_SET_TIMEOUT
      case 21 -> keys.invalidate(t, id); // KEYCTL_INVALIDATE
      default -> -EOPNOTSUPP;
    };
  }

  /** Copies what fits only if all does; {@return how much there is} */
  private static long copyOut(Task t, long uaddr, long length, byte[] bytes) {
    if (uaddr == 0 || length < bytes.length || bytes.length == 0) {
      return bytes.length;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment s = arena.allocate(bytes.length);
      MemorySegment.copy(bytes, 0, s, Memory.BYTE, 0, bytes.length);
      long r = t.copyOutNow(uaddr, s, 0, bytes.length);
      return r < 0 ? r : bytes.length;
    }
  }
}
