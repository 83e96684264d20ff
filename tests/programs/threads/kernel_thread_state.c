/*
 * What the kernel keeps for each thread and a thread may ask for: the address cleared at its end (PR_GET_TID_ADDRESS,
 * set_tid_address), its robust list (get_robust_list, own and another's). Asked for, taken away
 * and put back, a join still works.
 */
#include "../check.h"
#include <linux/futex.h>
#include <semaphore.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static sem_t go, ready;
static pid_t tid_of_other;
static void *list_of_other;

static void *body(void *argument)
{
    int *address = NULL;
    struct robust_list_head *list;
    size_t length;
    CHECK(prctl(PR_GET_TID_ADDRESS, &address) == 0, "PR_GET_TID_ADDRESS");
    CHECK(address != NULL && *address == gettid(), "the word holds %d, not the tid %d", *address, gettid());
    CHECK(syscall(SYS_set_tid_address, NULL) == gettid(), "set_tid_address");
    int *now = address;
    CHECK(prctl(PR_GET_TID_ADDRESS, &now) == 0 && now == NULL, "PR_GET_TID_ADDRESS after taking it away: %p", (void *)now);
    CHECK(syscall(SYS_set_tid_address, address) == gettid(), "set_tid_address");
    CHECK(syscall(SYS_get_robust_list, 0, &list, &length) == 0 && length == sizeof *list, "get_robust_list");
    CHECK(syscall(SYS_get_robust_list, gettid(), &list_of_other, &length) == 0 && list_of_other == list, "by tid");
    FAILS(EINVAL, syscall(SYS_set_robust_list, list, length + 1));
    CHECK(syscall(SYS_set_robust_list, list, length) == 0, "set_robust_list");
    tid_of_other = gettid();
    sem_post(&ready);
    while (sem_wait(&go) != 0) {
    }
    return argument;
}

int main(void)
{
    void *list;
    size_t length;
    sem_init(&go, 0, 0);
    sem_init(&ready, 0, 0);
    for (int n = 0; n < 3; n++) {
        pthread_t thread = start(body, AS_POINTER(n));
        while (sem_wait(&ready) != 0) {
        }
        CHECK(syscall(SYS_get_robust_list, tid_of_other, &list, &length) == 0 && list == list_of_other, "another's list");
        sem_post(&go);
        CHECK(AS_INTEGER(join(thread)) == n, "thread %d", n);
        FAILS(ESRCH, syscall(SYS_get_robust_list, tid_of_other, &list, &length));
    }
    puts("asked for, taken away, put back");
    return 0;
}
