%% Erlang's scheduler threads: 20,000 processes that answer, 200 that compute, and 100 connections to a server of its own.
-mode(compile).

main(_) ->
    io:format("~p~n", [squares(20000)]),
    io:format("~p~n", [compute(200)]),
    io:format("~p~n", [echoes(100)]).

squares(Count) ->
    Self = self(),
    Processes = [spawn(fun() -> receive {N, From} -> From ! N * N end end) || _ <- lists:seq(1, Count)],
    lists:foreach(fun({N, Process}) -> Process ! {N, Self} end, lists:zip(lists:seq(1, Count), Processes)),
    lists:sum([receive Square -> Square end || _ <- Processes]).

%% Computes with lists for longer than a time slice: the heap of a process, which is full at any time, lies right below its stack.
compute(Count) ->
    Self = self(),
    [spawn_link(fun() -> Self ! lists(3000, 0) end) || _ <- lists:seq(1, Count)],
    lists:sum([receive Sum -> Sum end || _ <- lists:seq(1, Count)]).

lists(0, Sum) -> Sum;
lists(Turn, Sum) ->
    Squares = [N * N || N <- lists:seq(1, Turn rem 100)],
    lists(Turn - 1, Sum + length(integer_to_list(lists:foldl(fun(N, Total) -> Total + N end, Sum, lists:reverse(Squares))))).

echoes(Count) ->
    {ok, Listener} = gen_tcp:listen(0, [binary, {ip, {127, 0, 0, 1}}, {active, false}, {backlog, 200}]),
    {ok, Port} = inet:port(Listener),
    spawn_link(fun() -> accept(Listener) end),
    Self = self(),
    [spawn_link(fun() -> Self ! ask(Port) end) || _ <- lists:seq(1, Count)],
    length([receive <<"hello">> -> ok end || _ <- lists:seq(1, Count)]).

accept(Listener) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    Echo = spawn(fun() -> receive go -> ok end, {ok, Data} = gen_tcp:recv(Socket, 5), gen_tcp:send(Socket, Data) end),
    ok = gen_tcp:controlling_process(Socket, Echo),
    Echo ! go,
    accept(Listener).

ask(Port) ->
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, Port, [binary, {active, false}]),
    ok = gen_tcp:send(Socket, <<"hello">>),
    {ok, Answer} = gen_tcp:recv(Socket, 5),
    Answer.
