"""Pages for the browser, rendered here: they need no JavaScript to be read."""
