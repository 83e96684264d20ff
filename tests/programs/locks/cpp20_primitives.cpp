/*
 * C++20: std::atomic wait and notify, counting_semaphore with its timed form, latch, barrier with a completion,
 * jthread with stop_token, condition_variable_any, shared_mutex, timed_mutex, call_once with an exception.
 */
#include "../check.h"
#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <latch>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <stop_token>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

template <typename Value> static void atomic_wait(const char *name)
{
    std::atomic<Value> word{0};
    std::atomic<int> passed{0};
    std::vector<std::thread> threads;
    for (int n = 0; n < 20; n++)
        threads.emplace_back([&] {
            word.wait(0);
            passed++;
        });
    std::this_thread::sleep_for(5ms);
    CHECK(passed == 0, "%d passed", passed.load());
    word = 1;
    word.notify_all();
    for (auto &thread : threads)
        thread.join();
    std::printf("atomic<%s>: %d passed\n", name, passed.load());
}

int main()
{
    atomic_wait<int>("int");
    atomic_wait<char>("char");
    atomic_wait<long>("long");

    std::counting_semaphore<10> room(3);
    std::atomic<int> inside{0};
    std::latch start_together(12), all_done(12);
    std::vector<std::jthread> threads;
    for (int n = 0; n < 12; n++)
        threads.emplace_back([&] {
            start_together.arrive_and_wait();
            for (int round = 0; round < 10; round++) {
                room.acquire();
                CHECK(++inside <= 3, "%d inside", inside.load());
                std::this_thread::sleep_for(200us);
                inside--;
                room.release();
            }
            all_done.count_down();
        });
    all_done.wait();
    threads.clear();
    std::binary_semaphore closed(0);
    CHECK(!closed.try_acquire_for(5ms), "acquired a closed semaphore");
    std::puts("semaphore and latch");

    int completions = 0;
    std::barrier barrier(6, [&]() noexcept { completions++; });
    for (int n = 0; n < 6; n++)
        threads.emplace_back([&, n] {
            for (int round = 0; round < 20; round++) {
                if (round % 6 == n)
                    std::this_thread::sleep_for(100us);
                barrier.arrive_and_wait();
                CHECK(completions >= round + 1, "%d completions in round %d", completions, round);
            }
        });
    threads.clear();
    std::printf("barrier: %d completions\n", completions);

    std::mutex lock;
    std::condition_variable_any condition;
    bool stopped = false;
    std::jthread stoppable([&](std::stop_token token) {
        std::unique_lock hold(lock);
        stopped = !condition.wait(hold, token, [] { return false; });
    });
    std::this_thread::sleep_for(5ms);
    stoppable.request_stop();
    stoppable.join();
    std::printf("stopped: %d\n", stopped);

    std::shared_mutex shared;
    std::timed_mutex timed;
    std::atomic<int> readers{0};
    int written = 0;
    for (int n = 0; n < 10; n++)
        threads.emplace_back([&, n] {
            for (int round = 0; round < 10; round++)
                if (n < 8) {
                    std::shared_lock hold(shared);
                    readers++;
                    std::this_thread::sleep_for(100us);
                    readers--;
                } else {
                    std::unique_lock hold(shared);
                    CHECK(readers == 0, "%d readers", readers.load());
                    written++;
                }
        });
    threads.clear();
    timed.lock();
    std::thread([&] { CHECK(!timed.try_lock_for(5ms), "locked a held mutex"); }).join();
    std::thread([&] { CHECK(!timed.try_lock_until(std::chrono::system_clock::now() + 5ms), "locked a held mutex"); }).join();
    timed.unlock();
    std::printf("written: %d\n", written);

    std::once_flag once;
    int attempts = 0;
    for (int n = 0; n < 8; n++)
        threads.emplace_back([&] {
            try {
                std::call_once(once, [&] {
                    std::this_thread::sleep_for(1ms);
                    if (++attempts < 3)
                        throw attempts;
                });
            } catch (int) {
            }
        });
    threads.clear();
    std::printf("call_once: %d attempts\n", attempts);
    return 0;
}
