package redoubt.abi;

/**
 * Signals of x86-64: numbers, codes, sigaction(2), sigaltstack(2), and the frame that a handler
 * finds on its stack.
 */
public final class Signal {
  // Numbers.
  public static final int SIGHUP = 1;
  public static final int SIGINT = 2;
  public static final int SIGQUIT = 3;
  public static final int SIGILL = 4;
  public static final int SIGTRAP = 5;
  public static final int SIGABRT = 6;
  public static final int SIGIOT = 6;
  public static final int SIGBUS = 7;
  public static final int SIGFPE = 8;
  public static final int SIGKILL = 9;
  public static final int SIGUSR1 = 10;
  public static final int SIGSEGV = 11;
  public static final int SIGUSR2 = 12;
  public static final int SIGPIPE = 13;
  public static final int SIGALRM = 14;
  public static final int SIGTERM = 15;
  public static final int SIGSTKFLT = 16;
  public static final int SIGCHLD = 17;
  public static final int SIGCONT = 18;
  public static final int SIGSTOP = 19;
  public static final int SIGTSTP = 20;
  public static final int SIGTTIN = 21;
  public static final int SIGTTOU = 22;
  public static final int SIGURG = 23;
  public static final int SIGXCPU = 24;
  public static final int SIGXFSZ = 25;
  public static final int SIGVTALRM = 26;
  public static final int SIGPROF = 27;
  public static final int SIGWINCH = 28;
  public static final int SIGIO = 29;
  public static final int SIGPOLL = 29;
  public static final int SIGPWR = 30;
  public static final int SIGSYS = 31;
  public static final int SIGRTMIN = 32;
  public static final int SIGRTMAX = 64;
  public static final int NSIG = 64;

  // The kernel's sigset_t in bytes, as rt_sig* calls want it.
  public static final int SIGSET_SIZE = 8;

  // sigprocmask(2).
  public static final int SIG_BLOCK = 0;
  public static final int SIG_UNBLOCK = 1;
  public static final int SIG_SETMASK = 2;

  // Handlers.
  public static final int SIG_DFL = 0;
  public static final int SIG_IGN = 1;

  // sa_flags.
  public static final int SA_NOCLDSTOP = 1;
  public static final int SA_NOCLDWAIT = 2;
  public static final int SA_SIGINFO = 4;
  public static final int SA_UNSUPPORTED = 0x400;
  public static final int SA_EXPOSE_TAGBITS = 0x800;
  public static final int SA_RESTORER = 0x4000000;
  public static final int SA_ONSTACK = 0x8000000;
  public static final int SA_RESTART = 0x10000000;
  public static final int SA_NODEFER = 0x40000000;
  public static final int SA_RESETHAND = 0x80000000;
  public static final int SA_NOMASK = 0x40000000;
  public static final int SA_ONESHOT = 0x80000000;

  // struct sigaction as rt_sigaction(2) takes it.
  public static final int SIGACTION_SA_HANDLER = 0;
  public static final int SIGACTION_SA_FLAGS = 8;
  public static final int SIGACTION_SA_RESTORER = 16;
  public static final int SIGACTION_SA_MASK = 24;
  public static final int SIZEOF_SIGACTION = 32;

  // sigaltstack(2).
  public static final int SS_ONSTACK = 1;
  public static final int SS_DISABLE = 2;
  public static final int SS_AUTODISARM = 0x80000000;
  public static final int SS_FLAG_BITS = 0x80000000;
  public static final int MINSIGSTKSZ = 2048;
  public static final int SIGSTKSZ = 8192;
  public static final int STACK_SS_SP = 0;
  public static final int STACK_SS_FLAGS = 8;
  public static final int STACK_SS_SIZE = 16;
  public static final int SIZEOF_STACK = 24;

