package redoubt.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIf;
import redoubt.cli.Product.Result;

/** What holds for guests with a Linux kernel of their own only. */
@Timeout(300)
@EnabledIf(
    value = "redoubt.cli.Product#canRun",
    disabledReason = "no ./redoubt has been built (tools/dist), or the user is not root")
class GuestKernelTest {
  private static final List<String> KERNELS = List.of("uml", "vm");

  private Product product;

  @BeforeEach
  void setUp() throws Exception {
    product = new Product();
  }

  @AfterEach
  void tearDown() throws Exception {
    product.close();
  }

  private void assumeWorks(String kernel) throws Exception {
    String doctor = product.redoubt("doctor").output();
    assumeTrue(doctor.contains("--kernel=" + kernel + ": works"), doctor);
  }

  @Test
  void shouldRefuseAnUnknownKernel() throws Exception {
    String bundle = product.bundle("/bin/true");
    Result r = product.redoubt("--kernel=hurd", "run", "--bundle", bundle, product.id("x"));
    assertEquals(1, r.code());
    assertEquals("redoubt: --kernel=hurd: give sentry, vm, uml or auto\n", r.output());
    bundle =
        product.bundleOf(
            """
            {"ociVersion": "1.2.0", "root": {"path": "/"}, "annotations": {"io.redoubt.kernel": "x"},
             "process": {"args": ["/bin/true"], "cwd": "/"}}
            """);
    r = product.redoubt("run", "--bundle", bundle, product.id("x"));
    assertEquals(
        "redoubt: annotation io.redoubt.kernel=x: give sentry, vm, uml or auto\n", r.output());
    product.assertNothingLeft();
  }

  @Test
  void shouldTakeTheKernelOfTheAnnotation() throws Exception {
    assumeWorks("uml");
    String bundle =
        product.bundleOf(
            """
            {"ociVersion": "1.2.0", "root": {"path": "/"},
             "annotations": {"io.redoubt.kernel": "uml"},
             "process": {"args": ["/bin/cat", "/proc/cpuinfo"], "cwd": "/"},
             "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}]}
            """);
    Result r = product.redoubt("run", "--bundle", bundle, product.id("a"));
    assertTrue(r.output().contains("User Mode Linux"), r.output());
  }

  private Result runWithKernel(String kernel, String image, String modules) throws Exception {
    String bundle =
        product.bundleOf(
            """
            {"ociVersion": "1.2.0", "root": {"path": "/"},
             "annotations": {"io.redoubt.kernel.image": "%s", "io.redoubt.kernel.modules": "%s"},
             "process": {"args": ["/bin/uname", "-sr"], "cwd": "/"}}
            """
                .formatted(image, modules));
    return product.redoubt("--kernel", kernel, "run", "--bundle", bundle, product.id("own"));
  }

  @Test
  void shouldBootTheKernelOfTheAnnotation() throws Exception {
    assumeWorks("uml");
    Path image = product.directory.resolve("my-linux");
    Files.copy(
        Path.of("/usr/bin/linux.uml"), image, java.nio.file.StandardCopyOption.COPY_ATTRIBUTES);
    Path modules;
    try (var versions = Files.list(Path.of("/usr/lib/uml/modules"))) {
      modules = versions.findFirst().orElseThrow();
    }
    Result r = runWithKernel("uml", image.toString(), modules.toString());
    assertEquals("Linux " + modules.getFileName() + "\n", r.output());
    r = runWithKernel("uml", "/bin/true", modules.toString());
    assertEquals(1, r.code(), r.output());
    assertTrue(r.output().contains("the guest ended while it booted"), r.output());
    for (String kernel : KERNELS) {
      r = runWithKernel(kernel, "/etc/passwd", "");
      assertEquals(1, r.code(), r.output());
      assertTrue(
          r.output().contains("io.redoubt.kernel.image=/etc/passwd: this is no"), r.output());
      assertEquals(1, r.output().lines().count(), r.output());
    }
    r = runWithKernel("uml", image.toString(), "/etc/passwd");
    assertTrue(r.output().contains("give the absolute path of a directory"), r.output());
    r = runWithKernel("sentry", image.toString(), "");
    assertTrue(r.output().contains("is for --kernel=uml or vm"), r.output());
    product.assertNothingLeft();
  }

