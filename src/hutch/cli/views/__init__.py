"""What commands print: tables, and lines for people and as JSON."""
