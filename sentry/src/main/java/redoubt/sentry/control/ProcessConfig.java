package redoubt.sentry.control;

import java.util.ArrayList;
import java.util.List;

/**
 * A guest process to be started: {@code process} of config.json with names resolved to numbers.
 *
 * <p>Descriptors that come with it: with {@code terminal} exactly one, a host terminal in raw mode:
 * the guest gets a pseudo-terminal of its own with the sentry's line discipline, pumped from and to
 * that descriptor. Without: the guest's 0, 1, 2, then those for 3 and up (--preserve-fds).
 *
 * @param args program and arguments; the program is looked up in PATH of {@code env} inside the
 *     container
 * @param umask the file mode mask, or -1 for 022
 * @param bounding capability sets as bit masks, as are the four that follow
 * @param oomScoreAdj -1000 to 1000
 * @param rows initial window size of the terminal, 0 if unknown; {@code columns} alike
 */
public record ProcessConfig(
    List<String> args,
    List<String> env,
    String cwd,
    int uid,
    int gid,
    List<Integer> additionalGids,
    int umask,
    long bounding,
    long effective,
    long permitted,
    long inheritable,
    long ambient,
    List<Rlimit> rlimits,
    boolean noNewPrivileges,
    boolean terminal,
    int rows,
    int columns,
    int oomScoreAdj) {

  /**
   * A resource limit.
   *
   * @param resource RLIMIT_* of getrlimit(2)
   * @param soft -1 for no limit; {@code hard} alike
   */
  public record Rlimit(int resource, long soft, long hard) {}

  public WireWriter write() {
    var w = new WireWriter().strings(1, args).strings(2, env).string(3, cwd);
    w.number(4, uid & 0xffffffffL).number(5, gid & 0xffffffffL);
    for (int extra : additionalGids) {
      w.number(6, extra & 0xffffffffL);
    }
    w.number(7, umask).number(8, bounding).number(9, effective).number(10, permitted);
    w.number(11, inheritable).number(12, ambient);
    for (Rlimit limit : rlimits) {
      w.record(
          13,
          new WireWriter().number(1, limit.resource).number(2, limit.soft).number(3, limit.hard));
    }
    w.flag(14, noNewPrivileges).flag(15, terminal).number(16, rows).number(17, columns);
    return w.number(18, oomScoreAdj);
  }

  static ProcessConfig read(WireReader r) {
    var args = new ArrayList<String>();
    var env = new ArrayList<String>();
    var gids = new ArrayList<Integer>();
    var rlimits = new ArrayList<Rlimit>();
    String cwd = "/";
    int uid = 0;
    int gid = 0;
    int umask = -1;
    long bounding = 0;
    long effective = 0;
    long permitted = 0;
    long inheritable = 0;
    long ambient = 0;
    boolean noNewPrivileges = false;
    boolean terminal = false;
    int rows = 0;
    int columns = 0;
    int oomScoreAdj = 0;
    while (r.next()) {
      switch (r.tag()) {
        case 1 -> args.add(r.string());
        case 2 -> env.add(r.string());
        case 3 -> cwd = r.string();
        case 4 -> uid = (int) r.number();
        case 5 -> gid = (int) r.number();
        case 6 -> gids.add((int) r.number());
        case 7 -> umask = r.int32();
        case 8 -> bounding = r.number();
        case 9 -> effective = r.number();
        case 10 -> permitted = r.number();
        case 11 -> inheritable = r.number();
        case 12 -> ambient = r.number();
        case 13 -> rlimits.add(readRlimit(r.record()));
        case 14 -> noNewPrivileges = r.flag();
        case 15 -> terminal = r.flag();
        case 16 -> rows = r.int32();
        case 17 -> columns = r.int32();
        case 18 -> oomScoreAdj = r.int32();
        default -> {}
      }
    }
    return new ProcessConfig(
        args,
        env,
        cwd,
        uid,
        gid,
        gids,
        umask,
        bounding,
        effective,
        permitted,
        inheritable,
        ambient,
        rlimits,
        noNewPrivileges,
        terminal,
        rows,
        columns,
        oomScoreAdj);
  }

  private static Rlimit readRlimit(WireReader r) {
    int resource = 0;
    long soft = -1;
    long hard = -1;
    while (r.next()) {
      switch (r.tag()) {
        case 1 -> resource = r.int32();
        case 2 -> soft = r.number();
        case 3 -> hard = r.number();
        default -> {}
      }
    }
    return new Rlimit(resource, soft, hard);
  }
}
