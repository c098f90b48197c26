"""What a run uses: processes, memory, processor time, files and kernel objects."""
