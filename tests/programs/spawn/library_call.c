/* Calls the function of fetch_library.c directly, through a pointer, and by way of the library itself. */
#include "../check.h"

void fetch(int item);
void fetch_all(int items);

int main(void)
{
    void (*volatile pointer)(int) = fetch;
    fetch(1);
    pointer(2);
    fetch_all(3);
    return 0;
}
