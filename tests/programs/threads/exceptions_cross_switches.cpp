/*
 * C++ exceptions: thrown, caught and rethrown while other threads have their own in flight, with switches inside
 * catch blocks and destructors; carried by std::async, std::promise and std::exception_ptr to another thread.
 */
#include "../check.h"
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

struct Sleeper {
    ~Sleeper() { std::this_thread::sleep_for(100us); }
};

static int thrower(int depth, int value)
{
    Sleeper sleeper;
    if (depth == 0)
        throw std::runtime_error(std::to_string(value));
    return thrower(depth - 1, value) + 1;
}

static void catches(int thread)
{
    for (int round = 0; round < 10; round++) {
        try {
            try {
                thrower(5, thread * 100 + round);
            } catch (std::exception &) {
                std::this_thread::yield();
                CHECK(std::uncaught_exceptions() == 0, "uncaught %d", std::uncaught_exceptions());
                throw;
            }
        } catch (std::runtime_error &error) {
            std::this_thread::sleep_for(200us);
            CHECK(error.what() == std::to_string(thread * 100 + round), "another's exception: %s", error.what());
        }
    }
}

int main()
{
    std::vector<std::thread> threads;
    for (int n = 0; n < 20; n++)
        threads.emplace_back(catches, n);
    for (auto &thread : threads)
        thread.join();

    auto failing = std::async(std::launch::async, [] { return thrower(3, 77); });
    try {
        failing.get();
        CHECK(false, "no exception");
    } catch (std::runtime_error &error) {
        std::printf("from std::async: %s\n", error.what());
    }
    std::vector<std::future<int>> squares;
    for (int n = 0; n < 30; n++)
        squares.push_back(std::async(std::launch::async, [n] {
            std::this_thread::sleep_for(1ms * (30 - n));
            return n * n;
        }));
    int sum = 0;
    for (auto &square : squares)
        sum += square.get();
    std::printf("sum of squares: %d\n", sum);

    std::promise<int> promise;
    std::thread setter([&] {
        try {
            thrower(1, 5);
        } catch (...) {
            promise.set_exception(std::current_exception());
        }
    });
    try {
        promise.get_future().get();
    } catch (std::runtime_error &error) {
        std::printf("from std::promise: %s\n", error.what());
    }
    setter.join();
    return 0;
}
