package redoubt.sandbox;

import static redoubt.abi.Netlink.NLM_F_CREATE;
import static redoubt.abi.Netlink.NLM_F_EXCL;
import static redoubt.abi.Netlink.RTM_DELQDISC;
import static redoubt.abi.Netlink.RTM_NEWQDISC;
import static redoubt.abi.Netlink.RTM_NEWTFILTER;
import static redoubt.abi.Netlink.SIZEOF_TCMSG;
import static redoubt.abi.Netlink.TCA_ACT_KIND;
import static redoubt.abi.Netlink.TCA_ACT_OPTIONS;
import static redoubt.abi.Netlink.TCA_EGRESS_REDIR;
import static redoubt.abi.Netlink.TCA_KIND;
import static redoubt.abi.Netlink.TCA_MIRRED_PARMS;
import static redoubt.abi.Netlink.TCA_OPTIONS;
import static redoubt.abi.Netlink.TCA_U32_ACT;
import static redoubt.abi.Netlink.TCA_U32_SEL;
import static redoubt.abi.Netlink.TCMSG_TCM_HANDLE;
import static redoubt.abi.Netlink.TCMSG_TCM_IFINDEX;
import static redoubt.abi.Netlink.TCMSG_TCM_INFO;
import static redoubt.abi.Netlink.TCMSG_TCM_PARENT;
import static redoubt.abi.Netlink.TC_ACT_STOLEN;
import static redoubt.abi.Netlink.TC_H_INGRESS;
import static redoubt.abi.Netlink.TC_U32_TERMINAL;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Orders of <a href="https://man7.org/linux/man-pages/man8/tc.8.html">tc(8)</a> that hand all that
 * arrives at one interface to another one.
 */
final class TrafficControl {
  private static final int INGRESS_HANDLE = 0xffff0000;

  /** Priority 1, all protocols (ETH_P_ALL in network order). */
  private static final int EVERYTHING = 1 << 16 | 0x0300;

  private static final int SIZEOF_SELECTOR = 16;
  private static final int SIZEOF_KEY = 16;
  private static final int SIZEOF_MIRRED = 28;

  private TrafficControl() {}

  private static RouteOrder ingress(int type, int flags, int index) {
    return new RouteOrder(type, flags, SIZEOF_TCMSG)
        .i32(TCMSG_TCM_IFINDEX, index)
        .i32(TCMSG_TCM_HANDLE, INGRESS_HANDLE)
        .i32(TCMSG_TCM_PARENT, TC_H_INGRESS)
        .attribute(TCA_KIND, "ingress");
  }

  /**
   * {@return the order that makes room for filters on what arrives} Fails if there is such room.
   */
  static RouteOrder addIngress(int index) {
    return ingress(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, index);
  }

  static byte[] deleteIngress(int index) {
    return ingress(RTM_DELQDISC, 0, index).toBytes();
  }

  /** {@return the order that sends out of {@code to} what arrives at {@code from}} */
  static RouteOrder redirect(int from, int to) {
    var order =
        new RouteOrder(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, SIZEOF_TCMSG)
            .i32(TCMSG_TCM_IFINDEX, from)
            .i32(TCMSG_TCM_PARENT, INGRESS_HANDLE)
            .i32(TCMSG_TCM_INFO, EVERYTHING)
            .attribute(TCA_KIND, "u32");
    int options = order.begin(TCA_OPTIONS);
    byte[] selector = new byte[SIZEOF_SELECTOR + SIZEOF_KEY]; // one key of mask 0: it always fits
    selector[0] = TC_U32_TERMINAL;
    selector[2] = 1;
    order.attribute(TCA_U32_SEL, selector);
    int actions = order.begin(TCA_U32_ACT);
    int first = order.begin(1);
    order.attribute(TCA_ACT_KIND, "mirred");
    int mirred = order.begin(TCA_ACT_OPTIONS);
    ByteBuffer what = ByteBuffer.allocate(SIZEOF_MIRRED).order(ByteOrder.LITTLE_ENDIAN);
    what.putInt(8, TC_ACT_STOLEN).putInt(20, TCA_EGRESS_REDIR).putInt(24, to);
    order.attribute(TCA_MIRRED_PARMS, what.array());
    return order.end(mirred).end(first).end(actions).end(options);
  }
}
