#!/usr/bin/env bash
# huggingface_hub 2.4.0 says "Trying to resume download..." after a broken connection, but writes what it receives in
# pieces of 10 MiB and drops the piece that was not complete. A file below 10 MiB begins again at its first byte; of a
# larger one, up to 10 MiB are sent twice. (Downloads over HTTP, that is without Xet.)
#
# Input: a server of 40 lines that speaks the Hub's download, with Range, and ends each file's first answer 100,000
# bytes early.
# Expected: the second request asks for the last 100,000 bytes.
# Seen (Python 3.11, x86-64): for 6,000,000 bytes, a request without Range; for 25,000,000, one from byte 20,971,520.
#
# Exits with 1 as soon as this changes. Needs python3 with venv, and a package index.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
export HF_HOME="$folder/home" HF_HUB_DISABLE_XET=1 HF_HUB_DISABLE_PROGRESS_BARS=1 HF_HUB_DISABLE_TELEMETRY=1
python3 -m venv env
env/bin/pip install -q --disable-pip-version-check huggingface_hub==2.4.0
cat > try.py <<'P'
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SIZES = {"small.bin": 6_000_000, "large.bin": 25_000_000}
asked = []


class Hub(BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.rpartition("/")[2]
        whole = bytes(SIZES[name])
        first = int((self.headers.get("Range") or "bytes=0-")[6:].rstrip("-"))
        self.send_response(206 if first else 200)
        self.send_header("ETag", f'"{name}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Accept-Ranges", "bytes")
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(whole) - 1}/{len(whole)}")
        self.send_header("Content-Length", str(len(whole) - first))
        self.end_headers()
        if self.command == "HEAD":
            return
        asked.append((name, self.headers.get("Range")))
        early = 100_000 if [n for n, _ in asked].count(name) == 1 else 0
        self.wfile.write(whole[first : len(whole) - early])

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_address[1]}"

import huggingface_hub

print("huggingface_hub", huggingface_hub.__version__)
for name, size in SIZES.items():
    path = huggingface_hub.hf_hub_download("me/files", name)
    print(name, os.path.getsize(path) == size, *(wanted for n, wanted in asked if n == name))
P
env/bin/python try.py 2>/dev/null | tee seen.txt
cat > expected.txt <<'E'
huggingface_hub 2.4.0
small.bin True None None
large.bin True None bytes=20971520-
E
diff expected.txt seen.txt && echo "as stated"
