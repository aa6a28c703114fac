"""Session: one run of a plan, live or over a finite input."""
