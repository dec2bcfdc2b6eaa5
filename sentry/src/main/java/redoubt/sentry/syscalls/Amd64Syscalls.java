package redoubt.sentry.syscalls;

import static redoubt.abi.Errno.ENOSYS;
import static redoubt.abi.Errno.EPERM;

import redoubt.sentry.ipc.mqueue.PosixQueueCalls;
import redoubt.sentry.ipc.sysv.Messages;
import redoubt.sentry.ipc.sysv.Semaphores;
import redoubt.sentry.ipc.sysv.SharedMemory;
import redoubt.sentry.kernel.Args;
import redoubt.sentry.kernel.Task;

/**
 * The dispatch table of x86-64: one line a number, none left out. Support levels and notes are in
 * {@code syscalls.tbl}; a test compares the two. A call is reached through a table of handlers and
 * not by a switch: C2 leaves out the cases that a program has not used yet, and would compile the
 * switch again, all of it, for the first call of a kind that comes later.
 */
public final class Amd64Syscalls {
  /** As Linux's NR_syscalls: one more than the largest number. */
  private static final int COUNT = 463;

  /** One call, as {@link #dispatch} says. */
  private interface Handler {
    long call(Task t, Args a);
  }

  private static final Handler ABSENT = (t, a) -> -ENOSYS;
  private static final Handler REFUSED = (t, a) -> -EPERM;

  /** Found at each number's first call. Racing threads store the same handler. */
  private static final Handler[] HANDLERS = new Handler[COUNT];

  private Amd64Syscalls() {}

  /**
   * Carries out the call that {@code a} describes.
   *
   * @return 0 or more, or -errno (also the kernel's own numbers such as -ERESTARTSYS)
   */
  public static long dispatch(Task t, Args a) {
    long r = call(t, a);
    if (r == -ENOSYS) {
      AbsentCalls.note(t, a.nr);
    }
    return r;
  }

  private static long call(Task t, Args a) {
    int nr = a.nr;
    if (nr < 0 || nr >= COUNT) {
      return -ENOSYS;
    }
    Handler handler = HANDLERS[nr];
    if (handler == null) {
      handler = bind(nr);
    }
    return handler.call(t, a);
  }

  private static Handler bind(int nr) {
    Handler handler = handler(nr);
    HANDLERS[nr] = handler;
    return handler;
  }

  /** Finds every handler, so that an AOT cache holds all of them. */
  public static void bindAll() {
    for (int nr = 0; nr < COUNT; nr++) {
      bind(nr);
    }
  }

