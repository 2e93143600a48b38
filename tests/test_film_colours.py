"""Colours of films as players show them: by the tags of the file, in PyAV and in a browser."""

from __future__ import annotations

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from browsers import chromium_program
from PIL import Image, ImageSequence

from facegan.video import FORMATS, write_film

SKIN = [(255, 224, 189), (241, 194, 125), (224, 172, 105), (198, 134, 66), (141, 85, 36), (92, 51, 23)]
PRIMARY = [(r, g, b) for r in (0, 255) for g in (0, 255) for b in (0, 255)]
GREY = [(n, n, n) for n in (16, 32, 64, 96, 128, 160, 192, 235)]
OTHERS = np.random.default_rng(0).integers(0, 256, (64 - 22, 3)).tolist()
COLOURS = np.array([*SKIN, *PRIMARY, *GREY, *OTHERS]).reshape(8, 8, 3)


def patches(side: int) -> np.ndarray:
    """The 64 colours as squares of a picture."""
    return COLOURS.repeat(side // 8, 0).repeat(side // 8, 1).astype(np.uint8)


def centres(picture: np.ndarray) -> np.ndarray:
    half = len(picture) // 16
    return picture[half :: 2 * half, half :: 2 * half].astype(int)


def by_bt709(planes: np.ndarray) -> np.ndarray:
    """RGB from limited 8-bit 4:2:0 planes, written as in ITU-R BT.709 and rounded once."""
    h = len(planes) * 2 // 3
    cb, cr = (p.repeat(2, 0).repeat(2, 1) for p in (planes[h:].reshape(2, h // 2, -1) - 128.0) / 224)
    y = (planes[:h] - 16.0) / 219
    red, blue = y + 1.5748 * cr, y + 1.8556 * cb
    green = (y - 0.2126 * red - 0.0722 * blue) / 0.7152
    return np.clip(np.rint(255 * np.stack([red, green, blue], -1)), 0, 255)


def decoded(path: Path) -> list[np.ndarray]:
    """Each frame as RGB, an MP4's in two ways: by the formulas, and by PyAV."""
    if path.suffix != ".mp4":
        with Image.open(path) as film:
            return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(film)]
    import av
    from av.video.reformatter import Interpolation as Way

    accurate = Way.BILINEAR | Way.ACCURATE_RND | Way.FULL_CHR_H_INT
    found = []
    with av.open(str(path)) as film:
        codec = film.streams.video[0].codec_context
        tags = (codec.colorspace, codec.color_primaries, codec.color_trc, codec.color_range)
        assert tags == (1, 1, 1, 1), "BT.709 three times, and limited"
        for frame in film.decode(video=0):
            found.append(by_bt709(frame.to_ndarray(format="yuv420p")))
            found.append(frame.to_ndarray(format="rgb24", interpolation=accurate))
    return found


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("side", [256, 1024])
def test_flat_colours_come_back(kind: str, side: int, tmp_path: Path) -> None:
    write_film(tmp_path / f"film{kind}", [patches(side)] * 3)
    found = decoded(tmp_path / f"film{kind}")
    assert len(found) >= 3
    off = [int(np.abs(centres(f) - COLOURS).max()) for f in found]
    assert max(off) <= 2, off


PAGE = """<!doctype html><script>
async function pixels(name) {
  const video = document.createElement("video");
  video.muted = true;
  video.src = name;
  await new Promise((done, failed) => { video.onloadeddata = done; video.onerror = failed; });
  await new Promise((done) => { video.onseeked = done; video.currentTime = 0.2; });
  const canvas = document.createElement("canvas"), side = canvas.width = canvas.height = video.videoWidth;
  const context = canvas.getContext("2d"), found = [];
  context.drawImage(video, 0, 0);
  for (let i = 0; i < 64; i++) {
    const x = (i % 8 + .5) * side / 8, y = (Math.floor(i / 8) + .5) * side / 8;
    found.push([...context.getImageData(x, y, 1, 1).data].slice(0, 3));
  }
  return found;
}
(async () => {
  let found;
  try { found = [await pixels("256.mp4"), await pixels("1024.mp4")]; }
  catch (error) { found = String(error); }
  await fetch("found", {method: "POST", body: JSON.stringify(found)});
})();
</script>"""


def in_browser(command: str, folder: Path) -> object:
    """What PAGE reads from the films of ``folder``, served to a headless Chromium that draws with a GPU's
    shaders in software. (Without them, blue is up to 12 levels off in all BT.709 of limited range:
    findings/chromium-bt709-without-gpu.sh.)"""
    answer: list[object] = []
    came = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/")
            content = PAGE.encode() if not name else (folder / Path(name).name).read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "video/mp4" if name else "text/html")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            answer.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()
            came.set()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        flags = [
            "--headless",
            "--no-sandbox",
            f"--user-data-dir={folder / 'profile'}",
            "--use-angle=swiftshader",
        ]
        flags += ["--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
        with open(folder / "log", "w") as log:
            browser = subprocess.Popen(
                [command, *flags, f"http://127.0.0.1:{server.server_port}/"], stdout=log, stderr=log
            )
            try:
                assert came.wait(120), (folder / "log").read_text()[-2000:]
            finally:
                browser.terminate()
                browser.wait(30)
                server.shutdown()
    return answer[0]


def test_flat_colours_in_a_browser(tmp_path: Path) -> None:
    command = chromium_program()
    for side in (256, 1024):
        write_film(tmp_path / f"{side}.mp4", [patches(side)] * 12)
    found = in_browser(command, tmp_path)
    assert not isinstance(found, str), found
    off = np.abs(np.array(found).reshape(2, 8, 8, 3) - COLOURS).max((1, 2))
    assert off.max() <= 2, f"red, green, blue at 256 and at 1,024 px: {off.tolist()}"
