(* OCaml's threads: kernel threads that share a master lock, which a tick thread takes away from them; locks, conditions, pipes,
   channels. *)
let total = ref 0
let lock = Mutex.create ()
let turn = ref 0
let changed = Condition.create ()

let work number =
  for round = 1 to 300 do
    ignore (List.sort compare (List.init 200 (fun n -> (n * round * number) mod 97)));
    Mutex.lock lock;
    total := !total + number;
    Mutex.unlock lock
  done;
  Thread.delay 0.01

let in_turn number =
  for _ = 1 to 20 do
    Mutex.lock lock;
    while !turn mod 5 <> number do Condition.wait changed lock done;
    incr turn;
    Condition.broadcast changed;
    Mutex.unlock lock
  done

let echo () =
  let from, into = Unix.pipe () in
  let reader = Thread.create (fun () ->
    let buffer = Bytes.create 5 in
    let count = Unix.read from buffer 0 5 in
    print_endline (Bytes.sub_string buffer 0 count)) () in
  Thread.delay 0.01;
  ignore (Unix.write_substring into "hello" 0 5);
  Thread.join reader

let channel () =
  let line = Event.new_channel () in
  let senders = List.init 10 (fun n -> Thread.create (fun () -> Event.sync (Event.send line n)) ()) in
  let sum = List.fold_left (fun sum _ -> sum + Event.sync (Event.receive line)) 0 senders in
  List.iter Thread.join senders;
  Printf.printf "%d\n" sum

let () =
  List.iter Thread.join (List.init 20 (fun n -> Thread.create work n));
  Printf.printf "%d\n" !total;
  List.iter Thread.join (List.init 5 (fun n -> Thread.create in_turn n));
  Printf.printf "%d\n%!" !turn;
  echo ();
  channel ();
  (* One that computes without allocating is interrupted by the tick thread's signal flag. *)
  let stop = ref false in
  let spinner = Thread.create (fun () -> while not !stop do Thread.yield () done) () in
  Thread.delay 0.05;
  stop := true;
  Thread.join spinner;
  print_endline (match Unix.system "exit 3" with Unix.WEXITED status -> string_of_int status | _ -> "?")
