# Perl's ithreads: values, shared variables, locks, cond_wait and cond_timedwait, Thread::Queue, Thread::Semaphore,
# detach, kill, yield, and a process started from a thread.
use strict;
use warnings;
use threads;
use threads::shared;
use Thread::Queue;
use Thread::Semaphore;
use Time::HiRes qw(sleep);

$| = 1;
my $sum = 0;
$sum += $_->join for map { my $n = $_; threads->create(sub { sleep 0.001 * ($n % 5); return $n * $n }) } 0 .. 19;
print "values $sum\n";

my $count : shared = 0;
my @threads = map {
    threads->create(sub {
        for (1 .. 20) {
            lock $count;
            my $seen = $count;
            threads->yield;
            $count = $seen + 1;
        }
    })
} 1 .. 10;
$_->join for @threads;
print "locked $count\n";

my $turn : shared = 0;
@threads = map {
    my $n = $_;
    threads->create(sub {
        for (1 .. 10) {
            lock $turn;
            cond_wait($turn) until $turn % 4 == $n;
            $turn++;
            cond_broadcast($turn);
        }
    })
} 0 .. 3;
$_->join for @threads;
print "turns $turn\n";
{
    my $never : shared = 0;
    lock $never;
    print "timed out\n" unless cond_timedwait($never, time + 1);
}

my ($queue, $results) = (Thread::Queue->new, Thread::Queue->new);
@threads = map { threads->create(sub { while (defined(my $item = $queue->dequeue)) { $results->enqueue($item * 2) } }) } 1 .. 4;
$queue->enqueue($_) for 1 .. 100;
$queue->end;
$_->join for @threads;
my $total = 0;
$total += $results->dequeue for 1 .. $results->pending;
print "queue $total\n";

my $semaphore = Thread::Semaphore->new(0);
threads->create(sub { sleep 0.01; $semaphore->up })->detach;
$semaphore->down;
print "semaphore\n";

my $victim = threads->create(sub { $SIG{KILL} = sub { threads->exit }; $semaphore->up; sleep 0.01 while 1; });
$semaphore->down;
$victim->kill('KILL')->join;
print "killed\n";
print threads->create(sub { my $line = `echo from a process`; return $line })->join;
