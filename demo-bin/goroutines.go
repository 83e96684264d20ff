// Two goroutines wait half a second each, in a C function. Go schedules its goroutines itself, and makes its system
// calls without a C library; with cgo, as here, there is one beside it all the same. Knows nothing of grivet.
package main

// #include <unistd.h>
import "C"

import (
	"fmt"
	"time"
)

func task(name string, done chan<- bool) {
	fmt.Println(name, "starts")
	C.usleep(500_000)
	fmt.Println(name, "finishes")
	done <- true
}

func main() {
	start := time.Now()
	done := make(chan bool)
	go task("A", done)
	go task("B", done)
	<-done
	<-done
	fmt.Printf("Total %.2f s\n", time.Since(start).Seconds())
}
