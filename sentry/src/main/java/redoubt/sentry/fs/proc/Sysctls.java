package redoubt.sentry.fs.proc;

import static redoubt.abi.Errno.EINVAL;
import static redoubt.abi.Errno.EPERM;

import java.util.List;
import redoubt.abi.Caps;
import redoubt.host.RandomId;
import redoubt.sentry.fs.kernfs.KernDir;
import redoubt.sentry.fs.kernfs.TextFile;
import redoubt.sentry.kernel.CoreDump;
import redoubt.sentry.kernel.Kernel;
import redoubt.sentry.kernel.PidNamespace;
import redoubt.sentry.kernel.Task;
import redoubt.sentry.socket.inet.InetFamily;
import redoubt.sentry.vfs.Leases;

/** /proc/sys: what sysctl(8) shows (Documentation/admin-guide/sysctl). */
final class Sysctls {
  private Sysctls() {}

  /** Settings that keep what is written and change nothing: path and first value. */
  private static final String[] KNOBS = {
    "kernel/acct", "4\t2\t30",
    "kernel/core_pipe_limit", "0",
    "kernel/ctrl-alt-del", "0",
    "kernel/dmesg_restrict", "1",
    "kernel/hung_task_timeout_secs", "120",
    "kernel/io_uring_disabled", "2",
    "kernel/keys/maxbytes", "20000",
    "kernel/keys/maxkeys", "200",
    "kernel/keys/root_maxbytes", "25000000",
    "kernel/keys/root_maxkeys", "1000000",
    "kernel/kptr_restrict", "1",
    "kernel/modules_disabled", "1",
    "kernel/msgmax", "8192",
    "kernel/msgmnb", "16384",
    "kernel/msgmni", "32000",
    "kernel/numa_balancing", "0",
    "kernel/panic", "0",
    "kernel/panic_on_oops", "0",
    "kernel/perf_event_max_sample_rate", "100000",
    "kernel/perf_event_mlock_kb", "516",
    "kernel/perf_event_paranoid", "3",
    "kernel/print-fatal-signals", "0",
    "kernel/printk", "4\t4\t1\t7",
    "kernel/printk_ratelimit", "5",
    "kernel/printk_ratelimit_burst", "10",
    "kernel/pty/max", "4096",
    "kernel/pty/reserve", "1024",
    "kernel/randomize_va_space", "2",
    "kernel/sched_autogroup_enabled", "0",
    "kernel/sched_child_runs_first", "0",
    "kernel/sched_rr_timeslice_ms", "100",
    "kernel/sched_rt_period_us", "1000000",
    "kernel/sched_rt_runtime_us", "950000",
    "kernel/sem", "32000\t1024000000\t500\t32000",
    "kernel/shm_rmid_forced", "0",
    "kernel/shmall", "18446744073692774399",
    "kernel/shmmax", "18446744073692774399",
    "kernel/shmmni", "4096",
    "kernel/sysctl_writes_strict", "1",
    "kernel/sysrq", "0",
    "kernel/threads-max", "192730",
    "kernel/timer_migration", "1",
    "kernel/unprivileged_bpf_disabled", "2",
    "kernel/unprivileged_userns_clone", "0",
    "kernel/watchdog", "0",
    "kernel/yama/ptrace_scope", "1",
    "vm/admin_reserve_kbytes", "8192",
    "vm/compaction_proactiveness", "20",
    "vm/dirty_background_bytes", "0",
    "vm/dirty_background_ratio", "10",
    "vm/dirty_bytes", "0",
    "vm/dirty_expire_centisecs", "3000",
    "vm/dirty_ratio", "20",
    "vm/dirty_writeback_centisecs", "500",
    "vm/drop_caches", "0",
    "vm/extfrag_threshold", "500",
    "vm/hugetlb_shm_group", "0",
    "vm/laptop_mode", "0",
    "vm/legacy_va_layout", "0",
    "vm/lowmem_reserve_ratio", "256\t256\t32\t0\t0",
    "vm/max_map_count", "65530",
    "vm/memfd_noexec", "0",
    "vm/min_free_kbytes", "67584",
    "vm/mmap_min_addr", "65536",
    "vm/nr_hugepages", "0",
    "vm/nr_overcommit_hugepages", "0",
    "vm/oom_dump_tasks", "1",
    "vm/oom_kill_allocating_task", "0",
    "vm/overcommit_kbytes", "0",
    "vm/overcommit_memory", "0",
    "vm/overcommit_ratio", "50",
    "vm/page-cluster", "3",
    "vm/panic_on_oom", "0",
    "vm/stat_interval", "1",
    "vm/swappiness", "60",
    "vm/unprivileged_userfaultfd", "0",
    "vm/user_reserve_kbytes", "131072",
    "vm/vfs_cache_pressure", "100",
    "vm/watermark_boost_factor", "15000",
    "vm/watermark_scale_factor", "10",
    "vm/zone_reclaim_mode", "0",
    "fs/aio-max-nr", "65536",
    "fs/dir-notify-enable", "1",
    "fs/epoll/max_user_watches", "5433344",
    "fs/fanotify/max_queued_events", "16384",
    "fs/fanotify/max_user_groups", "128",
    "fs/fanotify/max_user_marks", "8192",
    "fs/file-max", "9223372036854775807",
    "fs/inotify/max_queued_events", "16384",
    "fs/inotify/max_user_instances", "128",
    "fs/inotify/max_user_watches", "189344",
    "fs/leases-enable", "1",
    "fs/mount-max", "100000",
    "fs/mqueue/msg_default", "10",
    "fs/mqueue/msg_max", "10",
    "fs/mqueue/msgsize_default", "8192",
    "fs/mqueue/msgsize_max", "8192",
    "fs/mqueue/queues_max", "256",
    "fs/nr_open", "1048576",
    "fs/pipe-max-size", "1048576",
    "fs/pipe-user-pages-hard", "0",
    "fs/pipe-user-pages-soft", "16384",
    "fs/protected_fifos", "1",
    "fs/protected_hardlinks", "1",
    "fs/protected_regular", "2",
    "fs/protected_symlinks", "1",
    "fs/suid_dumpable", "0",
    "net/core/busy_poll", "0",
    "net/core/busy_read", "0",
    "net/core/default_qdisc", "pfifo_fast",
    "net/core/dev_weight", "64",
    "net/core/netdev_budget", "300",
    "net/core/netdev_max_backlog", "1000",
    "net/core/optmem_max", "131072",
    "net/core/rmem_default", "212992",
    "net/core/rmem_max", "212992",
    "net/core/somaxconn", "4096",
    "net/core/wmem_default", "212992",
    "net/core/wmem_max", "212992",
    "net/ipv4/conf/all/accept_redirects", "1",
    "net/ipv4/conf/all/forwarding", "0",
    "net/ipv4/conf/all/rp_filter", "0",
    "net/ipv4/conf/default/forwarding", "0",
    "net/ipv4/conf/default/rp_filter", "0",
    "net/ipv4/conf/lo/forwarding", "0",
    "net/ipv4/icmp_echo_ignore_all", "0",
    "net/ipv4/ip_default_ttl", "64",
    "net/ipv4/ip_dynaddr", "0",
    "net/ipv4/ip_forward", "0",
    "net/ipv4/ip_local_port_range", "32768\t60999",
    "net/ipv4/ip_local_reserved_ports", "",
    "net/ipv4/ip_nonlocal_bind", "0",
    "net/ipv4/ipfrag_high_thresh", "4194304",
    "net/ipv4/ipfrag_time", "30",
    "net/ipv4/tcp_abort_on_overflow", "0",
    "net/ipv4/tcp_adv_win_scale", "1",
    "net/ipv4/tcp_allowed_congestion_control", "reno cubic",
    "net/ipv4/tcp_available_congestion_control", "reno cubic",
    "net/ipv4/tcp_base_mss", "1024",
    "net/ipv4/tcp_congestion_control", "cubic",
    "net/ipv4/tcp_dsack", "1",
    "net/ipv4/tcp_ecn", "2",
    "net/ipv4/tcp_fastopen", "1",
    "net/ipv4/tcp_fin_timeout", "60",
    "net/ipv4/tcp_keepalive_intvl", "75",
    "net/ipv4/tcp_keepalive_probes", "9",
    "net/ipv4/tcp_keepalive_time", "7200",
    "net/ipv4/tcp_max_orphans", "131072",
    "net/ipv4/tcp_max_syn_backlog", "1024",
    "net/ipv4/tcp_max_tw_buckets", "131072",
    "net/ipv4/tcp_mem", "286905\t382540\t573810",
    "net/ipv4/tcp_moderate_rcvbuf", "1",
    "net/ipv4/tcp_mtu_probing", "0",
    "net/ipv4/tcp_no_metrics_save", "0",
    "net/ipv4/tcp_notsent_lowat", "4294967295",
    "net/ipv4/tcp_retries1", "3",
    "net/ipv4/tcp_retries2", "15",
    "net/ipv4/tcp_rfc1337", "0",
    "net/ipv4/tcp_rmem", "4096\t131072\t6291456",
    "net/ipv4/tcp_sack", "1",
    "net/ipv4/tcp_slow_start_after_idle", "1",
    "net/ipv4/tcp_syn_retries", "6",
    "net/ipv4/tcp_synack_retries", "5",
    "net/ipv4/tcp_syncookies", "1",
    "net/ipv4/tcp_timestamps", "1",
    "net/ipv4/tcp_tw_reuse", "2",
    "net/ipv4/tcp_window_scaling", "1",
    "net/ipv4/tcp_wmem", "4096\t16384\t4194304",
    "net/ipv4/udp_mem", "573813\t765084\t1147626",
    "net/ipv4/udp_rmem_min", "4096",
    "net/ipv4/udp_wmem_min", "4096",
    "net/ipv6/bindv6only", "0",
    "net/ipv6/conf/all/disable_ipv6", "0",
    "net/ipv6/conf/all/forwarding", "0",
    "net/ipv6/conf/default/disable_ipv6", "0",
    "net/ipv6/conf/default/forwarding", "0",
    "net/ipv6/conf/lo/disable_ipv6", "0",
    "net/unix/max_dgram_qlen", "512",
    "user/max_cgroup_namespaces", "10000",
    "user/max_ipc_namespaces", "10000",
    "user/max_mnt_namespaces", "10000",
    "user/max_net_namespaces", "10000",
    "user/max_pid_namespaces", "10000",
    "user/max_time_namespaces", "10000",
    "user/max_user_namespaces", "10000",
    "user/max_uts_namespaces", "10000",
  };

