package redoubt.sentry.loader;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import redoubt.abi.Elf;
import redoubt.abi.Errno;
import redoubt.abi.Mman;
import redoubt.sentry.loader.ElfImage.Segment;

class ElfImageTest {
  private final MemorySegment scratch = MemorySegment.ofArray(new byte[ElfImage.SCRATCH_BYTES]);

  private static ProgramReader reader(byte[] file) {
    return (dst, dstOffset, length, offset) -> {
      if (offset < 0) {
        return -Errno.EINVAL;
      }
      int n = (int) Math.max(0, Math.min(length, file.length - offset));
      if (n > 0) {
        MemorySegment.copy(file, (int) offset, dst, ValueLayout.JAVA_BYTE, dstOffset, n);
      }
      return n;
    };
  }

  private ElfImage parse(byte[] file) {
    return ElfImage.parse(reader(file), scratch);
  }

  /** A static program of one segment: 64 bytes of header, one program header, some text. */
  private static ByteBuffer program() {
    ByteBuffer b = ByteBuffer.allocate(0x1100).order(ByteOrder.LITTLE_ENDIAN);
    b.putInt(0, Elf.ELFMAG).put(Elf.EI_CLASS, (byte) Elf.ELFCLASS64);
    b.put(Elf.EI_DATA, (byte) Elf.ELFDATA2LSB).put(Elf.EI_VERSION, (byte) 1);
    b.putShort(Elf.EHDR_E_TYPE, (short) Elf.ET_EXEC);
    b.putShort(Elf.EHDR_E_MACHINE, (short) Elf.EM_X86_64);
    b.putLong(Elf.EHDR_E_ENTRY, 0x401000).putLong(Elf.EHDR_E_PHOFF, 64);
    b.putShort(Elf.EHDR_E_PHENTSIZE, (short) Elf.SIZEOF_PHDR);
    b.putShort(Elf.EHDR_E_PHNUM, (short) 1);
    phdr(b, 0, Elf.PT_LOAD, Elf.PF_R | Elf.PF_X, 0, 0x400000, 0x1010, 0x3020);
    return b;
  }

  private static void phdr(
      ByteBuffer b, int i, int type, int flags, long offset, long vaddr, long filesz, long memsz) {
    int p = 64 + i * Elf.SIZEOF_PHDR;
    b.putInt(p + Elf.PHDR_P_TYPE, type).putInt(p + Elf.PHDR_P_FLAGS, flags);
    b.putLong(p + Elf.PHDR_P_OFFSET, offset).putLong(p + Elf.PHDR_P_VADDR, vaddr);
    b.putLong(p + Elf.PHDR_P_FILESZ, filesz).putLong(p + Elf.PHDR_P_MEMSZ, memsz);
    b.putLong(p + Elf.PHDR_P_ALIGN, 0x1000);
  }

  private void assertFails(int errno, boolean late, ByteBuffer file) {
    ExecException e = assertThrows(ExecException.class, () -> parse(file.array()));
    assertEquals(Errno.name(errno), Errno.name(e.errno()), e.getMessage());
    assertEquals(late, e.isLate(), e.getMessage());
  }

  @Test
  void shouldParseAStaticProgram() {
    ElfImage image = parse(program().array());
    assertFalse(image.isDynamic());
    assertNull(image.interpreter());
    assertEquals(0x401000, image.entry());
    assertEquals(0x400040, image.phdrAddress());
    assertEquals(0x403020, image.brk());
    assertEquals(0x400000, image.low());
    assertEquals(0x404000, image.high());
    Segment s = image.segments().getFirst();
    assertEquals(0x2000, s.fileLength());
    assertEquals(0x401010, s.zeroStart());
    assertEquals(0xff0, s.zeroLength());
    assertEquals(0x402000, s.anonymousStart());
    assertEquals(0x2000, s.anonymousLength());
    assertEquals(Mman.PROT_READ | Mman.PROT_EXEC, s.prot());
  }

  @Test
  void shouldParseADynamicProgramOfTheHost() throws IOException {
    ElfImage image = parse(Files.readAllBytes(Path.of("/bin/true")));
    assertTrue(image.isDynamic());
    assertEquals("/lib64/ld-linux-x86-64.so.2", image.interpreter());
    assertFalse(image.execStack());
    assertEquals(64, image.phdrAddress());
    assertTrue(image.segments().size() >= 2);
    ElfImage interpreter =
        ElfImage.parseInterpreter(
            reader(Files.readAllBytes(Path.of("/lib64/ld-linux-x86-64.so.2"))), scratch);
    assertNull(interpreter.interpreter());
    assertTrue(interpreter.isDynamic());
  }

  @Test
  void shouldHandleASegmentWithoutFilePart() {
    ByteBuffer b = program();
    b.putShort(Elf.EHDR_E_PHNUM, (short) 2);
    phdr(b, 1, Elf.PT_LOAD, Elf.PF_R | Elf.PF_W, 0x10, 0x405010, 0, 0x2000);
    Segment s = parse(b.array()).segments().get(1);
    assertEquals(0, s.fileLength());
    assertEquals(0, s.zeroLength());
    assertEquals(0x405000, s.anonymousStart());
    assertEquals(0x3000, s.anonymousLength());
  }

