"""Web servers and proxies with threads: Apache's two threaded modules, nginx with thread pools, HAProxy, stunnel."""

import hashlib
import re
import urllib.request

import echo
import slow_http
from catalogue import case
from stage import Process, Stage


def load(stage: Stage, port: int, path: str, size: int) -> None:
    """100 connections of ab, kept alive; every answer must have `size` bytes."""
    requests = 2000 if stage.quick else 30000
    told = stage.client(["ab", "-q", "-k", "-H", "X-Client: ab", "-c", "100", "-n", requests, f"http://127.0.0.1:{port}{path}"]).stdout

    def line(name: str) -> str:
        found = re.search(rf"^{name}: +([0-9.]+)", told, re.MULTILINE)
        return found[1] if found else ""

    stage.answer("requests", line("Complete requests"))
    stage.answer("failed requests", line("Failed requests"))
    stage.answer("document length", line("Document Length"))
    stage.check(
        line("Document Length") == str(size) and line("Failed requests") == "0",
        f"ab: {line('Failed requests')} of {line('Complete requests')} failed",
    )
    if not stage.quick:
        stage.figure("requests", float(line("Requests per second")), "a second")


def site(stage: Stage) -> dict[str, bytes]:
    """A few files to serve: path -> content."""
    files = {"/small.txt": b"grivet\n" * 100, "/page.html": b"<p>page</p>\n" * 1000, "/large.bin": bytes(range(256)) * 8192}
    for path, content in files.items():
        stage.file("site" + path, content)
    return files


def serve_site(stage: Stage, server: Process, port: int, files: dict[str, bytes]) -> None:
    """What every web server is asked: each file, slow clients, and the load."""
    for path in [*files, "/missing"]:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                stage.answer(path, (answer.status, hashlib.sha256(answer.read()).hexdigest()))
        except urllib.error.HTTPError as error:
            stage.answer(path, error.code)
    slow = slow_http.slow(port, 20 if stage.quick else 60, "/small.txt")
    stage.check(all(body.encode() == files["/small.txt"] for _, body in slow), "a slow client got another file")
    load(stage, port, "/small.txt", len(files["/small.txt"]))


APACHE = """\
ServerRoot {directory}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {directory}/pid
ErrorLog {directory}/error.log
Mutex default:{directory}
User www-data
Group www-data
LoadModule mpm_{module}_module /usr/lib/apache2/modules/mod_mpm_{module}.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
TypesConfig /etc/mime.types
StartServers 1
ServerLimit 1
ThreadsPerChild 128
ThreadLimit 128
MaxRequestWorkers 128
MinSpareThreads 1
MaxSpareThreads 128
KeepAlive On
MaxKeepAliveRequests 0
EnableSendfile {sendfile}
DocumentRoot {directory}/site
<Directory {directory}/site>
    Require all granted
</Directory>
"""


def apache(stage: Stage, module: str, sendfile: str) -> None:
    port, files = stage.port(), site(stage)
    configuration = stage.file("apache.conf", APACHE.format(directory=stage.directory, port=port, module=module, sendfile=sendfile))
    stage.file("mime.types", "")
    server = stage.serve(["apache2", "-f", configuration, "-D", "FOREGROUND"], port)
    serve_site(stage, server, port, files)
    stage.answer("exit status", server.stop())


@case("apache-worker", "Apache, mpm_worker: ab with 100 connections, slow clients", {"apache2": "apache2", "ab": "apache2-utils"}, ["apache2", "-v"])
def apache_worker(stage: Stage) -> None:
    apache(stage, "worker", "On")


@case("apache-event", "Apache, mpm_event: the same", {"apache2": "apache2", "ab": "apache2-utils"}, ["apache2", "-v"])
def apache_event(stage: Stage) -> None:
    apache(stage, "event", "Off")


NGINX = """\
daemon off;
user root;
worker_processes 1;
pid {directory}/pid;
error_log {directory}/error.log;
thread_pool default threads=16;
events {{ worker_connections 512; }}
http {{
    access_log off;
    default_type text/plain;
    sendfile off;
    aio threads;
    keepalive_requests 1000000;
    client_body_temp_path {directory}/client;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {directory}/site;
    }}
}}
"""


@case("nginx", "thread pools read the files: ab with 100 connections", {"nginx": "nginx", "ab": "apache2-utils"}, ["nginx", "-v"])
def nginx(stage: Stage) -> None:
    port, files = stage.port(), site(stage)
    configuration = stage.file("nginx.conf", NGINX.format(directory=stage.directory, port=port))
    server = stage.serve(["nginx", "-p", stage.directory, "-e", stage.directory / "error.log", "-c", configuration], port)
    serve_site(stage, server, port, files)
    stage.answer("exit status", server.stop())


HAPROXY = """\
global
    nbthread 4
    log /dev/null local0
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen echo
    bind 127.0.0.1:{port}
    server local 127.0.0.1:{echo}
"""


@case("haproxy", "4 threads pass on 50 connections to an echo server", {"haproxy": "haproxy"}, ["haproxy", "-v"])
def haproxy(stage: Stage) -> None:
    port, behind = stage.port(), echo.Server()
    try:
        configuration = stage.file("haproxy.cfg", HAPROXY.format(port=port, echo=behind.port))
        server = stage.serve(["haproxy", "-db", "-f", configuration], port)
        stage.answer("bytes", echo.talk(port, clients=50, messages=20 if stage.quick else 100))
        stage.answer("exit status", server.stop())
    finally:
        behind.close()


STUNNEL = """\
foreground = yes
pid =
debug = 3
[echo]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{echo}
cert = {directory}/certificate.pem
key = {directory}/key.pem
"""


@case(
    "stunnel",
    "a thread a connection: 50 TLS connections to an echo server",
    {"stunnel4": "stunnel4", "openssl": "openssl"},
    ["stunnel4", "-version"],
)
def stunnel(stage: Stage) -> None:
    names = ["-keyout", stage.directory / "key.pem", "-out", stage.directory / "certificate.pem", "-subj", "/CN=localhost"]
    stage.client(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", *names])
    port, behind = stage.port(), echo.Server()
    try:
        configuration = stage.file("stunnel.conf", STUNNEL.format(port=port, echo=behind.port, directory=stage.directory))
        server = stage.serve(["stunnel4", configuration], port)
        stage.answer("bytes", echo.talk(port, clients=50, messages=10 if stage.quick else 60, tls=echo.trusting()))
        stage.answer("exit status", server.stop())
    finally:
        behind.close()
