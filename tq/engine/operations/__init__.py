"""One thing done to many tasks: previewed, done at a bounded rate over restarts, and taken back."""
