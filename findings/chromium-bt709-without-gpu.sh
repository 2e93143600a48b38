#!/usr/bin/env bash
# Without GPU shaders, Chromium converts H.264 in BT.709, limited range, with too little blue: saturated blue is 12
# levels too low, yellow's blue is 12 too high, and skin is off by 4, although the file is tagged and converted
# correctly. With shaders, which may run in software, the result is exact. Without them, full range and BT.601 are
# correct within 2 levels.
#
# Input: 64 flat colours in a film of 256x256 px. PyAV writes it from planes computed by the definition of Y'CbCr. The
# script reads the pixels from a canvas and compares them with the definition applied to the planes in the file.
# Expected from libyuv's source (row_common.cc): it stores coefficients as 64ths and caps them at 128, so that 2.112 of
# BT.709 becomes 2 (BT.601: 2.018; full range: 1.856, not capped). (2.112 - 2) x 112 steps of Cb are 12.5 levels.
# Seen (Debian 12, Chromium 156.0.8078.114, x86-64): 12. The planes with a coefficient of 2 match the drawn pixels to
# one level, which supports that cause; the executed code was not traced.
#
# Exits with 1 as soon as this changes. Needs chromium (apt-get install chromium; the script prints its version),
# python3 with venv, and a package index.
set -euo pipefail
command -v chromium > /dev/null || { echo "needs chromium: apt-get install chromium"; exit 2; } >&2
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv env
env/bin/pip install -q --disable-pip-version-check av==18.1.0 numpy==2.4.6
chromium --version 2>/dev/null
cat > page.html <<'H'
<!doctype html><script>
async function pixels(name) {
  const video = document.createElement("video");
  video.muted = true;
  video.src = name;
  await new Promise((done, failed) => { video.onloadeddata = done; video.onerror = () => failed(name); });
  await new Promise((done) => { video.onseeked = done; video.currentTime = 0.2; });
  const canvas = document.createElement("canvas"), found = [];
  canvas.width = canvas.height = 256;
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  for (let i = 0; i < 64; i++)
    found.push([...context.getImageData(i % 8 * 32 + 16, (i >> 3) * 32 + 16, 1, 1).data].slice(0, 3));
  return found;
}
(async () => {
  const found = {};
  try { for (const name of ["709-limited", "709-full", "601-limited"]) found[name] = await pixels(name + ".mp4"); }
  catch (error) { found.error = String(error); }
  await fetch("found", {method: "POST", body: JSON.stringify(found)});
})();
</script>
H
cat > play.py <<'P'
import functools
import http.server
import json
import subprocess
import threading

import av
import numpy as np

SKIN = [(255, 224, 189), (241, 194, 125), (224, 172, 105), (198, 134, 66), (141, 85, 36), (92, 51, 23)]
CORNERS = [(r, g, b) for r in (0, 255) for g in (0, 255) for b in (0, 255)]
OTHERS = np.random.default_rng(0).integers(0, 256, (64 - 14, 3)).tolist()
COLOURS = np.array(SKIN + CORNERS + OTHERS)
FILMS = {  # shares of red and blue in luma; steps of luma and chroma; FFmpeg's numbers of matrix, rest and range
    "709-limited": ((0.2126, 0.0722), (219, 224, 16), (1, 1, 1)),
    "709-full": ((0.2126, 0.0722), (255, 255, 0), (1, 1, 2)),
    "601-limited": ((0.299, 0.114), (219, 224, 16), (6, 6, 1)),
}
MODES = {
    "no GPU": ["--disable-gpu"],
    "shaders": ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"],
}


