// GLib: GThreadPool, GAsyncQueue, GMutex and GCond (futexes of GLib's own), GOnce, GTask over a main loop, a main context in a second
// thread, timeouts.
#include <gio/gio.h>
#include <stdio.h>

static GMutex lock;
static GCond changed;
static int turn;
static gint worked;

static gpointer in_turn(gpointer me) {
    for (int round = 0; round < 20; round++) {
        g_mutex_lock(&lock);
        while (turn % 5 != GPOINTER_TO_INT(me)) g_cond_wait(&changed, &lock);
        turn++;
        g_cond_broadcast(&changed);
        g_mutex_unlock(&lock);
    }
    return NULL;
}

static void work(gpointer item, gpointer queue) {
    g_usleep(1000);
    g_atomic_int_add(&worked, GPOINTER_TO_INT(item));
    g_async_queue_push(queue, item);
}

static void task(GTask *task, gpointer source, gpointer number, GCancellable *cancellable) {
    g_usleep(2000);
    g_task_return_int(task, GPOINTER_TO_INT(number) * 2);
}

struct tasks { GMainLoop *loop; int left; gssize sum; };

static void task_done(GObject *source, GAsyncResult *result, gpointer data) {
    struct tasks *tasks = data;
    tasks->sum += g_task_propagate_int(G_TASK(result), NULL);
    if (--tasks->left == 0) g_main_loop_quit(tasks->loop);
}

static gpointer run_loop(gpointer loop) {
    g_main_context_push_thread_default(g_main_loop_get_context(loop));
    g_main_loop_run(loop);
    return NULL;
}

static gboolean quit(gpointer loop) {
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

int main(void) {
    GThread *threads[5];
    for (int n = 0; n < 5; n++) threads[n] = g_thread_new("turn", in_turn, GINT_TO_POINTER(n));
    for (int n = 0; n < 5; n++) g_thread_join(threads[n]);
    printf("turns %d\n", turn);

    GAsyncQueue *queue = g_async_queue_new();
    GThreadPool *pool = g_thread_pool_new(work, queue, 8, FALSE, NULL);
    for (int n = 1; n <= 100; n++) g_thread_pool_push(pool, GINT_TO_POINTER(n), NULL);
    int sum = 0;
    for (int n = 0; n < 100; n++) sum += GPOINTER_TO_INT(g_async_queue_pop(queue));
    g_thread_pool_free(pool, FALSE, TRUE);
    printf("pool %d %d, nothing left: %d\n", sum, worked, g_async_queue_timeout_pop(queue, 5000) == NULL);

    struct tasks tasks = {g_main_loop_new(NULL, FALSE), 20, 0};
    for (int n = 0; n < 20; n++) {
        GTask *each = g_task_new(NULL, NULL, task_done, &tasks);
        g_task_set_task_data(each, GINT_TO_POINTER(n), NULL);
        g_task_run_in_thread(each, task);
        g_object_unref(each);
    }
    g_main_loop_run(tasks.loop);
    printf("tasks %zd\n", (ssize_t)tasks.sum);

    GMainContext *context = g_main_context_new();
    GMainLoop *loop = g_main_loop_new(context, FALSE);
    GThread *thread = g_thread_new("loop", run_loop, loop);
    g_usleep(5000);
    g_main_context_invoke(context, quit, loop);
    g_thread_join(thread);
    puts("loop ended");

    gchar *output = NULL;
    g_spawn_command_line_sync("echo from a child", &output, NULL, NULL, NULL);
    fputs(output, stdout);
    return 0;
}
