"""``remotemedia web``: a page that runs a manifest in the browser, served or exported."""
