"""A store that is a PostgreSQL database and a folder: connections, ownership, and what may go wrong."""
