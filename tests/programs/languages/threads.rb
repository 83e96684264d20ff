# Ruby's threads: Thread values and exceptions, thread-locals, Mutex, ConditionVariable, Queue, SizedQueue, Monitor,
# sleep, Timeout, and processes started from threads.
require "monitor"
require "timeout"

$stdout.sync = true
Thread.report_on_exception = false

values = (0...50).map { |n| Thread.new { sleep 0.001 * (n % 7); n * n } }.map(&:value)
puts "values #{values.sum}"

begin
  Thread.new { sleep 0.005; raise ArgumentError, "from a thread" }.join
rescue ArgumentError => error
  puts "raised #{error.message}"
end

lock, inside, count = Mutex.new, 0, 0
threads = (0...20).map do |n|
  Thread.new do
    Thread.current[:number] = n
    20.times do
      lock.synchronize do
        inside += 1
        abort "#{inside} inside" unless inside == 1
        sleep 0.0001 if n % 5 == 0
        count += 1
        inside -= 1
      end
    end
    abort "thread-local" unless Thread.current[:number] == n
  end
end
threads.each(&:join)
puts "mutex #{count}"

queue, results = SizedQueue.new(3), Queue.new
consumers = (0...5).map { Thread.new { while (item = queue.pop) != :stop do results << item end } }
300.times { |n| queue << n }
5.times { queue << :stop }
consumers.each(&:join)
puts "queue #{results.size}"

condition, turn = ConditionVariable.new, 0
threads = (0...5).map do |n|
  Thread.new do
    10.times do
      lock.synchronize do
        condition.wait(lock) until turn % 5 == n
        turn += 1
        condition.broadcast
      end
    end
  end
end
threads.each(&:join)
puts "condition #{turn}"

begin
  Timeout.timeout(0.05) { sleep 600 }
rescue Timeout::Error
  puts "timeout"
end

monitor = Monitor.new
monitor.synchronize { monitor.synchronize { puts "monitor" } }
sleeper = Thread.new { sleep }
sleep 0.01
sleeper.kill
puts "killed #{sleeper.join(60).equal?(sleeper)}"
puts (1..4).map { |n| Thread.new { `echo process #{n}` } }.map(&:value).join
threads = (0...1000).map { Thread.new { sleep 0.1; 1 } }
puts "sleepers #{threads.sum(&:value)}"
