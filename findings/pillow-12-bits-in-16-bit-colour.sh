#!/usr/bin/env bash
# Pillow 13.0.0 opens a 16-bit colour PNG or TIFF as 8-bit RGB from the upper byte of each sample. Cameras and scanners
# store 12 bits in such files (0 to 4095), which become 0 to 15: a nearly black picture, without a warning. Nothing in
# the image object shows that the file had 16 bits. Grey files keep all 16 bits (mode I;16).
#
# Input: 8x8 pixels with the value 4095, written by OpenCV 5 as PNG and TIFF, in colour and grey.
# Seen (Python 3.11, x86-64): colour: RGB, maximum 15; grey: I;16, maximum 4095.
#
# Exits with 1 as soon as this changes. Needs python3 with venv, and a package index.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv env
env/bin/pip install -q --disable-pip-version-check pillow==13.0.0 opencv-python-headless==5.0.0.93 numpy==2.4.6
env/bin/python - <<'P' | tee seen.txt
import cv2
import numpy as np
import PIL
from PIL import Image

print("Pillow", PIL.__version__)
for suffix in ("png", "tif"):
    for kind, shape in (("colour", (8, 8, 3)), ("grey", (8, 8))):
        cv2.imwrite(f"{kind}.{suffix}", np.full(shape, 4095, np.uint16))
        picture = Image.open(f"{kind}.{suffix}")
        print(suffix, kind, picture.mode, "maximum", int(np.asarray(picture).max()))
P
cat > expected.txt <<'E'
Pillow 13.0.0
png colour RGB maximum 15
png grey I;16 maximum 4095
tif colour RGB maximum 15
tif grey I;16 maximum 4095
E
diff expected.txt seen.txt && echo "as stated"
