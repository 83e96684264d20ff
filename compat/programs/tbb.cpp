// oneTBB: its workers steal from each other and spin before they sleep; loops, a reduction, a sort, a flow graph, a pipeline, queues,
// an arena with fewer threads, and C++17's parallel algorithms above it.
#include <algorithm>
#include <execution>
#include <iostream>
#include <numeric>
#include <thread>
#include <tbb/blocked_range.h>
#include <tbb/concurrent_queue.h>
#include <tbb/flow_graph.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_pipeline.h>
#include <tbb/parallel_reduce.h>
#include <tbb/parallel_sort.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

static long fibonacci(int n) {
    if (n < 12) return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
    long left = 0, right = 0;
    tbb::task_group group;
    group.run([&] { left = fibonacci(n - 1); });
    group.run([&] { right = fibonacci(n - 2); });
    group.wait();
    return left + right;
}

int main() {
    tbb::global_control eight(tbb::global_control::max_allowed_parallelism, 8);
    tbb::task_arena arena(8);
    arena.execute([] {
        std::vector<unsigned> numbers(200000);
        tbb::parallel_for(size_t(0), numbers.size(), [&](size_t n) { numbers[n] = n * 2654435761u; });
        tbb::parallel_sort(numbers);
        std::cout << "sorted " << std::is_sorted(numbers.begin(), numbers.end()) << std::endl;
        long sum = tbb::parallel_reduce(
            tbb::blocked_range<size_t>(0, numbers.size()), 0L,
            [&](auto &range, long sum) {
                for (size_t n = range.begin(); n != range.end(); n++) sum += numbers[n] % 1000;
                return sum;
            },
            std::plus<>());
        std::cout << "sum " << sum << "\nfibonacci " << fibonacci(25) << std::endl;
    });

    int number = 0;
    long total = 0;
    tbb::parallel_pipeline(
        8, tbb::make_filter<void, int>(tbb::filter_mode::serial_in_order, [&](tbb::flow_control &control) {
               if (number == 500) control.stop();
               return number++;
           }) & tbb::make_filter<int, long>(tbb::filter_mode::parallel, [](int n) { return long(n) * n; }) &
               tbb::make_filter<long, void>(tbb::filter_mode::serial_in_order, [&](long n) { total = (total * 31 + n) % 1000003; }));
    std::cout << "pipeline " << total << std::endl;

    tbb::flow::graph graph;
    std::atomic<long> arrived = 0;
    tbb::flow::function_node<int, int> doubles(graph, tbb::flow::unlimited, [](int n) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        return n * 2;
    });
    tbb::flow::function_node<int> adds(graph, 1, [&](int n) { arrived += n; });
    tbb::flow::make_edge(doubles, adds);
    for (int n = 0; n < 100; n++) doubles.try_put(n);
    graph.wait_for_all();
    std::cout << "graph " << arrived << std::endl;

    tbb::concurrent_bounded_queue<int> queue;
    queue.set_capacity(3);
    std::thread producer([&] {
        for (int n = 0; n <= 200; n++) queue.push(n < 200 ? n : -1);
    });
    long taken = 0;
    for (int item = 0; item >= 0; queue.pop(item)) taken += item;
    producer.join();
    std::cout << "queue " << taken << std::endl;

    std::vector<int> values(100000);
    std::iota(values.begin(), values.end(), 0);
    std::for_each(std::execution::par, values.begin(), values.end(), [](int &n) { n = n % 17; });
    std::cout << "algorithms " << std::reduce(std::execution::par, values.begin(), values.end(), 0L) << std::endl;
}
