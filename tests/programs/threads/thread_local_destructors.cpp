/*
 * C++ thread_local: each thread constructs its own objects on first use and destroys them, last made first,
 * when it ends, also when it ends by an exception caught outermost or by pthread_exit; before its key destructors' join.
 */
#include "../check.h"
#include <atomic>
#include <string>
#include <thread>
#include <vector>

static std::atomic<int> made, destroyed;
static std::string log_of_one;

struct Counted {
    std::string name;
    explicit Counted(const char *name) : name(name) { made++; }
    ~Counted()
    {
        destroyed++;
        if (recorded)
            log_of_one += name + " ";
        std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    bool recorded = false;
};

static thread_local Counted first("first");
static thread_local Counted second("second");
static thread_local std::vector<int> numbers;
static thread_local int plain = 40;

static void use(int thread)
{
    CHECK(numbers.empty() && plain == 40, "a new thread sees %zu numbers and %d", numbers.size(), plain);
    first.recorded = second.recorded = thread == 0;
    for (int n = 0; n < 50; n++) {
        numbers.push_back(thread * 100 + n);
        plain++;
        std::this_thread::yield();
    }
    for (int n = 0; n < 50; n++)
        CHECK(numbers[n] == thread * 100 + n, "another thread's number");
    CHECK(plain == 90, "plain %d", plain);
}

static void *exits(void *)
{
    use(99);
    pthread_exit(nullptr);
}

int main()
{
    std::thread(use, 0).join();
    std::printf("destroyed in order: %s\n", log_of_one.c_str());
    std::vector<std::thread> threads;
    for (int n = 1; n <= 20; n++)
        threads.emplace_back(use, n);
    for (auto &thread : threads)
        thread.join();
    join(start(exits, nullptr));
    std::printf("made %d, destroyed %d\n", made.load(), destroyed.load());
    CHECK(made == destroyed, "some were not destroyed");
    return 0;
}
