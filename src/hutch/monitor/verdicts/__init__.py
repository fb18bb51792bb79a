"""What checks say of plots: judged, kept, published, compared with references, tried over what is past."""
