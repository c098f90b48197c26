"""Secrets: named values of an owner that jobs use and that nobody can read back.

Theory of operation. A value is encrypted with AES-256-GCM before it is stored. The associated data are its owner and
its name, so a row that is copied to another owner or name cannot be decrypted. The keys are in the setting
SCHEDULER_SECRETS_KEY: the first encrypts, all decrypt. Each row holds the id of its key. A job names secrets. A worker
decrypts them when it begins a run, and masks them in all that the run leaves behind.
"""
