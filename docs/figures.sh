#!/bin/sh
# The figures of celeba64 in docs/results, made again by the commands that the documents show, for when the
# bundled model has changed. Run in the checkout, some three CPU minutes:
#
#     PATH=$PWD/.venv/bin:$PATH sh docs/figures.sh PHOTOS [RESULTS]
#
# PHOTOS is a folder with portrait.jpg, officer.jpg and cat.jpg; RESULTS is docs/results by default.
# atlas-page.jpg, a picture of the page in a browser, stays as it is.
set -eu

photos=$(cd "$1" && pwd)
results=$(mkdir -p "${2:-docs/results}" && cd "${2:-docs/results}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

facegan generate celeba64 --count 100 --scale 1 --out celeba64.png
cp celeba64.png "$results"

# edit.md
facegan edit seed:0-3 "smiling=+2" --model celeba64 --out edit-smiling.png
facegan mix celeba64 0-2 4-7 --layers 0-1 --out mix.png
facegan arithmetic celeba64 "smiling woman - neutral woman + neutral man" --out words.png
cp edit-smiling.png mix.png words.png "$results"

# invert.md
facegan invert "$photos/portrait.jpg" "$photos/officer.jpg" seed:7 --model celeba64 --tune --out me
facegan invert "$photos/cat.jpg" --no-align --model celeba64 --out cat
facegan invert seed:7 --model celeba64 --preset tutorial --out tutorial
facegan invert seed:7 --model celeba64 --preset tutorial --compare mae,mse --out compared
cp me/pairs.png "$results/invert-pairs.png"
cp cat/pairs.png "$results/invert-cat.png"
cp tutorial/seed7-path.png "$results/invert-tutorial.png"
cp compared/compare.png "$results/invert-compare.png"

# explore.md
facegan atlas celeba64
python - "$results/atlas.jpg" <<'CODE'
import sys
from PIL import Image
picture = Image.open("atlas.png").convert("RGB")
picture.resize((1200, 1200 * picture.height // picture.width), Image.LANCZOS).save(sys.argv[1], quality=88)
CODE
facegan film celeba64 0-5 --evenness film-evenness.png
facegan film celeba64 0-5 --seconds 6 --fps 12 --scale 2 --out film.webp
cp film-evenness.png film.webp "$results"
