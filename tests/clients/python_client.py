"""Asks for each URL with urllib, as pip and countless scripts do: CONNECT in HTTP/1.0 without Host, `Connection: close` on requests.
Prints one line per URL: STATUS SHA256, or what went wrong."""

import hashlib
import sys
import urllib.error
import urllib.request

for url in sys.argv[1:]:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            print(answer.status, hashlib.sha256(answer.read()).hexdigest())
    except urllib.error.HTTPError as error:
        print(error.code, error.read().decode("utf-8", "replace").replace("\n", " "))
    except OSError as error:
        print(error)
