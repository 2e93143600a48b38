"""The networks that see attributes of faces: prediction, training, labelling, and words for them."""
