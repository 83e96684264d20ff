/*
 * main ends by pthread_exit while others go on: it stays in the list of threads, and is counted, as the zombie it is, with
 * its name, until the process ends; the others are listed as ever, one alone too. A signal for main alone is taken and has no effect;
 * one for the process goes to the others.
 */
#include "../check.h"
#include <dirent.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static sem_t listed;
static pthread_t main_thread;
static atomic_int seen;

static void on_signal(int number)
{
    (void)number;
    seen++;
}

static void shows(const char *file, const char *key)
{
    char text[4096], path[64];
    snprintf(path, sizeof path, file, getpid());
    FILE *stream = fopen(path, "r");
    CHECK(stream != NULL, "%s", path);
    while (fgets(text, sizeof text, stream) != NULL)
        if (strncmp(text, key, strlen(key)) == 0) {
            if (*key == 0)
                strcpy(strrchr(text, ')') + 3, "\n");
            printf("%s: %s", file, *key ? text : strchr(text, '('));
        }
    fclose(stream);
}

static void lists(void)
{
    DIR *list = opendir("/proc/self/task");
    CHECK(list != NULL, "opendir");
    int mains = 0, selves = 0, all = 0;
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        int tid = atoi(entry->d_name);
        all += tid != 0;
        mains += tid == getpid();
        selves += tid == gettid();
    }
    closedir(list);
    struct stat status;
    CHECK(stat("/proc/self/task", &status) == 0, "stat");
    printf("%d listed, main %d times, this one %d, %d links\n", all, mains, selves, (int)status.st_nlink);
    shows("/proc/self/task/%d/stat", "");
    shows("/proc/self/task/%d/status", "State");
    shows("/proc/self/task/%d/status", "Threads");
    shows("/proc/self/status", "State");
    shows("/proc/self/status", "Threads");
    shows("/proc/self/task/%d/comm", "m");
}

static void *goes_on(void *argument)
{
    if (argument != NULL) {
        while (sem_wait(&listed) != 0) {
        }
        return NULL;
    }
    ZERO(pthread_join(main_thread, NULL));
    /* It may still be on its way. */
    sleep_ms(20);
    lists();
    sem_post(&listed);
    sleep_ms(20);
    lists();
    CHECK(syscall(SYS_tgkill, getpid(), getpid(), 0) == 0, "tgkill");
    CHECK(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1) == 0, "tgkill");
    sleep_ms(20);
    CHECK(seen == 0, "a signal for main had %d effects", seen);
    CHECK(kill(getpid(), SIGUSR2) == 0, "kill");
    sleep_ms(20);
    CHECK(seen == 1, "a signal for the process had %d effects", seen);
    puts("signals as they should be");
    exit(0);
}

int main(void)
{
    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, on_signal);
    ZERO(pthread_setname_np(pthread_self(), "mainly"));
    sem_init(&listed, 0, 0);
    main_thread = pthread_self();
    pthread_detach(start(goes_on, &listed));
    pthread_detach(start(goes_on, NULL));
    pthread_exit(NULL);
}
