// Boost: asio with four threads in one io_context that serves 50 of its own connections, timers and strands, and Boost.Thread's
// futures, barriers, shared locks and interruption.
#include <boost/asio.hpp>
#define BOOST_THREAD_PROVIDES_FUTURE
#include <boost/thread.hpp>
#include <boost/thread/barrier.hpp>
#include <boost/thread/future.hpp>
#include <atomic>
#include <iostream>
#include <memory>
#include <vector>

using boost::asio::ip::tcp;

struct Echo : std::enable_shared_from_this<Echo> {
    tcp::socket socket;
    char bytes[64];
    explicit Echo(tcp::socket from) : socket(std::move(from)) {}
    void next() {
        auto self = shared_from_this();
        socket.async_read_some(boost::asio::buffer(bytes), [self](auto error, size_t length) {
            if (error) return;
            boost::asio::async_write(self->socket, boost::asio::buffer(self->bytes, length), [self](auto error, size_t) {
                if (!error) self->next();
            });
        });
    }
};

static void accept(tcp::acceptor &acceptor) {
    acceptor.async_accept([&acceptor](auto error, tcp::socket socket) {
        if (error) return;
        std::make_shared<Echo>(std::move(socket))->next();
        accept(acceptor);
    });
}

static void network() {
    boost::asio::io_context context;
    tcp::acceptor acceptor(context, {boost::asio::ip::address_v4::loopback(), 0});
    accept(acceptor);
    auto strand = boost::asio::make_strand(context);
    int counted = 0; // by the strand alone
    std::vector<std::unique_ptr<boost::asio::steady_timer>> timers;
    for (int n = 0; n < 100; n++) {
        timers.push_back(std::make_unique<boost::asio::steady_timer>(context, std::chrono::milliseconds(n % 10)));
        timers.back()->async_wait(boost::asio::bind_executor(strand, [&](auto) { counted++; }));
    }
    boost::thread_group threads;
    for (int n = 0; n < 4; n++) threads.create_thread([&] { context.run(); });
    std::atomic<int> echoed = 0;
    boost::thread_group clients;
    for (int n = 0; n < 50; n++)
        clients.create_thread([&] {
            boost::asio::io_context own;
            tcp::socket socket(own);
            socket.connect(acceptor.local_endpoint());
            for (int round = 0; round < 10; round++) {
                char bytes[5];
                boost::asio::write(socket, boost::asio::buffer("hello", 5));
                boost::asio::read(socket, boost::asio::buffer(bytes));
                echoed += std::string(bytes, 5) == "hello";
            }
        });
    clients.join_all();
    boost::asio::post(context, [&] { acceptor.close(); });
    threads.join_all();
    std::cout << "echoed " << echoed << "\ntimers " << counted << std::endl;
}

static void threads() {
    boost::barrier barrier(6);
    boost::shared_mutex mutex;
    int written = 0;
    std::atomic<int> met = 0;
    boost::thread_group group;
    for (int n = 0; n < 6; n++)
        group.create_thread([&] {
            for (int round = 0; round < 20; round++) {
                met += barrier.wait();
                boost::unique_lock<boost::shared_mutex> lock(mutex);
                written++;
                lock.unlock();
                boost::shared_lock<boost::shared_mutex> reader(mutex);
                if (written < 1) std::abort();
            }
        });
    group.join_all();
    std::cout << "met " << met << " written " << written << std::endl;
    boost::future<int> answer = boost::async(boost::launch::async, [] {
        boost::this_thread::sleep_for(boost::chrono::milliseconds(5));
        return 42;
    });
    std::cout << "future " << answer.get() << std::endl;
    boost::thread sleeper([] {
        try {
            boost::this_thread::sleep_for(boost::chrono::seconds(60));
        } catch (boost::thread_interrupted &) {
            std::cout << "interrupted" << std::endl;
        }
    });
    sleeper.interrupt();
    sleeper.join();
}

int main() {
    network();
    threads();
}
