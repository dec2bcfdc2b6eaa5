package redoubt.sentry.loader;

import static redoubt.abi.Elf.*;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import redoubt.abi.Errno;
import redoubt.abi.Limits;
import redoubt.abi.Mman;

/**
 * A validated 64-bit ELF executable or interpreter: what execve(2) needs to map it. The checks and
 * their errors are those of fs/binfmt_elf.c; all arithmetic on the file's numbers is done here, so
 * that the mapping code needs no checks of its own.
 *
 * @param isDynamic whether the image is position-independent (ET_DYN)
 * @param entry address of the first instruction, before the load bias
 * @param segments the PT_LOAD segments in file order; at least one
 * @param interpreter path of the interpreter in Latin-1, or null for a static program
 * @param execStack whether PT_GNU_STACK asks for an executable stack
 * @param phdrAddress address of the program headers in memory before the bias, 0 if not mapped
 * @param phdrCount number of program headers (AT_PHNUM)
 * @param low first page of the lowest segment, before the bias
 * @param high end of the last page of the highest segment, before the bias
 * @param align alignment that the load bias must have: a power of two, at least a page
 * @param brk end of the highest segment's bytes, before the bias: the heap starts at its page's end
 */
public record ElfImage(
    boolean isDynamic,
    long entry,
    List<Segment> segments,
    @Nullable String interpreter,
    boolean execStack,
    long phdrAddress,
    int phdrCount,
    long low,
    long high,
    long align,
    long brk) {

  /** Bytes that {@link #parse} needs as scratch space. */
  public static final int SCRATCH_BYTES = 8192;

  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
  private static final long PAGE = Mman.PAGE_SIZE;

  /**
   * One PT_LOAD. Its file part is mapped first, private, over whole pages; then the rest of its
   * last page is zeroed (if writable), and what is left of the memory part is anonymous.
   */
  public record Segment(long vaddr, long memsz, long offset, long filesz, int flags) {
    /** {@return the page where the segment starts, before the bias} */
    public long start() {
      return vaddr & -PAGE;
    }

    /** {@return the end of the segment's last page, before the bias} */
    public long end() {
      return pageUp(vaddr + memsz);
    }

    /** {@return bytes of whole pages to map from the file; 0 if the segment has no file part} */
    public long fileLength() {
      return filesz == 0 ? 0 : pageUp(vaddr + filesz) - start();
    }

    /** {@return the page-aligned file offset of {@link #start}} */
    public long fileOffset() {
      return offset - (vaddr & (PAGE - 1));
    }

    /**
     * {@return where the bytes to be zeroed start, before the bias}; they go on to the page's end
     */
    public long zeroStart() {
      return vaddr + filesz;
    }

    /** {@return how many bytes of the last file page are to be zeroed} */
    public long zeroLength() {
      return filesz == 0 || memsz == filesz ? 0 : pageUp(zeroStart()) - zeroStart();
    }

    /** {@return where the anonymous pages start, before the bias} */
    public long anonymousStart() {
      return filesz == 0 ? start() : pageUp(zeroStart());
    }

    /** {@return bytes of anonymous pages behind the file part} */
    public long anonymousLength() {
      return Math.max(0, end() - anonymousStart());
    }

    /** {@return protection as PROT_* bits} */
    public int prot() {
      return ((flags & PF_R) != 0 ? Mman.PROT_READ : 0)
          | ((flags & PF_W) != 0 ? Mman.PROT_WRITE : 0)
          | ((flags & PF_X) != 0 ? Mman.PROT_EXEC : 0);
    }
  }

  /** {@return bytes from the first to the last page of the image} */
  public long size() {
    return high - low;
  }

  /** {@return whether a file that starts with these bytes is meant to be ELF} */
  public static boolean hasMagic(MemorySegment head, long length) {
    return length >= 4 && head.get(INT, 0) == ELFMAG;
  }

  /**
   * Parses a program.
   *
   * @param scratch at least {@link #SCRATCH_BYTES}; may be native memory, so that {@code file} can
   *     read straight into it
   * @throws ExecException if it cannot be executed
   */
  public static ElfImage parse(ProgramReader file, MemorySegment scratch) {
    return parse(file, scratch, false);
  }

  /** As {@link #parse}, for the interpreter of a program: another errno says that it is bad. */
  public static ElfImage parseInterpreter(ProgramReader file, MemorySegment scratch) {
    return parse(file, scratch, true);
  }

  private static ElfImage parse(ProgramReader file, MemorySegment scratch, boolean isInterpreter) {
    int bad = isInterpreter ? Errno.ELIBBAD : Errno.ENOEXEC;
    String what = isInterpreter ? "ELF interpreter: " : "ELF: ";
    int n = readFully(file, scratch, SIZEOF_EHDR, 0);
    if (n < SIZEOF_EHDR) {
      // Linux reads a program's header with its first 256 bytes, an interpreter's by itself.
      int errno = n < 0 ? -n : isInterpreter ? Errno.EIO : bad;
      throw new ExecException(errno, false, what + "the file is shorter than an ELF header");
    }
    if (!hasMagic(scratch, n)) {
      throw new ExecException(bad, false, what + "no ELF magic number");
    }
    int type = scratch.get(SHORT, EHDR_E_TYPE);
    if (!isInterpreter && type != ET_EXEC && type != ET_DYN) {
      throw new ExecException(bad, false, what + "type " + type + " is not executable");
    }
    int machine = scratch.get(SHORT, EHDR_E_MACHINE) & 0xffff;
    if (machine == EM_386 || scratch.get(ValueLayout.JAVA_BYTE, EI_CLASS) == ELFCLASS32) {
      throw new ExecException(
          bad, false, what + "a 32-bit program; only x86-64 programs run in this sandbox");
    }
    if (machine != EM_X86_64) {
      throw new ExecException(
          bad, false, what + "machine " + machine + "; only x86-64 programs run in this sandbox");
    }
    if ((scratch.get(SHORT, EHDR_E_PHENTSIZE) & 0xffff) != SIZEOF_PHDR) {
      throw new ExecException(bad, false, what + "program headers are not of 56 bytes");
    }
    int count = scratch.get(SHORT, EHDR_E_PHNUM) & 0xffff;
    long entry = scratch.get(LONG, EHDR_E_ENTRY);
    long phoff = scratch.get(LONG, EHDR_E_PHOFF);
    // fs/binfmt_elf.c load_elf_phdrs: the table must fit a page.
    if (count == 0 || count * SIZEOF_PHDR > PAGE) {
      throw new ExecException(bad, false, what + count + " program headers");
    }
    if (phoff < 0 || readFully(file, scratch, count * SIZEOF_PHDR, phoff) < count * SIZEOF_PHDR) {
      throw new ExecException(bad, false, what + "program headers lie outside the file");
    }
    if (isInterpreter && type != ET_EXEC && type != ET_DYN) {
      // load_elf_interp returns ~0, which reads as -EPERM.
      throw new ExecException(Errno.EPERM, true, what + "type " + type + " is not executable");
    }
    return read(file, scratch, isInterpreter, what, type == ET_DYN, entry, phoff, count);
  }

  /** Digests the program headers, which are in {@code scratch}. */
  private static ElfImage read(
      ProgramReader file,
      MemorySegment scratch,
      boolean isInterpreter,
      String what,
      boolean isDynamic,
      long entry,
      long phoff,
      int count) {
    // Linux reads the interpreter's path before its point of no return and judges the segments
    // after it.
    String interpreter = isInterpreter ? null : interpreter(file, scratch, count);
    List<Segment> segments = new ArrayList<>(4);
    boolean execStack = false;
    long align = PAGE;
    long phdrAddress = 0;
    long low = Long.MAX_VALUE;
    long high = 0;
    long brk = 0;
    for (int i = 0; i < count; i++) {
      long p = (long) i * SIZEOF_PHDR;
      switch (scratch.get(INT, p + PHDR_P_TYPE)) {
        case PT_GNU_STACK -> execStack = (scratch.get(INT, p + PHDR_P_FLAGS) & PF_X) != 0;
        case PT_LOAD -> {
          Segment s = segment(scratch, p, what);
          if (segments.isEmpty() || phdrAddress == 0) {
            // The headers' own address: in the first segment whose file part holds them.
            if (phoff >= s.offset && phoff - s.offset < s.filesz) {
              phdrAddress = phoff - s.offset + s.vaddr;
            }
          }
          long wanted = scratch.get(LONG, p + PHDR_P_ALIGN);
          if (Long.bitCount(wanted) == 1 && wanted > align) {
            align = wanted;
          }
          low = Math.min(low, s.start());
          high = Math.max(high, s.end());
          brk = Math.max(brk, s.vaddr + s.memsz);
          if (s.memsz != 0) {
            segments.add(s);
          }
        }
        default -> {}
      }
    }
    if (segments.isEmpty()) {
      throw new ExecException(Errno.EINVAL, true, what + "nothing to load");
    }
    if (align > Mman.TASK_SIZE) {
      align = PAGE;
    }
    return new ElfImage(
        isDynamic,
        entry,
        List.copyOf(segments),
        interpreter,
        execStack,
        phdrAddress,
        count,
        low,
        high,
        align,
        brk);
  }

  private static Segment segment(MemorySegment scratch, long p, String what) {
    long vaddr = scratch.get(LONG, p + PHDR_P_VADDR);
    long memsz = scratch.get(LONG, p + PHDR_P_MEMSZ);
    long offset = scratch.get(LONG, p + PHDR_P_OFFSET);
    long filesz = scratch.get(LONG, p + PHDR_P_FILESZ);
    long limit = Mman.TASK_SIZE;
    if (Long.compareUnsigned(vaddr, limit) >= 0
        || Long.compareUnsigned(filesz, memsz) > 0
        || Long.compareUnsigned(memsz, limit) > 0
        || limit - memsz < vaddr) {
      throw new ExecException(
          Errno.EINVAL, true, what + "a segment does not fit the address space");
    }
    if (offset < 0 || offset > Long.MAX_VALUE - limit || ((offset - vaddr) & (PAGE - 1)) != 0) {
      throw new ExecException(
          Errno.EINVAL, true, what + "a segment's file offset does not match its address");
    }
    return new Segment(vaddr, memsz, offset, filesz, scratch.get(INT, p + PHDR_P_FLAGS));
  }

  /** {@return the path that the first PT_INTERP names, or null without one} */
  private static @Nullable String interpreter(
      ProgramReader file, MemorySegment scratch, int count) {
    int i = 0;
    while (i < count && scratch.get(INT, (long) i * SIZEOF_PHDR + PHDR_P_TYPE) != PT_INTERP) {
      i++;
    }
    if (i == count) {
      return null;
    }
    long length = scratch.get(LONG, (long) i * SIZEOF_PHDR + PHDR_P_FILESZ);
    long offset = scratch.get(LONG, (long) i * SIZEOF_PHDR + PHDR_P_OFFSET);
    if (length < 2 || length > Limits.PATH_MAX) {
      throw new ExecException(
          Errno.ENOEXEC, false, "ELF: the interpreter's path has " + length + " bytes");
    }
    // The program headers stay where they are, in the first half of the scratch space.
    MemorySegment path = scratch.asSlice(PAGE, length);
    int n = offset < 0 ? -Errno.EINVAL : readFully(file, path, (int) length, offset);
    if (n < length) {
      throw new ExecException(
          n < 0 ? -n : Errno.EIO, false, "ELF: the interpreter's path lies outside the file");
    }
    if (path.get(ValueLayout.JAVA_BYTE, length - 1) != 0) {
      throw new ExecException(
          Errno.ENOEXEC, false, "ELF: the interpreter's path does not end with NUL");
    }
    int end = 0;
    while (path.get(ValueLayout.JAVA_BYTE, end) != 0) {
      end++;
    }
    return new String(
        path.asSlice(0, end).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.ISO_8859_1);
  }

  /** {@return bytes read, fewer than {@code length} only at the file's end; or -errno} */
  private static int readFully(ProgramReader file, MemorySegment dst, int length, long offset) {
    int done = 0;
    while (done < length) {
      long n = file.read(dst, done, length - done, offset + done);
      if (n < 0) {
        return (int) n;
      }
      if (n == 0) {
        break;
      }
      done += (int) Math.min(n, length - done);
    }
    return done;
  }

  private static long pageUp(long address) {
    return (address + PAGE - 1) & -PAGE;
  }
}
