"""What speaks to the kernel: system calls, filters, Landlock, control groups, identities."""
