"""What a detector's JSON may say, and how files are read: near misses, positions and messages included."""
