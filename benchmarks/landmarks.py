"""How far landmarks lie from CelebA's official places, and how alike the crops of a face and of the same face
turned are: with the third network's offset of 1/48 taken off, and with its part downwards left in.

    python benchmarks/landmarks.py [PHOTOS.zip] [--count 300]

CelebA's aligned pictures of 178 x 218 px have eyes, nose and mouth at OFFICIAL, the eyes of every photo and
the rest on average. Each photo is turned around its centre; errors are distances to the turned places, as
shares of the distance between the eyes. The shift of a crop is how far its content lies from that of the
photo's own crop: the mean over all photos (what is systematic), in px of a crop of 64 px along its axes.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

import cv2
import numpy as np

from facegan import images
from facegan.data import crops
from facegan.data import faces as detection
from facegan.data.faces import FaceDetector

PHOTOS = Path(__file__).resolve().parents[2] / "shared/data/celeba-9k.zip"
OFFICIAL = np.array([[69, 111], [108, 111], [88, 136], [72, 152], [105, 152]]) + 0.5
EYES, SIZE = 39, (178, 218)  # distance between the eyes and picture size, in the official pictures' px
PAD = 20  # px around a turned photo
TURNS = (0, -30, -20, -10, 10, 20, 30)


def turned(photo: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """The photo turned around its centre in a larger one, and the 2,3 matrix that takes its points there."""
    h, w = photo.shape[:2]
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotation, middle = np.array([[c, -s], [s, c]]), np.array([w / 2, h / 2])
    matrix = np.column_stack([rotation, middle + PAD - rotation @ middle])
    centred = np.column_stack([rotation, matrix[:, 2] + rotation @ [0.5, 0.5] - 0.5])
    size = (w + 2 * PAD, h + 2 * PAD)
    return cv2.warpAffine(
        photo, centred, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    ), matrix


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def inverse(matrix: np.ndarray) -> np.ndarray:
    return np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]


def measure(photos: list[np.ndarray]) -> None:
    """Print a line for each turn."""
    detector, straight = FaceDetector(), {}
    positions = (np.indices((8, 8)).reshape(2, -1).T + 0.5) * 8  # in a crop of 64 px
    for turn in TURNS:
        errors, shifts = [], []
        for number, photo in enumerate(photos):
            picture, there = turned(photo, turn)
            faces = detector.detect(picture, largest=True)
            if len(faces) != 1:
                continue
            landmarks, width = np.array(faces[0].landmarks), photo.shape[1]
            truth = apply(there, OFFICIAL * np.array(photo.shape[1::-1]) / SIZE)
            errors.append((landmarks - truth) / (EYES * width / SIZE[0]))
            cut = crops.similarity(landmarks, crops.template(64, 64))
            seen = apply(inverse(there), apply(inverse(cut), positions))  # in the photo as it is
            if turn == 0:
                straight[number] = inverse(there), cut
            elif number in straight:
                back, own = straight[number]
                shifts.append(apply(own, apply(inverse(back), seen)) - positions)
        distance = np.linalg.norm(errors, axis=2)
        print(
            f"{turn:4d} degrees, {len(errors)} faces: error {distance.mean():.2%}, of the eyes "
            f"{distance[:, :2].mean():.2%}; mean x {np.mean(errors, axis=(0, 1))[0]:+.2%}, "
            f"y {np.mean(errors, axis=(0, 1))[1]:+.2%}",
            f"; crop shifted by {np.mean(shifts, axis=(0, 1)).round(2)} px" if shifts else "",
            sep="",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", default=str(PHOTOS))
    parser.add_argument("--count", type=int, default=300)
    args = parser.parse_args()
    with zipfile.ZipFile(args.source) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        chosen = np.random.default_rng(21).choice(len(names), min(args.count, len(names)), replace=False)
        photos = [images.read_image(archive.read(names[i])) for i in chosen]
    for title, offset in (("offset left in", 0.0), ("offset taken off", detection.OFFSET)):
        detection.OFFSET = offset
        print(title)
        measure(photos)


if __name__ == "__main__":
    main()
