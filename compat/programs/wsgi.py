"""A WSGI application whose requests wait: for gunicorn's threads."""

import time


def application(environment, respond):
    if environment["PATH_INFO"].startswith("/wait"):
        time.sleep(0.2)
    body = f"{environment['PATH_INFO']} for {environment.get('HTTP_X_CLIENT')}\n".encode()
    respond("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
