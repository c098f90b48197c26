"""How a process is shut in: the layers of a run, in their order."""