def write(name):
    """The colours as 64 squares, each plane by the definition of Y'CbCr."""
    (red, blue), (luma, chroma, black), (matrix, rest, extent) = FILMS[name]
    r, g, b = COLOURS.T / 255
    y = red * r + (1 - red - blue) * g + blue * b
    levels = [y * luma + black, (b - y) / (2 - 2 * blue) * chroma + 128, (r - y) / (2 - 2 * red) * chroma + 128]
    planes = [np.clip(np.rint(p), 0, 255).astype(np.uint8).reshape(8, 8) for p in levels]
    planes = [p.repeat(side, 0).repeat(side, 1).ravel() for p, side in zip(planes, (32, 16, 16))]
    picture = np.concatenate(planes).reshape(384, 256)
    with av.open(f"{name}.mp4", "w") as out:
        stream = out.add_stream("libx264", rate=24, options={"crf": "1"})
        stream.width = stream.height = 256
        stream.pix_fmt = "yuv420p"
        codec = stream.codec_context
        codec.colorspace, codec.color_primaries, codec.color_trc, codec.color_range = matrix, rest, rest, extent
        for _ in range(12):
            frame = av.VideoFrame.from_ndarray(picture, "yuv420p")
            frame.colorspace, frame.color_range = matrix, extent
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def read(name):
    """Y', Cb and Cr of the squares, black and no colour at 0, as the file's own frame has them, and its tags."""
    black = FILMS[name][1][2]
    with av.open(f"{name}.mp4") as film:
        codec = film.streams.video[0].codec_context
        tags = codec.colorspace, codec.color_primaries, codec.color_trc, codec.color_range
        planes = [f.to_ndarray(format=f.format.name) for f in film.decode(video=0)][5].astype(float)
    y = planes[16:256:32, 16::32].ravel() - black
    cb, cr = (p[8::16, 8::16].ravel() - 128 for p in planes[256:].reshape(2, 128, 128))
    return (y, cb, cr), tags


def rgb(name, capped=False):
    """By definition, or with a coefficient of blue of at most 2."""
    (red, blue), (luma, chroma, _), _ = FILMS[name]
    y, cb, cr = read(name)[0]
    y, of_blue, of_red = y * 255 / luma, 255 / chroma * (2 - 2 * blue), 255 / chroma * (2 - 2 * red)
    r, b = y + of_red * cr, y + of_blue * cb
    g = (y - red * r - blue * b) / (1 - red - blue)
    if capped:
        b = y + min(of_blue, 2) * cb
    return np.clip(np.rint(np.stack([r, g, b], -1)), 0, 255)


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_POST(self):
        self.server.found = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        self.server.came.set()

    def log_message(self, *args):
        pass


def play(mode):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=".")) as server:
        server.came = threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = f"http://127.0.0.1:{server.server_port}/page.html"
        flags = ["--headless", "--no-sandbox", f"--user-data-dir=profile-{mode.replace(' ', '-')}", *MODES[mode]]
        with open("log", "w") as log:
            browser = subprocess.Popen(["chromium", *flags, page], stdout=log, stderr=log)
            try:
                assert server.came.wait(120), open("log").read()[-2000:]
            finally:
                browser.terminate()
                browser.wait(30)
                server.shutdown()
    assert "error" not in server.found, server.found
    return {name: np.array(pixels) for name, pixels in server.found.items()}


for name in FILMS:
    write(name)
    assert read(name)[1] == (FILMS[name][2][0], *[FILMS[name][2][1]] * 2, FILMS[name][2][2]), "tags"
print("largest difference, in levels   red green  blue  skin   blue, if its coefficient is at most 2")
held = True
for mode in MODES:
    for name, found in play(mode).items():
        off = np.abs(found - rgb(name))
        seen = [*off.max(0), off[: len(SKIN)].max(), np.abs(found - rgb(name, capped=True))[:, 2].max()]
        print(f"{mode:9} {name:20}", *(f"{int(n):5}" for n in seen))
        if mode == "shaders":
            held &= off.max() <= 1
        elif name == "709-limited":
            blue, yellow = (found - rgb(name))[[7, 12], 2]
            print(f"{'':9} {'':20} blue {int(blue):+}, blue of yellow {int(yellow):+}")
            held &= blue <= -10 and yellow >= 10
            held &= max(seen[:2]) <= 2 and 10 <= seen[2] <= 12 and seen[3] <= 5 and seen[4] <= 1
        else:
            held &= off.max() <= 2
if not held:
    raise SystemExit("not as stated")
print("as stated")
P
env/bin/python play.py
