// The benchmark's rows as goroutines: `goroutines ROW COUNT`, with ROW `channel-ping-pong`, `create-join` or `sleepers`. Each prints one
// figure, in the unit of the C program it stands beside. Channels take the place of semaphores, as a Go programmer would have it.
// GOMAXPROCS is left at its default, one a core the process may run on.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Two goroutines, an unbuffered channel each way; nanoseconds a round.
func channelPingPong(rounds int) float64 {
	ping, pong, figure := make(chan struct{}), make(chan struct{}), make(chan float64)
	warmUp := rounds/10 + 1
	go func() {
		for round := 0; round < warmUp+rounds; round++ {
			<-ping
			pong <- struct{}{}
		}
	}()
	go func() {
		var start time.Time
		for round := 0; round < warmUp+rounds; round++ {
			if round == warmUp {
				start = time.Now()
			}
			ping <- struct{}{}
			<-pong
		}
		figure <- float64(time.Since(start).Nanoseconds()) / float64(rounds)
	}()
	return <-figure
}

// One goroutine after another is made and its end waited for; nanoseconds each.
func createJoin(count int) float64 {
	warmUp := count/10 + 1
	var start time.Time
	for made := 0; made < warmUp+count; made++ {
		if made == warmUp {
			start = time.Now()
		}
		done := make(chan struct{})
		go func() { close(done) }()
		<-done
	}
	return float64(time.Since(start).Nanoseconds()) / float64(count)
}

// So many goroutines asleep at once; bytes each.
func sleepers(count int) float64 {
	var begun int64
	before := memoryHeld()
	for made := 0; made < count; made++ {
		go func() {
			atomic.AddInt64(&begun, 1)
			time.Sleep(time.Hour)
		}()
	}
	for atomic.LoadInt64(&begun) < int64(count) {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	return float64(memoryHeld()-before) / float64(count)
}

// Bytes held now: VmRSS + VmPTE of /proc/self/status (proc_pid_status(5)).
func memoryHeld() int {
	status, err := os.Open("/proc/self/status")
	if err != nil {
		panic(err)
	}
	defer status.Close()
	kibibytes := 0
	lines := bufio.NewScanner(status)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if words[0] == "VmRSS:" || words[0] == "VmPTE:" {
			value, err := strconv.Atoi(words[1])
			if err != nil {
				panic(err)
			}
			kibibytes += value
		}
	}
	return kibibytes * 1024
}

func main() {
	rows := map[string]func(int) float64{
		"channel-ping-pong": channelPingPong,
		"create-join":       createJoin,
		"sleepers":          sleepers,
	}
	if len(os.Args) == 3 {
		row, known := rows[os.Args[1]]
		count, err := strconv.Atoi(os.Args[2])
		if known && err == nil && count > 0 {
			fmt.Printf("%.1f\n", row(count))
			return
		}
	}
	fmt.Fprintln(os.Stderr, "usage: goroutines channel-ping-pong|create-join|sleepers COUNT")
	os.Exit(2)
}
