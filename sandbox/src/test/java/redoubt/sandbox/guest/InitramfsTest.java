package redoubt.sandbox.guest;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import redoubt.sandbox.SandboxException;

class InitramfsTest {
  @TempDir Path directory;

  @Test
  void shouldWriteWhatCpioReads() throws Exception {
    byte[] content = "not a multiple of four".getBytes(StandardCharsets.UTF_8);
    Path archive =
        Files.write(
            directory.resolve("a.cpio"),
            new Cpio().directory("d").file("d/file", 0755, content).finish());
    Process cpio =
        new ProcessBuilder("sh", "-c", "command -v cpio >/dev/null || exit 77; cpio -i <" + archive)
            .directory(directory.toFile())
            .redirectErrorStream(true)
            .start();
    cpio.waitFor(10, TimeUnit.SECONDS);
    if (cpio.exitValue() == 77) {
      // Without the program: the header of the second entry, as its documentation has it.
      String text = Files.readString(archive, StandardCharsets.ISO_8859_1);
      assertEquals(0, text.indexOf("07070100000001000041ed"));
      int second = text.indexOf("07070100000002000081ed");
      assertEquals(0, second % 4);
      return;
    }
    assertEquals(0, cpio.exitValue());
    assertArrayEquals(content, Files.readAllBytes(directory.resolve("d/file")));
  }

  private void module(String name, String depends) throws Exception {
    String text = "\177ELF....\0license=GPL\0depends=" + depends + "\0name=" + name + "\0";
    Files.write(directory.resolve(name + ".ko"), text.getBytes(StandardCharsets.ISO_8859_1));
  }

  @Test
  void shouldPutModulesAfterThoseThatTheyNeed() throws Exception {
    module("virtio-pci", "virtio_ring,virtio");
    module("virtio", "virtio_ring");
    module("virtio_ring", "");
    var modules = new Modules(directory);
    modules.add("virtio_pci");
    modules.add("built_in");
    assertEquals(
        List.of("virtio_ring.ko", "virtio.ko", "virtio_pci.ko"),
        List.copyOf(modules.inOrder().keySet()));
  }

  @Test
  void shouldGiveTheGuestTheLimitLessWhatTheHostNeeds() {
    assertEquals(512, GuestImages.memory(0, 512, 64, 96));
    assertEquals(1000 - 96, GuestImages.memory(1000, 512, 64, 96));
    assertThrows(SandboxException.class, () -> GuestImages.memory(159, 512, 64, 96));
  }
}
