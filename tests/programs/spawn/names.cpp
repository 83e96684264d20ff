/*
 * Functions of one name in namespaces, overloaded, as members and as templates; the argument says which is
 * called twice.
 */
#include "../check.h"
#include <string>

__attribute__((noinline)) static void task(const char *name, int item)
{
    printf("%s %d starts\n", name, item);
    sleep_ms(20);
    printf("%s %d finishes\n", name, item);
}

namespace app {
__attribute__((noinline)) void fetch(int item) { task("fetch(int)", item); }
__attribute__((noinline)) void fetch(const std::string &item) { task("fetch(string)", std::stoi(item)); }

class Client {
public:
    __attribute__((noinline)) void load(int item) const { task(name, item); }
    const char *name = "Client::load";
};

template <typename Number> __attribute__((noinline)) void convert(Number item) { task("convert", (int)item); }
} // namespace app

namespace other {
__attribute__((noinline)) void store(int item) { task("other::store", item); }
} // namespace other

__attribute__((noinline)) void store(int item) { task("store", item); }

int main(int, char **arguments)
{
    static const std::string numbers[] = {"0", "1", "2"};
    static const app::Client client;
    std::string function = arguments[1];
    for (int item = 1; item <= 2; item++) {
        if (function == "fetch(int)")
            app::fetch(item);
        else if (function == "fetch(string)")
            app::fetch(numbers[item]);
        else if (function == "load")
            client.load(item);
        else if (function == "convert")
            app::convert<long>(item);
        else if (function == "other::store")
            other::store(item);
        else
            store(item);
    }
}
