/*
 * Java on HotSpot: 50 threads that sleep, lock, wait and allocate, with little memory, so that collections, for which all threads stop
 * at a safepoint, come all the time; and calls that the just-in-time compilers' threads replace while they run.
 */
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;

public class Collects {
    static final Object monitor = new Object();
    static int arrived;
    static final AtomicLong total = new AtomicLong();
    static final ThreadLocal<List<byte[]>> own = ThreadLocal.withInitial(ArrayList::new);

    static long mixed(long seed, int turns) {
        for (int turn = 0; turn < turns; turn++)
            seed = seed * 6364136223846793005L + 1442695040888963407L;
        return seed >>> 40;
    }

    static void work(int number, int count) throws Exception {
        synchronized (monitor) {
            arrived++;
            monitor.notifyAll();
            while (arrived < count)
                monitor.wait();
        }
        Map<Integer, String> kept = new HashMap<>();
        for (int round = 0; round < 1500; round++) {
            own.get().add(new byte[1000 + round]);
            if (own.get().size() > 20)
                own.get().clear();
            kept.put(round % 50, "value " + round + " of " + number);
            if (round % 100 == number)
                Thread.sleep(1);
            synchronized (monitor) {
                total.addAndGet(kept.get(round % 50).length() + mixed(round, 200) % 3);
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        int count = 50;
        List<Thread> threads = new ArrayList<>();
        for (int n = 0; n < count; n++) {
            final int number = n;
            Thread thread = new Thread(() -> {
                try {
                    work(number, count);
                } catch (Exception error) {
                    error.printStackTrace();
                    System.exit(3);
                }
            });
            thread.setDaemon(n % 2 == 0);
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads)
            thread.join();
        System.out.println("total " + total);
        System.out.println("parallel " + java.util.stream.LongStream.range(0, 200000).parallel().map(n -> mixed(n, 3)).sum());
        ScheduledExecutorService timers = Executors.newScheduledThreadPool(3);
        List<ScheduledFuture<Integer>> due = new ArrayList<>();
        for (int n = 0; n < 30; n++) {
            final int value = n;
            due.add(timers.schedule(() -> value, n % 10, TimeUnit.MILLISECONDS));
        }
        int sum = 0;
        for (ScheduledFuture<Integer> each : due)
            sum += each.get();
        timers.shutdown();
        System.out.println("timers " + sum);
        try {
            overflow(0);
        } catch (StackOverflowError error) {
            System.out.println("overflow caught");
        }
        Object nothing = arguments.length > 100 ? "" : null;
        try {
            nothing.hashCode();
        } catch (NullPointerException error) {
            System.out.println("null caught");
        }
    }

    static int overflow(int depth) {
        return overflow(depth + 1) + 1;
    }
}
