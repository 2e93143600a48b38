"""What a training leaves behind: the run folder, its checkpoints, its report, and comparisons."""
