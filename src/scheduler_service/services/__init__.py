"""The operations that requests call, one transaction each."""
