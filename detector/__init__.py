"""The app: configuration, the numeric core, and `poll`, where features, models and stores meet."""
