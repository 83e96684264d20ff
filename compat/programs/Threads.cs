// Mono: threads, monitors, the thread pool and tasks, timers, and collections for which all threads are stopped by signal.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

static class Threads {
    static void Main() {
        int turn = 0;
        var monitor = new object();
        var threads = Enumerable.Range(0, 5).Select(me => new Thread(() => {
            for (int round = 0; round < 20; round++)
                lock (monitor) {
                    while (turn % 5 != me) Monitor.Wait(monitor);
                    turn++;
                    Monitor.PulseAll(monitor);
                }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Console.WriteLine("turns " + turn);

        long kept = 0;
        threads = Enumerable.Range(0, 8).Select(me => new Thread(() => {
            for (int round = 0; round < 3000; round++) {
                var list = new List<int>(Enumerable.Range(0, 50));
                Interlocked.Add(ref kept, list.Count);
                if (round % 1000 == 0) GC.Collect();
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Console.WriteLine("kept " + kept);

        var tasks = Enumerable.Range(0, 50).Select(n => Task.Run(() => { Thread.Sleep(n % 5); return n * n; })).ToArray();
        Task.WaitAll(tasks);
        Console.WriteLine("tasks " + tasks.Sum(task => task.Result));
        Console.WriteLine("delays " + Task.WhenAll(Enumerable.Range(0, 20).Select(async n => { await Task.Delay(n); return n; })).Result.Sum());

        var queue = new BlockingCollection<int>(3);
        var consumer = Task.Run(() => queue.GetConsumingEnumerable().Sum());
        for (int n = 0; n < 200; n++) queue.Add(n);
        queue.CompleteAdding();
        Console.WriteLine("queue " + consumer.Result);

        long sum = 0;
        Parallel.For(0, 1000, n => Interlocked.Add(ref sum, n));
        Console.WriteLine("parallel " + sum);

        var sleeper = new Thread(() => {
            try { Thread.Sleep(60000); } catch (ThreadInterruptedException) { Console.WriteLine("interrupted"); }
        });
        sleeper.Start();
        Thread.Sleep(20);
        sleeper.Interrupt();
        sleeper.Join();
    }
}
