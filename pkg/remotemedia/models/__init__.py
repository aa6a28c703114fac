"""Models that nodes compute with: their files, where they are, and what runs them."""
