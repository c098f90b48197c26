"""What the service and the processes of a run agree on: commands, limits, layers, and the bytes between them."""
