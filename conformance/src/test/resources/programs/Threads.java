import java.nio.file.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;

public class Threads {
  public static void main(String[] args) throws Exception {
    System.out.println("hello from Java");
    LongAdder n = new LongAdder();
    Thread[] t = new Thread[100];
    for (int i = 0; i < t.length; i++) (t[i] = new Thread(() -> { for (int k = 0; k < 1000; k++) n.increment(); })).start();
    for (Thread x : t) x.join();
    System.out.println(n.sum());
    try (var ex = Executors.newVirtualThreadPerTaskExecutor()) {
      for (int i = 0; i < 1000; i++) ex.submit(() -> { Thread.sleep(10); n.increment(); return 0; });
    }
    System.out.println(n.sum());
    Path p = Files.createTempFile("x", "y");
    Files.writeString(p, "text");
    System.out.println(Files.readString(p) + " " + Files.size(p));
    System.out.println(new String(new ProcessBuilder("echo", "child").start().getInputStream().readAllBytes()).trim());
    System.gc();
    System.out.println(Runtime.getRuntime().availableProcessors() > 0);
  }
}
