# Tcl's thread package: messages between event loops, and a socket server asked by threads.
package require Thread

set main [thread::id]
for {set i 0} {$i < 20} {incr i} { lappend threads [thread::create -joinable { thread::wait }] }
set done 0
foreach thread $threads {
    thread::send -async $thread {set x 5}
    thread::send -async $thread "after 50; incr x; thread::send -async $main {incr done}"
}
while {$done < 20} { vwait done }
foreach thread $threads {
    thread::send $thread {set x} x
    lappend answers $x
    thread::release $thread
    thread::join $thread
}
puts $answers

proc accept {channel host port} {
    fconfigure $channel -buffering line
    fileevent $channel readable [list echo $channel]
}
proc echo {channel} { if {[gets $channel line] < 0} { close $channel } else { puts $channel $line } }
set server [socket -server accept -myaddr 127.0.0.1 0]
set port [lindex [fconfigure $server -sockname] 2]
set got {}
for {set i 0} {$i < 10} {incr i} {
    thread::create "
        set channel \[socket 127.0.0.1 $port\]
        fconfigure \$channel -buffering line
        puts \$channel hello
        gets \$channel line
        thread::send -async $main \[list lappend got \$line\]
    "
}
while {[llength $got] < 10} { vwait got }
puts $got
