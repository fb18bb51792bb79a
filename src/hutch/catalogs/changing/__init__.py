"""What changes runs that are stored: amendments, verdicts, deletion, and how long they are kept."""
