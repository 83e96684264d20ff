/*
 * stdio from many threads: each line printed whole though writers sleep while holding the stream by flockfile,
 * counts add up, and every byte arrives.
 */
#include "../check.h"

enum { THREADS = 50, LINES = 40 };
static FILE *file;

static void *body(void *argument)
{
    int me = AS_INTEGER(argument);
    for (int line = 0; line < LINES; line++) {
        if (line % 10 == 0) {
            flockfile(file);
            fprintf(file, "thread %d ", me);
            usleep(100);
            fprintf(file, "line %d\n", line);
            funlockfile(file);
        } else
            fprintf(file, "thread %d line %d\n", me, line);
        if (line % 7 == 0)
            fflush(file);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    static char seen[THREADS][LINES];
    file = tmpfile();
    CHECK(file != NULL, "tmpfile");
    for (int n = 0; n < THREADS; n++)
        threads[n] = start(body, AS_POINTER(n));
    for (int n = 0; n < THREADS; n++)
        join(threads[n]);
    rewind(file);
    char line[100];
    int count = 0;
    while (fgets(line, sizeof line, file)) {
        int thread, number, end = 0;
        CHECK(sscanf(line, "thread %d line %d\n%n", &thread, &number, &end) == 2 && end == (int)strlen(line), "%s", line);
        CHECK(seen[thread][number]++ == 0, "twice: %s", line);
        count++;
    }
    printf("%d whole lines\n", count);
    return 0;
}
