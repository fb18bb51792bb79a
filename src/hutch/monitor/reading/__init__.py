"""What the monitor reads: files and runs that grow, who tells that they do, and how they are opened."""
