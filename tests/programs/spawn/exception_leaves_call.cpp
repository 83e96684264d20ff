/* An exception that no handler within the call catches; natively main catches it. */
#include "../check.h"
#include <stdexcept>

__attribute__((noinline)) static void task(int number)
{
    sleep_ms(5);
    try {
        throw std::logic_error("caught within");
    } catch (const std::logic_error &error) {
        printf("%d: %s\n", number, error.what());
        fflush(stdout);
    }
    if (number == 2)
        throw std::runtime_error("thrown by a call");
}

int main()
{
    try {
        for (int number = 1; number <= 3; number++)
            task(number);
    } catch (const std::runtime_error &error) {
        printf("main: %s\n", error.what());
    }
}