  @Test
  void shouldRefuseTooLittleMemory() throws Exception {
    for (String kernel : KERNELS) {
      assumeWorks(kernel);
      String bundle =
          product.bundleOf(
              """
              {"ociVersion": "1.2.0", "root": {"path": "/"},
               "process": {"args": ["/bin/true"], "cwd": "/"},
               "linux": {"resources": {"memory": {"limit": 20000000}}}}
              """);
      Result r = product.redoubt("--kernel", kernel, "run", "--bundle", bundle, product.id("m"));
      assertEquals(1, r.code());
      assertTrue(r.output().contains("linux.resources.memory.limit: 20000000"), r.output());
      assertEquals(1, r.output().lines().count(), r.output());
      product.assertNothingLeft();
    }
  }

  @Test
  void shouldTellOfItsBootAndItsConsole() throws Exception {
    for (String kernel : KERNELS) {
      assumeWorks(kernel);
      String id = product.id("b" + kernel);
      String bundle = product.bundle("/bin/sleep", "100");
      Result run = product.redoubt("--kernel", kernel, "run", "--detach", "--bundle", bundle, id);
      assertEquals(0, run.code(), run.output());
      String state = product.redoubt("state", "--verbose", id).output();
      assertTrue(state.contains("\"kernel\": \"" + kernel + "\""), state);
      for (String stage :
          new String[] {"Linux 6", "agent", "hello", "files", "created", "started"}) {
        assertTrue(state.contains(stage), state);
      }
      assertEquals(0, product.redoubt("debug", "--console", id).code());
      assertEquals(0, product.redoubt("delete", "--force", id).code());
      product.assertNothingLeft();
    }
  }