  // si_code.
  public static final int SI_USER = 0;
  public static final int SI_KERNEL = 128;
  public static final int SI_QUEUE = -1;
  public static final int SI_TIMER = -2;
  public static final int SI_MESGQ = -3;
  public static final int SI_ASYNCIO = -4;
  public static final int SI_SIGIO = -5;
  public static final int SI_TKILL = -6;
  public static final int SI_DETHREAD = -7;
  public static final int SI_ASYNCNL = -60;
  public static final int ILL_ILLOPC = 1;
  public static final int ILL_ILLOPN = 2;
  public static final int ILL_ILLADR = 3;
  public static final int ILL_ILLTRP = 4;
  public static final int ILL_PRVOPC = 5;
  public static final int ILL_PRVREG = 6;
  public static final int ILL_COPROC = 7;
  public static final int ILL_BADSTK = 8;
  public static final int ILL_BADIADDR = 9;
  public static final int FPE_INTDIV = 1;
  public static final int FPE_INTOVF = 2;
  public static final int FPE_FLTDIV = 3;
  public static final int FPE_FLTOVF = 4;
  public static final int FPE_FLTUND = 5;
  public static final int FPE_FLTRES = 6;
  public static final int FPE_FLTINV = 7;
  public static final int FPE_FLTSUB = 8;
  public static final int FPE_FLTUNK = 14;
  public static final int FPE_CONDTRAP = 15;
  public static final int SEGV_MAPERR = 1;
  public static final int SEGV_ACCERR = 2;
  public static final int SEGV_BNDERR = 3;
  public static final int SEGV_PKUERR = 4;
  public static final int SEGV_ACCADI = 5;
  public static final int SEGV_ADIDERR = 6;
  public static final int SEGV_ADIPERR = 7;
  public static final int SEGV_MTEAERR = 8;
  public static final int SEGV_MTESERR = 9;
  public static final int SEGV_CPERR = 10;
  public static final int BUS_ADRALN = 1;
  public static final int BUS_ADRERR = 2;
  public static final int BUS_OBJERR = 3;
  public static final int BUS_MCEERR_AR = 4;
  public static final int BUS_MCEERR_AO = 5;
  public static final int TRAP_BRKPT = 1;
  public static final int TRAP_PERF_FLAG_ASYNC = 1;
  public static final int TRAP_TRACE = 2;
  public static final int TRAP_BRANCH = 3;
  public static final int TRAP_HWBKPT = 4;
  public static final int TRAP_UNK = 5;
  public static final int TRAP_PERF = 6;
  public static final int CLD_EXITED = 1;
  public static final int CLD_KILLED = 2;
  public static final int CLD_DUMPED = 3;
  public static final int CLD_TRAPPED = 4;
  public static final int CLD_STOPPED = 5;
  public static final int CLD_CONTINUED = 6;
  public static final int POLL_IN = 1;
  public static final int POLL_OUT = 2;
  public static final int POLL_MSG = 3;
  public static final int POLL_ERR = 4;
  public static final int POLL_PRI = 5;
  public static final int POLL_HUP = 6;
  public static final int SYS_SECCOMP = 1;
  public static final int SYS_USER_DISPATCH = 2;

  // siginfo_t.
  public static final int SIGINFO_SI_SIGNO = 0;
  public static final int SIGINFO_SI_ERRNO = 4;
  public static final int SIGINFO_SI_CODE = 8;
  public static final int SIGINFO_SI_PID = 16;
  public static final int SIGINFO_SI_UID = 20;
  public static final int SIGINFO_SI_TID = 16;
  public static final int SIGINFO_SI_OVERRUN = 20;
  public static final int SIGINFO_SI_VALUE = 24;
  public static final int SIGINFO_SI_STATUS = 24;
  public static final int SIGINFO_SI_UTIME = 32;
  public static final int SIGINFO_SI_STIME = 40;
  public static final int SIGINFO_SI_ADDR = 16;
  public static final int SIGINFO_SI_ADDR_LSB = 24;
  public static final int SIGINFO_SI_LOWER = 32;
  public static final int SIGINFO_SI_UPPER = 40;
  public static final int SIGINFO_SI_PKEY = 32;
  public static final int SIGINFO_SI_BAND = 16;
  public static final int SIGINFO_SI_FD = 24;
  public static final int SIGINFO_SI_CALL_ADDR = 16;
  public static final int SIGINFO_SI_SYSCALL = 24;
  public static final int SIGINFO_SI_ARCH = 28;
  public static final int SIZEOF_SIGINFO = 128;

  // struct sigevent.
  public static final int SIGEV_SIGNAL = 0;
  public static final int SIGEV_NONE = 1;
  public static final int SIGEV_THREAD = 2;
  public static final int SIGEV_THREAD_ID = 4;
  public static final int SIGEVENT_SIGEV_VALUE = 0;
  public static final int SIGEVENT_SIGEV_SIGNO = 8;
  public static final int SIGEVENT_SIGEV_NOTIFY = 12;
  public static final int SIGEVENT_SIGEV_NOTIFY_THREAD_ID = 16;
  public static final int SIZEOF_SIGEVENT = 64;

