% SWI-Prolog: threads with message queues, mutexes and thread signals; an atom collector that signals the others; engines' stacks.
:- initialization(main, main).

work(Number, Sum) :-
    numlist(1, 2000, Numbers),
    foldl([N, From, To]>>(atom_concat(atom_, N, Atom), atom_length(Atom, Length), To is From + Length), Numbers, 0, Length),
    (0 is Number mod 5 -> garbage_collect_atoms ; garbage_collect),
    sleep(0.01),
    Sum is Length + Number.

squares(Queue, Answers) :-
    thread_get_message(Queue, Message),
    (   Message = done -> true
    ;   Square is Message * Message, thread_send_message(Answers, Square), squares(Queue, Answers) ).

main :-
    findall(Goal, (between(1, 20, N), Goal = work(N, _)), Goals),
    concurrent(8, Goals, []),
    findall(Sum, member(work(_, Sum), Goals), Sums), sum_list(Sums, Total),
    writeln(Total),
    message_queue_create(Queue, [max_size(3)]), message_queue_create(Answers),
    findall(Id, (between(1, 4, _), thread_create(squares(Queue, Answers), Id)), Ids),
    forall(between(1, 200, N), thread_send_message(Queue, N)),
    forall(member(_, Ids), thread_send_message(Queue, done)),
    maplist(thread_join, Ids),
    findall(Square, (between(1, 200, _), thread_get_message(Answers, Square)), Squares), sum_list(Squares, All),
    writeln(All),
    thread_self(Me),
    thread_create(catch((thread_send_message(Me, ready), sleep(60)), stop, true), Sleeper),
    thread_get_message(ready),
    thread_signal(Sleeper, throw(stop)),
    thread_join(Sleeper, Status), writeln(Status),
    ( thread_get_message(Me, never, [timeout(0.01)]) -> true ; writeln(timeout) ).
