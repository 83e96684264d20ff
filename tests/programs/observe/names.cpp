// Threads that wait in functions whose names are mangled: templates, namespaces, lambdas, overloads.
#include "waits.h"
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace shop {

std::mutex mutex;
std::condition_variable condition;
bool is_over;

template <typename T>
struct Counter {
    __attribute__((noinline)) void serve(const T &, int) const
    {
        std::unique_lock<std::mutex> lock(mutex);
        condition.wait(lock, [] { return is_over; });
    }
};

} // namespace shop

int main()
{
    shop::Counter<std::string> counter;
    std::thread first([&] { counter.serve("x", 1); });
    std::thread second([&] { counter.serve("y", 2); });
    sleep_ms(50);
    be_looked_at();
    {
        std::lock_guard<std::mutex> lock(shop::mutex);
        shop::is_over = true;
    }
    shop::condition.notify_all();
    first.join();
    second.join();
    puts("unharmed");
}