  private static Handler handler(int nr) {
    return switch (nr) {
      case 0 -> ReadWrite::read; // read
      case 1 -> ReadWrite::write; // write
      case 2 -> Open::open; // open
      case 3 -> Open::close; // close
      case 4 -> FileStatus::stat; // stat
      case 5 -> FileStatus::fstat; // fstat
      case 6 -> FileStatus::lstat; // lstat
      case 7 -> Poll::poll; // poll
      case 8 -> ReadWrite::lseek; // lseek
      case 9 -> MmapCalls::mmap; // mmap
      case 10 -> MmapCalls::mprotect; // mprotect
      case 11 -> MmapCalls::munmap; // munmap
      case 12 -> MmapCalls::brk; // brk
      case 13 -> SignalCalls::rtSigaction; // rt_sigaction
      case 14 -> SignalCalls::rtSigprocmask; // rt_sigprocmask
      case 15 -> SignalCalls::rtSigreturn; // rt_sigreturn
      case 16 -> FileSystemCalls::ioctl; // ioctl
      case 17 -> ReadWrite::pread64; // pread64
      case 18 -> ReadWrite::pwrite64; // pwrite64
      case 19 -> ReadWrite::readv; // readv
      case 20 -> ReadWrite::writev; // writev
      case 21 -> FileStatus::access; // access
      case 22 -> Pipes::pipe; // pipe
      case 23 -> Poll::select; // select
      case 24 -> Scheduling::schedYield; // sched_yield
      case 25 -> MmapCalls::mremap; // mremap
      case 26 -> MmapCalls::msync; // msync
      case 27 -> MmapCalls::mincore; // mincore
      case 28 -> MmapCalls::madvise; // madvise
      case 29 -> SharedMemory::shmget; // shmget
      case 30 -> SharedMemory::shmat; // shmat
      case 31 -> SharedMemory::shmctl; // shmctl
      case 32 -> Dup::dup; // dup
      case 33 -> Dup::dup2; // dup2
      case 34 -> SignalCalls::pause; // pause
      case 35 -> Clock::nanosleep; // nanosleep
      case 36 -> Timers::getitimer; // getitimer
      case 37 -> Timers::alarm; // alarm
      case 38 -> Timers::setitimer; // setitimer
      case 39 -> ProcessIds::getpid; // getpid
      case 40 -> Copying::sendfile; // sendfile
      case 41 -> SocketCalls::socket; // socket
      case 42 -> SocketCalls::connect; // connect
      case 43 -> SocketCalls::accept; // accept
      case 44 -> SocketCalls::sendto; // sendto
      case 45 -> SocketCalls::recvfrom; // recvfrom
      case 46 -> SocketCalls::sendmsg; // sendmsg
      case 47 -> SocketCalls::recvmsg; // recvmsg
      case 48 -> SocketCalls::shutdown; // shutdown
      case 49 -> SocketCalls::bind; // bind
      case 50 -> SocketCalls::listen; // listen
      case 51 -> SocketCalls::getsockname; // getsockname
      case 52 -> SocketCalls::getpeername; // getpeername
      case 53 -> SocketCalls::socketpair; // socketpair
      case 54 -> SocketCalls::setsockopt; // setsockopt
      case 55 -> SocketCalls::getsockopt; // getsockopt
      case 56 -> CloneCalls::clone; // clone
      case 57 -> CloneCalls::fork; // fork
      case 58 -> CloneCalls::vfork; // vfork
      case 59 -> ExecCalls::execve; // execve
      case 60 -> ExitCalls::exit; // exit
      case 61 -> WaitCalls::wait4; // wait4
      case 62 -> SignalCalls::kill; // kill
      case 63 -> SystemCalls::uname; // uname
      case 64 -> Semaphores::semget; // semget
      case 65 -> Semaphores::semop; // semop
      case 66 -> Semaphores::semctl; // semctl
      case 67 -> SharedMemory::shmdt; // shmdt
      case 68 -> Messages::msgget; // msgget
      case 69 -> Messages::msgsnd; // msgsnd
      case 70 -> Messages::msgrcv; // msgrcv
      case 71 -> Messages::msgctl; // msgctl
      case 72 -> FileControl::fcntl; // fcntl
      case 73 -> FileControl::flock; // flock
      case 74 -> FileSystemCalls::fsync; // fsync
      case 75 -> FileSystemCalls::fdatasync; // fdatasync
      case 76 -> Attributes::truncate; // truncate
      case 77 -> Attributes::ftruncate; // ftruncate
      case 78 -> Directories::getdents; // getdents
      case 79 -> Directories::getcwd; // getcwd
      case 80 -> Directories::chdir; // chdir
      case 81 -> Directories::fchdir; // fchdir
      case 82 -> Names::rename; // rename
      case 83 -> Directories::mkdir; // mkdir
      case 84 -> Directories::rmdir; // rmdir
      case 85 -> Open::creat; // creat
      case 86 -> Names::link; // link
      case 87 -> Names::unlink; // unlink
      case 88 -> Names::symlink; // symlink
      case 89 -> FileStatus::readlink; // readlink
      case 90 -> Attributes::chmod; // chmod
      case 91 -> Attributes::fchmod; // fchmod
      case 92 -> Attributes::chown; // chown
      case 93 -> Attributes::fchown; // fchown
      case 94 -> Attributes::lchown; // lchown
      case 95 -> Attributes::umask; // umask
      case 96 -> Clock::gettimeofday; // gettimeofday
      case 97 -> ResourceCalls::getrlimit; // getrlimit
      case 98 -> ResourceCalls::getrusage; // getrusage
      case 99 -> SystemCalls::sysinfo; // sysinfo
      case 100 -> Clock::times; // times
      case 101 -> PtraceCalls::ptrace; // ptrace
      case 102 -> UserIds::getuid; // getuid
      case 103 -> SystemCalls::syslog; // syslog
      case 104 -> UserIds::getgid; // getgid
      case 105 -> UserIds::setuid; // setuid
      case 106 -> UserIds::setgid; // setgid
      case 107 -> UserIds::geteuid; // geteuid
      case 108 -> UserIds::getegid; // getegid
      case 109 -> ProcessIds::setpgid; // setpgid
      case 110 -> ProcessIds::getppid; // getppid
      case 111 -> ProcessIds::getpgrp; // getpgrp
      case 112 -> ProcessIds::setsid; // setsid
      case 113 -> UserIds::setreuid; // setreuid
      case 114 -> UserIds::setregid; // setregid
      case 115 -> UserIds::getgroups; // getgroups
      case 116 -> UserIds::setgroups; // setgroups
      case 117 -> UserIds::setresuid; // setresuid
      case 118 -> UserIds::getresuid; // getresuid
      case 119 -> UserIds::setresgid; // setresgid
      case 120 -> UserIds::getresgid; // getresgid
      case 121 -> ProcessIds::getpgid; // getpgid
      case 122 -> UserIds::setfsuid; // setfsuid
      case 123 -> UserIds::setfsgid; // setfsgid
      case 124 -> ProcessIds::getsid; // getsid
      case 125 -> Capabilities::capget; // capget
      case 126 -> Capabilities::capset; // capset
      case 127 -> SignalCalls::rtSigpending; // rt_sigpending
      case 128 -> SignalCalls::rtSigtimedwait; // rt_sigtimedwait
      case 129 -> SignalCalls::rtSigqueueinfo; // rt_sigqueueinfo
      case 130 -> SignalCalls::rtSigsuspend; // rt_sigsuspend
      case 131 -> SignalCalls::sigaltstack; // sigaltstack
      case 132 -> Attributes::utime; // utime
      case 133 -> Names::mknod; // mknod
      case 134 -> ABSENT; // uselib: never
      case 135 -> ProcessControl::personality; // personality
      case 136 -> FileSystemCalls::ustat; // ustat
      case 137 -> FileSystemCalls::statfs; // statfs
      case 138 -> FileSystemCalls::fstatfs; // fstatfs
      case 139 -> Mounting::sysfs; // sysfs
      case 140 -> ResourceCalls::getpriority; // getpriority
      case 141 -> ResourceCalls::setpriority; // setpriority
      case 142 -> Scheduling::schedSetparam; // sched_setparam
      case 143 -> Scheduling::schedGetparam; // sched_getparam
      case 144 -> Scheduling::schedSetscheduler; // sched_setscheduler
      case 145 -> Scheduling::schedGetscheduler; // sched_getscheduler
      case 146 -> Scheduling::schedGetPriorityMax; // sched_get_priority_max
      case 147 -> Scheduling::schedGetPriorityMin; // sched_get_priority_min
      case 148 -> Scheduling::schedRrGetInterval; // sched_rr_get_interval
      case 149 -> MmapCalls::mlock; // mlock
      case 150 -> MmapCalls::munlock; // munlock
      case 151 -> MmapCalls::mlockall; // mlockall
      case 152 -> MmapCalls::munlockall; // munlockall
      case 153 -> SystemCalls::vhangup; // vhangup
      case 154 -> ABSENT; // modify_ldt: never
      case 155 -> Mounting::pivotRoot; // pivot_root
      case 156 -> ABSENT; // _sysctl: never
      case 157 -> ProcessControl::prctl; // prctl
      case 158 -> ArchPrctl::archPrctl; // arch_prctl
      case 159 -> Clock::adjtimex; // adjtimex
      case 160 -> ResourceCalls::setrlimit; // setrlimit
      case 161 -> Directories::chroot; // chroot
      case 162 -> FileSystemCalls::sync; // sync
      case 163 -> ABSENT; // acct: never
      case 164 -> Clock::settimeofday; // settimeofday
      case 165 -> Mounting::mount; // mount
      case 166 -> Mounting::umount2; // umount2
      case 167 -> REFUSED; // swapon: never
      case 168 -> REFUSED; // swapoff: never
      case 169 -> SystemCalls::reboot; // reboot
      case 170 -> SystemCalls::sethostname; // sethostname
      case 171 -> SystemCalls::setdomainname; // setdomainname
      case 172 -> REFUSED; // iopl: never
      case 173 -> REFUSED; // ioperm: never
      case 174 -> ABSENT; // create_module: never
      case 175 -> REFUSED; // init_module: never
      case 176 -> REFUSED; // delete_module: never
      case 177 -> ABSENT; // get_kernel_syms: never
      case 178 -> ABSENT; // query_module: never
      case 179 -> ABSENT; // quotactl: never
      case 180 -> ABSENT; // nfsservctl: never
      case 181 -> ABSENT; // getpmsg: never
      case 182 -> ABSENT; // putpmsg: never
      case 183 -> ABSENT; // afs_syscall: never
      case 184 -> ABSENT; // tuxcall: never
      case 185 -> ABSENT; // security: never
      case 186 -> ProcessIds::gettid; // gettid
      case 187 -> FileSystemCalls::readahead; // readahead
      case 188 -> ExtendedAttributes::setxattr; // setxattr
      case 189 -> ExtendedAttributes::lsetxattr; // lsetxattr
      case 190 -> ExtendedAttributes::fsetxattr; // fsetxattr
      case 191 -> ExtendedAttributes::getxattr; // getxattr
      case 192 -> ExtendedAttributes::lgetxattr; // lgetxattr
      case 193 -> ExtendedAttributes::fgetxattr; // fgetxattr
      case 194 -> ExtendedAttributes::listxattr; // listxattr
      case 195 -> ExtendedAttributes::llistxattr; // llistxattr
      case 196 -> ExtendedAttributes::flistxattr; // flistxattr
      case 197 -> ExtendedAttributes::removexattr; // removexattr
      case 198 -> ExtendedAttributes::lremovexattr; // lremovexattr
      case 199 -> ExtendedAttributes::fremovexattr; // fremovexattr
      case 200 -> SignalCalls::tkill; // tkill
      case 201 -> Clock::time; // time
      case 202 -> FutexCalls::futex; // futex
      case 203 -> Scheduling::schedSetaffinity; // sched_setaffinity
      case 204 -> Scheduling::schedGetaffinity; // sched_getaffinity
      case 205 -> ABSENT; // set_thread_area: never
      case 206 -> Asynchronous::ioSetup; // io_setup
      case 207 -> Asynchronous::ioDestroy; // io_destroy
      case 208 -> Asynchronous::ioGetevents; // io_getevents
      case 209 -> Asynchronous::ioSubmit; // io_submit
      case 210 -> Asynchronous::ioCancel; // io_cancel
      case 211 -> ABSENT; // get_thread_area: never
      case 212 -> ABSENT; // lookup_dcookie: never
      case 213 -> EventPoll::epollCreate; // epoll_create
      case 214 -> ABSENT; // epoll_ctl_old: never
      case 215 -> ABSENT; // epoll_wait_old: never
      case 216 -> OtherMemory::remapFilePages; // remap_file_pages
      case 217 -> Directories::getdents64; // getdents64
      case 218 -> ExitCalls::setTidAddress; // set_tid_address
      case 219 -> SignalCalls::restartSyscall; // restart_syscall
      case 220 -> Semaphores::semtimedop; // semtimedop
      case 221 -> FileSystemCalls::fadvise64; // fadvise64
      case 222 -> Timers::timerCreate; // timer_create
      case 223 -> Timers::timerSettime; // timer_settime
      case 224 -> Timers::timerGettime; // timer_gettime
      case 225 -> Timers::timerGetoverrun; // timer_getoverrun
      case 226 -> Timers::timerDelete; // timer_delete
      case 227 -> Clock::clockSettime; // clock_settime
      case 228 -> Clock::clockGettime; // clock_gettime
      case 229 -> Clock::clockGetres; // clock_getres
      case 230 -> Clock::clockNanosleep; // clock_nanosleep
      case 231 -> ExitCalls::exitGroup; // exit_group
      case 232 -> EventPoll::epollWait; // epoll_wait
      case 233 -> EventPoll::epollCtl; // epoll_ctl
      case 234 -> SignalCalls::tgkill; // tgkill
      case 235 -> Attributes::utimes; // utimes
      case 236 -> ABSENT; // vserver: never
      case 237 -> MemoryPolicies::mbind; // mbind
      case 238 -> MemoryPolicies::setMempolicy; // set_mempolicy
      case 239 -> MemoryPolicies::getMempolicy; // get_mempolicy
      case 240 -> PosixQueueCalls::mqOpen; // mq_open
      case 241 -> PosixQueueCalls::mqUnlink; // mq_unlink
      case 242 -> PosixQueueCalls::mqTimedsend; // mq_timedsend
      case 243 -> PosixQueueCalls::mqTimedreceive; // mq_timedreceive
      case 244 -> PosixQueueCalls::mqNotify; // mq_notify
      case 245 -> PosixQueueCalls::mqGetsetattr; // mq_getsetattr
      case 246 -> REFUSED; // kexec_load: never
      case 247 -> WaitCalls::waitid; // waitid
      case 248 -> KeyCalls::addKey; // add_key
      case 249 -> KeyCalls::requestKey; // request_key
      case 250 -> KeyCalls::keyctl; // keyctl
      case 251 -> Scheduling::ioprioSet; // ioprio_set
      case 252 -> Scheduling::ioprioGet; // ioprio_get
      case 253 -> InotifyCalls::inotifyInit; // inotify_init
      case 254 -> InotifyCalls::inotifyAddWatch; // inotify_add_watch
      case 255 -> InotifyCalls::inotifyRmWatch; // inotify_rm_watch
      case 256 -> OtherMemory::migratePages; // migrate_pages
      case 257 -> Open::openat; // openat
      case 258 -> Directories::mkdirat; // mkdirat
      case 259 -> Names::mknodat; // mknodat
      case 260 -> Attributes::fchownat; // fchownat
      case 261 -> Attributes::futimesat; // futimesat
      case 262 -> FileStatus::newfstatat; // newfstatat
      case 263 -> Names::unlinkat; // unlinkat
      case 264 -> Names::renameat; // renameat
      case 265 -> Names::linkat; // linkat
      case 266 -> Names::symlinkat; // symlinkat
      case 267 -> FileStatus::readlinkat; // readlinkat
      case 268 -> Attributes::fchmodat; // fchmodat
      case 269 -> FileStatus::faccessat; // faccessat
      case 270 -> Poll::pselect6; // pselect6
      case 271 -> Poll::ppoll; // ppoll
      case 272 -> NamespaceCalls::unshare; // unshare
      case 273 -> FutexCalls::setRobustList; // set_robust_list
      case 274 -> FutexCalls::getRobustList; // get_robust_list
      case 275 -> Copying::splice; // splice
      case 276 -> Copying::tee; // tee
      case 277 -> FileSystemCalls::syncFileRange; // sync_file_range
      case 278 -> Copying::vmsplice; // vmsplice
      case 279 -> OtherMemory::movePages; // move_pages
      case 280 -> Attributes::utimensat; // utimensat
      case 281 -> EventPoll::epollPwait; // epoll_pwait
      case 282 -> EventFiles::signalfd; // signalfd
      case 283 -> EventFiles::timerfdCreate; // timerfd_create
      case 284 -> EventFiles::eventfd; // eventfd
      case 285 -> Attributes::fallocate; // fallocate
      case 286 -> EventFiles::timerfdSettime; // timerfd_settime
      case 287 -> EventFiles::timerfdGettime; // timerfd_gettime
      case 288 -> SocketCalls::accept4; // accept4
      case 289 -> EventFiles::signalfd4; // signalfd4
      case 290 -> EventFiles::eventfd2; // eventfd2
      case 291 -> EventPoll::epollCreate1; // epoll_create1
      case 292 -> Dup::dup3; // dup3
      case 293 -> Pipes::pipe2; // pipe2
      case 294 -> InotifyCalls::inotifyInit1; // inotify_init1
      case 295 -> ReadWrite::preadv; // preadv
      case 296 -> ReadWrite::pwritev; // pwritev
      case 297 -> SignalCalls::rtTgsigqueueinfo; // rt_tgsigqueueinfo
      case 298 -> OtherMemory::perfEventOpen; // perf_event_open
      case 299 -> SocketCalls::recvmmsg; // recvmmsg
      case 300 -> FanotifyCalls::fanotifyInit; // fanotify_init
      case 301 -> FanotifyCalls::fanotifyMark; // fanotify_mark
      case 302 -> ResourceCalls::prlimit64; // prlimit64
      case 303 -> FileHandles::nameToHandleAt; // name_to_handle_at
      case 304 -> FileHandles::openByHandleAt; // open_by_handle_at
      case 305 -> Clock::clockAdjtime; // clock_adjtime
      case 306 -> FileSystemCalls::syncfs; // syncfs
      case 307 -> SocketCalls::sendmmsg; // sendmmsg
      case 308 -> NamespaceCalls::setns; // setns
      case 309 -> Scheduling::getcpu; // getcpu
      case 310 -> OtherTasks::processVmReadv; // process_vm_readv
      case 311 -> OtherTasks::processVmWritev; // process_vm_writev
      case 312 -> OtherTasks::kcmp; // kcmp
      case 313 -> REFUSED; // finit_module: never
      case 314 -> Scheduling::schedSetattr; // sched_setattr
      case 315 -> Scheduling::schedGetattr; // sched_getattr
      case 316 -> Names::renameat2; // renameat2
      case 317 -> SeccompCalls::seccomp; // seccomp
      case 318 -> SystemCalls::getrandom; // getrandom
      case 319 -> MemoryFiles::memfdCreate; // memfd_create
      case 320 -> REFUSED; // kexec_file_load: never
      case 321 -> REFUSED; // bpf: never
      case 322 -> ExecCalls::execveat; // execveat
      case 323 -> UserfaultCalls::userfaultfd; // userfaultfd
      case 324 -> MemoryPolicies::membarrier; // membarrier
      case 325 -> MmapCalls::mlock2; // mlock2
      case 326 -> Copying::copyFileRange; // copy_file_range
      case 327 -> ReadWrite::preadv2; // preadv2
      case 328 -> ReadWrite::pwritev2; // pwritev2
      case 329 -> OtherMemory::pkeyMprotect; // pkey_mprotect
      case 330 -> OtherMemory::pkeyAlloc; // pkey_alloc
      case 331 -> OtherMemory::pkeyFree; // pkey_free
      case 332 -> FileStatus::statx; // statx
      case 333 -> Asynchronous::ioPgetevents; // io_pgetevents
      case 334 -> ABSENT; // rseq: none
      case 335 -> ABSENT; // uretprobe: never
      case 424 -> PidFds::pidfdSendSignal; // pidfd_send_signal
      case 425 -> UringCalls::setup; // io_uring_setup
      case 426 -> UringCalls::enter; // io_uring_enter
      case 427 -> UringCalls::register; // io_uring_register
      case 428 -> NewMounts::openTree; // open_tree
      case 429 -> NewMounts::moveMount; // move_mount
      case 430 -> NewMounts::fsopen; // fsopen
      case 431 -> NewMounts::fsconfig; // fsconfig
      case 432 -> NewMounts::fsmount; // fsmount
      case 433 -> NewMounts::fspick; // fspick
      case 434 -> PidFds::pidfdOpen; // pidfd_open
      case 435 -> CloneCalls::clone3; // clone3
      case 436 -> Open::closeRange; // close_range
      case 437 -> Open::openat2; // openat2
      case 438 -> PidFds::pidfdGetfd; // pidfd_getfd
      case 439 -> FileStatus::faccessat2; // faccessat2
      case 440 -> OtherMemory::processMadvise; // process_madvise
      case 441 -> EventPoll::epollPwait2; // epoll_pwait2
      case 442 -> NewMounts::mountSetattr; // mount_setattr
      case 443 -> ABSENT; // quotactl_fd: never
      case 444 -> LandlockCalls::createRuleset; // landlock_create_ruleset
      case 445 -> LandlockCalls::addRule; // landlock_add_rule
      case 446 -> LandlockCalls::restrictSelf; // landlock_restrict_self
      case 447 -> MemoryFiles::memfdSecret; // memfd_secret
      case 448 -> OtherMemory::processMrelease; // process_mrelease
      case 449 -> Futex2Calls::futexWaitv; // futex_waitv
      case 450 -> MemoryPolicies::setMempolicyHomeNode; // set_mempolicy_home_node
      case 451 -> OtherMemory::cachestat; // cachestat
      case 452 -> Attributes::fchmodat2; // fchmodat2
      case 453 -> ABSENT; // map_shadow_stack: never
      case 454 -> Futex2Calls::futexWake; // futex_wake
      case 455 -> Futex2Calls::futexWait; // futex_wait
      case 456 -> Futex2Calls::futexRequeue; // futex_requeue
      case 457 -> MountQueries::statmount; // statmount
      case 458 -> MountQueries::listmount; // listmount
      case 459 -> OtherMemory::lsmSelfAttr; // lsm_get_self_attr
      case 460 -> OtherMemory::lsmSelfAttr; // lsm_set_self_attr
      case 461 -> OtherMemory::lsmListModules; // lsm_list_modules
      case 462 -> OtherMemory::mseal; // mseal
      default -> ABSENT;
    };
  }
}
