"""The processes of a run: the zygote, the supervisor of each run, and the job."""
