#!/bin/sh
# The figures of celeba64 in docs/results, made again by the commands that the documents show, for when the
# bundled model has changed. Run in the checkout, three CPU minutes, or up to nine on a busy machine:
#
#     PATH=$PWD/.venv/bin:$PATH sh docs/figures.sh [RESULTS]
#
# RESULTS is docs/results by default. Photos are the package's own, seeds the showcase of docs/results/README.md.
# atlas-page.jpg, a picture of the page in a browser, needs chromium, and is left out without.
set -eu

results=$(mkdir -p "${1:-docs/results}" && cd "${1:-docs/results}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

jpeg() {  # PNG JPEG [WIDTH]: large figures of pictures are stored as JPEG
    python - "$@" <<'CODE'
import sys
from PIL import Image
picture = Image.open(sys.argv[1]).convert("RGB")
if len(sys.argv) > 3:
    picture = picture.resize((int(sys.argv[3]), int(sys.argv[3]) * picture.height // picture.width), Image.LANCZOS)
picture.save(sys.argv[2], quality=88, optimize=True)
CODE
}

facegan generate celeba64 --count 100 --scale 1 --out celeba64.png
cp celeba64.png "$results"

# edit.md
facegan edit seed:0,1,2,4 "smiling=+2" --out edit-smiling.png
facegan mix seed:0-2 seed:4-6,9 --layers 0-1 --out mix.png
facegan arithmetic "smiling woman - neutral woman + neutral man" --out words.png
for name in edit-smiling mix words; do jpeg "$name.png" "$results/$name.jpg"; done

# invert.md
facegan invert sample:astronaut sample:officer seed:5 --tune --out me
facegan invert sample:chelsea --no-align --out cat
facegan invert seed:5 --preset tutorial --out tutorial
facegan invert seed:5 --preset tutorial --compare mae,mse --out compared
jpeg me/pairs.png "$results/invert-pairs.jpg"
jpeg cat/pairs.png "$results/invert-chelsea.jpg"
jpeg tutorial/seed5-path.png "$results/invert-tutorial.jpg"
cp compared/compare.png "$results/invert-compare.png"

# explore.md
facegan atlas celeba64
jpeg atlas.png "$results/atlas.jpg" 1200
if command -v chromium > /dev/null; then
    cat atlas.html - > page.html <<'PAGE'
<script>
for (const seed of [2, 5]) {
  byId('seed').value = seed;
  byId('find').requestSubmit();
  byId('add').click();
}
byId('seed').value = '';
map.blur();
zoom(2);
</script>
PAGE
    chromium --headless --no-sandbox --hide-scrollbars --window-size=1280,800 --virtual-time-budget=5000 \
        --screenshot=page.png page.html 2> chromium.log
    jpeg page.png "$results/atlas-page.jpg"
fi
facegan film seed:0-2,4-6 --evenness film-evenness.png
facegan film seed:0-2,4-6 --seconds 6 --fps 12 --scale 3 --out film.webp
cp film-evenness.png film.webp "$results"