  // uc_flags and struct ucontext.
  public static final int UC_FP_XSTATE = 1;
  public static final int UC_SIGCONTEXT_SS = 2;
  public static final int UC_STRICT_RESTORE_SS = 4;
  public static final int UCONTEXT_UC_FLAGS = 0;
  public static final int UCONTEXT_UC_LINK = 8;
  public static final int UCONTEXT_UC_STACK = 16;
  public static final int UCONTEXT_UC_MCONTEXT = 40;
  public static final int UCONTEXT_UC_SIGMASK = 296;
  public static final int SIZEOF_UCONTEXT = 304;

  // struct sigcontext (uc_mcontext).
  public static final int SIGCONTEXT_R8 = 0;
  public static final int SIGCONTEXT_R9 = 8;
  public static final int SIGCONTEXT_R10 = 16;
  public static final int SIGCONTEXT_R11 = 24;
  public static final int SIGCONTEXT_R12 = 32;
  public static final int SIGCONTEXT_R13 = 40;
  public static final int SIGCONTEXT_R14 = 48;
  public static final int SIGCONTEXT_R15 = 56;
  public static final int SIGCONTEXT_RDI = 64;
  public static final int SIGCONTEXT_RSI = 72;
  public static final int SIGCONTEXT_RBP = 80;
  public static final int SIGCONTEXT_RBX = 88;
  public static final int SIGCONTEXT_RDX = 96;
  public static final int SIGCONTEXT_RAX = 104;
  public static final int SIGCONTEXT_RCX = 112;
  public static final int SIGCONTEXT_RSP = 120;
  public static final int SIGCONTEXT_RIP = 128;
  public static final int SIGCONTEXT_EFLAGS = 136;
  public static final int SIGCONTEXT_CS = 144;
  public static final int SIGCONTEXT_GS = 146;
  public static final int SIGCONTEXT_FS = 148;
  public static final int SIGCONTEXT_SS = 150;
  public static final int SIGCONTEXT_ERR = 152;
  public static final int SIGCONTEXT_TRAPNO = 160;
  public static final int SIGCONTEXT_OLDMASK = 168;
  public static final int SIGCONTEXT_CR2 = 176;
  public static final int SIGCONTEXT_FPSTATE = 184;
  public static final int SIZEOF_SIGCONTEXT = 256;

  // The FP state of a frame: 512 bytes of FXSAVE with _fpx_sw_bytes at their end, the XSAVE header,
  // the extended area, FP_XSTATE_MAGIC2.
  public static final int FP_XSTATE_MAGIC1 = 0x46505853;
  public static final int FP_XSTATE_MAGIC2 = 0x46505845;
  public static final int FP_XSTATE_MAGIC2_SIZE = 4;
  public static final int X86_FXSR_MAGIC = 0;
  public static final int FPSTATE_CWD = 0;
  public static final int FPSTATE_SWD = 2;
  public static final int FPSTATE_TWD = 4;
  public static final int FPSTATE_FOP = 6;
  public static final int FPSTATE_RIP = 8;
  public static final int FPSTATE_RDP = 16;
  public static final int FPSTATE_MXCSR = 24;
  public static final int FPSTATE_MXCSR_MASK = 28;
  public static final int FPSTATE_ST_SPACE = 32;
  public static final int FPSTATE_XMM_SPACE = 160;
  public static final int FPSTATE_SW_RESERVED = 464;
  public static final int SIZEOF_FPSTATE = 512;
  public static final int FPX_SW_BYTES_MAGIC1 = 0;
  public static final int FPX_SW_BYTES_EXTENDED_SIZE = 4;
  public static final int FPX_SW_BYTES_XFEATURES = 8;
  public static final int FPX_SW_BYTES_XSTATE_SIZE = 16;
  public static final int SIZEOF_FPX_SW_BYTES = 48;
  public static final int XSTATE_XSTATE_HDR = 512;
  public static final int XSTATE_XFEATURES = 512;
  public static final int XSTATE_YMMH = 576;
  public static final int SIZEOF_XSTATE = 832;
  public static final int XSTATE_HEADER_XFEATURES = 0;
  public static final int SIZEOF_XSTATE_HEADER = 64;

  // The frame itself (struct rt_sigframe of arch/x86/kernel): return address, ucontext, siginfo;
  // 128 bytes of red zone stay free below the old stack pointer.
  public static final int RT_SIGFRAME_PRETCODE = 0;
  public static final int RT_SIGFRAME_UC = 8;
  public static final int RT_SIGFRAME_INFO = 312;
  public static final int SIZEOF_RT_SIGFRAME = 440;
  public static final int RED_ZONE = 128;

  private Signal() {}
}
