"""What a stream holds, as arrays: at once, lazily, from files of detectors; and the documents replayed."""
