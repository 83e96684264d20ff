// com.sun.net.httpserver with a pool of 32 threads. Usage: java PooledHttpServer.java PORT
import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;

public class PooledHttpServer {
    public static void main(String[] arguments) throws Exception {
        var address = new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(arguments[0]));
        var server = HttpServer.create(address, 256);
        server.setExecutor(Executors.newFixedThreadPool(32));
        server.createContext("/", exchange -> {
            var path = exchange.getRequestURI().getPath();
            if (path.startsWith("/wait")) {
                try {
                    Thread.sleep(200);
                } catch (InterruptedException stopped) {
                    Thread.currentThread().interrupt();
                }
            }
            var body = (path + " for " + exchange.getRequestHeaders().getFirst("X-Client") + "\n").getBytes();
            exchange.sendResponseHeaders(200, body.length);
            try (var stream = exchange.getResponseBody()) {
                stream.write(body);
            }
        });
        server.start();
    }
}
