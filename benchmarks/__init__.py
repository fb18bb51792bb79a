"""What hutch costs, measured beside its peers in one run: ``make bench``.

Each module with ``measure(plan)`` is one subject. hutch is used only through its public names, and so
are the peers. Nothing here is a test: a target that is missed is shown, and nothing fails.
"""
