/*
 * Waiting until another thread sleeps in the kernel's eyes, however long the machine takes to get it there: the thread
 * calls will_sleep() before the call in which it is to wait, the other one until_asleep().
 */
#ifndef ASLEEP_H
#define ASLEEP_H

#include "../check.h"
#include <stdatomic.h>

static atomic_int asleep_tid;

static inline void will_sleep(void)
{
    asleep_tid = gettid();
}

static inline void until_asleep(void)
{
    char path[64], text[256];
    while (asleep_tid == 0)
        usleep(500);
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", asleep_tid);
    for (;;) {
        FILE *file = fopen(path, "r");
        CHECK(file != NULL && fgets(text, sizeof text, file) != NULL, "%s", path);
        fclose(file);
        if (strncmp(strrchr(text, ')'), ") S", 3) == 0)
            break;
        usleep(500);
    }
    asleep_tid = 0;
}

#endif
