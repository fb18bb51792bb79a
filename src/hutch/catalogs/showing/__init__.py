"""Runs and streams as people look at them: pictures, and what a notebook shows."""
