"""Other network programs: mosquitto, unbound, BIND, iperf3, socat."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import dns
import echo
from catalogue import case
from stage import Stage


@case(
    "mosquitto",
    "MQTT broker, 20 subscribers and 10 publishers; without threads",
    {"mosquitto": "mosquitto", "mosquitto_pub": "mosquitto-clients"},
    ["mosquitto", "-h"],
)
def mosquitto(stage: Stage) -> None:
    port = stage.port()
    configuration = stage.file("mosquitto.conf", f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence false\n")
    server = stage.serve(["mosquitto", "-c", configuration], port)

    def subscriber(number: int, *options: object) -> str:
        """Whoever subscribes and leaves gets what was published meanwhile when it comes back."""
        return stage.client(["mosquitto_sub", "-p", port, "-c", "-i", f"reader-{number}", "-q", "1", "-t", "news/#", *options], limit=30).stdout

    def publisher(number: int) -> None:
        lines = "".join(f"{number}-{turn}\n" for turn in range(5))
        stage.client(["mosquitto_pub", "-p", port, "-q", "1", "-t", f"news/{number}", "-l"], limit=30, feed=lines)

    with ThreadPoolExecutor(20) as clients:
        list(clients.map(lambda number: subscriber(number, "-E"), range(20)))
        list(clients.map(publisher, range(10)))
        received = list(clients.map(lambda number: subscriber(number, "-C", 50), range(20)))
    stage.answer("received", [sorted(lines.split()) for lines in received])
    stage.answer("exit status", server.stop())


UNBOUND = """\
server:
    interface: 127.0.0.1
    port: {port}
    do-daemonize: no
    num-threads: 4
    username: ""
    chroot: ""
    directory: "{directory}"
    pidfile: ""
    use-syslog: no
    module-config: "iterator"
    local-zone: "example.org." static
{records}
remote-control:
    control-enable: no
"""


@case("unbound", "DNS server, 4 threads, 200 questions at once", {"unbound": "unbound"}, ["unbound", "-V"])
def unbound(stage: Stage) -> None:
    port = stage.port()
    records = "\n".join(f'    local-data: "host-{number}.example.org. A 10.0.{number // 100}.{number % 100}"' for number in range(200))
    configuration = stage.file("unbound.conf", UNBOUND.format(port=port, directory=stage.directory, records=records))
    server = stage.serve(["unbound", "-d", "-c", configuration], port)
    names = [f"host-{number}.example.org" for number in range(200)] + ["nowhere.example.org"]
    for turn in range(3):
        stage.answer(f"answers, turn {turn}", dns.ask(port, names))
    stage.answer("exit status", server.stop())


@case("iperf3", "server, one client with 4 streams", {"iperf3": "iperf3"}, ["iperf3", "-v"])
def iperf3(stage: Stage) -> None:
    port = stage.port()
    server = stage.start(["iperf3", "-s", "-B", "127.0.0.1", "-p", port, "-1"])
    stage.await_listener(server, port)
    told = json.loads(stage.client(["iperf3", "-c", "127.0.0.1", "-p", port, "-P", "4", "-n", "64M", "-J"]).stdout)
    stage.answer("bytes", told["end"]["sum_sent"]["bytes"])
    if not stage.quick:
        stage.figure("received", told["end"]["sum_received"]["bits_per_second"] / 8 / 2**20, "MiB a second")
    stage.answer("exit status", server.wait(10))


@case("socat", "a process a connection: 20 connections to an echo server", {"socat": "socat"}, ["socat", "-V"])
def socat(stage: Stage) -> None:
    port, behind = stage.port(), echo.Server()
    try:
        server = stage.serve(["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", f"TCP:127.0.0.1:{behind.port}"], port)
        stage.answer("bytes", echo.talk(port, clients=20, messages=10))
        stage.answer("exit status", server.stop())
    finally:
        behind.close()


NAMED = """\
options {{
    directory "{directory}";
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    query-source address 127.0.0.1;
    recursion no;
    dnssec-validation no;
    notify no;
    pid-file none;
    session-keyfile none;
    managed-keys-directory "{directory}";
}};
controls {{ }};
zone "example.org" {{ type master; file "zone"; }};
"""


@case("bind", "DNS server, 4 threads, 200 questions at once", {"named": "bind9"}, ["named", "-v"])
def bind(stage: Stage) -> None:
    port = stage.port()
    configuration = stage.file("named.conf", NAMED.format(directory=stage.directory, port=port))
    records = "\n".join(f"host-{number} IN A 10.1.{number // 100}.{number % 100}" for number in range(200))
    stage.file("zone", f"$TTL 60\n@ IN SOA ns.example.org. a.example.org. 1 60 60 60 60\n@ IN NS ns\nns IN A 127.0.0.1\n{records}\n")
    server = stage.serve(["named", "-g", "-n", "4", "-c", configuration], port)
    # It answers with an error until the zone is loaded.
    for _ in range(200):
        if dns.ask(port, ["host-0.example.org"]) == ["10.1.0.0"]:
            break
        time.sleep(0.05)
    for turn in range(3):
        stage.answer(f"answers, turn {turn}", dns.ask(port, [f"host-{number}.example.org" for number in range(200)]))
    stage.answer("exit status", server.stop())
