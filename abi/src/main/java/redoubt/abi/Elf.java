package redoubt.abi;

/** ELF: the headers of executables, notes and the auxiliary vector. */
public final class Elf {
  // e_ident.
  public static final int EI_MAG0 = 0;
  public static final int EI_CLASS = 4;
  public static final int EI_DATA = 5;
  public static final int EI_VERSION = 6;
  public static final int EI_OSABI = 7;
  public static final int EI_PAD = 8;
  public static final int EI_NIDENT = 16;

  // The magic number as a little-endian int.
  public static final int ELFMAG = 0x464c457f;
  public static final int ELFCLASSNONE = 0;
  public static final int ELFCLASS32 = 1;
  public static final int ELFCLASS64 = 2;
  public static final int ELFDATA2LSB = 1;
  public static final int ELFDATA2MSB = 2;
  public static final int EV_CURRENT = 1;
  public static final int ELFOSABI_NONE = 0;
  public static final int ELFOSABI_LINUX = 3;

  // e_type, e_machine.
  public static final int ET_NONE = 0;
  public static final int ET_REL = 1;
  public static final int ET_EXEC = 2;
  public static final int ET_DYN = 3;
  public static final int ET_CORE = 4;
  public static final int EM_386 = 3;
  public static final int EM_X86_64 = 62;
  public static final int EM_AARCH64 = 183;
  public static final int EHDR_E_IDENT = 0;
  public static final int EHDR_E_TYPE = 16;
  public static final int EHDR_E_MACHINE = 18;
  public static final int EHDR_E_VERSION = 20;
  public static final int EHDR_E_ENTRY = 24;
  public static final int EHDR_E_PHOFF = 32;
  public static final int EHDR_E_SHOFF = 40;
  public static final int EHDR_E_FLAGS = 48;
  public static final int EHDR_E_EHSIZE = 52;
  public static final int EHDR_E_PHENTSIZE = 54;
  public static final int EHDR_E_PHNUM = 56;
  public static final int EHDR_E_SHENTSIZE = 58;
  public static final int EHDR_E_SHNUM = 60;
  public static final int EHDR_E_SHSTRNDX = 62;
  public static final int SIZEOF_EHDR = 64;
  public static final int PHDR_P_TYPE = 0;
  public static final int PHDR_P_FLAGS = 4;
  public static final int PHDR_P_OFFSET = 8;
  public static final int PHDR_P_VADDR = 16;
  public static final int PHDR_P_PADDR = 24;
  public static final int PHDR_P_FILESZ = 32;
  public static final int PHDR_P_MEMSZ = 40;
  public static final int PHDR_P_ALIGN = 48;
  public static final int SIZEOF_PHDR = 56;
  public static final int SHDR_SH_NAME = 0;
  public static final int SHDR_SH_TYPE = 4;
  public static final int SHDR_SH_FLAGS = 8;
  public static final int SHDR_SH_ADDR = 16;
  public static final int SHDR_SH_OFFSET = 24;
  public static final int SHDR_SH_SIZE = 32;
  public static final int SHDR_SH_LINK = 40;
  public static final int SHDR_SH_INFO = 44;
  public static final int SHDR_SH_ADDRALIGN = 48;
  public static final int SHDR_SH_ENTSIZE = 56;
  public static final int SIZEOF_SHDR = 64;
  public static final int SYM_ST_NAME = 0;
  public static final int SYM_ST_INFO = 4;
  public static final int SYM_ST_OTHER = 5;
  public static final int SYM_ST_SHNDX = 6;
  public static final int SYM_ST_VALUE = 8;
  public static final int SYM_ST_SIZE = 16;
  public static final int SIZEOF_SYM = 24;
  public static final int NHDR_N_NAMESZ = 0;
  public static final int NHDR_N_DESCSZ = 4;
  public static final int NHDR_N_TYPE = 8;
  public static final int SIZEOF_NHDR = 12;
  public static final int DYN_D_TAG = 0;
  public static final int DYN_D_UN = 8;
  public static final int SIZEOF_DYN = 16;
  public static final int RELA_R_OFFSET = 0;
  public static final int RELA_R_INFO = 8;
  public static final int RELA_R_ADDEND = 16;
  public static final int SIZEOF_RELA = 24;

  // p_type.
  public static final int PT_NULL = 0;
  public static final int PT_LOAD = 1;
  public static final int PT_DYNAMIC = 2;
  public static final int PT_INTERP = 3;
  public static final int PT_NOTE = 4;
  public static final int PT_SHLIB = 5;
  public static final int PT_PHDR = 6;
  public static final int PT_TLS = 7;
  public static final int PT_LOOS = 0x60000000;
  public static final int PT_HIOS = 0x6fffffff;
  public static final int PT_LOPROC = 0x70000000;
  public static final int PT_HIPROC = 0x7fffffff;
  public static final int PT_GNU_EH_FRAME = 0x6474e550;
  public static final int PT_GNU_STACK = 0x6474e551;
  public static final int PT_GNU_RELRO = 0x6474e552;
  public static final int PT_GNU_PROPERTY = 0x6474e553;
  public static final int PF_X = 1;
  public static final int PF_W = 2;
  public static final int PF_R = 4;
  public static final int PN_XNUM = 0xffff;
  public static final int SHT_NULL = 0;
  public static final int SHT_PROGBITS = 1;
  public static final int SHT_SYMTAB = 2;
  public static final int SHT_STRTAB = 3;
  public static final int SHT_RELA = 4;
  public static final int SHT_HASH = 5;
  public static final int SHT_DYNAMIC = 6;
  public static final int SHT_NOTE = 7;
  public static final int SHT_NOBITS = 8;
  public static final int SHT_REL = 9;
  public static final int SHT_DYNSYM = 11;

  // Core files.
  public static final int NT_PRSTATUS = 1;
  public static final int NT_PRFPREG = 2;
  public static final int NT_PRPSINFO = 3;
  public static final int NT_TASKSTRUCT = 4;
  public static final int NT_AUXV = 6;
  public static final int NT_SIGINFO = 0x53494749;
  public static final int NT_FILE = 0x46494c45;
  public static final int NT_X86_XSTATE = 0x202;
  public static final int NT_GNU_PROPERTY_TYPE_0 = 5;

  // The auxiliary vector.
  public static final int AT_NULL = 0;
  public static final int AT_IGNORE = 1;
  public static final int AT_EXECFD = 2;
  public static final int AT_PHDR = 3;
  public static final int AT_PHENT = 4;
  public static final int AT_PHNUM = 5;
  public static final int AT_PAGESZ = 6;
  public static final int AT_BASE = 7;
  public static final int AT_FLAGS = 8;
  public static final int AT_ENTRY = 9;
  public static final int AT_NOTELF = 10;
  public static final int AT_UID = 11;
  public static final int AT_EUID = 12;
  public static final int AT_GID = 13;
  public static final int AT_EGID = 14;
  public static final int AT_PLATFORM = 15;
  public static final int AT_HWCAP = 16;
  public static final int AT_CLKTCK = 17;
  public static final int AT_SECURE = 23;
  public static final int AT_BASE_PLATFORM = 24;
  public static final int AT_RANDOM = 25;
  public static final int AT_HWCAP2 = 26;
  public static final int AT_EXECFN = 31;
  public static final int AT_SYSINFO_EHDR = 33;
  public static final int AT_MINSIGSTKSZ = 51;
  public static final int AT_RSEQ_FEATURE_SIZE = 27;
  public static final int AT_RSEQ_ALIGN = 28;

  private Elf() {}
}
