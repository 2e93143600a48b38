"""The studio: everything that facegan does, in one page of the browser."""
