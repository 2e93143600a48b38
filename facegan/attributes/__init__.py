"""Predict attributes of faces: networks, training, labelling, and words for attributes."""
