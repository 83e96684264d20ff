/*
 * Java on HotSpot: threads, synchronized and wait, java.util.concurrent's locks, queues and pools, sleeps, interrupts,
 * thread-locals, a garbage collection in between.
 */
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.concurrent.locks.*;

public class Threads {
    static int turn;
    static final Object monitor = new Object();

    public static void main(String[] arguments) throws Exception {
        List<Thread> threads = new ArrayList<>();
        for (int n = 0; n < 5; n++) {
            final int me = n;
            Thread thread = new Thread(() -> {
                for (int round = 0; round < 20; round++)
                    synchronized (monitor) {
                        while (turn % 5 != me)
                            try {
                                monitor.wait();
                            } catch (InterruptedException error) {
                                System.exit(3);
                            }
                        turn++;
                        monitor.notifyAll();
                    }
            });
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads)
            thread.join();
        System.out.println("turns " + turn);

        ExecutorService pool = Executors.newFixedThreadPool(8);
        List<Future<Integer>> futures = new ArrayList<>();
        for (int n = 0; n < 50; n++) {
            final int value = n;
            futures.add(pool.submit(() -> {
                Thread.sleep(value % 5);
                return value * value;
            }));
        }
        int sum = 0;
        for (Future<Integer> future : futures)
            sum += future.get();
        System.out.println("pool " + sum);

        BlockingQueue<Integer> queue = new ArrayBlockingQueue<>(3);
        Future<Integer> consumer = pool.submit(() -> {
            int total = 0;
            for (int item = queue.take(); item >= 0; item = queue.take())
                total += item;
            return total;
        });
        for (int n = 0; n < 200; n++)
            queue.put(n);
        queue.put(-1);
        System.out.println("queue " + consumer.get());
        System.gc();

        ReentrantLock lock = new ReentrantLock();
        AtomicInteger count = new AtomicInteger();
        CountDownLatch latch = new CountDownLatch(8);
        for (int n = 0; n < 8; n++)
            pool.execute(() -> {
                for (int round = 0; round < 50; round++) {
                    lock.lock();
                    try {
                        count.incrementAndGet();
                    } finally {
                        lock.unlock();
                    }
                }
                latch.countDown();
            });
        latch.await();
        pool.shutdown();
        System.out.println("locked " + count + " " + pool.awaitTermination(60, TimeUnit.SECONDS));

        Thread sleeper = new Thread(() -> {
            try {
                Thread.sleep(600000);
            } catch (InterruptedException error) {
                System.out.println("interrupted");
            }
        });
        sleeper.start();
        Thread.sleep(20);
        sleeper.interrupt();
        sleeper.join();
    }
}
