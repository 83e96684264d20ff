(* Poly/ML: threads with mutexes, conditions and interrupts, a collector with threads of its own that all others stop for, futures. *)
open Thread;
val lock = Mutex.mutex ();
val changed = ConditionVar.conditionVar ();
val total = ref 0;
val left = ref 20;

fun locked work = (Mutex.lock lock; work () before Mutex.unlock lock);

fun lists (0, sum) = sum
  | lists (n, sum) = lists (n - 1, sum + length (List.filter (fn x => x mod 3 = 0) (List.tabulate (200, fn x => x + n))));

fun worker number () =
    let val sum = lists (200, 0)
    in if number mod 7 = 0 then PolyML.fullGC () else ();
       OS.Process.sleep (Time.fromMilliseconds 5);
       locked (fn () => (total := !total + sum + number; left := !left - 1; ConditionVar.signal changed))
    end;

fun main () =
    let
      fun wait () = if !left = 0 then () else (ConditionVar.wait (changed, lock); wait ())
      val interrupted = ref false
      val () = List.app (fn n => ignore (Thread.fork (worker n, []))) (List.tabulate (20, fn n => n))
      val () = locked wait
      val () = print (Int.toString (!total) ^ "\n")
      val () = left := 1
      val sleeper = Thread.fork (fn () =>
          (OS.Process.sleep (Time.fromSeconds 60) handle Thread.Interrupt => interrupted := true;
           locked (fn () => (left := 0; ConditionVar.signal changed))),
          [Thread.EnableBroadcastInterrupt true, Thread.InterruptState Thread.InterruptAsynch])
      val () = OS.Process.sleep (Time.fromMilliseconds 20)
      val () = Thread.interrupt sleeper
      val () = locked wait
    in print (Bool.toString (!interrupted) ^ "\n") end;
main ();
