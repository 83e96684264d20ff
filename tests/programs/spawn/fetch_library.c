/* A library with a function that blocks, for library_call.c; it also calls that function itself. */
#include "../check.h"

void fetch(int item);
void fetch_all(int items);

void fetch(int item)
{
    printf("%d starts\n", item);
    sleep_ms(20);
    printf("%d finishes\n", item);
}

void fetch_all(int items)
{
    for (int item = 1; item <= items; item++)
        fetch(item);
}
