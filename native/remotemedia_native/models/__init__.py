"""Models natively: where they are kept, how they are fetched, and the command for it."""