  /** Facts that nobody may write. */
  private static final String[] FACTS = {
    "kernel/arch", "x86_64",
    "kernel/cap_last_cap", "40",
    "kernel/ngroups_max", "65536",
    "kernel/osrelease", Kernel.RELEASE,
    "kernel/ostype", "Linux",
    "kernel/version", Kernel.VERSION,
    "kernel/tainted", "0",
    "kernel/random/entropy_avail", "256",
    "kernel/random/poolsize", "256",
    "kernel/seccomp/actions_avail",
        "kill_process kill_thread trap errno user_notif trace log allow",
    "kernel/auto_msgmni", "0",
    "kernel/overflowuid", "65534",
    "kernel/overflowgid", "65534",
    "fs/overflowuid", "65534",
    "fs/overflowgid", "65534",
    "fs/aio-nr", "0",
    "fs/binfmt_misc/status", "disabled",
    "fs/dentry-state", "0\t0\t45\t0\t0\t0",
    "fs/inode-nr", "0\t0",
    "fs/inode-state", "0\t0\t0\t0\t0\t0\t0",
  };

  /** One for the life of this kernel, however often proc is mounted. */
  private static final class BootId {
    static final String ID = RandomId.uuid();
  }

  static void fill(ProcFs proc, KernDir sys) {
    for (int i = 0; i < KNOBS.length; i += 2) {
      sys.put(KNOBS[i], TextFile.knob(proc, 0644, KNOBS[i + 1] + "\n"));
    }
    for (int i = 0; i < FACTS.length; i += 2) {
      sys.put(FACTS[i], TextFile.fixed(proc, 0444, FACTS[i + 1] + "\n"));
    }
    CoreDump.Settings cores = CoreDump.Settings.of(proc.kernel());
    sys.put(
        "kernel/core_pattern",
        TextFile.of(
            proc,
            0644,
            (t, o) -> o.append(cores.pattern).append('\n'),
            (t, s) -> {
              cores.pattern = line(s.length() > 127 ? s.substring(0, 127) : s);
              return 0;
            }));
    sys.put(
        "kernel/core_uses_pid",
        TextFile.of(
            proc,
            0644,
            (t, o) -> o.append(cores.usesPid ? "1\n" : "0\n"),
            (t, s) -> {
              cores.usesPid = !line(s).strip().equals("0");
              return 0;
            }));
    sys.put(
        "fs/lease-break-time",
        TextFile.of(
            proc,
            0644,
            (t, o) -> o.append(Leases.breakTimeS).append('\n'),
            (t, s) -> {
              int seconds;
              try {
                seconds = Integer.parseInt(line(s).strip());
              } catch (NumberFormatException e) {
                return -EINVAL;
              }
              if (seconds < 0) {
                return -EINVAL;
              }
              Leases.breakTimeS = seconds;
              return 0;
            }));
    sys.put(
        "kernel/hostname",
        TextFile.polled(
            proc,
            0644,
            (t, o) -> o.append(t.uts().hostname()).append('\n'),
            (t, s) -> setName(t, s, false),
            t -> t.uts().hostnames));
    sys.put(
        "kernel/domainname",
        TextFile.polled(
            proc,
            0644,
            (t, o) -> o.append(t.uts().domainname()).append('\n'),
            (t, s) -> setName(t, s, true),
            t -> t.uts().domainnames));
    sys.put(
        "kernel/pid_max",
        TextFile.of(
            proc,
            0644,
            (t, o) -> o.append(proc.pids().limit()).append('\n'),
            (t, s) -> setPidMax(proc, t, s)));
    sys.put(
        "kernel/ns_last_pid",
        TextFile.of(
            proc,
            0666,
            (t, o) -> o.append(proc.pids().lastPid()).append('\n'),
            (t, s) -> setLastPid(proc, t, s)));
    sys.put("kernel/random/boot_id", TextFile.fixed(proc, 0444, BootId.ID + "\n"));
    sys.put(
        "kernel/random/uuid",
        TextFile.of(proc, 0444, (t, o) -> o.append(RandomId.uuid()).append('\n')));
    sys.put(
        "fs/file-nr", TextFile.of(proc, 0444, (t, o) -> o.append("0\t0\t9223372036854775807\n")));
    for (String name :
        List.of("net/ipv4/ping_group_range", "net/ipv4/ip_unprivileged_port_start")) {
      sys.put(
          name,
          TextFile.of(
              proc,
              0644,
              (t, o) -> o.append(inet(proc).sysctl(name)).append('\n'),
              (t, s) ->
                  t.hasCapability(Caps.CAP_NET_ADMIN)
                      ? inet(proc).setSysctl(name, line(s))
                      : -EPERM));
    }
    sys.put("debug/exception-trace", TextFile.knob(proc, 0644, "1\n"));
  }

