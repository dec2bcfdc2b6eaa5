package redoubt.sandbox;

/**
 * What a guest's machine has.
 *
 * @param cpus processors
 * @param memoryLimit of the container in bytes, 0 for none
 * @param interfaces network devices, beside a link to its warden
 * @param mtu the longest packet that these take
 */
record Machine(int cpus, long memoryLimit, int interfaces, int mtu) {
  /** What the agent knows the {@code n}-th network device by. */
  static String mac(int n) {
    return "02:52:44:42:00:0" + n;
  }
}
