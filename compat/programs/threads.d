// D's run-time: threads, std.concurrency's messages, std.parallelism's pool, and a collector that stops threads by signal and scans
// their stacks.
import core.atomic, core.memory, core.sync.barrier, core.sync.condition, core.sync.mutex, core.thread, core.time;
import std.algorithm, std.concurrency, std.parallelism, std.range, std.stdio;

shared long kept;

void collects(int number) {
    int[][] lists;
    foreach (round; 0 .. 300) {
        lists ~= new int[](100);
        lists[$ - 1][] = number;
        if (round % 100 == 0) GC.collect();
    }
    long sum = 0;
    foreach (list; lists) sum += list.sum;
    atomicOp!"+="(kept, sum);
}

void answers(Tid owner) {
    foreach (round; 0 .. 100) send(owner, receiveOnly!int * 2);
}

void main() {
    Thread[] threads;
    foreach (number; 0 .. 10) {
        auto start(int n) { return new Thread(() => collects(n)).start(); }
        threads ~= start(number);
    }
    foreach (thread; threads) thread.join();
    writeln("kept ", kept);

    auto mutex = new Mutex;
    auto changed = new Condition(mutex);
    int turn = 0;
    threads = [];
    foreach (number; 0 .. 5) {
        auto start(int n) {
            return new Thread({
                foreach (round; 0 .. 20) synchronized (mutex) {
                    while (turn % 5 != n) changed.wait();
                    turn++;
                    changed.notifyAll();
                }
            }).start();
        }
        threads ~= start(number);
    }
    foreach (thread; threads) thread.join();
    writeln("turns ", turn);

    auto partner = spawn(&answers, thisTid);
    int sum = 0;
    foreach (n; 0 .. 100) {
        send(partner, n);
        sum += receiveOnly!int;
    }
    writeln("messages ", sum);

    auto pool = new TaskPool(4);
    writeln("pool ", pool.reduce!"a + b"(0L, iota(100_000L).map!(n => n * n % 7)));
    auto squares = pool.amap!((int n) { Thread.sleep(1.msecs); return n * n; })(iota(50).array);
    writeln("squares ", squares.sum);
    pool.finish(true);
}