  private static InetFamily inet(ProcFs proc) {
    return proc.kernel().subsystemOrNew(InetFamily.class, InetFamily::new);
  }

  private static String line(String s) {
    int nl = s.indexOf('\n');
    return nl >= 0 ? s.substring(0, nl) : s;
  }

  private static long setName(Task t, String s, boolean domain) {
    String name = line(s);
    if (!t.hasCapability(t.uts().owner(), Caps.CAP_SYS_ADMIN)) {
      return -EPERM;
    }
    if (name.length() > 64) {
      name = name.substring(0, 64);
    }
    if (domain) {
      t.uts().setDomainname(name);
    } else {
      t.uts().setHostname(name);
    }
    return 0;
  }

  private static long setPidMax(ProcFs proc, Task t, String s) {
    if (!t.hasCapability(proc.pids().owner(), Caps.CAP_SYS_ADMIN)) {
      return -EPERM;
    }
    try {
      int v = Integer.parseInt(s.strip());
      if (v < 301 || v > PidNamespace.PID_MAX) {
        return -EINVAL;
      }
      synchronized (t.kernel().tasks().mu) {
        proc.pids().setLimit(v);
      }
      return 0;
    } catch (NumberFormatException e) {
      return -EINVAL;
    }
  }

  /** kernel/pid_namespace.c pid_ns_ctl_handler: the right to restore checkpoints is enough. */
  private static long setLastPid(ProcFs proc, Task t, String s) {
    if (!t.hasCapability(proc.pids().owner(), Caps.CAP_CHECKPOINT_RESTORE)
        && !t.hasCapability(proc.pids().owner(), Caps.CAP_SYS_ADMIN)) {
      return -EPERM;
    }
    try {
      int v = Integer.parseInt(s.strip());
      if (v < 0 || v >= proc.pids().limit()) {
        return -EINVAL;
      }
      synchronized (t.kernel().tasks().mu) {
        proc.pids().setLastPid(v);
      }
      return 0;
    } catch (NumberFormatException e) {
      return -EINVAL;
    }
  }
}