  /** A root file system of a shell, its libraries and a file with a second name. */
  private Path smallRoot() throws Exception {
    Path root = Files.createDirectory(product.directory.resolve("small"));
    String script =
        "cd '%s' && mkdir -p bin proc tmp && for f in /bin/sh /bin/cat /bin/stat $(ldd /bin/sh /bin/cat"
            + " /bin/stat | grep -o '/[^ :]*' | sort -u); do mkdir -p \".${f%%/*}\" && cp -L $f .$f;"
            + " done && head -c 3000000 /dev/zero >one && ln one two && chown 12:34 one && chmod 4755 one";
    Process p =
        new ProcessBuilder("sh", "-c", script.formatted(root)).redirectErrorStream(true).start();
    String text = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, p.waitFor(), text);
    return root;
  }

  @Test
  void shouldTakeItsRootFromADisk() throws Exception {
    assumeTrue(Files.exists(Path.of("/usr/bin/mkfs.erofs")), "no erofs-utils here");
    Path root = smallRoot();
    for (String kernel : KERNELS) {
      assumeWorks(kernel);
      String script =
          "stat -c '%h %a %u:%g %s' two; cat one >/tmp/copy; stat -c %s /tmp/copy; echo x >new; cat new;"
              + " read a </proc/mounts; echo $a";
      String bundle =
          product.bundleOf(
              """
              {"ociVersion": "1.2.0", "root": {"path": "%s"},
               "process": {"args": ["/bin/sh", "-c", "%s"], "cwd": "/", "env": ["PATH=/bin"]},
               "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}]}
              """
                  .formatted(root, script));
      String id = product.id("disk" + kernel);
      Result r =
          product.redoubt("--kernel", kernel, "--rootfs=block", "run", "--bundle", bundle, id);
      assertTrue(r.output().startsWith("2 4755 12:34 3000000\n3000000\nx\n"), r.output());
      assertEquals(0, r.code(), r.output());
      assertTrue(Files.notExists(root.resolve("new")));
      // No host file is behind it: what the host changes now is not seen, and nothing is left.
      product.assertNothingLeft();
    }
    Result sentry =
        product.redoubt(
            "--rootfs=block", "run", "--bundle", product.bundle("/bin/true"), product.id("s"));
    assertEquals(1, sentry.code());
    assertTrue(sentry.output().contains("--rootfs=block is for"), sentry.output());
    product.assertNothingLeft();
  }

  @Test
  void shouldConfineTheVmmAndItsWarden() throws Exception {
    for (String kernel : KERNELS) {
      assumeWorks(kernel);
      String id = product.id("c" + kernel);
      Process run =
          product.start(
              "--kernel", kernel, "run", "--bundle", product.bundle("/bin/sleep", "9"), id);
      ProcessHandle warden = product.running(id).sentry();
      ProcessHandle vmm =
          warden
              .children()
              .filter(p -> Product.comm(p.pid()).matches("linux.*|qemu.*"))
              .findFirst()
              .orElseThrow();
      for (ProcessHandle p : new ProcessHandle[] {warden, vmm}) {
        assertEquals("2", Product.status(p.pid(), "Seccomp"));
        assertEquals("1", Product.status(p.pid(), "NoNewPrivs"));
        assertEquals("0000000000000000", Product.status(p.pid(), "CapEff"));
        assertEquals("0000000000000000", Product.status(p.pid(), "CapBnd"));
        assertTrue(!Product.status(p.pid(), "Uid").startsWith("0\t"));
        for (String ns : new String[] {"pid", "mnt", "net", "ipc", "uts"}) {
          Path own = Path.of("/proc/self/ns/" + ns);
          Path its = Path.of("/proc/" + p.pid() + "/ns/" + ns);
          assertTrue(!Files.readSymbolicLink(own).equals(Files.readSymbolicLink(its)), ns);
        }
      }
      // The VMM sees its own files, nothing of the host's.
      assertTrue(Files.notExists(Path.of("/proc/" + vmm.pid() + "/root/etc/passwd")));
      assertTrue(Files.notExists(Path.of("/proc/" + warden.pid() + "/root/usr")));
      Product.kill(run.toHandle());
      product.assertNothingLeft();
    }
  }

  @Test
  void shouldLeaveNothingWhenTheCommandIsKilledWhileTheGuestBoots() throws Exception {
    for (String kernel : KERNELS) {
      assumeWorks(kernel);
      for (String verb : new String[] {"run", "create"}) {
        for (int delayMs = 200; delayMs <= 1400; delayMs += 400) {
          Process command =
              product.start(
                  "--kernel",
                  kernel,
                  verb,
                  "--bundle",
                  product.bundle("/bin/sleep", "100"),
                  product.id("d"));
          Thread.sleep(delayMs);
          if (!command.isAlive()) {
            break; // a create may have ended before
          }
          List<ProcessHandle> below = command.descendants().toList();
          Product.kill(command.toHandle());
          for (int i = 0; i < 200 && below.stream().anyMatch(Product::lives); i++) {
            Thread.sleep(20);
          }
          assertEquals(List.of(), below.stream().filter(Product::lives).toList());
          product.redoubt("delete", "--force", product.id("d"));
          product.assertNothingLeft();
        }
        product.redoubt("delete", "--force", product.id("d"));
      }
    }
  }

  @Test
  void shouldEndSoonAfterAPanic() throws Exception {
    for (String kernel : KERNELS) {
      assumeWorks(kernel);
      String bundle =
          product.bundle("/bin/sh", "-c", "echo c >/proc/sysrq-trigger; exec sleep 100");
      Result r =
          product.redoubt("--kernel", kernel, "run", "--bundle", bundle, product.id("p" + kernel));
      assertEquals(137, r.code(), r.output());
      assertTrue(r.output().contains("Kernel panic - not syncing: sysrq"), r.output());
      product.assertNothingLeft();
    }
  }

  @Test
  void shouldSurviveLostFramesOfUml() throws Exception {
    assumeWorks("uml");
    Process losing =
        product.start(
            List.of("env", "JDK_JAVA_OPTIONS=-Dredoubt.lose=40"),
            "--kernel=uml",
            "run",
            "--bundle",
            product.bundle("/bin/sh", "-c", "seq 1 100000"),
            product.id("lossy"));
    byte[] text = losing.getInputStream().readAllBytes();
    assertEquals(0, losing.waitFor());
    var numbers = new StringBuilder();
    for (int i = 1; i <= 100000; i++) {
      numbers.append(i).append('\n');
    }
    String said = new String(text, StandardCharsets.UTF_8);
    assertEquals(numbers.toString(), said.substring(said.indexOf('\n') + 1)); // after java's note
    product.assertNothingLeft();
  }

  /** Kills one of the processes of a booting guest with SIGKILL, later and later. */
  @Test
  void shouldSayWhyABootingGuestEnded() throws Exception {
    for (String kernel : KERNELS) {
      assumeWorks(kernel);
      var stages = new java.util.TreeSet<String>();
      int stepMs = kernel.equals("uml") ? 400 : 800; // a virtual machine takes longer to boot
      for (String victim : new String[] {"vmm", "warden", "gofer"}) {
        for (int step = 0; step <= 4; step++) {
          stages.add(stageWhenKilled(kernel, victim, 20 + step * stepMs));
        }
      }
      stages.remove("");
      // On a busy machine the guest has not come far by then.
      for (int step = 5; stages.size() < 2 && step < 20; step++) {
        stages.add(stageWhenKilled(kernel, "vmm", step * stepMs));
      }
      assertTrue(stages.size() >= 2, kernel + " was killed at these stages only: " + stages);
    }
  }

  /** {@return the stage of the boot that the command names}, "" if it names none */
  private String stageWhenKilled(String kernel, String victim, int delayMs) throws Exception {
    String id = product.id("k");
    Process run =
        product.start(
            "--kernel", kernel, "run", "--bundle", product.bundle("/bin/sleep", "100"), id);
    ProcessHandle process = awaitProcess(run, victim);
    Thread.sleep(delayMs);
    process.destroyForcibly();
    long beganNs = System.nanoTime();
    Result r = Product.await(run);
    long tookMs = (System.nanoTime() - beganNs) / 1_000_000;
    assertTrue(r.code() != 0 && tookMs < 3000, victim + " " + delayMs + ": " + tookMs + r);
    assertTrue(r.output().startsWith("redoubt: "), victim + " " + delayMs + ": " + r);
    product.assertNothingLeft();
    int at = r.output().indexOf("(stage: ");
    return at < 0 ? "" : r.output().substring(at + 8).replaceAll("(?s)[;)].*", "");
  }

  /** The VMM, warden or gofer of a command, as soon as it is there. */
  private static ProcessHandle awaitProcess(Process command, String kind) throws Exception {
    String sign =
        switch (kind) {
          case "vmm" -> "qemu-system|linux.uml";
          case "warden" -> "WardenMain";
          default -> "GoferMain";
        };
    var pattern = java.util.regex.Pattern.compile(sign);
    for (int i = 0; i < 1000; i++) {
      for (ProcessHandle p : command.descendants().toList()) {
        try {
          if (pattern.matcher(Files.readString(Path.of("/proc/" + p.pid() + "/cmdline"))).find()) {
            return p;
          }
        } catch (java.io.IOException e) {
          // It has ended.
        }
      }
      Thread.sleep(5);
    }
    throw new AssertionError("no " + kind);
  }
}
