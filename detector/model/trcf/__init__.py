"""The plugin-compatible profile: normalised shingle, thresholder and corrector of the thresholded forest (TRCF)."""
