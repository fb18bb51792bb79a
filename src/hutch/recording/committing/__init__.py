"""The threads that write what has arrived into the store, and keep what it does not take."""
