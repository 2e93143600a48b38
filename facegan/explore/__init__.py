"""From seeds and saved vectors to pictures, films, maps and sums, as files: the functions behind commands.

>>> import facegan
>>> facegan.generate("celeba64", "seed:0-99", out="faces/")
>>> facegan.film("celeba64", ["seed:3", "seed:8"], seconds=6, out="film.mp4")
>>> facegan.arithmetic("celeba64", "smiling woman - neutral woman + neutral man")
"""
