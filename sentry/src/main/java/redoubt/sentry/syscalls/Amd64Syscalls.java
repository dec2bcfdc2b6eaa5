package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.ENOSYS;
import static redoubt.abi.Errno.EPERM;

import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;

/**
 * The dispatch table of x86-64: one line a number, none left out. Support levels and notes are in
 * {@code syscalls.tbl}; a test compares the two, and holds the method under 8,000 bytes of bytecode,
 * past which HotSpot would not compile it.
 */
public final class Amd64Syscalls {
  private Amd64Syscalls() {}

  /**
   * Carries out the call that {@code a} describes.
   *
   * @return 0 or more, or -errno (also the kernel's own numbers such as -ERESTARTSYS)
   */
  public static long dispatch(Task t, Args a) {
    return switch (a.nr) {
      case 0 -> ReadWrite.read(t, a); // read
      case 1 -> ReadWrite.write(t, a); // write
      case 2 -> Open.open(t, a); // open
      case 3 -> Open.close(t, a); // close
      case 4 -> FileStatus.stat(t, a); // stat
      case 5 -> FileStatus.fstat(t, a); // fstat
      case 6 -> FileStatus.lstat(t, a); // lstat
      case 7 -> Poll.poll(t, a); // poll
      case 8 -> ReadWrite.lseek(t, a); // lseek
      case 9 -> MmapCalls.mmap(t, a); // mmap
      case 10 -> MmapCalls.mprotect(t, a); // mprotect
      case 11 -> MmapCalls.munmap(t, a); // munmap
      case 12 -> MmapCalls.brk(t, a); // brk
      case 13 -> SignalCalls.rtSigaction(t, a); // rt_sigaction
      case 14 -> SignalCalls.rtSigprocmask(t, a); // rt_sigprocmask
      case 15 -> SignalCalls.rtSigreturn(t, a); // rt_sigreturn
      case 16 -> FileSystemCalls.ioctl(t, a); // ioctl
      case 17 -> ReadWrite.pread64(t, a); // pread64
      case 18 -> ReadWrite.pwrite64(t, a); // pwrite64
      case 19 -> ReadWrite.readv(t, a); // readv
      case 20 -> ReadWrite.writev(t, a); // writev
      case 21 -> FileStatus.access(t, a); // access
      case 22 -> Pipes.pipe(t, a); // pipe
      case 23 -> Poll.select(t, a); // select
      case 24 -> Scheduling.schedYield(t, a); // sched_yield
      case 25 -> MmapCalls.mremap(t, a); // mremap
      case 26 -> MmapCalls.msync(t, a); // msync
      case 27 -> -ENOSYS; // mincore
      case 28 -> MmapCalls.madvise(t, a); // madvise
      case 29 -> -ENOSYS; // shmget
      case 30 -> -ENOSYS; // shmat
      case 31 -> -ENOSYS; // shmctl
      case 32 -> Dup.dup(t, a); // dup
      case 33 -> Dup.dup2(t, a); // dup2
      case 34 -> SignalCalls.pause(t, a); // pause
      case 35 -> Clock.nanosleep(t, a); // nanosleep
      case 36 -> Timers.getitimer(t, a); // getitimer
      case 37 -> Timers.alarm(t, a); // alarm
      case 38 -> Timers.setitimer(t, a); // setitimer
      case 39 -> ProcessIds.getpid(t, a); // getpid
      case 40 -> -ENOSYS; // sendfile
      case 41 -> -ENOSYS; // socket
      case 42 -> -ENOSYS; // connect
      case 43 -> -ENOSYS; // accept
      case 44 -> -ENOSYS; // sendto
      case 45 -> -ENOSYS; // recvfrom
      case 46 -> -ENOSYS; // sendmsg
      case 47 -> -ENOSYS; // recvmsg
      case 48 -> -ENOSYS; // shutdown
      case 49 -> -ENOSYS; // bind
      case 50 -> -ENOSYS; // listen
      case 51 -> -ENOSYS; // getsockname
      case 52 -> -ENOSYS; // getpeername
      case 53 -> -ENOSYS; // socketpair
      case 54 -> -ENOSYS; // setsockopt
      case 55 -> -ENOSYS; // getsockopt
      case 56 -> CloneCalls.clone(t, a); // clone
      case 57 -> CloneCalls.fork(t, a); // fork
      case 58 -> CloneCalls.vfork(t, a); // vfork
      case 59 -> ExecCalls.execve(t, a); // execve
      case 60 -> ExitCalls.exit(t, a); // exit
      case 61 -> WaitCalls.wait4(t, a); // wait4
      case 62 -> SignalCalls.kill(t, a); // kill
      case 63 -> SystemCalls.uname(t, a); // uname
      case 64 -> -ENOSYS; // semget
      case 65 -> -ENOSYS; // semop
      case 66 -> -ENOSYS; // semctl
      case 67 -> -ENOSYS; // shmdt
      case 68 -> -ENOSYS; // msgget
      case 69 -> -ENOSYS; // msgsnd
      case 70 -> -ENOSYS; // msgrcv
      case 71 -> -ENOSYS; // msgctl
      case 72 -> FileControl.fcntl(t, a); // fcntl
      case 73 -> FileControl.flock(t, a); // flock
      case 74 -> FileSystemCalls.fsync(t, a); // fsync
      case 75 -> FileSystemCalls.fdatasync(t, a); // fdatasync
      case 76 -> Attributes.truncate(t, a); // truncate
      case 77 -> Attributes.ftruncate(t, a); // ftruncate
      case 78 -> Directories.getdents(t, a); // getdents
      case 79 -> Directories.getcwd(t, a); // getcwd
      case 80 -> Directories.chdir(t, a); // chdir
      case 81 -> Directories.fchdir(t, a); // fchdir
      case 82 -> Names.rename(t, a); // rename
      case 83 -> Directories.mkdir(t, a); // mkdir
      case 84 -> Directories.rmdir(t, a); // rmdir
      case 85 -> Open.creat(t, a); // creat
      case 86 -> Names.link(t, a); // link
      case 87 -> Names.unlink(t, a); // unlink
      case 88 -> Names.symlink(t, a); // symlink
      case 89 -> FileStatus.readlink(t, a); // readlink
      case 90 -> Attributes.chmod(t, a); // chmod
      case 91 -> Attributes.fchmod(t, a); // fchmod
      case 92 -> Attributes.chown(t, a); // chown
      case 93 -> Attributes.fchown(t, a); // fchown
      case 94 -> Attributes.lchown(t, a); // lchown
      case 95 -> Attributes.umask(t, a); // umask
      case 96 -> Clock.gettimeofday(t, a); // gettimeofday
      case 97 -> ResourceCalls.getrlimit(t, a); // getrlimit
      case 98 -> ResourceCalls.getrusage(t, a); // getrusage
      case 99 -> SystemCalls.sysinfo(t, a); // sysinfo
      case 100 -> Clock.times(t, a); // times
      case 101 -> -ENOSYS; // ptrace
      case 102 -> UserIds.getuid(t, a); // getuid
      case 103 -> SystemCalls.syslog(t, a); // syslog
      case 104 -> UserIds.getgid(t, a); // getgid
      case 105 -> UserIds.setuid(t, a); // setuid
      case 106 -> UserIds.setgid(t, a); // setgid
      case 107 -> UserIds.geteuid(t, a); // geteuid
      case 108 -> UserIds.getegid(t, a); // getegid
      case 109 -> ProcessIds.setpgid(t, a); // setpgid
      case 110 -> ProcessIds.getppid(t, a); // getppid
      case 111 -> ProcessIds.getpgrp(t, a); // getpgrp
      case 112 -> ProcessIds.setsid(t, a); // setsid
      case 113 -> UserIds.setreuid(t, a); // setreuid
      case 114 -> UserIds.setregid(t, a); // setregid
      case 115 -> UserIds.getgroups(t, a); // getgroups
      case 116 -> UserIds.setgroups(t, a); // setgroups
      case 117 -> UserIds.setresuid(t, a); // setresuid
      case 118 -> UserIds.getresuid(t, a); // getresuid
      case 119 -> UserIds.setresgid(t, a); // setresgid
      case 120 -> UserIds.getresgid(t, a); // getresgid
      case 121 -> ProcessIds.getpgid(t, a); // getpgid
      case 122 -> UserIds.setfsuid(t, a); // setfsuid
      case 123 -> UserIds.setfsgid(t, a); // setfsgid
      case 124 -> ProcessIds.getsid(t, a); // getsid
      case 125 -> Capabilities.capget(t, a); // capget
      case 126 -> Capabilities.capset(t, a); // capset
      case 127 -> SignalCalls.rtSigpending(t, a); // rt_sigpending
      case 128 -> SignalCalls.rtSigtimedwait(t, a); // rt_sigtimedwait
      case 129 -> SignalCalls.rtSigqueueinfo(t, a); // rt_sigqueueinfo
      case 130 -> SignalCalls.rtSigsuspend(t, a); // rt_sigsuspend
      case 131 -> SignalCalls.sigaltstack(t, a); // sigaltstack
      case 132 -> Attributes.utime(t, a); // utime
      case 133 -> Names.mknod(t, a); // mknod
      case 134 -> -ENOSYS; // uselib: never
      case 135 -> ProcessControl.personality(t, a); // personality
      case 136 -> FileSystemCalls.ustat(t, a); // ustat
      case 137 -> FileSystemCalls.statfs(t, a); // statfs
      case 138 -> FileSystemCalls.fstatfs(t, a); // fstatfs
      case 139 -> -ENOSYS; // sysfs
      case 140 -> ResourceCalls.getpriority(t, a); // getpriority
      case 141 -> ResourceCalls.setpriority(t, a); // setpriority
      case 142 -> Scheduling.schedSetparam(t, a); // sched_setparam
      case 143 -> Scheduling.schedGetparam(t, a); // sched_getparam
      case 144 -> Scheduling.schedSetscheduler(t, a); // sched_setscheduler
      case 145 -> Scheduling.schedGetscheduler(t, a); // sched_getscheduler
      case 146 -> Scheduling.schedGetPriorityMax(t, a); // sched_get_priority_max
      case 147 -> Scheduling.schedGetPriorityMin(t, a); // sched_get_priority_min
      case 148 -> Scheduling.schedRrGetInterval(t, a); // sched_rr_get_interval
      case 149 -> MmapCalls.mlock(t, a); // mlock
      case 150 -> MmapCalls.munlock(t, a); // munlock
      case 151 -> MmapCalls.mlockall(t, a); // mlockall
      case 152 -> MmapCalls.munlockall(t, a); // munlockall
      case 153 -> SystemCalls.vhangup(t, a); // vhangup
      case 154 -> -ENOSYS; // modify_ldt
      case 155 -> -ENOSYS; // pivot_root
      case 156 -> -ENOSYS; // _sysctl: never
      case 157 -> ProcessControl.prctl(t, a); // prctl
      case 158 -> ArchPrctl.archPrctl(t, a); // arch_prctl
      case 159 -> Clock.adjtimex(t, a); // adjtimex
      case 160 -> ResourceCalls.setrlimit(t, a); // setrlimit
      case 161 -> Directories.chroot(t, a); // chroot
      case 162 -> FileSystemCalls.sync(t, a); // sync
      case 163 -> -ENOSYS; // acct: never
      case 164 -> -EPERM; // settimeofday: never
      case 165 -> -ENOSYS; // mount
      case 166 -> -ENOSYS; // umount2
      case 167 -> -EPERM; // swapon: never
      case 168 -> -EPERM; // swapoff: never
      case 169 -> SystemCalls.reboot(t, a); // reboot
      case 170 -> SystemCalls.sethostname(t, a); // sethostname
      case 171 -> SystemCalls.setdomainname(t, a); // setdomainname
      case 172 -> -EPERM; // iopl: never
      case 173 -> -EPERM; // ioperm: never
      case 174 -> -ENOSYS; // create_module: never
      case 175 -> -EPERM; // init_module: never
      case 176 -> -EPERM; // delete_module: never
      case 177 -> -ENOSYS; // get_kernel_syms: never
      case 178 -> -ENOSYS; // query_module: never
      case 179 -> -ENOSYS; // quotactl: never
      case 180 -> -ENOSYS; // nfsservctl: never
      case 181 -> -ENOSYS; // getpmsg: never
      case 182 -> -ENOSYS; // putpmsg: never
      case 183 -> -ENOSYS; // afs_syscall: never
      case 184 -> -ENOSYS; // tuxcall: never
      case 185 -> -ENOSYS; // security: never
      case 186 -> ProcessIds.gettid(t, a); // gettid
      case 187 -> FileSystemCalls.readahead(t, a); // readahead
      case 188 -> ExtendedAttributes.setxattr(t, a); // setxattr
      case 189 -> ExtendedAttributes.lsetxattr(t, a); // lsetxattr
      case 190 -> ExtendedAttributes.fsetxattr(t, a); // fsetxattr
      case 191 -> ExtendedAttributes.getxattr(t, a); // getxattr
      case 192 -> ExtendedAttributes.lgetxattr(t, a); // lgetxattr
      case 193 -> ExtendedAttributes.fgetxattr(t, a); // fgetxattr
      case 194 -> ExtendedAttributes.listxattr(t, a); // listxattr
      case 195 -> ExtendedAttributes.llistxattr(t, a); // llistxattr
      case 196 -> ExtendedAttributes.flistxattr(t, a); // flistxattr
      case 197 -> ExtendedAttributes.removexattr(t, a); // removexattr
      case 198 -> ExtendedAttributes.lremovexattr(t, a); // lremovexattr
      case 199 -> ExtendedAttributes.fremovexattr(t, a); // fremovexattr
      case 200 -> SignalCalls.tkill(t, a); // tkill
      case 201 -> Clock.time(t, a); // time
      case 202 -> FutexCalls.futex(t, a); // futex
      case 203 -> Scheduling.schedSetaffinity(t, a); // sched_setaffinity
      case 204 -> Scheduling.schedGetaffinity(t, a); // sched_getaffinity
      case 205 -> -ENOSYS; // set_thread_area: never
      case 206 -> -ENOSYS; // io_setup
      case 207 -> -ENOSYS; // io_destroy
      case 208 -> -ENOSYS; // io_getevents
      case 209 -> -ENOSYS; // io_submit
      case 210 -> -ENOSYS; // io_cancel
      case 211 -> -ENOSYS; // get_thread_area: never
      case 212 -> -ENOSYS; // lookup_dcookie: never
      case 213 -> EventPoll.epollCreate(t, a); // epoll_create
      case 214 -> -ENOSYS; // epoll_ctl_old: never
      case 215 -> -ENOSYS; // epoll_wait_old: never
      case 216 -> -ENOSYS; // remap_file_pages
      case 217 -> Directories.getdents64(t, a); // getdents64
      case 218 -> ExitCalls.setTidAddress(t, a); // set_tid_address
      case 219 -> SignalCalls.restartSyscall(t, a); // restart_syscall
      case 220 -> -ENOSYS; // semtimedop
      case 221 -> FileSystemCalls.fadvise64(t, a); // fadvise64
      case 222 -> Timers.timerCreate(t, a); // timer_create
      case 223 -> Timers.timerSettime(t, a); // timer_settime
      case 224 -> Timers.timerGettime(t, a); // timer_gettime
      case 225 -> Timers.timerGetoverrun(t, a); // timer_getoverrun
      case 226 -> Timers.timerDelete(t, a); // timer_delete
      case 227 -> -EPERM; // clock_settime: never
      case 228 -> Clock.clockGettime(t, a); // clock_gettime
      case 229 -> Clock.clockGetres(t, a); // clock_getres
      case 230 -> Clock.clockNanosleep(t, a); // clock_nanosleep
      case 231 -> ExitCalls.exitGroup(t, a); // exit_group
      case 232 -> EventPoll.epollWait(t, a); // epoll_wait
      case 233 -> EventPoll.epollCtl(t, a); // epoll_ctl
      case 234 -> SignalCalls.tgkill(t, a); // tgkill
      case 235 -> Attributes.utimes(t, a); // utimes
      case 236 -> -ENOSYS; // vserver: never
      case 237 -> -ENOSYS; // mbind
      case 238 -> -ENOSYS; // set_mempolicy
      case 239 -> -ENOSYS; // get_mempolicy
      case 240 -> -ENOSYS; // mq_open
      case 241 -> -ENOSYS; // mq_unlink
      case 242 -> -ENOSYS; // mq_timedsend
      case 243 -> -ENOSYS; // mq_timedreceive
      case 244 -> -ENOSYS; // mq_notify
      case 245 -> -ENOSYS; // mq_getsetattr
      case 246 -> -EPERM; // kexec_load: never
      case 247 -> WaitCalls.waitid(t, a); // waitid
      case 248 -> -ENOSYS; // add_key
      case 249 -> -ENOSYS; // request_key
      case 250 -> -ENOSYS; // keyctl
      case 251 -> Scheduling.ioprioSet(t, a); // ioprio_set
      case 252 -> Scheduling.ioprioGet(t, a); // ioprio_get
      case 253 -> -ENOSYS; // inotify_init
      case 254 -> -ENOSYS; // inotify_add_watch
      case 255 -> -ENOSYS; // inotify_rm_watch
      case 256 -> -ENOSYS; // migrate_pages
      case 257 -> Open.openat(t, a); // openat
      case 258 -> Directories.mkdirat(t, a); // mkdirat
      case 259 -> Names.mknodat(t, a); // mknodat
      case 260 -> Attributes.fchownat(t, a); // fchownat
      case 261 -> Attributes.futimesat(t, a); // futimesat
      case 262 -> FileStatus.newfstatat(t, a); // newfstatat
      case 263 -> Names.unlinkat(t, a); // unlinkat
      case 264 -> Names.renameat(t, a); // renameat
      case 265 -> Names.linkat(t, a); // linkat
      case 266 -> Names.symlinkat(t, a); // symlinkat
      case 267 -> FileStatus.readlinkat(t, a); // readlinkat
      case 268 -> Attributes.fchmodat(t, a); // fchmodat
      case 269 -> FileStatus.faccessat(t, a); // faccessat
      case 270 -> Poll.pselect6(t, a); // pselect6
      case 271 -> Poll.ppoll(t, a); // ppoll
      case 272 -> -ENOSYS; // unshare
      case 273 -> FutexCalls.setRobustList(t, a); // set_robust_list
      case 274 -> FutexCalls.getRobustList(t, a); // get_robust_list
      case 275 -> -ENOSYS; // splice
      case 276 -> -ENOSYS; // tee
      case 277 -> FileSystemCalls.syncFileRange(t, a); // sync_file_range
      case 278 -> -ENOSYS; // vmsplice
      case 279 -> -ENOSYS; // move_pages
      case 280 -> Attributes.utimensat(t, a); // utimensat
      case 281 -> EventPoll.epollPwait(t, a); // epoll_pwait
      case 282 -> EventFiles.signalfd(t, a); // signalfd
      case 283 -> EventFiles.timerfdCreate(t, a); // timerfd_create
      case 284 -> EventFiles.eventfd(t, a); // eventfd
      case 285 -> Attributes.fallocate(t, a); // fallocate
      case 286 -> EventFiles.timerfdSettime(t, a); // timerfd_settime
      case 287 -> EventFiles.timerfdGettime(t, a); // timerfd_gettime
      case 288 -> -ENOSYS; // accept4
      case 289 -> EventFiles.signalfd4(t, a); // signalfd4
      case 290 -> EventFiles.eventfd2(t, a); // eventfd2
      case 291 -> EventPoll.epollCreate1(t, a); // epoll_create1
      case 292 -> Dup.dup3(t, a); // dup3
      case 293 -> Pipes.pipe2(t, a); // pipe2
      case 294 -> -ENOSYS; // inotify_init1
      case 295 -> ReadWrite.preadv(t, a); // preadv
      case 296 -> ReadWrite.pwritev(t, a); // pwritev
      case 297 -> SignalCalls.rtTgsigqueueinfo(t, a); // rt_tgsigqueueinfo
      case 298 -> -ENOSYS; // perf_event_open
      case 299 -> -ENOSYS; // recvmmsg
      case 300 -> -ENOSYS; // fanotify_init
      case 301 -> -ENOSYS; // fanotify_mark
      case 302 -> ResourceCalls.prlimit64(t, a); // prlimit64
      case 303 -> -ENOSYS; // name_to_handle_at
      case 304 -> -ENOSYS; // open_by_handle_at
      case 305 -> Clock.clockAdjtime(t, a); // clock_adjtime
      case 306 -> FileSystemCalls.syncfs(t, a); // syncfs
      case 307 -> -ENOSYS; // sendmmsg
      case 308 -> -ENOSYS; // setns
      case 309 -> Scheduling.getcpu(t, a); // getcpu
      case 310 -> -ENOSYS; // process_vm_readv
      case 311 -> -ENOSYS; // process_vm_writev
      case 312 -> -ENOSYS; // kcmp
      case 313 -> -EPERM; // finit_module: never
      case 314 -> Scheduling.schedSetattr(t, a); // sched_setattr
      case 315 -> Scheduling.schedGetattr(t, a); // sched_getattr
      case 316 -> Names.renameat2(t, a); // renameat2
      case 317 -> -ENOSYS; // seccomp
      case 318 -> SystemCalls.getrandom(t, a); // getrandom
      case 319 -> -ENOSYS; // memfd_create
      case 320 -> -EPERM; // kexec_file_load: never
      case 321 -> -ENOSYS; // bpf
      case 322 -> ExecCalls.execveat(t, a); // execveat
      case 323 -> -ENOSYS; // userfaultfd
      case 324 -> -ENOSYS; // membarrier
      case 325 -> MmapCalls.mlock2(t, a); // mlock2
      case 326 -> -ENOSYS; // copy_file_range
      case 327 -> ReadWrite.preadv2(t, a); // preadv2
      case 328 -> ReadWrite.pwritev2(t, a); // pwritev2
      case 329 -> -ENOSYS; // pkey_mprotect
      case 330 -> -ENOSYS; // pkey_alloc
      case 331 -> -ENOSYS; // pkey_free
      case 332 -> FileStatus.statx(t, a); // statx
      case 333 -> -ENOSYS; // io_pgetevents
      case 334 -> -ENOSYS; // rseq
      case 335 -> -ENOSYS; // uretprobe: never
      case 424 -> -ENOSYS; // pidfd_send_signal
      case 425 -> -ENOSYS; // io_uring_setup
      case 426 -> -ENOSYS; // io_uring_enter
      case 427 -> -ENOSYS; // io_uring_register
      case 428 -> -ENOSYS; // open_tree
      case 429 -> -ENOSYS; // move_mount
      case 430 -> -ENOSYS; // fsopen
      case 431 -> -ENOSYS; // fsconfig
      case 432 -> -ENOSYS; // fsmount
      case 433 -> -ENOSYS; // fspick
      case 434 -> -ENOSYS; // pidfd_open
      case 435 -> CloneCalls.clone3(t, a); // clone3
      case 436 -> Open.closeRange(t, a); // close_range
      case 437 -> Open.openat2(t, a); // openat2
      case 438 -> -ENOSYS; // pidfd_getfd
      case 439 -> FileStatus.faccessat2(t, a); // faccessat2
      case 440 -> -ENOSYS; // process_madvise
      case 441 -> EventPoll.epollPwait2(t, a); // epoll_pwait2
      case 442 -> -ENOSYS; // mount_setattr
      case 443 -> -ENOSYS; // quotactl_fd: never
      case 444 -> -ENOSYS; // landlock_create_ruleset
      case 445 -> -ENOSYS; // landlock_add_rule
      case 446 -> -ENOSYS; // landlock_restrict_self
      case 447 -> -ENOSYS; // memfd_secret
      case 448 -> -ENOSYS; // process_mrelease
      case 449 -> -ENOSYS; // futex_waitv
      case 450 -> -ENOSYS; // set_mempolicy_home_node
      case 451 -> -ENOSYS; // cachestat
      case 452 -> Attributes.fchmodat2(t, a); // fchmodat2
      case 453 -> -ENOSYS; // map_shadow_stack
      case 454 -> -ENOSYS; // futex_wake
      case 455 -> -ENOSYS; // futex_wait
      case 456 -> -ENOSYS; // futex_requeue
      case 457 -> -ENOSYS; // statmount
      case 458 -> -ENOSYS; // listmount
      case 459 -> -ENOSYS; // lsm_get_self_attr
      case 460 -> -ENOSYS; // lsm_set_self_attr
      case 461 -> -ENOSYS; // lsm_list_modules
      case 462 -> -ENOSYS; // mseal
      default -> -ENOSYS;
    };
  }
}
