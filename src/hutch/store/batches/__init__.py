"""Events as Arrow record batches: packed and unpacked, in files and rows, compacted and read once more."""
