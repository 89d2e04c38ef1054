"""Many calls at once through a real server process, under faults, and then three books held against each other."""
