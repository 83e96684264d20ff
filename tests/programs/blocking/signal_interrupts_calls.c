/*
 * A thread blocks in a call and gets a signal, once with SA_RESTART and once without: what becomes of the call is what
 * signal(7) says. A call that was made again still ends when what it waits for comes. Main sends the signal and is not
 * disturbed by it.
 */
#include "calls_that_block.h"

static const struct call *call;
static volatile int returned;
static volatile sig_atomic_t handled;
static long result;
static int error;
static sem_t begun;

static void handler(int number)
{
    (void)number;
    CHECK(pthread_equal(pthread_self(), calling), "the signal came to another thread");
    handled = 1;
}

static void *body(void *argument)
{
    calling_thread = gettid();
    sem_post(&begun);
    result = call->make();
    error = errno;
    __atomic_store_n(&returned, 1, __ATOMIC_RELEASE);
    return argument;
}

static void print_result(void)
{
    if (result >= 0)
        printf("%ld", result);
    else
        printf("%s", strerrorname_np(error));
}

static void interrupt_with(int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    returned = handled = 0;
    call->prepare();
    calling = start(body, NULL);
    sem_wait(&begun);
    wait_until_blocked(calling_thread);
    CHECK(!returned, "%s did not block, but gave %ld, %s", call->name, result, strerror(error));
    ZERO(pthread_kill(calling, SIGUSR1));
    while (!handled)
        usleep(200);
    wait_until_blocked(calling_thread);
    if (!__atomic_load_n(&returned, __ATOMIC_ACQUIRE)) {
        printf("made again, then ");
        call->unblock();
    }
    join(calling);
    print_result();
    clean_up();
}

int main(void)
{
    sem_init(&begun, 0, 0);
    prepare_calls();
    for (size_t n = 0; n < sizeof calls / sizeof *calls; n++) {
        call = &calls[n];
        if (call->composed || !offered(call))
            continue;
        printf("%s: ", call->name);
        interrupt_with(0);
        printf("; with SA_RESTART: ");
        interrupt_with(SA_RESTART);
        puts("");
    }
    return 0;
}