  @Test
  void shouldRefuseWhatLinuxDoesNotRun() {
    assertFails(Errno.ENOEXEC, false, ByteBuffer.allocate(0));
    assertFails(Errno.ENOEXEC, false, ByteBuffer.allocate(64));
    assertFails(Errno.ENOEXEC, false, program().putShort(Elf.EHDR_E_TYPE, (short) Elf.ET_REL));
    assertFails(Errno.ENOEXEC, false, program().putShort(Elf.EHDR_E_MACHINE, (short) 183));
    assertFails(Errno.ENOEXEC, false, program().putShort(Elf.EHDR_E_PHENTSIZE, (short) 32));
    assertFails(Errno.ENOEXEC, false, program().putShort(Elf.EHDR_E_PHNUM, (short) 0));
    assertFails(Errno.ENOEXEC, false, program().putShort(Elf.EHDR_E_PHNUM, (short) 74));
    assertFails(Errno.ENOEXEC, false, program().putLong(Elf.EHDR_E_PHOFF, 0x2000));
    assertFails(Errno.ENOEXEC, false, program().putLong(Elf.EHDR_E_PHOFF, -64));
  }

  @Test
  void shouldSayThatA32BitProgramCannotRun() {
    ByteBuffer b = program().putShort(Elf.EHDR_E_MACHINE, (short) Elf.EM_386);
    ExecException e = assertThrows(ExecException.class, () -> parse(b.array()));
    assertTrue(String.valueOf(e.getMessage()).contains("32-bit"), e.getMessage());
    assertEquals(Errno.ENOEXEC, e.errno());
  }

  @Test
  void shouldRefuseSegmentsThatDoNotFitAsTooLate() {
    int p = 64;
    assertFails(Errno.EINVAL, true, program().putLong(p + Elf.PHDR_P_VADDR, -4096));
    assertFails(Errno.EINVAL, true, program().putLong(p + Elf.PHDR_P_MEMSZ, 0x1000));
    assertFails(Errno.EINVAL, true, program().putLong(p + Elf.PHDR_P_MEMSZ, 1L << 60));
    assertFails(Errno.EINVAL, true, program().putLong(p + Elf.PHDR_P_OFFSET, 5));
    assertFails(Errno.EINVAL, true, program().putInt(p + Elf.PHDR_P_TYPE, Elf.PT_NOTE));
  }

  @Test
  void shouldCheckTheInterpretersPath() {
    ByteBuffer b = program();
    b.putShort(Elf.EHDR_E_PHNUM, (short) 2);
    phdr(b, 1, Elf.PT_INTERP, Elf.PF_R, 0x1000, 0, 6, 6);
    b.put(0x1000, "/ld.so".getBytes());
    assertFails(Errno.ENOEXEC, false, b);
    b.put(0x1005, (byte) 0);
    assertEquals("/ld.s", parse(b.array()).interpreter());
    phdr(b, 1, Elf.PT_INTERP, Elf.PF_R, 0x10fe, 0, 6, 6);
    assertFails(Errno.EIO, false, b);
    phdr(b, 1, Elf.PT_INTERP, Elf.PF_R, -4, 0, 6, 6);
    assertFails(Errno.EINVAL, false, b);
    phdr(b, 1, Elf.PT_INTERP, Elf.PF_R, 0x1000, 0, 4097, 6);
    assertFails(Errno.ENOEXEC, false, b);
  }

  @Test
  void shouldGiveElibbadForABadInterpreter() {
    ByteBuffer b = program().putInt(0, 0);
    ExecException e =
        assertThrows(
            ExecException.class, () -> ElfImage.parseInterpreter(reader(b.array()), scratch));
    assertEquals(Errno.ELIBBAD, e.errno());
  }

  @Test
  void shouldPassErrorsOfTheFileOn() {
    ExecException e =
        assertThrows(
            ExecException.class, () -> ElfImage.parse((d, o, n, at) -> -Errno.EIO, scratch));
    assertEquals(Errno.EIO, e.errno());
  }

  @Test
  void shouldSurviveRandomDamage() throws IOException {
    byte[] good = Files.readAllBytes(Path.of("/bin/true"));
    Random random = new Random(1);
    int parsed = 0;
    for (int round = 0; round < 200_000; round++) {
      byte[] bad = round % 2 == 0 ? good.clone() : java.util.Arrays.copyOf(good, 4096);
      for (int i = random.nextInt(1, 6); i > 0; i--) {
        int at = random.nextInt(64 + 13 * 56);
        switch (random.nextInt(3)) {
          case 0 -> bad[at] = (byte) random.nextInt();
          case 1 -> bad[at] ^= (byte) (1 << random.nextInt(8));
          default -> bad[at & ~7] = (byte) 0xff;
        }
      }
      try {
        ElfImage image = parse(bad);
        parsed++;
        for (Segment s : image.segments()) {
          assertTrue(s.start() >= image.low() && s.end() <= image.high());
          assertTrue(s.fileLength() >= 0 && s.anonymousLength() >= 0 && s.zeroLength() >= 0);
          assertTrue(s.fileLength() + s.anonymousLength() <= s.end() - s.start());
          assertTrue(s.fileOffset() >= 0 && s.fileOffset() % 4096 == 0);
          assertTrue(s.zeroStart() + s.zeroLength() <= s.end());
        }
        assertTrue(image.low() >= 0 && image.high() <= Mman.TASK_SIZE && image.size() > 0);
        assertEquals(1, Long.bitCount(image.align()));
      } catch (ExecException e) {
        assertTrue(e.errno() > 0);
      }
    }
    assertTrue(parsed > 1000, "only " + parsed + " parsed");
  }
}
