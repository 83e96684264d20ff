// Qt Core and Concurrent: QThread with an event loop, QThreadPool, QtConcurrent's map and reduce, QMutex and QWaitCondition (futexes of
// Qt's own), QSemaphore, QReadWriteLock, queued signals between threads, timers, QProcess.
#include <QtConcurrent>
#include <QtCore>
#include <cstdio>

static int turns() {
    QMutex mutex;
    QWaitCondition changed;
    int turn = 0;
    QList<QThread *> threads;
    for (int me = 0; me < 5; me++)
        threads << QThread::create([&, me] {
            for (int round = 0; round < 20; round++) {
                QMutexLocker locker(&mutex);
                while (turn % 5 != me) changed.wait(&mutex);
                turn++;
                changed.wakeAll();
            }
        });
    for (auto thread : threads) thread->start();
    for (auto thread : threads) thread->wait();
    qDeleteAll(threads);
    return turn;
}

static int buffer() {
    QSemaphore room(3), items(0);
    int ring[3], sum = 0;
    auto consumer = QtConcurrent::run([&] {
        for (int n = 0; n < 200; n++) {
            items.acquire();
            sum += ring[n % 3];
            room.release();
        }
    });
    for (int n = 0; n < 200; n++) {
        room.acquire();
        ring[n % 3] = n;
        items.release();
    }
    consumer.waitForFinished();
    return sum;
}

int main(int count, char **words) {
    QCoreApplication application(count, words);
    printf("turns %d\n", turns());
    QThreadPool::globalInstance()->setMaxThreadCount(8);
    printf("buffer %d\n", buffer());
    QVector<int> numbers(500);
    std::iota(numbers.begin(), numbers.end(), 0);
    auto squares = QtConcurrent::blockingMapped(numbers, std::function<int(const int &)>([](const int &n) { return n * n % 1000; }));
    printf("mapped %d\n", std::accumulate(squares.begin(), squares.end(), 0));
    QAtomicInt slept = 0;
    for (int n = 0; n < 50; n++)
        QThreadPool::globalInstance()->start([&] {
            QThread::msleep(2);
            slept++;
        });
    QThreadPool::globalInstance()->waitForDone();
    printf("slept %d\n", slept.loadRelaxed());

    QThread thread;
    QObject worker;
    worker.moveToThread(&thread);
    thread.start();
    int ticks = 0, answers = 0;
    QTimer timer;
    QObject::connect(&timer, &QTimer::timeout, [&] {
        ticks++;
        QMetaObject::invokeMethod(&worker, [&] {
            bool elsewhere = QThread::currentThread() == &thread;
            QMetaObject::invokeMethod(&application, [&, elsewhere] {
                answers += elsewhere;
                if (answers == 10) application.quit();
            });
        });
        if (ticks == 10) timer.stop();
    });
    timer.start(1);
    application.exec();
    thread.quit();
    thread.wait();
    printf("ticks %d answers %d\n", ticks, answers);

    QProcess process;
    process.start("echo", {"from a child"});
    process.waitForFinished();
    fputs(process.readAllStandardOutput().constData(), stdout);
    return 0;
}
