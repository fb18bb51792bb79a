"""Plug-ins of the monitor: where they are, how their modules are loaded, which plots there are."""
