/*
 * Cancelling a thread that is blocked in a call. In a cancellation point it ends: its cleanup handler runs and it is
 * joined as cancelled. With cancellation disabled, and in calls that are no cancellation points, the call goes on and
 * has its result. A request made beforehand ends the thread before the call blocks.
 */
#include "calls_that_block.h"

enum when { BLOCKED, DISABLED, BEFORE };

static const struct call *call;
static enum when when;
static long result;
static int error;
static int cleaned_up, returned;
static sem_t begun;

static void clean(void *argument)
{
    (void)argument;
    CHECK(pthread_equal(pthread_self(), calling), "cleaned up by another thread");
    cleaned_up = 1;
}

static void *body(void *argument)
{
    pthread_cleanup_push(clean, NULL);
    calling = pthread_self();
    calling_thread = gettid();
    pthread_setcancelstate(when == DISABLED ? PTHREAD_CANCEL_DISABLE : PTHREAD_CANCEL_ENABLE, NULL);
    if (when == BEFORE)
        ZERO(pthread_cancel(pthread_self()));
    sem_post(&begun);
    result = call->make();
    error = errno;
    __atomic_store_n(&returned, 1, __ATOMIC_RELEASE);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_testcancel();
    pthread_cleanup_pop(0);
    return argument;
}

static void cancel(enum when moment)
{
    when = moment;
    cleaned_up = returned = 0;
    call->prepare();
    pthread_t thread = start(body, NULL);
    sem_wait(&begun);
    if (when != BEFORE) {
        wait_until_blocked(calling_thread);
        ZERO(pthread_cancel(thread));
    }
    if (when == DISABLED || !call->cancellable) {
        wait_until_blocked(calling_thread);
        CHECK(!__atomic_load_n(&returned, __ATOMIC_ACQUIRE), "%s gave %ld, %s", call->name, result, strerror(error));
        call->unblock();
    }
    void *value = join(thread);
    CHECK(value == PTHREAD_CANCELED, "joined with %p", value);
    CHECK(cleaned_up, "not cleaned up");
    if (!returned)
        printf("cancelled");
    else if (result >= 0)
        printf("%ld", result);
    else
        printf("%s", strerrorname_np(error));
    clean_up();
}

/* Cancellation points that do not wait. */
static long call_fsync(void) { return fsync(near); }
static long call_pwrite(void) { return pwrite(near, large, 10, 0); }
static long call_usleep(void) { return usleep(0); }
static const struct call quick_calls[] = {
    {"fsync", with_file, call_fsync, NULL, 1, 0},
    {"pwrite", with_file, call_pwrite, NULL, 1, 0},
    {"usleep(0)", with_nothing, call_usleep, NULL, 1, 0},
};

int main(void)
{
    sem_init(&begun, 0, 0);
    prepare_calls();
    for (size_t n = 0; n < sizeof calls / sizeof *calls; n++) {
        call = &calls[n];
        if (!offered(call))
            continue;
        printf("%s: ", call->name);
        cancel(BLOCKED);
        printf("; disabled: ");
        cancel(DISABLED);
        if (call->cancellable) {
            printf("; requested before: ");
            cancel(BEFORE);
        }
        puts("");
    }
    for (size_t n = 0; n < sizeof quick_calls / sizeof *quick_calls; n++) {
        call = &quick_calls[n];
        printf("%s requested before: ", call->name);
        cancel(BEFORE);
        puts("");
    }
    return 0;
}
