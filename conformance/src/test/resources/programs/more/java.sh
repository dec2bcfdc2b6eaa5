# OpenJDK 17: javac, an HTTP server with concurrent clients, parallel and G1 collectors, processes.
# needs: /usr/bin/javac
cd /tmp
cat > Web.java <<'J'
import com.sun.net.httpserver.HttpServer; import java.net.*; import java.net.http.*; import java.util.*; import java.util.concurrent.*; import java.util.stream.*; import java.nio.file.*;
public class Web { public static void main(String[] a) throws Exception {
  var s = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0); var pool = Executors.newFixedThreadPool(8); s.setExecutor(pool);
  s.createContext("/", x -> { byte[] b = ("path " + x.getRequestURI()).getBytes(); x.sendResponseHeaders(200, b.length); x.getResponseBody().write(b); x.close(); }); s.start();
  var c = HttpClient.newBuilder().executor(pool).version(HttpClient.Version.HTTP_1_1).build(); int p = s.getAddress().getPort(); var sem = new Semaphore(16);
  var all = IntStream.range(0, 400).mapToObj(i -> { sem.acquireUninterruptibly(); return c.sendAsync(HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + p + "/" + i)).build(), HttpResponse.BodyHandlers.ofString()).whenComplete((r, e) -> sem.release()).thenApply(r -> r.body().equals("path /" + i)); }).toList();
  System.out.println("http " + all.stream().filter(f -> f.join()).count()); s.stop(0); pool.shutdown();
  long n = 0; List<byte[]> keep = new ArrayList<>(); for (int i = 0; i < 200000; i++) { byte[] b = new byte[1024]; b[0] = (byte) i; n += b[0]; if (i % 10 == 0) keep.add(b); if (keep.size() > 10000) keep.clear(); }
  System.out.println("gc " + n); System.out.println("stream " + IntStream.range(0, 1000000).parallel().mapToLong(i -> i % 7).sum());
  var pr = new ProcessBuilder("sh", "-c", "cat; exit 3").start(); pr.getOutputStream().write("piped".getBytes()); pr.getOutputStream().close(); System.out.println(new String(pr.getInputStream().readAllBytes()) + " " + pr.waitFor());
  Path d = Files.createTempDirectory("x"); for (int i = 0; i < 50; i++) Files.writeString(d.resolve("f" + i), "t"); try (var l = Files.list(d)) { System.out.println("files " + l.count()); }
} }
J
javac Web.java && for gc in Serial Parallel G1; do echo $gc; java -XX:+Use${gc}GC -Xmx256m Web; done
