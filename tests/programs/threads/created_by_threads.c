/*
 * Threads make threads: a binary tree eight levels deep, each node joining its two children and adding up.
 */
#include "../check.h"

static void *node(void *argument)
{
    int depth = AS_INTEGER(argument);
    if (depth == 0) {
        sleep_ms(5);
        return AS_POINTER(1);
    }
    pthread_t left = start(node, AS_POINTER(depth - 1));
    pthread_t right = start(node, AS_POINTER(depth - 1));
    return AS_POINTER(1 + AS_INTEGER(join(left)) + AS_INTEGER(join(right)));
}

int main(void)
{
    printf("%d nodes\n", AS_INTEGER(join(start(node, AS_POINTER(8)))));
    return 0;
}
